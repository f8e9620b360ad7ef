"""Long polling, the server's end of one session: requests in, frames out, and back (http 5).

A session outlives its TCP connections: the client asks on one and posts on others. So here a
request comes with an ``asker``, any object that the answer is handed back with. Rules, beyond
those of every transport (input changes state, output does not, a peer makes nothing raise):

* A poll is held until there is a signal, or for ``Timing.poll``. It is never answered early with
  nothing, because SDK 2.5.3 would ask again at once, a thousand times a second; the one exception
  is a poll that a newer one replaces.
* A POST is answered with the answer to its request, and with nothing else. What comes after its
  asker has gone, or after ``Timing.poll``, waits for a poll like everything else.
* A signal is gone when it was handed out. An asker that is known to be gone gets none.
* Clients count their ids without end, and two of them may be the same. Inside, a request has an
  id of its own.
* Whatever happens, an answer is an array, or the text ``lost params``; both can be read by any
  page.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from improto.codes import ConnAckStatus, ErrorCode
from improto.errors import DecodeError, UnexpectedFrame
from improto.frames import (
    ConnAck,
    Delivery,
    DeliveryAck,
    Disconnect,
    FrameType,
    MessageId,
    MessageUid,
    PubAck,
    QueryAck,
    QueryCon,
)
from improto.http import HttpResponse
from improto.transports._signals import POLL_PATH as POLL_PATH
from improto.transports._signals import (
    Post,
    read_frame,
    read_post,
    write_connack,
    write_delivery,
    write_disconnect,
    write_puback,
    write_queryack,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto.config import Limits, Timing
    from improto.frames import Frame
    from improto.http import HttpRequest
    from improto.transports._signals import ClientFrame

AskerT = TypeVar("AskerT")

_HEADERS: Final = (("Access-Control-Allow-Origin", "*"), ("Cache-Control", "no-store"))
"""Any page may read it (http 2.4), and each answer is good once."""

_LAST_ID: Final = 32_767
"""Ids of our own for requests; those above are for copies (session 6)."""

_HIGHEST_SECOND: Final = 0xFFFF_FFFF


def lost_params() -> HttpResponse:
    """There is no such session: SDK 2.5.3 knows it by the text, newer ones by the status 400
    (http 5.4)."""
    headers = (("Content-Type", "text/plain; charset=utf-8"), *_HEADERS)
    return HttpResponse(status=HTTPStatus.BAD_REQUEST, headers=headers, body=b"lost params")


def refused(status: ConnAckStatus) -> HttpResponse:
    """No session: the answer to a connect with a CONNACK status other than 0 (http 5.1)."""
    return _json(write_connack(ConnAck(status=status), session_id=""))


@dataclass(slots=True, kw_only=True)
class _Asked(Generic[AskerT]):
    """A request of the client that is not answered yet."""

    post: Post
    asker: AskerT | None
    """Whose POST it was; None: the answer goes into a poll."""
    answer_by: float


class PollingSession(Generic[AskerT]):
    """One session, from the connect on; ``asker`` is whose request opens it.

    ``session_id`` names it and must be one that nobody guesses; ``disconnect_header`` is
    :attr:`improto.profiles.Profile.polling_disconnect`. Take ``frames`` for the connection and
    ``answers`` for the askers after each input.
    """

    def __init__(
        self,
        asker: AskerT,
        *,
        session_id: str,
        disconnect_header: int,
        limits: Limits,
        timing: Timing,
    ) -> None:
        self.session_id = session_id
        self.is_over = False
        """Nothing of it can be asked for any more."""
        self._disconnect_header = disconnect_header
        self._limits = limits
        self._timing = timing
        self._connecting: AskerT | None = asker
        self._poller: AskerT | None = None
        self._poll_by = 0.0
        self._absent_by: float | None = None
        self._asked: dict[MessageId, _Asked[AskerT]] = {}
        self._last_id = 0
        self._waiting: list[str] = []
        self._waiting_bytes = 0
        self._is_dismissed = False
        self._is_ending = False
        self._clock_offset = 0.0
        self._frames: deque[ClientFrame] = deque()
        self._answers: deque[tuple[AskerT, HttpResponse]] = deque()

    # -- inputs ----------------------------------------------------------------------

    def poll(self, asker: AskerT, *, now: float) -> None:
        """The client waits for signals."""
        if self.is_over:
            self._answers.append((asker, lost_params()))
            return
        if self._poller is not None:
            self._answers.append((self._poller, _json("[]")))
        self._poller, self._poll_by, self._absent_by = asker, now + self._timing.poll, None
        if not self._is_ending:
            # Whoever asks again has got the answer to the last poll; and it is a sign of life.
            self._frames.append(DeliveryAck(message_id=MessageId(0)))
        self._answer_poll(now)

    def post(self, asker: AskerT, request: HttpRequest, *, now: float) -> None:
        """The client sends a frame."""
        post = read_post(request.query)
        if post is None or self.is_over or self._is_ending:
            self._answers.append((asker, lost_params()))
        elif post.type in _ASKING and len(self._asked) >= self._limits.requests_in_flight:
            self._refuse(asker, post, ErrorCode.SEND_FREQUENCY_TOO_FAST, now)
        elif post.type in _ASKING and self._is_too_long(post):
            self._refuse(asker, post, ErrorCode.BIZ_ERROR_INVALID_PARAMETER, now)
        else:
            self._read(asker, post, request.body, now)

    def forget(self, asker: AskerT, *, now: float) -> bool:
        """The asker is gone before it was answered. True if that is the end: it was connecting."""
        if asker is self._poller:
            self._poller = None
            self._absent_by = now + self._timing.poll_absence
        for asked in self._asked.values():
            if asked.asker is asker:
                asked.asker = None
        return asker is self._connecting

    def send_frames(self, frames: Iterable[Frame], *, now: float) -> None:
        """Frames for the client. Raises DecodeError if the data of one is not its payload."""
        for frame in frames:
            self._send(frame, now)
        self._answer_poll(now)

    def close(self, *, now: float) -> None:
        """The connection has ended. A DISCONNECT is still handed out to the next poll."""
        if self._connecting is not None:
            self._answers.append((self._connecting, refused(ConnAckStatus.SERVER_UNAVAILABLE)))
            self._connecting = None
        for asked in self._asked.values():
            if asked.asker is not None:
                self._answers.append((asked.asker, lost_params()))
        self._asked.clear()
        self._is_ending = True
        if not self._is_dismissed or not self._waiting:
            self._end()

    def handle_timeout(self, *, now: float) -> None:
        """Time has passed; may come early, late or twice."""
        for asked in self._asked.values():
            if asked.asker is not None and asked.answer_by <= now:
                self._answers.append((asked.asker, _json("[]")))
                asked.asker = None
        if self._poller is not None and self._poll_by <= now:
            self._hand_out(self._poller, now)
        if self._is_ending and self.is_absent(now=now):
            self._end()

    # -- outputs ---------------------------------------------------------------------

    def next_frame(self) -> ClientFrame | None:
        """The oldest frame of the client; None if there is none now."""
        return self._frames.popleft() if self._frames else None

    def next_answer(self) -> tuple[AskerT, HttpResponse] | None:
        """An asker and the answer to it; None if there is none now."""
        return self._answers.popleft() if self._answers else None

    def next_deadline(self) -> float | None:
        """When :meth:`handle_timeout` is due, or :meth:`is_absent` may be True."""
        deadlines = [asked.answer_by for asked in self._asked.values() if asked.asker is not None]
        if self._poller is not None:
            deadlines.append(self._poll_by)
        if self._absent_by is not None:
            deadlines.append(self._absent_by)
        return min(deadlines, default=None)

    def is_absent(self, *, now: float) -> bool:
        """Whether the client has not polled for so long that it is gone (http 5.5)."""
        return self._absent_by is not None and self._absent_by <= now

    @property
    def is_congested(self) -> bool:
        """More waits for the client than ``limits.outbound_bytes``."""
        return self._waiting_bytes > self._limits.outbound_bytes

    # -- frames of the client --------------------------------------------------------

    def _is_too_long(self, post: Post) -> bool:
        """Whether a WebSocket could not carry it: whoever is told of it may have one."""
        limit = self._limits.string_bytes
        return any(len(text.encode()) > limit for text in (post.topic, post.target_id))

    def _read(self, asker: AskerT, post: Post, body: bytes, now: float) -> None:
        message_id = self._new_id()
        try:
            frame = read_frame(post, body, message_id)
        except UnexpectedFrame:
            self._answers.append((asker, lost_params()))
            return
        except DecodeError:
            self._refuse(asker, post, ErrorCode.BIZ_ERROR_INVALID_PARAMETER, now)
            return
        self._frames.append(frame)
        if isinstance(frame, DeliveryAck | QueryCon):
            self._answers.append((asker, _json("[]")))
        else:
            self._asked[message_id] = _Asked(
                post=post, asker=asker, answer_by=now + self._timing.poll
            )

    def _refuse(self, asker: AskerT, post: Post, status: ErrorCode, now: float) -> None:
        """Answer a request that the connection does not see."""
        time = min(max(0, int((now + self._clock_offset) * 1000)), _HIGHEST_SECOND * 1000)
        seconds, milliseconds = divmod(time, 1000)
        if post.type == FrameType.QUERY:
            ack = QueryAck(message_id=MessageId(0), date=seconds, status=status, data=b"")
            text = write_queryack(ack, post.message_id, post.topic)
        else:
            text = write_puback(
                PubAck(
                    message_id=MessageId(0),
                    date=seconds,
                    millisecond=milliseconds,
                    status=status,
                    uid=MessageUid(""),
                ),
                post.message_id,
            )
        self._answers.append((asker, _json(f"[{text}]")))

    def _new_id(self) -> MessageId:
        # There is a free one: fewer than LARGEST_WINDOW requests wait.
        while True:
            self._last_id = self._last_id % _LAST_ID + 1
            if self._last_id not in self._asked:
                return MessageId(self._last_id)

    # -- frames for the client -------------------------------------------------------

    def _send(self, frame: Frame, now: float) -> None:
        match frame:
            case ConnAck():
                self._answer_connect(frame, now)
            case PubAck() | QueryAck():
                self._answer_request(frame)
            case Delivery():
                self._wait(write_delivery(frame))
            case Disconnect():
                self._is_dismissed = True
                self._wait(write_disconnect(frame, self._disconnect_header))
            case _:
                """There is no heartbeat (http 5.7), and a server sends nothing else."""

    def _answer_connect(self, frame: ConnAck, now: float) -> None:
        text = write_connack(frame, session_id=self.session_id)
        if self._connecting is not None:
            self._answers.append((self._connecting, _json(text)))
        self._connecting = None
        if frame.timestamp is not None:
            self._clock_offset = frame.timestamp / 1000 - now
        self._absent_by = now + self._timing.poll_absence

    def _answer_request(self, frame: PubAck | QueryAck) -> None:
        asked = self._asked.get(frame.message_id)
        # Without a question it belongs to a copy, which has an id of its own.
        message_id = frame.message_id if asked is None else asked.post.message_id
        if isinstance(frame, PubAck):
            text = write_puback(frame, message_id)
        else:
            text = write_queryack(frame, message_id, "" if asked is None else asked.post.topic)
        self._asked.pop(frame.message_id, None)
        if asked is None or asked.asker is None:
            self._wait(text)
        else:
            self._answers.append((asked.asker, _json(f"[{text}]")))

    def _wait(self, signal: str) -> None:
        self._waiting.append(signal)
        # In characters it could be four times as much as it seems.
        self._waiting_bytes += len(signal.encode())

    def _answer_poll(self, now: float) -> None:
        if self._poller is not None and self._waiting:
            self._hand_out(self._poller, now)

    def _hand_out(self, poller: AskerT, now: float) -> None:
        self._answers.append((poller, _json(f"[{','.join(self._waiting)}]")))
        self._waiting, self._waiting_bytes = [], 0
        self._poller = None
        self._absent_by = now + self._timing.poll_absence
        if self._is_ending:
            self._end()

    def _end(self) -> None:
        self.is_over = True
        self._absent_by = None
        if self._poller is not None:
            self._answers.append((self._poller, lost_params()))
            self._poller = None


def _json(text: str) -> HttpResponse:
    headers = (("Content-Type", "application/json; charset=utf-8"), *_HEADERS)
    return HttpResponse(status=HTTPStatus.OK, headers=headers, body=text.encode())


_ASKING: Final = frozenset({FrameType.PUBLISH, FrameType.QUERY})
"""Frames that are answered."""
