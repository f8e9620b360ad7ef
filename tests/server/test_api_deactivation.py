"""Users who are switched off over the REST API, and on again (rest 9.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto.codes import ConnAckStatus, DisconnectStatus
from improto.frames import ConnAck, Disconnect
from tests.server.api_tools import ApiRig

if TYPE_CHECKING:
    from pathlib import Path

OFF, ON, QUERY = "/user/deactivate", "/user/reactivate", "/user/deactivate/query"


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    return ApiRig(tmp_path)


def login(rig: ApiRig, name: str) -> int:
    ack, *_ = rig.client(name).frames()
    assert isinstance(ack, ConnAck)
    return ack.status


def test_who_is_off_may_not_connect(rig: ApiRig) -> None:
    alice = rig.online("alice")
    operation = rig.ask(OFF, userId="alice,nobody,alice")
    assert operation.keys() == {"operateId"}
    assert operation["operateId"]
    assert alice.frames() == [Disconnect(status=DisconnectStatus.BLOCK)]
    assert login(rig, "alice") == login(rig, "nobody") == ConnAckStatus.BLOCK
    assert rig.ask(QUERY) == {"users": ["alice", "nobody"]}
    rig.advance(10 * 365 * 24 * 3600)
    assert login(rig, "alice") == ConnAckStatus.BLOCK
    assert rig.ask(ON, userId="alice").keys() == {"operateId"}
    assert login(rig, "alice") == ConnAckStatus.ACCEPTED
    assert rig.ask(QUERY) == {"users": ["nobody"]}


def test_a_block_is_something_else(rig: ApiRig) -> None:
    rig.ask("/user/block", userId="bob", minute=5)
    assert rig.ask(QUERY) == {"users": []}
    rig.ask(ON, userId="bob,carol")
    assert login(rig, "bob") == ConnAckStatus.BLOCK
    rig.ask(OFF, userId="carol")
    rig.ask("/user/unblock", userId="carol")
    assert rig.ask(QUERY) == {"users": []}


def test_pages(rig: ApiRig) -> None:
    names = sorted(f"u{number}" for number in range(60))
    rig.ask(OFF, userId=",".join(names))
    assert rig.ask(QUERY)["users"] == names[:50]
    assert rig.ask(QUERY, pageNo=2)["users"] == names[50:]
    assert rig.ask(QUERY, pageNo=3, pageSize=7)["users"] == names[14:21]
    assert rig.ask(QUERY, pageNo=99)["users"] == []


@pytest.mark.parametrize("path", [OFF, ON])
def test_what_are_no_users(rig: ApiRig, path: str) -> None:
    assert rig.code(path) == rig.code(path, userId="") == rig.code(path, userId="a b") == 1002
    assert rig.code(path, userId="alice,") == 1002
    assert rig.code(path, userId="x" * 65) == 1005
    assert rig.code(path, userId=",".join(f"u{number}" for number in range(100))) == 200
    assert rig.code(path, userId=",".join(f"u{number}" for number in range(101))) == 1502
    assert rig.code(QUERY, pageSize=51) == rig.code(QUERY, pageNo=0) == 1502
