"""Which way to connect: by a WebSocket, or by long polling where none can be opened.

Sans-IO. A driver says when an attempt starts and what becomes of it. Rules:

* A WebSocket comes first. Long polling is taken when no host gives one although a host is there:
  it answers with something else, says nothing, or drops the connection without a word (session
  2.1). What an IM server says by CONNACK, and a network that is away, are no reason.
* One way at a time, each only when the other has ended: two logins would throw each other out.
* A connection that polls is left as it is, because a WebSocket cannot be tried without a login.
  When it has ended, the WebSocket comes first again, if it was not tried for some time: 5 minutes,
  and twice as long after each vain try, up to an hour.
* Long polling that fails where a server answers is no way either; the WebSocket comes first again.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from improto.errors import ConnectionEnded, HandshakeRefused, RemoteProtocolError
from improto.events import CloseReason
from improto_client.errors import NavigationFailed, NoServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto_client.errors import LoginFailed
    from improto_client.navigation import Transport

Wish: TypeAlias = Literal["auto", "websocket", "polling"]
"""How a program wants to connect: by one transport only, or by whichever works."""

FIRST_PAUSE: Final = 300.0
"""Seconds of long polling before a WebSocket is tried again. Ours."""

LONGEST_PAUSE: Final = 3600.0
"""The same, after many vain tries. Ours."""

_DROPPED: Final = frozenset({CloseReason.LOST, CloseReason.NO_CONNACK})
"""Ends of a login that may be a proxy's doing."""

_BUSY: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""What a server answers that sheds load (sdk5 3); it would not like polls any better."""


class Ways:
    """What is tried next, and with ``wish`` "auto" what after that.

    ``now`` is seconds of a clock that does not go backward. ValueError if the wish is none.
    """

    def __init__(self, wish: Wish) -> None:
        if wish not in get_args(Wish):
            raise ValueError(f"transport must be {', '.join(get_args(Wish))}, not {wish!r}")
        self.transport: Transport = "polling" if wish == "polling" else "websocket"
        """That of the connection, or of the attempt to get one."""
        self._is_free = wish == "auto"
        self._polling_until = -math.inf
        self._pause = FIRST_PAUSE
        self._has_polled = False

    def begin(self) -> None:
        """The program wants to be connected: what was learnt before counts no more."""
        self._polling_until = -math.inf
        self._pause = FIRST_PAUSE

    def start(self, *, now: float) -> None:
        """An attempt starts; :attr:`transport` says with what."""
        if self._is_free:
            self.transport = "polling" if now < self._polling_until else "websocket"

    def online(self) -> None:
        """The server has let us in."""
        if self.transport == "polling":
            self._has_polled = True
        else:
            self.begin()

    def failed(self, failures: Iterable[LoginFailed], *, now: float) -> bool:
        """No host has let us in, for these reasons. True: try :attr:`transport` now, once more."""
        if not self._is_free:
            return False
        if self.transport == "polling":
            if not self._has_polled or not all(
                isinstance(each, NoServer | NavigationFailed) for each in failures
            ):
                self._polling_until = -math.inf
            return False
        signs = {*map(_is_hindered, failures)}
        if True not in signs or False in signs:
            return False
        self.transport = "polling"
        self._has_polled = False
        self._polling_until = now + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return True


def _is_hindered(failure: LoginFailed) -> bool | None:
    """Whether something hinders a WebSocket: False, there was one; None, nobody knows."""
    cause = failure.__cause__
    if isinstance(cause, ConnectionEnded):
        return cause.reason in _DROPPED
    if isinstance(cause, HandshakeRefused):
        return None if cause.status in _BUSY else True
    return True if isinstance(cause, RemoteProtocolError) else None
