"""What this client has kept itself: messages, conversations, drafts, rooms; and searching them.

Nothing here asks the server or tells it anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from improto import contents
from improto.config import CONTENT_BYTES
from improto.contents import Text
from improto.errors import EncodeError
from improto.frames import TimeMs
from improto.messages import ChatMessage, MessageDirection
from improto_client.chatrooms import Entry
from improto_client.errors import Malformed
from improto_client.store.base import ReceivedStatus, Record, SentStatus
from improto_client.values import read_message
from improto_client.words import SEARCHED, clean, searched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from improto.contents import Content
    from improto.messages import Conversation
    from improto_client.book import Book
    from improto_client.link import Link
    from improto_client.store.base import ConversationRecord
    from improto_client.values import Message

S = TypeVar("S", ReceivedStatus, SentStatus)

LARGEST_PAGE: Final = 1000
"""Messages or conversations of one answer. Ours, as for lists of the server (operations 7)."""

LONGEST_NOTE: Final = 65_536
"""Characters of a draft or a note. Ours; a message has up to 131072 bytes (wire 7)."""

LONGEST_SEARCH: Final = 200
"""Characters of a text to search for. Ours."""

LARGEST_NUMBER: Final = 2**62
"""No time and no count is larger. Ours; every store can keep it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMessage:
    """A message of the local store."""

    id: int
    """Its number in this store; messages without a uid are named by it."""
    message: Message
    received: ReceivedStatus
    """What the user has done with it (messages 3.5)."""
    sent: SentStatus | None
    """What has become of an own message; None for others'."""
    extra: str
    """The program's own note."""

    @property
    def text(self) -> str | None:
        """What a text message says; None for every other kind."""
        return self.message.text

    @property
    def uid(self) -> str:
        """Empty for what the server does not know, or not yet."""
        return self.message.uid


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalConversation:
    """A conversation of the local store."""

    conversation: Conversation
    last: LocalMessage | None
    """Its newest message."""
    unread: int
    """Counted messages of others that have come since it was read (messages 11)."""
    draft: str
    is_pinned: bool
    """As far as this client knows; `im.conversations.settings` asks."""
    is_muted: bool
    read_time: int
    """The user has read everything up to this time; 0: nothing."""


class Local:
    """``im.local``. All methods raise StoreError if the store fails, and Malformed for arguments
    that do not fit.

    ``key`` names a message: its uid, or its number in the store. Numbers are at most 2**62,
    lists at most 1000 long.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._keeper = link.keeper

    # -- messages --------------------------------------------------------------------

    async def messages(
        self, conversation: Conversation, *, before: LocalMessage | None = None, count: int = 20
    ) -> list[LocalMessage]:
        """The newest messages of a conversation, newest first; with ``before`` earlier ones."""
        _check_count(count)
        place = None if before is None else (before.message.time, before.id)
        return await self._keeper.do(
            lambda book: self._all(book, book.store.page(conversation, before=place, count=count))
        )

    async def get(self, key: str | int) -> LocalMessage | None:
        """One message; None if it is not here."""

        def find(book: Book) -> LocalMessage | None:
            record = _find(book, key)
            return None if record is None else self._all(book, [record])[0]

        return await self._keeper.do(find)

    async def search(
        self,
        text: str,
        *,
        conversation: Conversation | None = None,
        sender: str | None = None,
        since: int = 0,
        count: int = 50,
    ) -> list[LocalMessage]:
        """Messages that have this text somewhere in them, newest first.

        In whatever script, from one character up to 200; upper and lower case are the same. Looked
        into are the first 4000 characters of texts, titles and names, or what
        :meth:`set_search_text` has set. ``since`` is the earliest time.
        """
        if not 1 <= len(text) <= LONGEST_SEARCH:
            raise Malformed(f"text must be 1 to {LONGEST_SEARCH} characters, not {len(text)}")
        _check_count(count)
        _check_number("since", since)
        return await self._keeper.do(
            lambda book: self._all(
                book,
                book.store.search(
                    clean(text),
                    conversation=conversation,
                    sender_id=sender,
                    since=since,
                    count=count,
                ),
            )
        )

    async def insert(
        self,
        conversation: Conversation,
        content: str | Content,
        *,
        sender: str | None = None,
        time: int | None = None,
        extra: str = "",
    ) -> LocalMessage:
        """Add a message that only this client knows, by default from the user himself, now."""
        content = Text(content) if isinstance(content, str) else content
        time = self._link.now() if time is None else time
        _check_number("time", time)
        _check_text("extra", extra)
        is_mine = sender in (None, self._link.user_id)
        raw = ChatMessage(
            conversation=conversation,
            sender_id=sender or self._link.user_id,
            direction=MessageDirection.SENT if is_mine else MessageDirection.RECEIVED,
            object_name=content.object_name,
            content=_encoded(content),
            uid=None,
            time=TimeMs(time),
        )
        record = Record(
            raw=raw,
            received=ReceivedStatus.READ,
            sent=SentStatus.SENT if is_mine else None,
            text=searched(content),
            extra=extra,
        )

        def add(book: Book) -> LocalMessage:
            book.insert(record)
            return self._read(record, peer_read_time=0)

        return await self._keeper.do(add)

    async def update(self, key: str | int, content: str | Content) -> None:
        """Give a message another content, here only. Malformed if it is not here."""
        content = Text(content) if isinstance(content, str) else content
        data = _encoded(content)

        def change(record: Record) -> Record:
            raw = replace(record.raw, object_name=content.object_name, content=data)
            return replace(record, raw=raw, text=searched(content))

        await self._change(key, change)

    async def set_search_text(self, key: str | int, text: str) -> None:
        """Say what searches find a message by, up to 4000 characters. Malformed: not here."""
        if len(text) > SEARCHED:
            raise Malformed(f"text may have {SEARCHED} characters, not {len(text)}")
        await self._change(key, lambda record: replace(record, text=clean(text)))

    async def set_extra(self, key: str | int, extra: str) -> None:
        """Attach a note of the program's own. Malformed if the message is not here."""
        _check_text("extra", extra)
        await self._change(key, lambda record: replace(record, extra=extra))

    async def set_received(self, key: str | int, status: ReceivedStatus) -> None:
        """Add to what the user has done with a message, which is not unread then.

        Malformed if it is not here.
        """
        status = _status(ReceivedStatus, status)
        await self._with(key, lambda book, record: book.received(record, status))

    async def set_sent(self, key: str | int, status: SentStatus) -> None:
        """Say what has become of an own message. Malformed if it is not here, or not own."""
        status = _status(SentStatus, status)

        def change(record: Record) -> Record:
            if record.sent is None:
                raise Malformed("only own messages have a sent status")
            return replace(record, sent=status)

        await self._change(key, change)

    async def delete(self, keys: Iterable[str | int]) -> None:
        """Forget messages, here only; those that are not here are passed over."""
        chosen = list(keys)

        def forget(book: Book) -> None:
            for key in chosen:
                record = _find(book, key)
                if record is not None:
                    book.forget(record)

        await self._keeper.do(forget)

    async def clear(
        self, conversation: Conversation | None = None, *, until: int | None = None
    ) -> None:
        """Forget the messages of a conversation, or of all, up to and including a time.

        What no reader has taken yet stays, and what is under way to the server.
        """
        if until is not None:
            _check_number("until", until)
        await self._keeper.do(lambda book: book.clear(conversation, until=until))

    # -- conversations ---------------------------------------------------------------

    async def conversations(self, *, count: int = 100, before: int = 0) -> list[LocalConversation]:
        """The list, the newest first; with ``before`` those that were quiet since that time."""
        _check_count(count)
        _check_number("before", before)
        return await self._keeper.do(
            lambda book: [
                self._conversation(book, found)
                for found in book.store.conversations(count=count, before=before)
            ]
        )

    async def conversation(self, conversation: Conversation) -> LocalConversation:
        """One conversation, on the list or not."""
        return await self._keeper.do(
            lambda book: self._conversation(book, book.conversation(conversation))
        )

    async def remove(self, conversation: Conversation) -> None:
        """Take a conversation off the list until its next message; its messages stay."""
        await self._keeper.do(lambda book: book.unlist(conversation))

    async def draft(self, conversation: Conversation) -> str:
        """What the user has begun to write; empty if nothing."""
        return await self._keeper.do(lambda book: book.conversation(conversation).draft)

    async def set_draft(self, conversation: Conversation, text: str) -> None:
        """Keep what the user has begun to write, up to 65536 characters."""
        _check_text("draft", text)
        await self._keeper.do(lambda book: book.set_conversation(conversation, draft=text))

    async def unread(self, *conversations: Conversation) -> int:
        """Unread messages of these conversations together, or of all."""

        def add_up(book: Book) -> int:
            if not conversations:
                return book.store.unread()
            return sum(book.conversation(each).unread for each in conversations)

        return await self._keeper.do(add_up)

    async def set_unread(self, conversation: Conversation, count: int) -> None:
        """Set the number of unread messages to something else."""
        _check_number("count", count)
        await self._keeper.do(lambda book: book.set_conversation(conversation, unread=count))

    async def mark_read(self, conversation: Conversation, *, until: int | None = None) -> None:
        """The user has read everything, or everything up to a time. Other devices are told by
        `im.conversations.mark_read`."""
        if until is not None:
            _check_number("until", until)

        def read(book: Book) -> None:
            time = book.conversation(conversation).time if until is None else until
            book.read(conversation, until=time)

        await self._keeper.do(read)

    # -- rooms -----------------------------------------------------------------------

    async def entries(self, room_id: str) -> dict[str, Entry]:
        """Keys and values of a chatroom, as far as this client has seen them."""
        return await self._keeper.do(
            lambda book: {
                key: Entry(value=kept.value, owner_id=kept.owner_id, time=kept.time)
                for key, kept in book.entries(room_id).items()
            }
        )

    # -- inside ----------------------------------------------------------------------

    async def _with(self, key: str | int, use: Callable[[Book, Record], None]) -> None:
        def find_and_use(book: Book) -> None:
            record = _find(book, key)
            if record is None:
                raise Malformed(f"message {key!r} is not in the store")
            use(book, record)

        await self._keeper.do(find_and_use)

    async def _change(self, key: str | int, change: Callable[[Record], Record]) -> None:
        await self._with(key, lambda book, record: book.store.change(change(record)))

    def _all(self, book: Book, records: Iterable[Record]) -> list[LocalMessage]:
        times: dict[Conversation, int] = {}
        found = []
        for record in records:
            place = record.raw.conversation
            if place not in times:
                times[place] = book.conversation(place).peer_read_time
            found.append(self._read(record, peer_read_time=times[place]))
        return found

    def _read(self, record: Record, *, peer_read_time: int) -> LocalMessage:
        sent = record.sent
        if sent is SentStatus.SENT and record.raw.time <= peer_read_time:
            sent = SentStatus.READ
        return LocalMessage(
            id=record.id,
            message=read_message(record.raw, registry=self._link.registry),
            received=record.received,
            sent=sent,
            extra=record.extra,
        )

    def _conversation(self, book: Book, found: ConversationRecord) -> LocalConversation:
        newest = self._all(book, book.store.page(found.conversation, before=None, count=1))
        return LocalConversation(
            conversation=found.conversation,
            last=newest[0] if newest else None,
            unread=found.unread,
            draft=found.draft,
            is_pinned=found.is_pinned,
            is_muted=found.is_muted,
            read_time=found.read_time,
        )


def _find(book: Book, key: str | int) -> Record | None:
    """A kept message by its uid or number."""
    record = book.store.message(key) if isinstance(key, int) else book.store.by_uid(key)
    return record if record is not None and record.is_kept else None


def _encoded(content: Content) -> bytes:
    try:
        data = contents.encode(content)
    except EncodeError as error:
        raise Malformed(str(error)) from error
    if len(data) > CONTENT_BYTES:
        raise Malformed(f"content: {len(data)} bytes, the limit is {CONTENT_BYTES}")
    return data


def _status(kind: type[S], value: int) -> S:
    try:
        return kind(value)
    except ValueError as error:
        raise Malformed(f"status: {error}") from error


def _check_count(count: int) -> None:
    if not 1 <= count <= LARGEST_PAGE:
        raise Malformed(f"count must be 1 to {LARGEST_PAGE}, not {count}")


def _check_number(name: str, number: int) -> None:
    if not 0 <= number <= LARGEST_NUMBER:
        raise Malformed(f"{name} must be 0 to {LARGEST_NUMBER}, not {number}")


def _check_text(name: str, text: str) -> None:
    if len(text) > LONGEST_NOTE:
        raise Malformed(f"{name} may have {LONGEST_NOTE} characters, not {len(text)}")
