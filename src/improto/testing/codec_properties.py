"""What must hold for every message and every frame, as functions that assert it.

Hypothesis calls them with its examples and the fuzzer with its own, so both search for
the same faults. Feed them from your own generator, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from improto.codec import FORMAT_LIMITS, STRING_BYTES, decode, encode
from improto.errors import DecodeError
from improto.frames import (
    ConnAck,
    Delivery,
    ProtocolVersion,
    Publish,
    Query,
    QueryAck,
    Role,
)

if TYPE_CHECKING:
    from improto.frames import Frame

VIEWS: Final = (
    (Role.CLIENT, ProtocolVersion.V3),
    (Role.SERVER, ProtocolVersion.V3),
    (Role.SERVER, ProtocolVersion.V4),
)
"""The ways to read a message: who sent it, and on a connection of which version."""


def check_message(message: bytes) -> None:
    """Any bytes are a frame or a DecodeError, and a frame stays the same through the codec."""
    for sender, version in VIEWS:
        frame = _read(message, sender, version)
        if isinstance(frame, DecodeError):
            assert frame.reason
            assert 0 <= frame.offset <= len(message)
        # A byte that is no text becomes a character of three: longer text may no longer fit.
        elif len(message) * 3 <= STRING_BYTES:
            assert _read(encode(frame), sender, version) == frame


def check_frame(frame: Frame, sender: Role, *, protocol_version: ProtocolVersion) -> None:
    """A frame survives the codec; each proper prefix fails or is the frame that it should be."""
    message = encode(frame)
    whole = {**shorter_frames(frame), len(message): frame}
    for length in range(len(message) + 1):
        outcome = _read(message[:length], sender, protocol_version)
        if length in whole:
            assert outcome == whole[length]
        else:
            assert isinstance(outcome, DecodeError)
            assert outcome.offset <= length


def shorter_frames(frame: Frame) -> dict[int, Frame]:
    """Which proper prefixes of a frame's message are frames again, by length, and which.

    * Data runs to the end of the message, so wherever it is cut, it is just shorter data.
    * CONNACK version 3 may end after the status, the user id and the session id.
    * CONNACK version 4 may end after a status that refuses.
    * All other frames are whole or wrong.
    """
    match frame:
        case Publish() | Delivery() | Query() | QueryAck():
            start = len(encode(frame)) - len(frame.data)
            return {
                start + length: replace(frame, data=frame.data[:length])
                for length in range(len(frame.data))
            }
        case ConnAck(protocol_version=ProtocolVersion.V3):
            without_time = replace(frame, timestamp=None)
            without_session = replace(without_time, session_id=None)
            refusal = replace(without_session, user_id=None)
            shorter = (refusal, without_session, without_time)
            return {len(encode(one)): one for one in shorter if one != frame}
        case ConnAck(status=status) if status != 0:
            bare = ConnAck(
                status=status,
                reserved=frame.reserved,
                protocol_version=ProtocolVersion.V4,
                qos=frame.qos,
                dup=frame.dup,
                retain=frame.retain,
            )
            return {} if bare == frame else {3: bare}
        case _:
            return {}


def _read(message: bytes, sender: Role, version: ProtocolVersion) -> Frame | DecodeError:
    try:
        return decode(message, sender, protocol_version=version, limits=FORMAT_LIMITS)
    except DecodeError as error:
        return error
