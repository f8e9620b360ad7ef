"""The conversation list, and what a user has set for conversations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import HistoryOrder, SessionStateType
from improto.contents import SyncReadStatus
from improto.messages import Conversation, compose, conversation_type
from improto.operations import Topic
from improto_client.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto_client.book import Book
    from improto_client.link import Link
    from improto_client.values import Message

LARGEST_PAGE: Final = 1000
"""Conversations on one page (operations 7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationInfo:
    """An entry of the conversation list."""

    conversation: Conversation
    last: Message | None
    """Its newest stored message."""
    unread: int
    """How many messages this user has not read, as the server counts (messages 11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationSettings:
    """What the user has set for a conversation. None: nothing, or nothing new."""

    conversation: Conversation
    is_muted: bool | None = None
    is_pinned: bool | None = None
    tags: tuple[str, ...] | None = None


class Conversations:
    """``im.conversations``. All methods raise Refused and what every request raises."""

    def __init__(self, link: Link) -> None:
        self._link = link

    # -- the list --------------------------------------------------------------------

    async def list(self, *, count: int = 100, before: int = 0) -> list[ConversationInfo]:
        """The newest conversations, the newest first (operations 7).

        ``before``: only those whose last message is older than this time; 0: all. Malformed
        unless ``count`` is 1 to 1000.
        """
        if not 1 <= count <= LARGEST_PAGE:
            raise Malformed(f"a page has 1 to {LARGEST_PAGE} conversations, not {count}")
        reply = await self._link.ask(
            Topic.QRY_RELATION_R,
            None,
            payloads.RelationQryInput(
                type=1, count=count, startTime=before, order=HistoryOrder.NEWEST_FIRST
            ),
            payloads.RelationsOutput,
            may_repeat=True,
        )
        return [self._listed(info) for info in reply.info]

    def _listed(self, info: payloads.RelationInfo) -> ConversationInfo:
        place = Conversation(type=conversation_type(info.type), target_id=info.userId)
        last = self._link.read(info.msg, place) if info.HasField("msg") else None
        return ConversationInfo(conversation=place, last=last, unread=info.unreadCount)

    async def remove(self, conversation: Conversation) -> None:
        """Take a conversation off the list, until the next message (operations 7)."""
        payload = payloads.RelationsInput(type=conversation.type)
        await self._link.query(Topic.DEL_RELATION, conversation.target_id, payload, may_repeat=True)
        self._link.keeper.put(lambda book: book.unlist(conversation))

    # -- unread ----------------------------------------------------------------------

    async def unread(self, *conversations: Conversation) -> int:
        """Unread messages of these conversations together, or of all (messages 11).

        As the server counts them; of the newest 1000 conversations.
        """
        listed = await self.list(count=LARGEST_PAGE)
        return sum(
            entry.unread
            for entry in listed
            if not conversations or entry.conversation in conversations
        )

    async def mark_read(self, conversation: Conversation, *, until: int) -> None:
        """The user has read everything up to a time; tells his other devices (messages 8.4)."""
        status = SyncReadStatus(until)
        await self._link.publish(
            conversation,
            status,
            lambda unique_id: compose(
                conversation, status, receivers=(self._link.user_id,), unique_id=unique_id
            ),
        )

    # -- settings --------------------------------------------------------------------

    async def mute(self, conversation: Conversation, *, on: bool = True) -> None:
        """Make no noise for a conversation, or again."""
        await self._set(conversation, SessionStateType.IS_SILENT, on=on)
        self._link.keeper.put(lambda book: book.set_conversation(conversation, is_muted=on))

    async def pin(self, conversation: Conversation, *, on: bool = True) -> None:
        """Keep a conversation on top of the list, or no longer."""
        await self._set(conversation, SessionStateType.IS_TOP, on=on)
        self._link.keeper.put(lambda book: book.set_conversation(conversation, is_pinned=on))

    async def _set(self, conversation: Conversation, kind: SessionStateType, *, on: bool) -> None:
        payload = payloads.SessionStateModifyReq(version=0)
        state = payload.state.add(type=conversation.type, channelId=conversation.target_id, time=0)
        state.stateItem.add(sessionStateType=kind, value=str(int(on)))
        await self._link.query(Topic.SET_SE_ATT, None, payload, may_repeat=True)

    async def settings(self, *, since: int = 0) -> tuple[ConversationSettings, ...]:
        """What was set for conversations, of those changed after a time (operations 8)."""
        reply = await self._link.ask(
            Topic.PULL_SE_ATTS,
            None,
            payloads.SessionReq(time=since),
            payloads.SessionStates,
            may_repeat=True,
        )
        found = tuple(_settings(state) for state in reply.state if state.channelId)
        self._link.keeper.put(lambda book: _keep(book, found))
        return found

    # -- tags ------------------------------------------------------------------------

    async def make_tag(self, tag: str, name: str) -> None:
        """Create a tag, or name it anew (operations 8). Refused with 26004 for the 21st."""
        payload = payloads.SessionTagAddInput(version=0)
        payload.tags.add(tagId=tag, name=name)
        await self._link.query(Topic.ADD_SE_TAG, None, payload, may_repeat=True)

    async def remove_tag(self, tag: str) -> None:
        """Delete a tag and take it off all conversations."""
        payload = payloads.SessionTagDelInput(version=0)
        payload.tags.add(tagId=tag)
        await self._link.query(Topic.DEL_SE_TAG, None, payload)

    async def tag(self, tag: str, conversations: Iterable[Conversation]) -> None:
        """Attach a tag to conversations; Refused with 33100 if there is no such tag."""
        await self._tag(Topic.ADD_TAG, tag, conversations)

    async def untag(self, tag: str, conversations: Iterable[Conversation]) -> None:
        """Detach a tag from conversations."""
        await self._tag(Topic.DEL_TAG, tag, conversations)

    async def _tag(self, topic: Topic, tag: str, conversations: Iterable[Conversation]) -> None:
        payload = payloads.SessionStateModifyReq(version=0)
        for each in conversations:
            state = payload.state.add(type=each.type, channelId=each.target_id, time=0)
            item = state.stateItem.add(sessionStateType=SessionStateType.TAGS, value="")
            item.tags.add(tagId=tag)
        await self._link.query(topic, None, payload)


def _keep(book: Book, found: Iterable[ConversationSettings]) -> None:
    for each in found:
        book.set_conversation(each.conversation, is_muted=each.is_muted, is_pinned=each.is_pinned)


def _settings(state: payloads.SessionState) -> ConversationSettings:
    values = {item.sessionStateType: item for item in state.stateItem}
    silent, top = values.get(SessionStateType.IS_SILENT), values.get(SessionStateType.IS_TOP)
    tagged = values.get(SessionStateType.TAGS)
    return ConversationSettings(
        conversation=Conversation(type=conversation_type(state.type), target_id=state.channelId),
        is_muted=None if silent is None else silent.value not in ("0", "-1"),
        is_pinned=None if top is None else top.value == "1",
        tags=None if tagged is None else tuple(tag.tagId for tag in tagged.tags),
    )
