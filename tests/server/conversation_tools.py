"""What the tests of conversations share: saying something, and asking what is there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from improto import payloads
from improto.codes import ConversationType
from improto.frames import PubAck
from improto.operations import Topic, history_topic
from improto_server.store import Place
from tests.server.rig import APP, sent_at

if TYPE_CHECKING:
    from improto.frames import TimeMs
    from improto.payloads import Message
    from tests.server.rig import Client, Rig

PRIVATE, GROUP, DISCUSSION = (
    ConversationType.PRIVATE,
    ConversationType.GROUP,
    ConversationType.DISCUSSION,
)
BEFORE, AFTER = 0, 1
TEAM = Place(APP, GROUP, "team")

TOPICS = {PRIVATE: Topic.PP_MSG_P, GROUP: Topic.PG_MSG_P, ConversationType.CHATROOM: Topic.CHAT_MSG}


class Said:
    """A message that was sent: what its PUBACK says."""

    def __init__(self, ack: PubAck) -> None:
        self.status = ack.status
        self.uid = ack.uid
        self.time: TimeMs = sent_at(ack)


def make_group(rig: Rig, *members: str, place: Place = TEAM, owner: str = "") -> None:
    """A group or discussion with these members."""
    rig.do(rig.system.rosters.create(place, name="Team", owner=owner))
    rig.do(rig.system.rosters.join(place, members))


def say(
    client: Client,
    target: str,
    content: str | bytes = "{}",
    *,
    type: ConversationType = PRIVATE,
    **options: Any,
) -> Said:
    """Send a message and let a second pass; what else the sender was sent is lost."""
    options.setdefault("topic", TOPICS[type])
    message_id = client.publish(target, content, **options)
    return heard(client, message_id)


def heard(client: Client, message_id: int) -> Said:
    """What became of a message."""
    client.rig.settle()
    (ack,) = (
        frame
        for frame in client.frames()
        if isinstance(frame, PubAck) and frame.message_id == message_id
    )
    client.rig.advance(1)
    return Said(ack)


def recall(
    client: Client, said: Said | str, target: str, *, type: int = PRIVATE, **fields: Any
) -> Said:
    """Take a message back, as the SDKs do."""
    uid = said if isinstance(said, str) else said.uid
    content = {"messageUId": uid, "conversationType": type, "targetId": target, "sentTime": 1}
    message_id = client.publish(
        client.peer.user_id or "",
        json.dumps(content | fields),
        topic=Topic.RECALL_MSG,
        name="RC:RcCmd",
        flags=0,
    )
    return heard(client, message_id)


def status(
    client: Client, topic: Topic, request: Message | bytes = b"", *, target: str | None = None
) -> int:
    """Ask; the status of the answer."""
    message_id = client.query(topic, request, target=target)
    client.rig.settle()
    (answer,) = client.answers(message_id)
    return answer.status


def history(
    client: Client,
    target: str,
    *,
    type: ConversationType = PRIVATE,
    time: int = 0,
    count: int = 20,
    order: int = BEFORE,
) -> payloads.HistoryMsgOuput:
    """A page of history."""
    request = payloads.HistoryMsgInput(targetId=target, time=time, count=count, order=order)
    return client.ask(history_topic(type), request, payloads.HistoryMsgOuput)


def lines(page: payloads.HistoryMsgOuput) -> list[int]:
    """The messages of a page that are numbers."""
    return [int(each.content) for each in page.list]


def conversations(client: Client, count: int = 0, time: int = 0) -> list[payloads.RelationInfo]:
    """The list, as the newer SDKs ask for it."""
    request = payloads.RelationQryInput(count=count, startTime=time)
    return [*client.ask(Topic.QRY_RELATION_R, request, payloads.RelationsOutput).info]


def entries(client: Client) -> list[tuple[str, str, int]]:
    """The list in short: target, content of the newest message, how many are unread."""
    return [
        (each.userId, each.msg.content.decode(), each.unreadCount) for each in conversations(client)
    ]
