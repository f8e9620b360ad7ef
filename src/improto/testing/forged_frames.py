"""Well-formed frames at the wrong time: what a confused or malicious peer could send.

Bytes of chance are hardly ever a frame that a connection acts on. These name ids that are in
flight, users that exist, and times at both edges of the clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codec import encode
from improto.codes import DisconnectStatus, NotifyType
from improto.frames import (
    ConnAck,
    Connect,
    Delivery,
    Disconnect,
    MessageId,
    MessageUid,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    Query,
    QueryAck,
    QueryCon,
    Role,
    TimeMs,
)
from improto.operations import Topic
from improto.testing.simulation import USER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from improto.frames import Frame

_IDS: Final = tuple(MessageId(number) for number in range(4))
"""Ids of forged frames: 0, and the first few that a client uses."""

_TIMES: Final = tuple(map(TimeMs, (0, 1_700_000_000_500, 2**63 - 1)))
"""Never, soon after the beginning of a simulation, and the end of time."""


def _deliveries(topic: Topic, message: payloads.Message) -> list[Frame]:
    return [
        Delivery(
            date=0,
            topic=topic,
            target_id=USER,
            message_id=_IDS[1],
            data=payloads.encode(message),
            is_sync=is_sync,
        )
        for is_sync in (False, True)
    ]


def _forged_by_server() -> list[Frame]:
    forged: list[Frame] = [
        PingResp(),
        ConnAck(status=0, user_id=USER, session_id="forged", timestamp=_TIMES[1]),
        ConnAck(status=0, user_id="somebody else"),
        ConnAck(status=3),
        *(Disconnect(status=status) for status in DisconnectStatus),
    ]
    for message_id in _IDS:
        for status in (0, 20604):
            forged.append(
                PubAck(
                    message_id=message_id,
                    date=1_700_000_000,
                    status=status,
                    millisecond=1,
                    uid=MessageUid("forged"),
                )
            )
            forged.append(QueryAck(message_id=message_id, date=0, status=status, data=b""))
    for time in _TIMES:
        for kind in (NotifyType.INBOX, NotifyType.CHATROOM):
            forged += _deliveries(Topic.S_NTF, payloads.NotifyMsg(type=kind, time=time))
        page = payloads.DownStreamMessages(syncTime=time, finished=False)
        forged.append(
            QueryAck(message_id=_IDS[1], date=0, status=0, data=payloads.encode(page)),
        )
        message = payloads.DownStreamMessage(
            fromUserId="forger",
            type=1,
            classname="RC:TxtMsg",
            content=b"{}",
            dataTime=time,
            status=0,
        )
        forged += _deliveries(Topic.S_MSG, message)
    return forged


def _forged_by_client() -> list[Frame]:
    forged: list[Frame] = [PingReq(), Disconnect(status=0), Connect(client_id="forged")]
    for message_id in _IDS:
        forged += [
            QueryCon(message_id=message_id),
            Publish(topic=Topic.PP_MSG_P, target_id=USER, message_id=message_id, data=b""),
            Query(topic=Topic.PULL_US, target_id=USER, message_id=message_id, data=b""),
        ]
        for time in _TIMES:
            pull = payloads.SyncRequestMsg(syncTime=time, ispolling=False)
            data = payloads.encode(pull)
            forged.append(
                Query(topic=Topic.PULL_MSG, target_id=USER, message_id=message_id, data=data)
            )
    return forged


FORGED: Final[Mapping[Role, Sequence[bytes]]] = {
    Role.SERVER: tuple(map(encode, _forged_by_server())),
    Role.CLIENT: tuple(map(encode, _forged_by_client())),
}
"""Well-formed messages at the wrong time, by who could have sent them."""
