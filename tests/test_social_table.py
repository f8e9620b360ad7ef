"""The rows about people and the groups they make: rules that hold for all of them."""

from __future__ import annotations

import re

import pytest

from improto import payloads
from improto._operation import Area, Direction, Operation, Signal, Target
from improto._social_table import ROWS
from improto.codes import ErrorCode
from tools.layout import ROOT

SENT = [row for row in ROWS if row.sdks]


def test_all_rows_are_asked_once_by_clients() -> None:
    assert {row.signal for row in ROWS} == {Signal.QUERY}
    assert {row.direction for row in ROWS} == {Direction.CLIENT_TO_SERVER}
    assert len({row.topic for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", SENT, ids=lambda row: row.topic)
def test_what_sdk_5_sends_is_known(row: Operation) -> None:
    assert row.request is not None
    assert row.target in (Target.SELF, Target.GROUP)
    assert (row.target is Target.GROUP) <= (row.area is Area.MANAGED)
    assert row.errors


def test_three_are_declared_only() -> None:
    """Sdk5 8.5."""
    assert {row.topic.value for row in ROWS if not row.sdks} == {
        "qChannelRemark",
        "qSimpleUserProfile",
        "friendApplyDel",
    }


@pytest.mark.parametrize(
    ("area", "first", "last"),
    [
        (Area.SUBSCRIPTIONS, 26020, 26022),
        (Area.PROFILES, 24360, 24369),
        (Area.MANAGED, 25402, 25432),
        (Area.FRIENDS, 25460, 25474),
    ],
    ids=lambda value: value.name if isinstance(value, Area) else None,
)
def test_each_area_has_its_range_of_errors(area: Area, first: int, last: int) -> None:
    """Sdk5 11."""
    others = {24369, 25403, 25432} if area is Area.FRIENDS else set()
    rows = [row for row in SENT if row.area is area]
    assert rows
    for row in rows:
        assert others <= {*row.errors}
        assert min({*row.errors} - others) == first
        assert max({*row.errors} - others) == last


@pytest.mark.parametrize(
    ("area", "modules"),
    [
        (Area.SUBSCRIPTIONS, ("subscriptions",)),
        (Area.PROFILES, ("user_profiles",)),
        (Area.MANAGED, ("charter", "charters", "managed_*")),
        (Area.FRIENDS, ("friends", "friend_*")),
    ],
    ids=lambda value: value.name if isinstance(value, Area) else None,
)
def test_what_the_server_refuses_with_is_in_the_rows(area: Area, modules: tuple[str, ...]) -> None:
    """But 33003, which anything may be refused with (codes 5)."""
    services = ROOT / "src" / "improto_server" / "services"
    paths = [path for pattern in modules for path in services.glob(f"{pattern}.py")]
    named = {
        ErrorCode[name]
        for path in paths
        for name in re.findall(r"ErrorCode\.([A-Z]\w+)", path.read_text(encoding="utf-8"))
    }
    assert named
    for row in SENT:
        if row.area is area:
            assert named - {*row.errors} <= {ErrorCode.BIZ_ERROR_INVALID_PARAMETER}


def test_lists_are_answered_by_one_kind_of_reply() -> None:
    """Sdk5 8.5."""
    listing = {row.topic.value for row in ROWS if row.reply is payloads.ChannelsListResult}
    assert listing == {
        "qChannelInfo",
        "qChannelMem",
        "qChannelSpeMem",
        "qChannelFollow",
        "qChannelApplyList",
        "qChannelMemJoin",
        "qChannelMemSpeJoin",
        "friendsQuery",
    }
