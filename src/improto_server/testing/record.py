"""What went over the wire, in words: for the report of a test that has failed.

A :class:`Record` is written by the server's thread and read by any other. Heartbeats and receipts
are left out, because nothing follows from them. What users log in with is not in it.
"""

from __future__ import annotations

import time
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.errors import DecodeError
from improto.frames import ConnAck, Delivery, Disconnect, PubAck, Publish, Query, QueryAck
from improto.operations import Signal, find

if TYPE_CHECKING:
    from improto.frames import Frame
    from improto.payloads import Message

_MOST_LINES: Final = 10_000
"""The oldest go first."""

_LONGEST: Final = 300
"""Characters of a payload."""


class Record:
    """Lines, each with the seconds since the beginning."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._lock = Lock()
        self._began = time.monotonic()

    def write(self, line: str) -> None:
        """Add a line."""
        with self._lock:
            self._lines.append(f"{time.monotonic() - self._began:7.3f} {line}")

    def clear(self) -> None:
        """Forget all lines; the clock goes on."""
        with self._lock:
            self._lines.clear()

    def __str__(self) -> str:
        with self._lock:
            return "\n".join(self._lines)


class Teller:
    """Tells the frames of one connection; answers are read by what was asked."""

    def __init__(self) -> None:
        self._asked: dict[int, type[Message] | None] = {}

    def tell(self, frame: Frame) -> str | None:
        """One line; None for a frame that is left out."""
        match frame:
            case Publish(topic=topic, message_id=number, target_id=target):
                operation = find(topic, Signal.PUBLISH)
                kind = operation.request if operation else None
                return f"{topic} #{number} to {target}: {_show(kind, frame.data)}"
            case Query(topic=topic, message_id=number, target_id=target):
                operation = find(topic, Signal.QUERY)
                self._asked[number] = operation.reply if operation else None
                kind = operation.request if operation else None
                return f"{topic} #{number} to {target}: {_show(kind, frame.data)}"
            case Delivery(topic=topic, target_id=target):
                operation = find(topic, Signal.PUBLISH)
                kind = operation.request if operation else None
                return f"{topic} to {target}: {_show(kind, frame.data)}"
            case QueryAck(message_id=number, status=status):
                kind = self._asked.pop(number, None)
                shown = "" if status else _show(kind, frame.data)
                return f"QUERYACK #{number}: {status} {shown}".rstrip()
            case PubAck(message_id=number, status=status, uid=uid):
                return f"PUBACK #{number}: {status} {uid}".rstrip()
            case ConnAck(status=status):
                return f"CONNACK {status}"
            case Disconnect(status=status):
                return f"DISCONNECT {status}"
        return None


def _show(kind: type[Message] | None, data: bytes) -> str:
    """A payload on one line."""
    if kind is None:
        return f"{len(data)} bytes" if data else ""
    try:
        payload = payloads.decode(kind, data)
    except DecodeError as error:
        return f"{kind.__name__}, unreadable: {error}"
    if isinstance(payload, payloads.UpStreamMessage | payloads.DownStreamMessage):
        text = f"{payload.classname} {payload.content.decode('utf-8', 'backslashreplace')}"
    else:
        text = " ".join(str(payload).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
