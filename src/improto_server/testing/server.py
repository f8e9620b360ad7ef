"""The server of a test, in a thread of its own, and its users.

All methods may be called from any thread. They wait for the server's thread, which takes moments;
only :meth:`ImServer.wait_online` and :class:`OnlineUser` wait for what others do.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Condition
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from anyio.from_thread import start_blocking_portal

import improto_asyncio
from improto.codes import ConnAckStatus, DisconnectStatus, ErrorCode
from improto.contents import Text
from improto.errors import ConnectionEnded
from improto.events import CloseReason
from improto.messages import Conversation
from improto_server.app import Application
from improto_server.config import load
from improto_server.services.accounts import Accounts
from improto_server.testing.faults import Faults, FaultyService, Refusal
from improto_server.testing.record import Record
from improto_server.waiting import finished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from anyio.from_thread import BlockingPortal

    from improto.contents import Content
    from improto.events import PublishAcknowledged
    from improto.messages import ChatMessage
    from improto.service import Peer
    from improto_asyncio import Client
    from improto_server.hub import Device

T = TypeVar("T")

PATIENCE: Final = 10.0
"""Seconds until something that does not happen is a failure, unless told otherwise."""

_APP: Final = "test-app"
_SECRET: Final = "the-secret-of-an-app-that-lives-as-long-as-a-test"
_DAY: Final = 24 * 60 * 60.0

_USUAL: Final = {
    "gateway.port": 0,
    "gateway.repeats": 0,
    "messages.rate": 0,
    "store.durable": False,
}
"""A test is in a hurry, and neither a crowd nor a power cut is to be expected."""

_FIXED: Final = {
    "apps": [{"key": _APP, "secret": _SECRET}],
    "gateway.backend": "asyncio",
    "gateway.host": "127.0.0.1",
}
"""What everything here counts on."""


class ImServer:
    """A running server; enter it with ``with``.

    ``directory`` is where messages are kept, None for one that is deleted in the end; ``settings``
    are values by key, as the command line would give them; app, host and backend are what they
    are. Raises SettingsError, StoreError or OSError.
    """

    app_key: Final = _APP
    app_secret: Final = _SECRET
    """What the application's own server signs with."""
    host: Final = "127.0.0.1"

    def __init__(
        self, directory: Path | None = None, *, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.port = 0
        """Where it listens, once it does."""
        self._directory = directory
        self._overrides = settings or {}
        self._accounts = Accounts({_APP: _SECRET})
        self._faults: dict[str, Faults] = {}
        self._record = Record()
        self._clock_offset = 0
        self._online: Counter[str] = Counter()
        self._news = Condition()
        self._stack = ExitStack()
        self._portal: BlockingPortal
        self._application: Application

    def __enter__(self) -> ImServer:
        with ExitStack() as stack:
            directory = self._directory or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            store = {"store.url": f"sqlite:///{directory / 'messages.db'}"}
            overrides = {**_USUAL, **store, **self._overrides, **_FIXED}
            settings = load(environment={}, overrides=overrides)
            self._portal = stack.enter_context(start_blocking_portal("asyncio"))
            running = self._portal.wrap_async_context_manager(self._running(settings))
            stack.enter_context(running)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    # -- who there is ----------------------------------------------------------------

    @property
    def navigation_url(self) -> str:
        """What SDKs are given as the address of navigation."""
        return f"http://{self.host}:{self.port}"

    @property
    def web_url(self) -> str:
        """Where the REST API is, if the settings have ``web.enabled``; otherwise empty."""
        return self._application.site.url

    def user(self, user_id: str, *, name: str = "", portrait: str = "") -> ImUser:
        """Somebody who may connect; registered if there is a name or a portrait (a URL).

        ValueError if ``user_id`` cannot be one.
        """
        token = self.token(user_id)
        if name or portrait:
            users = self._application.system.users
            self._do(users.register(_APP, user_id, name=name, portrait=portrait))
        return ImUser(self, user_id, token)

    def token(self, user_id: str, *, lifetime: float = _DAY) -> str:
        """Another token for a user, good for so many seconds by the server's clock."""
        return self._accounts.issue(_APP, user_id, now=self._now() / 1000, lifetime=lifetime)

    def group(
        self, group_id: str, members: Iterable[str] = (), *, name: str = "", owner: str = ""
    ) -> None:
        """Make a group, or let more users into one that there is.

        ServiceError if an id, or the name, cannot be one.
        """
        groups = self._application.system.groups
        self._do(groups.create(_APP, group_id, members=members, name=name, owner=owner))

    def leave_group(self, group_id: str, members: Iterable[str]) -> None:
        """Take users out of a group."""
        self._do(self._application.system.groups.quit(_APP, group_id, members))

    def room(self, room_id: str, *, name: str = "") -> None:
        """Make a chatroom. ServiceError if the id cannot be one."""
        self._do(self._application.system.rooms.create(_APP, room_id, name=name))

    def block(self, user_id: str, other: str) -> None:
        """Put somebody on a user's blacklist."""
        self._do(self._application.system.standings.block((_APP, user_id), other))

    def unblock(self, user_id: str, other: str) -> None:
        """Take somebody off a user's blacklist."""
        self._do(self._application.system.standings.unblock((_APP, user_id), other))

    def connections(self, user_id: str) -> int:
        """How many connections a user has at this moment."""
        with self._news:
            return self._online[user_id]

    def wait_online(self, user_id: str, *, timeout: float = PATIENCE) -> None:
        """Wait until a user is connected. TimeoutError after so many seconds."""
        with self._news:
            if not self._news.wait_for(lambda: self._online[user_id], timeout):
                raise TimeoutError(f"{user_id} did not connect within {timeout} s")

    # -- trouble ---------------------------------------------------------------------

    def cut(self, user_id: str) -> None:
        """Break a user's connections without a goodbye. LookupError if there is none."""
        self._portal.call(self._cut, user_id)

    def kick(self, user_id: str) -> None:
        """Tell a user's connections that another device took over. LookupError if there is none."""
        self._portal.call(self._kick, user_id)

    def delay(self, user_id: str, seconds: float) -> None:
        """Hear what a user sends so many seconds later, in order; 0: at once again."""
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"a delay must be 0 or more seconds, not {seconds}")
        self._faults_of(user_id).delay = seconds

    def drop_notifications(self, user_id: str, *, is_on: bool = True) -> None:
        """Tell a user nothing that was not asked for: no pushes, announcements, commands."""
        self._faults_of(user_id).is_deaf = is_on

    def refuse(
        self, user_id: str, status: int = ConnAckStatus.SERVER_UNAVAILABLE, *, times: int = 1
    ) -> None:
        """Refuse a user's next logins with a status of codes 2."""
        self._faults_of(user_id).logins.append(_refusal(status, times))

    def refuse_requests(
        self,
        user_id: str,
        code: int = ErrorCode.BIZ_ERROR_INVALID_PARAMETER,
        *,
        topic: str | None = None,
        times: int = 1,
    ) -> None:
        """Answer a user's next messages, or the next requests on a topic, with an error.

        ``code`` is one of codes 5. SDKs ask a lot by themselves, pulls among it, so what is no
        message is refused only by its topic.
        """
        self._faults_of(user_id).requests.append(_refusal(code, times, topic))

    def step_clock(self, seconds: float) -> None:
        """Put the server's clock forward, or back by a negative number."""
        self._clock_offset += round(seconds * 1000)

    def reset(self) -> None:
        """No more trouble, and an empty transcript. The clock stays as it is."""
        self._faults.clear()
        self._record.clear()

    @property
    def transcript(self) -> str:
        """What clients and the server have said to each other, a line for each frame."""
        return str(self._record)

    # -- inside ----------------------------------------------------------------------

    @asynccontextmanager
    async def _running(self, settings: Any) -> AsyncIterator[None]:
        self._application = application = Application(settings, wall_clock=self._now)
        application.service = FaultyService(
            application.gateway,
            who_is=self._who_is,
            now=application.system.clock.now,
            faults=self._faults,
            record=self._record,
        )
        hub = application.system.hub
        hub.on_join.append(self._joined)
        hub.on_leave.append(self._left)
        async with application.listening(), anyio.create_task_group() as tasks:
            self.port = application.address[1]
            for chore in application.chores():
                tasks.start_soon(chore)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    def _now(self) -> int:
        return time.time_ns() // 1_000_000 + self._clock_offset

    def _who_is(self, peer: Peer) -> str:
        login = peer.login
        check = self._accounts.check(login.app_key, login.token, now=self._now() / 1000)
        return check.user_id or ""

    def _joined(self, device: Device) -> None:
        with self._news:
            self._online[device.user.key[1]] += 1
            self._news.notify_all()

    def _left(self, device: Device) -> None:
        with self._news:
            self._online[device.user.key[1]] -= 1

    def _devices(self, user_id: str) -> list[Device]:
        user = self._application.system.hub.find((_APP, user_id))
        if user is None:
            raise LookupError(f"{user_id} is not connected")
        return list(user.devices)

    def _cut(self, user_id: str) -> None:
        for device in self._devices(user_id):
            device.peer.abandon(CloseReason.LOST)

    def _kick(self, user_id: str) -> None:
        self._devices(user_id)
        hub = self._application.system.hub
        hub.dismiss((_APP, user_id), DisconnectStatus.OTHER_DEVICE_LOGIN)

    def _faults_of(self, user_id: str) -> Faults:
        return self._faults.setdefault(user_id, Faults())

    def _do(self, steps: Coroutine[Any, Any, T]) -> T:
        """Have a service function called, and wait for its result."""
        result: T = self._portal.call(finished, steps)
        return result


@dataclass(frozen=True)
class ImUser:
    """Somebody who may connect; :meth:`ImServer.user` makes one."""

    server: ImServer = field(repr=False)
    user_id: str
    token: str = field(repr=False)

    def connect(self, **options: Any) -> AbstractAsyncContextManager[Client]:
        """A client of asyncio or trio, whichever runs. ``options`` are those of its ``connect``."""
        connect: Any = improto_asyncio.connect if _is_asyncio() else _trio_connect()
        options = {"app_key": _APP, "token": self.token, **options}
        found: AbstractAsyncContextManager[Client] = connect(
            self.server.host, self.server.port, **options
        )
        return found

    @contextmanager
    def online(self) -> Iterator[OnlineUser]:
        """A client that waits by itself, for programs without an event loop."""
        portal = self.server._portal
        with portal.wrap_async_context_manager(portal.call(self.connect)) as client:
            yield OnlineUser(portal, client)


class OnlineUser:
    """A connected user; errors are those of :class:`improto_asyncio.Client`."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self.client = client
        """Lives on the server's event loop."""
        self._portal = portal

    def send(self, to: Conversation | str, content: Content | str) -> PublishAcknowledged:
        """Send a message to a user, or elsewhere, and wait until the server has it."""
        conversation = Conversation.private(to) if isinstance(to, str) else to
        what = Text(content) if isinstance(content, str) else content
        return self._portal.call(partial(self.client.send, conversation, what))

    def receive(self, timeout: float = PATIENCE) -> ChatMessage:
        """The next message. TimeoutError after so many seconds, ConnectionEnded at the end."""

        async def receive() -> ChatMessage | None:
            with anyio.fail_after(timeout):
                return await anext(self.client.messages(), None)

        message = self._portal.call(receive)
        if message is None:
            end = self._portal.call(self.client.wait_closed)
            text = f"the connection has ended: {end.reason.value}"
            raise ConnectionEnded(text, reason=end.reason, status=end.status)
        return message


def _refusal(status: int, times: int, topic: str | None = None) -> Refusal:
    if status <= 0 or times < 1:
        raise ValueError(f"a refusal has a status above 0 and counts, not {status}, {times} times")
    return Refusal(status=int(status), times=times, topic=topic)


def _is_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _trio_connect() -> Any:
    # trio takes its time to import, and whoever is here has it already.
    from improto_trio import connect

    return connect
