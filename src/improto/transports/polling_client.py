"""Long polling, the client's end of one session: frames in, requests out, and back (http 5).

Requests go two ways: those that wait (the connect, then one poll after the other) and posts, one
after the other, so that messages arrive in the order in which they were sent. Whoever carries them
takes :meth:`PollingClient.next_poll` and :meth:`PollingClient.next_post`, each when its answer to
the one before is in.

There is no heartbeat over long polling and nothing is confirmed (http 5.7). So a PINGREQ is
answered here, and whether the server is there is seen by its answers to the polls.
"""

from __future__ import annotations

from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from improto.codes import ErrorCode
from improto.errors import DecodeError, HandshakeRefused
from improto.frames import MessageUid, PingReq, PingResp, PubAck, Publish, Query, QueryAck
from improto.http import HttpRequest
from improto.transports._signals import (
    POLL_PATH,
    read_connack,
    read_signals,
    reply_kind,
    write_post,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto.errors import RemoteProtocolError
    from improto.frames import ConnAck, Frame, MessageId
    from improto.http import HttpResponse
    from improto.login import Login
    from improto.payloads import Message

_SHOWN_BYTES: Final = 200
"""Of a refusal's body."""


class PollingClient:
    """One session. ``login`` is its URL (http 5.1)."""

    def __init__(self, login: Login) -> None:
        self.error: RemoteProtocolError | None = None
        """Why nothing more will be understood; HandshakeRefused if there is no long polling."""
        self.is_lost = False
        """The session cannot go on: the server knows nothing of it any more, or what was posted
        may not have arrived, and must not be overtaken by what comes after it."""
        self._login = login
        self._session_id: str | None = None
        self._is_asking = False
        self._is_posting = False
        self._polls = 0
        self._posts: deque[HttpRequest] = deque()
        self._topics: dict[MessageId, str] = {}
        self._frames: deque[Frame] = deque()

    # -- inputs ----------------------------------------------------------------------

    def send_frames(self, frames: Iterable[Frame]) -> None:
        """Frames for the server."""
        for frame in frames:
            if isinstance(frame, PingReq):
                self._frames.append(PingResp())
            elif isinstance(frame, Publish | Query):
                self._post(frame)

    def answer_poll(self, response: HttpResponse) -> None:
        """The answer to what :meth:`next_poll` gave."""
        self._is_asking = False
        try:
            if self._session_id is None:
                self._frames.append(self._read_connack(response))
            elif response.status == HTTPStatus.OK:
                self._read(response)
            else:
                self.is_lost = True
        except (DecodeError, HandshakeRefused) as error:
            self.error = error

    def answer_post(self, response: HttpResponse | None) -> None:
        """The answer to what :meth:`next_post` gave; None: there will be none.

        None is harmless if there was nothing to answer.
        """
        was_posting, self._is_posting = self._is_posting, False
        if response is None:
            self.is_lost = self.is_lost or was_posting
        elif response.status != HTTPStatus.OK:
            self.is_lost = True
        else:
            try:
                self._read(response)
            except DecodeError as error:
                self.error = error

    # -- outputs ---------------------------------------------------------------------

    def next_poll(self) -> HttpRequest | None:
        """The request that waits; None while the one before is not answered."""
        if self._is_asking:
            return None
        self._is_asking = True
        if self._session_id is None:
            return HttpRequest(method="GET", target=self._login.target)
        self._polls += 1
        session_id = quote(self._session_id, safe="")
        query = f"sessionid={session_id}&timestrap={self._polls}&pid={self._page_id}"
        return HttpRequest(method="GET", target=f"{POLL_PATH}?{query}")

    def next_post(self) -> HttpRequest | None:
        """The next post; None if there is none, or the one before is not answered."""
        if self._is_posting or not self._posts:
            return None
        self._is_posting = True
        return self._posts.popleft()

    def next_frame(self) -> Frame | None:
        """The oldest frame for the connection; None if there is none now."""
        return self._frames.popleft() if self._frames else None

    @property
    def has_posts(self) -> bool:
        """Whether something waits to be posted."""
        return bool(self._posts)

    # -- inside ----------------------------------------------------------------------

    @property
    def _page_id(self) -> str:
        return quote(self._login.device_id, safe="")

    def _post(self, frame: Publish | Query) -> None:
        session_id = self._session_id or ""
        try:
            post = write_post(frame, session_id=session_id, page_id=self._login.device_id)
        except DecodeError:
            # Over WebSocket it would be the server that cannot read it.
            self._frames.append(_refusal(frame))
            return
        self._posts.append(post)
        self._topics[frame.message_id] = frame.topic

    def _read_connack(self, response: HttpResponse) -> ConnAck:
        if response.status not in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
            text = response.body[:_SHOWN_BYTES].decode(errors="replace")
            raise HandshakeRefused(
                f"the server answered HTTP {response.status}: {text!r}", status=response.status
            )
        frame = read_connack(response.body)
        if frame.status == 0 and not frame.session_id:
            raise DecodeError("a CONNACK without a session", offset=0)
        self._session_id = frame.session_id or ""
        return frame

    def _read(self, response: HttpResponse) -> None:
        self._frames.extend(read_signals(response.body, self._reply_kind))

    def _reply_kind(self, message_id: MessageId) -> type[Message] | None:
        return reply_kind(self._topics.pop(message_id, ""))


def _refusal(frame: Publish | Query) -> PubAck | QueryAck:
    status = ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    if isinstance(frame, Query):
        return QueryAck(message_id=frame.message_id, date=0, status=status, data=b"")
    return PubAck(
        message_id=frame.message_id, date=0, millisecond=0, status=status, uid=MessageUid("")
    )
