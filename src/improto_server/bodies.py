"""Bodies of HTTP requests, which end somewhere: after so many bytes, after so many seconds."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from starlette.requests import Request


class BodyTooLargeError(Exception):
    """There is more than may be."""


class BodyTooSlowError(Exception):
    """It took longer than it may."""


async def read_body(request: Request, *, most: int, seconds: float) -> bytes:
    """A body of at most ``most`` bytes. BodyTooLargeError, BodyTooSlowError: see there."""
    pieces: list[bytes] = []
    size = 0
    try:
        with anyio.fail_after(seconds):
            async with aclosing(request.stream()) as stream:
                async for piece in stream:
                    size += len(piece)
                    if size > most:
                        raise BodyTooLargeError
                    pieces.append(piece)
    except TimeoutError:
        raise BodyTooSlowError from None
    return b"".join(pieces)
