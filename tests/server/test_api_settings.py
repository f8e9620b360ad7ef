"""Settings of users over the REST API (rest 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.operations import Topic
from tests.server.api_tools import ApiRig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client

SDK_5 = "5.42.0"

MUTED: dict[str, Any] = {"conversationType": 3, "requestId": "alice", "targetId": "g"}


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    return ApiRig(tmp_path)


def test_a_conversation_is_muted(rig: ApiRig) -> None:
    for muted in (1, 0):
        rig.ask("/conversation/notification/set", **MUTED, isMuted=muted)
        assert rig.ask("/conversation/notification/get", **MUTED) == {"isMuted": muted}
        other = {**MUTED, "requestId": "bob"}
        assert rig.ask("/conversation/notification/get", **other) == {"isMuted": 0}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"conversationType": 4}, 1002),
        ({"conversationType": 9}, 1502),
        ({"targetId": "~g"}, 1002),
        ({"targetId": "g" * 65}, 1005),
        ({"requestId": ""}, 1002),
        ({"isMuted": 2}, 1502),
        ({"isMuted": ""}, 1002),
    ],
)
def test_what_is_refused(rig: ApiRig, change: dict[str, Any], code: int) -> None:
    fields = {**MUTED, "isMuted": 1, **change}
    assert rig.code("/conversation/notification/set", **fields) == code
    assert rig.ask("/conversation/notification/get", **MUTED) == {"isMuted": 0}


# -- what devices see of it --------------------------------------------------------------


def settings_of(client: Client) -> list[tuple[int, str, int, str]]:
    """Type, target, kind and value of each, as a device of SDK 5 reads them."""
    found = client.ask(Topic.PULL_SE_ATTS, payloads.SessionReq(time=0), payloads.SessionStates)
    return sorted(
        (state.type, state.channelId, entry.sessionStateType, entry.value)
        for state in found.state
        for entry in state.stateItem
    )


def test_how_loud_a_conversation_is(rig: ApiRig) -> None:
    rig.ask("/conversation/notification/set", **MUTED, isMuted=0, unpushLevel=5)
    assert rig.ask("/conversation/notification/get", **MUTED) == {"isMuted": 1}
    assert settings_of(rig.online("alice", SDK_5)) == [(3, "g", 1, "5")]
    fields = {**MUTED, "isMuted": 0}
    assert rig.code("/conversation/notification/set", **fields, unpushLevel=6) == 1502


def test_how_loud_a_type_is(rig: ApiRig) -> None:
    groups = {"conversationType": 3, "requestId": "alice"}
    assert rig.ask("/conversation/type/notification/get", **groups) == {"isMuted": 0}
    rig.ask("/conversation/type/notification/set", **groups, unpushLevel=-1)
    rig.ask(
        "/conversation/type/notification/set", **{**groups, "conversationType": 1}, unpushLevel=5
    )
    assert rig.ask("/conversation/type/notification/get", **groups) == {"isMuted": -1}
    assert settings_of(rig.online("alice", SDK_5)) == [(1, "", 1, "5"), (3, "", 1, "-1")]
    rooms = {**groups, "conversationType": 4}
    assert rig.code("/conversation/type/notification/set", **rooms, unpushLevel=1) == 1002
    assert rig.code("/conversation/type/notification/set", **groups) == 1002


def test_a_conversation_on_top(rig: ApiRig) -> None:
    alice = rig.online("alice", SDK_5)
    bob = {"userId": "alice", "conversationType": 1, "targetId": "bob"}
    for is_top in ("True", "0"):
        rig.ask("/conversation/top/set", **bob, setTop=is_top)
        assert settings_of(alice) == [(1, "bob", 2, str(int(is_top == "True")))]
    assert rig.code("/conversation/top/set", **bob) == 1002
    assert rig.code("/conversation/top/set", **bob, setTop="undefined") == 1501


def test_quiet_hours(rig: ApiRig) -> None:
    alice = rig.online("alice", SDK_5)
    rig.ask("/user/blockPushPeriod/set", userId="alice", startTime="23:30:00", period=600)
    assert rig.ask("/user/blockPushPeriod/get", userId="alice") == {
        "data": {"startTime": "23:30:00", "period": 600, "unPushLevel": 1}
    }
    asked = payloads.QueryUnpushPeriodInput(nothing=1)
    found = alice.ask(Topic.QRY_UNPUSH, asked, payloads.QueryUnpushPeriodOutput)
    assert (found.isUnpush, found.startTime, found.spanMinutes, found.level) == (
        1,
        "23:30:00",
        600,
        1,
    )
    rig.ask("/user/blockPushPeriod/delete", userId="alice")
    assert rig.ask("/user/blockPushPeriod/get", userId="alice") == {"data": {}}
    assert alice.ask(Topic.QRY_UNPUSH, asked, payloads.QueryUnpushPeriodOutput).isUnpush == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"startTime": "24:00:00"}, 1002),
        ({"startTime": "7:00:00"}, 1002),
        ({"startTime": ""}, 1002),
        ({"period": 0}, 1502),
        ({"period": 1440}, 1502),
        ({"level": 2}, 1002),
    ],
)
def test_quiet_hours_that_cannot_be(rig: ApiRig, change: dict[str, Any], code: int) -> None:
    fields = {"userId": "alice", "startTime": "07:00:00", "period": 60, **change}
    assert rig.code("/user/blockPushPeriod/set", **fields) == code
    assert rig.ask("/user/blockPushPeriod/get", userId="alice") == {"data": {}}
