"""Up to which time somebody has read, as a message of his says (messages 8.1, 8.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from improto.payloads import UpStreamMessage


class _Mark(msgspec.Struct):
    """Of RC:ReadNtf and RC:SRSMsg, what a server has to know."""

    lastMessageSendTime: float | str | None = None
    """Milliseconds since 1970; some pages write the number as text."""


_decode = msgspec.json.Decoder(_Mark).decode


def read_until(up: UpStreamMessage, *, now: int) -> int | None:
    """The time, at most ``now``; None if the content does not say one."""
    try:
        time = _decode(up.content).lastMessageSendTime
        # Whoever writes a number that is none has not told us anything.
        until = None if time is None else int(float(time))
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return None
    return None if until is None or until <= 0 else min(until, now)
