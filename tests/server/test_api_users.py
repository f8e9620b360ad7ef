"""Users over the REST API (rest 6, 9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto.codes import ConnAckStatus, DisconnectStatus
from improto.frames import ConnAck, Disconnect
from improto_server.services import relations
from tests.server.api_tools import TOKEN_SECONDS, ApiRig
from tests.server.rig import APP

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    return ApiRig(tmp_path)


def test_a_token_and_a_name(rig: ApiRig) -> None:
    reply = rig.ask("/user/getToken", userId="dora", name="Dora", portraitUri="http://x/d.png")
    assert reply["userId"] == "dora"
    now = rig.wall / 1000
    check = rig.real_accounts.check(APP, reply["token"], now=now + TOKEN_SECONDS - 1)
    assert check.user_id == "dora"
    assert rig.real_accounts.check(APP, reply["token"], now=now + TOKEN_SECONDS).user_id is None
    assert rig.ask("/user/info", userId="dora") == {
        "userName": "Dora",
        "userPortrait": "http://x/d.png",
        "createTime": "2023-11-14 22:13:20",
    }


def test_what_python_sends_for_nothing(rig: ApiRig) -> None:
    rig.post_body("/user/getToken", b"userId=dora&name=&portraitUri=")
    rig.post_body("/user/refresh", "userId=dora&name=D\u00f3ra & Co=1&portraitUri=".encode())
    assert rig.ask("/user/info", userId="dora")["userName"] == "D\u00f3ra "
    rig.post_body("/user/refresh", b"userId=dora&name=&portraitUri=http://x/?a=b")
    info = rig.ask("/user/info", userId="dora")
    assert (info["userName"], info["userPortrait"]) == ("D\u00f3ra ", "http://x/?a=b")


def test_users_who_are_not_registered(rig: ApiRig) -> None:
    assert rig.code("/user/refresh", userId="nobody", name="N") == 200
    assert rig.code("/user/info", userId="nobody") == 1002


def test_limits(rig: ApiRig) -> None:
    assert rig.code("/user/getToken", userId="x" * 64, name="n" * 128) == 200
    assert rig.code("/user/getToken", userId="x" * 65, name="n") == 1005
    assert rig.code("/user/getToken", userId="x", name="n" * 129) == 1005
    assert rig.code("/user/getToken", userId="x", portraitUri="n" * 1025) == 1005
    assert rig.code("/user/getToken", userId="a b") == rig.code("/user/getToken") == 1002


def test_online(rig: ApiRig) -> None:
    assert rig.ask("/user/checkOnline", userId="alice") == {"status": "0"}
    alice = rig.online("alice")
    assert rig.ask("/user/checkOnline", userId="alice") == {"status": "1"}
    alice.leave()
    assert rig.ask("/user/checkOnline", userId="alice") == {"status": "0"}


def test_blocks(rig: ApiRig) -> None:
    alice = rig.online("alice")
    rig.ask("/user/block", userId=["alice", "nobody"], minute=2)
    assert alice.frames() == [Disconnect(status=DisconnectStatus.BLOCK)]
    (answer,) = rig.client("alice").frames()
    assert isinstance(answer, ConnAck)
    assert answer.status == ConnAckStatus.BLOCK
    assert rig.ask("/user/block/query") == {
        "users": [
            {"userId": "alice", "blockEndTime": "2023-11-14 22:15:20"},
            {"userId": "nobody", "blockEndTime": "2023-11-14 22:15:20"},
        ]
    }
    rig.ask("/user/unblock", userId="alice")
    rig.online("alice")
    rig.advance(120)
    assert rig.ask("/user/block/query") == {"users": []}


@pytest.mark.parametrize(
    ("minute", "code"), [("0", 1502), ("43201", 1502), ("x", 1501), ("", 1002)]
)
def test_minutes(rig: ApiRig, minute: str, code: int) -> None:
    assert rig.code("/user/block", userId="alice", minute=minute) == code
    assert rig.code("/user/block", userId="alice", minute=43_200) == 200


def test_at_most_20_at_once(rig: ApiRig) -> None:
    users = [f"u{number}" for number in range(21)]
    assert rig.code("/user/block", userId=users, minute=1) == 1502
    assert rig.code("/user/block", userId=users[:20], minute=1) == 200


def test_blacklists(rig: ApiRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.ask("/user/blacklist/add", userId="alice", blackUserId=["carol", "bob"])
    rig.ask("/user/blacklist/add", userId="alice", blackUserId="bob")
    assert rig.ask("/user/blacklist/query", userId="alice") == {"users": ["bob", "carol"]}
    rig.ask("/user/blacklist/remove", userId="alice", blackUserId=["carol", "nobody"])
    assert rig.ask("/user/blacklist/query", userId="alice") == {"users": ["bob"]}
    bob = rig.online("bob")
    bob.publish("alice")
    rig.settle()
    assert bob.ack().status == 405
    monkeypatch.setattr(relations, "BLACKLIST_USERS", 1)
    assert rig.code("/user/blacklist/add", userId="alice", blackUserId="bob") == 200
    assert rig.code("/user/blacklist/add", userId="alice", blackUserId="dora") == 1502
