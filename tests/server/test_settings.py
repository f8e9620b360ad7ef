"""What users have set for themselves and for their conversations (operations 8, 11, sdk5 8.3)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.services import conversation_settings as module
from improto_server.services.inboxes import DAY
from improto_server.store import settings as table
from tests.server.conversation_tools import DISCUSSION, GROUP, PRIVATE, say, status
from tests.server.rig import APP, Rig
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from improto.codes import ConversationType
    from improto.payloads import Message
    from tests.server.rig import Client

SILENT, TOP, TAGS, TRANSLATE = 1, 2, 3, 4
INVALID = ErrorCode.BIZ_ERROR_INVALID_PARAMETER
BAD_HOURS = ErrorCode.PUSHSETTING_PARAMETER_INVALID
NEW, NEWEST = "4.6.4", "5.38.0"


def changes(*changes: tuple[int, str, int, str]) -> payloads.SessionStateModifyReq:
    request = payloads.SessionStateModifyReq(version=0)
    for type, target, kind, value in changes:
        state = request.state.add(type=type, channelId=target)
        state.stateItem.add(sessionStateType=kind, value=value)
    return request


def change(client: Client, *wanted: tuple[int, str, int, str]) -> int:
    """The version."""
    reply = client.ask(Topic.SET_SE_ATT, changes(*wanted), payloads.SessionStateModifyResp)
    return reply.version


def pulled(client: Client, after: int = 0) -> payloads.SessionStates:
    return client.ask(Topic.PULL_SE_ATTS, payloads.SessionReq(time=after), payloads.SessionStates)


def shown(states: payloads.SessionStates) -> list[tuple[int, str, dict[int, str]]]:
    return [
        (
            state.type,
            state.channelId,
            {each.sessionStateType: each.value for each in state.stateItem},
        )
        for state in states.state
    ]


def muted(client: Client, topic: Topic, target: str) -> int:
    return status(client, topic, payloads.BlockPushInput(blockeeId=target))


# -- conversations -----------------------------------------------------------------------


@pytest.mark.parametrize(("time", "version"), [(0, 0), (17, 17), (-1, 0)])
def test_no_settings_of_conversations(tmp_path: Path, time: int, version: int) -> None:
    alice = Rig(tmp_path).online("alice")
    assert pulled(alice, time) == payloads.SessionStates(version=version)


def test_settings_are_kept_and_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, other, old = rig.online("alice"), rig.online("alice", "2.9.2"), rig.online("alice", "2")
    bob = rig.online("bob")
    first = change(alice, (1, "bob", SILENT, "1"), (1, "bob", TOP, "1"), (3, "team", TOP, "1"))
    (notice,) = other.deliveries(Topic.S_CMD)
    told = payloads.decode(payloads.NotifyMsg, notice.data)
    assert (told.type, told.time) == (3, first)
    assert [*alice.frames(), *old.frames(), *bob.frames()] == []
    states = pulled(other)
    assert states.version == first
    assert sorted(shown(states)) == [
        (1, "bob", {SILENT: "1", TOP: "1"}),
        (3, "team", {TOP: "1"}),
    ]
    assert all(state.time == first for state in states.state)
    second = change(other, (1, "bob", TOP, "0"))
    assert second > first
    states = pulled(alice, first)
    assert states.version == second
    # What is not told counts as not set in SDK 2.9.2.
    assert shown(states) == [(1, "bob", {SILENT: "1", TOP: "0"})]
    (bobs,) = states.state
    assert {(item.sessionStateType, item.time) for item in bobs.stateItem} == {
        (SILENT, first),
        (TOP, second),
    }
    assert bobs.time == second
    assert pulled(alice, second) == payloads.SessionStates(version=second)
    assert pulled(bob) == payloads.SessionStates(version=0)


@pytest.mark.parametrize(
    ("level", "is_muted"), [("-1", False), ("0", False), ("1", True), ("3", True), ("5", True)]
)
def test_later_sdks_set_levels(tmp_path: Path, level: str, is_muted: bool) -> None:
    rig = Rig(tmp_path, multi_device=True)
    newest, new, old = (rig.online("alice", sdk) for sdk in (NEWEST, NEW, "2.9.2"))
    change(newest, (1, "bob", SILENT, level))
    assert shown(pulled(newest)) == [(1, "bob", {SILENT: level})]
    for device in (new, old):
        assert len(device.deliveries(Topic.S_CMD)) == 1
        assert shown(pulled(device)) == [(1, "bob", {SILENT: str(int(is_muted))})]
    assert (muted(old, Topic.QRY_P_PUSH, "bob") == 0) == is_muted


def test_what_older_sdks_mute_is_a_level_too(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    newest, old = rig.online("alice", NEWEST), rig.online("alice", "2.9.2")
    for value in ("1", "0"):
        change(old, (1, "bob", SILENT, value))
        assert shown(pulled(newest)) == [(1, "bob", {SILENT: value})]


def test_translation_is_for_those_who_know_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    newest, old = rig.online("alice", NEWEST), rig.online("alice", "2.9.2")
    first = change(newest, (1, "bob", TRANSLATE, "2"))
    assert shown(pulled(newest)) == [(1, "bob", {TRANSLATE: "2"})]
    assert pulled(old) == payloads.SessionStates(version=first)
    change(newest, (1, "bob", TOP, "1"))
    assert shown(pulled(old, first)) == [(1, "bob", {TOP: "1"})]


def test_who_missed_nothing_need_not_ask_again(tmp_path: Path) -> None:
    """A version that the client takes over would hide what it has missed."""
    rig = Rig(tmp_path, multi_device=True)
    alice, other = rig.online("alice", NEWEST), rig.online("alice", NEWEST)

    def put(client: Client, known: int) -> payloads.SessionStateModifyResp:
        request = changes((1, "bob", TOP, "1"))
        request.version, request.ignoreVersion = known, True
        return client.ask(Topic.SET_SE_ATT, request, payloads.SessionStateModifyResp)

    first = put(alice, 0)
    assert first.updateVersion
    second = put(alice, first.version)
    assert second.updateVersion
    assert not put(other, first.version).updateVersion
    assert not put(alice, second.version).updateVersion


# -- types of conversations --------------------------------------------------------------


def of_type(type: int, level: int, *, known: int = 0) -> payloads.TypeUnpushInput:
    return payloads.TypeUnpushInput(type=type, version=known, unpushLevel=level, ignoreVersion=True)


def test_whole_types_have_a_level(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, other = rig.online("alice", NEWEST), rig.online("alice", NEWEST)
    old = rig.online("alice", "2.9.2")
    change(alice, (3, "team", SILENT, "1"))
    other.frames()
    first = alice.ask(Topic.SET_TYPE_UNPUSH, of_type(3, 5), payloads.TypeUnpushOutput)
    assert not first.updateVersion
    (notice,) = other.deliveries(Topic.S_CMD)
    told = payloads.decode(payloads.NotifyMsg, notice.data)
    assert (told.type, told.time) == (3, first.version)
    assert alice.frames() == []
    states = pulled(other)
    assert shown(states) == [(3, "team", {SILENT: "1"}), (3, "", {SILENT: "5"})]
    assert [(state.time, state.stateItem[0].time) for state in states.state][1] == (
        first.version,
        first.version,
    )
    assert states.version == first.version
    # SDK 2.9.2 would show a conversation without a name.
    states = pulled(old)
    assert (states.version, shown(states)) == (first.version, [(3, "team", {SILENT: "1"})])
    request = of_type(3, 0, known=first.version)
    second = other.ask(Topic.SET_TYPE_UNPUSH, request, payloads.TypeUnpushOutput)
    assert second.updateVersion
    assert shown(pulled(alice, first.version)) == [(3, "", {SILENT: "0"})]
    assert pulled(alice, second.version) == payloads.SessionStates(version=second.version)
    assert pulled(rig.online("bob", NEWEST)) == payloads.SessionStates(version=0)


@pytest.mark.parametrize(("type", "level"), [(0, 5), (4, 5), (10, 5), (3, -2), (3, 6)])
def test_levels_of_types_that_cannot_be(tmp_path: Path, type: int, level: int) -> None:
    alice = Rig(tmp_path).online("alice", NEWEST)
    assert status(alice, Topic.SET_TYPE_UNPUSH, of_type(type, level)) == INVALID
    assert pulled(alice).version == 0


@pytest.mark.parametrize(
    ("topic", "request_"),
    [
        (Topic.UG_UNPUSH_SET, payloads.GroupUnpushSet(unpushLevel=5)),
        (Topic.UG_UNPUSH_QUERY, payloads.GroupUnpushQuery()),
    ],
)
def test_there_are_no_ultra_groups(tmp_path: Path, topic: Topic, request_: Message) -> None:
    alice = Rig(tmp_path).online("alice", NEWEST)
    assert status(alice, topic, request_) == 39002


def test_discussions_of_newer_sdks(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice")
    change(alice, (1, "~talk", TOP, "1"))
    assert shown(pulled(alice)) == [(2, "~talk", {TOP: "1"})]


@pytest.mark.parametrize(
    "wanted",
    [
        (0, "bob", SILENT, "1"),
        (4, "lobby", SILENT, "1"),
        (1, "a b", SILENT, "1"),
        (1, "bob", TAGS, "1"),
        (1, "bob", 99, "1"),
        (1, "bob", SILENT, ""),
        (1, "bob", SILENT, "6"),
        (1, "bob", SILENT, "-2"),
        (1, "bob", TOP, "yes"),
        (1, "bob", TOP, "5"),
        (1, "bob", TRANSLATE, "3"),
        (1, "bob", TRANSLATE, "-1"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, wanted: tuple[int, str, int, str]) -> None:
    alice = Rig(tmp_path).online("alice")
    request = changes((1, "carol", TOP, "1"), wanted)
    assert status(alice, Topic.SET_SE_ATT, request) == INVALID
    assert pulled(alice).version == 0


def test_too_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CHANGES", 2)
    alice = Rig(tmp_path).online("alice")
    wanted = [(1, f"u{number}", TOP, "1") for number in range(3)]
    assert status(alice, Topic.SET_SE_ATT, changes(*wanted)) == INVALID
    assert change(alice, *wanted[:2])


def test_whoever_has_very_many_is_told_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "SETTINGS_AT_ONCE", 2)
    alice = Rig(tmp_path).online("alice")
    for number in range(3):
        newest = change(alice, (1, f"u{number}", TOP, "1"))
    states = pulled(alice)
    assert states.version == newest
    assert [target for _, target, _ in shown(states)] == ["u1", "u2"]


# -- muting as SDK 2.5.3 does it ---------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "block", "unblock", "type", "target"),
    [
        (Topic.QRY_P_PUSH, Topic.BLK_P_PUSH, Topic.UNBLK_P_PUSH, PRIVATE, "bob"),
        (Topic.QRY_D_PUSH, Topic.BLK_D_PUSH, Topic.UNBLK_D_PUSH, GROUP, "team"),
        (Topic.QRY_D_PUSH, Topic.BLK_D_PUSH, Topic.UNBLK_D_PUSH, DISCUSSION, "~talk"),
    ],
)
def test_both_families_of_topics_have_one_store(
    tmp_path: Path, ask: Topic, block: Topic, unblock: Topic, type: ConversationType, target: str
) -> None:
    rig = Rig(tmp_path, multi_device=True)
    old, new = rig.online("alice", "2.5.3"), rig.online("alice")
    assert muted(old, ask, target) == 1
    assert muted(old, block, target) == 0
    assert len(new.deliveries(Topic.S_CMD)) == 1
    assert muted(old, ask, target) == 0
    assert shown(pulled(new)) == [(type, target, {SILENT: "1"})]
    assert muted(old, unblock, target) == 0
    assert muted(old, ask, target) == 1
    change(new, (type, target, SILENT, "1"))
    assert muted(old, ask, target) == 0
    assert muted(rig.online("bob", "2.5.3"), ask, target) == 1


@pytest.mark.parametrize(
    "topic",
    [
        Topic.QRY_P_PUSH,
        Topic.QRY_D_PUSH,
        Topic.BLK_P_PUSH,
        Topic.BLK_D_PUSH,
        Topic.UNBLK_P_PUSH,
        Topic.UNBLK_D_PUSH,
    ],
)
def test_whom_nobody_can_mute(tmp_path: Path, topic: Topic) -> None:
    alice = Rig(tmp_path).online("alice", "2.5.3")
    assert muted(alice, topic, "") == muted(alice, topic, "a b") == INVALID


def test_a_service_may_mute_too(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    settings = rig.system.conversation_settings
    rig.do(settings.mute(APP, "alice", GROUP, "team", level="1"))
    assert rig.do(settings.is_muted(APP, "alice", GROUP, "team"))
    assert len(alice.deliveries(Topic.S_CMD)) == 1


# -- the user ----------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "answered"), [(0, 0), (2, 2), (-1, 0)])
def test_no_settings_of_the_user(tmp_path: Path, version: int, answered: int) -> None:
    alice = Rig(tmp_path).online("alice")
    request = payloads.PullUserSettingInput(version=version)
    settings = alice.ask(Topic.PULL_US, request, payloads.PullUserSettingOutput)
    assert settings == payloads.PullUserSettingOutput(version=answered)


def keep(client: Client, value: str) -> int:
    request = payloads.SetUserSettingInput(version=1, value=value)
    return status(client, Topic.SET_OFFLINE_MSG_DUR, request)


def test_messages_are_kept_as_long_as_their_owner_wants(tmp_path: Path) -> None:
    rig = Rig(tmp_path, offline_days=3)
    alice = rig.online("alice")
    for _ in range(3):
        say(alice, "bob", "1")
        rig.advance(DAY / 1000)
    assert len(rig.client("bob").pull_all()) == 2
    assert keep(rig.online("bob", "2.5.3"), "1") == 0
    assert len(rig.client("bob").pull_all()) == 0
    assert keep(rig.online("bob", "2.5.3"), "2") == 0
    assert len(rig.client("bob").pull_all()) == 1
    # Not longer than the server keeps anything.
    assert keep(rig.online("bob", "2.5.3"), "7") == 0
    assert len(rig.client("bob").pull_all()) == 2
    # A device that knows how far it has read is not concerned.
    assert keep(rig.online("bob", "2.5.3"), "1") == 0
    client = rig.client("bob")
    client.cursor = 1
    assert len(client.pull_all()) == 3


def test_it_is_known_after_a_restart(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert keep(rig.online("alice"), "4") == keep(rig.online("alice", app="other"), "3") == 0
    rig.store.store.close()
    assert Rig(tmp_path).system.user_settings.days == {(APP, "alice"): 4, ("other", "alice"): 3}


@pytest.mark.parametrize("value", ["", "0", "8", "-1", "1.5", "one", "01", " 1"])
def test_other_numbers_of_days_are_refused(tmp_path: Path, value: str) -> None:
    rig = Rig(tmp_path)
    assert keep(rig.online("alice", "2.5.3"), value) == INVALID
    assert rig.system.user_settings.days == {}


def of_user(client: Client, version: int = 0) -> payloads.PullUserSettingOutput:
    request = payloads.PullUserSettingInput(version=version)
    return client.ask(Topic.PULL_US, request, payloads.PullUserSettingOutput)


def put(
    client: Client, topic: Topic, value: str, *, known: int = 0
) -> payloads.SetUserSettingOutput:
    request = payloads.SetUserSettingInput(version=known, value=value, ignoreVersion=True)
    return client.ask(topic, request, payloads.SetUserSettingOutput)


def test_how_the_user_wants_messages_translated(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, other = rig.online("alice", NEWEST), rig.online("alice", NEWEST)
    first = put(alice, Topic.TRANS_LAN, "de")
    assert (first.updateVersion, first.reserve) == (True, False)
    (notice,) = other.deliveries(Topic.S_US)
    told = payloads.decode(payloads.UserSettingNotification, notice.data)
    assert (told.version, told.reserve) == (first.version, False)
    assert alice.frames() == []
    second = put(other, Topic.AUTO_TRANS, "1")
    assert not second.updateVersion
    reply = of_user(alice)
    assert reply.version == second.version
    assert [(item.key, item.value, item.version, item.targetId) for item in reply.items] == [
        ("transLan", b"de", first.version, "alice"),
        ("autoTrans", b"1", second.version, "alice"),
    ]
    third = put(alice, Topic.TRANS_LAN, "zh", known=second.version)
    assert third.updateVersion
    (item,) = of_user(other, second.version).items
    assert (item.key, item.value) == ("transLan", b"zh")
    assert of_user(rig.online("bob", NEWEST)) == payloads.PullUserSettingOutput(version=0)


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        (Topic.TRANS_LAN, ""),
        (Topic.TRANS_LAN, "x" * 65),
        (Topic.AUTO_TRANS, ""),
        (Topic.AUTO_TRANS, "true"),
        (Topic.AUTO_TRANS, "2"),
    ],
)
def test_translations_that_cannot_be(tmp_path: Path, topic: Topic, value: str) -> None:
    alice = Rig(tmp_path).online("alice", NEWEST)
    request = payloads.SetUserSettingInput(version=0, value=value)
    assert status(alice, topic, request) == INVALID
    assert of_user(alice).version == 0


# -- quiet hours -------------------------------------------------------------------------


def quiet_hours(client: Client) -> payloads.QueryUnpushPeriodOutput:
    request = payloads.QueryUnpushPeriodInput(nothing=0)
    return client.ask(Topic.QRY_UNPUSH, request, payloads.QueryUnpushPeriodOutput)


def test_quiet_hours_are_kept_for_all_devices(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice, other = rig.online("alice", NEWEST), rig.online("alice", NEWEST)
    none = payloads.QueryUnpushPeriodOutput(isUnpush=0)
    assert quiet_hours(alice) == none
    for hours in (
        {"startTime": "22:30:00", "spanMinutes": 600, "level": 5, "timezone": "Europe/Berlin"},
        {"startTime": "00:00:59", "spanMinutes": 1439, "level": 1, "timezone": "GMT+8:00"},
        {"startTime": "23:59:00", "spanMinutes": 1, "level": 0},
    ):
        assert status(alice, Topic.ADD_UNPUSH, payloads.AddUnpushPeriodInput(**hours)) == 0
        assert quiet_hours(other) == payloads.QueryUnpushPeriodOutput(isUnpush=1, **hours)
    assert quiet_hours(rig.online("bob", NEWEST)) == none
    for _ in range(2):
        request = payloads.DeleteUnpushPeriodInput(nothing=0)
        assert status(other, Topic.DEL_UNPUSH, request) == 0
        assert quiet_hours(alice) == none


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("startTime", ""),
        ("startTime", "24:00:00"),
        ("startTime", "22:60:00"),
        ("startTime", "22:30"),
        ("startTime", "22:30:00 "),
        ("spanMinutes", 0),
        ("spanMinutes", -1),
        ("spanMinutes", 1440),
        ("level", 2),
        ("level", -1),
        ("timezone", "a b"),
        ("timezone", "x" * 65),
    ],
)
def test_quiet_hours_that_cannot_be(tmp_path: Path, name: str, value: str | int) -> None:
    alice = Rig(tmp_path).online("alice", NEWEST)
    hours = {"startTime": "22:30:00", "spanMinutes": 60, "level": 5, name: value}
    request = payloads.AddUnpushPeriodInput(**hours)
    assert status(alice, Topic.ADD_UNPUSH, request) == BAD_HOURS
    assert quiet_hours(alice).isUnpush == 0


def test_which_sdk_it_is_goes_to_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="improto_server")
    alice = Rig(tmp_path).online("alice")
    report = payloads.ReportSDKInput(sdkInfo='{"imlib":"4.6.4"}\nx')
    message_id = alice.query(Topic.REPORTSDK, report)
    (answer,) = alice.answers(message_id)
    assert (answer.status, answer.data) == (0, b"")
    assert caplog.messages == ["""alice of app app uses '{"imlib":"4.6.4"}\\nx'"""]


def test_settings_cost_no_more_when_others_have_more(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    change(rig.online("alice"), (1, "bob", SILENT, "1"))

    def plans(connection: Connection) -> list[str]:
        with query_plans(connection) as found:
            table.changed(connection, app=APP, user="alice", version=0)
            table.newest(connection, app=APP, user="alice")
            table.newest_of_user(connection, app=APP, user="alice")
            table.levels(connection, app=APP, user="alice", version=0)
            table.of_user(connection, app=APP, user="alice", version=0)
            table.hours(connection, app=APP, user="alice")
            table.tags_of(connection, app=APP, user="alice")
            table.of_kind(connection, 1, TAGS)
            table.value(connection, app=APP, user="alice", type=PRIVATE, target="bob", kind=SILENT)
        return found

    steps = rig.do(read(rig, plans))
    assert steps
    assert not [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step]


async def read(rig: Rig, query: Any) -> Any:
    return await rig.system.data.read(query)
