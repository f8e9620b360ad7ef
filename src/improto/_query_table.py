"""The rows of the operation table that are sent as QUERY (operations 4 to 19)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto import payloads
from improto._operation import Area, Direction, Operation, Signal, Target, Topic
from improto.codes import ConversationType, ErrorCode

if TYPE_CHECKING:
    from improto.payloads import Message

_OLD = ("2.5.3",)
_MIDDLE = ("2.9.2",)
_NEWEST = ("4.6.4",)
_NEW = (*_MIDDLE, *_NEWEST)
_ALL = (*_OLD, *_NEW)
_NONE = ()

_HISTORY = (ErrorCode.MSG_ROAMING_SERVICE_UNAVAILABLE,)
_CLEANING = (ErrorCode.CLEAR_HIS_TIME_ERROR, ErrorCode.MSG_ROAMING_SERVICE_UNAVAILABLE)
_TAGS = (ErrorCode.TAG_NOT_EXIST, ErrorCode.TAG_EXISTS, ErrorCode.NO_TAG_IN_CONVER)
_KEYS = (ErrorCode.NOT_IN_CHATROOM, ErrorCode.CHATROOM_KV_STORE_NOT_OPEN)
_NO_RECEIPT = (ErrorCode.READ_RECEIPT_ERROR, ErrorCode.NOT_IN_GROUP)
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


def _query(
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
    return _query(
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
    topic: Topic, conversation: ConversationType, sdks: tuple[str, ...], meaning: str
) -> Operation:
    """A topic that hides the history of a conversation from its caller."""
    return _query(
        topic,
        Area.CORE,
        Target.SELF,
        payloads.CleanHisMsgInput,
        None,
        sdks,
        meaning,
        target_sdk253=Target.CONVERSATION,
        conversation=conversation,
        errors=_CLEANING,
    )


# A table reads best with a row on a line or two.
# fmt: off
ROWS: tuple[Operation, ...] = (
    # Synchronisation (operations 4).
    _query(Topic.PULL_MSG, Area.CORE, Target.SELF, payloads.SyncRequestMsg,
           payloads.DownStreamMessages, _ALL, "messages of the inbox after a time", qos_sdk253=1),
    _query(Topic.CHRM_PULL, Area.CORE, Target.ROOM, payloads.ChrmPullMsg,
           payloads.DownStreamMessages, _ALL, "messages of a room after a time", qos_sdk253=1,
           errors=(ErrorCode.NOT_IN_CHATROOM, ErrorCode.RC_CHATROOM_NOT_EXIST)),
    _query(Topic.REPORTSDK, Area.CORE, Target.SELF, payloads.ReportSDKInput,
           payloads.ReportSDKOutput, _NEW, "which SDK the client is, as JSON", reply_optional=True),
    _query(Topic.QRY_SESSIONS_ATT, Area.CORE, Target.SELF, payloads.SessionsAttQryInput,
           payloads.SessionsAttOutput, _NONE, "times of inbox and sent box, total of unread"),

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

    # Deleting (operations 6).
    _query(Topic.DEL_MSG, Area.CORE, Target.SELF, payloads.DeleteMsgInput,
           payloads.DeleteMsgOutput, _ALL, "hide single messages from the caller",
           target_sdk253=Target.CONVERSATION),
    _clean(Topic.CLEAN_P_MSG, ConversationType.PRIVATE, _ALL, "clear history with one user"),
    _query(Topic.CLEAN_D_MSG, Area.CORE, Target.CONVERSATION, payloads.CleanHisMsgInput, None, _OLD,
           "clear history of a discussion", conversation=ConversationType.DISCUSSION,
           errors=_CLEANING),
    _clean(Topic.CLEAN_G_MSG, ConversationType.GROUP, _ALL, "clear history of a group"),
    _clean(Topic.CLEAN_C_MSG, ConversationType.CUSTOMER_SERVICE, _ALL,
           "clear history with a customer service"),
    _clean(Topic.CLEAN_S_MSG, ConversationType.SYSTEM, _ALL, "clear history of a system account"),
    _query(Topic.CLEAN_HIS_MSG, Area.CORE, None, payloads.CleanHisMsgInput, None, _NONE,
           "clear history, old name", errors=_CLEANING),

    # Conversation list (operations 7).
    _query(Topic.QRY_RELATION, Area.CORE, Target.SELF, payloads.RelationsInput,
           payloads.RelationsOutput, _OLD, "conversation list"),
    _query(Topic.QRY_RELATION_R, Area.CORE, Target.SELF, payloads.RelationQryInput,
           payloads.RelationsOutput, _NEW, "conversation list, page by page"),
    # Only ``type`` matters in the request (operations 7).
    _query(Topic.DEL_RELATION, Area.CORE, Target.CONVERSATION, payloads.RelationsInput,
           payloads.RelationsOutput, _ALL, "take a conversation off the list",
           request_aliases=(payloads.RelationQryInput,), reply_optional=True),
    _query(Topic.ADD_RELATION, Area.CORE, None, payloads.RelationsInput, None, _NONE,
           "put a conversation on the list"),
    _query(Topic.DEL_SESSIONS, Area.CORE, None, payloads.DeleteSessionsInput,
           payloads.DeleteSessionsOutput, _NONE, "take conversations off the list"),
    _query(Topic.QRY_SESSIONS, Area.CORE, None, None, None, _NONE, "conversation list"),
    _query(Topic.UPD_RR_TIME, Area.CORE, None, payloads.SessionMsgReadInput,
           payloads.SessionMsgReadOutput, _NONE, "how far the caller has read"),

    # Conversation settings (operations 8).
    _query(Topic.PULL_SE_ATTS, Area.SETTINGS, Target.SELF, payloads.SessionReq,
           payloads.SessionStates, _NEW, "settings changed after a time"),
    _query(Topic.SET_SE_ATT, Area.SETTINGS, Target.SELF, payloads.SessionStateModifyReq,
           payloads.SessionStateModifyResp, _NEW, "mute conversations or keep them on top"),
    _query(Topic.ADD_TAG, Area.SETTINGS, Target.SELF, payloads.SessionStateModifyReq,
           payloads.SessionStateModifyResp, _NEW, "attach tags to conversations",
           reply_optional=True, errors=_TAGS),
    _query(Topic.DEL_TAG, Area.SETTINGS, Target.SELF, payloads.SessionStateModifyReq,
           payloads.SessionStateModifyResp, _NEW, "detach tags from conversations",
           reply_optional=True, errors=_TAGS),
    _query(Topic.ADD_SE_TAG, Area.SETTINGS, Target.SELF, payloads.SessionTagAddInput,
           payloads.SetUserSettingOutput, _NEW, "create or rename tags", errors=_TAGS),
    _query(Topic.DEL_SE_TAG, Area.SETTINGS, Target.SELF, payloads.SessionTagDelInput,
           payloads.SetUserSettingOutput, _NEW, "delete tags", errors=_TAGS),
    _query(Topic.DIS_TAG, Area.SETTINGS, None, payloads.SessionDisTagReq, None, _NONE,
           "dissolve tags"),
    # The status is the answer: 0 muted, 1 not muted (codes 4).
    _query(Topic.QRY_P_PUSH, Area.SETTINGS, Target.SELF, payloads.BlockPushInput, None, _OLD,
           "whether a user is muted"),
    _query(Topic.QRY_D_PUSH, Area.SETTINGS, Target.SELF, payloads.BlockPushInput, None, _OLD,
           "whether a group or discussion is muted"),
    _query(Topic.BLK_P_PUSH, Area.SETTINGS, Target.SELF, payloads.BlockPushInput, None, _OLD,
           "mute a user"),
    _query(Topic.BLK_D_PUSH, Area.SETTINGS, Target.SELF, payloads.BlockPushInput, None, _OLD,
           "mute a group or discussion"),
    _query(Topic.UNBLK_P_PUSH, Area.SETTINGS, Target.SELF, payloads.BlockPushInput, None, _OLD,
           "no longer mute a user"),
    _query(Topic.UNBLK_D_PUSH, Area.SETTINGS, Target.SELF, payloads.BlockPushInput, None, _OLD,
           "no longer mute a group or discussion"),

    # Blacklist (operations 9).
    _query(Topic.ADD_BLACK, Area.CORE, Target.OTHER_USER, payloads.Add2BlackListInput, None, _OLD,
           "block a user", errors=(ErrorCode.BLACK_ADD_ERROR,)),
    _query(Topic.RM_BLACK, Area.CORE, Target.OTHER_USER, payloads.RemoveFromBlackListInput, None,
           _OLD, "no longer block a user", errors=(ErrorCode.BLACK_REMOVE_ERROR,)),
    _query(Topic.GET_BLACK, Area.CORE, Target.SELF, payloads.QueryBlackListInput,
           payloads.QueryBlackListOutput, _OLD, "whom the caller blocks"),
    # The status is the answer: 0 blocked, 101 not blocked (codes 4).
    _query(Topic.BLACK_STAT, Area.CORE, Target.OTHER_USER, payloads.BlackListStatusInput, None,
           _OLD, "whether the caller blocks a user", errors=(ErrorCode.BLACK_GETSTATUS_ERROR,)),

    # Presence and user settings (operations 10 and 11).
    # SDK 2.5.3 asks for the caller's own status, whoever was meant.
    _query(Topic.GET_USER_STATUS, Area.SETTINGS, Target.SELF, payloads.GetUserStatusInput,
           payloads.GetUserStatusOutput, _OLD, "presence of a user"),
    _query(Topic.SET_USER_STATUS, Area.SETTINGS, Target.SELF, payloads.SetUserStatusInput,
           payloads.SetUserStatusOutput, _OLD, "set the caller's presence"),
    _query(Topic.SUB_USER_STATUS, Area.SETTINGS, Target.SELF, payloads.SubUserStatusInput,
           payloads.SubUserStatusOutput, _OLD, "be told of the presence of users"),
    _query(Topic.PULL_US, Area.SETTINGS, Target.SELF, payloads.PullUserSettingInput,
           payloads.PullUserSettingOutput, _ALL, "user settings changed after a version"),
    _query(Topic.SET_OFFLINE_MSG_DUR, Area.SETTINGS, Target.SELF, payloads.SetUserSettingInput,
           None, _OLD, "for how many days to keep messages for the caller",
           request_aliases=(payloads.GetQNupTokenOutput,)),

    # Discussions (operations 12).
    _query(Topic.CR_DIZ, Area.DISCUSSION, Target.SELF, payloads.CreateDiscussionInput,
           payloads.CreateDiscussionOutput, _OLD, "create a discussion",
           errors=(ErrorCode.CREATE_DISCUSSION,)),
    _query(Topic.INVT_DIZ, Area.DISCUSSION, Target.DISCUSSION, payloads.ChannelInvitationInput,
           None, _OLD, "add members",
           errors=(*_NO_DISCUSSION, ErrorCode.JOIN_IN_DISCUSSION, ErrorCode.INVITE_DICUSSION)),
    _query(Topic.DIZ_INF, Area.DISCUSSION, Target.DISCUSSION, payloads.ChannelInfoInput,
           payloads.ChannelInfoOutput, _OLD, "name, owner and members", errors=_NO_DISCUSSION),
    _query(Topic.QUIT_DIZ, Area.DISCUSSION, Target.DISCUSSION, payloads.LeaveChannelInput, None,
           _OLD, "leave", errors=_NO_DISCUSSION),
    _query(Topic.EVCT_DIZ, Area.DISCUSSION, Target.DISCUSSION, payloads.ChannelEvictionInput, None,
           _OLD, "remove a member", errors=_NO_DISCUSSION),
    _query(Topic.PD_OPEN, Area.DISCUSSION, Target.DISCUSSION, payloads.ModifyPermissionInput, None,
           _OLD, "say who may invite", errors=(ErrorCode.INVITE_DICUSSION,)),
    _query(Topic.RENAME, Area.DISCUSSION, Target.DISCUSSION, payloads.RenameChannelInput, None,
           _OLD, "rename", errors=_NO_DISCUSSION),

    # Groups (operations 13).
    _query(Topic.JOIN_GRP, Area.GROUP, None, payloads.GroupInput, payloads.GroupOutput, _NONE,
           "join groups"),
    _query(Topic.EXIT_GRP, Area.GROUP, None, payloads.LeaveChannelInput, None, _NONE,
           "leave a group"),
    _query(Topic.U_GCMPR, Area.GROUP, None, payloads.GroupHashInput, payloads.GroupHashOutput,
           _NONE, "compare the lists of groups"),
    _query(Topic.P_GRPS, Area.GROUP, None, payloads.GroupInput, payloads.GroupOutput, _NONE,
           "send the list of groups"),
    _query(Topic.USER_INF, Area.GROUP, None, payloads.GetUserInfoInput, payloads.GetUserInfoOutput,
           _NONE, "name and portrait of a user", errors=(ErrorCode.GET_USERINFO_ERROR,)),
    _query(Topic.RR_MSG, Area.GROUP, Target.GROUP, payloads.GrpReadReceiptMsg, None, _NEW,
           "the caller has read messages", errors=_NO_RECEIPT),
    _query(Topic.RR_LIST, Area.GROUP, Target.GROUP, payloads.GrpReadReceiptMsg,
           payloads.GrpReadReceiptQryResp, _NEW, "who has read a message",
           request_aliases=(payloads.GrpReadReceiptQryReq,), errors=_NO_RECEIPT),

    # Chatrooms (operations 14).
    _query(Topic.JOIN_CHRM, Area.CHATROOM, Target.ROOM, payloads.ChrmInput, payloads.ChrmOutput,
           _ALL, "join a room, creating it if it does not exist",
           errors=(ErrorCode.RC_CHATROOM_USER_KICKED, ErrorCode.RC_CHATROOM_IS_FULL,
                   ErrorCode.RC_CHATROOM_PATAMETER_INVALID)),
    _query(Topic.JOIN_CHRM_R, Area.CHATROOM, Target.ROOM, payloads.ChrmInput, payloads.ChrmOutput,
           _NEW, "join a room that exists",
           errors=(ErrorCode.RC_CHATROOM_NOT_EXIST, ErrorCode.RC_CHATROOM_USER_KICKED)),
    _query(Topic.EXIT_CHRM, Area.CHATROOM, Target.ROOM, payloads.ChrmInput, payloads.ChrmOutput,
           _ALL, "leave a room", errors=(ErrorCode.NOT_IN_CHATROOM,)),
    _query(Topic.QUERY_CHRM_I, Area.CHATROOM, Target.ROOM, payloads.QueryChatroomInfoInput,
           payloads.QueryChatroomInfoOutput, _ALL, "number of members and some of them",
           errors=(ErrorCode.RC_CHATROOM_NOT_EXIST, ErrorCode.RC_CHATROOM_PATAMETER_INVALID)),
    _query(Topic.CREATE_CHRM, Area.CHATROOM, None, None, None, _NONE, "create a room"),
    _query(Topic.DESTROY_CHRM, Area.CHATROOM, None, None, None, _NONE, "destroy a room"),
    _query(Topic.QUERY_CHRM, Area.CHATROOM, None, None, None, _NONE, "ask about a room"),
    _query(Topic.SET_RTC_ROOM_ID, Area.CHATROOM, Target.ROOM, payloads.SetRtcRoomIdInput,
           payloads.SetRtcRoomIdOutput, _NEWEST, "bind an RTC room to a room"),
    _query(Topic.SET_KV, Area.CHATROOM, Target.ROOM, payloads.SetChrmKV, payloads.ChrmOutput, _ALL,
           "set a key of a room",
           errors=(*_KEYS, ErrorCode.CHATROOM_KV_EXCEED, ErrorCode.CHATROOM_KV_OVERWRITE_INVALID)),
    _query(Topic.DEL_KV, Area.CHATROOM, Target.ROOM, payloads.SetChrmKV, payloads.ChrmOutput, _ALL,
           "delete a key of a room", request_aliases=(payloads.DeleteChrmKV,),
           errors=(*_KEYS, ErrorCode.CHATROOM_KV_OVERWRITE_INVALID,
                   ErrorCode.CHATROOM_KEY_NOT_EXIST)),
    _query(Topic.SET_KVS, Area.CHATROOM, Target.ROOM, payloads.SetChrmKVS, payloads.ChrmKVSOutput,
           _NEWEST, "set several keys of a room", reply_optional=True,
           errors=(*_KEYS, ErrorCode.CHATROOM_KV_STORE_NOT_ALL_SUCCESS,
                   ErrorCode.CHATROOM_KV_STORE_OUT_LIMIT, ErrorCode.CHATROOM_KV_SET_ERROR)),
    _query(Topic.DEL_KVS, Area.CHATROOM, Target.ROOM, payloads.SetChrmKVS, payloads.ChrmKVSOutput,
           _NEWEST, "delete several keys of a room", reply_optional=True,
           request_aliases=(payloads.DeleteChrmKVS,),
           errors=(*_KEYS, ErrorCode.CHATROOM_KV_STORE_NOT_ALL_SUCCESS,
                   ErrorCode.CHATROOM_KV_STORE_OUT_LIMIT)),
    _query(Topic.PULL_KV, Area.CHATROOM, Target.ROOM, payloads.QueryChrmKV, payloads.ChrmKVOutput,
           _ALL, "keys of a room changed after a time", errors=_KEYS),

    # Public services (operations 15).
    _query(Topic.PULL_MP, Area.PUBLIC, Target.SELF, payloads.PullMpInput, payloads.PullMpOutput,
           _OLD, "services that the caller follows, changed after a time"),
    _query(Topic.SCH_MP, Area.PUBLIC, Target.SELF, payloads.SearchMpInput, payloads.SearchMpOutput,
           _OLD, "search for services"),
    _query(Topic.MP_FOLLOW, Area.PUBLIC, Target.SELF, payloads.MPFollowInput,
           payloads.MPFollowOutput, _OLD, "follow a service", errors=_NO_FOLLOWING),
    _query(Topic.MC_FOLLOW, Area.PUBLIC, Target.SELF, payloads.MPFollowInput,
           payloads.MPFollowOutput, _OLD, "follow a default service", errors=_NO_FOLLOWING),
    _query(Topic.MP_UN_FOLLOW, Area.PUBLIC, Target.SELF, payloads.MPFollowInput,
           payloads.MPFollowOutput, _OLD, "no longer follow a service", errors=_NO_FOLLOWING),
    _query(Topic.MC_UN_FOLLOW, Area.PUBLIC, Target.SELF, payloads.MPFollowInput,
           payloads.MPFollowOutput, _OLD, "no longer follow a default service",
           errors=_NO_FOLLOWING),

    # Files (operations 17).
    _query(Topic.QN_TKN, Area.FILES, Target.SELF, payloads.GetQNupTokenInput,
           payloads.GetQNupTokenOutput, _ALL, "ticket for an upload", errors=_NO_FILE),
    _query(Topic.QN_URL, Area.FILES, Target.SELF, payloads.GetQNdownloadUrlInput,
           payloads.GetQNdownloadUrlOutput, _ALL, "link to a file", errors=_NO_FILE),
    _query(Topic.ALI_URL, Area.FILES, Target.SELF, payloads.GetDownloadUrlInput,
           payloads.GetDownloadUrlOutput, _NEW, "link to a file, provider 2", errors=_NO_LINK),
    _query(Topic.S3_URL, Area.FILES, Target.SELF, payloads.GetDownloadUrlInput,
           payloads.GetDownloadUrlOutput, _NEW, "link to a file, provider 3", errors=_NO_LINK),
    _query(Topic.STC_URL, Area.FILES, Target.SELF, payloads.GetDownloadUrlInput,
           payloads.GetDownloadUrlOutput, _NEW, "link to a file, provider 4", errors=_NO_LINK),

    # RTC (operations 18).
    _query(Topic.RTC_R_JOIN_DATA, Area.RTC, Target.ROOM, payloads.RtcInput,
           payloads.RtcUserListOutput, _ALL, "join; members with their data"),
    _query(Topic.RTC_R_EXIT, Area.RTC, Target.ROOM, payloads.SetUserStatusInput, None, _ALL,
           "leave"),
    _query(Topic.RTC_PING, Area.RTC, Target.ROOM, payloads.RtcInput, None, _ALL,
           "the caller is still there"),
    _query(Topic.RTC_TOKEN, Area.RTC, Target.ROOM, payloads.RtcInput, payloads.RtcTokenOutput, _ALL,
           "token for the media server"),
    _query(Topic.RTC_USER_STATE, Area.RTC, Target.ROOM, payloads.MCFollowInput, payloads.RtcOutput,
           _ALL, "a text for the log"),
    _query(Topic.RTC_U_DATA, Area.RTC, Target.ROOM, payloads.RtcQueryListInput,
           payloads.RtcUserListOutput, _ALL, "members with their data"),
    _query(Topic.RTC_U_LIST, Area.RTC, Target.ROOM, payloads.RtcQueryListInput,
           payloads.RtcUserListOutput, _ALL, "members without their data"),
    _query(Topic.RTC_U_PUT, Area.RTC, Target.ROOM, payloads.RtcValueInfo, None, _ALL,
           "set a value of the caller"),
    _query(Topic.RTC_U_DEL, Area.RTC, Target.ROOM, payloads.RtcKeyDeleteInput, None, _OLD,
           "delete the caller's values"),
    _query(Topic.RTC_R_INFO, Area.RTC, Target.ROOM, payloads.RtcQueryListInput,
           payloads.RtcRoomInfoOutput, _ALL, "data of the room and number of members"),
    _query(Topic.RTC_R_PUT, Area.RTC, Target.ROOM, payloads.RtcValueInfo, None, _OLD,
           "set a value of the room"),
    _query(Topic.RTC_R_DEL, Area.RTC, Target.ROOM, payloads.RtcKeyDeleteInput, None, _OLD,
           "delete values of the room"),
    _query(Topic.RTC_SET_DATA, Area.RTC, Target.ROOM, payloads.RtcSetDataInput, payloads.RtcOutput,
           _OLD, "set a value of the room or of the caller"),
    _query(Topic.RTC_DEL_DATA, Area.RTC, Target.ROOM, payloads.RtcDataInput, payloads.RtcOutput,
           _OLD, "delete values of the room or of the caller"),
    _query(Topic.RTC_QRY_DATA, Area.RTC, Target.ROOM, payloads.RtcDataInput, payloads.RtcQryOutput,
           _ALL, "values of the room or of the caller"),
    _query(Topic.RTC_SET_OUT_DATA, Area.RTC, Target.ROOM, payloads.RtcSetOutDataInput,
           payloads.RtcOutput, _ALL, "set several outer values"),
    _query(Topic.RTC_QRY_USER_OUT_DATA, Area.RTC, Target.ROOM, payloads.RtcQryUserOutDataInput,
           payloads.RtcUserOutDataOutput, _ALL, "outer values of users"),
    _query(Topic.USER_SET_DATA, Area.RTC, Target.ROOM, payloads.RtcUserSetDataInput, None, _NEW,
           "publish the caller's media"),
    # The reply of SDK 2.9.2 ends after the token.
    _query(Topic.VIEWER_JOIN_R, Area.RTC, Target.ROOM, payloads.RtcInput,
           payloads.RtcViewerJoinedOutput, _NEW, "join a live room as a viewer",
           reply_aliases=(payloads.RtcTokenOutput,)),
    _query(Topic.VIEWER_EXIT_R, Area.RTC, Target.ROOM, payloads.SetUserStatusInput, None, _NEW,
           "leave a live room as a viewer"),
    _query(Topic.RTC_IDENTITY_CHANGE, Area.RTC, Target.ROOM, payloads.RtcInput,
           payloads.RtcUserListOutput, _NEW, "host becomes viewer or viewer host"),
    _query(Topic.RTC_PULL_KV, Area.RTC, Target.SELF, payloads.RtcPullKV, payloads.RtcKVOutput, _NEW,
           "entries of a room changed after a time"),
    _query(Topic.RTC_QUERY_JOINED, Area.RTC, Target.SELF, payloads.RtcQueryUserJoinedInput,
           payloads.RtcQueryUserJoinedOutput, _NEWEST, "in which rooms a user is"),
    _query(Topic.RTC_INVITE, Area.RTC, Target.ROOM, payloads.RtcInviteInput, None, _NEWEST,
           "call another room"),
    _query(Topic.RTC_CANCEL_INVITE, Area.RTC, Target.ROOM, payloads.RtcCancelInviteInput, None,
           _NEWEST, "no longer call another room"),
    _query(Topic.RTC_INVITE_ANSWER, Area.RTC, Target.ROOM, payloads.RtcInviteAnswerInput, None,
           _NEWEST, "take or refuse the call of another room"),
    _query(Topic.RTC_END_INVITE, Area.RTC, Target.ROOM, payloads.RtcEndInviteInput, None, _NEWEST,
           "end the call with another room"),
    _query(Topic.QRY_VOIP_K, Area.RTC, Target.SELF, payloads.VoipDynamicInput,
           payloads.VoipDynamicOutput, _OLD, "key for a call engine", errors=_NO_CALL),

    # Ultra groups (operations 19).
    _query(Topic.PULL_UG_SES, Area.ULTRA, Target.SELF, payloads.UltraGrpPullSes,
           payloads.RelationsOutput, _NEWEST, "the caller's ultra groups and channels"),
    _query(Topic.PULL_UG_MSG, Area.ULTRA, Target.SELF, payloads.UltraGrpPullMsg,
           payloads.DownStreamMessages, _NEWEST, "messages of ultra groups after a time"),
    _query(Topic.QRY_MSG, Area.ULTRA, Target.SELF, payloads.MsgQuery, payloads.MsgQueryAck, _NEWEST,
           "messages by their uids", qos=1),
)
# fmt: on
