"""The numbers of the protocol, each with a name and a meaning.

Rules:

* Names are those of the wire and the SDKs, with their misspellings, so that a number
  found here is found in an application's log too. Where the SDKs disagree about a
  number, the name is that of SDK 4.6.4 and the meaning mentions the other (codes 7).
* Frames and payloads carry plain ints, because peers send numbers nobody has listed.
  ``ErrorCode(number)`` raises ValueError for those; :func:`describe` never does.
* Every member has a ``meaning``: one line for a person.
"""

from __future__ import annotations

import enum
from typing import Self


class _Code(enum.IntEnum):
    """A number with a name and a meaning, written ``NAME = number, "meaning"``."""

    meaning: str

    def __new__(cls, value: int, meaning: str = "") -> Self:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


def describe(code: int) -> str:
    """Name, number and meaning, for logs and error texts.

    A member of an enumeration of this module describes itself; any other number is looked up in
    :class:`ErrorCode`.
    """
    if not isinstance(code, _Code):
        try:
            code = ErrorCode(code)
        except ValueError:
            return f"unknown code {code}"
    return f"{code.name} ({code.value}): {code.meaning}"


# --- Connections ------------------------------------------------------------------------------


class ConnectionStatus(_Code):
    """State of a connection as SDKs show it to applications; never on the wire (codes 1)."""

    CONNECTED = 0, "the server accepted the connection"
    CONNECTING = 1, "looking for a host or connecting to it"
    DISCONNECTED = 2, "closed by the application, or about to report a final state"
    NETWORK_UNAVAILABLE = 3, "connection lost, heartbeat unanswered or no host reachable"
    CONNECTION_CLOSED = 4, "the server logged the user out, or the socket closed"
    KICKED_OFFLINE_BY_OTHER_CLIENT = 6, "replaced by a newer connection of the same user"
    WEBSOCKET_UNAVAILABLE = 7, "no WebSocket; long polling or another attempt follows"
    WEBSOCKET_ERROR = 8, "the WebSocket reported an error"
    BLOCKED = 9, "the user is banned"
    DOMAIN_INCORRECT = 12, "this web origin is not allowed; BLOCKED in SDK 4.6.4's public table"
    DISCONNECT_BY_SERVER = 13, "closed by the server: do not come back"
    REDIRECT = 14, "the server asks to look for another host"
    APPKEY_IS_FAKE = 20, "navigation does not know the app key"
    REQUEST_NAVI = 201, "navigation asked"
    RESPONSE_NAVI = 202, "navigation answered"
    RESPONSE_NAVI_ERROR = 203, "navigation failed"
    RESPONSE_NAVI_TIMEOUT = 204, "navigation did not answer in time"
    ULTRALIMIT = 1101, "replaced by other connections more than five times"


class ConnAckStatus(_Code):
    """Status of a CONNACK (codes 2). 14, 15 and 19 and above are unknown to every SDK."""

    ACCEPTED = 0, "token good"
    UNACCEPTABLE_PROTOCOL_VERSION = 1, "protocol version is neither 3 nor 4"
    IDENTIFIER_REJECTED = 2, "app key unknown"
    SERVER_UNAVAILABLE = 3, "overloaded, shutting down, or platform not enabled for the app"
    TOKEN_INCORRECT = 4, "token unknown, malformed or of another app"
    NOT_AUTHORIZED = 5, "app key and token do not match"
    REDIRECT = 6, "ask navigation again"
    PACKAGE_ERROR = 7, "package name wrong; never for the web"
    APP_BLOCK_OR_DELETE = 8, "app blocked or deleted"
    BLOCK = 9, "user banned"
    TOKEN_EXPIRE = 10, "token expired; understood from SDK 4 on"
    DEVICE_ERROR = 11, "device id bad; never for the web"
    HOSTNAME_ERROR = 12, "web origin not on the app's list"
    HASOHTERSAMECLIENTONLINE = 13, "another client is online and the first one stays"
    LICENSE_COUNT = 14, "too many connections for the licence, SDK 5"
    WRONG_CLUSTER = 15, "another cluster, SDK 5"
    APP_AUTH_NOT_PASS = 16, "app not authorised"
    OTP_USED = 17, "one-time token used before"
    PLATFORM_ERROR = 18, "platform not allowed"
    ACCOUNT_CANCELLED = 19, "account cancelled, SDK 5"
    LICENSE_EXPIRED = 20, "licence expired, SDK 5"


class DisconnectStatus(_Code):
    """Status of a DISCONNECT (codes 3)."""

    REDIRECT = 0, "ask navigation again; clients loop on it"
    OTHER_DEVICE_LOGIN = 1, "replaced by a newer connection"
    BLOCK = 2, "user banned or app blocked while online"
    REMOTE_CLOSE = 3, "token revoked or closed by an administrator: do not come back"
    LOGOUT = 4, "logged out"
    BLOCK_NEW = 5, "like BLOCK, from newer servers"
    REDIRECT_NEW = 6, "like REDIRECT, from newer servers; SDK 2.5.3 throws"


# --- Errors -----------------------------------------------------------------------------------


class ErrorCode(_Code):
    """What applications see when something fails (codes 5 and 6).

    Numbers from 405 to 26001, and a few above, are statuses of PUBACK and QUERYACK; the rest are
    made by the client. A server must never send 1 to 99 (codes 4) nor negative numbers.
    """

    SUCCESS = 0, "no error"

    # Made by the client.
    TIMEOUT = -1, "no answer within 30 s"
    UNKNOWN = -2, "answer could not be decoded, or an internal error"
    PARAMETER_ERROR = -3, "bad argument"
    EXTRA_METHOD_UNDEFINED = -4, "extension missing"
    MAIN_PROCESS_ERROR = -5, "main process of the desktop build failed"
    PARAMETER_CHANGED = -6, "parameter changed"

    # Why a call ended, inside call messages.
    CANCEL = 1, "call cancelled on this side"
    REJECT = 2, "call rejected on this side"
    HANGUP = 3, "call hung up on this side"
    BUSYLINE = 4, "busy on this side"
    NO_RESPONSE = 5, "no response on this side"
    ENGINE_UN_SUPPORTED = 6, "call engine not supported on this side"
    NETWORK_ERROR = 7, "network error on this side"
    REMOTE_CANCEL = 11, "call cancelled by the other side"
    REMOTE_REJECT = 12, "call rejected by the other side"
    REMOTE_HANGUP = 13, "call hung up by the other side"
    REMOTE_BUSYLINE = 14, "the other side is busy"
    REMOTE_NO_RESPONSE = 15, "the other side does not respond"
    REMOTE_ENGINE_UN_SUPPORTED = 16, "call engine not supported on the other side"
    REMOTE_NETWORK_ERROR = 17, "network error on the other side"
    VOIP_NOT_AVALIABLE = 18, "calls are not available"

    # Sending, discussions, groups.
    REJECTED_BY_BLACKLIST = 405, "the receiver has blocked the sender"
    NOTIFICATION_TYPE_ERROR = 8001, "no such setting for this conversation type; nameless in SDKs"
    FORBIDDEN_IN_PRIVATE = 20106, "muted in private conversations"
    SYS_CONVERSATION_NOT_SUPPORT_MESSAGE = 20109, "system accounts take no such messages"
    DANGEROUS_CONTENT = 20112, "content refused by the word filter"
    CONTENT_REVIEW_REJECTED = 20113, "content refused by a review"
    MESSAGE_OVER_MODIFY_TIME_FAIL = 20114, "edit: too late"
    MESSAGE_SIZE_EXCEEDED = 20115, "content too large"
    MESSAGE_UNSUPPORTED_MODIFY = 20116, "edit: not this kind of message"
    RC_MSG_UNAUTHORIZED = 20406, "not allowed, or muted in the whole app"
    RC_DISCUSSION_GROUP_ID_INVALID = 20407, "group or discussion id missing or malformed"
    SEND_FREQUENCY_TOO_FAST = 20604, "too many messages or requests per second"
    OPERATION_BLOCKED = 20605, "switched off by the operator"
    OPERATION_NOT_SUPPORT = 20606, "not supported; 39002 says the same"
    REQUEST_OVER_FREQUENCY = 20607, "too many requests per second"
    NOT_IN_DISCUSSION = 21406, "not a member of the discussion"
    JOIN_IN_DISCUSSION = 21407, "could not join the discussion"
    CREATE_DISCUSSION = 21408, "could not create the discussion"
    INVITE_DICUSSION = 21409, "the discussion is closed and the caller not its owner"
    SENSITIVE_SHIELD = 21501, "refused by the word filter"
    SENSITIVE_REPLACE = 21502, "delivered, with words replaced by the word filter"
    MESSAGE_EXPAND_NOT_EXIST = 22201, "expansion: no such message"
    MESSAGE_EXPAND_NOT_SUPPORT = 22202, "expansion: the message takes none"
    MESSAGE_EXPAND_FORMAT_ERROR = 22203, "expansion: malformed"
    MESSAGE_EXPAND_NOT_AUTHORIZED = 22204, "expansion: not allowed"
    NOT_IN_GROUP = 22406, "not a member of the group, or no such group"
    FORBIDDEN_IN_GROUP = 22408, "muted in the group"

    # Chatrooms.
    NOT_IN_CHATROOM = 23406, "not in the room"
    GET_USERINFO_ERROR = 23407, "user information failed"
    FORBIDDEN_IN_CHATROOM = 23408, "muted in the room"
    RC_CHATROOM_USER_KICKED = 23409, "removed from the room and banned"
    RC_CHATROOM_NOT_EXIST = 23410, "no such room"
    RC_CHATROOM_IS_FULL = 23411, "the room is full"
    RC_CHATROOM_PATAMETER_INVALID = 23412, "room id empty or malformed, or count out of range"
    CHATROOM_GET_HISTORYMSG_ERROR = 23413, "history of the room failed"
    CHATROOM_NOT_OPEN_HISTORYMSG_STORE = 23414, "history of rooms is not switched on"
    CHATROOM_KV_EXCEED = 23423, "too many keys in the room"
    CHATROOM_KV_OVERWRITE_INVALID = 23424, "the key belongs to another user"
    CHATROOM_KV_STORE_NOT_OPEN = 23426, "the key-value store is switched off"
    CHATROOM_KEY_NOT_EXIST = 23427, "no such key"
    CHATROOM_KV_STORE_NOT_ALL_SUCCESS = 23428, "some keys failed; errorKeys lists them"
    CHATROOM_KV_STORE_OUT_LIMIT = 23429, "too many keys in one request"
    CHATROOM_KV_SET_ERROR = 23431, "this key could not be set"

    # Calls, and the internal error of everything.
    HAVNODEVICEID = 24001, "call engine: no device"
    DEVICEIDISHAVE = 24002, "call engine: device exists"
    FEILD = 24009, "call engine: no such user or token"
    NOENGINETYPE = 24010, "call engine not supported"
    NULLCHANNELNAME = 24011, "channel name empty"
    VOIPDYANMICERROR = 24012, "call key could not be made"
    VOIPISNULL = 24013, "call data empty"
    NOVOIP = 24014, "calls are not configured"
    INTERNALERRROR = 24015, "internal error of the server"
    VOIPCLOSE = 24016, "calls are switched off"
    RC_USER_PROFILE_KEY_NOT_ALLOW_SDK_SET = 24360, "profile: clients may not set this key"
    RC_USER_PROFILE_KEY_NOT_EXIST = 24361, "profile: no such basic key"
    RC_USER_PROFILE_EXT_KEY_NOT_EXIST = 24362, "profile: no such extended key"
    RC_USER_PROFILE_EXT_KV_COUNT_EXCEED_LIMIT = 24363, "profile: too many extended keys"
    RC_USER_PROFILE_VALUE_LENGTH_EXCEED_LIMIT = 24364, "profile: value too long"
    RC_USER_PROFILE_QUERY_COUNT_EXCEED_LIMIT = 24365, "profile: too many users in one request"
    RC_USER_PROFILE_USER_NOT_EXIST = 24366, "profile: no such user"
    RC_USER_PROFILE_VALUE_CAN_ONLY_BE_NUMBERS = 24367, "profile: the value must be a number"
    RC_USER_PROFILE_VALUE_EXCEED_RANGE = 24368, "profile: value out of range"
    RC_USER_PROFILE_SERVICE_UNAVAILABLE = 24369, "profiles are switched off"

    # Recall, history, push.
    RECALL_MESSAGE = 25101, "recall: message unknown, too old or of somebody else"
    ROAMING_SERVICE_UNAVAILABLE_MESSAGE = 25102, "history is not switched on; 33007 says the same"
    RC_ENTRUST_SERVER_ERROR = 25402, "groups and friends: internal error"
    RC_ENTRUST_SERVER_PARAMETER_ERROR = 25403, "groups and friends: bad parameter"
    RC_GROUP_ILLEGAL_ERROR = 25404, "group: for its owner only"
    RC_GROUP_AUTHORITY_ERROR = 25405, "group: no right to do this"
    RC_GROUP_PARAMETER_LENGTH_EXCEED_LIMIT = 25406, "group: text too long"
    RC_GROUP_PARAMETER_FORMAT_ERROR = 25407, "group: characters that are not allowed"
    RC_GROUP_PARAMETER_VALUE_CAN_ONLY_BE_NUMBERS = 25408, "group: the value must be a number"
    RC_GROUP_ID_ALREADY_EXIST = 25409, "group: the id is taken"
    RC_GROUP_ID_NOT_EXIST = 25410, "group: no such group"
    RC_GROUP_MEMBERS_COUNT_EXCEED_LIMIT = 25411, "group: too many members"
    RC_GROUP_MEMBERS_ALREADY_IN_GROUP = 25412, "group: a member already"
    RC_GROUP_NOT_ALLOW_SDK_OPERATION = 25413, "group: not for clients"
    RC_GROUP_NOT_ALLOW_JOIN = 25414, "group: nobody may join"
    RC_GROUP_EXT_KEY_NOT_EXIST = 25415, "group: no such extended key"
    RC_GROUP_REQUEST_OVERFREQUENCY = 25416, "group: too many requests per second"
    RC_GROUP_OWNER_NOT_ALLOW_QUIT_OR_KICK = 25417, "group: not possible for its owner"
    RC_GROUP_USER_NOT_IN_GROUP = 25418, "group: no member"
    RC_GROUP_USER_IS_NOT_MANAGER_IN_GROUP = 25420, "group: no manager"
    RC_GROUP_APPLICATION_NOT_EXIST = 25421, "group: no such application or invitation"
    RC_GROUP_QUERY_GROUP_COUNT_EXCEED_LIMIT = 25422, "group: too many groups in one request"
    RC_GROUP_NAME_INVALID = 25423, "group: name empty or malformed"
    RC_GROUP_JOIN_GROUP_NEED_MANAGER_ACCEPT = 25424, "group: a manager has to agree"
    RC_GROUP_OWNER_NOT_ALLOW_BE_MANAGER = 25425, "group: its owner cannot be a manager"
    RC_GROUP_NO_INVITE_PERMISSION = 25426, "group: no right to invite"
    RC_GROUP_NEED_INVITEE_ACCEPT = 25427, "group: those invited have to agree"
    RC_GROUP_APPLICATION_ALREADY_HANDLE = 25428, "group: decided by somebody else"
    RC_GROUP_OLD_GROUP_NOT_ENTRUST = 25429, "group: managed by the application"
    RC_GROUP_ID_INVALID = 25430, "group: id malformed"
    RC_PAGE_TOKEN_PARSING_FAILED = 25432, "page token unreadable"
    RC_FRIEND_ALREADY_FRIEND = 25460, "friend already"
    RC_FRIEND_NEED_ACCEPT = 25461, "friend: the other one has to agree"
    RC_FRIEND_IN_OTHER_BLACK_LIST = 25462, "friend: on the other one's blacklist"
    RC_FRIEND_NOT_IN_OTHER_WHITE_LIST = 25463, "friend: not on the other one's whitelist"
    RC_FRIEND_IN_MY_BLACK_LIST = 25464, "friend: on the caller's blacklist"
    RC_FRIEND_NOT_IN_MY_WHITE_LIST = 25465, "friend: not on the caller's whitelist"
    RC_FRIEND_APPLICATION_NOT_EXIST = 25466, "friend: no such application, or expired"
    RC_FRIEND_MY_FRIEND_COUNT_EXCEED_LIMIT = 25467, "friend: the caller has too many"
    RC_FRIEND_OTHER_FRIEND_COUNT_EXCEED_LIMIT = 25468, "friend: the other one has too many"
    RC_FRIEND_NOT_FRIEND = 25469, "not a friend"
    RC_FRIEND_FIELDS_LENGTH_EXCEED_LIMIT = 25470, "friend: remark or extended value too long"
    RC_FRIEND_OTHER_NOT_ALLOW_ADD_FRIEND = 25471, "friend: the other one takes none"
    RC_FRIEND_NOT_EXIST = 25472, "friend: no such user"
    RC_FRIEND_NOT_ALLOW_ADD_SELF = 25473, "friend: not oneself"
    RC_FRIEND_NOT_SUPPORT_ROBOT = 25474, "friend: not a robot"
    SERVICE_INFORMATION_AUDIT_FAILED = 25480, "profile or group refused by a review"
    RC_GROUP_MANAGER_OR_FOLLOW_COUNT_EXCEED_LIMIT = (
        25419,
        "group: too many managers or followed members",
    )
    PUSHSETTING_PARAMETER_INVALID = 26001, "push parameter invalid"
    USER_SETTING_SYNCED_ERROR = 26002, "settings: the version is not the newest"
    CONVERSATION_TAG_OVERSIZE = 26004, "too many tags, 20 at most"
    RC_READ_RECEIPT_V4_INVALID = 26005, "receipts of version 4 are switched off"
    RC_SERVER_DRIVE_UNREAD_COUNT_INVALID = 26006, "the server does not count what is unread"
    RC_SERVER_PARAMETER_MESSAGEUIDS_CONFUSED = 26007, "message ids in the wrong order"
    RC_SERVER_PARAMETER_MESSAGEUID_INVALID = 26009, "message id malformed"
    RC_SERVER_PARAMETER_INVALID = 26010, "receipts: bad parameter"
    RC_SUBSCRIBE_ONLINE_SERVICE_UNAVAILABLE = 26020, "subscriptions are switched off"
    RC_BESUBSCRIBED_USERIDS_COUNT_EXCEED_LIMIT = 26021, "a user has too many subscribers"
    RC_SUBSCRIBED_USERIDS_EXCEED_LIMIT = 26022, "subscribed to too many users"
    RC_FILE_SIZE_EXCEED_LIMIT = 26106, "file too large"
    INVALID_PARAMETER_SIZE_NOT_FOUND = 26107, "the size of the file is missing"
    SERVICE_RRSV5_UNAVAILABLE = 26314, "receipts of version 5 are switched off"
    SERVICE_RRSV5_READ_RECEIPT_NOT_SUPPORT = 26315, "receipts: no such way to read"
    SERVICE_RRSV5_PARAM_LENGTH_EXCEED = 26316, "receipts: too many messages or users"
    SERVICE_RRSV5_CONVERSATION_NOT_SUPPORT = 26317, "receipts: not in this type of conversation"
    SERVICE_RRSV5_QUERY_NOT_SUPPORT = 26318, "receipts: no such question"
    SERVICE_RRSV5_MESSAGE_SENDER_MISMATCH = 26320, "receipts: not the sender of the message"
    SERVICE_RRSV5_MESSAGE_RECEIPT_NEEDLESS = 26321, "receipts: the message wants none"
    SERVICE_RRSV5_MESSAGE_NOT_EXIST = 26322, "receipts: no such message"

    # Network of the client.
    RC_NET_CHANNEL_INVALID = 30001, "not connected"
    RC_NET_UNAVAILABLE = 30002, "no host reached; in SDK 2.9.2 every refused CONNACK"
    RC_MSG_RESP_TIMEOUT = 30003, "message not answered"
    RC_HTTP_SEND_FAIL = 30004, "HTTP request not sent"
    RC_HTTP_REQ_TIMEOUT = 30005, "HTTP request timed out"
    RC_HTTP_RECV_FAIL = 30006, "HTTP answer not received"
    RC_NAVI_RESOURCE_ERROR = 30007, "navigation failed"
    RC_NODE_NOT_FOUND = 30008, "navigation named no host"
    RC_DOMAIN_NOT_RESOLVE = 30009, "navigation named no usable address"
    RC_SOCKET_NOT_CREATED = 30010, "no socket; in SDK 4.6.4 the host probe failed"
    RC_SOCKET_DISCONNECTED = 30011, "socket lost"
    RC_PING_SEND_FAIL = 30012, "heartbeat not sent"
    RC_PONG_RECV_FAIL = 30013, "heartbeat not answered"
    RC_MSG_SEND_FAIL = 30014, "message not sent"
    RC_MSG_CONTENT_EXCEED_LIMIT = 30016, "content above 131072 bytes"

    # Login as the client reports it: CONNACK status + 31000, then later additions.
    RC_CONN_ACK_TIMEOUT = 31000, "login not answered"
    RC_CONN_PROTO_VERSION_ERROR = 31001, "CONNACK 1: protocol version"
    RC_CONN_ID_REJECT = 31002, "CONNACK 2: app key unknown"
    RC_CONN_SERVER_UNAVAILABLE = 31003, "CONNACK 3: server unavailable"
    RC_CONN_USER_OR_PASSWD_ERROR = 31004, "CONNACK 4 and 10: token wrong or expired"
    RC_CONN_NOT_AUTHRORIZED = 31005, "CONNACK 5: app key and token do not match"
    RC_CONN_REDIRECTED = 31006, "CONNACK 6: ask navigation again"
    RC_CONN_PACKAGE_NAME_INVALID = 31007, "CONNACK 7: package name"
    RC_CONN_APP_BLOCKED_OR_DELETED = 31008, "CONNACK 8: app blocked or deleted"
    RC_CONN_USER_BLOCKED = 31009, "CONNACK 9: user banned"
    RC_DISCONN_KICK = 31010, "disconnected by the server, for instance by a newer login"
    RC_DISCONN_EXCEPTION = 31011, "disconnected by an error of the server"
    CONN_DOMAIN_INCORRECT = 31012, "web origin not on the app's list"
    RC_CONN_TOKEN_EXPIRED = 31020, "CONNACK 10: token expired, SDK 5"
    RC_CONN_DEVICE_ERROR = 31021, "CONNACK 11: device id, SDK 5"
    RC_CONN_HOSTNAME_ERROR = 31022, "CONNACK 12: web origin not on the app's list, SDK 5"
    RC_DISCONN_SAME_CLIENT_ON_LINE = 31023, "CONNACK 13: another client is online, SDK 5"
    RC_LISCENSE_COUNT_OUT_OF_LIMIT = 31024, "CONNACK 14: too many connections for the licence"
    RC_CONN_WRONG_CLUSTER = 31025, "CONNACK 15: another cluster"
    RC_APP_AUTH_NOT_PASS = 31026, "CONNACK 16: app not authorised"
    RC_OTP_USED = 31027, "CONNACK 17: one-time token used before"
    RC_PLATFORM_ERROR = 31028, "CONNACK 18: platform not allowed"
    RC_ACCOUNT_CANCELLATION = 31029, "CONNACK 19: account cancelled"
    RC_LICENSE_EXPIRED = 31030, "CONNACK 20: licence expired"
    RC_QUERY_ACK_NO_DATA = 32001, "answer without data"
    RC_MSG_DATA_INCOMPLETE = 32002, "message incomplete"

    # Requests.
    BIZ_ERROR_CLIENT_NOT_INIT = 33001, "client not initialised"
    BIZ_ERROR_DATABASE_ERROR = 33002, "client database failed"
    BIZ_ERROR_INVALID_PARAMETER = 33003, "payload does not parse, or a bad parameter"
    BIZ_ERROR_NO_CHANNEL = 33004, "no channel"
    BIZ_ERROR_RECONNECT_SUCCESS = 33005, "reconnected"
    BIZ_ERROR_CONNECTING = 33006, "already connecting"
    MSG_ROAMING_SERVICE_UNAVAILABLE = 33007, "history is not switched on"
    MSG_INSERT_ERROR = 33008, "message not stored by the desktop build"
    MSG_DEL_ERROR = 33009, "message not deleted by the desktop build"
    TAG_NOT_EXIST = 33100, "no such tag; SDK 2.9.2 expects 33101"
    TAG_EXISTS = 33101, "tag exists; TAG_NOT_EXIST in SDK 2.9.2"
    NO_TAG_IN_CONVER = 33102, "the conversation does not have this tag"
    MODIFIED_MESSAGE_IS_NOT_SENT = 33401, "edit: not sent by the caller, found by the client"
    MODIFIED_MESSAGE_TIMEOUT = 33402, "edit: too late, found by the client"
    CONVER_REMOVE_ERROR = 34001, "conversation not removed; also RC_CONNECTION_EXIST"
    CONVER_GETLIST_ERROR = 34002, "conversation list failed"
    CONVER_SETOP_ERROR = 34003, "conversation not put on top"
    CONVER_TOTAL_UNREAD_ERROR = 34004, "total of unread messages failed"
    CONVER_TYPE_UNREAD_ERROR = 34005, "unread messages of a type failed"
    CONVER_ID_TYPE_UNREAD_ERROR = 34006, "unread messages of a conversation failed"
    CONVER_CLEAR_ERROR = 34007, "conversations not cleared"
    MESSAGE_KV_NOT_SUPPORT = 34008, "message not expandable; CLEAR_HIS_TYPE_ERROR in SDK 2.5.3"
    SEND_MESSAGE_KV_FAIL = 34009, "expansion not sent; CONVER_GET_ERROR before SDK 4.6.4"
    EXPANSION_LIMIT_EXCEET = 34010, "too many expansion keys; CLEAR_HIS_ERROR in SDK 2.5.3"
    CLEAR_HIS_TIME_ERROR = 34011, "time before 0 or later than now"
    CONVER_OUT_LIMIT_ERROR = 34013, "too many conversations in one call"
    GROUP_SYNC_ERROR = 35001, "groups not synchronised"
    GROUP_MATCH_ERROR = 35002, "groups not compared"
    READ_RECEIPT_ERROR = 35003, "read receipts of the other scheme are in use"
    PACKAGE_ENVIRONMENT_ERROR = 35006, "navigation is of another environment"
    CAN_NOT_RECONNECT = 35007, "reconnect() while connected"
    SERVER_UNAVAILABLE = 35008, "CONNACK 3: server unavailable"
    HOSTNAME_ERROR = 35009, "CONNACK 12: web origin not on the app's list"
    HAS_OHTER_SAME_CLIENT_ON_LINE = 35010, "CONNACK 13: another client is online"
    METHOD_NOT_AVAILABLE = 35011, "method not available"
    METHOD_NOT_SUPPORT = 35012, "method not supported"
    MSG_LIMIT_ERROR = 35013, "message limit reached"
    METHOD_ONLY_SUPPORT_ULTRA_GROUP = 35014, "method for ultra groups only"
    UPLOAD_FILE_FAILED = 35020, "upload failed"
    CONVER_GET_ERROR = 35021, "conversation not found; 34009 before SDK 4.6.4"
    CHATROOM_ID_ISNULL = 36001, "room id empty"
    CHARTOOM_JOIN_ERROR = 36002, "room not joined"
    CHATROOM_HISMESSAGE_ERROR = 36003, "history of the room failed"
    CHATROOM_KV_NOT_FOUND = 36004, "no such key, found by the client"
    BLACK_ADD_ERROR = 37001, "user not added to the blacklist"
    BLACK_GETSTATUS_ERROR = 37002, "blacklist not asked"
    BLACK_REMOVE_ERROR = 37003, "user not removed from the blacklist"
    DRAF_GET_ERROR = 38001, "draft not read"
    DRAF_SAVE_ERROR = 38002, "draft not saved"
    DRAF_REMOVE_ERROR = 38003, "draft not removed"
    SUBSCRIBE_ERROR = 39001, "public service not followed"
    NOT_SUPPORT = 39002, "topic unknown or switched off"
    QNTKN_FILETYPE_ERROR = 41001, "file type unknown"
    QNTKN_GET_ERROR = 41002, "no storage, hence no ticket"
    COOKIE_ENABLE = 51001, "cookies are off; also CLOSE_BEFORE_OPEN"
    ALREADY_IN_USE = 51002, "call: already in use"
    INVALID_CHANNEL_NAME = 51003, "call: bad channel name"
    VIDEO_CONTAINER_IS_NULL = 51004, "call: nowhere to show the video"
    GET_MESSAGE_BY_ID_ERROR = 61001, "message not found; also DELETE_MESSAGE_ID_IS_NULL"


# --- Conversations and messages ---------------------------------------------------------------


class ConversationType(_Code):
    """What a conversation is (messages 1); ChannelType in the schema."""

    PRIVATE = 1, "with one other user"
    DISCUSSION = 2, "with users who invite each other"
    GROUP = 3, "with a group that the application manages"
    CHATROOM = 4, "a room that forgets its members and, soon, its messages"
    CUSTOMER_SERVICE = 5, "with a customer service"
    SYSTEM = 6, "notices of a system account"
    APP_PUBLIC_SERVICE = 7, "with a public service that all follow by default"
    PUBLIC_SERVICE = 8, "with a public service that the user follows by choice"
    ULTRA_GROUP = 10, "with a group that has channels, SDK 4.6.4"
    RTC_ROOM = 12, "a room for calls and live streams"


class MentionType(_Code):
    """Whom ``mentionedInfo`` of a content mentions (codes 8)."""

    ALL = 1, "everybody in the conversation"
    SOME = 2, "the users on its list"


class HistoryOrder(_Code):
    """``order`` of HistoryMsgInput and of conversation lists (operations 5, sdk5 8.1)."""

    NEWEST_FIRST = 0, "messages before the given time"
    OLDEST_FIRST = 1, "messages after the given time"


class NotifyType(_Code):
    """``type`` of a NotifyMsg on topic ``s_ntf``; any other number means INBOX (session 8.1)."""

    INBOX = 1, "pull the inbox"
    CHATROOM = 2, "pull the room"


class CommandType(_Code):
    """``type`` of a NotifyMsg on topic ``s_cmd`` (operations 3)."""

    CHATROOM_KV = 2, "keys of a room have changed"
    CONVERSATION_SETTINGS = 3, "settings of conversations have changed"
    CHATROOM_DESTROYED = 4, "a room is gone"
    ULTRA_GROUP_MESSAGES = 6, "messages in ultra groups"
    ULTRA_GROUP_CHANGES = 7, "edited messages in ultra groups"
    OWN_PROFILE = 10, "the user's own profile, SDK 5"
    EVENTS = 11, "events of groups, friends or receipts, SDK 5"
    EDITS = 12, "edited messages, SDK 5"
    UNREAD = 13, "unread counts that the server keeps, SDK 5"


class MessageChangeType(_Code):
    """``changeType`` of a MsgChange, in ultra groups."""

    EXPANSION = 1, "expansion changed"
    EDITED = 2, "content edited"
    RECALLED = 3, "recalled"


# --- Settings ---------------------------------------------------------------------------------


class SessionStateType(_Code):
    """Which setting of a conversation a SessionStateItem carries (operations 8)."""

    IS_SILENT = 1, 'muted: "1" or "0"'
    IS_TOP = 2, 'kept on top of the list: "1" or "0"'
    TAGS = 3, "its tags"
    AUTO_TRANSLATE = 4, "whether it is translated, SDK 5"


class NotificationStatus(_Code):
    """Mute setting as SDK 2.5.3 shows it (codes 8)."""

    DO_NOT_DISTURB = 0, "muted"
    NOTIFY = 1, "not muted"


class MuteStatus(_Code):
    """Mute setting as the newer SDKs show it (codes 8)."""

    OPEN = 1, "muted"
    CLOSE = 2, "not muted"


class UserSettingStatus(_Code):
    """``status`` of a UserSettingItem (codes 8)."""

    ADDED = 1, "new"
    UPDATED = 2, "changed"
    REMOVED = 3, "gone"


class BlacklistStatus(_Code):
    """Answer to ``blackStat`` as SDK 2.5.3 documents it; see codes 4 for what to send."""

    IN_BLACK_LIST = 0, "blocked"
    NOT_IN_BLACK_LIST = 1, "not blocked"


# --- Groups, discussions, chatrooms -----------------------------------------------------------


class OpenStatus(_Code):
    """``openStatus`` of a discussion (operations 12)."""

    OPEN = 0, "every member may invite"
    CLOSED = 1, "only the owner may invite"


class GroupHashType(_Code):
    """Whether the group lists of client and server are the same; declared only."""

    SUCCESS = 0, "the same"
    FAILURE = 1, "different"


class MemberOrder(_Code):
    """``order`` of QueryChatroomInfoInput (operations 14)."""

    NONE = 0, "no members, only their number"
    ASCENDING = 1, "those who joined first"
    DESCENDING = 2, "those who joined last"


class KvOperation(_Code):
    """What a message about the key-value store of a room reports (codes 8)."""

    UPDATE = 1, "key set"
    DELETE = 2, "key deleted"


# --- Transports and files ---------------------------------------------------------------------


class Channel(_Code):
    """Which transport a client uses (codes 8)."""

    XHR_POLLING = 0, "long polling"
    WEBSOCKET = 1, "WebSocket"


class FileType(_Code):
    """``type`` of a request for an upload ticket or a download link (operations 17)."""

    IMAGE = 1, "picture"
    AUDIO = 2, "sound"
    VIDEO = 3, "video"
    FILE = 4, "anything else"
    SIGHT = 5, "short video, newer SDKs"
    COMBINE_HTML = 6, "forwarded messages as a page, newer SDKs"


class UploadProvider(_Code):
    """Where a file is stored, and hence which topic gives its link (operations 17)."""

    QINIU = 1, "topic qnUrl"
    ALI = 2, "topic aliUrl"
    S3 = 3, "topic s3Url"
    STC = 4, "topic stcUrl"


# --- Calls ------------------------------------------------------------------------------------


class MediaType(_Code):
    """What a call carries (codes 8)."""

    AUDIO = 1, "sound"
    VIDEO = 2, "sound and picture"


class RtcRoomType(_Code):
    """``roomType`` of an RtcInput (codes 8)."""

    RTC = 0, "call or meeting"
    LIVE = 2, "live stream"


class RtcTargetType(_Code):
    """Whose data an RTC request is about (operations 18)."""

    ROOM = 1, "the room's"
    PERSON = 2, "the caller's"


class IdentityChangeType(_Code):
    """Change of role in a live room."""

    ANCHOR_TO_VIEWER = 1, "host becomes viewer"
    VIEWER_TO_ANCHOR = 2, "viewer becomes host"


class JoinType(_Code):
    """What happens when a user joins an RTC room from a second device, SDK 4.6.4 (codes 8)."""

    KICK = 0, "the first device is removed"
    REFUSE = 1, "the second device is refused"
    COEXIST = 2, "both stay"
