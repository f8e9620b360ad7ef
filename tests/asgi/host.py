"""The other side of ASGI: a host whose every message is written by the test."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import anyio

from improto import codec
from improto.asgi import ImApp
from improto.config import Limits
from improto.frames import ProtocolVersion, Role
from improto.login import Login

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from improto.frames import Frame
    from tests.adapters.office import Office

Message = dict[str, Any]


class Call:
    """One call of an application: a scope, what the host tells, what it is told."""

    def __init__(self, **scope: Any) -> None:
        self.scope = {"headers": [], "query_string": b"", **scope}
        self.sent: list[Message] = []
        """What the application has sent; frames only until :meth:`frames` has taken them."""
        self.is_over = False
        self.is_stuck = False
        """Set it to take nothing more of what the application sends."""
        self.error: Exception | None = None
        """What to raise instead of sending."""
        self._tell, self._told = anyio.create_memory_object_stream[Message](math.inf)
        self._scope = anyio.CancelScope()

    async def run(self, app: Any) -> None:
        """What the host's own task does."""
        with self._tell, self._told, self._scope:
            try:
                await app(self.scope, self._told.receive, self._send)
            finally:
                self.is_over = True

    def cancel(self) -> None:
        """End it as a host does that cannot wait any more."""
        self._scope.cancel()

    def tell(self, type: str, **fields: Any) -> None:
        """Something has happened, or comes with what else has; nobody hears it after the end."""
        if not self.is_over:
            self._tell.send_nowait({"type": type, **fields})

    def send(self, frame: Frame) -> None:
        """The client sends a frame."""
        self.tell("websocket.receive", bytes=codec.encode(frame, limits=Limits.for_client()))

    @property
    def frames(self) -> list[Frame]:
        """The frames among what was sent."""
        return [
            codec.decode(
                message["bytes"],
                Role.SERVER,
                protocol_version=ProtocolVersion.V3,
                limits=Limits.for_client(),
            )
            for message in self.sent
            if message["type"] == "websocket.send"
        ]

    @property
    def closed_with(self) -> int | None:
        """The code with which the application has closed the WebSocket; None: it has not."""
        last = self.sent[-1] if self.sent else {"type": ""}
        return last["code"] if last["type"] == "websocket.close" else None

    async def _send(self, message: Message) -> None:
        if self.error is not None:
            raise self.error
        if self.is_stuck:
            await anyio.sleep_forever()
        self.sent.append(message)


class Host:
    """An application, and a task group for what calls it."""

    def __init__(self, office: Office, tasks: TaskGroup) -> None:
        self.app = ImApp(office, clock=anyio.current_time)
        self._tasks = tasks

    def call(self, **scope: Any) -> Call:
        """Call the application."""
        call = Call(**scope)
        self._tasks.start_soon(call.run, self.app)
        return call

    async def websocket(
        self, token: str = "ann", *, sdk_version: str = "4.6.4", **scope: Any
    ) -> Call:
        """A WebSocket of a client, which has had its first answer."""
        target = Login(app_key="app", token=token, sdk_version=sdk_version).target
        path, _, query = target.partition("?")
        call = self.call(
            **{"type": "websocket", "path": path, "query_string": query.encode(), **scope}
        )
        call.tell("websocket.connect")
        await settled()
        return call

    async def request(
        self, method: str, path: str, body: bytes = b"", **scope: Any
    ) -> tuple[int, dict[str, str], bytes]:
        """A whole request; status, headers and body of the answer."""
        call = self.call(type="http", method=method, path=path, **scope)
        call.tell("http.request", body=body)
        await settled()
        return answer_of(call)


def answer_of(call: Call) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a request."""
    start, body = call.sent
    assert (start["type"], body["type"]) == ("http.response.start", "http.response.body")
    assert call.is_over
    headers = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    return start["status"], headers, body["body"]


async def settled() -> None:
    """Until nothing more happens by itself."""
    await anyio.wait_all_tasks_blocked()
