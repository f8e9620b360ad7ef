"""What tests of chatrooms ask and say."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from improto import payloads
from improto.frames import Delivery, PubAck, QueryAck
from improto.operations import Topic
from improto_server.store import StoreError

if TYPE_CHECKING:
    from tests.server.rig import Client

M = TypeVar("M", bound=payloads.Message)

ROOM = "room"

BROKEN = StoreError("the disk is full")

PRESENT = payloads.ChrmInput(nothing=1)


def status(client: Client, topic: str, request: payloads.Message, *, room: str = ROOM) -> int:
    """Ask about a room; returns the status of the answer. What else has come is lost."""
    return answer(client, topic, request, room=room).status


def answer(client: Client, topic: str, request: payloads.Message, *, room: str = ROOM) -> QueryAck:
    message_id = client.query(topic, request, target=room)
    client.rig.settle()
    (found,) = client.answers(message_id)
    return found


def ask(
    client: Client, topic: str, request: payloads.Message, reply: type[M], *, room: str = ROOM
) -> M:
    """Ask about a room and get a good answer."""
    found = answer(client, topic, request, room=room)
    assert found.status == 0
    return payloads.decode(reply, found.data)


def join(client: Client, *, room: str = ROOM) -> int:
    """Come in; returns the time of the reply."""
    reply = ask(client, Topic.JOIN_CHRM, PRESENT, payloads.ChrmOutput, room=room)
    assert reply.nothing == 1
    return reply.joinTime


def leave(client: Client, *, room: str = ROOM) -> None:
    """Go."""
    assert ask(client, Topic.EXIT_CHRM, PRESENT, payloads.ChrmOutput, room=room).nothing == 1


def pull(
    client: Client, time: int = 0, count: int = 10, *, room: str = ROOM
) -> payloads.DownStreamMessages:
    """Ask for messages; the page is never cut."""
    request = payloads.ChrmPullMsg(syncTime=time, count=count)
    page = ask(client, Topic.CHRM_PULL, request, payloads.DownStreamMessages, room=room)
    assert page.finished
    assert page.syncTime >= time
    return page


def texts(page: payloads.DownStreamMessages) -> list[str]:
    return [item.content.decode() for item in page.list]


def say(client: Client, text: str = "hello", *, room: str = ROOM, name: str = "RC:TxtMsg") -> int:
    """Send a message; returns the status, 0 if all is well."""
    message_id = client.publish(room, text, topic=Topic.CHAT_MSG, name=name)
    client.rig.settle()
    (ack,) = [
        frame
        for frame in client.frames()
        if isinstance(frame, PubAck) and frame.message_id == message_id
    ]
    return ack.status


def members(client: Client, *, room: str = ROOM) -> list[str]:
    """Who is in, as far as it is told; the oldest first."""
    request = payloads.QueryChatroomInfoInput(count=20, order=1)
    reply = ask(client, Topic.QUERY_CHRM_I, request, payloads.QueryChatroomInfoOutput, room=room)
    assert len(reply.userInfos) == min(20, reply.userTotalNums)
    return [info.id for info in reply.userInfos]


def notices(client: Client, topic: str) -> list[tuple[int, int, str]]:
    """Type, time and room of what has come on ``s_ntf`` or ``s_cmd``; the rest is lost."""
    found = [
        payloads.decode(payloads.NotifyMsg, frame.data)
        for frame in client.frames()
        if isinstance(frame, Delivery) and frame.topic == topic
    ]
    return [(each.type, each.time, each.chrmId) for each in found]


def entry(key: str, value: str = "", bits: int = 0) -> payloads.ChrmKVEntity:
    return payloads.ChrmKVEntity(key=key, value=value, status=bits)


def put(client: Client, key: str, value: str = "v", bits: int = 0, *, room: str = ROOM) -> int:
    """Set a key; returns the status."""
    request = payloads.SetChrmKV(entry=entry(key, value, bits))
    return status(client, Topic.SET_KV, request, room=room)


def drop(client: Client, key: str, bits: int = 4, *, room: str = ROOM) -> int:
    """Delete a key; returns the status."""
    request = payloads.SetChrmKV(entry=entry(key, "", bits))
    return status(client, Topic.DEL_KV, request, room=room)


def pull_keys(client: Client, time: int = 0, *, room: str = ROOM) -> payloads.ChrmKVOutput:
    request = payloads.QueryChrmKV(timestamp=time)
    return ask(client, Topic.PULL_KV, request, payloads.ChrmKVOutput, room=room)


def keys(client: Client, *, room: str = ROOM) -> dict[str, str]:
    """All keys of a room."""
    reply = pull_keys(client, room=room)
    assert reply.bFullUpdate
    return {each.key: each.value for each in reply.entries}
