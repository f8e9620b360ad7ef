"""More of what is said for the golden vectors of SDK 5: people, the groups they make, calls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from improto import payloads
from improto.codes import CommandType
from improto.operations import Topic
from tests.interop.party import online
from tools.recorded_scenes import CITY, RTC_ROOM, TEXT, ULTRA_GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto.payloads import Message
    from tools.record_vectors import Stage


def people(stage: Stage) -> None:
    """Subscriptions and profiles."""
    settings = {"IMPROTO_MESSAGES_MULTI_DEVICE": "true"}
    with stage.scene("anna", "bert", "anna", settings=settings) as (_, (anna, bert, phone)):
        for page in (anna, phone):
            online(page)
        anna.do("subscribeUserStatus", ["bert"], 1, 3600)
        online(bert)
        anna.wait_event("SUBSCRIBED_USER_STATUS_CHANGE")
        anna.do("getSubscribeUserList", 1, 10, 0)
        anna.do("getSubscribeUserStatus", 1, ["bert"])
        anna.do("getSubscribeUsersOnlineStatus", ["bert"])
        anna.do("subscribeUserStatus", ["bert"], 2, 3600, label="-profile")
        mine: dict[str, Any] = {
            "name": "Bert",
            "portraitUri": "http://127.0.0.1/b.png",
            "email": "b@localhost",
        }
        mine |= {"birthday": "2000-01-01", "gender": 1, "location": "here", "role": 1, "level": 2}
        bert.do("updateMyUserProfile", {**mine, "userExtProfile": {"ext_color": "red"}})
        anna.do("getUserProfiles", ["bert"])
        anna.do("getMyUserProfile")
        anna.do("updateMyUserProfileVisibility", 2)
        anna.do("getMyUserProfileVisibility")
        anna.do("searchUserProfileByUniqueId", "none")
        anna.do("unSubscribeUserStatus", ["bert"], 1)


def friends(stage: Stage) -> None:
    """Friends: asked, taken, refused, named, dropped."""
    with stage.scene("anna", "bert", "carl") as (_, (anna, bert, carl)):
        for page in (anna, bert, carl):
            online(page)
        bert.do("setFriendAddPermission", 2)
        bert.do("getFriendAddPermission")
        carl.do("setFriendAddPermission", 2)
        for name in ("bert", "carl"):
            anna.do("addFriend", name, 2, "it is me")
        bert.do("acceptFriendApplication", "anna")
        carl.do("refuseFriendApplication", "anna")
        anna.do("setFriendInfo", "bert", "my Bert", {"ext_color": "red"})
        anna.do("checkFriends", ["bert", "carl"], 2)
        anna.do("getFriends", 2, {"count": 10})
        anna.do("getFriendApplications", {"count": 10}, [1, 2], [1, 2, 3])
        anna.do("getFriendsInfo", ["bert"])
        anna.do("deleteFriends", ["bert"], 2)


def managed(stage: Stage) -> None:
    """Groups that their members manage."""
    with stage.scene("anna", "bert", "carl") as (_, (anna, bert, carl)):
        for page in (anna, bert, carl):
            online(page)
        info: dict[str, Any] = {
            "groupId": "band",
            "groupName": "Band",
            "portraitUri": "http://127.0.0.1/g.png",
        }
        info |= {"introduction": "We play", "notice": "Be on time", "joinPermission": 0}
        rules = ("removeMember", "invite", "groupInfoEdit", "memberInfoEdit")
        info |= {f"{rule}Permission": 1 for rule in rules}
        anna.do("createGroup", info, ["bert"])
        anna.do("updateGroupInfo", {"groupId": "band", "groupName": "The Band"})
        anna.do("getGroupsInfo", ["band"])
        carl.do("joinGroup", "band")
        anna.do("refuseGroupApplication", "band", "carl", None, "later")
        carl.do("joinGroup", "band")
        anna.do("acceptGroupApplication", "band", "carl")
        option = {"count": 10, "order": True}
        anna.do("getGroupApplications", option)
        anna.do("addGroupManagers", "band", ["bert"])
        anna.do("removeGroupManagers", "band", ["bert"])
        anna.do("getGroupMembersByRole", "band", 0, option)
        anna.do("getGroupMembers", "band", ["bert", "carl"])
        anna.do("setGroupMemberInfo", "band", "bert", "Bertie", "drums")
        anna.do("setGroupRemark", "band", "mine")
        anna.do("addGroupFollows", "band", ["bert"])
        anna.do("getGroupFollows", "band")
        anna.do("removeGroupFollows", "band", ["bert"])
        anna.do("getJoinedGroupsByRole", option, 0)
        anna.do("getJoinedGroups", ["band"])
        whatever = dict.fromkeys(("removeFollow", "removeMuteStatus", "removeWhiteList"), True)
        anna.do("kickGroupMembers", "band", ["carl"], whatever)
        anna.do("updateGroupInfo", {"groupId": "band", "inviteHandlePermission": 1})
        for accept in (False, True):
            anna.do("inviteUsersToGroup", "band", ["carl"])
            if accept:
                carl.do("acceptGroupInvite", "band", "anna")
            else:
                carl.do("refuseGroupInvite", "band", "anna", "busy")
        carl.do("quitGroup", "band", whatever)
        anna.do("transferGroupOwner", "band", "bert", False, whatever)
        bert.do("dismissGroup", "band")


def ultra_groups(stage: Stage) -> None:
    """Ultra groups: our server has none."""
    now = int(time.time() * 1000)
    answers: dict[str, Message] = {
        Topic.PULL_UG_SES: payloads.RelationsOutput(isFinished=True),
        Topic.PULL_UG_MSG: payloads.DownStreamMessages(syncTime=now, finished=True),
    }
    with stage.scene("anna", navigation=ULTRA_GROUPS, answers=answers) as (_, (anna,)):
        online(anna)
        change = payloads.NotifyMsg(type=CommandType.ULTRA_GROUP_CHANGES, time=now)
        anna.push(Topic.S_CMD, change)
        anna.do("sendMessage", CITY, TEXT)
        anna.do("sendUltraGroupTypingStatus", CITY)
        some = [{"messageUId": "ABCD-EFGH-IJKL-MNOP", "sendTime": now}]
        anna.do("getUltraGroupMessageListByMessageUId", CITY, some)
        message = {
            **CITY,
            "messageUId": some[0]["messageUId"],
            "sentTime": some[0]["sendTime"],
            "senderUserId": "anna",
            "canIncludeExpansion": True,
            "expansion": {"seen": "yes"},
            "messageType": "RC:TxtMsg",
        }
        anna.do("updateExpansionForUltraGroupMessage", {"seen": "yes"}, message)
        anna.do("removeExpansionForUltraGroupMessage", ["seen"], message)
        anna.do("removeAllExpansionForUltraGroupMessage", message)
        anna.do("modifyMessage", {"content": "edited"}, message, label="-ultra")
        anna.do("getUltraGroupList")
        anna.do("getUltraGroupDefaultNotificationLevel", CITY)
        anna.do("setUltraGroupDefaultNotificationLevel", CITY, 1)
        option = {**CITY, "sentTime": 0, "count": 10}
        anna.do("getUltraGroupUnreadMentionedMessages", option)
        anna.do("getUltraGroupUnreadMentionedCountByTargetId", "city")
        anna.do("getUltraGroupUnreadInfoList", ["city"])
        anna.do("clearMessagesUnreadStatus", CITY, label="-ultra")
        anna.do("recallMessage", CITY, {"messageUId": message["messageUId"], "sentTime": 1})


def calls(stage: Stage) -> None:
    """What a call library may do that is installed into the SDK."""
    with stage.scene("anna") as (_, (anna,)):
        anna.run(
            "installPlugin",
            "() => { const install = (tag) => lib.installPlugin("
            "{tag, verify: () => true, setup: context => context}, {}); "
            "window.rtc = install('RCRTC'); install('RCCallPlus'); }",
        )
        online(anna)
        room = "call"
        told = {"name": "RCRTC:PublishResource", "content": "{}"}
        for name, *arguments in (
            ("joinRTCRoom", room, 2, 0),
            ("getRTCToken", room, 0),
            ("rtcPing", room, 0),
            ("getRTCUserList", room),
            ("setRTCUserInfo", room, "k", "v"),
            ("removeRTCUserInfo", room, ["k"]),
            ("setRTCData", room, "k", "v", True, 1, told),
            ("getRTCData", room, ["k"], True, 1),
            ("removeRTCData", room, ["k"], True, 1, told),
            ("setRTCTotalRes", room, told, "[]", "RCRTC:TotalContentResources", "[]"),
            ("setRTCCDNUris", room, "RCRTC:CDN", "[]"),
            ("setRTCState", room, "a report"),
            ("getRTCJoinedUserInfo", "anna"),
            ("requestRoomPK", PK),
            ("cancelRoomPK", PK),
            ("responseRoomPK", PK),
            ("endRoomPK", PK),
            ("joinLivingRoomAsAudience", "live", 2, 0),
            ("quitLivingRoomAsAudience", "live"),
            ("setCallInfo", room, "key", "a value"),
        ):
            anna.run(f"plugin-{name}", f"(...all) => window.rtc.{name}(...all)", *arguments)
        anna.do("sendMessage", {"conversationType": RTC_ROOM, "targetId": room}, TEXT)
        anna.run(
            "plugin-rtcIdentityChange", "room => window.rtc.rtcIdentityChange(room, 1, 0)", room
        )
        anna.run("plugin-quitRTCRoom", "room => window.rtc.quitRTCRoom(room)", room)


def leaving(stage: Stage) -> None:
    """Sent away, because the same user has come in elsewhere."""
    with stage.scene("anna", "anna") as (_, (anna, elsewhere)):
        online(anna)
        online(elsewhere)
        anna.wait_lost()


PK: Final = {
    "roomId": "call",
    "invitedRoomId": "other",
    "invitedUserId": "bert",
    "inviteRoomId": "other",
    "inviteUserId": "bert",
    "endRoomId": "other",
    "inviteSessionId": "session",
    "sessionId": "session",
    "inviteTimeout": 30,
    "inviteInfo": "an invitation",
    "content": "an answer",
    "agree": True,
    "key": "key",
    "value": "value",
    "keys": ["key"],
}


def newer_protocol(stage: Stage) -> None:
    """The version of the protocol that navigation can ask for."""
    with stage.scene("anna", settings={"IMPROTO_GATEWAY_PROTOCOL": "4"}) as (_, (anna,)):
        online(anna)


SCENES: Final[tuple[Callable[[Stage], None], ...]] = (
    people,
    friends,
    managed,
    ultra_groups,
    calls,
    leaving,
    newer_protocol,
)
