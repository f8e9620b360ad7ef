"""The rows of the operation table that are sent as QUERY (operations 4 to 19, sdk5 8).

Profiles, groups managed by clients and friends have a table of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto import payloads
from improto._operation import Area, Direction, Operation, Signal, Target, Topic
from improto.codes import ConversationType, ErrorCode

if TYPE_CHECKING:
    from improto.payloads import Message

_OLD = ("2.5.3",)
_MIDDLE = ("2.9.2",)
_FIVE = ("5.38.0",)
_NEWEST = ("4.6.4", *_FIVE)
_NEW = (*_MIDDLE, *_NEWEST)
_ALL = (*_OLD, *_NEW)
_OLDER = (*_OLD, *_MIDDLE, "4.6.4")
_NONE = ()

_HISTORY = (ErrorCode.MSG_ROAMING_SERVICE_UNAVAILABLE,)
_CLEANING = (ErrorCode.CLEAR_HIS_TIME_ERROR, ErrorCode.MSG_ROAMING_SERVICE_UNAVAILABLE)
_TAGS = (ErrorCode.TAG_NOT_EXIST, ErrorCode.TAG_EXISTS, ErrorCode.NO_TAG_IN_CONVER)
_MAKING_TAGS = (ErrorCode.TAG_EXISTS, ErrorCode.CONVERSATION_TAG_OVERSIZE)
_KEYS = (ErrorCode.NOT_IN_CHATROOM, ErrorCode.CHATROOM_KV_STORE_NOT_OPEN)
_NO_RECEIPT = (ErrorCode.READ_RECEIPT_ERROR, ErrorCode.NOT_IN_GROUP)
_EDITING = (
    ErrorCode.MESSAGE_OVER_MODIFY_TIME_FAIL,
    ErrorCode.MESSAGE_SIZE_EXCEEDED,
    ErrorCode.MESSAGE_UNSUPPORTED_MODIFY,
)
_EXPANDING = (
    ErrorCode.MESSAGE_EXPAND_NOT_EXIST,
    ErrorCode.MESSAGE_EXPAND_NOT_SUPPORT,
    ErrorCode.MESSAGE_EXPAND_FORMAT_ERROR,
    ErrorCode.MESSAGE_EXPAND_NOT_AUTHORIZED,
)
_RECEIPTS_4 = (
    ErrorCode.RC_READ_RECEIPT_V4_INVALID,
    ErrorCode.RC_SERVER_PARAMETER_MESSAGEUIDS_CONFUSED,
    ErrorCode.RC_SERVER_PARAMETER_MESSAGEUID_INVALID,
    ErrorCode.RC_SERVER_PARAMETER_INVALID,
)
_RECEIPTS_5 = (
    ErrorCode.SERVICE_RRSV5_UNAVAILABLE,
    ErrorCode.SERVICE_RRSV5_READ_RECEIPT_NOT_SUPPORT,
    ErrorCode.SERVICE_RRSV5_PARAM_LENGTH_EXCEED,
    ErrorCode.SERVICE_RRSV5_CONVERSATION_NOT_SUPPORT,
    ErrorCode.SERVICE_RRSV5_QUERY_NOT_SUPPORT,
    ErrorCode.SERVICE_RRSV5_MESSAGE_SENDER_MISMATCH,
    ErrorCode.SERVICE_RRSV5_MESSAGE_RECEIPT_NEEDLESS,
    ErrorCode.SERVICE_RRSV5_MESSAGE_NOT_EXIST,
)
_NO_DISCUSSION = (ErrorCode.NOT_IN_DISCUSSION,)
_NO_FOLLOWING = (ErrorCode.SUBSCRIBE_ERROR,)
_NO_LINK = (ErrorCode.QNTKN_GET_ERROR,)
_NO_FILE = (ErrorCode.QNTKN_FILETYPE_ERROR, ErrorCode.QNTKN_GET_ERROR)
_NO_CALL = (
    ErrorCode.HAVNODEVICEID,
    ErrorCode.DEVICEIDISHAVE,
    ErrorCode.FEILD,
    ErrorCode.NOENGINETYPE,
    ErrorCode.NULLCHANNELNAME,
    ErrorCode.VOIPDYANMICERROR,
    ErrorCode.VOIPISNULL,
    ErrorCode.NOVOIP,
    ErrorCode.VOIPCLOSE,
)


def query(
    topic: Topic,
    area: Area,
    target: Target | None,
    request: type[Message] | None,
    reply: type[Message] | None,
    sdks: tuple[str, ...],
    meaning: str,
    *,
    qos: int = 0,
    qos_sdk253: int | None = None,
    target_sdk253: Target | None = None,
    request_aliases: tuple[type[Message], ...] = (),
    reply_aliases: tuple[type[Message], ...] = (),
    reply_optional: bool = False,
    conversation: ConversationType | None = None,
    errors: tuple[ErrorCode, ...] = (),
) -> Operation:
    """A row of a topic that is asked for."""
    return Operation(
        topic=topic,
        signal=Signal.QUERY,
        direction=Direction.CLIENT_TO_SERVER,
        area=area,
        meaning=meaning,
        target=target,
        target_sdk253=target_sdk253,
        qos=qos,
        qos_sdk253=qos_sdk253,
        request=request,
        request_aliases=request_aliases,
        reply=reply,
        reply_aliases=reply_aliases,
        reply_optional=reply_optional,
        conversation=conversation,
        errors=errors,
        sdks=sdks,
    )


def _history(
    topic: Topic,
    conversation: ConversationType,
    sdks: tuple[str, ...],
    meaning: str,
    *,
    area: Area = Area.CORE,
    target: Target = Target.SELF,
    target_sdk253: Target | None = Target.CONVERSATION,
    errors: tuple[ErrorCode, ...] = (),
) -> Operation:
    """A topic that asks for a page of history."""
    return query(
        topic,
        area,
        target,
        payloads.HistoryMsgInput,
        payloads.HistoryMsgOuput,
        sdks,
        meaning,
        target_sdk253=target_sdk253,
        reply_aliases=(payloads.HistoryMessagesOuput,),
        conversation=conversation,
        errors=(*_HISTORY, *errors),
    )


def _clean(
    topic: Topic,
    conversation: ConversationType,
    sdks: tuple[str, ...],
    meaning: str,
    *,
    target_sdk253: Target | None = Target.CONVERSATION,
) -> Operation:
    """A topic that hides the history of a conversation from its caller."""
    return query(
        topic,
        Area.CORE,
        Target.SELF,
        payloads.CleanHisMsgInput,
        None,
        sdks,
        meaning,
        target_sdk253=target_sdk253,
        conversation=conversation,
        errors=_CLEANING,
    )


# A table reads best with a row on a line or two.
# fmt: off
ROWS: tuple[Operation, ...] = (
    # Synchronisation (operations 4).
    query(Topic.PULL_MSG, Area.CORE, Target.SELF, payloads.SyncRequestMsg,
          payloads.DownStreamMessages, _ALL, "messages of the inbox after a time", qos_sdk253=1),
    query(Topic.CHRM_PULL, Area.CORE, Target.ROOM, payloads.ChrmPullMsg,
          payloads.DownStreamMessages, _ALL, "messages of a room after a time", qos_sdk253=1,
          reply_aliases=(payloads.ChrmDownStreamMessages,),
          errors=(ErrorCode.NOT_IN_CHATROOM, ErrorCode.RC_CHATROOM_NOT_EXIST)),
    query(Topic.REPORTSDK, Area.CORE, Target.SELF, payloads.ReportSDKInput,
          payloads.ReportSDKOutput, _NEW, "which SDK the client is, as JSON", reply_optional=True),
    query(Topic.QRY_SESSIONS_ATT, Area.CORE, Target.SELF, payloads.SessionsAttQryInput,
          payloads.SessionsAttOutput, _FIVE, "times of inbox and sent box, total of unread"),
    query(Topic.PULL_EVENT_CHANGE, Area.CORE, Target.SELF, payloads.QueryMsgChange,
          payloads.EventChangeList, _FIVE, "events of groups, friends and receipts after a time"),
    query(Topic.PULL_MODIFY_MSG, Area.CORE, Target.SELF, payloads.PullModifyMsgReq,
          payloads.PullModifyMsgResp, _FIVE, "messages edited after a time"),
    query(Topic.PULL_SE, Area.CORE, Target.SELF, payloads.SessionQryInput, payloads.SessionsOutput,
          _FIVE, "unread counts changed after a time",
          errors=(ErrorCode.RC_SERVER_DRIVE_UNREAD_COUNT_INVALID,
                  ErrorCode.RC_PAGE_TOKEN_PARSING_FAILED)),
    query(Topic.Q_APP_BOT, Area.CORE, Target.SELF, payloads.BotInput, payloads.BotOutput, _FIVE,
          "the app's robots", reply_optional=True),
    query(Topic.Q_BOT, Area.CORE, None, payloads.BotInput, payloads.BotOutput, _NONE,
          "robots by their ids", reply_optional=True),
    query(Topic.REQ_CALL, Area.RTC, Target.ROOM, payloads.CallInfoUpStream,
          payloads.CallInfoUpStream, _FIVE, "a value of a call"),
    query(Topic.PULL_KV_MSG, Area.RTC, Target.SELF, payloads.KvInput, payloads.KvOutput, _FIVE,
          "values of calls after a time"),

    # History (operations 5).
    # SDK 2.5.3 uses this one for public services and types it does not know too.
    _history(Topic.QRY_P_MSG, ConversationType.PRIVATE, _ALL, "history with one user",
             errors=(ErrorCode.ROAMING_SERVICE_UNAVAILABLE_MESSAGE,)),
    _history(Topic.QRY_D_MSG, ConversationType.DISCUSSION, _OLD, "history of a discussion",
             target=Target.CONVERSATION, target_sdk253=None, errors=_NO_DISCUSSION),
    _history(Topic.QRY_G_MSG, ConversationType.GROUP, _ALL, "history of a group",
             errors=(ErrorCode.ROAMING_SERVICE_UNAVAILABLE_MESSAGE, ErrorCode.NOT_IN_GROUP)),
    # SDK 2.5.3 uses this one for chatrooms too, if asked through its general call.
    _history(Topic.QRY_C_MSG, ConversationType.CUSTOMER_SERVICE, _ALL,
             "history with a customer service"),
    _history(Topic.QRY_S_MSG, ConversationType.SYSTEM, _ALL, "history of a system account"),
    _history(Topic.QRY_CH_MSG, ConversationType.CHATROOM, _ALL, "history of a chatroom",
             target=Target.ROOM, target_sdk253=Target.SELF,
             errors=(ErrorCode.CHATROOM_GET_HISTORYMSG_ERROR,
                     ErrorCode.CHATROOM_NOT_OPEN_HISTORYMSG_STORE, ErrorCode.NOT_IN_CHATROOM)),
    _history(Topic.QRY_UG_MSG, ConversationType.ULTRA_GROUP, _NEWEST,
             "history of a channel of an ultra group", area=Area.ULTRA, target_sdk253=None),
    _history(Topic.QRY_MC_MSG, ConversationType.APP_PUBLIC_SERVICE, _FIVE,
             "history with a public service that all follow", target_sdk253=None),
    _history(Topic.QRY_MP_MSG, ConversationType.PUBLIC_SERVICE, _FIVE,
             "history with a public service followed by choice", target_sdk253=None),
    query(Topic.QRY_MSG, Area.CORE, Target.SELF, payloads.MsgQuery, payloads.MsgQueryAck, _NEWEST,
          "messages by their uids", qos=1),
    query(Topic.MODIFY_MSG, Area.CORE, Target.SELF, payloads.MsgChangeReq, payloads.ModifyMsgResp,
          _FIVE, "change a message's content", errors=_EDITING),
    query(Topic.UP_CONVERT_MSG, Area.CORE, None, payloads.ConvertMsgInput,
          payloads.ConvertMsgOutput, _FIVE, "speech to text, or a translation"),

    # Deleting (operations 6).
    query(Topic.DEL_MSG, Area.CORE, Target.SELF, payloads.DeleteMsgInput,
          payloads.DeleteMsgOutput, _ALL, "hide single messages from the caller",
          target_sdk253=Target.CONVERSATION),
    _clean(Topic.CLEAN_P_MSG, ConversationType.PRIVATE, _ALL, "clear history with one user"),
    query(Topic.CLEAN_D_MSG, Area.CORE, Target.CONVERSATION, payloads.CleanHisMsgInput, None, _OLD,
          "clear history of a discussion", conversation=ConversationType.DISCUSSION,
          errors=_CLEANING),
    _clean(Topic.CLEAN_G_MSG, ConversationType.GROUP, _ALL, "clear history of a group"),
    _clean(Topic.CLEAN_C_MSG, ConversationType.CUSTOMER_SERVICE, _ALL,
           "clear history with a customer service"),
    _clean(Topic.CLEAN_S_MSG, ConversationType.SYSTEM, _ALL, "clear history of a system account"),
    query(Topic.CLEAN_HIS_MSG, Area.CORE, None, payloads.CleanHisMsgInput, None, _NONE,
          "clear history, old name", errors=_CLEANING),
    _clean(Topic.CLEAN_MC_MSG, ConversationType.APP_PUBLIC_SERVICE, _FIVE,
           "clear history with a public service that all follow", target_sdk253=None),
    _clean(Topic.CLEAN_MP_MSG, ConversationType.PUBLIC_SERVICE, _FIVE,
           "clear history with a public service followed by choice", target_sdk253=None),
    query(Topic.CLEAN_MSG_BATCH, Area.CORE, Target.SELF, payloads.CleanMsgBatchReq, None, _FIVE,
          "clear history of several conversations", errors=_CLEANING),

    # Conversation list (operations 7).
    query(Topic.QRY_RELATION, Area.CORE, Target.SELF, payloads.RelationsInput,
          payloads.RelationsOutput, _OLD, "conversation list"),
    query(Topic.QRY_RELATION_R, Area.CORE, Target.SELF, payloads.RelationQryInput,
          payloads.RelationsOutput, _NEW, "conversation list, page by page"),
    # Only ``type`` matters in the request (operations 7).
    query(Topic.DEL_RELATION, Area.CORE, Target.CONVERSATION, payloads.RelationsInput,
          payloads.RelationsOutput, _OLDER, "take a conversation off the list",
          request_aliases=(payloads.RelationQryInput,), reply_optional=True),
    query(Topic.ADD_RELATION, Area.CORE, None, payloads.RelationsInput, None, _NONE,
          "put a conversation on the list"),
    query(Topic.DEL_SESSIONS, Area.CORE, Target.SELF, payloads.DeleteSessionsInput,
          payloads.DeleteSessionsOutput, _FIVE, "take conversations off the list",
          reply_optional=True),
    query(Topic.QRY_SESSIONS, Area.CORE, Target.SELF, payloads.RelationQryInput,
          payloads.RelationsOutput, _FIVE, "conversation list, for clients that keep none"),
    query(Topic.DEL_RELATION_BATCH, Area.CORE, Target.SELF, payloads.RelationDelBatchReq, None,
          _FIVE, "take conversations off the list"),
    query(Topic.QRY_RL_BATCH, Area.CORE, Target.SELF, payloads.RelationDelBatchReq,
          payloads.RelationsOutput, _FIVE, "last messages of conversations"),
    query(Topic.QRY_RELATION_FILTER, Area.CORE, Target.SELF, payloads.RelationQryFilter,
          payloads.RelationsOutput, _FIVE, "conversation list by type or tag"),
    query(Topic.QRY_SESSIONS_UNREAD, Area.CORE, Target.SELF, payloads.QuerySessionsInput,
          payloads.QuerySessionsOutPut, _FIVE, "unread counts of conversations"),

    # Conversation settings (operations 8).
    query(Topic.PULL_SE_ATTS, Area.SETTINGS, Target.SELF, payloads.SessionReq,
          payloads.SessionStates, _NEW, "settings changed after a time"),
    query(Topic.SET_SE_ATT, Area.SETTINGS, Target.SELF, payloads.SessionStateModifyReq,
          payloads.SessionStateModifyResp, _NEW, "mute conversations or keep them on top"),
    query(Topic.ADD_TAG, Area.SETTINGS, Target.SELF, payloads.SessionStateModifyReq,
          payloads.SessionStateModifyResp, _NEW, "attach tags to conversations",
          reply_optional=True, errors=_TAGS),
    query(Topic.DEL_TAG, Area.SETTINGS, Target.SELF, payloads.SessionStateModifyReq,
          payloads.SessionStateModifyResp, _NEW, "detach tags from conversations",
          reply_optional=True, errors=_TAGS),
    query(Topic.ADD_SE_TAG, Area.SETTINGS, Target.SELF, payloads.SessionTagAddInput,
          payloads.SetUserSettingOutput, _NEW, "create or rename tags", errors=_MAKING_TAGS),
    query(Topic.DEL_SE_TAG, Area.SETTINGS, Target.SELF, payloads.SessionTagDelInput,
          payloads.SetUserSettingOutput, _NEW, "delete tags", errors=_TAGS),
    query(Topic.DIS_TAG, Area.SETTINGS, None, payloads.SessionDisTagReq, None, _NONE,
          "dissolve tags"),
    # The status is the answer: 0 muted, 1 not muted (codes 4).
    query(Topic.QRY_P_PUSH, Area.SETTINGS, Target.SELF, payloads.BlockPushInput, None, _OLD,
          "whether a user is muted"),
    query(Topic.QRY_D_PUSH, Area.SETTINGS, Target.SELF, payloads.BlockPushInput, None, _OLD,
          "whether a group or discussion is muted"),
    query(Topic.BLK_P_PUSH, Area.SETTINGS, Target.SELF, payloads.BlockPushInput, None, _OLD,
          "mute a user"),
    query(Topic.BLK_D_PUSH, Area.SETTINGS, Target.SELF, payloads.BlockPushInput, None, _OLD,
          "mute a group or discussion"),
    query(Topic.UNBLK_P_PUSH, Area.SETTINGS, Target.SELF, payloads.BlockPushInput, None, _OLD,
          "no longer mute a user"),
    query(Topic.UNBLK_D_PUSH, Area.SETTINGS, Target.SELF, payloads.BlockPushInput, None, _OLD,
          "no longer mute a group or discussion"),
    query(Topic.SET_TYPE_UNPUSH, Area.SETTINGS, Target.SELF, payloads.TypeUnpushInput,
          payloads.TypeUnpushOutput, _FIVE, "how loud a type of conversations is"),
    query(Topic.ADD_UNPUSH, Area.SETTINGS, Target.SELF, payloads.AddUnpushPeriodInput, None, _FIVE,
          "set quiet hours", errors=(ErrorCode.PUSHSETTING_PARAMETER_INVALID,)),
    query(Topic.DEL_UNPUSH, Area.SETTINGS, Target.SELF, payloads.DeleteUnpushPeriodInput, None,
          _FIVE, "no quiet hours"),
    query(Topic.QRY_UNPUSH, Area.SETTINGS, Target.SELF, payloads.QueryUnpushPeriodInput,
          payloads.QueryUnpushPeriodOutput, _FIVE, "quiet hours"),
    query(Topic.TRANS_LAN, Area.SETTINGS, Target.SELF, payloads.SetUserSettingInput,
          payloads.SetUserSettingOutput, _FIVE, "language of translations"),
    query(Topic.AUTO_TRANS, Area.SETTINGS, Target.SELF, payloads.SetUserSettingInput,
          payloads.SetUserSettingOutput, _FIVE, "whether messages are translated"),

    # Blacklist (operations 9).
    query(Topic.ADD_BLACK, Area.CORE, Target.OTHER_USER, payloads.Add2BlackListInput, None, _OLD,
          "block a user", errors=(ErrorCode.BLACK_ADD_ERROR,)),
    query(Topic.RM_BLACK, Area.CORE, Target.OTHER_USER, payloads.RemoveFromBlackListInput, None,
          _OLD, "no longer block a user", errors=(ErrorCode.BLACK_REMOVE_ERROR,)),
    query(Topic.GET_BLACK, Area.CORE, Target.SELF, payloads.QueryBlackListInput,
          payloads.QueryBlackListOutput, _OLD, "whom the caller blocks"),
    # The status is the answer: 0 blocked, 101 not blocked (codes 4).
    query(Topic.BLACK_STAT, Area.CORE, Target.OTHER_USER, payloads.BlackListStatusInput, None,
          _OLD, "whether the caller blocks a user", errors=(ErrorCode.BLACK_GETSTATUS_ERROR,)),

    # Presence and user settings (operations 10 and 11).
    # SDK 2.5.3 asks for the caller's own status, whoever was meant.
    query(Topic.GET_USER_STATUS, Area.SETTINGS, Target.SELF, payloads.GetUserStatusInput,
          payloads.GetUserStatusOutput, _OLD, "presence of a user"),
    query(Topic.SET_USER_STATUS, Area.SETTINGS, Target.SELF, payloads.SetUserStatusInput,
          payloads.SetUserStatusOutput, _OLD, "set the caller's presence"),
    query(Topic.SUB_USER_STATUS, Area.SETTINGS, Target.SELF, payloads.SubUserStatusInput,
          payloads.SubUserStatusOutput, _OLD, "be told of the presence of users"),
    query(Topic.PULL_US, Area.SETTINGS, Target.SELF, payloads.PullUserSettingInput,
          payloads.PullUserSettingOutput, _ALL, "user settings changed after a version"),
    query(Topic.SET_OFFLINE_MSG_DUR, Area.SETTINGS, Target.SELF, payloads.SetUserSettingInput,
          None, _OLD, "for how many days to keep messages for the caller",
          request_aliases=(payloads.GetQNupTokenOutput,)),

    # Discussions (operations 12).
    query(Topic.CR_DIZ, Area.DISCUSSION, Target.SELF, payloads.CreateDiscussionInput,
          payloads.CreateDiscussionOutput, _OLD, "create a discussion",
          errors=(ErrorCode.CREATE_DISCUSSION,)),
    query(Topic.INVT_DIZ, Area.DISCUSSION, Target.DISCUSSION, payloads.ChannelInvitationInput,
          None, _OLD, "add members",
          errors=(*_NO_DISCUSSION, ErrorCode.JOIN_IN_DISCUSSION, ErrorCode.INVITE_DICUSSION)),
    query(Topic.DIZ_INF, Area.DISCUSSION, Target.DISCUSSION, payloads.ChannelInfoInput,
          payloads.ChannelInfoOutput, _OLD, "name, owner and members", errors=_NO_DISCUSSION),
    query(Topic.QUIT_DIZ, Area.DISCUSSION, Target.DISCUSSION, payloads.LeaveChannelInput, None,
          _OLD, "leave", errors=_NO_DISCUSSION),
    query(Topic.EVCT_DIZ, Area.DISCUSSION, Target.DISCUSSION, payloads.ChannelEvictionInput, None,
          _OLD, "remove a member", errors=_NO_DISCUSSION),
    query(Topic.PD_OPEN, Area.DISCUSSION, Target.DISCUSSION, payloads.ModifyPermissionInput, None,
          _OLD, "say who may invite", errors=(ErrorCode.INVITE_DICUSSION,)),
    query(Topic.RENAME, Area.DISCUSSION, Target.DISCUSSION, payloads.RenameChannelInput, None,
          _OLD, "rename", errors=_NO_DISCUSSION),

    # Groups (operations 13).
    query(Topic.JOIN_GRP, Area.GROUP, None, payloads.GroupInput, payloads.GroupOutput, _NONE,
          "join groups"),
    query(Topic.EXIT_GRP, Area.GROUP, None, payloads.LeaveChannelInput, None, _NONE,
          "leave a group"),
    query(Topic.U_GCMPR, Area.GROUP, None, payloads.GroupHashInput, payloads.GroupHashOutput,
          _NONE, "compare the lists of groups"),
    query(Topic.P_GRPS, Area.GROUP, None, payloads.GroupInput, payloads.GroupOutput, _NONE,
          "send the list of groups"),
    query(Topic.USER_INF, Area.GROUP, None, payloads.GetUserInfoInput, payloads.GetUserInfoOutput,
          _NONE, "name and portrait of a user", errors=(ErrorCode.GET_USERINFO_ERROR,)),
    query(Topic.RR_MSG, Area.GROUP, Target.GROUP, payloads.GrpReadReceiptMsg, None, _NEW,
          "the caller has read messages", errors=_NO_RECEIPT),
    query(Topic.RR_LIST, Area.GROUP, Target.GROUP, payloads.GrpReadReceiptMsg,
          payloads.GrpReadReceiptQryResp, _NEW, "who has read a message",
          request_aliases=(payloads.GrpReadReceiptQryReq,), errors=_NO_RECEIPT),
    query(Topic.QRY_MSG_READ, Area.GROUP, Target.GROUP, payloads.ReceiptQryReq,
          payloads.QueryReceiptResp, _FIVE, "who has read a message, receipts of version 4",
          errors=_RECEIPTS_4),
    query(Topic.QRY_MSG_READ_CNT_BATCH, Area.GROUP, Target.GROUP, payloads.ReceiptCntQryReq,
          payloads.ReceiptCntQryResp, _FIVE, "how many have read messages, receipts of version 4",
          errors=_RECEIPTS_4),
    query(Topic.READ_RECEIPT, Area.GROUP, None, payloads.ReadReceipt, None, _FIVE,
          "the caller has read messages, receipts of version 5", errors=_RECEIPTS_5),
    query(Topic.QRY_RECEIPT_BATCH, Area.GROUP, None, payloads.QueryReceiptBatchReq,
          payloads.QueryReceiptBatchResp, _FIVE,
          "how many have read messages, receipts of version 5", errors=_RECEIPTS_5),
    query(Topic.QRY_RECEIPT, Area.GROUP, None, payloads.QueryReceiptReq,
          payloads.ReceiptResp, _FIVE, "who has read a message, receipts of version 5",
          errors=_RECEIPTS_5),

    # Chatrooms (operations 14).
    query(Topic.JOIN_CHRM, Area.CHATROOM, Target.ROOM, payloads.ChrmInput, payloads.ChrmOutput,
          _ALL, "join a room, creating it if it does not exist",
          errors=(ErrorCode.RC_CHATROOM_USER_KICKED, ErrorCode.RC_CHATROOM_IS_FULL,
                  ErrorCode.RC_CHATROOM_PATAMETER_INVALID)),
    query(Topic.JOIN_CHRM_R, Area.CHATROOM, Target.ROOM, payloads.ChrmInput, payloads.ChrmOutput,
          _NEW, "join a room that exists",
          errors=(ErrorCode.RC_CHATROOM_NOT_EXIST, ErrorCode.RC_CHATROOM_USER_KICKED)),
    query(Topic.EXIT_CHRM, Area.CHATROOM, Target.ROOM, payloads.ChrmInput, payloads.ChrmOutput,
          _ALL, "leave a room", errors=(ErrorCode.NOT_IN_CHATROOM,)),
    query(Topic.QUERY_CHRM_I, Area.CHATROOM, Target.ROOM, payloads.QueryChatroomInfoInput,
          payloads.QueryChatroomInfoOutput, _ALL, "number of members and some of them",
          errors=(ErrorCode.RC_CHATROOM_NOT_EXIST, ErrorCode.RC_CHATROOM_PATAMETER_INVALID)),
    query(Topic.CREATE_CHRM, Area.CHATROOM, None, None, None, _NONE, "create a room"),
    query(Topic.DESTROY_CHRM, Area.CHATROOM, None, None, None, _NONE, "destroy a room"),
    query(Topic.QUERY_CHRM, Area.CHATROOM, None, None, None, _NONE, "ask about a room"),
    query(Topic.SET_RTC_ROOM_ID, Area.CHATROOM, Target.ROOM, payloads.SetRtcRoomIdInput,
          payloads.SetRtcRoomIdOutput, _NEWEST, "bind an RTC room to a room"),
    query(Topic.SET_KV, Area.CHATROOM, Target.ROOM, payloads.SetChrmKV, payloads.ChrmOutput, _ALL,
          "set a key of a room",
          errors=(*_KEYS, ErrorCode.CHATROOM_KV_EXCEED, ErrorCode.CHATROOM_KV_OVERWRITE_INVALID)),
    query(Topic.DEL_KV, Area.CHATROOM, Target.ROOM, payloads.SetChrmKV, payloads.ChrmOutput, _ALL,
          "delete a key of a room", request_aliases=(payloads.DeleteChrmKV,),
          errors=(*_KEYS, ErrorCode.CHATROOM_KV_OVERWRITE_INVALID,
                  ErrorCode.CHATROOM_KEY_NOT_EXIST)),
    query(Topic.SET_KVS, Area.CHATROOM, Target.ROOM, payloads.SetChrmKVS, payloads.ChrmKVSOutput,
          _NEWEST, "set several keys of a room", reply_optional=True,
          errors=(*_KEYS, ErrorCode.CHATROOM_KV_STORE_NOT_ALL_SUCCESS,
                  ErrorCode.CHATROOM_KV_STORE_OUT_LIMIT, ErrorCode.CHATROOM_KV_SET_ERROR)),
    query(Topic.DEL_KVS, Area.CHATROOM, Target.ROOM, payloads.SetChrmKVS, payloads.ChrmKVSOutput,
          _NEWEST, "delete several keys of a room", reply_optional=True,
          request_aliases=(payloads.DeleteChrmKVS,),
          errors=(*_KEYS, ErrorCode.CHATROOM_KV_STORE_NOT_ALL_SUCCESS,
                  ErrorCode.CHATROOM_KV_STORE_OUT_LIMIT)),
    query(Topic.PULL_KV, Area.CHATROOM, Target.ROOM, payloads.QueryChrmKV, payloads.ChrmKVOutput,
          _ALL, "keys of a room changed after a time", errors=_KEYS),

    # Public services (operations 15).
    query(Topic.PULL_MP, Area.PUBLIC, Target.SELF, payloads.PullMpInput, payloads.PullMpOutput,
          _OLD, "services that the caller follows, changed after a time"),
    query(Topic.SCH_MP, Area.PUBLIC, Target.SELF, payloads.SearchMpInput, payloads.SearchMpOutput,
          _OLD, "search for services"),
    query(Topic.MP_FOLLOW, Area.PUBLIC, Target.SELF, payloads.MPFollowInput,
          payloads.MPFollowOutput, _OLD, "follow a service", errors=_NO_FOLLOWING),
    query(Topic.MC_FOLLOW, Area.PUBLIC, Target.SELF, payloads.MPFollowInput,
          payloads.MPFollowOutput, _OLD, "follow a default service", errors=_NO_FOLLOWING),
    query(Topic.MP_UN_FOLLOW, Area.PUBLIC, Target.SELF, payloads.MPFollowInput,
          payloads.MPFollowOutput, _OLD, "no longer follow a service", errors=_NO_FOLLOWING),
    query(Topic.MC_UN_FOLLOW, Area.PUBLIC, Target.SELF, payloads.MPFollowInput,
          payloads.MPFollowOutput, _OLD, "no longer follow a default service",
          errors=_NO_FOLLOWING),

    # Files (operations 17).
    query(Topic.QN_TKN, Area.FILES, Target.SELF, payloads.GetQNupTokenInput,
          payloads.GetQNupTokenOutput, _ALL, "ticket for an upload", errors=_NO_FILE),
    query(Topic.QN_URL, Area.FILES, Target.SELF, payloads.GetQNdownloadUrlInput,
          payloads.GetQNdownloadUrlOutput, _ALL, "link to a file",
          request_aliases=(payloads.GetDownloadUrlInput,), errors=_NO_FILE),
    query(Topic.ALI_URL, Area.FILES, Target.SELF, payloads.GetDownloadUrlInput,
          payloads.GetDownloadUrlOutput, _NEW, "link to a file, provider 2", errors=_NO_LINK),
    query(Topic.S3_URL, Area.FILES, Target.SELF, payloads.GetDownloadUrlInput,
          payloads.GetDownloadUrlOutput, _NEW, "link to a file, provider 3", errors=_NO_LINK),
    query(Topic.STC_URL, Area.FILES, Target.SELF, payloads.GetDownloadUrlInput,
          payloads.GetDownloadUrlOutput, _NEW, "link to a file, provider 4", errors=_NO_LINK),
    query(Topic.MINIO_URL, Area.FILES, Target.SELF, payloads.GetDownloadUrlInput,
          payloads.GetDownloadUrlOutput, _FIVE, "link to a file, provider 5", errors=_NO_LINK),

    # RTC (operations 18). SDK 5 leaves it to a call library to ask on topics that it does not name
    # itself; they are not counted as its own.
    query(Topic.RTC_R_JOIN_DATA, Area.RTC, Target.ROOM, payloads.RtcInput,
          payloads.RtcUserListOutput, _ALL, "join; members with their data"),
    query(Topic.RTC_R_EXIT, Area.RTC, Target.ROOM, payloads.SetUserStatusInput, None, _ALL,
          "leave"),
    query(Topic.RTC_PING, Area.RTC, Target.ROOM, payloads.RtcInput, None, _ALL,
          "the caller is still there"),
    query(Topic.RTC_TOKEN, Area.RTC, Target.ROOM, payloads.RtcInput, payloads.RtcTokenOutput, _ALL,
          "token for the media server"),
    query(Topic.RTC_USER_STATE, Area.RTC, Target.ROOM, payloads.MCFollowInput, payloads.RtcOutput,
          _ALL, "a text for the log"),
    query(Topic.RTC_U_DATA, Area.RTC, Target.ROOM, payloads.RtcQueryListInput,
          payloads.RtcUserListOutput, _OLDER, "members with their data"),
    query(Topic.RTC_U_LIST, Area.RTC, Target.ROOM, payloads.RtcQueryListInput,
          payloads.RtcUserListOutput, _ALL, "members without their data"),
    query(Topic.RTC_U_PUT, Area.RTC, Target.ROOM, payloads.RtcValueInfo, None, _ALL,
          "set a value of the caller"),
    query(Topic.RTC_U_DEL, Area.RTC, Target.ROOM, payloads.RtcKeyDeleteInput, None, _OLD,
          "delete the caller's values"),
    query(Topic.RTC_R_INFO, Area.RTC, Target.ROOM, payloads.RtcQueryListInput,
          payloads.RtcRoomInfoOutput, _OLDER, "data of the room and number of members"),
    query(Topic.RTC_R_PUT, Area.RTC, Target.ROOM, payloads.RtcValueInfo, None, _OLD,
          "set a value of the room"),
    query(Topic.RTC_R_DEL, Area.RTC, Target.ROOM, payloads.RtcKeyDeleteInput, None, _OLD,
          "delete values of the room"),
    query(Topic.RTC_SET_DATA, Area.RTC, Target.ROOM, payloads.RtcSetDataInput, payloads.RtcOutput,
          _OLD, "set a value of the room or of the caller"),
    query(Topic.RTC_DEL_DATA, Area.RTC, Target.ROOM, payloads.RtcDataInput, payloads.RtcOutput,
          _OLD, "delete values of the room or of the caller"),
    query(Topic.RTC_QRY_DATA, Area.RTC, Target.ROOM, payloads.RtcDataInput, payloads.RtcQryOutput,
          _ALL, "values of the room or of the caller"),
    query(Topic.RTC_SET_OUT_DATA, Area.RTC, Target.ROOM, payloads.RtcSetOutDataInput,
          payloads.RtcOutput, _OLDER, "set several outer values"),
    query(Topic.RTC_QRY_USER_OUT_DATA, Area.RTC, Target.ROOM, payloads.RtcQryUserOutDataInput,
          payloads.RtcUserOutDataOutput, _OLDER, "outer values of users"),
    query(Topic.USER_SET_DATA, Area.RTC, Target.ROOM, payloads.RtcUserSetDataInput, None, _NEW,
          "publish the caller's media"),
    # The reply of SDK 2.9.2 ends after the token.
    query(Topic.VIEWER_JOIN_R, Area.RTC, Target.ROOM, payloads.RtcInput,
          payloads.RtcViewerJoinedOutput, _NEW, "join a live room as a viewer",
          reply_aliases=(payloads.RtcTokenOutput,)),
    query(Topic.VIEWER_EXIT_R, Area.RTC, Target.ROOM, payloads.SetUserStatusInput, None, _NEW,
          "leave a live room as a viewer"),
    query(Topic.RTC_IDENTITY_CHANGE, Area.RTC, Target.ROOM, payloads.RtcInput,
          payloads.RtcUserListOutput, _NEW, "host becomes viewer or viewer host"),
    query(Topic.RTC_PULL_KV, Area.RTC, Target.SELF, payloads.RtcPullKV, payloads.RtcKVOutput,
          (*_MIDDLE, "4.6.4"), "entries of a room changed after a time"),
    # SDK 5 leaves the target empty.
    query(Topic.RTC_QUERY_JOINED, Area.RTC, Target.SELF, payloads.RtcQueryUserJoinedInput,
          payloads.RtcQueryUserJoinedOutput, _NEWEST, "in which rooms a user is"),
    query(Topic.RTC_INVITE, Area.RTC, Target.ROOM, payloads.RtcInviteInput, None, _NEWEST,
          "call another room"),
    query(Topic.RTC_CANCEL_INVITE, Area.RTC, Target.ROOM, payloads.RtcCancelInviteInput, None,
          _NEWEST, "no longer call another room"),
    query(Topic.RTC_INVITE_ANSWER, Area.RTC, Target.ROOM, payloads.RtcInviteAnswerInput, None,
          _NEWEST, "take or refuse the call of another room"),
    query(Topic.RTC_END_INVITE, Area.RTC, Target.ROOM, payloads.RtcEndInviteInput, None, _NEWEST,
          "end the call with another room"),
    query(Topic.QRY_VOIP_K, Area.RTC, Target.SELF, payloads.VoipDynamicInput,
          payloads.VoipDynamicOutput, _OLD, "key for a call engine", errors=_NO_CALL),

    # Ultra groups (operations 19).
    query(Topic.PULL_UG_SES, Area.ULTRA, Target.SELF, payloads.UltraGrpPullSes,
          payloads.RelationsOutput, _NEWEST, "the caller's ultra groups and channels"),
    query(Topic.PULL_UG_MSG, Area.ULTRA, Target.SELF, payloads.UltraGrpPullMsg,
          payloads.DownStreamMessages, _NEWEST, "messages of ultra groups after a time"),
    query(Topic.DEL_UG_MSG, Area.ULTRA, Target.SELF, payloads.DeleteMsgInput, None, _FIVE,
          "hide messages of an ultra group from the caller"),
    query(Topic.QRY_MSG_CHANGE, Area.ULTRA, Target.SELF, payloads.QueryMsgChange,
          payloads.MsgChangeList, _FIVE, "changed messages of ultra groups after a time"),
    query(Topic.UP_MSG_EX, Area.ULTRA, Target.GROUP, payloads.MsgChangeReq, None, _FIVE,
          "change a message's expansion", errors=_EXPANDING),
    query(Topic.QRY_UG_UAL, Area.ULTRA, Target.SELF, payloads.QryRemindListReq,
          payloads.QryRemindListResp, _FIVE, "unread messages that mention the caller"),
    query(Topic.UG_UNPUSH_SET, Area.ULTRA, Target.GROUP, payloads.GroupUnpushSet, None, _FIVE,
          "set how loud an ultra group is"),
    query(Topic.UG_UNPUSH_QUERY, Area.ULTRA, Target.GROUP, payloads.GroupUnpushQuery,
          payloads.GroupUnpushResult, _FIVE, "how loud an ultra group is"),
)
# fmt: on
