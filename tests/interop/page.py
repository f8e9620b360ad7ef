"""A page with an SDK in it and a user in front of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import anyio

from tests.interop.party import (
    CHATROOM,
    PATIENCE,
    SETTLING,
    TEXT,
    Heard,
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

    from anyio.from_thread import BlockingPortal
    from playwright import async_api

    from tests.interop.party import Content
    from tests.interop.sdk import Sdk, Status
    from tests.interop.server import ImServer

T = TypeVar("T")

THIS_MACHINE: Final = ("127.0.0.1", "localhost")
"""All that a page can reach, by the names it may use."""

_POLLING: Final = 10.0
"""Milliseconds between two looks at a condition."""


class Page(Party):
    """A page. ``im`` in its scripts is described in ``pages/imlib-v2.js``."""

    def __init__(
        self,
        portal: BlockingPortal,
        page: async_api.Page,
        sdk: Sdk,
        url: str,
        server: ImServer,
        user: str,
    ) -> None:
        super().__init__(user)
        self.sdk = sdk
        self.sockets = 0
        """How many WebSockets it has opened."""
        self._portal = portal
        self._page = page
        self._url = url
        self._server = server
        self._console: list[str] = []
        self.mistakes: list[str] = []
        """Exceptions that nobody has caught."""
        self.attempts: list[str] = []
        """The addresses of requests to other machines, none of which has left this one."""
        self.is_changed = False
        """It is no page as others are; nothing else is to be loaded in its tab."""
        self._listeners: dict[Any, Callable[[Any], None]] = {
            "console": lambda message: self._console.append(message.text),
            "pageerror": lambda error: self.mistakes.append(f"exception: {error}"),
            "request": lambda request: self._note_address(request.url),
            "websocket": self._note_socket,
        }

    def listen(self) -> None:
        """Notice what the page does, from now on."""
        for event, listener in self._listeners.items():
            self._portal.call(self._page.on, event, listener)

    def leave(self) -> None:
        """Notice nothing more."""
        for event, listener in self._listeners.items():
            self._portal.call(self._page.remove_listener, event, listener)

    def open(self) -> None:
        """Load the SDK, anew if it is there already, and tell it where the server is."""
        self._taken = 0
        self._run(lambda: self._page.goto(self._url))
        self.script("(k, n) => im.init(k, n)", self._server.app_key, self._server.navigation)

    def log_in(self, token: str) -> Any:
        """What the SDK says to an attempt to connect: ``result`` or ``error``."""
        return self.script("token => im.connect(token)", token)

    def connect(self) -> None:
        answer = self.log_in(self._server.token(self.user))
        assert answer == {"result": [self.user]}, self.report()

    def disconnect(self) -> None:
        self.script("() => im.disconnect()")

    def register(self, kind: str, properties: Sequence[str], *, is_kept: bool = True) -> None:
        name = kind.replace(":", "_")
        self.script("(...all) => im.register(...all)", name, kind, properties, is_kept)

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
        how = {
            "userIds": only,
            "isMentioning": is_mentioning,
            "isExpandable": is_expandable,
            "isStatus": is_status,
        }
        answers = self.script("(...all) => im.sendAll(...all)", Place.of(to), kind, contents, how)
        messages = [_heard(_result(answer)[0]) for answer in answers]
        return [Sent(uid=message.uid, time=message.time) for message in messages]

    def expand(self, uid: str, pairs: Mapping[str, str]) -> None:
        self.ask("expand", uid, pairs)

    def remove_expansion(self, uid: str, keys: Sequence[str]) -> None:
        self.ask("removeExpansion", uid, keys)

    def take_expansions(self, count: int) -> list[tuple[str, Any]]:
        self.wait_for(f"expansions.length >= {count}")
        return [tuple(each) for each in self.script("n => im.expansions.splice(0, n)", count)]

    def answer_receipts(self, of: Place) -> None:
        """Answer all who have asked whether they are read."""
        self.ask("answerReceipts", of)

    def receipts(self, least: int) -> list[dict[str, int]]:
        """How many have read which message, each time that the SDK has said it."""
        self.wait_for(f"receipts.length >= {least}")
        receipts: list[dict[str, int]] = self.script("() => im.receipts")
        return receipts

    def report_read(self, group: str, uids: Sequence[str]) -> None:
        self.ask("reportRead", group, uids)

    def readers(self, group: str, uid: str) -> Readers:
        (answer,) = self.ask("readers", group, uid)
        return Readers(answer["totalMemberCount"], [each["userId"] for each in answer["list"]])

    def send_typing(self, to: Place | str) -> None:
        self.script("to => im.sendTyping(to)", Place.of(to))

    def take_typing(self) -> tuple[str, str]:
        self.wait_for("typing.length > 0")
        user, conversation, kind = self.script("() => im.typing.shift()")
        assert kind == TEXT
        return user, conversation

    def history(
        self, of: Place | str, *, time: int = 0, count: int, is_forward: bool = False
    ) -> tuple[list[Heard], bool]:
        place = Place.of(of)
        if place.type == CHATROOM:
            page = self.ask("roomHistory", place.id, time, count, int(is_forward))
        else:
            page = self.ask("history", place, time, count, int(is_forward))
        messages, has_more = page
        return [_heard(message) for message in messages], has_more

    def delete(self, of: Place | str, messages: Sequence[Heard]) -> None:
        self.ask("delete", Place.of(of), [message.uid for message in messages])

    def clear(self, of: Place | str, *, until: int) -> None:
        self.ask("clear", Place.of(of), until)

    def recall(self, message: Heard | Sent) -> Sent:
        (notice,) = self.ask("recall", message.uid)
        return Sent(uid=notice["uid"], time=notice["time"])

    def conversations(self, count: int = 100) -> list[Listed]:
        (listed,) = self.ask("conversations", count)
        return [
            Listed(
                place=Place(entry["type"], entry["id"]), uid=entry["uid"], content=entry["content"]
            )
            for entry in listed
        ]

    def unread(self, of: Place | str) -> int:
        """How many messages of a conversation the SDK counts as unread."""
        (count,) = self.ask("unread", Place.of(of))
        return int(count)

    def total_unread(self) -> int:
        """How many messages the SDK counts as unread."""
        (count,) = self.ask("totalUnread")
        return int(count)

    def remove_conversation(self, of: Place | str) -> None:
        self.ask("removeConversation", Place.of(of))

    def make_tag(self, tag: str, name: str) -> None:
        self.ask("makeTag", tag, name)

    def remove_tag(self, tag: str) -> None:
        self.ask("removeTag", tag)

    def tag(self, tag: str, places: Sequence[Place]) -> None:
        self.ask("tag", tag, places)

    def wait_until_tagged(self, tag: str, places: Sequence[Place]) -> None:
        self._wait_until("([tag, places]) => im.isTagged(tag, places)", tag, places)

    def join(self, room: str, *, count: int) -> None:
        self.ask("join", room, count)

    def quit(self, room: str) -> None:
        self.ask("quit", room)

    def room_info(self, room: str, *, count: int) -> RoomInfo:
        (info,) = self.ask("roomInfo", room, count)
        return RoomInfo(**info)

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
        self.ask("setEntry", room, key, value, force, auto_delete, is_told)

    def remove_entry(self, room: str, key: str, *, force: bool = False) -> None:
        self.ask("removeEntry", room, key, force)

    def entries(self, room: str) -> dict[str, str]:
        entries, *_ = self.ask("entries", room)
        return dict(entries)

    def mute(self, place: Place | str, *, is_muted: bool, is_top: bool) -> None:
        self.ask("setStatus", Place.of(place), is_muted, is_top)

    def shown(self, place: Place | str) -> Any:
        """How the SDK says a conversation is to be shown: ``isTop`` and ``isMuted``."""
        (status,) = self.ask("status", Place.of(place))
        return status

    def wait_until_shown(self, place: Place | str, status: Mapping[str, bool]) -> None:
        """Wait until the SDK says so."""
        self._wait_until("([place, wanted]) => im.isShown(place, wanted)", Place.of(place), status)

    def ask(self, name: str, *arguments: Any) -> Any:
        """Ask the SDK something; what its callback gets, or Refused with the code."""
        return _result(self.script(f"(...all) => im.{name}(...all)", *arguments))

    def settle(self) -> None:
        for _ in range(SETTLING):
            self.history(self.user, count=1)

    def heard(self, least: int = 0) -> list[Heard]:
        try:
            self.wait_for(f"messages.length >= {least}")
        except AssertionError as error:
            count = self.script("() => im.messages.length")
            raise AssertionError(f"{error}; there are {count}") from None
        return [_heard(message) for message in self.script("() => im.messages")]

    @property
    def statuses(self) -> list[Status]:
        """All statuses of the connection so far."""
        statuses: list[Status] = self.script("() => im.statuses")
        return statuses

    def wait_for(self, condition: str) -> None:
        """Wait for something about what the SDK has told: ``messages``, ``statuses`` ..."""
        names = "{ messages, statuses, typing, expansions, receipts, events }"
        script = f"() => {{ const {names} = im; return {condition}; }}"
        self._run(lambda: self._page.wait_for_function(script, polling=_POLLING), condition)

    def wait_lost(self) -> None:
        """Wait until the SDK says that it has lost its connection."""
        self._wait_until("([on]) => im.statuses.at(-1) !== on", self.sdk.connected[-1])

    def wait_back(self) -> None:
        """Wait until the SDK says that it is connected, again."""
        self._wait_until("([on]) => im.statuses.at(-1) === on", self.sdk.connected[-1])

    def hold_clock(self) -> None:
        """From now on the page has a clock that :meth:`pass_time` can turn."""
        self.is_changed = True
        self._run(self._page.clock.install)

    def stop_clock(self) -> None:
        """Let no time pass in the page, once its clock is held."""
        self._run(lambda: self._page.clock.pause_at(time.time() + 1))

    def answer_others(self, status: int) -> None:
        """Answer, with this status and nothing else, whatever the page asks of other machines."""

        async def answer(route: async_api.Route) -> None:
            await route.fulfill(status=status, headers={"access-control-allow-origin": "*"})

        def is_outside(url: str) -> bool:
            return urlsplit(url).hostname not in (*THIS_MACHINE, None)

        self.is_changed = True
        self._run(lambda: self._page.route(is_outside, answer))

    def pass_time(self, seconds: float) -> None:
        """Let time pass in the page, and everything happen that waits for it to pass."""
        self._run(lambda: self._page.clock.run_for(round(seconds * 1000)))

    def script(self, function: str, *arguments: Any) -> Any:
        """Call a function in the page and wait for what its promise gives."""
        call = f"all => ({function})(...all)"
        return self._run(lambda: self._page.evaluate(call, arguments), function)

    def report(self) -> str:
        """What is good to know when a test has failed."""
        title = f"what the page of {self.user} with {self.sdk.name} has said:"
        return "\n  ".join([title, *self.mistakes, *self.attempts, *self._console[-20:]])

    def _wait_until(self, script: str, *arguments: Any) -> None:
        self._run(
            lambda: self._page.wait_for_function(script, arg=arguments, polling=_POLLING), script
        )

    def _run(self, start: Callable[[], Awaitable[T]], what: str = "the page") -> T:
        async def run() -> T:
            with anyio.fail_after(PATIENCE):
                return await start()

        try:
            return self._portal.call(run)
        except TimeoutError:
            raise AssertionError(f"{self.user} waits in vain for: {what}") from None

    def _note_address(self, url: str) -> None:
        if urlsplit(url).hostname not in (*THIS_MACHINE, None):
            self.attempts.append(url)

    def _note_socket(self, socket: async_api.WebSocket) -> None:
        self.sockets += 1
        self._note_address(socket.url)


def _heard(message: dict[str, Any]) -> Heard:
    is_offline, is_mine = message.pop("isOffline"), message.pop("isMine")
    return Heard(is_offline=is_offline, is_mine=is_mine, **message)


def _result(answer: dict[str, Any]) -> Any:
    if "error" in answer:
        raise Refused(answer["error"])
    return answer["result"]
