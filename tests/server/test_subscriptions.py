"""Who follows whom for a time, and what he is told (sdk5 8.4)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.frames import PubAck
from improto.operations import Topic
from improto_server.services import subscriptions
from improto_server.services.subscriptions import SubscriptionType
from improto_server.store import StoreError, friends
from improto_server.store import subscriptions as table
from improto_server.system import UserRules
from tests.server.rig import APP, START, Rig
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy import Connection

    from improto_server.store.subscriptions import Subscription
    from tests.server.rig import Client

NEW = "5.38.0"
STATUS, PROFILE = SubscriptionType.STATUS, SubscriptionType.PROFILE
FRIEND, FRIEND_PROFILE = SubscriptionType.FRIEND_STATUS, SubscriptionType.FRIEND_PROFILE

Shown = tuple[str, int, int | None, int]
"""Whom it is about, of which type, 1 if he is online, and since when."""


def read(detail: payloads.SubDataDetail) -> Shown:
    if not detail.data:
        return detail.subUserId, detail.subType, None, 0
    (data,) = detail.data
    assert data.platformInfo == 3
    return detail.subUserId, detail.subType, data.value, data.versionTime


def shown(client: Client) -> list[Shown]:
    return [
        read(payloads.decode(payloads.SubDataDetail, delivery.data))
        for delivery in client.deliveries(Topic.S_STAT)
    ]


def ask(client: Client, topic: str, request: payloads.Message) -> tuple[int, bytes]:
    message_id = client.query(topic, request)
    client.rig.settle()
    (answer,) = client.answers(message_id)
    return answer.status, answer.data


def request(
    *users: str, type: int = STATUS, op: int = 0, expiry: int = 60
) -> payloads.UpdateUserSubReq:
    wanted = payloads.UpdateUserSubReq(subType=type, opType=op, expiry=expiry)
    for user in users:
        wanted.subUsers.add(subUserId=user)
    return wanted


def change(client: Client, *users: str, **options: Any) -> int:
    """Subscribe; the time of it."""
    status, data = ask(client, Topic.UPD_USER_SUB, request(*users, **options))
    assert status == 0
    return payloads.decode(payloads.UpdateUserSubResp, data).subTime


def refusal(client: Client, *users: str, **options: Any) -> int:
    status, _ = ask(client, Topic.UPD_USER_SUB, request(*users, **options))
    return status


def query(client: Client, *users: str, type: int = STATUS) -> list[Shown]:
    wanted = payloads.QrySubDataReq(subType=type)
    for user in users:
        wanted.subUsers.add(subUserId=user)
    reply = client.ask(Topic.QRY_SUB_DATA, wanted, payloads.PullSubDataResp)
    assert reply.versionTime > 0
    return [read(each) for each in reply.list]


def pull(client: Client, version: int = 0, token: str = "") -> payloads.PUllUserSubResp:
    wanted = payloads.PullUserSubReq(version=version, pageToken=token)
    return client.ask(Topic.PULL_USER_SUB, wanted, payloads.PUllUserSubResp)


def listed(reply: payloads.PUllUserSubResp) -> list[tuple[int, int, int, int, list[str]]]:
    """Type, operation, time, expiry, users."""
    return [
        (
            each.subType,
            each.opType,
            each.subTime,
            each.expiry,
            [user.subUserId for user in each.subUsers],
        )
        for each in reply.list
    ]


def pull_data(client: Client, token: str = "") -> payloads.PullSubDataResp:
    wanted = payloads.PullSubDataReq(versionTime=0, needAllData=True, pageToken=token)
    return client.ask(Topic.PULL_SUB_DATA, wanted, payloads.PullSubDataResp)


# -- being told ----------------------------------------------------------------------


@pytest.mark.parametrize("sdk", ["2.5.3", "2.9.2", "4.6.4", NEW])
def test_coming_and_going_are_told(tmp_path: Path, sdk: str) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    change(alice, "bob")
    bob = rig.online("bob", sdk)
    assert shown(alice) == [("bob", STATUS, 1, START)]
    rig.advance(5)
    bob.leave()
    assert shown(alice) == [("bob", STATUS, 0, START + 5000)]
    assert bob.deliveries(Topic.S_STAT) == []


def test_only_the_first_connection_and_the_last_count(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice = rig.online("alice", NEW)
    change(alice, "bob")
    first = rig.online("bob")
    shown(alice)
    second = rig.online("bob")
    first.leave()
    assert shown(alice) == []
    second.leave()
    assert len(shown(alice)) == 1


def test_each_generation_is_told_in_its_own_way(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    new, old = rig.online("alice", NEW), rig.online("alice", "2.5.3")
    silent = rig.online("alice", "4.6.4")
    change(new, "bob")
    old.query(Topic.SUB_USER_STATUS, payloads.SubUserStatusInput(userid=["carol"]))
    rig.settle()
    assert [each.topic for each in old.deliveries()] == [Topic.S_STAT]
    rig.online("bob")
    rig.online("carol")
    assert [name for name, *_ in shown(new)] == ["bob"]
    (told,) = old.deliveries(Topic.S_STAT)
    assert payloads.decode(payloads.GetUserStatusOutput, told.data).subUserId == "carol"
    assert silent.deliveries(Topic.S_STAT) == []


def test_a_subscription_runs_out(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    change(alice, "bob", expiry=60)
    change(alice, "carol", expiry=120)
    rig.advance(60)
    rig.online("bob")
    rig.online("carol")
    assert [name for name, *_ in shown(alice)] == ["carol"]
    assert [name for name, *_ in query(alice, "bob", "carol")] == ["carol"]
    assert [users for *_, users in listed(pull(alice))] == [["carol"]]
    # Nothing of the other is kept in memory.
    assert len(rig.system.subscriptions._status) == 1
    # Whoever subscribes again begins anew.
    rig.advance(59)
    change(alice, "carol", expiry=60)
    rig.advance(59)
    rig.client("carol").leave()
    assert [name for name, *_ in shown(alice)] == ["carol"]


def test_it_can_be_ended(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    change(alice, "bob", "carol")
    change(alice, "bob", "nobody", op=1, expiry=0)
    rig.online("bob")
    rig.online("carol")
    assert [name for name, *_ in shown(alice)] == ["carol"]
    change(alice, "carol", op=1)
    assert len(rig.system.subscriptions._status) == 0


def test_a_subscription_outlives_connection_and_server(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    change(alice, "bob", expiry=3600)
    alice.leave()
    rig.settle()
    assert len(rig.system.subscriptions._status) == 0
    bob = rig.online("bob")
    assert alice.deliveries(Topic.S_STAT) == []
    alice = rig.online("alice", NEW)
    bob.leave()
    assert [name for name, *_ in shown(alice)] == ["bob"]
    rig.store.store.close()
    later = Rig(tmp_path)
    alice = later.online("alice", NEW)
    later.online("bob")
    assert [name for name, *_ in shown(alice)] == ["bob"]


def test_sdks_that_are_not_told_may_subscribe_for_those_that_are(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", "4.6.4")
    change(alice, "bob")
    assert len(rig.system.subscriptions._status) == 0
    alice = rig.online("alice", NEW)
    rig.online("bob")
    assert [name for name, *_ in shown(alice)] == ["bob"]


def test_who_leaves_before_the_answer_is_told_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    alice.query(Topic.UPD_USER_SUB, request("bob"))
    alice.leave()
    rig.settle()
    assert len(rig.system.subscriptions._status) == 0
    assert rig.system.subscriptions._since == {}


def test_a_profile_that_changes_is_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    change(alice, "bob", type=PROFILE)
    profile = payloads.UserProfile()
    profile.userProfile.add(key="name", value="Bob")
    assert ask(bob, Topic.UPD_USER_PROFILE, profile)[0] == 0
    assert shown(alice) == [("bob", PROFILE, None, 0)]
    rig.do(rig.system.users.register(APP, "bob", name="Bobby"))
    assert shown(alice) == [("bob", PROFILE, None, 0)]
    change(alice, "bob", type=PROFILE, op=1)
    rig.do(rig.system.users.update(APP, "bob", name="Bert"))
    assert shown(alice) == []


def test_the_callers_other_devices_are_told_to_ask(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    first, second = rig.online("alice", NEW), rig.online("alice", NEW)
    older = rig.online("alice", "4.6.4")
    time = change(first, "bob")
    copy, ack = second.frames()
    assert (copy.topic, copy.is_sync, copy.target_id) == (Topic.UPD_USER_SUB, True, "alice")  # type: ignore[union-attr]
    assert isinstance(ack, PubAck)
    assert ack.date * 1000 + ack.millisecond == time
    assert listed(pull(second)) == [(STATUS, 0, time, 60, ["bob"])]
    assert older.frames() == []
    assert first.frames() == []


# -- friends -------------------------------------------------------------------------


def befriend(rig: Rig, user: str, other: str) -> None:
    """Have the store say so; those who are online know it from their next login."""

    async def steps() -> None:
        await rig.system.data.write(
            partial(friends.befriend, app=APP, user=user, other=other, time=START)
        )

    rig.do(steps())


def test_friends_are_told_without_a_subscription(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    befriend(rig, "alice", "bob")
    alice = rig.online("alice", NEW)
    bob = rig.online("bob", NEW)
    assert shown(alice) == [("bob", FRIEND, 1, START)]
    rig.do(rig.system.users.register(APP, "bob", name="Bob"))
    assert shown(alice) == [("bob", FRIEND_PROFILE, None, 0)]
    assert query(alice, "bob", "carol", type=FRIEND) == [("bob", FRIEND, 1, START)]
    rig.system.subscriptions.parted(APP, "alice", "bob")
    bob.leave()
    assert shown(alice) == []


def test_new_friends_are_told_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    rig.system.subscriptions.befriended(APP, "bob", "alice")
    bob.leave()
    assert [name for name, *_ in shown(alice)] == ["bob"]
    alice.leave()
    assert len(rig.system.subscriptions._friends) == 0


# -- asking --------------------------------------------------------------------------


def test_how_things_stand(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    rig.online("bob")
    rig.advance(5)
    change(alice, "bob", "carol")
    change(alice, "dave", type=PROFILE)
    now = START + 5000
    assert query(alice, "carol", "bob", "dave") == [
        ("bob", STATUS, 1, START),
        ("carol", STATUS, 0, now),
    ]
    reply = pull_data(alice)
    assert (reply.versionTime, reply.hasNext, reply.isFull) == (now, False, True)
    assert [read(each) for each in reply.list] == [
        ("bob", STATUS, 1, START),
        ("carol", STATUS, 0, now),
        ("dave", PROFILE, None, 0),
    ]


def test_a_new_user_has_nothing(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice", NEW)
    reply = pull(alice)
    assert (listed(reply), reply.version, reply.hasNext) == ([], 0, False)
    assert pull(alice, version=7).version == 7
    assert [*pull_data(alice).list] == []


def test_what_was_ended_is_told_to_who_knows_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    first = change(alice, "bob", "carol", expiry=3600)
    second = change(alice, "dave", type=PROFILE, expiry=3600)
    third = change(alice, "bob", op=1)
    # Strictly rising, though the clock stands: clients drop what is not later.
    assert first < second < third
    ended = (STATUS, 1, third, 0, ["bob"])
    rest = [(STATUS, 0, first, 3600, ["carol"]), (PROFILE, 0, second, 3600, ["dave"])]
    reply = pull(alice, second)
    assert sorted(listed(reply)) == sorted([ended, *rest])
    assert reply.version == third
    assert listed(pull(alice, third)) == rest


def test_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    change(alice, "bob", "carol", "dave")
    last = change(alice, "bob", type=PROFILE)
    monkeypatch.setattr(subscriptions, "USERS_AT_ONCE", 3)
    page = pull(alice)
    assert ([len(users) for *_, users in listed(page)], page.hasNext) == ([3], True)
    # A client asks for the next page with the version of this one.
    assert page.version == 0
    rest = pull(alice, page.version, page.pageToken)
    assert ([kind for kind, *_ in listed(rest)], rest.hasNext) == ([PROFILE], False)
    assert rest.version == last
    data = pull_data(alice)
    assert (len(data.list), data.hasNext) == (3, True)
    rest_of_data = pull_data(alice, data.pageToken)
    assert ([each.subType for each in rest_of_data.list], rest_of_data.hasNext) == (
        [PROFILE],
        False,
    )


@pytest.mark.parametrize("token", ["x", "1", "1.x", "1.-1", "1." + "9" * 19, "1.2.3"])
def test_pages_that_are_none(tmp_path: Path, token: str) -> None:
    alice = Rig(tmp_path).online("alice", NEW)
    for topic, wanted in (
        (Topic.PULL_USER_SUB, payloads.PullUserSubReq(version=0, pageToken=token)),
        (Topic.PULL_SUB_DATA, payloads.PullSubDataReq(versionTime=0, pageToken=token)),
    ):
        assert ask(alice, topic, wanted) == (ErrorCode.BIZ_ERROR_INVALID_PARAMETER, b"")


# -- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("users", "options"),
    [
        ([], {}),
        ([f"u{number}" for number in range(201)], {}),
        (["bob", "a b"], {}),
        (["bob"], {"type": FRIEND}),
        (["bob"], {"type": 0}),
        (["bob"], {"op": 2}),
        (["bob"], {"expiry": 59}),
        (["bob"], {"expiry": 2_592_001}),
    ],
)
def test_what_makes_no_sense(tmp_path: Path, users: list[str], options: dict[str, int]) -> None:
    alice = Rig(tmp_path).online("alice", NEW)
    assert refusal(alice, *users, **options) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert listed(pull(alice)) == []


@pytest.mark.parametrize(
    ("type", "users"),
    [(PROFILE, ["bob"]), (STATUS, []), (STATUS, [f"u{number}" for number in range(201)])],
)
def test_questions_that_make_no_sense(tmp_path: Path, type: int, users: list[str]) -> None:
    alice = Rig(tmp_path).online("alice", NEW)
    wanted = payloads.QrySubDataReq(subType=type)
    for user in users:
        wanted.subUsers.add(subUserId=user)
    assert ask(alice, Topic.QRY_SUB_DATA, wanted) == (ErrorCode.BIZ_ERROR_INVALID_PARAMETER, b"")


def test_there_is_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "SUBSCRIPTIONS", 2)
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    change(alice, "bob", "carol")
    assert refusal(alice, "dave") == ErrorCode.RC_SUBSCRIBED_USERIDS_EXCEED_LIMIT
    change(alice, "carol", expiry=120)
    change(alice, "bob", "dave", type=PROFILE)
    # Those that have run out do not count.
    rig.advance(60)
    change(alice, "dave")


def test_who_has_too_many_subscribers_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "SUBSCRIBERS", 2)
    rig = Rig(tmp_path)
    for name in ("alice", "bob"):
        change(rig.online(name, NEW), "star")
    carol = rig.online("carol", NEW)
    status, data = ask(carol, Topic.UPD_USER_SUB, request("dave", "star"))
    assert status == ErrorCode.RC_BESUBSCRIBED_USERIDS_COUNT_EXCEED_LIMIT
    named = payloads.decode(payloads.UpdateUserSubResp, data).subUsers
    assert [user.subUserId for user in named] == ["star"]
    assert listed(pull(carol)) == []
    # His subscribers may go on.
    change(rig.online("alice", NEW), "star")
    change(carol, "star", type=PROFILE)


def test_where_subscriptions_are_off(tmp_path: Path) -> None:
    rig = Rig(tmp_path, users=UserRules(subscriptions=False))
    alice = rig.online("alice", NEW)
    for topic, wanted in (
        (Topic.UPD_USER_SUB, request("bob")),
        (Topic.QRY_SUB_DATA, payloads.QrySubDataReq(subType=STATUS)),
        (Topic.PULL_USER_SUB, payloads.PullUserSubReq(version=0)),
        (Topic.PULL_SUB_DATA, payloads.PullSubDataReq(versionTime=0)),
    ):
        off = (ErrorCode.RC_SUBSCRIBE_ONLINE_SERVICE_UNAVAILABLE, b"")
        assert ask(alice, topic, wanted) == off
    alice.leave()


def test_a_store_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(tmp_path)
    rig.store.broken = StoreError("no room")
    alice = rig.client("alice", NEW)
    rig.settle()
    assert "subscriptions could not be read: INTERNALERRROR" in caplog.text
    assert refusal(alice, "bob") == ErrorCode.INTERNALERRROR
    assert len(rig.system.subscriptions._status) == 0


# -- the table -----------------------------------------------------------------------


def rows(rig: Rig, user: str = "alice", *, now: int | None = None) -> list[Subscription]:
    """All rows of a user, those that have ended as well."""

    def look(connection: Connection) -> list[Subscription]:
        when = rig.wall if now is None else now
        return table.page(connection, app=APP, subscriber=user, now=when, ended_after=0)

    async def steps() -> list[Subscription]:
        return await rig.system.data.read(look)

    return rig.do(steps())


def names(found: Iterable[Subscription]) -> list[str]:
    return sorted(each.subject for each in found)


def test_what_has_ended_is_forgotten_after_a_day(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    change(alice, "bob", "carol", expiry=2_592_000)
    change(alice, "bob", op=1)
    rig.advance(24 * 3600 - 1)
    change(alice, "dave", expiry=3600)
    assert names(rows(rig)) == ["bob", "carol", "dave"]
    rig.advance(2)
    change(alice, "dave", expiry=3600)
    assert names(rows(rig)) == ["carol", "dave"]


def test_very_many_that_have_ended_are_forgotten_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MOST_ENDED", 1)
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    change(alice, "bob", "carol", "dave")
    change(alice, "bob", op=1)
    change(alice, "erin")
    assert names(rows(rig)) == ["bob", "carol", "dave", "erin"]
    change(alice, "carol", op=1)
    change(alice, "erin")
    assert names(rows(rig)) == ["dave", "erin"]


def test_what_has_run_out_is_not_kept_in_memory(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    watching = rig.system.subscriptions._watching[STATUS]
    change(alice, "bob", "carol")
    change(alice, "dan", expiry=120)
    rig.advance(60)
    change(alice, "eve")
    assert len(watching) == 2
    for name in ("bob", "dan", "eve"):
        rig.online(name, NEW)
    assert [user for user, *_ in shown(alice)] == ["dan", "eve"]


def test_what_is_ended_while_a_device_comes_stays_ended(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    alice = rig.online("alice", NEW)
    change(alice, "bob", "carol")
    reads = rig.store.reads
    rig.client("alice", NEW, device_id="other")
    assert rig.store.reads == reads, "a read may be older than a change that is done before it"
    alice.query(Topic.UPD_USER_SUB, request("bob", op=1))
    rig.settle()
    alice.frames()
    for name in ("bob", "carol"):
        rig.online(name, NEW)
    assert [user for user, *_ in shown(alice)] == ["carol"]


def test_no_question_reads_a_table(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    change(rig.online("alice", NEW), "bob")
    plans: list[str] = []

    def look(connection: Connection) -> None:
        with query_plans(connection) as found:
            table.page(connection, app=APP, subscriber="alice", now=START)
            table.newest(connection, app=APP, subscriber="alice")
            assert table.has_most(
                connection, app=APP, but="carol", type=STATUS, now=START, most=1, subject="bob"
            )
            table.end(
                connection,
                app=APP,
                subscriber="alice",
                type=STATUS,
                subjects=["bob"],
                now=START,
                time=START,
            )
            table._tidy(connection, 1, STATUS, now=START)
        plans.extend(found)

    async def steps() -> None:
        await rig.system.data.write(look)

    rig.do(steps())
    assert len(plans) >= 8
    assert all(plan.startswith("SEARCH") for plan in plans), plans
