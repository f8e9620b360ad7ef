"""WebSocket frames written and read by hand, independent of the libraries under test."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from improto.frames import Role

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = bytes.fromhex("37fa213d")  # the key of the examples in RFC 6455 section 5.7


@dataclass(frozen=True, kw_only=True)
class WireFrame:
    """One frame as RFC 6455 section 5.2 draws it."""

    opcode: int = BINARY
    payload: bytes = b""
    fin: bool = True


def apply_mask(data: bytes, key: bytes) -> bytes:
    return bytes(byte ^ key[index % 4] for index, byte in enumerate(data))


def header(
    length: int, *, sender: Role, opcode: int = BINARY, fin: bool = True, reserved: int = 0
) -> bytes:
    """The header of a frame that announces ``length`` bytes."""
    first = fin << 7 | reserved << 4 | opcode
    masked = (sender is Role.CLIENT) << 7
    if length < 126:
        sized = struct.pack("!BB", first, masked | length)
    elif length < 1 << 16:
        sized = struct.pack("!BBH", first, masked | 126, length)
    else:
        sized = struct.pack("!BBQ", first, masked | 127, length)
    return sized + MASK if masked else sized


def frame(
    payload: bytes = b"",
    *,
    sender: Role,
    opcode: int = BINARY,
    fin: bool = True,
    reserved: int = 0,
) -> bytes:
    """A whole frame."""
    head = header(len(payload), sender=sender, opcode=opcode, fin=fin, reserved=reserved)
    return head + (apply_mask(payload, MASK) if sender is Role.CLIENT else payload)


def close_payload(code: int, reason: bytes = b"") -> bytes:
    return struct.pack("!H", code) + reason


def frames_in(data: bytes, *, sender: Role) -> list[WireFrame]:
    """Reads whole frames; an assertion fails if they are not from this sender."""
    frames = []
    while data:
        first, second = data[0], data[1]
        assert bool(second & 0x80) is (sender is Role.CLIENT)
        length, position = second & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length, position = int.from_bytes(data[2 : 2 + size]), 2 + size
        key = bytes(4)
        if sender is Role.CLIENT:
            key, position = data[position : position + 4], position + 4
        payload = data[position : position + length]
        assert len(payload) == length
        assert not first & 0x70
        frames.append(
            WireFrame(opcode=first & 0x0F, payload=apply_mask(payload, key), fin=bool(first & 0x80))
        )
        data = data[position + length :]
    return frames
