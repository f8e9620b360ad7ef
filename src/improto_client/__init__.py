"""A client library for the protocol, on asyncio and trio, with one API.

``connect`` finds the server, logs in and stays connected; :class:`Im` is everything a user can
do. :mod:`improto_client.sync` is the same for programs without an event loop.
"""

from improto.messages import Conversation
from improto_client.bot import Bot
from improto_client.call_rooms import CallChanges, CallMember, CallRoom
from improto_client.chatrooms import Entry, RoomInfo
from improto_client.conversations import ConversationInfo, ConversationSettings
from improto_client.customer_services import ServiceSession
from improto_client.discussions import Discussion
from improto_client.errors import (
    AppKeyRefused,
    Banned,
    DamagedStore,
    Disconnected,
    Ended,
    ForeignStore,
    GaveUp,
    ImError,
    Kicked,
    KickedTooOften,
    LockedStore,
    LoginFailed,
    LoginRefused,
    Malformed,
    NavigationFailed,
    NewerStore,
    NoServer,
    NotAnswered,
    NoToken,
    NoWebSocket,
    Offline,
    OriginRefused,
    Refused,
    SentAway,
    ServerBusy,
    StoreError,
    TokenRefused,
    Unreadable,
    UnusableStore,
    UserBlocked,
)
from improto_client.file_errors import (
    DiskFull,
    FileError,
    FileTooLarge,
    FileUnusable,
    NoStorage,
    TransferBroken,
    TransferRefused,
    TransferStalled,
)
from improto_client.files import Uploaded
from improto_client.friends import (
    ApplicationStatus,
    Friend,
    FriendApplication,
    FriendPermission,
)
from improto_client.groups import Readership
from improto_client.im import Im, connect
from improto_client.local import LocalConversation, LocalMessage
from improto_client.managed_groups import (
    Admission,
    ApplicationKind,
    ApplicationStage,
    Forgotten,
    GroupApplication,
    GroupMember,
    GroupRight,
    GroupRole,
    GroupRules,
    JoinRule,
    ManagedGroup,
    NamingRule,
)
from improto_client.navigation import Routes
from improto_client.pages import Pages
from improto_client.public_services import PublicService
from improto_client.receiving import Reader
from improto_client.relations import Status
from improto_client.retry import Growing
from improto_client.settings import QuietHours
from improto_client.storages import UploadTicket
from improto_client.store import MemoryStore, ReceivedStatus, SentStatus, SqliteStore, Store
from improto_client.users import Profile, UserInfo, Visibility
from improto_client.values import EVERYBODY, Message, Sent

__all__ = [
    "EVERYBODY",
    "Admission",
    "AppKeyRefused",
    "ApplicationKind",
    "ApplicationStage",
    "ApplicationStatus",
    "Banned",
    "Bot",
    "CallChanges",
    "CallMember",
    "CallRoom",
    "Conversation",
    "ConversationInfo",
    "ConversationSettings",
    "DamagedStore",
    "Disconnected",
    "Discussion",
    "DiskFull",
    "Ended",
    "Entry",
    "FileError",
    "FileTooLarge",
    "FileUnusable",
    "ForeignStore",
    "Forgotten",
    "Friend",
    "FriendApplication",
    "FriendPermission",
    "GaveUp",
    "GroupApplication",
    "GroupMember",
    "GroupRight",
    "GroupRole",
    "GroupRules",
    "Growing",
    "Im",
    "ImError",
    "JoinRule",
    "Kicked",
    "KickedTooOften",
    "LocalConversation",
    "LocalMessage",
    "LockedStore",
    "LoginFailed",
    "LoginRefused",
    "Malformed",
    "ManagedGroup",
    "MemoryStore",
    "Message",
    "NamingRule",
    "NavigationFailed",
    "NewerStore",
    "NoServer",
    "NoStorage",
    "NoToken",
    "NoWebSocket",
    "NotAnswered",
    "Offline",
    "OriginRefused",
    "Pages",
    "Profile",
    "PublicService",
    "QuietHours",
    "Reader",
    "Readership",
    "ReceivedStatus",
    "Refused",
    "RoomInfo",
    "Routes",
    "Sent",
    "SentAway",
    "SentStatus",
    "ServerBusy",
    "ServiceSession",
    "SqliteStore",
    "Status",
    "Store",
    "StoreError",
    "TokenRefused",
    "TransferBroken",
    "TransferRefused",
    "TransferStalled",
    "Unreadable",
    "UnusableStore",
    "UploadTicket",
    "Uploaded",
    "UserBlocked",
    "UserInfo",
    "Visibility",
    "connect",
]
