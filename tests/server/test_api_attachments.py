"""What hangs on messages, over the REST API (rest 9.3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto_server.store import recalls
from improto_server.uids import time_of
from tests.server.api_tools import ApiRig
from tests.server.rig import APP
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

SET, DELETE, QUERY = (f"/message/expansion/{name}" for name in ("set", "delete", "query"))
MESSAGE = {"fromUserId": "alice", "objectName": "RC:TxtMsg", "content": '{"content":"x"}'}


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    rig = ApiRig(tmp_path, multi_device=True)
    rig.ask("/group/create", userId=["alice", "bob", "carol"], groupId="g", groupName="G")
    return rig


def say(rig: ApiRig, **changes: Any) -> str:
    """Send bob something that pairs can be attached to; returns its uid."""
    fields = {**MESSAGE, "toUserId": "bob", "expansion": "true", **changes}
    (sent,) = rig.ask("/message/private/publish", **fields)["messageUIDs"]
    uid: str = sent["messageUID"]
    return uid


def say_group(rig: ApiRig) -> str:
    fields = {**MESSAGE, "toGroupId": "g", "expansion": "true"}
    (sent,) = rig.ask("/message/group/publish", **fields)["messageUIDs"]
    uid: str = sent["messageUID"]
    return uid


def about(uid: str, user: str = "alice", target: str = "bob", type: int = 1) -> dict[str, Any]:
    return {"msgUID": uid, "userId": user, "targetId": target, "conversationType": type}


def attached(rig: ApiRig, uid: str) -> dict[str, str]:
    found = rig.ask(QUERY, msgUID=uid)["extraContent"]
    return {key: pair["v"] for key, pair in found.items()}


def heard(client: Any) -> list[dict[str, Any]]:
    """What of attached pairs a device is told."""
    return [
        json.loads(message.content)
        for message in client.pull_all()
        if message.classname == "RC:MsgExMsg"
    ]


def test_pairs_come_and_go(rig: ApiRig) -> None:
    bob = rig.online("bob")
    uid = say(rig, extraContent='{"old":"1"}')
    rig.ask(SET, **about(uid), extraKeyVal='{"new":"2","more":"3"}')
    assert attached(rig, uid) == {"old": "1", "new": "2", "more": "3"}
    # Whoever got the message may do it, too.
    rig.ask(DELETE, **about(uid, "bob", "alice"), extraKey='["old","more","never"]')
    assert attached(rig, uid) == {"new": "2"}
    assert heard(bob) == [{"mid": uid, "put": {"new": "2", "more": "3"}}]


def test_the_query(rig: ApiRig) -> None:
    uid = say(rig, extraContent='{"k":"v"}')
    time = time_of(uid)
    rig.advance(60)
    assert rig.ask(QUERY, msgUID=uid) == {"extraContent": {"k": {"v": "v", "ts": time}}}
    assert rig.ask(QUERY, msgUID=uid, pageNo=2) == {"extraContent": {}}
    assert rig.ask(QUERY, msgUID=say(rig)) == {"extraContent": {}}
    for unknown in ("x", "0000-0000-0000-0000"):
        assert rig.code(QUERY, msgUID=unknown) == 1002
    rig.ask(
        "/message/recall",
        fromUserId="alice",
        conversationType=1,
        targetId="bob",
        messageUID=uid,
        sentTime=time,
    )
    assert rig.code(QUERY, msgUID=uid) == 1002


def test_no_app_sees_what_another_has_attached(rig: ApiRig) -> None:
    uid = say(rig, extraContent='{"k":"v"}')
    assert rig.do(rig.system.expansions.attached(APP, uid)) is not None
    assert rig.do(rig.system.expansions.attached("other", uid)) is None


def test_all_of_a_group_are_told(rig: ApiRig) -> None:
    bob, carol = rig.online("bob"), rig.online("carol")
    uid = say_group(rig)
    rig.ask(SET, **about(uid, target="g", type=3), extraKeyVal='{"k":"v"}')
    for member in (bob, carol):
        assert heard(member) == [{"mid": uid, "put": {"k": "v"}}]


@pytest.mark.parametrize("is_synced", [False, True])
def test_the_user_himself_is_told_if_wanted(rig: ApiRig, is_synced: bool) -> None:
    uid = say(rig)
    alice = rig.online("alice")
    rig.ask(SET, **about(uid), extraKeyVal='{"k":"v"}', isSyncSender=int(is_synced))
    assert len(heard(alice)) == is_synced


def test_what_is_attached_is_read_from_memory_no_more(rig: ApiRig) -> None:
    bob = rig.online("bob")
    uid = say(rig)
    rig.ask(SET, **about(uid), extraKeyVal='{"k":"v"}')
    (message,) = (each for each in bob.pull_all() if each.classname == "RC:TxtMsg")
    assert isinstance(message, payloads.DownStreamMessage)
    assert json.loads(message.extraContent) == {"k": {"v": "v"}}


def test_more_than_a_client_may(rig: ApiRig) -> None:
    uid = say(rig)
    for begin in (0, 100, 200):
        pairs = {f"k{number}": "v" for number in range(begin, begin + 100)}
        rig.ask(SET, **about(uid), extraKeyVal=json.dumps(pairs))
    assert len(attached(rig, uid)) == 300
    assert rig.code(SET, **about(uid), extraKeyVal='{"other":"v"}') == 1502
    assert len(attached(rig, uid)) == 300


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"extraKeyVal": ""}, 1002),
        ({"extraKeyVal": "{}"}, 1002),
        ({"extraKeyVal": "[1]"}, 1002),
        ({"extraKeyVal": '{"k":1}'}, 1002),
        ({"extraKeyVal": '{"no key":"v"}'}, 1002),
        ({"extraKeyVal": json.dumps({f"k{number}": "" for number in range(101)})}, 1502),
        ({"extraKeyVal": json.dumps({"k": "v" * 4097})}, 1005),
        ({"conversationType": 2}, 1002),
        ({"conversationType": 4}, 1502),
        ({"conversationType": ""}, 1002),
        ({"userId": "carol"}, 1002),
        ({"userId": ""}, 1002),
        ({"targetId": "a b"}, 1002),
        ({"targetId": "x" * 65}, 1005),
        ({"msgUID": "x"}, 1002),
        ({"msgUID": "0000-0000-0000-0000"}, 1002),
    ],
)
def test_what_cannot_be_attached(rig: ApiRig, fields: dict[str, Any], code: int) -> None:
    uid = say(rig)
    wanted = {**about(uid), "extraKeyVal": '{"k":"v"}', **fields}
    assert rig.code(SET, **wanted) == code
    assert attached(rig, uid) == {}


def test_some_messages_take_nothing(rig: ApiRig) -> None:
    uid = say(rig, expansion="false")
    assert rig.code(SET, **about(uid), extraKeyVal='{"k":"v"}') == 1002
    assert rig.code(SET, **about(uid, target="g", type=3), extraKeyVal='{"k":"v"}') == 1002


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ("", 1002),
        ("[]", 1002),
        ("{}", 1002),
        ("[1]", 1002),
        ("[" * 5000, 1002),
        ('["no key"]', 1002),
        (json.dumps([f"k{number}" for number in range(101)]), 1502),
    ],
)
def test_what_are_no_keys(rig: ApiRig, keys: str, code: int) -> None:
    uid = say(rig, extraContent='{"k":"v"}')
    assert rig.code(DELETE, **about(uid), extraKey=keys) == code
    assert attached(rig, uid) == {"k": "v"}


def test_no_message_is_searched_for(rig: ApiRig) -> None:
    def look(connection: Connection) -> list[str]:
        with query_plans(connection) as plans:
            recalls.item(connection, app=APP, uid=say_nothing, time=rig.wall)
        return plans

    say_nothing = "0000-0000-0000-0000"

    async def read() -> list[str]:
        return await rig.system.data.read(look)

    plans = rig.do(read())
    assert plans
    assert all(plan.startswith("SEARCH") for plan in plans), plans
