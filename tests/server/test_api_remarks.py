"""What users call others, over the REST API (rest 9.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.server.api_tools import ApiRig

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    return ApiRig(tmp_path)


def test_users(rig: ApiRig) -> None:
    first = json.dumps([{"id": "carol", "remark": "C"}, {"Id": "bob", "Remark": "B & co"}])
    rig.ask("/user/remarks/set", userId="alice", remarks=first)
    rig.ask("/user/remarks/set", userId="alice", remarks='[{"id":"bob","remark":"Bobby"}]')
    bob, carol = {"id": "bob", "remark": "Bobby"}, {"id": "carol", "remark": "C"}
    assert rig.ask("/user/remarks/get", userId="alice") == {"total": 2, "users": [bob, carol]}
    second = rig.ask("/user/remarks/get", userId="alice", page=2, size=1)
    assert second == {"total": 2, "users": [carol]}
    assert rig.ask("/user/remarks/get", userId="bob") == {"total": 0, "users": []}
    for target in ("bob", "bob", "nobody"):
        rig.ask("/user/remarks/del", userId="alice", targetId=target)
    assert rig.ask("/user/remarks/get", userId="alice") == {"total": 1, "users": [carol]}


def test_groups(rig: ApiRig) -> None:
    of_alice = {"userId": "alice", "groupId": "g"}
    rig.ask("/group/remarks/set", **of_alice, remark="Ours")
    assert rig.ask("/group/remarks/get", **of_alice) == {"remark": "Ours"}
    assert rig.ask("/group/remarks/get", userId="bob", groupId="g") == {"remark": ""}
    # Groups and users may have the same ids.
    assert rig.ask("/user/remarks/get", userId="alice")["total"] == 0
    rig.ask("/group/remarks/del", **of_alice)
    assert rig.ask("/group/remarks/get", **of_alice) == {"remark": ""}
    assert rig.code("/group/remarks/set", **of_alice) == 1002
    assert rig.code("/group/remarks/set", **of_alice, remark="x" * 257) == 1005


@pytest.mark.parametrize(
    ("remarks", "code"),
    [
        ("", 1002),
        ("[]", 1002),
        ("{}", 1002),
        ("[" * 10_000, 1002),
        ('[{"id":"bob"}]', 1002),
        ('[{"id":"a b","remark":""}]', 1002),
        (json.dumps([{"id": "bob", "remark": "x" * 257}]), 1002),
        (json.dumps([{"id": "bob", "remark": "x"}] * 101), 1502),
    ],
)
def test_what_is_refused(rig: ApiRig, remarks: str, code: int) -> None:
    assert rig.code("/user/remarks/set", userId="alice", remarks=remarks) == code
    assert rig.ask("/user/remarks/get", userId="alice")["total"] == 0


def test_there_are_not_too_many(rig: ApiRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("improto_server.services.remarks.MOST_REMARKS", 1)
    two = json.dumps([{"id": id, "remark": "x"} for id in ("bob", "carol")])
    reply = rig.post("/user/remarks/set", userId="alice", remarks=two)
    assert (reply["code"], reply["errorMessage"]) == (1502, "there would be more than 1 remarks")
    assert rig.ask("/user/remarks/get", userId="alice")["total"] == 0
