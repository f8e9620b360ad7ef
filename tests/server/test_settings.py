"""What users have set for themselves and for their conversations (operations 8, 11)."""

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
    from tests.server.rig import Client

SILENT, TOP, TAGS, TRANSLATE = 1, 2, 3, 4
INVALID = ErrorCode.BIZ_ERROR_INVALID_PARAMETER


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
    assert shown(states) == [(1, "bob", {TOP: "0"})]
    assert pulled(alice, second) == payloads.SessionStates(version=second)
    assert pulled(bob) == payloads.SessionStates(version=0)


def test_later_sdks_set_levels(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice")
    for level in ("-1", "0", "1", "5"):
        change(alice, (1, "bob", SILENT, level))
        assert shown(pulled(alice)) == [(1, "bob", {SILENT: level})]
        is_muted = muted(alice, Topic.QRY_P_PUSH, "bob") == 0
        assert is_muted == (level in ("1", "5"))


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
    monkeypatch.setattr(table, "_CHANGED", table._CHANGED.limit(2))
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
            table.tags_of(connection, app=APP, user="alice", version=0)
            table.of_kind(connection, 1, TAGS)
            table.value(connection, app=APP, user="alice", type=PRIVATE, target="bob", kind=SILENT)
        return found

    steps = rig.do(_read(rig, plans))
    assert steps
    assert not [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step]


async def _read(rig: Rig, query: Any) -> Any:
    return await rig.system.data.read(query)
