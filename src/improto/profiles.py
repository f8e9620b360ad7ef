"""What differs between the generations of clients, as data.

Everything a server does differently for one generation of SDK is a field here;
nothing else in the project compares version numbers. A profile is chosen once, from
the login, and travels with the connection. Where a request itself shows what its sender
reads, :func:`reads_bare_pages` says so.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from improto import payloads
from improto.codes import CommandType, DisconnectStatus, ErrorCode
from improto.operations import Topic

if TYPE_CHECKING:
    from improto.login import Login
    from improto.payloads import Message


class ReceiptVersion(enum.IntEnum):
    """How members of a group say what they have read: navigation's ``grpRRVer`` (sdk5 8.2)."""

    MESSAGES = 0
    """By ``RC:RRReqMsg`` and ``RC:RRRspMsg`` (messages 8.2)."""
    TOPICS = 1
    """By ``rrMsg`` and ``rrList`` (messages 8.3)."""
    POSITIONS = 3
    """By ``sendMsgRead`` and ``qryMsgRead``: up to which time."""
    RECEIPTS = 4
    """By ``readReceipt`` and ``qryReceipt``: which of the messages that ask for it."""


_FOR_GOOD = frozenset(
    {
        DisconnectStatus.OTHER_DEVICE_LOGIN,
        DisconnectStatus.BLOCK,
        DisconnectStatus.REMOTE_CLOSE,
        DisconnectStatus.LOGOUT,
        DisconnectStatus.BLOCK_NEW,
    }
)
_FIRST_RECEIPTS = frozenset({ReceiptVersion.MESSAGES, ReceiptVersion.TOPICS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How to treat one generation of clients."""

    name: str
    escape_astral: bool
    """Write characters above U+FFFF in content as JSON escapes (wire 3, rule 4)."""
    highest_connack_status: int
    """A higher CONNACK status makes the client hang (wire 4.2)."""
    notify_after_unfinished: bool
    """The client does not go on pulling by itself (session 8.4)."""
    direct_push: bool
    """Messages may come as ``s_msg`` when the client is up to date (session 8.5). False where
    a push that crosses a pull would be shown twice (interop 7, rule 5), and where it only makes
    the client pull (sdk5 5)."""
    vanish: bool
    """Only a transport that breaks without a farewell is noticed (session 4.2)."""
    token_expired_status: int
    """CONNACK status for an expired token (session 2.4)."""
    notices: frozenset[Topic]
    """Which of the server's topics it knows, besides those of messages (session 12)."""
    commands: frozenset[CommandType]
    """Types of ``s_cmd`` that it takes (session 12)."""
    renames_tags: bool
    """To make a tag that exists gives it another name; otherwise it is an error, 33101
    (operations 8, sdk5 8.3)."""
    tag_missing: ErrorCode
    """What says that a tag is missing: one SDK's number for it means the contrary to the others
    (codes 7)."""
    setting_levels: bool
    """Conversations are muted by levels from -1 to 5, whole types of them too, and have a setting
    for translation; otherwise all it is told of is muted or not, by 1 and 0 (sdk5 8.3)."""
    sync_topics: frozenset[Topic]
    """Topics whose copies may come as sync frames (session 9.3)."""
    receipt_versions: frozenset[ReceiptVersion]
    """Those that it knows; of another one navigation tells it the first (sdk5 8.2)."""
    status_notice: type[Message] | None
    """What ``s_stat`` tells it about a user (operations 3, sdk5 7); None: it does not know the
    topic."""
    history_oldest_first: bool
    """History after a time, and all of a room, is sent oldest first; the older ones turn every
    page round themselves (sdk5 8.1)."""
    unavailable_by_closing: bool
    """It gives up for good at a refusing CONNACK, so that an overloaded server closes without
    one (sdk5 3)."""
    dismissals: frozenset[DisconnectStatus]
    """Reasons to send it away that it understands (codes 3, sdk5 3)."""
    polling_disconnect: int | None
    """How it spells the header byte of DISCONNECT over long polling (http 5.7); None: it has no
    long polling (sdk5 1)."""

    @property
    def follows_redirects(self) -> bool:
        """It asks navigation again when it is sent elsewhere, by CONNACK or by DISCONNECT."""
        return DisconnectStatus.REDIRECT_NEW in self.dismissals


_SDK_2_5 = Profile(
    name="2.5",
    escape_astral=True,
    highest_connack_status=12,
    notify_after_unfinished=True,
    direct_push=False,
    vanish=True,
    token_expired_status=4,
    notices=frozenset({Topic.S_STAT}),
    commands=frozenset(),
    renames_tags=True,
    tag_missing=ErrorCode.TAG_EXISTS,
    setting_levels=False,
    sync_topics=frozenset(
        {
            Topic.PP_MSG_P,
            Topic.PD_MSG_P,
            Topic.PG_MSG_P,
            Topic.CHAT_MSG,
            Topic.PC_MSG_P,
            Topic.RECALL_MSG,
        }
    ),
    receipt_versions=_FIRST_RECEIPTS,
    status_notice=payloads.GetUserStatusOutput,
    history_oldest_first=False,
    unavailable_by_closing=False,
    dismissals=_FOR_GOOD,
    polling_disconnect=-32,
)

_SDK_2_5_POLLING = replace(
    _SDK_2_5,
    # It reads what the browser has decoded (interop 15).
    escape_astral=False,
    # It takes a copy for a message, and stops polling at the PUBACK behind it (http 5.7).
    sync_topics=frozenset(),
    notices=_SDK_2_5.notices | {Topic.S_CMD},
    commands=frozenset({CommandType.CHATROOM_KV}),
)

_SDK_2_9 = Profile(
    name="2.9",
    escape_astral=False,
    highest_connack_status=255,
    notify_after_unfinished=False,
    direct_push=True,
    vanish=False,
    token_expired_status=4,
    notices=frozenset({Topic.S_CMD, Topic.S_US, Topic.RTC_NTF}),
    commands=frozenset({CommandType.CHATROOM_KV, CommandType.CONVERSATION_SETTINGS}),
    renames_tags=True,
    tag_missing=ErrorCode.TAG_EXISTS,
    setting_levels=False,
    sync_topics=frozenset({Topic.PP_MSG_P, Topic.PG_MSG_P, Topic.CHAT_MSG, Topic.PC_MSG_P}),
    receipt_versions=_FIRST_RECEIPTS,
    status_notice=None,
    history_oldest_first=False,
    unavailable_by_closing=False,
    dismissals=_FOR_GOOD,
    polling_disconnect=224,
)

_SDK_4 = Profile(
    name="4",
    escape_astral=False,
    highest_connack_status=255,
    notify_after_unfinished=False,
    direct_push=True,
    vanish=False,
    token_expired_status=10,
    notices=frozenset({Topic.S_CMD, Topic.S_US, Topic.RTC_NTF, Topic.S_OP_NTF}),
    commands=frozenset(
        {
            CommandType.CHATROOM_KV,
            CommandType.CONVERSATION_SETTINGS,
            CommandType.CHATROOM_DESTROYED,
            CommandType.ULTRA_GROUP_MESSAGES,
            CommandType.ULTRA_GROUP_CHANGES,
        }
    ),
    renames_tags=False,
    tag_missing=ErrorCode.TAG_NOT_EXIST,
    setting_levels=False,
    sync_topics=frozenset(
        {
            Topic.PP_MSG_P,
            Topic.PP_MSG_S,
            Topic.PG_MSG_P,
            Topic.PG_MSG_S,
            Topic.CHAT_MSG,
            Topic.PC_MSG_P,
            Topic.PR_MSG_S,
            Topic.RECALL_MSG,
        }
    ),
    receipt_versions=_FIRST_RECEIPTS,
    status_notice=None,
    history_oldest_first=False,
    unavailable_by_closing=False,
    dismissals=_FOR_GOOD,
    polling_disconnect=224,
)

_SDK_5 = replace(
    _SDK_4,
    name="5",
    direct_push=False,
    renames_tags=True,
    setting_levels=True,
    notices=_SDK_4.notices | {Topic.S_STAT, Topic.S_PUB_CALL},
    commands=frozenset(CommandType),
    sync_topics=_SDK_4.sync_topics | {Topic.PB_MSG_P, Topic.UPD_R_TIME, Topic.UPD_USER_SUB},
    receipt_versions=frozenset(ReceiptVersion),
    status_notice=payloads.SubDataDetail,
    history_oldest_first=True,
    unavailable_by_closing=True,
    dismissals=frozenset(
        {
            DisconnectStatus.OTHER_DEVICE_LOGIN,
            DisconnectStatus.BLOCK,
            DisconnectStatus.BLOCK_NEW,
            DisconnectStatus.REDIRECT_NEW,
        }
    ),
    polling_disconnect=None,
)

_VERSION = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?")


def reads_bare_pages(request: payloads.ChrmPullMsg) -> bool:
    """Whether the answer to this pull of a room has to be a ChrmDownStreamMessages.

    It has other fields where ``finished`` and ``broadcastSyncTime`` were, and who expects it is
    deaf for the room once he got these. Who sends number 4 expects it (sdk5 9, rule 2).
    """
    return request.HasField("compressioEnabled")


def profile_of(login: Login) -> Profile:
    """The profile of a login; a version that cannot be read counts as our own client's, 4."""
    match = _VERSION.match(login.sdk_version)
    version = (int(match[1]), int(match[2] or 0)) if match else (4, 0)
    if version < (2, 6):
        return _SDK_2_5_POLLING if login.is_polling else _SDK_2_5
    if version < (4, 0):
        return _SDK_2_9
    if version < (5, 0):
        return _SDK_4
    return _SDK_5
