"""Portraits for who has none: a figure on a ground whose colours are his own.

They are drawn point by point and written as PNG (RFC 2083), so they need no library and no file.
"""

from __future__ import annotations

import math
import struct
import zlib
from colorsys import hls_to_rgb
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SIDE: Final = 128
"""Width and height in points."""

_RGB_8_BITS: Final = (8, 2, 0, 0, 0)
"""What an IHDR chunk ends with: depth, colour type, and the only methods there are."""

_Colour = tuple[float, float, float]


def portrait(name: str) -> bytes:
    """A PNG; the same for the same ``name``."""
    hue = sha256(name.encode()).digest()[0] / 256
    above, below = (hls_to_rgb(hue + turn, light, 0.5) for turn, light in ((0.04, 0.66), (0, 0.42)))
    figure = hls_to_rgb(hue, 0.94, 0.6)
    rows = b"".join(b"\0" + bytes(_row(y, above, below, figure)) for y in range(SIDE))
    header = struct.pack(">II5B", SIDE, SIDE, *_RGB_8_BITS)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _row(y: int, above: _Colour, below: _Colour, figure: _Colour) -> Iterator[int]:
    ground = _mixed(above, below, y / SIDE)
    for x in range(SIDE):
        for value in _mixed(ground, figure, _figure(x / SIDE, y / SIDE)):
            yield round(255 * value)


def _figure(x: float, y: float) -> float:
    """How much of a point is head or shoulders, 0 to 1: edges are smooth."""
    head = 0.19 - math.hypot(x - 0.5, y - 0.4)
    shoulders = 0.36 - math.hypot(x - 0.5, y - 1.02)
    return min(1.0, max(0.0, max(head, shoulders) * SIDE + 0.5))


def _mixed(one: _Colour, other: _Colour, share: float) -> _Colour:
    red, green, blue = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return red, green, blue


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
