"""Groups that users of SDK 5 make and manage, and older clients in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.next_page import NextPage
from tests.interop.party import GROUP, Place, Refused, hears, nothing_more, online, texts

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

OPERATION = "GROUP_OPERATION"
CREATE, JOIN, KICK, QUIT, DISMISS, ADD_MANAGER, REMOVE_MANAGER, TRANSFER = range(8)
APPLICATION = "GROUP_APPLICATION_EVENT"
NORMAL, MANAGER, OWNER = 1, 2, 3
MANAGER_UNHANDLED, MANAGER_REFUSED, INVITEE_UNHANDLED, INVITEE_REFUSED, JOINED = range(5)
SENT, INVITED, INVITATION, RECEIVED = range(4)
MANAGER_MUST, INVITEE_MUST = 25424, 25427


def pages(door5: Door, server: ImServer, count: int) -> list[NextPage]:
    found = [door5.page(server) for _ in range(count)]
    return [online(page) for page in found if isinstance(page, NextPage)]


def made(anna: NextPage, *others: NextPage, **settings: Any) -> str:
    """A new group of anna's."""
    group = f"of-{anna.user}"
    info = {"groupId": group, "groupName": "Friends", **settings}
    anna.call("createGroup", info, [other.user for other in others])
    return group


def operation(page: NextPage, count: int) -> tuple[int, str, list[tuple[str, int]]]:
    """What was done by whom with which members, in which roles then."""
    data = page.wait_event(OPERATION, count=count)
    members = [(one["userId"], one["role"]) for one in data.get("memberInfos") or []]
    return data["operation"], data["operatorInfo"]["userId"], members


def application(page: NextPage, count: int) -> tuple[str, str, int, int]:
    """Joiner, inviter, status and direction."""
    data = page.wait_event(APPLICATION, count=count)
    inviter = (data.get("inviterInfo") or {}).get("userId", "")
    return data["joinMemberInfo"]["userId"], inviter, data["status"], data["direction"]


def members(page: NextPage, group: str, **option: Any) -> list[tuple[str, int]]:
    found = page.call("getGroupMembersByRole", group, 0, {"count": 50, "order": True, **option})
    return [(one["userId"], one["role"]) for one in found["data"]]


def test_a_group_is_made_changed_and_dismissed(door5: Door, server: ImServer) -> None:
    anna, bert, carl = pages(door5, server, 3)
    group = made(
        anna,
        bert,
        portraitUri="http://127.0.0.1/g.png",
        introduction="hello",
        notice="news",
        extProfile={"mood": "calm"},
        invitePermission=2,
        joinPermission=1,
    )
    assert operation(anna, 2) == operation(bert, 1) == (JOIN, anna.user, [(bert.user, NORMAL)])
    created = anna.events(OPERATION)[0]
    assert (created["operation"], created["operatorInfo"]["role"]) == (CREATE, OWNER)
    (info,) = anna.call("getGroupsInfo", [group])
    expected = {
        "groupId": group,
        "groupName": "Friends",
        "portraitUri": "http://127.0.0.1/g.png",
        "introduction": "hello",
        "notice": "news",
        "extProfile": {"mood": "calm"},
        "joinPermission": 1,
        "removeMemberPermission": 0,
        "invitePermission": 2,
        "inviteHandlePermission": 0,
        "groupInfoEditPermission": 0,
        "memberInfoEditPermission": 0,
        "creatorId": anna.user,
        "ownerId": anna.user,
        "membersCount": 2,
        "remark": "",
        "role": OWNER,
    }
    assert {key: info[key] for key in expected} == expected
    assert created["groupInfo"]["groupName"] == "Friends"
    with pytest.raises(Refused, match="25409"):
        carl.call("createGroup", {"groupId": group, "groupName": "Mine"})
    with pytest.raises(Refused, match="25405"):
        bert.call("updateGroupInfo", {"groupId": group, "notice": "mine"})
    with pytest.raises(Refused, match="25404"):
        bert.call("updateGroupInfo", {"groupId": group, "joinPermission": 0})
    anna.call("updateGroupInfo", {"groupId": group, "groupName": "Best", "joinPermission": 3})
    news = bert.wait_event("GROUP_INFO_CHANGED")
    assert news["operatorInfo"]["userId"] == anna.user
    assert news["changedGroupInfo"] == {
        "groupId": group,
        "groupName": "Best",
        "joinPermission": 3,
    }
    assert news["fullGroupInfo"]["introduction"] == "hello"
    with pytest.raises(Refused, match="25414"):
        carl.call("joinGroup", group)
    (seen,) = carl.call("getGroupsInfo", [group, "none"])
    assert (seen["groupName"], seen["role"]) == ("Best", 0)
    assert carl.call("getGroupsInfo", ["none"]) == []
    anna.call("dismissGroup", group)
    assert operation(anna, 3) == operation(bert, 2) == (DISMISS, anna.user, [])
    assert carl.events(OPERATION) == []
    with pytest.raises(Refused, match="22406"):
        bert.send(Place(GROUP, group), {"content": "anybody here?"})
    with pytest.raises(Refused, match="25410"):
        anna.call("quitGroup", group)


def test_who_wants_to_come_is_let_in_or_not(door5: Door, server: ImServer) -> None:
    anna, bert, carl = pages(door5, server, 3)
    group = made(anna)
    option = {"count": 20, "order": True}
    assert bert.call("joinGroup", group) == {"processCode": MANAGER_MUST}
    assert carl.call("joinGroup", group) == {"processCode": MANAGER_MUST}
    assert application(anna, 1) == (bert.user, "", MANAGER_UNHANDLED, RECEIVED)
    assert application(bert, 1) == (bert.user, "", MANAGER_UNHANDLED, SENT)
    assert anna.call("acceptGroupApplication", group, bert.user) is None
    anna.call("refuseGroupApplication", group, carl.user, None, "no room")
    assert application(bert, 2) == (bert.user, "", JOINED, SENT)
    assert application(carl, 2) == (carl.user, "", MANAGER_REFUSED, SENT)
    refused = carl.events(APPLICATION)[1]
    assert (refused["reason"], refused["operatorInfo"]["userId"]) == ("no room", anna.user)
    assert operation(bert, 1) == (JOIN, anna.user, [(bert.user, NORMAL)])
    with pytest.raises(Refused, match="25428"):
        anna.call("acceptGroupApplication", group, carl.user)
    with pytest.raises(Refused, match="25412"):
        bert.call("joinGroup", group)
    listed = anna.call("getGroupApplications", option)
    assert [(one["joinMemberInfo"]["userId"], one["status"]) for one in listed["data"]] == [
        (bert.user, JOINED),
        (carl.user, MANAGER_REFUSED),
    ]
    first = anna.call("getGroupApplications", {"count": 1, "order": False})
    assert [one["joinMemberInfo"]["userId"] for one in first["data"]] == [carl.user]
    option = {"count": 1, "order": False, "pageToken": first["pageToken"]}
    second = anna.call("getGroupApplications", option)
    assert [one["joinMemberInfo"]["userId"] for one in second["data"]] == [bert.user]
    assert second["pageToken"] == ""
    with pytest.raises(Refused, match="25432"):
        anna.call("getGroupApplications", {"count": 1, "pageToken": "what?"})


def test_who_is_invited_agrees_or_not(door5: Door, server: ImServer) -> None:
    anna, bert, carl = pages(door5, server, 3)
    group = made(anna, inviteHandlePermission=1, invitePermission=2)
    asked = anna.call("inviteUsersToGroup", group, [bert.user, carl.user])
    assert asked == {"processCode": INVITEE_MUST}
    for page in (bert, carl):
        assert application(page, 1) == (page.user, anna.user, INVITEE_UNHANDLED, INVITATION)
    bert.call("acceptGroupInvite", group, anna.user)
    carl.call("refuseGroupInvite", group, anna.user, "busy")
    assert application(anna, 3) == (bert.user, anna.user, JOINED, INVITED)
    assert application(anna, 4) == (carl.user, anna.user, INVITEE_REFUSED, INVITED)
    assert operation(bert, 1) == (JOIN, anna.user, [(bert.user, NORMAL)])
    with pytest.raises(Refused, match="25421"):
        bert.call("acceptGroupInvite", group, carl.user)
    assert bert.call("inviteUsersToGroup", group, [carl.user]) == {"processCode": MANAGER_MUST}
    assert application(anna, 5) == (carl.user, bert.user, MANAGER_UNHANDLED, RECEIVED)
    anna.call("acceptGroupApplication", group, carl.user, bert.user)
    assert application(carl, 3) == (carl.user, bert.user, INVITEE_UNHANDLED, INVITATION)
    carl.call("acceptGroupInvite", group, bert.user)
    assert operation(anna, 3) == (JOIN, bert.user, [(carl.user, NORMAL)])
    assert members(carl, group) == [
        (anna.user, OWNER),
        (bert.user, NORMAL),
        (carl.user, NORMAL),
    ]


def test_members_have_roles(door5: Door, server: ImServer) -> None:
    anna, bert, carl = pages(door5, server, 3)
    group = made(anna, bert, carl, removeMemberPermission=1)
    with pytest.raises(Refused, match="25405"):
        carl.call("kickGroupMembers", group, [bert.user])
    anna.call("addGroupManagers", group, [bert.user, carl.user])
    managers = sorted([(bert.user, MANAGER), (carl.user, MANAGER)])
    done, by, named = operation(carl, 2)
    assert (done, by, sorted(named)) == (ADD_MANAGER, anna.user, managers)
    anna.call("removeGroupManagers", group, [carl.user])
    assert operation(carl, 3) == (REMOVE_MANAGER, anna.user, [(carl.user, NORMAL)])
    bert.call("kickGroupMembers", group, [carl.user])
    for page, count in ((anna, 5), (bert, 4), (carl, 4)):
        assert operation(page, count) == (KICK, bert.user, [(carl.user, NORMAL)])
    with pytest.raises(Refused, match="25418"):
        carl.call("getGroupMembers", group, [anna.user])
    with pytest.raises(Refused, match="25417"):
        anna.call("quitGroup", group)
    with pytest.raises(Refused, match="25417"):
        bert.call("kickGroupMembers", group, [anna.user])
    anna.call("transferGroupOwner", group, bert.user, True)
    assert operation(bert, 5) == (TRANSFER, anna.user, [(bert.user, OWNER)])
    assert operation(bert, 6) == (QUIT, anna.user, [(anna.user, NORMAL)])
    assert members(bert, group) == [(bert.user, OWNER)]
    bert.call("inviteUsersToGroup", group, [carl.user])
    carl.call("quitGroup", group, {"removeFollow": False})
    assert operation(bert, 8) == (QUIT, carl.user, [(carl.user, NORMAL)])


def test_members_and_groups_have_names(door5: Door, server: ImServer) -> None:
    anna, bert, carl = pages(door5, server, 3)
    bert.call("updateMyUserProfile", {"name": "Bert"})
    group = made(anna, bert, carl)
    bert.call("setGroupMemberInfo", group, bert.user, "Bertie", "tall")
    news = anna.wait_event("GROUP_MEMBER_INFO_CHANGED")
    assert (news["groupId"], news["operatorInfo"]["userId"]) == (group, bert.user)
    shown = {"userId": bert.user, "name": "Bert", "nickname": "Bertie", "extra": "tall"}
    assert {key: news["memberInfo"][key] for key in shown} == shown
    anna.call("setGroupMemberInfo", group, bert.user, "B")
    (found,) = carl.call("getGroupMembers", group, [bert.user, "nobody"])
    shown["nickname"] = "B"
    assert {key: found[key] for key in shown} == shown
    with pytest.raises(Refused, match="25405"):
        carl.call("setGroupMemberInfo", group, bert.user, "no")
    with pytest.raises(Refused, match="25407"):
        carl.call("setGroupMemberInfo", group, carl.user, "  ")
    carl.call("setGroupRemark", group, "mine")
    news = carl.wait_event("GROUP_REMARK_CHANGED_SYNC")
    assert (news["groupId"], news["operationType"], news["groupRemark"]) == (group, 1, "mine")
    (joined,) = carl.call("getJoinedGroups", [group, "none"])
    assert (joined["remark"], joined["role"], joined["joinedTime"] > 0) == ("mine", NORMAL, True)
    carl.call("setGroupRemark", group, "")
    assert carl.wait_event("GROUP_REMARK_CHANGED_SYNC", count=2)["operationType"] == 2
    carl.call("addGroupFollows", group, [anna.user, bert.user])
    news = carl.wait_event("GROUP_FOLLOWS_CHANGED_SYNC")
    assert (news["operationType"], news["userIds"]) == (1, [anna.user, bert.user])
    carl.call("removeGroupFollows", group, [anna.user])
    assert carl.wait_event("GROUP_FOLLOWS_CHANGED_SYNC", count=2)["operationType"] == 2
    (followed,) = carl.call("getGroupFollows", group)
    assert (followed["userId"], followed["time"] > 0) == (bert.user, True)
    assert anna.call("getGroupFollows", group) == []


def test_lists_come_in_pages(door5: Door, server: ImServer) -> None:
    (anna,) = pages(door5, server, 1)
    names = [f"{anna.user}-{number}" for number in range(5)]
    groups = [f"{number}-{anna.user}" for number in range(3)]
    for group in groups:
        anna.call("createGroup", {"groupId": group, "groupName": group}, names)
    seen: list[str] = []
    token = ""
    for size in (4, 2):
        page = anna.call(
            "getGroupMembersByRole", groups[0], 0, {"count": 4, "order": True, "pageToken": token}
        )
        assert len(page["data"]) == size
        seen += [one["userId"] for one in page["data"]]
        token = page["pageToken"]
    assert (seen, token) == ([anna.user, *names], "")
    assert [user for user, _ in members(anna, groups[0], order=False)] == seen[::-1]
    found = anna.call("getGroupMembersByRole", groups[0], OWNER, {"count": 4})
    assert [one["userId"] for one in found["data"]] == [anna.user]
    option = {"count": 2, "order": True}
    first = anna.call("getJoinedGroupsByRole", option, OWNER)
    assert [one["groupId"] for one in first["data"]] == groups[:2]
    option = {**option, "pageToken": first["pageToken"]}
    second = anna.call("getJoinedGroupsByRole", option, OWNER)
    assert ([one["groupId"] for one in second["data"]], second["pageToken"]) == (groups[2:], "")
    assert anna.call("getJoinedGroupsByRole", {"count": 2}, MANAGER)["data"] == []


@pytest.mark.parametrize("kind", ["2.9.2", "program"])
def test_older_clients_talk_in_such_groups(door5: Door, server: ImServer, kind: str) -> None:
    anna, bert = pages(door5, server, 2)
    carl = online(door5.party(server, kind))
    group = made(anna, bert)
    place = Place(GROUP, group)
    with pytest.raises(Refused, match="22406"):
        carl.send(place, {"content": "let me in"})
    assert anna.call("inviteUsersToGroup", group, [carl.user]) == {"processCode": 0}
    assert operation(bert, 2) == (JOIN, anna.user, [(carl.user, NORMAL)])
    for speaker, listeners in ((anna, (bert, carl)), (carl, (anna, bert))):
        words = texts("hello all", "\U0001f600 你好")
        sent = speaker.send_all(place, words)
        for listener in listeners:
            hears(listener, speaker, words, sent, place=place)
    anna.call("kickGroupMembers", group, [carl.user])
    with pytest.raises(Refused, match="22406"):
        carl.send(place, {"content": "still here?"})
    nothing_more(anna, bert, carl)


def test_a_second_device_hears_of_it_too(door5: Door, many_devices: ImServer) -> None:
    anna, bert = pages(door5, many_devices, 2)
    second = door5.page(many_devices, bert.user)
    assert isinstance(second, NextPage)
    online(second)
    group = made(anna, bert)
    bert.call("setGroupRemark", group, "mine")
    for page in (bert, second):
        assert operation(page, 1) == (JOIN, anna.user, [(bert.user, NORMAL)])
        assert page.wait_event("GROUP_REMARK_CHANGED_SYNC")["groupRemark"] == "mine"


def test_groups_of_the_application_are_not_for_clients(door5: Door, server: ImServer) -> None:
    (anna,) = pages(door5, server, 1)
    group = f"theirs-{anna.user}"
    server.order("groups", "create", group, owner=anna.user, members=[anna.user], name="theirs")
    with pytest.raises(Refused, match="25429"):
        anna.call("updateGroupInfo", {"groupId": group, "groupName": "mine"})
    assert anna.call("getGroupsInfo", [group]) == []
    assert anna.call("getJoinedGroups", [group]) == []
