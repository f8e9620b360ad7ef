"""A client library for the protocol, on asyncio and trio, with one API.

``connect`` finds the server, logs in and stays connected; :class:`Im` is everything a user can
do. :mod:`improto_client.sync` is the same for programs without an event loop.
"""

from improto.messages import Conversation
from improto_client.bot import Bot
from improto_client.chatrooms import Entry, RoomInfo
from improto_client.conversations import ConversationInfo, ConversationSettings
from improto_client.discussions import Discussion
from improto_client.errors import (
    AppKeyRefused,
    Banned,
    Disconnected,
    Ended,
    GaveUp,
    ImError,
    Kicked,
    KickedTooOften,
    LoginFailed,
    LoginRefused,
    Malformed,
    NavigationFailed,
    NoServer,
    NotAnswered,
    NoToken,
    NoWebSocket,
    Offline,
    OriginRefused,
    Refused,
    SentAway,
    ServerBusy,
    TokenRefused,
    Unreadable,
    UserBlocked,
)
from improto_client.files import UploadTicket
from improto_client.friends import (
    ApplicationStatus,
    Friend,
    FriendApplication,
    FriendPermission,
)
from improto_client.groups import Readership
from improto_client.im import Im, connect
from improto_client.navigation import Routes
from improto_client.receiving import Reader
from improto_client.relations import Status
from improto_client.retry import Growing
from improto_client.settings import QuietHours
from improto_client.users import Profile, UserInfo, Visibility
from improto_client.values import EVERYBODY, Message, Sent

__all__ = [
    "EVERYBODY",
    "AppKeyRefused",
    "ApplicationStatus",
    "Banned",
    "Bot",
    "Conversation",
    "ConversationInfo",
    "ConversationSettings",
    "Disconnected",
    "Discussion",
    "Ended",
    "Entry",
    "Friend",
    "FriendApplication",
    "FriendPermission",
    "GaveUp",
    "Growing",
    "Im",
    "ImError",
    "Kicked",
    "KickedTooOften",
    "LoginFailed",
    "LoginRefused",
    "Malformed",
    "Message",
    "NavigationFailed",
    "NoServer",
    "NoToken",
    "NoWebSocket",
    "NotAnswered",
    "Offline",
    "OriginRefused",
    "Profile",
    "QuietHours",
    "Reader",
    "Readership",
    "Refused",
    "RoomInfo",
    "Routes",
    "Sent",
    "SentAway",
    "ServerBusy",
    "Status",
    "TokenRefused",
    "Unreadable",
    "UploadTicket",
    "UserBlocked",
    "UserInfo",
    "Visibility",
    "connect",
]
