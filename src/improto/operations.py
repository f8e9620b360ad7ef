"""One table: every topic, who sends it, on which frame, with which payloads (operations).

This is the only place that knows what a topic carries. A server asks :func:`find` for
the row of a frame it received; a client asks :func:`operation` for the row of a request
it is about to send. Topics of messages follow from the conversation:
:func:`message_topic`, :func:`history_topic`, :func:`clean_topic`.

What a table cannot hold is told where it belongs: statuses that are answers (``blackStat``,
``qryPPush``, ``qryDPush``) in codes 4, the limits of requests in operations 4 to 19.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from improto import _publish_table, _query_table, _social_table
from improto._operation import Area as Area
from improto._operation import Direction as Direction
from improto._operation import Kind as Kind
from improto._operation import Operation as Operation
from improto._operation import Signal as Signal
from improto._operation import Target as Target
from improto._operation import Topic as Topic
from improto.codes import ConversationType, ErrorCode
from improto.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

GENERAL_ERRORS = (
    ErrorCode.RC_MSG_UNAUTHORIZED,
    ErrorCode.SEND_FREQUENCY_TOO_FAST,
    ErrorCode.OPERATION_BLOCKED,
    ErrorCode.OPERATION_NOT_SUPPORT,
    ErrorCode.INTERNALERRROR,
    ErrorCode.BIZ_ERROR_INVALID_PARAMETER,
    ErrorCode.NOT_SUPPORT,
)
"""Statuses that any request may be answered with (operations 1, codes 5)."""

OPERATIONS: Mapping[tuple[str, Signal], Operation] = MappingProxyType(
    {
        (row.topic, row.signal): row
        for row in (*_publish_table.ROWS, *_query_table.ROWS, *_social_table.ROWS)
    }
)
"""The whole table by topic and signal; a :class:`Topic` and its text are the same key. Three RTC
topics are in it on both signals: the newer SDKs publish what SDK 2.5.3 asks (operations 18); and
three of messages, which SDK 4.6.4 publishes and SDK 5 asks (sdk5 8.1)."""

_ASKED_BY_SDK_5 = frozenset({Topic.MODIFY_MSG, Topic.QRY_MSG_CHANGE, Topic.UP_MSG_EX})

_MESSAGE_TOPICS = {
    (ConversationType.PRIVATE, Kind.STORED): Topic.PP_MSG_P,
    (ConversationType.PRIVATE, Kind.NO_PUSH): Topic.PP_MSG_N,
    (ConversationType.PRIVATE, Kind.STATUS): Topic.PP_MSG_S,
    (ConversationType.DISCUSSION, Kind.STORED): Topic.PD_MSG_P,
    (ConversationType.GROUP, Kind.STORED): Topic.PG_MSG_P,
    (ConversationType.GROUP, Kind.STATUS): Topic.PG_MSG_S,
    (ConversationType.CHATROOM, Kind.STORED): Topic.CHAT_MSG,
    (ConversationType.CHATROOM, Kind.STATUS): Topic.CHAT_MSG_S,
    (ConversationType.CUSTOMER_SERVICE, Kind.STORED): Topic.PC_MSG_P,
    # Public services have no other topic, so theirs serves both kinds.
    (ConversationType.APP_PUBLIC_SERVICE, Kind.STORED): Topic.PMC_MSG_N,
    (ConversationType.APP_PUBLIC_SERVICE, Kind.NO_PUSH): Topic.PMC_MSG_N,
    (ConversationType.PUBLIC_SERVICE, Kind.STORED): Topic.PMP_MSG_N,
    (ConversationType.PUBLIC_SERVICE, Kind.NO_PUSH): Topic.PMP_MSG_N,
    (ConversationType.ULTRA_GROUP, Kind.STORED): Topic.UG_MSG,
    (ConversationType.RTC_ROOM, Kind.STATUS): Topic.PR_MSG_S,
}

_HISTORY_TOPICS = {
    ConversationType.PRIVATE: Topic.QRY_P_MSG,
    ConversationType.DISCUSSION: Topic.QRY_D_MSG,
    ConversationType.GROUP: Topic.QRY_G_MSG,
    ConversationType.CHATROOM: Topic.QRY_CH_MSG,
    ConversationType.CUSTOMER_SERVICE: Topic.QRY_C_MSG,
    ConversationType.SYSTEM: Topic.QRY_S_MSG,
    ConversationType.APP_PUBLIC_SERVICE: Topic.QRY_P_MSG,
    ConversationType.PUBLIC_SERVICE: Topic.QRY_P_MSG,
    ConversationType.ULTRA_GROUP: Topic.QRY_UG_MSG,
}

_CLEAN_TOPICS = {
    ConversationType.PRIVATE: Topic.CLEAN_P_MSG,
    ConversationType.DISCUSSION: Topic.CLEAN_D_MSG,
    ConversationType.GROUP: Topic.CLEAN_G_MSG,
    ConversationType.CUSTOMER_SERVICE: Topic.CLEAN_C_MSG,
    ConversationType.SYSTEM: Topic.CLEAN_S_MSG,
    ConversationType.APP_PUBLIC_SERVICE: Topic.CLEAN_MC_MSG,
    ConversationType.PUBLIC_SERVICE: Topic.CLEAN_MP_MSG,
}


def find(topic: str, signal: Signal) -> Operation | None:
    """The row for the topic of a received frame; None if there is none (answer 39002)."""
    return OPERATIONS.get((topic, signal))


def operation(topic: Topic) -> Operation:
    """The row of a topic; where there are two, that of the newer SDKs."""
    publish = OPERATIONS.get((topic, Signal.PUBLISH))
    if publish is None or topic in _ASKED_BY_SDK_5:
        return OPERATIONS[topic, Signal.QUERY]
    return publish


def message_topic(conversation: ConversationType, kind: Kind = Kind.STORED) -> Topic:
    """The topic to send a message with.

    LocalProtocolError if there is none: nobody can write to a SYSTEM account, and an RTC_ROOM
    takes status messages only (operations 2).
    """
    topic = _MESSAGE_TOPICS.get((conversation, kind))
    if topic is None:
        raise LocalProtocolError(
            f"a {conversation.name} conversation has no topic for {kind.name} messages"
        )
    return topic


def history_topic(conversation: ConversationType) -> Topic:
    """The topic to ask for history; LocalProtocolError if there is none (operations 5)."""
    topic = _HISTORY_TOPICS.get(conversation)
    if topic is None:
        raise LocalProtocolError(f"a {conversation.name} conversation has no history")
    return topic


def clean_topic(conversation: ConversationType) -> Topic:
    """The topic to clear history; LocalProtocolError if there is none (operations 6)."""
    topic = _CLEAN_TOPICS.get(conversation)
    if topic is None:
        raise LocalProtocolError(f"the history of a {conversation.name} cannot be cleared")
    return topic
