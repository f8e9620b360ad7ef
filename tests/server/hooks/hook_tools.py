"""What tests of callbacks share: answers of an application that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def reply(status: int, *body: bytes, **headers: str) -> httpx.Response:
    """An answer that comes in pieces, as over a network."""

    async def pieces() -> AsyncIterator[bytes]:
        for piece in body:
            yield piece

    return httpx.Response(status, content=pieces(), headers=headers)
