"""Fuzzes what a stranger's bytes reach first: both framers and the HTTP connections.

Run as ``python -m fuzz.fuzz_websocket -max_total_time=60 fuzz/corpus/fuzz_websocket``.

A rejection is a framer that is CLOSED with an ``error``, a server connection that
``is_closed``, and a client handshake with an ``error``. From our own calls ``NotConnected``
and "no whole request" may come, because the peer can end things at any moment. Any other
exception, an unbounded queue or a connection that does not end is a crash.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["improto", "h11", "wsproto", "websockets"]):
    from improto.config import Limits, Timing
    from improto.errors import LocalProtocolError, NotConnected
    from improto.frames import Role
    from improto.http import HttpResponse
    from improto.transports import (
        Framer,
        FramerState,
        HttpServer,
        WebSocketClient,
        framer_factory,
        is_websocket_upgrade,
    )

LIMITS = Limits(message_bytes=64, http_head_bytes=256, http_body_bytes=64)
PONG = HttpResponse(status=200, body=b"pong")
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def check_framer(framer: Framer) -> None:
    """What must hold between any two calls."""
    while (message := framer.next_message()) is not None:
        assert type(message) is bytes
        assert len(message) <= LIMITS.message_bytes
    assert type(framer.data_to_send()) is bytes
    closed = framer.state is FramerState.CLOSED
    assert closed is (framer.close_code is not None)
    assert closed or framer.error is None


def drive_framer(framer: Framer, data: atheris.FuzzedDataProvider) -> None:
    """Input in pieces, with calls of ours in between."""
    while data.remaining_bytes():
        match data.ConsumeIntInRange(0, 9):
            case 0:
                try:
                    framer.send_message(data.ConsumeBytes(4))
                except NotConnected:
                    assert framer.state is not FramerState.OPEN
            case 1:
                framer.close(4000, "done")
            case _:
                framer.receive_data(data.ConsumeBytes(data.ConsumeIntInRange(1, 100)))
        check_framer(framer)
    framer.receive_eof()
    assert framer.state is FramerState.CLOSED
    check_framer(framer)


def drive_server(data: atheris.FuzzedDataProvider) -> None:
    """HTTP until the bytes, or HTTP, end."""
    server, now = HttpServer(LIMITS, Timing(), now=0), 0.0
    if data.ConsumeBool():
        server.receive_data(UPGRADE, now=now)
    while data.remaining_bytes():
        now += data.ConsumeIntInRange(0, 5)
        match data.ConsumeIntInRange(0, 9):
            case 0:
                server.handle_timeout(now=now)
            case 1:
                try:
                    server.respond(PONG, now=now)
                except LocalProtocolError:
                    assert server.next_request() is None
            case 2:
                request = server.next_request()
                if request is not None and is_websocket_upgrade(request):
                    drive_framer(server.upgrade(framer_factory("wsproto")), data)
                    assert server.data_to_send()
                    return
            case _:
                server.receive_data(data.ConsumeBytes(data.ConsumeIntInRange(1, 100)), now=now)
        server.data_to_send()
    while not server.is_closed:
        deadline = server.next_deadline()
        if deadline is None:
            server.respond(PONG, now=now)
        else:
            now = deadline
            server.handle_timeout(now=now)


def drive_client(data: atheris.FuzzedDataProvider) -> None:
    """An answer to the opening handshake; nobody guesses the right key."""
    client = WebSocketClient("x", "/", limits=LIMITS, make_framer=framer_factory("wsproto"))
    while data.remaining_bytes():
        client.receive_data(data.ConsumeBytes(data.ConsumeIntInRange(1, 100)))
    client.receive_eof()
    assert client.error is not None
    assert len(str(client.error)) < 2000


def one_input(raw: bytes) -> None:
    data = atheris.FuzzedDataProvider(raw)
    match data.ConsumeIntInRange(0, 5):
        case 0:
            drive_server(data)
        case 1:
            drive_client(data)
        case choice:
            name = "wsproto" if choice % 2 else "websockets"
            role = Role.SERVER if choice < 4 else Role.CLIENT
            drive_framer(framer_factory(name)(role, LIMITS), data)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
