"""Groups that clients manage: making, changing and finding them, and who is told (sdk5 8.5)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.frames import PubAck
from improto.operations import Topic
from improto_server.services import managed_rules as rules
from improto_server.services.charter import Group
from improto_server.steps import start
from improto_server.store import Place, StoreError, rosters
from improto_server.store import managed_groups as table
from improto_server.store import managed_lists as lists
from improto_server.store.managed_groups import CharterRow, MemberRow
from improto_server.system import UserRules
from tests.server.group_tools import OK, Someone, extension_of, pairs, party, settings_of
from tests.server.rig import APP, Rig
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

G = Place(APP, ConversationType.GROUP, "g")
FULL = ErrorCode.RC_GROUP_MEMBERS_COUNT_EXCEED_LIMIT
OPERATION, PROFILE = 11, 12
CREATE, JOIN, DISMISS = 0, 1, 4


def wrong(someone: Someone, topic: Topic, **fields: object) -> tuple[int, list[str]]:
    """Status of a refusal, and what it says is wrong."""
    request = payloads.ChannelsInput(targetId="g", settingProfile=pairs(fields))
    status, data = someone.raw(topic, request, "g")
    return status, list(payloads.decode(payloads.ChannelsOutput, data).censorFailedFields)


# -- making ----------------------------------------------------------------------------


def test_who_makes_a_group_owns_it_and_those_invited_are_in(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.do(rig.system.users.register(APP, "ann", name="Ann", portrait="http://a/p.png"))
    ann, bob, eve = party(rig, "ann", "bob", "eve")
    assert ann.create(users=["bob", "ann", "bob"], joinPerm=1, extension={"k": "v"}) == OK
    (info,) = ann.info()
    assert settings_of(info) == {"name": "Group", "joinPerm": "1"}
    assert extension_of(info) == {"k": "v"}
    assert (info.baseInfo.creatorId, info.baseInfo.ownerId) == ("ann", "ann")
    assert (info.baseInfo.memberCount, info.baseInfo.createTime > 0) == (2, True)
    assert (info.userInfo.role, info.userInfo.joinTime > 0) == (3, True)
    assert ann.members() == [("ann", 3), ("bob", 1)]
    made, came = ann.events()
    assert (made.kind, made.sub, made.group, made.operator) == (OPERATION, CREATE, "g", "ann")
    assert settings_of(made.data.channelInfo)["name"] == "Group"
    operator = made.data.optUserInfo
    assert (operator.userId, operator.name, operator.portraitUrl) == (
        "ann",
        "Ann",
        "http://a/p.png",
    )
    assert (operator.ext.role, made.members) == (3, [])
    assert (came.kind, came.sub, came.members) == (OPERATION, JOIN, ["bob"])
    assert [(one.kind, one.sub) for one in bob.events()] == [(OPERATION, JOIN)]
    assert eve.events() == []
    ann.client.publish("g", topic=Topic.PG_MSG_P)
    rig.settle()
    assert [one.classname for one in bob.client.pull_all()] == ["RC:TxtMsg"]


def test_older_clients_are_members_like_others(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ann, old = Someone(rig, "ann"), rig.online("bob", "2.9.2")
    assert ann.create(users=["bob"]) == OK
    old.publish("g", topic=Topic.PG_MSG_P)
    rig.settle()
    (ack,) = (frame for frame in old.frames() if isinstance(frame, PubAck))
    assert ack.status == OK
    (seen,) = ann.client.pull_all()
    assert seen.fromUserId == "bob"


def test_a_group_is_made_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ann, bob = party(rig, "ann", "bob")
    assert ann.create() == OK
    assert bob.create() == ErrorCode.RC_GROUP_ID_ALREADY_EXIST
    rig.do(rig.system.groups.create(APP, "theirs", members=["bob"], name="Theirs"))
    assert bob.create("theirs") == ErrorCode.RC_GROUP_ID_ALREADY_EXIST
    for id in ("", "~g", "a b", "ä", "g" * 65, "g.h"):
        assert bob.create(id) == ErrorCode.RC_GROUP_ID_INVALID
    assert bob.create("aZ09+=-_|:") == OK


def test_what_cannot_be_said_about_a_group_is_refused(tmp_path: Path) -> None:
    (ann,) = party(Rig(tmp_path), "ann")
    create = partial(wrong, ann, Topic.CHANNEL_CREATE)
    assert create() == (ErrorCode.RC_GROUP_NAME_INVALID, [])
    assert create(name=" ") == (ErrorCode.RC_GROUP_NAME_INVALID, ["name"])
    long = ErrorCode.RC_GROUP_PARAMETER_LENGTH_EXCEED_LIMIT
    for key, most in rules.TEXTS.items():
        assert create(**{"name": "n", key: "x" * (most + 1)}) == (long, [key])
    assert create(name="a\0b") == (ErrorCode.RC_GROUP_PARAMETER_FORMAT_ERROR, ["name"])
    bad = ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR
    assert create(name="n", colour="red") == (bad, ["colour"])
    number = ErrorCode.RC_GROUP_PARAMETER_VALUE_CAN_ONLY_BE_NUMBERS
    for key, highest in rules.PERMISSIONS.items():
        assert create(**{"name": "n", key: highest + 1}) == (bad, [key])
        assert create(**{"name": "n", key: "00"}) == (bad, [key])
        for value in ("", "x", "-1", "²"):
            assert create(**{"name": "n", key: value}) == (number, [key])
    assert ann.create(users=[f"u{n}" for n in range(31)]) == bad
    assert ann.create(users=["a b"]) == bad
    assert ann.create(extension={f"k{n}": "v" for n in range(11)}) == bad
    assert ann.create(extension={"": "v"}) == bad
    assert ann.create(extension={"k" * 33: "v"}) == long
    assert ann.create(extension={"k": "v" * 257}) == long
    assert ann.create(users=[f"u{n}" for n in range(30)]) == OK
    assert ann.info()[0].baseInfo.memberCount == 31


def test_if_they_must_agree_those_invited_are_asked(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ann, bob = party(rig, "ann", "bob")
    assert ann.create(users=["bob"], invitePerm=1) == OK
    assert ann.members() == [("ann", 3)]
    assert bob.waiting() == [("bob", "ann", 2, 2)]
    assert bob.answer(yes=True, inviter="ann") == OK
    assert bob.members() == [("ann", 3), ("bob", 1)]


# -- changing --------------------------------------------------------------------------


def test_everybody_is_told_what_has_changed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ann, bob = party(rig, "ann", "bob")
    ann.create(users=["bob"], extension={"a": "1", "b": "2"}, introduction="hello")
    bob.events()
    assert ann.update(name="New", profilePerm=2, extension={"a": "", "c": "3"}) == OK
    (event,) = bob.events()
    assert (event.kind, event.sub, event.operator) == (PROFILE, 0, "ann")
    assert event.data.optUserInfo.userId == "ann"
    assert settings_of(event.data.channelInfo) == {"name": "New", "profilePerm": "2"}
    assert extension_of(event.data.channelInfo) == {"a": "", "c": "3"}
    full = {"name": "New", "introduction": "hello", "profilePerm": "2"}
    assert settings_of(event.data.channelFullInfo) == full
    (info,) = bob.info()
    assert settings_of(info) == full
    assert extension_of(info) == {"b": "2", "c": "3"}
    assert bob.update(announcement="news") == OK
    assert len(ann.events()) == 4


def test_an_empty_change_is_none(tmp_path: Path) -> None:
    (ann,) = party(Rig(tmp_path), "ann")
    ann.create()
    ann.events()
    assert ann.update() == OK
    assert ann.events() == []


@pytest.mark.parametrize(("permission", "least"), [(0, "ann"), (1, "bob"), (2, "eve")])
def test_who_may_change_what_a_group_is_called(tmp_path: Path, permission: int, least: str) -> None:
    rig = Rig(tmp_path)
    ann, bob, eve = party(rig, "ann", "bob", "eve")
    ann.create(users=["bob", "eve"], profilePerm=permission)
    ann.change(Topic.UP_CHANNEL_MANAGER, "bob", operate=1)
    expected = [OK if least >= one.name else 25405 for one in (ann, bob, eve)]
    assert [one.update(introduction="x") for one in (ann, bob, eve)] == expected
    assert wrong(bob, Topic.UP_CHANNEL_INFO, name="n", joinPerm=1) == (
        ErrorCode.RC_GROUP_ILLEGAL_ERROR,
        ["joinPerm"],
    )


def test_groups_of_others_and_none_cannot_be_changed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ann, bob = party(rig, "ann", "bob")
    ann.create()
    rig.do(rig.system.groups.create(APP, "theirs", owner="ann", name="Theirs"))
    assert bob.update(name="x") == ErrorCode.RC_GROUP_USER_NOT_IN_GROUP
    assert ann.update("none", name="x") == ErrorCode.RC_GROUP_ID_NOT_EXIST
    assert ann.update("theirs", name="x") == ErrorCode.RC_GROUP_OLD_GROUP_NOT_ENTRUST
    assert ann.update("t.h", name="x") == ErrorCode.RC_GROUP_ID_INVALID
    assert ann.info("theirs", "none", "g")[0].targetId == "g"
    assert ann.change(Topic.CHANNEL_DISMISS, group="theirs") == 25429


def test_what_cannot_be_written_is_not_remembered(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (ann,) = party(rig, "ann")
    ann.create()
    rig.store.broken = StoreError("no")
    assert ann.create("h") == ErrorCode.INTERNALERRROR
    rig.store.broken = None
    rig.system.charters._known.forget(G)
    assert ann.update(introduction="kept") == OK
    rig.system.charters._known.forget(G)
    assert ann.update(announcement="more") == OK
    assert settings_of(ann.info()[0]).keys() == {"name", "introduction", "announcement"}


# -- the end of it -----------------------------------------------------------------------


def test_the_owner_dismisses_a_group_and_all_hear_of_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ann, bob = party(rig, "ann", "bob")
    ann.create(users=["bob"], introduction="old")
    ann.change(Topic.UP_CHANNEL_MANAGER, "bob", operate=1)
    bob.events()
    assert bob.change(Topic.CHANNEL_DISMISS) == ErrorCode.RC_GROUP_AUTHORITY_ERROR
    assert ann.change(Topic.CHANNEL_DISMISS) == OK
    (event,) = bob.events()
    assert (event.kind, event.sub, event.members) == (OPERATION, DISMISS, [])
    assert ann.info() == []
    assert ann.change(Topic.CHANNEL_DISMISS) == ErrorCode.RC_GROUP_ID_NOT_EXIST
    bob.client.publish("g", topic=Topic.PG_MSG_P)
    rig.settle()
    (ack,) = (frame for frame in bob.client.frames() if isinstance(frame, PubAck))
    assert ack.status == ErrorCode.NOT_IN_GROUP
    assert bob.create(users=["ann"]) == OK
    assert bob.members() == [("bob", 3), ("ann", 1)]
    assert settings_of(bob.info()[0]) == {"name": "Group"}


def test_what_the_application_dismisses_is_nobodys(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (ann,) = party(rig, "ann")
    ann.create()
    rig.do(rig.system.groups.dismiss(APP, "g"))
    rig.do(rig.system.groups.create(APP, "g", owner="ann", name="Theirs"))
    assert ann.update(name="x") == ErrorCode.RC_GROUP_OLD_GROUP_NOT_ENTRUST
    rig.system.charters._known.forget(G)
    assert ann.update(name="x") == ErrorCode.RC_GROUP_OLD_GROUP_NOT_ENTRUST


def test_of_whom_the_application_removes_nothing_is_left(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ann, bob = party(rig, "ann", "bob")
    ann.create(users=["bob", "eve"])
    ann.change(Topic.UP_CHANNEL_MANAGER, "bob", "eve", operate=1)
    rig.do(rig.system.groups.quit(APP, "g", ["bob"]))
    rig.do(rig.system.groups.join(APP, "g", ["bob"]))
    assert ("bob", 1) in ann.members()
    rig.system.charters._known.forget(G)
    rig.do(rig.system.groups.quit(APP, "g", ["eve"]))
    rig.do(rig.system.groups.join(APP, "g", ["eve"]))
    assert sorted(bob.members()) == [("ann", 3), ("bob", 1), ("eve", 1)]
    rig.do(rig.system.groups.create(APP, "theirs", members=["ann"], name="Theirs"))
    assert ann.change(Topic.CHANNEL_MEM_QUIT, group="theirs") == 25429
    rig.do(rig.system.groups.quit(APP, "theirs", ["ann"]))


def test_what_becomes_of_discussions_is_another_matter(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (ann,) = party(rig, "ann")
    ann.create()
    discussion = Place(APP, ConversationType.DISCUSSION, "~g")
    rig.do(rig.system.rosters.create(discussion, name="Talk", members=["ann", "bob"]))
    rig.do(rig.system.rosters.leave(discussion, ["bob"]))
    rig.do(rig.system.rosters.dissolve(discussion))
    assert ann.members() == [("ann", 3)]


def test_a_group_is_looked_at_as_it_is_when_both_halves_are_there(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (ann,) = party(rig, "ann")
    ann.create()
    charters, rosters = rig.system.charters, rig.system.rosters
    charters._known.forget(G)
    rosters._known.forget(G)
    found: list[Group | Exception] = []
    start(charters.load(APP, "g"), found.append)
    while charters._known.get(G) is None:
        rig.settle_one()
    charters._known.forget(G)
    rig.settle()
    (group,) = found
    assert isinstance(group, Group)
    assert group.charter is charters._known.get(G)
    assert group.roster is rosters.get(G)


# -- lists and remarks -------------------------------------------------------------------


def test_groups_that_somebody_is_in_are_listed_by_role(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    ann, bob = party(rig, "ann", "bob")
    for n in range(5):
        ann.create(f"a{n}", users=["bob"] if n % 2 else [])
    bob.create("b0", users=["ann"])
    bob.change(Topic.UP_CHANNEL_MANAGER, "ann", operate=1, group="b0")
    rig.do(rig.system.groups.create(APP, "theirs", members=["ann"], name="Theirs"))

    def joined(role: int, **fields: object) -> list[str]:
        found, _ = ann.lists(Topic.Q_CHANNEL_MEM_JOIN, "ann", roleType=role, **fields)
        return [one.targetId for one in found]

    assert joined(0, order=1) == ["a0", "a1", "a2", "a3", "a4", "b0"]
    assert joined(0) == ["b0", "a4", "a3", "a2", "a1", "a0"]
    assert joined(3, order=1, size=2) == ["a0", "a1"]
    assert (joined(2), joined(1)) == (["b0"], [])
    for order in (0, 1):
        seen, page_token = [], ""
        while True:
            found, page = ann.lists(
                Topic.Q_CHANNEL_MEM_JOIN, "ann", size=4, order=order, pageToken=page_token
            )
            seen += [one.targetId for one in found]
            if not page.hasNext:
                assert page.pageToken == ""
                break
            page_token = page.pageToken
        assert seen == joined(0, order=order)
    (info,), _ = bob.lists(Topic.Q_CHANNEL_MEM_JOIN, "bob", roleType=3)
    assert (info.targetId, info.baseInfo.ownerId, info.baseInfo.memberCount) == ("b0", "bob", 2)


def test_groups_by_their_ids_are_those_that_one_is_in(tmp_path: Path) -> None:
    ann, bob = party(Rig(tmp_path), "ann", "bob")
    ann.create("a")
    ann.create("b", users=["bob"])
    found, _ = bob.lists(Topic.Q_CHANNEL_MEM_SPE_JOIN, "bob", ids=["a", "b", "b", "none"])
    assert [(one.targetId, one.userInfo.role) for one in found] == [("b", 1)]
    (info,) = bob.info("a")
    assert (info.targetId, info.HasField("userInfo")) == ("a", False)
    assert bob.lists(Topic.Q_CHANNEL_MEM_SPE_JOIN, "bob", ids=["a"])[0] == []


def test_a_remark_is_for_oneself(tmp_path: Path) -> None:
    ann, bob = party(Rig(tmp_path), "ann", "bob")
    ann.create(users=["bob"])
    ann.events()
    bob.events()
    request = payloads.ChannelsMemberUpdateInput(
        targetId="g", operateType=1, channelNickName="mine"
    )
    assert bob.status(Topic.UP_CHANNEL_REMARK, request, "g") == OK
    assert bob.info()[0].userInfo.remarkName == "mine"
    assert ann.info()[0].userInfo.remarkName == ""
    assert ann.events() == []
    request.channelNickName = "x" * 65
    assert bob.status(Topic.UP_CHANNEL_REMARK, request, "g") == 25406
    request.operateType = 2
    assert bob.status(Topic.UP_CHANNEL_REMARK, request, "g") == OK
    request.operateType = 3
    assert bob.status(Topic.UP_CHANNEL_REMARK, request, "g") == 25403
    request.operateType = 2
    (eve,) = party(bob.client.rig, "eve")
    assert eve.status(Topic.UP_CHANNEL_REMARK, request, "g") == 25418
    assert bob.info()[0].userInfo.remarkName == ""
    found = [(one.kind, one.sub, one.change.secondaryId) for one in bob.events()]
    assert found == [(PROFILE, 2, "mine"), (PROFILE, 3, "")]


def test_lists_have_limits(tmp_path: Path) -> None:
    (ann,) = party(Rig(tmp_path), "ann")
    ids = [f"g{n}" for n in range(21)]
    query = payloads.ChannelsQueryInput(ids=ids)
    many = ErrorCode.RC_GROUP_QUERY_GROUP_COUNT_EXCEED_LIMIT
    assert ann.status(Topic.Q_CHANNEL_MEM_SPE_JOIN, query, "ann") == many
    assert ann.status(Topic.Q_CHANNEL_INFO, payloads.MultiChannels(), "ann") == many
    query = payloads.ChannelsQueryInput(ids=["a b"])
    assert ann.status(Topic.Q_CHANNEL_MEM_SPE_JOIN, query, "ann") == 25430
    for page, code in (
        ({"size": 101}, 25403),
        ({"size": -1}, 25403),
        ({"order": 2}, 25403),
        ({"pageToken": "?"}, 25432),
        ({"pageToken": "1.x"}, 25432),
        ({"pageToken": "9" * 30 + ".1"}, 25432),
    ):
        query = payloads.ChannelsQueryInput(page=payloads.ChannelsPageParam(**page))
        assert ann.status(Topic.Q_CHANNEL_MEM_JOIN, query, "ann") == code
    for role in (-1, 4):
        query = payloads.ChannelsQueryInput(roleType=role)
        assert ann.status(Topic.Q_CHANNEL_MEM_JOIN, query, "ann") == 25403


# -- switched off ------------------------------------------------------------------------


def test_where_clients_manage_no_groups_all_of_it_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path, users=UserRules(profiles=False))
    (ann,) = party(rig, "ann")
    off = ErrorCode.RC_GROUP_NOT_ALLOW_SDK_OPERATION
    assert (ann.create(), ann.update(), ann.join(), ann.invite("bob")) == (off,) * 4
    assert ann.answer(yes=True, joiner="bob") == off
    query = payloads.ChannelsQueryInput(targetId="g", ids=["g"])
    for topic in (
        Topic.Q_CHANNEL_MEM,
        Topic.Q_CHANNEL_SPE_MEM,
        Topic.Q_CHANNEL_FOLLOW,
        Topic.Q_CHANNEL_APPLY_LIST,
        Topic.Q_CHANNEL_MEM_JOIN,
        Topic.Q_CHANNEL_MEM_SPE_JOIN,
    ):
        assert ann.status(topic, query, "g") == off
    for topic in (Topic.CHANNEL_MEM_KICK, Topic.CHANNEL_TRANSFER):
        assert ann.change(topic, "bob") == off
    for topic in (Topic.UP_CHANNEL_MANAGER, Topic.UP_CHANNEL_FOLLOW):
        assert ann.change(topic, "bob", operate=1) == off
    for topic in (Topic.CHANNEL_MEM_QUIT, Topic.CHANNEL_DISMISS):
        assert ann.change(topic) == off
    name = payloads.ChannelsMemberUpdateInput(userId="ann", operateType=1)
    for topic in (Topic.UP_CHANNEL_MEM, Topic.UP_CHANNEL_REMARK):
        assert ann.status(topic, name, "g") == off


# -- tables ------------------------------------------------------------------------------


def test_no_table_is_scanned(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (ann,) = party(rig, "ann")
    ann.create(users=["bob"])

    def ask(connection: Connection) -> list[str]:
        with query_plans(connection) as found:
            for role in (0, 1, 2, 3):
                for descending in (True, False):
                    lists.joined(
                        connection,
                        app=APP,
                        user="ann",
                        role=role,
                        after=(1, 1),
                        is_descending=descending,
                        most=10,
                    )
            lists.groups_by_id(connection, app=APP, user="ann", type=3, ids=["g"])
            table.charter(connection, place=G)
            table.follows(connection, place=G, owner="ann")
            table.people(connection, app=APP, users=["ann"])
            table.unfollow(connection, place=G, owner="ann", members=["bob"])
            table.unfollow_all(connection, place=G, members=["bob"])
            table.forget_members(connection, place=G, members=["bob"])
            table.forget(connection, place=G)
            rosters.roster(connection, place=G)
        return found

    plans = rig.do(_write(rig, ask))
    assert len(plans) > 20
    scans = [plan for plan in plans if plan.startswith("SCAN") and "chosen" not in plan]
    assert scans == []


async def _write(rig: Rig, change: object) -> object:
    return await rig.system.data.write(change)  # type: ignore[arg-type]


def test_a_row_of_a_member_is_written_over(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    first = CharterRow("ann", 1, {"joinPerm": "1"}, {}, {})

    def write(connection: Connection) -> CharterRow | None:
        table.put_charter(connection, place=G, row=first, managers_admit=False)
        table.put_charter(
            connection, place=G, row=first._replace(extension={"k": "v"}), managers_admit=True
        )
        for nickname in ("a", "b"):
            member = MemberRow(is_manager=True, nickname=nickname, additional="")
            table.put_member(connection, place=G, member="bob", row=member)
        return table.charter(connection, place=G)

    row = rig.do(_write(rig, write))
    assert isinstance(row, CharterRow)
    assert row == CharterRow(
        "ann", 1, {"joinPerm": "1"}, {"k": "v"}, {"bob": MemberRow(True, "b", "")}
    )
