"""Frames as long polling carries them: URLs with a body to the server, JSON to the client (http 5).

A signal is a frame in another encoding. Its payload is JSON as well, so whoever reads or writes one
has to know which message its topic carries; for an answer that is the topic of the question.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from improto import payloads
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
    Publish,
    Qos,
    Query,
    QueryAck,
    QueryCon,
    TimeMs,
)
from improto.http import HttpRequest
from improto.login import PATH
from improto.operations import Signal, find
from improto.transports._payload_json import covers, dump, from_json, load, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from improto.payloads import Message

POLL_PATH: Final = "/pullmsg.js"
"""Where a client waits for signals (http 5.2)."""

_LONGEST_NUMBER: Final = 15
"""Digits: all of them are below 2^53, which is where numbers of JavaScript end."""

_HIGHEST_ID: Final = 0xFFFF
"""Of a frame (wire 3); only SDKs count on, and we are none."""

_QOS_SHIFT: Final = 1
_DUP: Final = 0b1000
_RETAIN: Final = 0b0001

_EMPTY: Final = b"{}"
"""The body of what says all in its URL, as the newer SDKs send it."""

ClientFrame: TypeAlias = "Publish | Query | DeliveryAck | QueryCon"
"""What a client posts."""

ServerFrame: TypeAlias = "ConnAck | Delivery | PubAck | QueryAck | Disconnect"
"""What a server answers a connect, a poll or a post with."""


# --- Client to server ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What the URL of a POST says (http 5.3)."""

    session_id: str
    message_id: int
    """Any number: the newer SDKs count on beyond 65535 (session 6)."""
    header: int
    """The header byte."""
    topic: str
    target_id: str

    @property
    def type(self) -> int:
        """Which frame it is, known or not."""
        return self.header >> 4

    @property
    def qos(self) -> Qos:
        """Its quality of service, with which a query is answered."""
        return Qos(self.header >> _QOS_SHIFT & 0b11)


def read_post(query: Mapping[str, str]) -> Post | None:
    """Read a POST's URL; None if a parameter is missing, or a number is none (http 5.4)."""
    numbers = [query.get(name, "") for name in ("messageid", "header")]
    if not query.get("sessionid") or not all(map(_is_number, numbers)):
        return None
    message_id, header = map(int, numbers)
    is_request = header >> 4 in _REQUESTS
    if header > 0xFF or (is_request and not {"topic", "targetid"} <= query.keys()):
        return None
    return Post(
        session_id=query["sessionid"],
        message_id=message_id,
        header=header,
        topic=query.get("topic", ""),
        target_id=query.get("targetid", ""),
    )


def read_frame(post: Post, body: bytes, message_id: MessageId) -> ClientFrame:
    """The frame of a POST, under an id that fits into one.

    Raises DecodeError if the body is not the topic's payload, and UnexpectedFrame for a frame that
    nobody posts.
    """
    flags: dict[str, Any] = {
        "qos": post.qos,
        "dup": bool(post.header & _DUP),
        "retain": bool(post.header & _RETAIN),
        "message_id": message_id,
    }
    if post.type == FrameType.PUBACK:
        return DeliveryAck(**flags)
    if post.type == FrameType.QUERYCON:
        return QueryCon(**flags)
    kind = _REQUESTS.get(post.type)
    if kind is None:
        raise UnexpectedFrame(f"nobody posts frames of type {post.type}")
    data = _read_request(post.topic, _SIGNALS[kind], body)
    return kind(topic=post.topic, target_id=post.target_id, data=data, **flags)


def write_post(frame: ClientFrame, *, session_id: str, page_id: str) -> HttpRequest:
    """The POST for a frame, as the newer SDKs write it.

    Topic and target are percent-encoded, though, which every server undoes. Raises DecodeError if
    the data is not the topic's payload.
    """
    type = _CLIENT_TYPES[frame.__class__]
    query = {
        "messageid": str(frame.message_id),
        "header": str(_header(type, frame.qos, frame.dup, frame.retain)),
        "sessionid": session_id,
    }
    body = _EMPTY
    if isinstance(frame, Publish | Query):
        query |= {"topic": frame.topic, "targetid": frame.target_id}
        kind = _request_kind(frame.topic, _SIGNALS[frame.__class__])
        body = _write_data(kind, frame.data).encode()
    target = f"{PATH}?{urlencode(query | {'pid': page_id}, quote_via=quote)}"
    headers = (("Content-Type", "text/plain; charset=utf-8"),)
    return HttpRequest(method="POST", target=target, headers=headers, body=body)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER


def _read_request(topic: str, signal: Signal, body: bytes) -> bytes:
    """The payload as protobuf; nothing for a topic without one, whose answer is a refusal."""
    operation = find(topic, signal)
    values = load(body)
    if operation is None or operation.request is None:
        return b""
    kinds = (operation.request, *operation.request_aliases)
    known = (kind for kind in kinds if isinstance(values, dict) and covers(kind, values))
    message = from_json(next(known, operation.request), values)
    # What is missing is the program's to complain about, as it is over WebSocket.
    return message.SerializePartialToString()


def _request_kind(topic: str, signal: Signal) -> type[Message] | None:
    operation = find(topic, signal)
    return operation.request if operation is not None else None


# --- Server to client ---------------------------------------------------------------------------


def write_connack(frame: ConnAck, *, session_id: str) -> str:
    """The answer to a connect: an object, and the only one that is no array (http 5.1).

    ``session_id`` stands in for that of the frame.
    """
    values: dict[str, object] = {"status": frame.status}
    if frame.user_id is not None:
        values["userId"] = frame.user_id
    values |= {"headerCode": _header(FrameType.CONNACK, frame.qos), "messageId": 0}
    if frame.session_id is not None:
        values["sessionid"] = session_id
    if frame.timestamp is not None:
        values["timestamp"] = frame.timestamp
    return dump(values)


def write_delivery(frame: Delivery) -> str:
    """A PUBLISH. Raises DecodeError if its data is not the topic's payload."""
    values = {
        "headerCode": _header(FrameType.PUBLISH, frame.qos, frame.is_sync, frame.retain),
        "topic": frame.topic,
        "targetId": frame.target_id,
        "messageId": frame.message_id,
        "date": frame.date,
        "data": _write_data(_request_kind(frame.topic, Signal.PUBLISH), frame.data),
    }
    return dump(values)


def write_puback(frame: PubAck, message_id: int) -> str:
    """A PUBACK, under the id that the client knows."""
    values = {
        "headerCode": _header(FrameType.PUBACK, frame.qos, frame.dup, frame.retain),
        "messageId": message_id,
        "status": frame.status,
        "timestamp": frame.timestamp,
        "messageUId": frame.uid,
    }
    return dump(values)


def write_queryack(frame: QueryAck, message_id: int, topic: str) -> str:
    """A QUERYACK to a question of that topic, under the id that the client knows.

    Raises DecodeError if its data is not the topic's reply.
    """
    values: dict[str, object] = {
        "headerCode": _header(FrameType.QUERYACK, frame.qos, frame.dup, frame.retain),
        "messageId": message_id,
        "status": frame.status,
        "date": frame.date,
    }
    kind = reply_kind(topic)
    # A reply in which nothing is set has no bytes either, but it is a reply.
    if kind is not None and (frame.data or (frame.status == 0 and kind().IsInitialized())):
        values["data"] = _write_data(kind, frame.data)
    return dump(values)


def write_disconnect(frame: Disconnect, header: int) -> str:
    """A DISCONNECT. ``header`` is how this client spells its header byte, 224 or -32 (http 5.7);
    it must not come last."""
    return dump({"headerCode": header, "messageId": 0, "status": frame.status})


def read_connack(body: bytes) -> ConnAck:
    """The answer to a connect. Raises DecodeError."""
    frame = _read_signal(load(body), _unknown)
    if not isinstance(frame, ConnAck):
        raise DecodeError("a connect is answered by a CONNACK", offset=0)
    return frame


def read_signals(
    body: bytes, reply_kind: Callable[[MessageId], type[Message] | None]
) -> list[ServerFrame]:
    """The frames of the answer to a poll or a POST, in order. Raises DecodeError.

    ``reply_kind`` says what the answer to a request of ours carries; None: nobody knows.
    """
    signals = load(body)
    if not isinstance(signals, list):
        raise DecodeError("no array of signals", offset=0)
    return [_read_signal(signal, reply_kind) for signal in signals]


def reply_kind(topic: str) -> type[Message] | None:
    """The payload that answers a QUERY of this topic."""
    operation = find(topic, Signal.QUERY)
    return operation.reply if operation is not None else None


def _read_signal(
    values: object, reply_kind: Callable[[MessageId], type[Message] | None]
) -> ServerFrame:
    if not isinstance(values, dict):
        raise DecodeError("a signal is no JSON object", offset=0)
    read = _Members(values)
    header = read.number("headerCode") & 0xFF
    qos = Qos(header >> _QOS_SHIFT & 0b11)
    dup, retain = bool(header & _DUP), bool(header & _RETAIN)
    match header >> 4:
        case FrameType.CONNACK:
            has_time = "timestamp" in values
            return ConnAck(
                status=read.number("status"),
                user_id=read.text("userId") if "userId" in values else None,
                session_id=read.text("sessionid") if "sessionid" in values else None,
                timestamp=TimeMs(read.number("timestamp")) if has_time else None,
                qos=qos,
                dup=dup,
                retain=retain,
            )
        case FrameType.PUBLISH:
            topic = read.text("topic")
            return Delivery(
                date=read.number("date"),
                topic=topic,
                target_id=read.text("targetId"),
                message_id=read.message_id,
                data=_read_data(_request_kind(topic, Signal.PUBLISH), read.text("data")),
                qos=qos,
                is_sync=dup,
                retain=retain,
            )
        case FrameType.PUBACK:
            time = read.number("timestamp")
            return PubAck(
                message_id=read.message_id,
                date=time // 1000,
                millisecond=time % 1000,
                status=read.number("status"),
                uid=MessageUid(read.text("messageUId")),
                qos=qos,
                dup=dup,
                retain=retain,
            )
        case FrameType.QUERYACK:
            message_id, data = read.message_id, b""
            if "data" in values:
                data = _read_data(reply_kind(message_id), read.text("data"))
            return QueryAck(
                message_id=message_id,
                date=read.number("date"),
                status=read.number("status"),
                data=data,
                qos=qos,
                dup=dup,
                retain=retain,
            )
        case FrameType.DISCONNECT:
            return Disconnect(status=read.number("status"), qos=qos, dup=dup, retain=retain)
    raise DecodeError(f"a server never sends header {header}", offset=0)


class _Members:
    """The members of a signal, by type; DecodeError if one is missing or of another type."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def number(self, name: str) -> int:
        value = self._values.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise DecodeError(f"{name} is no integer", offset=0)
        return value

    def text(self, name: str) -> str:
        value = self._values.get(name)
        if not isinstance(value, str):
            raise DecodeError(f"{name} is no text", offset=0)
        # Half an emoji must not cost a whole frame (wire 7, rule 4).
        return value.encode("utf-8", "replace").decode()

    @property
    def message_id(self) -> MessageId:
        value = self.number("messageId")
        if not 0 <= value <= _HIGHEST_ID:
            raise DecodeError(f"messageId is no number of 16 bits: {value}", offset=0)
        return MessageId(value)


# --- Both ways ----------------------------------------------------------------------------------


def _unknown(message_id: MessageId) -> None:
    """Nothing was asked before the answer to a connect."""


def _header(
    type: FrameType, qos: Qos = Qos.AT_MOST_ONCE, dup: bool = False, retain: bool = False
) -> int:
    return type << 4 | dup << 3 | qos << _QOS_SHIFT | retain


def _write_data(kind: type[Message] | None, data: bytes) -> str:
    return dump(to_json(payloads.decode(kind, data)) if kind is not None else {})


def _read_data(kind: type[Message] | None, text: str) -> bytes:
    values = load(text)
    return from_json(kind, values).SerializePartialToString() if kind is not None else b""


_REQUESTS: Final[Mapping[int, type[Publish | Query]]] = MappingProxyType(
    {FrameType.PUBLISH: Publish, FrameType.QUERY: Query}
)
_SIGNALS: Final[Mapping[type, Signal]] = {Publish: Signal.PUBLISH, Query: Signal.QUERY}
_CLIENT_TYPES: Final[Mapping[type, FrameType]] = {
    Publish: FrameType.PUBLISH,
    Query: FrameType.QUERY,
    DeliveryAck: FrameType.PUBACK,
    QueryCon: FrameType.QUERYCON,
}
