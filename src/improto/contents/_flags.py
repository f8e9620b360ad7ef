"""The flag bits of a message, on its way up and on its way down (messages 3)."""

from enum import IntFlag
from typing import Final

from improto.contents._base import Content


class UpFlag(IntFlag):
    """UpStreamMessage.sessionId (messages 3.1)."""

    STORED = 0x01
    COUNTED = 0x02
    MENTION = 0x04
    DISABLE_NOTIFICATION = 0x20
    EXPANDABLE = 0x40


class DownFlag(IntFlag):
    """DownStreamMessage.status (messages 3.3).

    RETRIEVED: another device of the reader has it already.
    """

    RETRIEVED = 0x02
    STORED = 0x10
    COUNTED = 0x20
    MENTIONED = 0x40
    SILENT = 0x200
    EXPANDABLE = 0x400


class ConfigFlag(IntFlag):
    """UpStreamMessage.configFlag, copied to DownStreamMessage.configFlag (messages 3.2)."""

    VOIP_PUSH = 0x01
    OBEY_LISTS = 0x02
    NO_PUSH_TITLE = 0x04
    SHOW_PUSH_DETAIL = 0x08


class ExtFlag(IntFlag):
    """DownStreamMessage.extStatus (messages 3.3, sdk5 5).

    GAP: history has a gap here. PRIVATE_CHANNEL: of an ultra group. STATUS: to be shown at once
    and forgotten, whatever its type.
    """

    DELIVERED = 0x01
    GAP = 0x02
    EDITED = 0x04
    PRIVATE_CHANNEL = 0x08
    STATUS = 0x40


class OptionFlag(IntFlag):
    """UpStreamMessage.optionBits and DownStreamMessage.optionBits (sdk5 5, 6, 8.2).

    KEEP_LAST: not to become the last message of its conversation. WANTS_RECEIPT: for receipts of
    version 5. RECEIPT_SENT: downstream only, the reader has sent his.
    """

    KEEP_LAST = 0x01
    WANTS_RECEIPT = 0x02
    RECEIPT_SENT = 0x04


# Flags are put together as plain numbers: an operation of IntFlag costs half a microsecond.
_STORED, _COUNTED, _MENTION = int(UpFlag.STORED), int(UpFlag.COUNTED), int(UpFlag.MENTION)

# Downstream, the upstream bits stand four places higher (messages 3.3).
_SHIFT: Final = 4
_SHIFTED: Final = _STORED | _COUNTED | UpFlag.DISABLE_NOTIFICATION.value | UpFlag.EXPANDABLE.value


def flags(content: Content) -> UpFlag:
    """The flags with which a content is sent by default.

    A sender adds DISABLE_NOTIFICATION or EXPANDABLE as he likes.
    """
    chosen = 0
    if content.is_persisted:
        chosen |= _STORED
    if content.is_counted:
        chosen |= _COUNTED
    if content.mentions is not None:
        chosen |= _MENTION
    return UpFlag(chosen)


def down_flags(up: int, *, mentions_reader: bool) -> DownFlag:
    """What DownStreamMessage.status says about a message sent with the flags ``up``.

    ``mentions_reader``: the content has mention info that concerns this very reader, and
    he is not the sender. SDKs fail on the mention bit without mention info (messages 3.3).
    """
    down = DownFlag((int(up) & _SHIFTED) << _SHIFT)
    if mentions_reader and up & _MENTION:
        down |= DownFlag.MENTIONED
    return down
