"""Settings of users over the REST API (rest 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.server.api_tools import ApiRig

if TYPE_CHECKING:
    from pathlib import Path

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
