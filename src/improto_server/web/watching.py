"""What is the same for all requests at the web port: a name, a line in the log, and limits.

A request ends when nothing of it moves any more, whoever is to blame, and when there are too many
at a time it is refused at once. What one request may bring is the business of its route.
"""

from __future__ import annotations

import json
import logging
import re
import time
from datetime import UTC, datetime
from http import HTTPStatus
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

import anyio
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection

from improto_server.config import AccessLog
from improto_server.web.callers import address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_REQUESTS: Final = 1000
"""That are answered at a time."""

SILENCE: Final = 120.0
"""Seconds in which nothing of a request comes or goes, until it is given up."""

SHOWN_CHARACTERS: Final = 40
"""Of a part of a path. Longer ones are signed names, which are as good as a password."""

_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_HEADER: Final = "x-request-id"
_ID_BYTES: Final = 8
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+-]+")
_RETRY_SECONDS: Final = "1"

logger: Final = logging.getLogger("improto_server.access")
"""Each line is complete by itself."""


class Watched:
    """An application, watched. ``proxies``: how many of ours are in front."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        log: AccessLog,
        proxies: int,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._write = _WRITERS[log]
        self._proxies = proxies
        self._now = now
        self._monotonic = monotonic
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        given = connection.headers.get(_HEADER, "")
        answer = _Answer(given if _ID.fullmatch(given) else token_hex(_ID_BYTES), receive, send)
        begun = self._monotonic()
        self._running += 1
        try:
            if self._running > MOST_REQUESTS:
                await answer.refuse("too many requests at a time")
            else:
                await self._bounded(scope, answer)
        finally:
            self._running -= 1
            if self._write is not None:
                facts = {
                    "time": _moment(self._now()),
                    "method": scope["method"],
                    "path": _shown(scope["path"]),
                    "status": answer.status,
                    "ms": round((self._monotonic() - begun) * 1000),
                    "bytes": answer.bytes,
                    "client": address(connection, proxies=self._proxies),
                    "id": answer.id,
                }
                logger.info("%s", self._write(facts))

    async def _bounded(self, scope: Scope, answer: _Answer) -> None:
        with anyio.CancelScope() as answer.scope:
            answer.moved()
            await self._app(scope, answer.receive, answer.send)
        if answer.scope.cancelled_caught and not answer.status:
            await answer.refuse(f"nothing has moved for {SILENCE:.0f} s")


class _Answer:
    """A request and its answer on their way."""

    def __init__(self, id: str, receive: Receive, send: Send) -> None:
        self.id = id
        self.status = 0
        """0: there is no answer yet."""
        self.bytes = 0
        """Of its body."""
        self.scope = anyio.CancelScope()
        self._receive = receive
        self._send = send

    def moved(self) -> None:
        """Time counts from now."""
        self.scope.deadline = anyio.current_time() + SILENCE

    async def receive(self) -> Message:
        """Something comes."""
        message = await self._receive()
        self.moved()
        return message

    async def send(self, message: Message) -> None:
        """Something goes."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)[_HEADER] = self.id
        self.bytes += len(message.get("body", b""))
        await self._send(message)
        self.moved()

    async def refuse(self, why: str) -> None:
        """Answer that it does not go now."""
        body = json.dumps({"error": why}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"retry-after", _RETRY_SECONDS.encode()),
        ]
        status = HTTPStatus.SERVICE_UNAVAILABLE.value
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _shown(path: str) -> str:
    """Without the query, which has signatures in it, and without what is signed."""
    return "/".join(
        part if len(part) <= SHOWN_CHARACTERS else part[:8] + "..." for part in path.split("/")
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _logfmt(facts: Mapping[str, Any]) -> str:
    texts = {name: str(value) for name, value in facts.items()}
    return " ".join(
        f"{name}={text if _PLAIN.fullmatch(text) else json.dumps(text)}"
        for name, text in texts.items()
    )


_WRITERS: Final[Mapping[AccessLog, Callable[[Mapping[str, Any]], str] | None]] = {
    AccessLog.NONE: None,
    AccessLog.JSON: json.dumps,
    AccessLog.LOGFMT: _logfmt,
}
