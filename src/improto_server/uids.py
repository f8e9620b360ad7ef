"""Names of messages: sixteen digits of base 32 in four groups (messages 2).

Read as a number of 80 bits: 42 bits of time, 12 of a counter, 4 of the conversation's
type, 22 of a hash of its target. Sorting by uid therefore sorts by time.
"""

from __future__ import annotations

import re
from typing import Final
from zlib import crc32

from improto.frames import MessageUid, TimeMs

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_PAIRS: Final = tuple(high + low for high in _DIGITS for low in _DIGITS)
"""Two digits for each value of ten bits."""

_TIME_MASK: Final = (1 << 42) - 1
_COUNTER_MASK: Final = (1 << 12) - 1
_TYPE_MASK: Final = (1 << 4) - 1
_HASH_MASK: Final = (1 << 22) - 1

_UID: Final = re.compile("[0-9A-V]{4}(-[0-9A-V]{4}){3}")
_BITS_AFTER_TIME: Final = 80 - 42


def time_of(uid: str) -> TimeMs | None:
    """The time of the message with this uid; None if it is no uid of this server's making."""
    if _UID.fullmatch(uid) is None:
        return None
    return TimeMs(int(uid.replace("-", ""), 32) >> _BITS_AFTER_TIME)


class UidMaker:
    """Makes uids; they differ if all times come from one :class:`.clock.MessageClock`."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        self._count = 0

    def make(self, *, time: TimeMs, conversation_type: int, target: str) -> MessageUid:
        """The uid of a message with this time in the conversation with ``target``."""
        self._count = count = (self._count + 1) & _COUNTER_MASK
        time_bits = time & _TIME_MASK
        type_bits = conversation_type & _TYPE_MASK
        hash_bits = crc32(target.encode()) & _HASH_MASK
        # Two halves of 40 bits: numbers of more than 60 are slow.
        high = time_bits >> 2
        low = (time_bits & 3) << 38 | count << 26 | type_bits << 22 | hash_bits
        pairs = _PAIRS
        return MessageUid(
            f"{pairs[high >> 30]}{pairs[high >> 20 & 1023]}-"
            f"{pairs[high >> 10 & 1023]}{pairs[high & 1023]}-"
            f"{pairs[low >> 30]}{pairs[low >> 20 & 1023]}-"
            f"{pairs[low >> 10 & 1023]}{pairs[low & 1023]}"
        )
