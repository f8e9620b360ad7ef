"""The vocabulary of the operation table; use it through :mod:`improto.operations`.

Topics are spelled out here and nowhere else. A member of :class:`Topic` is the topic in
capitals, with an underscore where the wire starts a new word: ``pullMsg`` is PULL_MSG.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from improto.codes import ConversationType, ErrorCode
    from improto.payloads import Message


class Topic(enum.StrEnum):
    """Every topic that an SDK sends, reads or at least declares (operations 2 to 19, sdk5 8)."""

    # Messages (operations 2).
    PP_MSG_P = "ppMsgP"
    PP_MSG_S = "ppMsgS"
    PP_MSG_N = "ppMsgN"
    PD_MSG_P = "pdMsgP"
    PG_MSG_P = "pgMsgP"
    PG_MSG_S = "pgMsgS"
    CHAT_MSG = "chatMsg"
    CHAT_MSG_S = "chatMsgS"
    PC_MSG_P = "pcMsgP"
    PCU_MSG_P = "pcuMsgP"
    SYSTEM_MESSAGE = ""
    PMC_MSG_N = "pmcMsgN"
    PMP_MSG_N = "pmpMsgN"
    PR_MSG_S = "prMsgS"
    PR_MSG_P = "prMsgP"
    RECALL_MSG = "recallMsg"
    UG_MSG = "ugMsg"
    OPERATE = "operate"
    UPD_UG_R_TIME = "updUgRTime"
    UP_MSG_EX = "upMsgEx"
    MODIFY_MSG = "modifyMsg"
    QRY_MSG_CHANGE = "qryMsgChange"
    PB_MSG_P = "pbMsgP"
    SEND_MSG_READ = "sendMsgRead"
    UPD_R_TIME = "updRTime"

    # Server to client (operations 3).
    S_NTF = "s_ntf"
    S_MSG = "s_msg"
    S_STAT = "s_stat"
    S_CMD = "s_cmd"
    S_US = "s_us"
    RTC_NTF = "rtc_ntf"
    S_OP_NTF = "s_opNtf"
    S_PUB_CALL = "s_pubCall"

    # Synchronisation (operations 4).
    PULL_MSG = "pullMsg"
    CHRM_PULL = "chrmPull"
    REPORTSDK = "reportsdk"
    QRY_SESSIONS_ATT = "qrySessionsAtt"
    PULL_EVENT_CHANGE = "pullEventChange"
    PULL_MODIFY_MSG = "pullModifyMsg"
    PULL_SE = "pullSe"
    Q_APP_BOT = "qAppBot"
    Q_BOT = "qBot"
    REQ_CALL = "reqCall"
    PULL_KV_MSG = "pullKvMsg"

    # History and deleting (operations 5 and 6).
    QRY_P_MSG = "qryPMsg"
    QRY_D_MSG = "qryDMsg"
    QRY_G_MSG = "qryGMsg"
    QRY_C_MSG = "qryCMsg"
    QRY_S_MSG = "qrySMsg"
    QRY_CH_MSG = "qryCHMsg"
    QRY_UG_MSG = "qryUgMsg"
    QRY_MC_MSG = "qryMCMsg"
    QRY_MP_MSG = "qryMPMsg"
    DEL_MSG = "delMsg"
    CLEAN_P_MSG = "cleanPMsg"
    CLEAN_D_MSG = "cleanDMsg"
    CLEAN_G_MSG = "cleanGMsg"
    CLEAN_C_MSG = "cleanCMsg"
    CLEAN_S_MSG = "cleanSMsg"
    CLEAN_HIS_MSG = "cleanHisMsg"
    CLEAN_MC_MSG = "cleanMCMsg"
    CLEAN_MP_MSG = "cleanMPMsg"
    CLEAN_MSG_BATCH = "cleanMsgBatch"
    DEL_UG_MSG = "delUgMsg"
    UP_CONVERT_MSG = "upConvertMsg"

    # Conversation list (operations 7).
    QRY_RELATION = "qryRelation"
    QRY_RELATION_R = "qryRelationR"
    DEL_RELATION = "delRelation"
    DEL_RELATION_BATCH = "delRelationBatch"
    QRY_RL_BATCH = "qryRLBatch"
    QRY_RELATION_FILTER = "qryRelationFilter"
    QRY_SESSIONS_UNREAD = "qrySessionsUnread"
    ADD_RELATION = "addRelation"
    DEL_SESSIONS = "delSessions"
    QRY_SESSIONS = "qrySessions"
    UPD_RR_TIME = "updRRTime"

    # Conversation settings (operations 8).
    PULL_SE_ATTS = "pullSeAtts"
    SET_SE_ATT = "setSeAtt"
    ADD_TAG = "addTag"
    DEL_TAG = "delTag"
    ADD_SE_TAG = "addSeTag"
    DEL_SE_TAG = "delSeTag"
    DIS_TAG = "disTag"
    QRY_P_PUSH = "qryPPush"
    QRY_D_PUSH = "qryDPush"
    BLK_P_PUSH = "blkPPush"
    BLK_D_PUSH = "blkDPush"
    UNBLK_P_PUSH = "unblkPPush"
    UNBLK_D_PUSH = "unblkDPush"
    SET_TYPE_UNPUSH = "setTypeUnpush"
    ADD_UNPUSH = "addUnpush"
    DEL_UNPUSH = "delUnpush"
    QRY_UNPUSH = "qryUnpush"
    UG_UNPUSH_SET = "ugUnpushSet"
    UG_UNPUSH_QUERY = "ugUnpushQuery"
    TRANS_LAN = "transLan"
    AUTO_TRANS = "autoTrans"

    # Blacklist, presence, user settings (operations 9 to 11).
    ADD_BLACK = "addBlack"
    RM_BLACK = "rmBlack"
    GET_BLACK = "getBlack"
    BLACK_STAT = "blackStat"
    GET_USER_STATUS = "getUserStatus"
    SET_USER_STATUS = "setUserStatus"
    SUB_USER_STATUS = "subUserStatus"
    PULL_US = "pullUS"
    SET_OFFLINE_MSG_DUR = "setOfflineMsgDur"

    # Discussions and groups (operations 12 and 13).
    CR_DIZ = "crDiz"
    INVT_DIZ = "invtDiz"
    DIZ_INF = "dizInf"
    QUIT_DIZ = "quitDiz"
    EVCT_DIZ = "evctDiz"
    PD_OPEN = "pdOpen"
    RENAME = "rename"
    JOIN_GRP = "joinGrp"
    EXIT_GRP = "exitGrp"
    U_GCMPR = "uGcmpr"
    P_GRPS = "pGrps"
    USER_INF = "userInf"
    RR_MSG = "rrMsg"
    RR_LIST = "rrList"
    QRY_MSG_READ = "qryMsgRead"
    QRY_MSG_READ_CNT_BATCH = "qryMsgReadCntBatch"
    READ_RECEIPT = "readReceipt"
    QRY_RECEIPT_BATCH = "qryReceiptBatch"
    QRY_RECEIPT = "qryReceipt"

    # Chatrooms (operations 14).
    JOIN_CHRM = "joinChrm"
    JOIN_CHRM_R = "joinChrmR"
    EXIT_CHRM = "exitChrm"
    QUERY_CHRM_I = "queryChrmI"
    CREATE_CHRM = "createChrm"
    DESTROY_CHRM = "destroyChrm"
    QUERY_CHRM = "queryChrm"
    SET_RTC_ROOM_ID = "setRtcRoomId"
    SET_KV = "setKV"
    DEL_KV = "delKV"
    SET_KVS = "setKVS"
    DEL_KVS = "delKVS"
    PULL_KV = "pullKV"

    # Public services (operations 15).
    PULL_MP = "pullMp"
    SCH_MP = "schMp"
    MP_FOLLOW = "mpFollow"
    MC_FOLLOW = "mcFollow"
    MP_UN_FOLLOW = "mpUnFollow"
    MC_UN_FOLLOW = "mcUnFollow"

    # Files (operations 17).
    QN_TKN = "qnTkn"
    QN_URL = "qnUrl"
    ALI_URL = "aliUrl"
    S3_URL = "s3Url"
    STC_URL = "stcUrl"
    MINIO_URL = "minioUrl"

    # RTC (operations 18).
    RTC_R_JOIN_DATA = "rtcRJoin_data"
    RTC_R_EXIT = "rtcRExit"
    RTC_PING = "rtcPing"
    RTC_TOKEN = "rtcToken"
    RTC_USER_STATE = "rtcUserState"
    RTC_U_DATA = "rtcUData"
    RTC_U_LIST = "rtcUList"
    RTC_U_PUT = "rtcUPut"
    RTC_U_DEL = "rtcUDel"
    RTC_R_INFO = "rtcRInfo"
    RTC_R_PUT = "rtcRPut"
    RTC_R_DEL = "rtcRDel"
    RTC_SET_DATA = "rtcSetData"
    RTC_DEL_DATA = "rtcDelData"
    RTC_QRY_DATA = "rtcQryData"
    RTC_SET_OUT_DATA = "rtcSetOutData"
    RTC_QRY_USER_OUT_DATA = "rtcQryUserOutData"
    USER_SET_DATA = "userSetData"
    VIEWER_JOIN_R = "viewerJoinR"
    VIEWER_EXIT_R = "viewerExitR"
    RTC_IDENTITY_CHANGE = "rtcIdentityChange"
    RTC_PULL_KV = "rtcPullKv"
    RTC_QUERY_JOINED = "rtcQueryJoined"
    RTC_INVITE = "rtcInvite"
    RTC_CANCEL_INVITE = "rtcCancelInvite"
    RTC_INVITE_ANSWER = "rtcInviteAnswer"
    RTC_END_INVITE = "rtcEndInvite"
    QRY_VOIP_K = "qryVoipK"

    # Ultra groups (operations 19).
    PULL_UG_SES = "pullUgSes"
    PULL_UG_MSG = "pullUgMsg"
    QRY_MSG = "qryMsg"
    QRY_UG_UAL = "qryUgUal"

    # Subscriptions and profiles (sdk5 8.4).
    UPD_USER_SUB = "updUserSub"
    QRY_SUB_DATA = "qrySubData"
    PULL_USER_SUB = "pullUserSub"
    PULL_SUB_DATA = "pullSubData"
    UPD_USER_PROFILE = "updUserProfile"
    PULL_USER_PROFILE = "pullUserProfile"
    PULL_OWN_PROFILE = "pullOwnProfile"
    SEARCH_USER_PROFILE = "searchUserProfile"
    UPD_PROFILE_PERMISS = "updProfilePermiss"
    Q_PROFILE_PERMISS = "qProfilePermiss"
    Q_SIMPLE_USER_PROFILE = "qSimpleUserProfile"

    # Groups that clients manage (sdk5 8.5).
    CHANNEL_CREATE = "channelCreate"
    UP_CHANNEL_INFO = "upChannelInfo"
    Q_CHANNEL_INFO = "qChannelInfo"
    CHANNEL_MEM_KICK = "channelMemKick"
    CHANNEL_MEM_QUIT = "channelMemQuit"
    CHANNEL_DISMISS = "channelDismiss"
    CHANNEL_TRANSFER = "channelTransfer"
    UP_CHANNEL_MANAGER = "upChannelManager"
    UP_CHANNEL_FOLLOW = "upChannelFollow"
    Q_CHANNEL_MEM = "qChannelMem"
    Q_CHANNEL_SPE_MEM = "qChannelSpeMem"
    Q_CHANNEL_FOLLOW = "qChannelFollow"
    UP_CHANNEL_MEM = "upChannelMem"
    UP_CHANNEL_REMARK = "upChannelRemark"
    Q_CHANNEL_REMARK = "qChannelRemark"
    CHANNEL_MEM_JOIN = "channelMemJoin"
    CHANNEL_MEM_INVITE = "channelMemInvite"
    CHANNEL_APPLY_RESP = "channelApplyResp"
    Q_CHANNEL_APPLY_LIST = "qChannelApplyList"
    Q_CHANNEL_MEM_JOIN = "qChannelMemJoin"
    Q_CHANNEL_MEM_SPE_JOIN = "qChannelMemSpeJoin"

    # Friends (sdk5 8.5).
    FRIEND_ADD = "friendAdd"
    FRIEND_DEL = "friendDel"
    FRIEND_HANDLE = "friendHandle"
    FRIEND_SET_PF = "friendSetPf"
    FRIEND_CHECK = "friendCheck"
    FRIENDS_INFO_QRY = "friendsInfoQry"
    FRIENDS_QUERY = "friendsQuery"
    FRIEND_AUTH_SET = "friendAuthSet"
    FRIEND_AUTH_GET = "friendAuthGet"
    FRIEND_APPLY_DEL = "friendApplyDel"


class Direction(enum.Enum):
    """Who sends a topic."""

    CLIENT_TO_SERVER = "client to server"
    SERVER_TO_CLIENT = "server to client"
    BOTH = "client to server, and back to the user's other devices as a sync frame"
    """Sync frames: operations 3 and session 9.3."""


class Signal(enum.Enum):
    """Which frame carries a topic."""

    PUBLISH = "PUBLISH"
    QUERY = "QUERY"


class Target(enum.Enum):
    """Whose id stands in the frame's ``target_id``."""

    SELF = "the caller"
    RECEIVER = "the user it is sent to"
    PEER = "the other user of a private conversation"
    OTHER_USER = "the user whom the request is about"
    CUSTOMER = "the customer who is being served"
    GROUP = "the group"
    DISCUSSION = "the discussion"
    ROOM = "the chatroom or RTC room"
    SERVICE = "the public service, customer service or system account"
    CONVERSATION = "the target of the conversation, whatever its type"


class Area(enum.Enum):
    """Which part of a server an operation belongs to."""

    CORE = "core"
    GROUP = "group"
    DISCUSSION = "discussion"
    CHATROOM = "chatroom"
    PUBLIC = "public service"
    CUSTOMER = "customer service"
    RTC = "RTC"
    SETTINGS = "settings"
    ULTRA = "ultra group"
    FILES = "files"
    SUBSCRIPTIONS = "subscriptions"
    PROFILES = "profiles"
    MANAGED = "groups managed by clients"
    FRIENDS = "friends"


class Kind(enum.Enum):
    """Variant of a message topic: the letter at its end (operations 2).

    STORED and NO_PUSH are treated alike, and whether their messages are stored is said by the
    flags inside (messages 3.1). STATUS messages are never stored, whatever their flags.
    """

    STORED = "P"
    NO_PUSH = "N"
    STATUS = "S"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the table: all that is known about a topic on one signal."""

    topic: Topic
    signal: Signal
    direction: Direction
    area: Area
    meaning: str
    """One line for a person."""
    target: Target | None
    """What the newest SDKs put into the frame; None if nobody has seen it. Where the payload
    names a target as well, go by the payload (operations 1)."""
    target_sdk253: Target | None = None
    """What SDK 2.5.3 puts there, if that is something else."""
    qos: int
    """What SDKs 2.9.2 and 4.6.4 send, 0 or 1; SDK 5 sends every QUERY with 0 (sdk5 3)."""
    qos_sdk253: int | None = None
    """What SDK 2.5.3 sends, if that is something else."""
    request: type[Message] | None
    """The payload of the request; None if there is none, or none is known."""
    request_aliases: tuple[type[Message], ...] = ()
    """Other messages that some SDK sends in its place, alike in the fields that matter."""
    reply: type[Message] | None = None
    """The payload of the QUERYACK; None if the status says it all. Always None for PUBLISH."""
    reply_aliases: tuple[type[Message], ...] = ()
    """Other messages that some SDK expects in its place, with the same fields in front."""
    reply_optional: bool = False
    """A QUERYACK without payload will do too. Otherwise some SDK fails without it."""
    conversation: ConversationType | None = None
    """For topics of one type of conversation: messages, history, clearing."""
    kind: Kind | None = None
    """For message topics only."""
    errors: tuple[ErrorCode, ...] = ()
    """Statuses of its own, beside :data:`improto.operations.GENERAL_ERRORS`."""
    sdks: tuple[str, ...]
    """Versions of the SDKs that send it, or read it if the server sends; empty if it is only
    declared in them."""
