"""What is said for the golden vectors of SDK 5: every function that sends something, once or so.

Each scene has a server of its own, so people and groups are called the same in all of them. What
our server does not have is refused; the request is recorded all the same.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from tests.interop.party import CHATROOM, CUSTOMER_SERVICE, GROUP, PRIVATE, PUBLIC_SERVICE, online

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interop.server import ImServer
    from tools.record_vectors import RecordedPage, Stage

SYSTEM: Final = 6
APP_PUBLIC_SERVICE: Final = 7
ULTRA: Final = 10
RTC_ROOM: Final = 12

BERT: Final = {"conversationType": PRIVATE, "targetId": "bert"}
ANNA: Final = {"conversationType": PRIVATE, "targetId": "anna"}
CLUB: Final = {"conversationType": GROUP, "targetId": "club"}
LOBBY: Final = {"conversationType": CHATROOM, "targetId": "lobby"}
CITY: Final = {"conversationType": ULTRA, "targetId": "city", "channelId": "square"}
HELP: Final = {"conversationType": CUSTOMER_SERVICE, "targetId": "help"}
ROBOT: Final = {"conversationType": SYSTEM, "targetId": "robot"}
NEWS: Final = {"conversationType": APP_PUBLIC_SERVICE, "targetId": "news"}
SHOP: Final = {"conversationType": PUBLIC_SERVICE, "targetId": "shop"}
STORED: Final = (BERT, CLUB, ROBOT, NEWS, SHOP, CITY)
"""A conversation of each type of which the SDK lets itself be asked for history."""

TEXT: Final = {"$new": ["TextMessage", {"content": "hello"}]}
PAGE: Final = {"timestamp": 0, "count": 5, "order": 0}
EMOJI: Final = "\U0001f600 你好"
ULTRA_GROUPS: Final = {"ugMsg": 1, "ugDriven": 1}
"""What navigation has to say so that the SDK has them."""


def club(server: ImServer, *members: RecordedPage) -> None:
    """A group that the application has made, its members connected."""
    names = [member.user for member in members]
    server.order("groups", "create", "club", owner=names[0], members=names, name="Club")
    for member in members:
        online(member)


def messages(stage: Stage) -> None:
    """Sending, and all that can be done with what was sent."""
    navigation = {"AIBusinessSub": 1}
    with stage.scene("anna", "bert", navigation=navigation) as (server, (anna, bert)):
        club(server, anna, bert)
        expandable = {"canIncludeExpansion": True, "expansion": {"color": "red"}}
        sent = anna.do("sendMessage", BERT, TEXT, expandable)
        uid = sent["messageUId"]
        in_club = anna.do("sendMessage", CLUB, TEXT, expandable)["messageUId"]
        anna.do("sendMessage", HELP, TEXT)
        anna.do("sendMessage", SHOP, TEXT, label="-public-service")
        anna.do("sendMessage", NEWS, TEXT, label="-app-public-service")
        emoji = {"$new": ["TextMessage", {"content": EMOJI}]}
        named = {"isMentioned": True, "mentionedType": 2, "mentionedUserIdList": ["bert"]}
        anna.do("sendMessage", CLUB, emoji, named, label="-mention")
        only = {"directionalUserIdList": ["bert"]}
        anna.do("sendMessage", CLUB, TEXT, only, label="-directed")
        push = {"pushTitle": "T", "pushContent": "C", "pushData": "D", "templateId": "t1"}
        options = {"pushConfig": push, "disableNotification": True, "isFilerWhiteBlacklist": True}
        anna.do("sendMessage", BERT, TEXT, options, label="-push")
        quote = {"messageUId": uid, "senderId": "anna", "objectName": "RC:TxtMsg"}
        anna.do("sendMessage", BERT, TEXT, {"quoteInfo": quote}, label="-quote")
        referring = {"referMsgUserId": "anna", "referMsg": {"content": "hello"}}
        referring |= {"content": "yes", "referMsgUid": uid, "objName": "RC:TxtMsg"}
        reference = {"$new": ["ReferenceMessage", referring]}
        answer = anna.do("sendMessage", BERT, reference, label="-reference")
        for place in (BERT, CLUB):
            anna.run(
                "sendMessage-status",
                "place => lib.sendMessage(place, new (lib.registerMessageType("
                "'app:status', false, false, [], true))({mood: 'fine'}))",
                place,
            )
        anna.do("sendTextMessage", BERT, {"content": "hello"})
        anna.do("sendTypingStatusMessage", BERT, "RC:TxtMsg")
        anna.do("sendSyncReadStatusMessage", BERT, sent["sentTime"])
        bert.do("sendReadReceiptMessage", "anna", uid, sent["sentTime"])
        anna.do("updateMessageExpansion", {"seen": "yes"}, {"$message": uid})
        anna.do("updateMessageExpansion", {"seen": "yes"}, {"$message": in_club})
        anna.do("removeMessageExpansionForKey", ["seen"], {"$message": uid})
        anna.do("modifyMessage", {"content": "edited"}, {"$message": uid})
        edit = {"messageUId": in_club, "messageContent": {"content": EMOJI}, "conversation": CLUB}
        anna.do("modifyMessageWithParams", edit)
        uids = [uid, "none"]
        anna.do("getMessagesByUIds", {"conversationIdentifier": BERT, "messageUIds": uids})
        anna.run(
            "refreshReferenceMessageWithParams",
            "params => lib.refreshReferenceMessageWithParams({...params, "
            "localMessageBlock() {}, remoteMessageBlock() {}})",
            {
                "conversationIdentifier": BERT,
                "messageUIds": [answer["messageUId"]],
                "messageInfoMap": {answer["messageUId"]: uid},
            },
        )
        speech(anna, uid)
        last = anna.do("sendMessage", BERT, TEXT)
        recalled = {key: last[key] for key in ("messageUId", "sentTime")}
        anna.do("recallMessage", BERT, recalled)


def speech(anna: RecordedPage, uid: str) -> None:
    """What needs a machine that understands."""
    voice = {"duration": 3, "remoteUrl": "http://127.0.0.1/voice.aac"}
    said = anna.do("sendMessage", BERT, {"$new": ["HQVoiceMessage", voice]}, label="-voice")
    sound = {"numberOfChannels": 1, "sampleRate": 16000, "format": "aac"}
    option = {"messageType": "RC:HQVCMsg", **voice, **sound}
    anna.do("requestSpeechToTextForMessage", said["messageUId"], option)
    anna.run(
        "translateMessagesWithParams",
        "uid => lib.translateMessagesWithParams("
        "{list: [new lib.TranslateMessageParam(uid, 'en', 'de', 'hello')]})",
        uid,
    )
    anna.run(
        "translateTextsWithParams",
        "() => lib.translateTextsWithParams("
        "{list: [new lib.TranslateTextParam('hello', 'en', 'de')]})",
    )


def history(stage: Stage) -> None:
    """History and deleting, in conversations of all types."""
    with stage.scene("anna", "bert", navigation=ULTRA_GROUPS) as (server, (anna, bert)):
        club(server, anna, bert)
        for place in (BERT, CLUB):
            anna.do("sendMessage", place, TEXT)
        sent = anna.do("sendMessage", BERT, TEXT)
        chosen = {key: sent[key] for key in ("messageUId", "sentTime", "messageDirection")}
        for place in STORED:
            anna.do("getHistoryMessages", place, PAGE)
            anna.do("getRemoteHistoryMessages", place, PAGE)
        anna.do("getHistoryMessages", BERT, {**PAGE, "order": 1}, label="-upwards")
        for place in STORED:
            anna.do("deleteMessages", place, [chosen])
            anna.do("clearHistoryMessages", place, sent["sentTime"])
        times = [{**BERT, "timestamp": sent["sentTime"]}, {**CLUB, "timestamp": 0}]
        anna.do("batchClearRemoteHistoryMessages", times)


def conversations(stage: Stage) -> None:
    """The list of conversations, and what is set for them."""
    with stage.scene("anna", "bert") as (server, (anna, bert)):
        club(server, anna, bert)
        for place in (BERT, CLUB):
            anna.do("sendMessage", place, TEXT)
        bert.do("sendMessage", ANNA, TEXT)
        anna.do("getConversationList", {"count": 10, "startTime": 0, "order": 0})
        anna.do("getAllConversationList")
        listed = {"startTime": 0, "count": 10, "order": 0, "conversationTypes": [PRIVATE]}
        anna.do("getConversationListByTimestamp", listed)
        robots = {"conversationTypes": [PRIVATE], "count": 10, "timestamp": 0}
        anna.do("getConversationsIncludingRobots", robots)
        anna.do("getConversation", BERT)
        anna.run(
            "createConversationListLoader",
            "async () => { const {data} = await lib.createConversationListLoader("
            "{conversationTypes: [1, 3], order: 0}); return data.load(10); }",
        )
        anna.do("getFirstUnreadMessageInfo", BERT)
        mentions = {"timestamp": 0, "count": 10, "conversationTypes": [GROUP]}
        anna.do("getUnreadMentionMeConversationList", mentions)
        anna.do("setConversationNotificationLevel", BERT, 5)
        anna.do("setConversationNotificationStatus", BERT, 1)
        anna.do("batchSetConversationNotificationLevel", [BERT, CLUB], 1)
        anna.do("setConversationToTop", BERT, True)
        anna.do("batchSetConversationToTop", [BERT, CLUB], True)
        anna.do("batchSetConversationTranslateStrategy", [BERT], 2)
        anna.do("setConversationTypeNotificationLevel", GROUP, 5)
        anna.do("getConversationTypeNotificationLevel", GROUP)
        anna.do("getBlockedConversationList")
        anna.do("getTopConversationList")
        anna.do("addTag", {"tagId": "work", "tagName": "Work"})
        anna.do("updateTag", {"tagId": "work", "tagName": "Job"})
        anna.do("addConversationsToTag", "work", [BERT, CLUB])
        anna.do("setConversationToTopInTag", "work", BERT, True)
        anna.do("getConversationsFromTagByPage", "work", 10, 0)
        anna.do("getUnreadCountByTag", "work", True)
        anna.do("removeConversationsFromTag", "work", [CLUB])
        anna.do("removeTagFromConversations", "work", [BERT])
        anna.do("addConversationsToTag", "work", [BERT])
        anna.do("removeTagsFromConversation", BERT, ["work"])
        anna.do("removeTag", "work")
        hours = {"startTime": "22:30:00", "spanMinutes": 600, "level": 5, "timezone": "UTC"}
        anna.do("setNotificationQuietHoursWithSetting", hours)
        anna.do("getNotificationQuietHoursSetting")
        anna.do("removeNotificationQuietHoursSetting")
        anna.do("setTranslationLanguage", "de")
        anna.do("setAutoTranslateEnabled", True)
        anna.do("clearMessagesUnreadStatus", BERT)
        anna.do("clearAllMessagesUnreadStatus")
        anna.do("removeConversation", BERT)
        anna.do("batchRemoveConversation", [CLUB])
        both = {"identifiers": [BERT, CLUB], "deleteMessages": True, "deleteRemotely": True}
        anna.do("batchDeleteConversations", both)
        anna.do("getAllRobots")
        anna.do("getRobotById", "robot")


def unread(stage: Stage) -> None:
    """Unread counts kept by the server, and by it alone."""
    settings = {"IMPROTO_MESSAGES_UNREAD": "server", "IMPROTO_MESSAGES_MULTI_DEVICE": "true"}
    with stage.scene("anna", "bert", "anna", settings=settings) as (server, (anna, bert, phone)):
        club(server, anna, bert, phone)
        for place in (ANNA, CLUB):
            bert.do("sendMessage", place, TEXT)
        anna.take(2)
        anna.do("markRemoteConversationAsRead", BERT)
        anna.do("getFirstUnreadMessageInfo", CLUB, label="-server")


def real_time(stage: Stage) -> None:
    """Conversations that the client does not keep: our server has none of it."""
    navigation = {"sessionMode": 1, "serverSaveUnread": 1}
    with stage.scene("anna", "bert", navigation=navigation) as (_, (anna, bert)):
        for page in (anna, bert):
            online(page)
        anna.do("sendMessage", BERT, TEXT)
        anna.do("getRealtimeConversations", {"count": 10, "startTime": 0, "order": 0})
        anna.do("getRealtimeConTotalUnreadCount")
        anna.do("clearRealtimeConUnreadCount", BERT)
        anna.do("getRealtimeConUnreadCounts", [BERT])
        anna.do("removeRealtimeConversations", [BERT])
    settings = {"IMPROTO_MESSAGES_UNREAD": "server"}
    navigation = {"sesDriven": 1, "serverSaveUnread": 0}
    with stage.scene("anna", navigation=navigation, settings=settings) as (_, (anna,)):
        online(anna)
        now = int(time.time() * 1000)
        anna.do("sendSyncReadStatusMessage", BERT, now, label="-driven")


def receipts(stage: Stage) -> None:
    """Receipts of groups, in each of the four ways."""
    for way in ("messages", "topics", "positions", "receipts"):
        settings = {"IMPROTO_MESSAGES_GROUP_RECEIPTS": way}
        with stage.scene("anna", "bert", settings=settings) as (server, (anna, bert)):
            club(server, anna, bert)
            wanted = {"needReceipt": True} if way == "receipts" else {}
            label = "-receipt" if wanted else ""
            uid = anna.do("sendMessage", CLUB, TEXT, wanted, label=label)["messageUId"]
            bert.take(1)
            {
                "messages": _receipts_1,
                "topics": _receipts_2,
                "positions": _receipts_4,
                "receipts": _receipts_5,
            }[way](anna, bert, uid)


def _receipts_1(anna: RecordedPage, bert: RecordedPage, uid: str) -> None:
    anna.do("sendReadReceiptRequest", "club", uid)
    bert.wait_event("MESSAGE_RECEIPT_REQUEST")
    bert.do("sendReadReceiptResponseV2", "club", {"anna": [uid]})


def _receipts_2(anna: RecordedPage, bert: RecordedPage, uid: str) -> None:
    bert.do("sendReadReceiptResponseV2", "club", {"club": [uid]}, label="-topics")
    anna.do("getMessageReader", "club", uid)


def _receipts_4(anna: RecordedPage, bert: RecordedPage, uid: str) -> None:
    bert.do("sendReadReceiptMessageV4", CLUB, uid)
    anna.do("getMessageReadReceiptV4", CLUB, uid)
    anna.do("batchGetMessageReadReceiptInfoV4", CLUB, [uid])


def _receipts_5(anna: RecordedPage, bert: RecordedPage, uid: str) -> None:
    bert.do("sendReadReceiptResponseV5", CLUB, [uid])
    anna.wait_event("MESSAGE_RECEIPT_RESPONSE_V5")
    anna.do("getMessageReadReceiptInfoV5", CLUB, [uid])
    named = [{"identifier": CLUB, "messageUId": uid}]
    anna.do("getMessageReadReceiptInfoV5ByIdentifiers", named)
    option = {"pageCount": 10, "readStatus": 0, "order": 1}
    anna.do("getMessagesReadReceiptUsersByPageV5", CLUB, uid, option)
    anna.do("getMessagesReadReceiptByUsersV5", CLUB, uid, ["bert"])


def rooms(stage: Stage) -> None:
    """Chatrooms and their keys."""
    with stage.scene("anna", "bert") as (_, (anna, bert)):
        for page in (anna, bert):
            online(page)
        anna.do("joinChatRoom", "lobby", {"count": 10, "extra": "first"})
        bert.do("joinExistChatRoom", "lobby", {"count": -1})
        anna.do("sendMessage", LOBBY, TEXT)
        bert.take(1)
        anna.do("getChatRoomInfo", "lobby", {"count": 5, "order": 1})
        one = {"key": "color", "value": "red", "isAutoDelete": True, "isSendNotification": True}
        anna.do("setChatRoomEntry", "lobby", {**one, "notificationExtra": "why"})
        bert.do("forceSetChatRoomEntry", "lobby", {"key": "color", "value": "blue"})
        some = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
        anna.do("setChatRoomEntries", "lobby", {"entries": some, "isForce": True})
        anna.do("getAllChatRoomEntries", "lobby")
        anna.do("removeChatRoomEntries", "lobby", {"entries": ["a", "b"]})
        bert.do("removeChatRoomEntry", "lobby", {"key": "color"})
        anna.do("setChatRoomEntry", "lobby", one)
        bert.do("forceRemoveChatRoomEntry", "lobby", {"key": "color"})
        anna.do("getChatroomHistoryMessages", "lobby", {**PAGE, "order": 1})
        anna.do("bindRTCRoomForChatroom", {"chatRoomId": "lobby", "rtcRoomId": "call"})
        anna.do("quitChatRoom", "lobby", "bye")


def files(stage: Stage) -> None:
    """Tickets and links of files."""
    with stage.scene("anna") as (_, (anna,)):
        online(anna)
        anna.do("getFileToken", 1, "picture.png")
        anna.do("getFileUrl", 1, "picture.png", "My picture.png")
        for provider in (2, 3, 4, 5):
            anna.do("getFileUrl", 1, "picture.png", "My picture.png", None, provider)
        anna.do("getDownloadAuth", "http://127.0.0.1/files/picture.png")


SCENES: Final[tuple[Callable[[Stage], None], ...]] = (
    messages,
    history,
    conversations,
    unread,
    real_time,
    receipts,
    rooms,
    files,
)
