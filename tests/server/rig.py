"""A whole gateway on a hand clock, and clients that are made of frames.

Everything is real but the sockets, the clocks and the tokens. The store has its two threads,
but nothing it says is heard before :meth:`Rig.settle`, so a test decides what arrives while
a message is under way and what goes into one batch.
"""

from __future__ import annotations

from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from improto import codec, payloads
from improto.config import Limits
from improto.events import ConnectionClosed, PublishReceived, PullReceived, QueryReceived
from improto.frames import (
    Delivery,
    MessageId,
    PubAck,
    Publish,
    Qos,
    Query,
    QueryAck,
    Role,
    TimeMs,
)
from improto.login import Login
from improto.operations import Topic
from improto.profiles import ReceiptVersion
from improto.server import ServerConnection
from improto.service import Peer
from improto_server.gateway import LoginRules
from improto_server.hub import DevicePolicy
from improto_server.navigation import Navigation, Offer
from improto_server.services.accounts import TokenCheck, TokenOutcome
from improto_server.services.room import ChatroomRules
from improto_server.services.webhooks import HookRules
from improto_server.steps import start
from improto_server.store import Store, StoreError
from improto_server.system import MessageRules, ModerationRules, System, UserRules

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path

    from improto.frames import Frame
    from improto_server.files.storage import Storage

T = TypeVar("T")
M = TypeVar("M", bound=payloads.Message)

APP = "app"
REGULARS = ("alice", "bob", "carol")
"""Users whom every rig knows already, so that their first messages wait for nothing."""

START = 1_700_000_000_000
"""The wall clock at the beginning, in milliseconds."""

PATIENCE = 30.0
"""Seconds until a store that says nothing is a failure."""


BAD_TOKENS = {
    "expired": TokenOutcome.EXPIRED,
    "forged": TokenOutcome.FORGED,
    "foreign": TokenOutcome.FOREIGN_APP,
    "garbage": TokenOutcome.MALFORMED,
    "": TokenOutcome.MALFORMED,
}


class FakeAccounts:
    """Tokens that say what they are: ``expired`` is expired, ``alice`` is alice's."""

    def __init__(self, *apps: str) -> None:
        self.apps = apps
        self.asked_at: list[float] = []
        self.issued = 0.0
        """When all tokens were issued, in seconds since 1970."""

    def check(self, app_key: str, token: str, *, now: float) -> TokenCheck:
        self.asked_at.append(now)
        if app_key not in self.apps:
            return TokenCheck(outcome=TokenOutcome.UNKNOWN_APP)
        if token in BAD_TOKENS:
            return TokenCheck(outcome=BAD_TOKENS[token])
        return TokenCheck(outcome=TokenOutcome.VALID, user_id=token, issued=self.issued)


class AtOnce:
    """A reserve of times that never runs out."""

    def call(self, time: int, then: Callable[[], None]) -> None:
        then()


OPENED: list[Store] = []
"""Stores to be closed at the end of a test; each has threads and files of its own."""


class HeldStore:
    """A store whose answers wait for the test."""

    def __init__(self, path: Path) -> None:
        self._turn: list[Callable[[], None]] = []
        self._answers: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._outstanding = 0
        self.broken: StoreError | None = None
        """If set, what every request is answered with."""
        self.reads = 0
        """How often the store was read from."""
        self.store = Store.open(
            f"sqlite:///{path / 'messages.db'}",
            soon=self._turn.append,
            on_loop=self._answers.put,
            durable=False,
        )
        OPENED.append(self.store)

    @property
    def latest_time(self) -> int:
        return self.store.latest_time

    def ask(self, query: Callable[[Any], Any]) -> Any:
        return self.store.ask(query)

    def append(self, message: Any, done: Callable[[Any], None]) -> bool:
        return self.store.append(message, self._counted(done))

    def write(
        self, change: Callable[[Any], Any], done: Callable[[Any], None], *, is_part: bool = False
    ) -> None:
        self.store.write(change, self._counted(done), is_part=is_part)

    def read(self, query: Callable[[Any], Any], done: Callable[[Any], None]) -> None:
        self.reads += 1
        self.store.read(query, self._counted(done))

    def hold_turn(self) -> list[Callable[[], None]]:
        """Keep what was asked in this turn from being begun; :meth:`begin` it later."""
        held = self._turn[:]
        self._turn.clear()
        return held

    def begin(self, held: list[Callable[[], None]]) -> None:
        """Go on with what was held."""
        self._turn.extend(held)

    def next_batch(self) -> Callable[[], None] | None:
        """The next answers, waited for; None if nothing was asked."""
        for call in self.hold_turn():
            call()
        return self._answers.get(timeout=PATIENCE) if self._outstanding else None

    def _counted(self, done: Callable[[Any], None]) -> Callable[[Any], None]:
        self._outstanding += 1

        def answered(answer: Any) -> None:
            self._outstanding -= 1
            done(answer if self.broken is None else self.broken)

        return answered


class Rig:
    """The server's parts, put together as :mod:`improto_server.app` does it."""

    def __init__(
        self,
        path: Path,
        *,
        multi_device: bool = False,
        offline_days: int = 7,
        rate: float = 0.0,
        repeats: float = 0.0,
        limits: Limits | None = None,
        allowed_origins: tuple[str, ...] = (),
        blocked: tuple[str, ...] = (),
        blocked_apps: tuple[str, ...] = (),
        most_connections: int = 1000,
        has_reserve: bool = False,
        receipts: ReceiptVersion = ReceiptVersion.MESSAGES,
        unread_on_server: bool = False,
        recall_minutes: int = 0,
        edit_minutes: int = 0,
        chatrooms: ChatroomRules | None = None,
        storage: Storage | None = None,
        users: UserRules | None = None,
        robots: Mapping[str, str] | None = None,
        moderation: ModerationRules | None = None,
        hooks: HookRules | None = None,
    ) -> None:
        self.now = 100.0
        """Seconds of the monotonic clock."""
        self.wall = START
        """Milliseconds of the machine's clock."""
        self.limits = limits or Limits()
        self.store = HeldStore(path)
        self.accounts = FakeAccounts(APP, "other")
        self.navigation = Navigation(
            self.accounts,
            own_address="127.0.0.1:8080",
            public_address="",
            offer=Offer(
                receipts=receipts, unread_on_server=unread_on_server, edit_minutes=edit_minutes
            ),
            now=lambda: self.wall / 1000,
        )
        self.system = System(
            store=self.store,
            accounts=self.accounts,
            navigation=self.navigation,
            limits=self.limits,
            devices=DevicePolicy(multi_device, {"other": not multi_device}),
            login_rules=LoginRules(
                allowed_origins=frozenset(allowed_origins),
                blocked_users=frozenset((APP, name) for name in blocked),
                blocked_apps=frozenset(blocked_apps),
                most_connections=most_connections,
                messages_per_second=rate,
                repeats_per_second=repeats,
            ),
            message_rules=MessageRules(
                offline_days=offline_days,
                recall_minutes=recall_minutes,
                edit_minutes=edit_minutes,
                receipts=receipts,
                unread_on_server=unread_on_server,
            ),
            wall_clock=lambda: self.wall,
            monotonic=lambda: self.now,
            chatroom_rules=chatrooms or ChatroomRules(),
            storage=storage,
            user_rules=users or UserRules(),
            robots=robots or {},
            moderation_rules=moderation or ModerationRules(),
            hook_rules=hooks or HookRules(),
        )
        self.clock = self.system.clock
        self.hub = self.system.hub
        self.messages = self.system.messages
        if not has_reserve:
            self.messages.reserve = AtOnce()  # type: ignore[assignment]
        self.gateway = self.system.gateway
        for name in REGULARS:
            start(self.system.standings.load((APP, name)), lambda _: None)
        self.settle()

    def do(self, steps: Coroutine[Any, Any, T]) -> T:
        """Run a service function to its end; raises what it raises."""
        results: list[T | Exception] = []
        start(steps, results.append)
        self.settle()
        (result,) = results
        if isinstance(result, Exception):
            raise result
        return result

    def advance(self, seconds: float) -> None:
        """Both clocks go on."""
        self.now += seconds
        self.wall += round(seconds * 1000)

    def settle(self) -> int:
        """Let the store answer everything; returns how many batches that took."""
        batches = 0
        while self.settle_one():
            batches += 1
        return batches

    def settle_one(self) -> bool:
        """Let the store answer one batch; False if nothing was asked."""
        tell = self.store.next_batch()
        if tell is None:
            return False
        self.hear(tell)
        return True

    def hear(self, tell: Callable[[], None]) -> None:
        """A batch of answers has come."""
        tell()
        self.system.settle()

    def client(self, name: str, sdk: str = "4.6.4", **options: Any) -> Client:
        """A client with the token ``name`` that has asked to come in."""
        return Client(self, name, sdk, **options)

    def online(self, name: str, sdk: str = "4.6.4", **options: Any) -> Client:
        """A client that is in and has pulled everything: up to date, nothing unread."""
        client = Client(self, name, sdk, **options)
        client.pull_all()
        client.frames()
        return client


class Client:
    """One connection, seen from its far end."""

    def __init__(
        self,
        rig: Rig,
        token: str,
        sdk: str,
        *,
        app: str = APP,
        origin: str | None = None,
        protocol_version: int = 3,
        device_id: str = "",
        peer_type: type[Peer] = Peer,
    ) -> None:
        self.rig = rig
        self.closed: ConnectionClosed | None = None
        login = Login.from_query(
            {
                "appId": app,
                "token": token,
                "sdkVer": sdk,
                "protocolVer": str(protocol_version),
                "deviceId": device_id,
            }
        )
        self.connection = ServerConnection(login, now=rig.now, limits=rig.limits)
        self.peer = peer_type(
            self.connection,
            address="192.0.2.1:5000",
            origin=origin,
            clock=lambda: rig.now,
            wake=lambda: None,
        )
        self._next_id = 0
        self.cursor = 0
        self.sent_cursor = 0
        rig.gateway.opened(self.peer)
        self.dispatch()

    # -- what it does ----------------------------------------------------------------

    def send(self, frame: Frame) -> None:
        """Send a frame."""
        self.send_bytes(codec.encode(frame))

    def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        self.connection.receive_message(data, now=self.rig.now)
        self.dispatch()

    def hold(self, frame: Frame) -> None:
        """A frame arrives together with what comes next."""
        self.connection.receive_message(codec.encode(frame), now=self.rig.now)

    def leave(self) -> None:
        """The transport breaks."""
        self.connection.receive_eof(now=self.rig.now)
        self.dispatch()

    def pass_time(self) -> None:
        """The connection looks at the clock."""
        self.connection.handle_timeout(now=self.rig.now)
        self.dispatch()

    def dispatch(self) -> None:
        """What the adapter does after every input."""
        gateway = self.rig.gateway
        while (event := self.connection.next_event()) is not None:
            match event:
                case PublishReceived():
                    gateway.published(self.peer, event)
                case QueryReceived():
                    gateway.queried(self.peer, event)
                case PullReceived():
                    gateway.pulled(self.peer, event)
                case ConnectionClosed():
                    self.closed = event
                    gateway.closed(self.peer, event)

    def publish(
        self,
        target: str,
        content: str | bytes = '{"content":"hello"}',
        *,
        topic: str = Topic.PP_MSG_P,
        name: str = "RC:TxtMsg",
        flags: int = 3,
        message_id: int | None = None,
        qos: Qos = Qos.AT_LEAST_ONCE,
        **fields: Any,
    ) -> MessageId:
        """Send a message; returns its id."""
        if isinstance(content, str):
            content = content.encode()
        up = payloads.UpStreamMessage(sessionId=flags, classname=name, content=content, **fields)
        return self.publish_bytes(
            target, payloads.encode(up), topic=topic, message_id=message_id, qos=qos
        )

    def publish_bytes(
        self,
        target: str,
        data: bytes,
        *,
        topic: str = Topic.PP_MSG_P,
        message_id: int | None = None,
        qos: Qos = Qos.AT_LEAST_ONCE,
    ) -> MessageId:
        """Send a payload as it is; returns its id."""
        chosen = self._id() if message_id is None else MessageId(message_id)
        self.send(Publish(topic=topic, target_id=target, message_id=chosen, data=data, qos=qos))
        return chosen

    def query(
        self,
        topic: str,
        request: payloads.Message | bytes = b"",
        *,
        qos: Qos = Qos.AT_MOST_ONCE,
        target: str | None = None,
    ) -> MessageId:
        """Ask; returns the id. ``target``: the client itself, unless told otherwise."""
        data = request if isinstance(request, bytes) else payloads.encode(request)
        message_id = self._id()
        if target is None:
            target = self.peer.user_id or ""
        self.send(Query(topic=topic, target_id=target, message_id=message_id, data=data, qos=qos))
        return message_id

    def ask(self, topic: str, request: payloads.Message | bytes, reply: type[M]) -> M:
        """Ask and wait for the answer, which must be a good one."""
        message_id = self.query(topic, request)
        self.rig.settle()
        (answer,) = self.answers(message_id)
        assert answer.status == 0
        return payloads.decode(reply, answer.data)

    def start_pull(
        self, cursor: int | None = None, sent: int | None = None, *, qos: Qos = Qos.AT_MOST_ONCE
    ) -> MessageId:
        """Ask for the inbox, from its own cursors unless told otherwise."""
        request = payloads.SyncRequestMsg(
            syncTime=self.cursor if cursor is None else cursor,
            ispolling=False,
            isPullSend=True,
            sendBoxSyncTime=self.sent_cursor if sent is None else sent,
        )
        return self.query(Topic.PULL_MSG, request, qos=qos)

    def pull(
        self, cursor: int | None = None, sent: int | None = None
    ) -> payloads.DownStreamMessages:
        """Pull one page, and move the cursors as the newer SDKs do (session 8.4)."""
        message_id = self.start_pull(cursor, sent)
        self.rig.settle()
        (answer,) = self.answers(message_id)
        assert answer.status == 0
        page = payloads.decode(payloads.DownStreamMessages, answer.data)
        self.cursor = max(self.cursor, page.syncTime)
        for item in page.list:
            if item.direction == 1:
                self.sent_cursor = max(self.sent_cursor, item.dataTime)
        return page

    def pull_all(self) -> list[payloads.DownStreamMessage]:
        """Pull until there is nothing more."""
        found: list[payloads.DownStreamMessage] = []
        while True:
            page = self.pull()
            found += page.list
            if page.finished:
                return found

    @property
    def last_id(self) -> int:
        """The id of its latest request."""
        return self._next_id

    def _id(self) -> MessageId:
        self._next_id += 1
        return MessageId(self._next_id)

    # -- what it is sent -------------------------------------------------------------

    def frames(self) -> list[Frame]:
        """What has come since the last look, at any of these methods."""
        return [
            codec.decode(
                message, Role.SERVER, protocol_version=self.connection.login.protocol_version
            )
            for message in self.connection.messages_to_send()
        ]

    def answers(self, message_id: int) -> list[QueryAck]:
        """Answers to a query; what else has come is lost."""
        return [
            frame
            for frame in self.frames()
            if isinstance(frame, QueryAck) and frame.message_id == message_id
        ]

    def ack(self) -> PubAck:
        """The one frame that has come, which must be a PUBACK."""
        (frame,) = self.frames()
        assert isinstance(frame, PubAck)
        return frame

    def deliveries(self, topic: str | None = None) -> list[Delivery]:
        """What the server has published, on one topic or on all; the rest is lost."""
        return [
            frame
            for frame in self.frames()
            if isinstance(frame, Delivery) and topic in (None, frame.topic)
        ]


def sent_at(ack: PubAck) -> TimeMs:
    """The time that a PUBACK gives a message."""
    return TimeMs(ack.date * 1000 + ack.millisecond)


def item(delivery: Delivery) -> payloads.DownStreamMessage:
    """The message of an ``s_msg``."""
    assert delivery.topic == Topic.S_MSG
    return payloads.decode(payloads.DownStreamMessage, delivery.data)


def announced(delivery: Delivery) -> int:
    """The time of an ``s_ntf``."""
    assert delivery.topic == Topic.S_NTF
    return payloads.decode(payloads.NotifyMsg, delivery.data).time


def minimal(kind: type[payloads.Message]) -> payloads.Message:
    """Nothing but what must be there, and that is zero or empty."""
    message = kind()
    for field in message.DESCRIPTOR.fields:
        if field.is_required:
            if field.message_type is not None:
                inner = minimal(payloads.MESSAGES[field.message_type.name])
                getattr(message, field.name).CopyFrom(inner)
            else:
                setattr(message, field.name, field.default_value)
    return message
