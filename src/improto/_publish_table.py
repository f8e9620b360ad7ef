"""The rows of the operation table that are sent as PUBLISH (operations 2, 3 and 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto import payloads
from improto._operation import Area, Direction, Kind, Operation, Signal, Target, Topic
from improto.codes import ConversationType, ErrorCode

if TYPE_CHECKING:
    from improto.payloads import Message

_OLD = ("2.5.3",)
_FOUR = ("4.6.4",)
_FIVE = ("5.38.0",)
_NEWEST = (*_FOUR, *_FIVE)
_NEW = ("2.9.2", *_NEWEST)
_ALL = (*_OLD, *_NEW)
_NONE = ()

_CONTENT = (
    ErrorCode.SENSITIVE_SHIELD,
    ErrorCode.SENSITIVE_REPLACE,
    ErrorCode.PUSHSETTING_PARAMETER_INVALID,
    ErrorCode.RC_MSG_CONTENT_EXCEED_LIMIT,
)
_EXPANSION = (ErrorCode.MESSAGE_KV_NOT_SUPPORT, ErrorCode.EXPANSION_LIMIT_EXCEET)
_IN_PRIVATE = (ErrorCode.REJECTED_BY_BLACKLIST, *_EXPANSION)
_IN_DISCUSSION = (ErrorCode.NOT_IN_DISCUSSION, ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID)
_IN_GROUP = (
    ErrorCode.NOT_IN_GROUP,
    ErrorCode.FORBIDDEN_IN_GROUP,
    ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID,
    *_EXPANSION,
)
_IN_CHATROOM = (
    ErrorCode.NOT_IN_CHATROOM,
    ErrorCode.FORBIDDEN_IN_CHATROOM,
    ErrorCode.RC_CHATROOM_USER_KICKED,
    ErrorCode.RC_CHATROOM_NOT_EXIST,
)


def _message(
    topic: Topic,
    kind: Kind | None,
    conversation: ConversationType | None,
    target: Target,
    area: Area,
    sdks: tuple[str, ...],
    meaning: str,
    *,
    direction: Direction = Direction.BOTH,
    target_sdk253: Target | None = None,
    errors: tuple[ErrorCode, ...] = (),
) -> Operation:
    """A topic for messages that people or programs write to each other."""
    return Operation(
        topic=topic,
        signal=Signal.PUBLISH,
        direction=direction,
        area=area,
        meaning=meaning,
        target=target,
        target_sdk253=target_sdk253,
        qos=1,
        request=payloads.UpStreamMessage,
        conversation=conversation,
        kind=kind,
        errors=(*errors, *_CONTENT),
        sdks=sdks,
    )


def _order(
    topic: Topic,
    request: type[Message],
    target: Target,
    meaning: str,
    *,
    area: Area = Area.ULTRA,
    direction: Direction = Direction.CLIENT_TO_SERVER,
    qos: int = 1,
    sdks: tuple[str, ...] = _NEWEST,
) -> Operation:
    """A topic that makes the server do something, without a message."""
    return Operation(
        topic=topic,
        signal=Signal.PUBLISH,
        direction=direction,
        area=area,
        meaning=meaning,
        target=target,
        qos=qos,
        request=request,
        conversation=ConversationType.ULTRA_GROUP if area is Area.ULTRA else None,
        sdks=sdks,
    )


def _push(
    topic: Topic,
    request: type[Message],
    area: Area,
    sdks: tuple[str, ...],
    meaning: str,
    *,
    request_aliases: tuple[type[Message], ...] = (),
) -> Operation:
    """A topic that the server sends of its own accord."""
    return Operation(
        topic=topic,
        signal=Signal.PUBLISH,
        direction=Direction.SERVER_TO_CLIENT,
        area=area,
        meaning=meaning,
        target=Target.RECEIVER,
        qos=1,
        request=request,
        request_aliases=request_aliases,
        sdks=sdks,
    )


# A table reads best with a row on a line or two.
# fmt: off
ROWS: tuple[Operation, ...] = (
    # Messages (operations 2).
    # The newer SDKs use this one for discussions, public services and types they do not know
    # too; a server has to look what the target is.
    _message(Topic.PP_MSG_P, Kind.STORED, ConversationType.PRIVATE, Target.PEER, Area.CORE, _ALL,
             "message to one user", errors=_IN_PRIVATE),
    _message(Topic.PP_MSG_S, Kind.STATUS, ConversationType.PRIVATE, Target.PEER, Area.CORE, _NEW,
             "status message to one user, such as typing", errors=_IN_PRIVATE),
    _message(Topic.PP_MSG_N, Kind.NO_PUSH, ConversationType.PRIVATE, Target.PEER, Area.CORE, _NONE,
             "message to one user without push notification", errors=_IN_PRIVATE),
    _message(Topic.PD_MSG_P, Kind.STORED, ConversationType.DISCUSSION, Target.DISCUSSION,
             Area.DISCUSSION, _OLD, "message to a discussion", errors=_IN_DISCUSSION),
    _message(Topic.PG_MSG_P, Kind.STORED, ConversationType.GROUP, Target.GROUP, Area.GROUP, _ALL,
             "message to a group, or to some of its members", errors=_IN_GROUP),
    _message(Topic.PG_MSG_S, Kind.STATUS, ConversationType.GROUP, Target.GROUP, Area.GROUP, _NEW,
             "status message to a group", errors=_IN_GROUP),
    _message(Topic.CHAT_MSG, Kind.STORED, ConversationType.CHATROOM, Target.ROOM, Area.CHATROOM,
             _ALL, "message to a chatroom", errors=_IN_CHATROOM),
    _message(Topic.CHAT_MSG_S, Kind.STATUS, ConversationType.CHATROOM, Target.ROOM, Area.CHATROOM,
             _NONE, "status message to a chatroom", errors=_IN_CHATROOM),
    _message(Topic.PC_MSG_P, Kind.STORED, ConversationType.CUSTOMER_SERVICE, Target.SERVICE,
             Area.CUSTOMER, _ALL, "message of a customer to a customer service"),
    _message(Topic.PCU_MSG_P, Kind.STORED, ConversationType.CUSTOMER_SERVICE, Target.CUSTOMER,
             Area.CUSTOMER, _OLD, "message of a human agent to a customer"),
    # Only the server may speak for a system account: refuse it (20406).
    _message(Topic.SYSTEM_MESSAGE, Kind.STORED, ConversationType.SYSTEM, Target.SERVICE, Area.CORE,
             _OLD, "message to a system account, always refused",
             direction=Direction.CLIENT_TO_SERVER),
    # Its sender is the system account that systemId names; the SDK itself refuses it.
    _message(Topic.PB_MSG_P, Kind.STORED, ConversationType.SYSTEM, Target.SELF, Area.CORE, _FIVE,
             "message to a system account, always refused"),
    _message(Topic.PMC_MSG_N, Kind.NO_PUSH, ConversationType.APP_PUBLIC_SERVICE, Target.SERVICE,
             Area.PUBLIC, _OLD, "message to a public service that all follow"),
    _message(Topic.PMP_MSG_N, Kind.NO_PUSH, ConversationType.PUBLIC_SERVICE, Target.SERVICE,
             Area.PUBLIC, _OLD, "message to a public service followed by choice"),
    _message(Topic.PR_MSG_S, Kind.STATUS, ConversationType.RTC_ROOM, Target.ROOM, Area.RTC, _ALL,
             "message to an RTC room"),
    # SDK 2.5.3 calls this conversation type 13, which is no ConversationType.
    _message(Topic.PR_MSG_P, Kind.STORED, None, Target.ROOM, Area.RTC, _OLD,
             "stored message to an RTC room"),
    # The content names the conversation.
    _message(Topic.RECALL_MSG, None, None, Target.SELF, Area.CORE, _ALL,
             "take back a message of any conversation", target_sdk253=Target.CONVERSATION,
             errors=(ErrorCode.RECALL_MESSAGE,)),
    _message(Topic.UG_MSG, Kind.STORED, ConversationType.ULTRA_GROUP, Target.GROUP, Area.ULTRA,
             _NEWEST, "message to a channel of an ultra group",
             direction=Direction.CLIENT_TO_SERVER),

    # Other orders (operations 2).
    # SDK 4.6.4 names the caller.
    _order(Topic.OPERATE, payloads.OperateStatus, Target.GROUP, "the caller is typing"),
    _order(Topic.UPD_UG_R_TIME, payloads.SessionMsgReadInput, Target.SELF,
           "how far the caller has read", direction=Direction.BOTH),
    _order(Topic.UP_MSG_EX, payloads.MsgChangeReq, Target.GROUP, "change a message's expansion",
           sdks=_FOUR),
    _order(Topic.MODIFY_MSG, payloads.MsgChangeReq, Target.GROUP, "change a message's content",
           sdks=_FOUR),
    # The answer is a MsgChangeList, but a PUBACK carries none; how it travels is not known.
    _order(Topic.QRY_MSG_CHANGE, payloads.QueryMsgChange, Target.SELF, "ask for changed messages",
           sdks=_FOUR),
    # QoS 0, but the SDKs wait for the PUBACK all the same (session 7).
    _order(Topic.RTC_SET_DATA, payloads.RtcSetDataInput, Target.ROOM,
           "set a value of the room or of the caller", area=Area.RTC, qos=0, sdks=_NEW),
    _order(Topic.RTC_DEL_DATA, payloads.RtcDataInput, Target.ROOM,
           "delete values of the room or of the caller", area=Area.RTC, qos=0, sdks=_NEW),
    _order(Topic.RTC_U_DEL, payloads.RtcKeyDeleteInput, Target.ROOM,
           "delete the caller's values", area=Area.RTC, qos=0, sdks=_NEW),

    # QoS 0 as well (sdk5 3).
    _order(Topic.SEND_MSG_READ, payloads.ReadReceiptMsg, Target.GROUP,
           "the caller has read a group, receipts of version 4", area=Area.GROUP, qos=0,
           sdks=_FIVE),
    _order(Topic.UPD_R_TIME, payloads.SessionMsgReadInput, Target.SELF,
           "how far the caller has read", area=Area.CORE, direction=Direction.BOTH, qos=0,
           sdks=_FIVE),
    _order(Topic.UPD_RR_TIME, payloads.SessionMsgReadInput, Target.SELF,
           "how far the caller has read, from clients that keep no conversations",
           area=Area.CORE, qos=0, sdks=_FIVE),

    # Server to client (operations 3).
    _push(Topic.S_NTF, payloads.NotifyMsg, Area.CORE, _ALL, "something to pull"),
    _push(Topic.S_MSG, payloads.DownStreamMessage, Area.CORE, _ALL, "a message, without a pull"),
    _push(Topic.S_STAT, payloads.GetUserStatusOutput, Area.SETTINGS, (*_OLD, *_FIVE),
          "presence of a user has changed; to SDK 5 also a profile",
          request_aliases=(payloads.SubDataDetail,)),
    # The target is the room if a chatroom was destroyed (CommandType 4).
    _push(Topic.S_CMD, payloads.NotifyMsg, Area.CORE, _ALL,
          "keys, settings, rooms or ultra groups have changed",
          request_aliases=(payloads.ChrmNotifyMsg,)),
    _push(Topic.S_US, payloads.UserSettingNotification, Area.SETTINGS, _NEW,
          "user settings have changed"),
    _push(Topic.RTC_NTF, payloads.RtcNotifyMsg, Area.RTC, _NEW, "entries of a room have changed"),
    _push(Topic.S_OP_NTF, payloads.OperateStatusNotify, Area.ULTRA, _NEWEST, "users are typing"),
    _push(Topic.S_PUB_CALL, payloads.CallInfoDownStream, Area.RTC, _FIVE, "a value of a call"),
)
# fmt: on
