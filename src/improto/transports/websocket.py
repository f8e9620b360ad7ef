"""The client's opening handshake: one HTTP request, one answer, then WebSocket.

h11 makes and reads the HTTP, wsproto the key and its answer. There is no timer here:
the wait for CONNACK includes the handshake (session 13), so a driver arms that one.
Redirects are not followed; no sub-protocol and no extension is offered (http 4).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import h11
from wsproto.utilities import generate_accept_token, generate_nonce

from improto.errors import (
    EncodeError,
    HandshakeRefused,
    ImprotoError,
    LimitExceeded,
    LocalProtocolError,
    RemoteProtocolError,
)
from improto.frames import Role
from improto.http import first_header, header_tokens
from improto.transports._h11 import (
    HANDSHAKE_HEADERS,
    BoundedH11,
    H11Event,
    decode_headers,
    encode_headers,
)
from improto.transports.http import WEBSOCKET_VERSION

if TYPE_CHECKING:
    from improto.config import Limits
    from improto.http import Headers
    from improto.transports.framing import Framer, FramerFactory

_SHOWN_BYTES = 200
"""Of a refusal's body; enough for a proxy's error line."""


class WebSocketClient:
    """Asks a server for a WebSocket, until ``framer`` or ``error`` is set.

    ``host`` is a name or address, with ``:port`` unless it is the scheme's own; an IPv6
    address is in brackets when a port follows. ``target`` is path and query, already
    percent-encoded (http 4). Raises EncodeError if they, or ``headers``, cannot be sent.
    """

    def __init__(
        self,
        host: str,
        target: str,
        *,
        headers: Headers = (),
        limits: Limits,
        make_framer: FramerFactory,
    ) -> None:
        self.framer: Framer | None = None
        """The accepted connection; it has already got the bytes behind the answer."""
        self.error: ImprotoError | None = None
        """Why there will be none: HandshakeRefused for another HTTP status,
        RemoteProtocolError for everything else."""
        self._limits = limits
        self._make_framer = make_framer
        self._nonce = generate_nonce()
        self._reader = BoundedH11(h11.CLIENT, limits)
        self._answer: h11.Response | None = None
        self._body = bytearray()
        self._outbox = self._request(host, target, headers)

    def receive_data(self, data: bytes) -> None:
        """Bytes have arrived. LocalProtocolError once there is a framer: feed that."""
        if self.framer is not None:
            raise LocalProtocolError("the handshake is over: the bytes belong to the framer")
        if self.error is not None:
            return
        self._reader.receive_data(data)
        try:
            while self.framer is None and self.error is None:
                event = self._reader.next_event()
                if event is h11.NEED_DATA:
                    return
                self._handle(event)
        except h11.RemoteProtocolError as error:
            self._break(error)

    def receive_eof(self) -> None:
        """The stream has ended. After the handshake that is the framer's business."""
        if self.framer is not None or self.error is not None:
            return
        if self._answer is None:
            self.error = RemoteProtocolError("the stream ended before the server answered")
        else:
            self._refuse()

    def data_to_send(self) -> bytes:
        """Takes everything queued for the server; empty = nothing now."""
        data, self._outbox = self._outbox, b""
        return data

    def _request(self, host: str, target: str, headers: Headers) -> bytes:
        try:
            request = h11.Request(
                method="GET",
                target=target,
                headers=[
                    (b"Host", _authority(host).encode("idna")),
                    (b"Upgrade", b"websocket"),
                    (b"Connection", b"Upgrade"),
                    (b"Sec-WebSocket-Key", self._nonce),
                    (b"Sec-WebSocket-Version", WEBSOCKET_VERSION.encode("ascii")),
                    *encode_headers(headers, own=HANDSHAKE_HEADERS),
                ],
            )
        except (h11.LocalProtocolError, UnicodeError) as error:
            raise EncodeError(f"the handshake cannot be sent: {error}") from error
        http = self._reader.http
        return http.send(request) + http.send(h11.EndOfMessage())

    def _handle(self, event: H11Event) -> None:
        if isinstance(event, h11.InformationalResponse):
            # Any other 1xx only announces the answer.
            if event.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
                self._accept(decode_headers(event.headers))
        elif isinstance(event, h11.Response):
            self._answer = event
        else:
            if isinstance(event, h11.Data):
                self._body += event.data
            if isinstance(event, h11.EndOfMessage) or len(self._body) >= _SHOWN_BYTES:
                self._refuse()

    def _accept(self, headers: Headers) -> None:
        expected = generate_accept_token(self._nonce).decode("ascii")
        if "websocket" not in header_tokens(headers, "upgrade"):
            self._violation("the server switched to something else than a WebSocket")
        elif "upgrade" not in header_tokens(headers, "connection"):
            self._violation("the answer lacks the header Connection: Upgrade")
        elif first_header(headers, "sec-websocket-accept") != expected:
            self._violation("the answer has a wrong Sec-WebSocket-Accept")
        elif first_header(headers, "sec-websocket-extensions") is not None:
            self._violation("the server chose an extension that was not offered")
        elif first_header(headers, "sec-websocket-protocol") is not None:
            self._violation("the server chose a sub-protocol that was not offered")
        else:
            self.framer = self._make_framer(Role.CLIENT, self._limits)
            self.framer.receive_data(self._reader.unparsed)

    def _violation(self, text: str) -> None:
        self.error = RemoteProtocolError(text)

    def _break(self, error: h11.RemoteProtocolError) -> None:
        if self._answer is not None:
            # The status has said enough; a garbled body adds nothing.
            self._refuse()
        elif error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            self.error = LimitExceeded(
                f"the head of the answer is above {self._limits.http_head_bytes} bytes"
            )
        else:
            self._violation(f"the answer is not HTTP: {str(error)[:_SHOWN_BYTES]}")

    def _refuse(self) -> None:
        assert self._answer is not None  # its head came first
        status = self._answer.status_code
        location = first_header(decode_headers(self._answer.headers), "location")
        text = f"the server answered HTTP {status}"
        if location is not None:
            text += f", redirecting to {location[:_SHOWN_BYTES]!r}"
        if self._body:
            text += f": {self._body[:_SHOWN_BYTES].decode(errors='replace')!r}"
        self.error = HandshakeRefused(text, status=status)


def _authority(host: str) -> str:
    """A bare IPv6 address gets its brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
