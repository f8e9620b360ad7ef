"""The server's end of one TCP connection while it speaks HTTP/1.1, on h11.

Navigation, host probes and long polling are requests; the WebSocket begins as one
(http 1). :class:`HttpServer` hands out whole requests, one at a time, and takes whole
responses, until one of them is upgraded.

Rules, beyond those of every transport (input changes state, output does not, a peer
makes nothing raise):

* Everything is bounded: heads and bodies by ``Limits``, what is sent ahead of an answer
  by both together. A request is refused with 400, 408, 413, 431 or 501 and the
  connection ends.
* The first request has ``Timing.login`` from the start of the connection, every later one
  the same from its first byte, and between them the connection lasts ``Timing.keep_alive``.
  How long an answer takes is the program's business.
"""

from __future__ import annotations

import enum
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

import h11
from wsproto.utilities import generate_accept_token

from improto.errors import EncodeError, LocalProtocolError, NotConnected
from improto.frames import Role
from improto.http import HttpRequest, HttpResponse
from improto.transports._h11 import (
    FRAMING_HEADERS,
    HANDSHAKE_HEADERS,
    BoundedH11,
    decode_headers,
    encode_headers,
)

if TYPE_CHECKING:
    from improto.config import Limits, Timing
    from improto.http import Headers
    from improto.transports.framing import Framer, FramerFactory

WEBSOCKET_VERSION = "13"
"""The only version of RFC 6455 (section 4.1)."""

_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class _Phase(enum.Enum):
    OPENED = enum.auto()
    """No byte of the first request yet."""
    KEPT_ALIVE = enum.auto()
    """No byte of the next request yet."""
    READING = enum.auto()
    ANSWERING = enum.auto()
    """A whole request waits for respond() or upgrade()."""
    UPGRADED = enum.auto()
    CLOSED = enum.auto()


class HttpServer:
    """One connection's HTTP: requests out, responses in, one after the other.

    ``now`` is monotonic seconds everywhere; a smaller one than before counts as before.
    After :meth:`upgrade` and a last :meth:`data_to_send` the object can be dropped.
    """

    def __init__(self, limits: Limits, timing: Timing, *, now: float) -> None:
        self._limits = limits
        self._timing = timing
        self._now = now
        self._reader = BoundedH11(h11.SERVER, limits)
        self._http = self._reader.http
        self._phase = _Phase.OPENED
        self._deadline: float | None = now + timing.login
        self._eof = False
        self._request: HttpRequest | None = None
        """The one being read or answered; its body comes last."""
        self._untaken: HttpRequest | None = None
        self._body = bytearray()
        self._outbox: list[bytes] = []

    def receive_data(self, data: bytes, *, now: float) -> None:
        """Bytes have arrived. LocalProtocolError after :meth:`upgrade`: feed the framer."""
        self._advance(now)
        self._refuse_if_upgraded()
        if self._phase is _Phase.CLOSED or not data:
            return
        self._reader.receive_data(data)
        if self._phase is _Phase.KEPT_ALIVE:
            self._deadline = self._now + self._timing.login
        if self._phase is not _Phase.ANSWERING:
            self._phase = _Phase.READING
            self._parse()
        if self._phase is _Phase.ANSWERING and self._reader.unparsed_bytes > (
            self._limits.http_head_bytes + self._limits.http_body_bytes
        ):
            self._close()

    def receive_eof(self, *, now: float) -> None:
        """The peer sends no more. An answer under way is still wanted."""
        self._advance(now)
        self._refuse_if_upgraded()
        self._eof = True
        if self._phase is not _Phase.ANSWERING:
            self._close()

    def respond(self, response: HttpResponse, *, now: float) -> None:
        """Answers the current request and goes on to the next.

        NotConnected if the connection has ended meanwhile, LocalProtocolError if there is
        no request, EncodeError if the response cannot be sent (an illegal header or
        status, a body where the status allows none); all three change nothing.
        """
        self._advance(now)
        self._current_request()
        self._write(response)
        self._request = self._untaken = None
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            self._close()
            return
        self._http.start_next_cycle()
        if self._reader.unparsed_bytes:
            self._phase = _Phase.READING
            self._deadline = self._now + self._timing.login
            self._parse()
        else:
            self._phase = _Phase.KEPT_ALIVE
            self._deadline = self._now + self._timing.keep_alive
        if self._eof and self._phase is not _Phase.ANSWERING:
            self._close()

    def upgrade(self, make_framer: FramerFactory, *, headers: Headers = ()) -> Framer:
        """Accepts the current request as a WebSocket, with additional response headers.

        Send :meth:`data_to_send` first, then that of the framer, which has already got the
        bytes behind the request. Errors as for :meth:`respond`; LocalProtocolError also
        if the request fails :func:`is_websocket_upgrade`.
        """
        request = self._current_request()
        key = request.header("sec-websocket-key")
        if key is None or not is_websocket_upgrade(request):
            raise LocalProtocolError("the request does not ask for a WebSocket")
        own = [
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            (b"Sec-WebSocket-Accept", generate_accept_token(key.encode("latin-1"))),
        ]
        try:
            answer = h11.InformationalResponse(
                status_code=HTTPStatus.SWITCHING_PROTOCOLS,
                reason=b"Switching Protocols",
                headers=own + encode_headers(headers, own=HANDSHAKE_HEADERS),
            )
        except h11.LocalProtocolError as error:
            raise EncodeError(str(error)) from error
        framer = make_framer(Role.SERVER, self._limits)
        self._outbox.append(self._http.send(answer))
        framer.receive_data(self._reader.unparsed)
        if self._eof:
            framer.receive_eof()
        self._phase = _Phase.UPGRADED
        self._request = self._untaken = None
        return framer

    def handle_timeout(self, *, now: float) -> None:
        """Time has passed; may come early, late or twice."""
        self._advance(now)
        if self._deadline is None or self._now < self._deadline:
            return
        if self._phase is _Phase.READING:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            # Nothing was asked, so an answer would only confuse.
            self._close()

    def next_request(self) -> HttpRequest | None:
        """The request to answer; each is returned once. None = none now."""
        request, self._untaken = self._untaken, None
        return request

    def data_to_send(self) -> bytes:
        """Takes everything queued for the peer; empty = nothing now."""
        data = b"".join(self._outbox)
        self._outbox.clear()
        return data

    def next_deadline(self) -> float | None:
        """When :meth:`handle_timeout` is due; None = no timer armed."""
        return self._deadline

    @property
    def is_closed(self) -> bool:
        """The connection is over: flush :meth:`data_to_send`, then close it."""
        return self._phase is _Phase.CLOSED

    def _advance(self, now: float) -> None:
        self._now = max(self._now, now)

    def _refuse_if_upgraded(self) -> None:
        if self._phase is _Phase.UPGRADED:
            raise LocalProtocolError("the connection was upgraded: its bytes belong to the framer")

    def _current_request(self) -> HttpRequest:
        if self._phase is _Phase.CLOSED:
            raise NotConnected("the HTTP connection is closed")
        if self._request is None or self._phase is not _Phase.ANSWERING:
            raise LocalProtocolError("there is no whole request to answer")
        return self._request

    def _parse(self) -> None:
        """Reads until a request is whole, more bytes are needed, or one is refused."""
        try:
            while self._phase is _Phase.READING:
                event = self._reader.next_event()
                if event is h11.NEED_DATA:
                    return
                if isinstance(event, h11.Request):
                    self._begin(event)
                elif isinstance(event, h11.Data):
                    self._add_to_body(event.data)
                else:
                    self._complete()
        except h11.RemoteProtocolError as error:
            self._refuse(HTTPStatus(error.error_status_hint))

    def _begin(self, head: h11.Request) -> None:
        self._request = _request_head(head)
        self._body = bytearray()
        declared = int(self._request.header("content-length") or 0)
        encoded = self._request.header("transfer-encoding") is not None
        if head.method == b"CONNECT":
            # A tunnel: whatever followed would not be HTTP any more.
            self._refuse(HTTPStatus.NOT_IMPLEMENTED)
        elif encoded and self._request.header("content-length") is not None:
            # A proxy may have believed the other one (RFC 9112 section 6.1).
            self._refuse(HTTPStatus.BAD_REQUEST)
        elif declared > self._limits.http_body_bytes:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(
                status_code=HTTPStatus.CONTINUE, reason=b"Continue", headers=[]
            )
            self._outbox.append(self._http.send(go_on))

    def _add_to_body(self, data: bytes) -> None:
        if len(self._body) + len(data) > self._limits.http_body_bytes:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            self._body += data

    def _complete(self) -> None:
        assert self._request is not None  # its head came first
        self._request = self._untaken = replace(self._request, body=bytes(self._body))
        self._phase = _Phase.ANSWERING
        self._deadline = None

    def _refuse(self, status: HTTPStatus) -> None:
        self._write(_refusal(status, ("connection", "close")))
        self._close()

    def _write(self, response: HttpResponse) -> None:
        head = _response_head(response)
        self._outbox.append(self._http.send(head))
        head_only = self._request is not None and self._request.method == "HEAD"
        if response.body and not head_only:
            self._outbox.append(self._http.send(h11.Data(data=response.body)))
        self._outbox.append(self._http.send(h11.EndOfMessage()))

    def _close(self) -> None:
        self._phase = _Phase.CLOSED
        self._deadline = None
        self._request = self._untaken = None


def is_websocket_upgrade(request: HttpRequest) -> bool:
    """Whether :meth:`HttpServer.upgrade` would accept the request (RFC 6455 section 4.2.1)."""
    return _asks_for_websocket(request) and _fault(request) is None


def upgrade_error(request: HttpRequest) -> HttpResponse | None:
    """The answer to a request that asks for a WebSocket in a way we do not know.

    None if it asks properly, and also if it does not ask: a plain GET of the same path
    opens a long polling session (http 5.1).
    """
    return _fault(request) if _asks_for_websocket(request) else None


def _fault(request: HttpRequest) -> HttpResponse | None:
    """The answer if it asks for a WebSocket in a way we do not know."""
    if request.method != "GET":
        return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, ("allow", "GET"))
    if request.header("sec-websocket-version") != WEBSOCKET_VERSION:
        return _refusal(
            HTTPStatus.UPGRADE_REQUIRED,
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", WEBSOCKET_VERSION),
        )
    if not request.header("sec-websocket-key"):
        return _refusal(HTTPStatus.BAD_REQUEST)
    return None


def _asks_for_websocket(request: HttpRequest) -> bool:
    return "websocket" in request.tokens("upgrade") and "upgrade" in request.tokens("connection")


def _refusal(status: HTTPStatus, *headers: tuple[str, str]) -> HttpResponse:
    """A short answer that a script of any origin may read (http 2.4)."""
    common = (("access-control-allow-origin", "*"), ("content-type", "text/plain"))
    return HttpResponse(status=status, headers=common + headers, body=status.phrase.encode())


def _request_head(head: h11.Request) -> HttpRequest:
    headers = decode_headers(head.headers)
    if head.http_version < b"1.1":
        # There is nothing to upgrade from (RFC 9110 section 7.8).
        headers = tuple(header for header in headers if header[0] != "upgrade")
    return HttpRequest(
        method=head.method.decode("ascii"), target=head.target.decode("ascii"), headers=headers
    )


def _response_head(response: HttpResponse) -> h11.Response:
    headers = encode_headers(response.headers, own=FRAMING_HEADERS)
    if response.status not in _BODILESS:
        headers.append((b"Content-Length", b"%d" % len(response.body)))
    elif response.body:
        raise EncodeError(f"a response with status {response.status} has no body")
    try:
        return h11.Response(status_code=response.status, headers=headers)
    except h11.LocalProtocolError as error:
        raise EncodeError(str(error)) from error
