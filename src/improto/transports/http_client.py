"""The client's end of one TCP connection that speaks HTTP/1.1, on h11: long polling needs it.

One request at a time, one response to each. The rules of every transport hold: input changes
state, output does not, a peer makes nothing raise. There is no timer here.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import h11

from improto.errors import EncodeError, LimitExceeded, LocalProtocolError, RemoteProtocolError
from improto.http import HttpResponse
from improto.transports._h11 import (
    FRAMING_HEADERS,
    BoundedH11,
    H11Event,
    decode_headers,
    encode_headers,
)

if TYPE_CHECKING:
    from improto.config import Limits
    from improto.http import HttpRequest

_OWN_HEADERS = FRAMING_HEADERS | {"host"}
"""Headers that it makes in every request."""


class HttpClient:
    """Requests in, responses out. ``host`` is what the Host header says.

    A response may have a body of ``limits.message_bytes``: it is as large as the frames in it.
    """

    def __init__(self, host: str, *, limits: Limits) -> None:
        self.error: RemoteProtocolError | None = None
        """Why there will be no further response."""
        self._host = host
        self._limits = limits
        self._reader = BoundedH11(h11.CLIENT, limits)
        self._is_asking = False
        self._head: h11.Response | None = None
        self._body = bytearray()
        self._responses: list[HttpResponse] = []
        self._outbox = b""

    @property
    def is_idle(self) -> bool:
        """Whether :meth:`ask` is possible."""
        return self.error is None and not self._is_asking

    def ask(self, request: HttpRequest) -> None:
        """Send a request. LocalProtocolError unless it is idle, EncodeError for bad headers."""
        if not self.is_idle:
            raise LocalProtocolError("one request at a time")
        http = self._reader.http
        headers = [
            (b"Host", self._host.encode("idna")),
            (b"Content-Length", b"%d" % len(request.body)),
            *encode_headers(request.headers, own=_OWN_HEADERS),
        ]
        try:
            head = h11.Request(method=request.method, target=request.target, headers=headers)
        except h11.LocalProtocolError as error:
            raise EncodeError(f"the request cannot be sent: {error}") from error
        self._outbox += http.send(head)
        self._outbox += http.send(h11.Data(data=request.body)) + http.send(h11.EndOfMessage())
        self._is_asking = True
        self._head, self._body = None, bytearray()

    def receive_data(self, data: bytes) -> None:
        """Bytes have arrived."""
        if self.error is not None:
            return
        if not self._is_asking:
            self.error = RemoteProtocolError("the server answers what nobody has asked")
            return
        self._reader.receive_data(data)
        self._parse()

    def receive_eof(self) -> None:
        """The stream has ended."""
        if self.error is not None:
            return
        if self._is_asking:
            # The end may be that of a body without a length.
            self._reader.http.receive_data(b"")
            self._parse()
        self.error = self.error or RemoteProtocolError("the server closed the connection")

    def next_response(self) -> HttpResponse | None:
        """The response to the request; None if it is not there yet."""
        return self._responses.pop() if self._responses else None

    def data_to_send(self) -> bytes:
        """Takes everything queued for the server; empty = nothing now."""
        data, self._outbox = self._outbox, b""
        return data

    def _parse(self) -> None:
        try:
            while self._is_asking and self.error is None:
                event = self._reader.next_event()
                if event is h11.NEED_DATA:
                    return
                self._handle(event)
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                limit = self._limits.http_head_bytes
                self.error = LimitExceeded(f"the head of the answer is above {limit} bytes")
            else:
                self.error = RemoteProtocolError(f"the answer is not HTTP: {error}")

    def _handle(self, event: H11Event) -> None:
        if isinstance(event, h11.Response):
            self._head = event
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > self._limits.message_bytes:
                self.error = LimitExceeded(
                    f"the answer is above {self._limits.message_bytes} bytes"
                )
        elif isinstance(event, h11.EndOfMessage):
            self._complete()

    def _complete(self) -> None:
        assert self._head is not None  # it came first
        headers = decode_headers(self._head.headers)
        self._responses.append(
            HttpResponse(status=self._head.status_code, headers=headers, body=bytes(self._body))
        )
        self._is_asking = False
        if self._reader.http.our_state is h11.DONE and self._reader.http.their_state is h11.DONE:
            self._reader.http.start_next_cycle()
        else:
            self.error = RemoteProtocolError("the server keeps no connection open")
