"""Messages: sending, receiving, history, and what can be done to them."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from improto import contents, payloads
from improto.codes import ConversationType, HistoryOrder
from improto.contents import (
    BaseContent,
    ExpansionChange,
    ReadReceipt,
    RecallCommand,
    Text,
    Typing,
    UpFlag,
)
from improto.errors import LocalProtocolError
from improto.messages import Conversation, compose
from improto.operations import Target, Topic, clean_topic, history_topic, operation
from improto_client.errors import Malformed
from improto_client.values import Message, Sent, mentioning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from improto.contents import Content
    from improto.messages import Outgoing
    from improto_client.link import Link
    from improto_client.receiving import Reader
    from improto_client.values import Reference

LARGEST_PAGE: Final = 100
"""Messages of history on one page (operations 5)."""

_SENT, _RECEIVED = 1, 2


class Messages:
    """``im.messages``. Iterate over it to receive everything.

    A message counts as taken when the next one is asked for, or when the client is closed in
    the normal way; until then it comes again after a crash. A program that wants only some, or
    has several tasks that read, uses :meth:`only` instead.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._reader: Reader | None = None

    # -- receiving -------------------------------------------------------------------

    def __aiter__(self) -> Reader:
        if self._reader is None:
            self._reader = self._link.readers.reader(_everything)
            self._link.readers.add(self._reader)
        return self._reader

    def only(
        self,
        *,
        conversation: Conversation | None = None,
        kinds: type[BaseContent] | tuple[type[BaseContent], ...] | None = None,
        where: Callable[[Message], bool] | None = None,
    ) -> Reader:
        """Messages of one conversation, of some kinds, or of which ``where`` is true.

        For ``async with ... as reader`` and then ``async for message in reader``. Without any
        argument it is everything, but for this block only.
        """

        def wants(message: Message) -> bool:
            return (
                (conversation is None or message.conversation == conversation)
                and (kinds is None or isinstance(message.content, kinds))
                and (where is None or where(message))
            )

        return self._link.readers.reader(wants)

    def settle(self) -> None:
        """The message that iteration gave last has been taken."""
        if self._reader is not None:
            self._reader.settle()

    # -- sending ---------------------------------------------------------------------

    async def send(
        self,
        to: Conversation | Message,
        content: str | Content,
        *,
        mention: Iterable[str] | str | None = None,
        only: Iterable[str] = (),
        is_silent: bool = False,
        is_expandable: bool = False,
        push_text: str | None = None,
    ) -> Sent:
        """Send a text or any content; returns when the server has stored it.

        ``to`` is a conversation, or a message to answer where it was said. ``mention`` is one
        user id, several, or :data:`improto_client.EVERYBODY`; ``only`` are the members of a group
        who shall get it; ``is_silent`` wakes nobody up; ``is_expandable`` allows :meth:`expand`.

        During an outage it waits, in its turn. Raises Refused, Malformed (too long, or no such
        conversation), Offline if requests are not to wait, or why there is no connection any
        more. Cancelling takes the message back if it was not sent yet.
        """
        conversation = to.conversation if isinstance(to, Message) else to
        content = Text(content) if isinstance(content, str) else content
        if mention is not None:
            if not isinstance(content, BaseContent):
                raise Malformed("bytes of an unknown kind cannot mention anybody")
            content = replace(content, mentions=mentioning(mention))
        flags = contents.flags(content)
        if is_silent:
            flags |= UpFlag.DISABLE_NOTIFICATION
        if is_expandable:
            flags |= UpFlag.EXPANDABLE
        return await self._send(
            conversation, content, flags=flags, receivers=tuple(only), push_text=push_text
        )

    async def _send(
        self,
        conversation: Conversation,
        content: Content,
        *,
        flags: int | None = None,
        receivers: tuple[str, ...] = (),
        push_text: str | None = None,
    ) -> Sent:
        answer = await self._link.publish(
            conversation,
            content,
            lambda unique_id: compose(
                conversation,
                content,
                flags=flags,
                receivers=receivers,
                push_text=push_text,
                unique_id=unique_id,
            ),
        )
        return Sent(conversation=conversation, uid=answer.uid, time=answer.timestamp)

    async def typing(self, to: Conversation, kind: type[BaseContent] = Text) -> None:
        """Show the others that this user is typing (messages 8.5). Never stored.

        Without a connection it is dropped. Raises Refused, or Malformed for conversations that
        know no typing.
        """
        content = Typing(kind.object_name)
        await self._link.publish_now(lambda: compose(to, content))

    async def recall(self, message: Reference) -> Sent:
        """Take back a message; the others see a notice in its place (messages 7).

        Refused with 25101 if it is not this user's own, too old, or not there.
        """
        command = RecallCommand(
            message_uid=message.uid,
            conversation_type=int(message.conversation.type),
            target_id=message.conversation.target_id,
            sent_time=message.time,
        )

        def make(unique_id: int) -> Outgoing:
            me = Conversation.private(self._link.user_id)
            outgoing = compose(me, command, flags=0, unique_id=unique_id)
            return replace(outgoing, topic=Topic.RECALL_MSG)

        answer = await self._link.publish(message.conversation, command, make)
        return Sent(conversation=message.conversation, uid=answer.uid, time=answer.timestamp)

    async def confirm(self, message: Message) -> None:
        """Tell the sender of a private message that it was read, and all before it (messages 8.1).

        Malformed for other conversations; groups have :meth:`.groups.Groups.confirm`.
        """
        if message.conversation.type != ConversationType.PRIVATE:
            raise Malformed("only private messages are confirmed one by one")
        receipt = ReadReceipt(last_message_send_time=message.time, message_uid=message.uid)
        await self._send(message.conversation, receipt)

    # -- expansion -------------------------------------------------------------------

    async def expand(self, message: Reference, pairs: Mapping[str, str]) -> None:
        """Attach pairs to a message that was sent with ``is_expandable`` (messages 8.6).

        Refused with 34008 if it was not, and with 34010 for too many pairs.
        """
        await self._send(message.conversation, ExpansionChange(message.uid, put=dict(pairs)))

    async def remove_expansion(self, message: Reference, keys: Iterable[str] | None = None) -> None:
        """Remove pairs with these keys, or all of them. Refused like :meth:`expand`."""
        if keys is None:
            change = ExpansionChange(message.uid, remove_all=True)
        else:
            change = ExpansionChange(message.uid, delete=tuple(keys))
        await self._send(message.conversation, change)

    # -- history ---------------------------------------------------------------------

    def history(
        self,
        conversation: Conversation,
        *,
        before: int = 0,
        after: int | None = None,
        page: int = 20,
    ) -> History:
        """What was said: newest first before a time, or oldest first after one.

        Iterate with ``async for``; pages of 1 to 100 messages are fetched as they are needed.
        ``before`` 0 is now, ``after`` 0 the beginning; both exclude their time. Malformed for a
        conversation without history or a page of another size; iterating raises Refused
        (33007, 22406, ...) and what every request raises.
        """
        if not 1 <= page <= LARGEST_PAGE:
            raise Malformed(f"a page has 1 to {LARGEST_PAGE} messages, not {page}")
        return History(self._link, conversation, before=before, after=after, page=page)

    async def delete(self, messages: Iterable[Reference]) -> None:
        """Hide messages of one conversation from this user (operations 6).

        Malformed if there are none, or of several conversations.
        """
        chosen = list(messages)
        places = {message.conversation for message in chosen}
        if len(places) != 1:
            raise Malformed("messages of exactly one conversation are deleted at a time")
        (place,) = places
        payload = payloads.DeleteMsgInput(type=place.type, conversationId=place.target_id)
        for message in chosen:
            is_mine = isinstance(message, Sent) or message.is_mine
            payload.msgs.add(
                msgId=message.uid,
                msgDataTime=message.time,
                direct=_SENT if is_mine else _RECEIVED,
            )
        await self._link.query(Topic.DEL_MSG, None, payload, may_repeat=True)
        uids = [message.uid for message in chosen]
        self._link.keeper.put(lambda book: book.forget_all(uids))

    async def clear(self, conversation: Conversation, *, until: int) -> None:
        """Hide all messages up to and including a time from this user (operations 6).

        Refused with 34011 for a time that has not come yet.
        """
        topic = _of(clean_topic, conversation)
        target = None if operation(topic).target is Target.SELF else conversation.target_id
        payload = payloads.CleanHisMsgInput(targetId=conversation.target_id, dataTime=until)
        await self._link.query(topic, target, payload, may_repeat=True)
        self._link.keeper.put(lambda book: book.clear(conversation, until=until))


class History:
    """The iterator of :meth:`Messages.history`."""

    def __init__(
        self,
        link: Link,
        conversation: Conversation,
        *,
        before: int,
        after: int | None,
        page: int,
    ) -> None:
        self.has_more = True
        """The server has more than what was fetched so far."""
        self._link = link
        self._conversation = conversation
        self._topic = _of(history_topic, conversation)
        self._is_forward = after is not None
        self._time = before if after is None else after
        self._page = page
        self._fetched: deque[Message] = deque()

    def __aiter__(self) -> History:
        return self

    async def __anext__(self) -> Message:
        while not self._fetched:
            if not self.has_more:
                raise StopAsyncIteration
            self._fetched.extend(await self.next_page())
        return self._fetched.popleft()

    async def next_page(self) -> list[Message]:
        """The next page, in the order of the iteration; empty at the end."""
        is_own = operation(self._topic).target is Target.SELF
        reply = await self._link.ask(
            self._topic,
            None if is_own else self._conversation.target_id,
            payloads.HistoryMsgInput(
                targetId=self._conversation.target_id,
                time=self._time,
                count=self._page,
                order=HistoryOrder.OLDEST_FIRST if self._is_forward else HistoryOrder.NEWEST_FIRST,
            ),
            payloads.HistoryMsgOuput,
            may_repeat=True,
        )
        # A server that does not go on must not be asked for ever.
        self.has_more = bool(reply.hasMsg) and reply.syncTime != self._time
        self._time = reply.syncTime
        # Newest first for both orders (operations 5).
        found = [self._link.read(down, self._conversation) for down in reply.list]
        return found[::-1] if self._is_forward else found


def _everything(message: Message) -> bool:
    return True


def _of(table: Callable[[ConversationType], Topic], conversation: Conversation) -> Topic:
    """The topic of a conversation; Malformed if there is none."""
    try:
        return table(ConversationType(conversation.type))
    except (LocalProtocolError, ValueError) as error:
        raise Malformed(str(error)) from error
