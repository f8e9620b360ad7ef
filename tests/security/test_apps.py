"""Two apps on one server, and everybody of the one tries everything on the other.

The names are the same in both: users, groups, rooms, and the uids of messages are those of the app
that is to be kept apart. Then every request that the protocol knows, and every call of the REST
API, is made in the other app. Nothing of what comes back may have been said in the first, nobody
there may hear of it, and every row that it has in the store must still be there as it was.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec
import pytest
from google.protobuf.descriptor import FieldDescriptor

from improto import payloads
from improto.codes import ConnAckStatus
from improto.frames import ConnAck, MessageId, Publish, Qos
from improto.operations import OPERATIONS, Direction, Signal, Topic
from improto_server.api.replies import RefusedError
from improto_server.errors import ServiceError
from tests.server.api_tools import ApiRig
from tests.server.rig import APP, START

if TYPE_CHECKING:
    from pathlib import Path

    from improto.operations import Operation
    from improto_server.api.endpoints import Endpoint
    from tests.server.rig import Client

OTHER: Final = "other"
SECRET: Final = "crimson"
"""In everything that the first app says."""

MOVING: Final = {"reserved"}
"""Tables that belong to no app."""

SDKS: Final = ("4.6.4", "5.38.0")


def filled(rig: ApiRig) -> str:
    """The first app has something of everything; returns the uid of a message."""
    for user in ("alice", "bob", "carol"):
        rig.ask("/user/getToken", userId=user, name=f"{SECRET} {user}", portraitUri=SECRET)
    rig.ask("/group/create", userId=["alice", "bob"], groupId="team", groupName=f"{SECRET} team")
    rig.ask("/chatroom/create", **{"chatroom[room]": f"{SECRET} room"})
    rig.ask("/user/blacklist/add", userId="alice", blackUserId="carol")
    rig.ask("/user/block", userId="carol", minute=10)
    rig.ask("/group/user/gag/add", userId="bob", groupId="team", minute=10)
    rig.ask("/sensitiveword/add", word=f"{SECRET}word", replaceWord="*")
    rig.ask("/chatroom/entry/set", chatroomId="room", userId="alice", key="k", value=SECRET)
    alice = rig.online("alice", "5.38.0")
    text = f'{{"content":"{SECRET}"}}'
    for target, topic in (("bob", Topic.PP_MSG_P), ("team", Topic.PG_MSG_P)):
        alice.publish(target, text, topic=topic, pushText=SECRET, extraContent=SECRET)
        rig.settle()
        (ack,) = alice.frames()
        assert ack.status == 0
    alice.leave()
    rig.settle()
    uid: str = ack.uid
    return uid


def rows(path: Path) -> set[tuple[object, ...]]:
    """All that is in the store."""
    with closing(sqlite3.connect(path / "messages.db")) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name not in MOVING
        ]
        return {
            (table, *row)
            for table in tables
            for row in connection.execute(f"SELECT * FROM {table}")
        }


def request(operation: Operation, text: str, number: int) -> bytes:
    """A payload with everything in it that there can be."""
    if operation.request is None:
        return b""
    message = operation.request()
    fill(message, text, number)
    return payloads.encode(message)


def fill(message: Any, text: str, number: int, depth: int = 0) -> None:
    for field in message.DESCRIPTOR.fields:
        value: Any
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            if depth < 3:
                inner = getattr(message, field.name)
                fill(inner.add() if field.is_repeated else inner, text, number, depth + 1)
                if not field.is_repeated:
                    inner.SetInParent()
            continue
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            is_bytes = field.type == FieldDescriptor.TYPE_BYTES
            value = b'{"content":"blue"}' if is_bytes else text
        elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            value = False
        elif field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
            value = field.enum_type.values[0].number
        else:
            is_time = "time" in field.name.lower()
            value = 0 if is_time else number
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)


def everything_a_client_says(rig: ApiRig, uid: str) -> tuple[bytes, int]:
    """All that comes back to a user of the other app, and how much of it was a good answer."""
    heard, good = [], 0
    for sdk in SDKS:
        client = rig.online("alice", sdk, app=OTHER)
        assert client.closed is None
        for operation in OPERATIONS.values():
            if operation.direction is Direction.SERVER_TO_CLIENT:
                continue
            for text, number in (("alice", 1), ("bob", 1), ("team", 3), ("room", 4), (uid, 1)):
                say(client, operation, text, request(operation, text, number))
                rig.settle()
                for message in client.connection.messages_to_send():
                    heard.append(message)
                    # A QUERYACK whose status is 0.
                    good += message[0] >> 4 == 6 and message[7:9] == b"\x00\x00"
                if client.closed is not None:
                    client = rig.online("alice", sdk, app=OTHER)
        heard += [payloads.encode(page) for page in client.pull_all()]
        client.leave()
    return b"\n".join(heard), good


def say(client: Client, operation: Operation, target: str, data: bytes) -> None:
    if operation.signal is Signal.QUERY:
        client.query(operation.topic, data, target=target)
    else:
        client.send(
            Publish(
                topic=operation.topic,
                target_id=target,
                message_id=MessageId(60_000),
                data=data,
                qos=Qos.AT_LEAST_ONCE,
            )
        )


QUESTION: Final = re.compile("/(get(?!Token)|info|query|list|check|is[A-Z])")

GIVEN: Final = {
    "conversationType": "1",
    "content": '{"content":"blue"}',
    "objectName": "RC:TxtMsg",
    "minute": "1",
    "sentTime": str(START),
    "date": "2023111422",
    "word": "blue",
    "key": "k",
    "value": "blue",
    "time": "1",
    "startTime": "0",
    "endTime": str(START + 1000),
}


def value(name: str, uid: str) -> str:
    """What a parameter with this name means in the first app."""
    lower = name.lower()
    if name in GIVEN:
        return GIVEN[name]
    if "uid" in lower:
        return uid
    if "group" in lower:
        return "team"
    if "room" in lower:
        return "room"
    if "black" in lower or "to" in lower or "target" in lower:
        return "bob"
    if "user" in lower:
        return "alice"
    return "1"


def in_order(rig: ApiRig) -> list[Endpoint]:
    """Questions first; the others change what there is to be asked."""
    return sorted(rig.endpoints.values(), key=lambda each: not QUESTION.search(each.path))


def everything_the_api_says(rig: ApiRig, uid: str) -> tuple[bytes, int]:
    """All that the other app's own server is answered, and how many calls were done."""
    heard, good = [], 0
    for endpoint in in_order(rig):
        try:
            reply = rig.do(endpoint.call(endpoint.read(OTHER, body(endpoint, uid))))
        except (RefusedError, ServiceError) as error:
            heard.append(repr(error).encode())
        else:
            good += 1
            heard.append(repr(reply).encode())
    return b"\n".join(heard), good


def body(endpoint: Endpoint, uid: str) -> bytes:
    if endpoint.is_json:
        found: dict[str, Any] = {}
        for each in endpoint.parameters:
            given = value(each.name, uid)
            found[each.name] = [given] if each.is_list else given
        return msgspec.json.encode(found)
    return "&".join(
        f"{quote(each.name.replace('ID', 'room' if 'room' in each.name else 'team'))}="
        f"{quote(value(each.name, uid))}"
        for each in endpoint.parameters
    ).encode()


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    return ApiRig(tmp_path)


def test_clients(rig: ApiRig, tmp_path: Path) -> None:
    uid = filled(rig)
    before = rows(tmp_path)
    witnesses = [rig.online(user) for user in ("alice", "bob")]
    heard, good = everything_a_client_says(rig, uid)
    assert good > 100, good
    assert SECRET.encode() not in heard
    assert [each.frames() for each in witnesses] == [[], []]
    assert before - rows(tmp_path) == set()


def test_the_api(rig: ApiRig, tmp_path: Path) -> None:
    uid = filled(rig)
    before = rows(tmp_path)
    witnesses = [rig.online(user) for user in ("alice", "bob")]
    heard, good = everything_the_api_says(rig, uid)
    assert good > len(rig.endpoints) // 2
    assert SECRET.encode() not in heard
    assert [each.frames() for each in witnesses] == [[], []]
    assert before - rows(tmp_path) == set()


def test_the_trap_is_set(rig: ApiRig, tmp_path: Path) -> None:
    """The same in the first app finds plenty."""
    uid = filled(rig)
    before = rows(tmp_path)
    found = [
        endpoint.path
        for endpoint in in_order(rig)
        if SECRET in str(rig.post_body(endpoint.path, body(endpoint, uid)))
    ]
    assert len(found) >= 4
    assert before - rows(tmp_path) != set()
    alice = rig.online("bob", "5.38.0")
    history = payloads.HistoryMsgInput(targetId="alice", time=0, count=20, order=1)
    message_id = alice.query(Topic.QRY_P_MSG, history, target="alice")
    rig.settle()
    (answer,) = alice.answers(message_id)
    assert SECRET.encode() in answer.data


def test_who_is_online_is_the_same_secret(rig: ApiRig) -> None:
    rig.online("alice")
    endpoint = rig.endpoints["/user/checkOnline"]
    for app, status in ((APP, "1"), (OTHER, "0")):
        reply = rig.do(endpoint.call(endpoint.read(app, b"userId=alice")))
        assert reply == {"status": status}


def test_a_token_is_good_for_its_own_app(rig: ApiRig) -> None:
    client = rig.client("foreign", app=OTHER)
    (connack,) = client.frames()
    assert isinstance(connack, ConnAck)
    assert connack.status == ConnAckStatus.TOKEN_INCORRECT
