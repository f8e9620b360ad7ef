"""Golden vectors of SDK 5: what an unmodified page and our server say to each other, written down.

    python -m tools.record_vectors

It needs Chromium and npm, as ``make interop`` does, and writes tests/vectors/sdk5.jsonl. What is
said is in :mod:`tools.recorded_scenes` and :mod:`tools.recorded_people`. Rules:

* Messages are noted whole, as the browser sends and gets them.
* A request is named after the function that was called and its topic, and is kept once. What
  the SDK asks by itself is named after ``connect``.
* A reply is kept if the function was content with it; of several the longest that is not long.
* A payload has to be what the operation table says, with no unknown field and none missing.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from anyio.from_thread import start_blocking_portal
from playwright.async_api import Error

from improto import codec, payloads
from improto.errors import DecodeError
from improto.frames import (
    ConnAck,
    Delivery,
    Frame,
    MessageId,
    ProtocolVersion,
    PubAck,
    Publish,
    Qos,
    Query,
    QueryAck,
    Role,
)
from improto.http import HttpRequest
from improto.login import Login
from improto.operations import Signal, Topic, find
from tests.interop import sdk as sdks
from tests.interop.browser import Browser, find_chromium
from tests.interop.next_page import NextPage
from tests.interop.party import Refused
from tests.interop.server import ImServer
from tests.interop.website import serve_pages
from tools.layout import TESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from anyio.from_thread import BlockingPortal
    from playwright import async_api

    from improto.payloads import Message

FILE: Final = TESTS / "vectors" / "sdk5.jsonl"
SDK: Final = sdks.IMLIB_5_38_0

CONNECT: Final = "connect"
EVENT: Final = "event"
"""Nothing is being called: what is asked now is asked because of something that was told."""
JOIN: Final = "joinChatRoom"
_BY_ITSELF: Final = {
    Topic.PULL_MSG: CONNECT,
    Topic.PULL_EVENT_CHANGE: CONNECT,
    Topic.PULL_MODIFY_MSG: CONNECT,
    Topic.PULL_SE: CONNECT,
    Topic.PULL_SE_ATTS: CONNECT,
    Topic.PULL_SUB_DATA: CONNECT,
    Topic.PULL_UG_MSG: CONNECT,
    Topic.PULL_UG_SES: CONNECT,
    Topic.PULL_US: CONNECT,
    Topic.PULL_USER_SUB: CONNECT,
    Topic.QRY_MSG_CHANGE: CONNECT,
    Topic.CHRM_PULL: JOIN,
    Topic.PULL_KV: JOIN,
}
"""What the SDK asks when it starts, or in a room, and whenever the server says that something is
new."""

_PAUSE: Final = 0.15
"""Seconds after a call in which what it has caused belongs to it."""
_LONG: Final = 700
"""Bytes of a reply; a longer one says no more than one of this length."""

_NAMES: Final = {
    "user_id": "userId",
    "session_id": "sessionId",
    "target_id": "targetId",
    "message_id": "messageId",
    "uid": "messageUId",
    "is_sync": "dup",
}
_UNNAMED: Final = frozenset({"protocol_version"})

_OF_SDK_5: Final = (payloads.ChrmDownStreamMessages, payloads.SubDataDetail)
"""What it reads where the others read something else, alike on the wire."""

Vector = dict[str, Any]
T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """A function that is being called."""

    function: str
    is_refused: bool = False


class Noted(NamedTuple):
    """A message, and what was being called when it was on its way."""

    call: Call
    sender: Role
    message: bytes


class RecordedPage(NextPage):
    """A page whose messages are noted. Where a function is refused, that is noted as well."""

    now_called = Call(EVENT)
    navigation: Mapping[str, Any] = {}
    """What navigation is made to say besides, so that the SDK has functions our server lacks."""
    answers: Mapping[str, Message] = {}
    """What is answered in the server's place, for topics without whose data the SDK does not go
    on. These answers are not recorded."""

    def open(self) -> None:
        self.noted: list[Noted] = []
        self.requests: list[Vector] = []
        self.is_changed = True
        self._portal.call(self._page.on, "request", self._note_request)
        self._run(lambda: self._page.route("**/v2/navi.json*", self._navigate))
        self._run(lambda: self._page.route_web_socket("**/websocket?*", self._stand_between))
        super().open()

    def connect(self) -> None:
        """Connect; what is asked for meanwhile is named after it."""
        self.during(CONNECT, super().connect)

    def settle(self) -> None:
        """Without asking for anything."""
        time.sleep(_PAUSE)

    def do(self, name: str, *arguments: Any, label: str = "") -> Any:
        """Call a function; its data, or None if it is refused. ``label`` tells calls of one
        function apart."""
        return self.during(f"{name}{label}", lambda: self.call(name, *arguments))

    def run(self, name: str, script: str, *arguments: Any) -> Any:
        """The same for what wants more than values; ``lib`` is the SDK in the script."""
        whole = f"async (...all) => {{ const lib = await import('@rongcloud/imlib-next'); \
const answer = await ({script})(...all); return JSON.parse(JSON.stringify(answer ?? null)); }}"
        return self.during(name, lambda: self._checked(self.script(whole, *arguments)))

    def _checked(self, answer: Any) -> Any:
        code = answer["code"] if isinstance(answer, dict) else 0
        if code != 0:
            raise Refused(code)
        return answer

    def during(self, function: str, call: Callable[[], T]) -> T | None:
        """What is said during a call, and a moment longer, is said because of ``function``."""
        self.now_called = Call(function)
        try:
            return call()
        except (Refused, Error) as refusal:
            self.now_called.is_refused = True
            print(f"  {self.user}: {function}: {str(refusal).splitlines()[0]}", file=sys.stderr)
            return None
        finally:
            time.sleep(_PAUSE)
            self.now_called = Call(EVENT)

    def push(self, topic: Topic, message: Message) -> None:
        """Tell the page something in the server's place."""
        delivery = Delivery(
            date=int(time.time()),
            topic=topic,
            target_id=self.user,
            message_id=MessageId(0),
            data=payloads.encode(message),
            qos=Qos.AT_MOST_ONCE,
        )
        self._portal.call(self._socket.send, codec.encode(delivery))

    def _stand_between(self, page: async_api.WebSocketRoute) -> None:
        self.requests.append({"method": "GET", "target": _target(page.url)})
        login = Login.from_query(HttpRequest(**self.requests[-1]).query)
        self.protocol = login.protocol_version
        self._socket = page
        server = page.connect_to_server()

        def sent(message: str | bytes) -> None:
            frame = self._note(Role.CLIENT, message)
            answer = self.answers.get(frame.topic) if isinstance(frame, Query) else None
            if answer is None:
                server.send(message)
                return
            assert isinstance(frame, Query)
            date, data = int(time.time()), payloads.encode(answer)
            reply = QueryAck(message_id=frame.message_id, date=date, status=0, data=data)
            page.send(codec.encode(reply))

        def received(message: str | bytes) -> None:
            self._note(Role.SERVER, message)
            page.send(message)

        page.on_message(sent)
        server.on_message(received)

    def _note(self, sender: Role, message: str | bytes) -> Frame:
        assert isinstance(message, bytes)
        self.noted.append(Noted(self.now_called, sender, message))
        return codec.decode(message, sender, protocol_version=self.protocol)

    def _note_request(self, request: async_api.Request) -> None:
        if "/v2/navi.json" in request.url:
            sent = ("rc-appkey", "rc-negotiate", "content-type")
            headers = [[name, request.headers[name]] for name in sent]
            navigation = {"method": request.method, "target": _target(request.url)}
            self.requests.append(navigation | {"headers": headers, "body": request.post_data})

    async def _navigate(self, route: async_api.Route) -> None:
        if not self.navigation or route.request.method != "POST":
            await route.continue_()
            return
        response = await route.fetch()
        await route.fulfill(response=response, json={**await response.json(), **self.navigation})


def _target(url: str) -> str:
    """Path and query."""
    return "/" + url.split("/", 3)[3]


class Recording:
    """All vectors, by name."""

    def __init__(self) -> None:
        self.vectors: dict[str, Vector] = {}
        self.troubles: list[str] = []

    def add(self, page: RecordedPage) -> None:
        """Take over what a page has noted."""
        newer = f"-{page.protocol}" if page.protocol is ProtocolVersion.V4 else ""
        for request in page.requests:
            kind = "navigation" if request["method"] == "POST" else f"url{newer}"
            vector: Vector = {"name": f"c2s/{kind}", "sdk": [SDK.version], "direction": "c2s"}
            self.vectors.setdefault(vector["name"], vector | {"request": request})
        asked: dict[int, tuple[Call, Query | Publish]] = {}
        for call, sender, message in page.noted:
            frame = codec.decode(message, sender, protocol_version=page.protocol)
            match frame:
                case Query() | Publish():
                    asked[frame.message_id] = call, frame
                    name = _name(call, frame)
                    self._keep(page, f"c2s/api-{SDK.version}/{name}", frame)
                case QueryAck() | PubAck() if frame.message_id in asked:
                    call, question = asked.pop(frame.message_id)
                    if frame.status == 0 and not call.is_refused:
                        self._keep(page, f"s2c/{_name(call, question)}", frame, to=question)
                case Delivery():
                    self._keep(page, f"s2c/{'sync' if frame.is_sync else 'publish'}", frame)
                case QueryAck() | PubAck():
                    pass
                case ConnAck():
                    self._keep(page, f"s2c/connack{newer}", frame)
                case _:
                    side = "c2s" if sender is Role.CLIENT else "s2c"
                    self._keep(page, f"{side}/{_type(frame).lower()}", frame)

    def _keep(
        self, page: RecordedPage, name: str, frame: Frame, *, to: Frame | None = None
    ) -> None:
        side, _, _ = name.partition("/")
        data = codec.encode(frame)
        vector: Vector = {"sdk": [SDK.version], "direction": side, "hex": data.hex()}
        vector["fields"] = {"type": _type(frame), **_fields(frame)}
        vector["user"] = page.user
        if isinstance(frame, ConnAck):
            vector["protocolVersion"] = frame.protocol_version
        content = getattr(frame, "data", b"")
        if content:
            try:
                message = self._read(frame, to)
            except DecodeError as error:
                self.troubles.append(f"{name}: {error} {content.hex()}")
                return
            vector["payload"] = {
                "message": type(message).__name__,
                "fields": payloads.to_fields(message),
            }
            if isinstance(frame, Delivery):
                kind = f"-{message.type}" if isinstance(message, payloads.NotifyMsg) else ""
                name = f"{name}/{frame.topic}{kind}"
        elif isinstance(frame, Delivery):
            name = f"{name}/{frame.topic}"
        old = self.vectors.get(name)
        if old is None or (side == "s2c" and _tells_more(data, bytes.fromhex(old["hex"]))):
            self.vectors[name] = {"name": name, **vector}

    def _read(self, frame: Frame, to: Frame | None) -> Message:
        """The payload as one of the messages that the table has for it."""
        topic, signal = _row_of(to or frame)
        # A copy of what another device has asked for comes as a PUBLISH too.
        row = find(topic, signal) or find(topic, Signal.QUERY)
        if row is None:
            raise DecodeError("no row in the table", offset=0)
        if isinstance(frame, QueryAck):
            kinds = [row.reply, *row.reply_aliases]
        else:
            kinds = [row.request, *row.request_aliases]
        kinds.sort(key=lambda kind: kind not in _OF_SDK_5)
        assert isinstance(frame, (Query, Publish, Delivery, QueryAck))
        for kind in kinds:
            if kind is None:
                continue
            try:
                message = payloads.decode(kind, frame.data)
            except DecodeError:
                continue
            again = payloads.from_fields(kind, payloads.to_fields(message))
            if payloads.encode(again) == frame.data:
                return message
        raise DecodeError(f"not one of {[kind and kind.__name__ for kind in kinds]}", offset=0)


def _name(call: Call, request: Query | Publish) -> str:
    function = _BY_ITSELF.get(Topic(request.topic), call.function)
    return f"{function}/{request.topic}"


def _row_of(frame: Frame) -> tuple[str, Signal]:
    assert isinstance(frame, (Query, Publish, Delivery))
    return frame.topic, Signal.QUERY if isinstance(frame, Query) else Signal.PUBLISH


def _type(frame: Frame) -> str:
    name = type(frame).__name__
    return {"DeliveryAck": "PUBACK", "Delivery": "PUBLISH"}.get(name, name.upper())


def _tells_more(new: bytes, old: bytes) -> bool:
    return len(old) < len(new) <= _LONG or len(new) < len(old) > _LONG


def _fields(frame: Frame) -> Vector:
    values: Vector = {}
    for field in fields(frame):
        value = getattr(frame, field.name)
        if value is None or field.name in _UNNAMED:
            continue
        name = _NAMES.get(field.name, field.name)
        values[name] = value.hex() if isinstance(value, bytes) else value
    return values


class Stage:
    """Where scenes are played: a browser, and for each scene a server of its own."""

    def __init__(self, browser: Browser, site: str, recording: Recording) -> None:
        self._browser = browser
        self._site = site
        self._recording = recording

    @contextmanager
    def scene(
        self,
        *users: str,
        navigation: Mapping[str, Any] | None = None,
        answers: Mapping[str, Message] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Iterator[tuple[ImServer, list[RecordedPage]]]:
        """A server with these settings and a page for each user, not connected yet."""
        with tempfile.TemporaryDirectory() as folder:
            server = ImServer(Path(folder), **settings or {})
            server.start()
            try:
                with ExitStack() as stack:
                    pages = [stack.enter_context(self._page(server, user)) for user in users]
                    for page in pages:
                        page.navigation = navigation or {}
                        page.answers = answers or {}
                    yield server, pages
                    for page in pages:
                        self._recording.add(page)
                server.stop()
            finally:
                server.kill()

    def _page(self, server: ImServer, user: str) -> AbstractContextManager[RecordedPage]:
        return self._browser.page(RecordedPage, SDK, self._site, server, user)


def _portal(stack: ExitStack) -> BlockingPortal:
    return stack.enter_context(start_blocking_portal("asyncio"))


def main() -> None:
    """Record everything, and write it down."""
    from tools import recorded_people, recorded_scenes

    program = find_chromium()
    assert program is not None, "Chromium is not installed"
    sdks.install(SDK)
    recording = Recording()
    scenes = (*recorded_scenes.SCENES, *recorded_people.SCENES)
    with ExitStack() as stack:
        browser = stack.enter_context(Browser.start(_portal(stack), program))
        stage = Stage(browser, stack.enter_context(serve_pages()), recording)
        for scene in scenes:
            print(scene.__name__, file=sys.stderr)
            scene(stage)
    assert recording.troubles == [], "\n".join(recording.troubles)
    lines = [json.dumps(recording.vectors[name]) for name in sorted(recording.vectors)]
    FILE.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    print(f"{len(lines)} vectors, {FILE.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
