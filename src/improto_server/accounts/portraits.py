"""Portraits that people upload: small pictures, in a directory of their own.

What a file is, its first bytes say, not its sender; it is given out as that and as nothing else.
Names are random, so whoever has a link can see the picture, and nobody finds one by guessing.
"""

from __future__ import annotations

import re
from functools import partial
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Final

from anyio.to_thread import run_sync

from improto_server.accounts.refusals import RefusedError
from improto_server.files.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from improto_server.files.disk import StoredFile

_NAME_BYTES: Final = 16
_NAME: Final = re.compile(r"[0-9a-f]{32}")

_MAGIC: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
)
"""How the pictures begin that browsers show and that cannot have a script in them."""


class Portraits:
    """``directory`` is made with the first picture; ``random`` gives that many random bytes."""

    def __init__(self, directory: Path, *, app: str, random: Callable[[int], bytes]) -> None:
        self._directory = directory
        self._app = app
        self._random = random
        self._lock = Lock()
        self._disk: Disk | None = None

    async def keep(self, data: bytes) -> str:
        """Keep a picture; returns its name. RefusedError: it is none."""
        for pattern, kind in _MAGIC:
            if pattern.match(data):
                name = self._random(_NAME_BYTES).hex()
                await run_sync(partial(self._keep, name, data, kind))
                return name
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "no_picture",
            "a portrait must be a PNG, JPEG, GIF or WebP picture",
        )

    async def find(self, name: str) -> tuple[Path, str] | None:
        """Where a picture is, and its type; None if there is none."""
        if _NAME.fullmatch(name) is None:
            return None
        found = await run_sync(self._find, name)
        return None if found is None else (found[0], found[1].content_type)

    async def remove(self, name: str) -> None:
        """Delete a picture; harmless if it is gone, or the name is empty."""
        if name:
            await run_sync(self._remove, name)

    # -- in worker threads ----------------------------------------------------------------------

    def _opened(self) -> Disk:
        with self._lock:
            if self._disk is None:
                self._disk = Disk(self._directory)
            return self._disk

    def _keep(self, name: str, data: bytes, kind: str) -> None:
        incoming = self._opened().begin()
        try:
            incoming.write(data)
            incoming.keep(self._app, name, kind)
        finally:
            incoming.discard()

    def _find(self, name: str) -> tuple[Path, StoredFile] | None:
        return self._opened().find(self._app, name)

    def _remove(self, name: str) -> None:
        self._opened().remove(self._app, name)
