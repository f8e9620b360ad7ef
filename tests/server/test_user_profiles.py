"""What users say about themselves, and who sees it (sdk5 8.4)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import CommandType, ErrorCode
from improto.operations import Topic
from improto_server.services import ServiceError, user_profiles
from improto_server.services.user_profiles import Visibility
from improto_server.store import friends
from improto_server.store import user_profiles as table
from improto_server.system import UserRules
from tests.server.rig import APP, START, Rig
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client

NEW = "5.38.0"


def say(client: Client, extra: Mapping[str, str] | None = None, **basic: str) -> tuple[int, Any]:
    """Change the own profile; the status and the answer."""
    request = payloads.UserProfile()
    for key, value in basic.items():
        request.userProfile.add(key=key, value=value)
    for key, value in (extra or {}).items():
        request.userExtProfile.add(key=key, value=value)
    status, data = ask(client, Topic.UPD_USER_PROFILE, request)
    return status, payloads.decode(payloads.SetUserProfileResp, data)


def ask(client: Client, topic: str, request: payloads.Message) -> tuple[int, bytes]:
    message_id = client.query(topic, request)
    client.rig.settle()
    (answer,) = client.answers(message_id)
    return answer.status, answer.data


def texts(infos: Iterable[payloads.ProfileInfo]) -> dict[str, str]:
    return {info.key: info.value for info in infos}


def own(client: Client) -> payloads.UserProfile:
    request = payloads.UserProfileInput(nothing=1)
    return client.ask(Topic.PULL_OWN_PROFILE, request, payloads.UserProfile)


def look(client: Client, *users: str) -> list[tuple[str, dict[str, str], dict[str, str]]]:
    """Whose profiles come, and what is in them."""
    request = payloads.PullUserProfileReq(userId=users)
    reply = client.ask(Topic.PULL_USER_PROFILE, request, payloads.UserProfiles)
    return [
        (each.userId, texts(each.userProfile), texts(each.userExtProfile))
        for each in reply.UserProfile
    ]


def find(client: Client, unique_id: str) -> tuple[int, str]:
    request = payloads.SearchUserProfile(uniqueId=unique_id)
    status, data = ask(client, Topic.SEARCH_USER_PROFILE, request)
    return status, payloads.decode(payloads.UserProfile, data).userId if data else ""


def show_to(client: Client, visibility: int) -> int:
    request = payloads.UserProfilePermission(permission=visibility)
    status, data = ask(client, Topic.UPD_PROFILE_PERMISS, request)
    assert data == b""
    return status


def commands(client: Client) -> list[tuple[int, int]]:
    found = [
        payloads.decode(payloads.NotifyMsg, delivery.data)
        for delivery in client.deliveries(Topic.S_CMD)
    ]
    return [(each.type, each.time) for each in found]


# -- saying something ----------------------------------------------------------------


def test_what_a_user_says_is_read_by_himself_and_others(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    status, reply = say(alice, {"mood": "calm"}, name="Alice", gender="2", email="a@example.org")
    assert (status, reply.version) == (0, START)
    rig.advance(0.005)
    status, reply = say(alice, portraitUri="http://a/1.png", email="", level="7")
    assert (status, reply.version) == (0, START + 5)
    basic = {
        "name": "Alice",
        "portraitUri": "http://a/1.png",
        "uniqueId": "alice",
        "gender": "2",
        "level": "7",
    }
    mine = own(alice)
    assert (mine.userId, mine.version) == ("alice", START + 5)
    assert (texts(mine.userProfile), texts(mine.userExtProfile)) == (basic, {"mood": "calm"})
    assert look(bob, "alice") == [("alice", basic, {"mood": "calm"})]
    rig.store.store.close()
    assert look(Rig(tmp_path).online("bob", NEW), "alice") == [("alice", basic, {"mood": "calm"})]


def test_versions_rise_while_the_clock_stands(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice", NEW)
    versions = [say(alice, name=name)[1].version for name in ("a", "b")]
    assert versions[0] < versions[1]


def test_of_whom_nothing_is_known_an_empty_profile_comes(tmp_path: Path) -> None:
    alice = Rig(tmp_path).online("alice", NEW)
    assert look(alice, "nobody", "a b", "nobody") == [("nobody", {}, {}), ("a b", {}, {})]
    mine = own(alice)
    assert (mine.version, mine.userId, [*mine.userProfile]) == (0, "alice", [])


def test_it_is_the_same_name_that_the_application_registers(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", "2.5.3")
    rig.do(rig.system.users.register(APP, "alice", name="Alice", portrait="p"))
    assert texts(own(alice).userProfile) == {
        "name": "Alice",
        "portraitUri": "p",
        "uniqueId": "alice",
    }
    say(alice, name="Ally")
    message_id = bob.query(Topic.USER_INF, payloads.GetUserInfoInput(nothing=1), target="alice")
    rig.settle()
    (answer,) = bob.answers(message_id)
    assert payloads.decode(payloads.GetUserInfoOutput, answer.data).userName == "Ally"


def test_a_word_about_oneself_without_a_name_registers_nobody(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice", NEW)
    say(alice, email="a@example.org")
    assert rig.do(rig.system.users.info(APP, "alice")) is None
    say(alice, portraitUri="p")
    assert rig.do(rig.system.users.info(APP, "alice")) == ("", "p", START)


def test_apps_do_not_mix(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    say(rig.online("alice", NEW), name="Alice")
    stranger = rig.online("bob", NEW, app="other")
    assert look(stranger, "alice") == [("alice", {}, {})]
    assert find(stranger, "alice")[0] == ErrorCode.RC_USER_PROFILE_USER_NOT_EXIST


def test_the_largest_profiles_are_cut_short_if_all_are_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 profiles may have 16 MB, which no frame takes."""
    rig = Rig(tmp_path)
    for number, name in enumerate(("alice", "bob", "carol")):
        say(rig.online(name, NEW), {"mood": "x" * (600 - number)}, name=name)
    client = rig.online("dan", NEW)
    whole = {
        each.userId: each.ByteSize()
        for each in client.ask(
            Topic.PULL_USER_PROFILE,
            payloads.PullUserProfileReq(userId=["alice", "bob", "carol"]),
            payloads.UserProfiles,
        ).UserProfile
    }
    for room, seen in ((whole["bob"] + whole["carol"], ["bob", "carol"]), (100, [])):
        monkeypatch.setattr(user_profiles, "PAGE_BYTES", room)
        found = look(client, "alice", "bob", "carol")
        assert [basic["name"] for _, basic, _ in found] == ["alice", "bob", "carol"]
        assert [name for name, _, extra in found if extra] == seen


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("uniqueId", "x", ErrorCode.RC_USER_PROFILE_KEY_NOT_ALLOW_SDK_SET),
        ("shoes", "42", ErrorCode.RC_USER_PROFILE_KEY_NOT_EXIST),
        ("", "42", ErrorCode.RC_USER_PROFILE_KEY_NOT_EXIST),
        ("name", "x" * 65, ErrorCode.RC_USER_PROFILE_VALUE_LENGTH_EXCEED_LIMIT),
        ("gender", "woman", ErrorCode.RC_USER_PROFILE_VALUE_CAN_ONLY_BE_NUMBERS),
        ("gender", "1.5", ErrorCode.RC_USER_PROFILE_VALUE_CAN_ONLY_BE_NUMBERS),
        ("gender", "3", ErrorCode.RC_USER_PROFILE_VALUE_EXCEED_RANGE),
        ("level", "-1", ErrorCode.RC_USER_PROFILE_VALUE_EXCEED_RANGE),
        ("role", "101", ErrorCode.RC_USER_PROFILE_VALUE_EXCEED_RANGE),
    ],
)
def test_a_bad_key_is_named_and_nothing_changes(
    tmp_path: Path, key: str, value: str, code: ErrorCode
) -> None:
    alice = Rig(tmp_path).online("alice", NEW)
    status, reply = say(alice, email="a@example.org", **{key: value})
    assert (status, reply.key) == (code, key)
    assert own(alice).version == 0


@pytest.mark.parametrize(
    ("extra", "code", "named"),
    [
        ({"a b": "1"}, ErrorCode.RC_USER_PROFILE_EXT_KEY_NOT_EXIST, "a b"),
        ({"x" * 33: "1"}, ErrorCode.RC_USER_PROFILE_EXT_KEY_NOT_EXIST, "x" * 33),
        ({"x": "1" * 1025}, ErrorCode.RC_USER_PROFILE_VALUE_LENGTH_EXCEED_LIMIT, "x"),
        (
            {f"k{number}": "1" for number in range(21)},
            ErrorCode.RC_USER_PROFILE_EXT_KV_COUNT_EXCEED_LIMIT,
            "k20",
        ),
    ],
)
def test_a_bad_extended_key(
    tmp_path: Path, extra: dict[str, str], code: ErrorCode, named: str
) -> None:
    alice = Rig(tmp_path).online("alice", NEW)
    status, reply = say(alice, extra, name="Alice")
    assert (status, reply.key) == (code, named)
    assert own(alice).version == 0


def test_a_key_that_is_emptied_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_profiles, "EXTRA_KEYS", 1)
    alice = Rig(tmp_path).online("alice", NEW)
    assert say(alice, {"a": "1"}, gender="")[0] == 0
    assert say(alice, {"b": "1"})[0] == ErrorCode.RC_USER_PROFILE_EXT_KV_COUNT_EXCEED_LIMIT
    assert say(alice, {"a": "", "b": "1"})[0] == 0
    assert texts(own(alice).userExtProfile) == {"b": "1"}


def test_nobody_and_too_many_are_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_profiles, "MOST_PROFILES", 2)
    alice = Rig(tmp_path).online("alice", NEW)
    for users, code in (
        ((), ErrorCode.BIZ_ERROR_INVALID_PARAMETER),
        (("a", "b", "c"), ErrorCode.RC_USER_PROFILE_QUERY_COUNT_EXCEED_LIMIT),
    ):
        request = payloads.PullUserProfileReq(userId=users)
        assert ask(alice, Topic.PULL_USER_PROFILE, request) == (code, b"")


# -- being seen and found ------------------------------------------------------------


def test_users_are_found_by_their_id_or_the_one_they_were_given(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    profiles = rig.system.user_profiles
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    unknown = (ErrorCode.RC_USER_PROFILE_USER_NOT_EXIST, "")
    assert find(bob, "alice") == unknown
    say(alice, name="Alice")
    assert find(bob, "alice") == (0, "alice")
    rig.do(profiles.set_unique_id(APP, "alice", "A-1"))
    assert (find(bob, "A-1"), find(bob, "alice")) == ((0, "alice"), unknown)
    rig.do(profiles.set_unique_id(APP, "alice", "A-1"))
    for name, wanted in (("bob", "A-1"), ("bob", "a b"), ("a b", "x"), ("bob", "x" * 65)):
        with pytest.raises(ServiceError) as refusal:
            rig.do(profiles.set_unique_id(APP, name, wanted))
        assert refusal.value.code is ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    rig.do(profiles.set_unique_id(APP, "alice", ""))
    assert (find(bob, "alice"), find(bob, "A-1"), find(bob, "")) == ((0, "alice"), unknown, unknown)


def test_name_and_portrait_are_seen_of_whoever_hides(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob = rig.online("alice", NEW), rig.online("bob", NEW)
    say(alice, {"mood": "calm"}, name="Alice", portraitUri="p", email="a@example.org")
    everything = look(bob, "alice")
    request = payloads.UserProfileInput(nothing=1)
    for visibility in Visibility:
        assert show_to(alice, visibility) == 0
        status, data = ask(alice, Topic.Q_PROFILE_PERMISS, request)
        # An answer without data is not read.
        assert (status, data) == (0, bytes([8, visibility]))
        assert look(alice, "alice") == everything
        assert find(alice, "alice") == (0, "alice")
        if visibility in (Visibility.NOBODY, Visibility.FRIENDS):
            assert look(bob, "alice") == [("alice", {"name": "Alice", "portraitUri": "p"}, {})]
            assert find(bob, "alice")[0] == ErrorCode.RC_USER_PROFILE_USER_NOT_EXIST
        else:
            assert look(bob, "alice") == everything
    assert show_to(alice, 4) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert show_to(alice, -1) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_friends_see_what_is_for_friends(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice, bob, carol = (rig.online(name, NEW) for name in ("alice", "bob", "carol"))
    befriend = partial(friends.befriend, app=APP, user="alice", other="carol", time=START)
    rig.do(written(rig, befriend))
    say(alice, name="Alice", email="a@example.org")
    show_to(alice, Visibility.FRIENDS)
    assert find(carol, "alice") == (0, "alice")
    assert "email" in look(carol, "alice")[0][1]
    assert find(bob, "alice")[0] == ErrorCode.RC_USER_PROFILE_USER_NOT_EXIST
    assert "email" not in look(bob, "alice")[0][1]


async def written(rig: Rig, change: Callable[[Connection], None]) -> None:
    await rig.system.data.write(change)


# -- telling -------------------------------------------------------------------------


def test_the_own_other_devices_are_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    first, second = rig.online("alice", NEW), rig.online("alice", NEW)
    older = rig.online("alice", "4.6.4")
    _, reply = say(first, name="Alice")
    assert commands(second) == [(CommandType.OWN_PROFILE, reply.version)]
    show_to(first, Visibility.NOBODY)
    assert commands(second) == [(CommandType.OWN_PROFILE, own(second).version)]
    rig.do(rig.system.user_profiles.change(APP, "alice", basic={"level": "3"}, extra={}))
    rig.do(rig.system.users.register(APP, "alice", name="Ally"))
    rig.do(rig.system.users.update(APP, "alice", name="Al"))
    rig.do(rig.system.users.update(APP, "alice"))
    assert len(commands(first)) == len(commands(second)) == 3
    assert commands(older) == []


# -- where there are none ------------------------------------------------------------


def test_where_profiles_are_off(tmp_path: Path) -> None:
    alice = Rig(tmp_path, users=UserRules(profiles=False)).online("alice", NEW)
    nothing = payloads.UserProfileInput(nothing=1)
    for topic, request in (
        (Topic.UPD_USER_PROFILE, payloads.UserProfile()),
        (Topic.PULL_USER_PROFILE, payloads.PullUserProfileReq(userId=["bob"])),
        (Topic.PULL_OWN_PROFILE, nothing),
        (Topic.SEARCH_USER_PROFILE, payloads.SearchUserProfile(uniqueId="bob")),
        (Topic.UPD_PROFILE_PERMISS, payloads.UserProfilePermission(permission=1)),
        (Topic.Q_PROFILE_PERMISS, nothing),
    ):
        unavailable = (ErrorCode.RC_USER_PROFILE_SERVICE_UNAVAILABLE, b"")
        assert ask(alice, topic, request) == unavailable


def test_no_question_reads_a_table(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    plans: list[str] = []

    def look(connection: Connection) -> None:
        with query_plans(connection) as found:
            table.find(connection, app=APP, unique_id="alice")
        plans.extend(found)

    async def steps() -> None:
        await rig.system.data.read(look)

    rig.do(steps())
    assert len(plans) >= 6
    assert all(plan.startswith("SEARCH") for plan in plans)
