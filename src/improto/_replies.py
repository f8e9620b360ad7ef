"""Pulls as a server reads them, replies as it writes them.

A message is encoded once, when it is stored; a page joins stored bytes (architecture 2,
rule 5). That works because a repeated field is nothing but its items one after the
other, each with its tag and length in front.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import NotifyType
from improto.errors import DecodeError, EncodeError
from improto.events import PullReceived
from improto.frames import Delivery, MessageId, MessageUid, PubAck, QueryAck, TimeMs
from improto.operations import Topic
from improto.profiles import reads_bare_pages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto.frames import Qos, Query

_LIST_TAG: Final = b"\x0a"
"""Field 1, length-delimited: ``list`` of DownStreamMessages, ChrmDownStreamMessages and
HistoryMsgOuput."""


def puback(message_id: MessageId, timestamp: TimeMs, *, status: int = 0, uid: str = "") -> PubAck:
    """The answer to a PUBLISH (wire 4.4)."""
    return PubAck(
        message_id=message_id,
        date=timestamp // 1000,
        status=status,
        millisecond=timestamp % 1000,
        uid=MessageUid(uid),
    )


def queryack(
    message_id: MessageId, timestamp: TimeMs, *, qos: Qos, status: int = 0, data: bytes = b""
) -> QueryAck:
    """The answer to a QUERY, with the QoS of the QUERY (wire 4.6, 9)."""
    return QueryAck(
        message_id=message_id, date=timestamp // 1000, status=status, data=data, qos=qos
    )


def join_items(items: Iterable[bytes]) -> bytes:
    """The bytes of a ``list`` field with these encoded DownStreamMessages."""
    parts: list[bytes] = []
    for item in items:
        length = len(item)
        prefix = bytearray()
        while length > 0x7F:
            prefix.append(length & 0x7F | 0x80)
            length >>= 7
        prefix.append(length)
        parts += (_LIST_TAG, bytes(prefix), item)
    return b"".join(parts)


def delivery(
    topic: Topic, payload: bytes, *, target_id: str, timestamp: TimeMs, qos: Qos
) -> Delivery:
    """Something for the client, under the id that can never meet a request (session 6)."""
    return Delivery(
        date=timestamp // 1000,
        topic=topic,
        target_id=target_id,
        message_id=MessageId(0),
        data=payload,
        qos=qos,
    )


def notification(room_id: str | None, time: TimeMs) -> bytes:
    """An encoded NotifyMsg for a room, or for the inbox (session 8.6).

    EncodeError if the room's id is no text or the time no int64.
    """
    kind = NotifyType.INBOX if room_id is None else NotifyType.CHATROOM
    try:
        return payloads.encode(payloads.NotifyMsg(type=kind, time=time, chrmId=room_id))
    except ValueError as error:
        raise EncodeError(f"notification of {room_id!r}, {time!r}: {error}") from error


def page(
    items: Iterable[bytes], sync_time: TimeMs, *, is_finished: bool, is_bare: bool = False
) -> bytes:
    """An encoded DownStreamMessages (session 8.3, rules 4 and 5).

    ``is_bare``: a ChrmDownStreamMessages, where it is not said whether there is more (sdk5 9).
    EncodeError if the time is no int64.
    """
    tail: payloads.Message
    try:
        if is_bare:
            tail = payloads.ChrmDownStreamMessages(syncTime=sync_time)
        else:
            tail = payloads.DownStreamMessages(
                syncTime=sync_time, finished=is_finished, broadcastSyncTime=sync_time
            )
    except ValueError as error:
        raise EncodeError(f"sync_time {sync_time!r}: {error}") from error
    return join_items(items) + payloads.encode(tail)


def read_pull(frame: Query) -> PullReceived | None:
    """The pull that a QUERY asks for; None if it asks for something else.

    DecodeError if the payload cannot be read, or names a room that no payload can name.
    """
    if frame.topic == Topic.PULL_MSG:
        inbox = payloads.decode(payloads.SyncRequestMsg, frame.data)
        has_sent = inbox.HasField("sendBoxSyncTime")
        return PullReceived(
            message_id=frame.message_id,
            sync_time=TimeMs(inbox.syncTime),
            sent_sync_time=TimeMs(inbox.sendBoxSyncTime) if has_sent else None,
        )
    if frame.topic == Topic.CHRM_PULL:
        room = payloads.decode(payloads.ChrmPullMsg, frame.data)
        try:
            frame.target_id.encode()
        except UnicodeEncodeError as error:
            raise DecodeError(f"the target is no text: {error}", offset=0) from error
        return PullReceived(
            message_id=frame.message_id,
            sync_time=TimeMs(room.syncTime),
            room_id=frame.target_id,
            count=room.count,
            is_bare=reads_bare_pages(room),
        )
    return None
