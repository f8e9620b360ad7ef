"""A program with our client library, on asyncio or trio."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
import anyio.lowlevel

import improto_client
from improto.codes import ConnectionStatus
from improto.config import Timing
from improto.contents import Typing
from improto.messages import Conversation
from improto.session import ClientSession
from improto_client import Growing, ImError
from tests.interop import translate
from tests.interop.party import (
    EXPANSION,
    GROUP,
    PATIENCE,
    SETTLING,
    TEXT,
    TYPING,
    Listed,
    Party,
    Place,
    Readers,
    Refused,
    RoomInfo,
    Sent,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from concurrent.futures import Future

    from anyio.abc import TaskStatus
    from anyio.from_thread import BlockingPortal

    from improto.contents import Content as Typed
    from improto_client import Im
    from improto_client.values import Reference
    from tests.interop.party import Content, Heard
    from tests.interop.server import ImServer

T = TypeVar("T")

LOOPS: Final = ("asyncio", "trio")

POLLING: Final = " polling"
"""Behind the name of a loop: by long polling."""

_RETRY: Final = Growing(first=0.2, longest=1.0)
_TIMING: Final = Timing(close=0.1)
"""Tests do not wait longer than they must, neither for a server that is away nor for one that keeps
a connection open which nobody uses any more."""


class Program(Party):
    """A client that lives on the loop of ``portal`` and keeps its session between connections.

    Whatever it does is done by a public function of the library.
    """

    im: Im

    def __init__(self, portal: BlockingPortal, loop: str, server: ImServer, user: str) -> None:
        super().__init__(user)
        self._portal = portal
        self._transport: Any = "polling" if loop.endswith(POLLING) else "websocket"
        self._server = server
        self._session = ClientSession()
        self._messages: list[Heard] = []
        self._known: dict[str, Reference] = {}
        """Messages by their uids, as the library has given them."""
        self._life: Future[None] | None = None
        self._news: anyio.Event

    def connect(self) -> None:
        if self._life is None:
            self._life, _ = self._portal.start_task(self._live)
        else:
            # It comes back by itself.
            self._portal.call(self._wait_until, lambda: self.im.status is _ONLINE)

    def disconnect(self) -> None:
        self._portal.call(self.im.disconnect)
        self._end()

    def wait_disconnected(self) -> None:
        """Wait for the end of the connection, whoever causes it."""
        self._portal.call(self._wait_until, lambda: self.im.status is not _ONLINE)
        if self.im.ended is not None:
            self._end()

    def leave(self) -> None:
        """Disconnect if connected."""
        if self._life is not None:
            self.disconnect()

    def call(self, function: Callable[..., Awaitable[T]], *arguments: Any, **options: Any) -> T:
        """Call a function of ``im``, or Refused with the code."""

        async def run() -> T:
            with anyio.fail_after(PATIENCE):
                return await function(*arguments, **options)

        try:
            return self._portal.call(run)
        except improto_client.Refused as refusal:
            raise Refused(refusal.code) from None

    def send_all(
        self,
        to: Place | str,
        contents: Sequence[Content],
        *,
        kind: str = TEXT,
        only: Sequence[str] = (),
        is_mentioning: bool = False,
        is_expandable: bool = False,
        is_status: bool = False,
    ) -> list[Sent]:
        typed = [translate.content(kind, content) for content in contents]
        # The library sees by itself what is a status, and whether somebody is mentioned.
        assert is_status == all(isinstance(content, Typing) for content in typed)
        assert is_mentioning == any(content.mentions is not None for content in typed)
        send = partial(
            self.im.messages.send,
            translate.conversation(to),
            only=only,
            is_expandable=is_expandable,
        )
        return [self._knows(message) for message in self.call(_send_all, send, typed)]

    def history(
        self, of: Place | str, *, time: int = 0, count: int, is_forward: bool = False
    ) -> tuple[list[Heard], bool]:
        where = translate.conversation(of)
        span = {"after": time} if is_forward else {"before": time}
        pages = self.im.messages.history(where, page=count, **span)
        found = self.call(pages.next_page)
        self._known |= {message.uid: message for message in found}
        heard = [translate.heard(message.raw) for message in found]
        return (heard if is_forward else heard[::-1]), pages.has_more

    def delete(self, of: Place | str, messages: Sequence[Heard]) -> None:
        self.call(self.im.messages.delete, [self._known[message.uid] for message in messages])

    def clear(self, of: Place | str, *, until: int) -> None:
        self.call(self.im.messages.clear, translate.conversation(of), until=until)

    def recall(self, message: Heard | Sent) -> Sent:
        return translate.sent(self.call(self.im.messages.recall, self._known[message.uid]))

    def expand(self, uid: str, pairs: Mapping[str, str]) -> None:
        self.call(self.im.messages.expand, self._known[uid], pairs)

    def remove_expansion(self, uid: str, keys: Sequence[str]) -> None:
        self.call(self.im.messages.remove_expansion, self._known[uid], keys)

    def take_expansions(self, count: int) -> list[tuple[str, Any]]:
        messages = self.take(count)
        assert {message.kind for message in messages} == {EXPANSION}
        changes = [message.content for message in messages]
        return [(change["mid"], change.get("put") or change.get("del")) for change in changes]

    def tell_read(self, message: Heard) -> None:
        self.call(self.im.messages.confirm, self._known[message.uid])

    def read_elsewhere(self, message: Heard) -> None:
        place = translate.conversation(message.conversation)
        self.call(self.im.conversations.mark_read, place, until=message.time)

    def report_read(self, group: str, uids: Sequence[str]) -> None:
        self.call(self.im.groups.confirm, [self._message(group, uid) for uid in uids])

    def readers(self, group: str, uid: str) -> Readers:
        answer = self.call(self.im.groups.readers, self._message(group, uid))
        return Readers(answer.members, [user for user, _ in answer.readers])

    def send_typing(self, to: Place | str) -> None:
        self.call(self.im.messages.typing, translate.conversation(to))

    def take_typing(self) -> tuple[str, str]:
        (news,) = self.take(1)
        assert (news.kind, news.content["typingContentType"]) == (TYPING, TEXT)
        return news.sender, news.conversation

    def conversations(self, count: int = 100) -> list[Listed]:
        listed = []
        for entry in self.call(self.im.conversations.list, count=count):
            assert entry.last is not None
            last = translate.heard(entry.last.raw)
            place = Place(entry.conversation.type, entry.conversation.target_id)
            listed.append(Listed(place=place, uid=last.uid, content=last.content))
        return listed

    def remove_conversation(self, of: Place | str) -> None:
        self.call(self.im.conversations.remove, translate.conversation(of))

    def make_tag(self, tag: str, name: str) -> None:
        self.call(self.im.conversations.make_tag, tag, name)

    def remove_tag(self, tag: str) -> None:
        self.call(self.im.conversations.remove_tag, tag)

    def tag(self, tag: str, places: Sequence[Place]) -> None:
        self.call(self.im.conversations.tag, tag, [translate.conversation(each) for each in places])

    def wait_until_tagged(self, tag: str, places: Sequence[Place]) -> None:
        # What is asked for is what the server knows now.
        settings = self.call(self.im.conversations.settings)
        tagged = {each.conversation for each in settings if tag in (each.tags or ())}
        assert tagged == {translate.conversation(each) for each in places}

    def join(self, room: str, *, count: int) -> None:
        self.call(self.im.chatrooms.join, room, history=max(count, 0))

    def quit(self, room: str) -> None:
        self.call(self.im.chatrooms.quit, room)

    def room_info(self, room: str, *, count: int) -> RoomInfo:
        info = self.call(self.im.chatrooms.info, room, count=count)
        return RoomInfo(total=info.total, members=[user for user, _ in info.members])

    def set_entry(
        self,
        room: str,
        key: str,
        value: str,
        *,
        force: bool = False,
        auto_delete: bool = False,
        is_told: bool = False,
    ) -> None:
        self.call(
            self.im.chatrooms.set_entry,
            room,
            key,
            value,
            force=force,
            auto_delete=auto_delete,
            is_told=is_told,
            extra="",
        )

    def remove_entry(self, room: str, key: str, *, force: bool = False) -> None:
        self.call(self.im.chatrooms.remove_entry, room, key, force=force)

    def entries(self, room: str) -> dict[str, str]:
        entries = self.call(self.im.chatrooms.entries, room)
        return {key: entry.value for key, entry in entries.items()}

    def mute(self, place: Place | str, *, is_muted: bool, is_top: bool) -> None:
        where = translate.conversation(place)
        self.call(self.im.conversations.mute, where, on=is_muted)
        self.call(self.im.conversations.pin, where, on=is_top)

    def settle(self) -> None:
        me = Conversation.private(self.user)
        for _ in range(SETTLING):
            self.call(self.im.messages.history(me, page=1).next_page)

    def heard(self, least: int = 0) -> list[Heard]:
        self._portal.call(self._wait_for, least)
        return self._messages.copy()

    def _end(self) -> None:
        assert self._life is not None
        self._life.result(PATIENCE)
        self._life = None

    def _message(self, group: str, uid: str) -> Reference:
        """A message of a group, even if this program has never seen it."""
        place = translate.conversation(Place(GROUP, group))
        return self._known.get(uid) or improto_client.Sent(conversation=place, uid=uid, time=0)

    def _knows(self, message: improto_client.Sent) -> Sent:
        self._known[message.uid] = message
        return translate.sent(message)

    async def _live(self, *, task_status: TaskStatus[None]) -> None:
        self._news = anyio.Event()
        is_in = False
        try:
            async with improto_client.connect(
                host=self._server.host,
                port=self._server.port,
                app_key=self._server.app_key,
                token=self._server.token(self.user),
                session=self._session,
                transport=self._transport,
                retry=_RETRY,
                timing=_TIMING,
            ) as self.im:
                is_in = True
                task_status.started()
                async for message in self.im.messages:
                    self._known[message.uid] = message
                    self._messages.append(translate.heard(message.raw))
                    self._news.set()
                    self._news = anyio.Event()
        except ImError:
            # How a connection has ended is in `im.ended`.
            if not is_in:
                raise

    async def _wait_for(self, count: int) -> None:
        with anyio.move_on_after(PATIENCE):
            while len(self._messages) < count:
                await self._news.wait()
        assert len(self._messages) >= count, (
            f"{self.user} has heard {len(self._messages)} of {count} messages"
        )

    async def _wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait for a status of the connection."""
        changes = self.im.statuses()
        with anyio.fail_after(PATIENCE):
            while not is_so():
                await anext(changes)


_ONLINE: Final = ConnectionStatus.CONNECTED


async def _send_all(
    send: Callable[[Typed], Awaitable[improto_client.Sent]], messages: Sequence[Typed]
) -> list[improto_client.Sent]:
    sent: list[improto_client.Sent | ImError | None] = [None] * len(messages)

    async def send_one(index: int) -> None:
        try:
            sent[index] = await send(messages[index])
        except ImError as refusal:
            sent[index] = refusal

    async with anyio.create_task_group() as tasks:
        for index in range(len(messages)):
            tasks.start_soon(send_one, index)
            # Without it trio would start them in any order.
            await anyio.lowlevel.checkpoint()
    for message in sent:
        if isinstance(message, ImError):
            raise message
    return [message for message in sent if isinstance(message, improto_client.Sent)]
