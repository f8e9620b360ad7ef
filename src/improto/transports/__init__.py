"""Bytes on one side, HTTP requests and protocol messages on the other; still no I/O.

Only this package imports h11 and wsproto. A program that lives in a server which
already speaks HTTP and WebSocket needs none of it.

* :class:`HttpServer`: the server's end of one TCP connection, until the upgrade.
* :class:`WebSocketClient`: the client's opening handshake.
* :class:`Framer`: either end after the upgrade; :func:`framer_factory` chooses one.
"""

from __future__ import annotations

from improto.transports.framing import Framer, FramerFactory, FramerState, framer_factory
from improto.transports.http import HttpServer, is_websocket_upgrade, upgrade_error
from improto.transports.websocket import WebSocketClient
from improto.transports.wsproto_framer import WsprotoFramer

__all__ = [
    "Framer",
    "FramerFactory",
    "FramerState",
    "HttpServer",
    "WebSocketClient",
    "WsprotoFramer",
    "framer_factory",
    "is_websocket_upgrade",
    "upgrade_error",
]
