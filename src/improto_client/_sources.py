"""What is uploaded: a file of this machine, bytes, or pieces as they come.

Whatever it is, there is never more of it in memory than :data:`PIECE`, or than the program gives
at a time.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias

from anyio.to_thread import run_sync

from improto_client.file_errors import local_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable

    Source: TypeAlias = "str | PathLike[str] | bytes | AsyncIterable[bytes]"

PIECE: Final = 256 * 1024
"""Bytes that are read from a file at a time."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that is being read."""

    read: Callable[[], Awaitable[bytes]]
    """The next piece; nothing at the end. Raises FileError, or what the program's pieces raise."""
    size: int | None
    """How many bytes it has, if that is known."""


def name_of(source: Source) -> str:
    """What a file is called on this machine; empty for what is none."""
    return Path(source).name if isinstance(source, str | PathLike) else ""


@asynccontextmanager
async def opened(source: Source, *, size: int | None) -> AsyncIterator[Opened]:
    """Open a source for the block. ``size`` is what the program says about its pieces.

    Raises FileError for a file that cannot be read.
    """
    if isinstance(source, str | PathLike):
        async with _file(Path(fspath(source))) as found:
            yield found
    elif isinstance(source, bytes | bytearray | memoryview):
        yield _bytes(bytes(source))
    else:
        async with aclosing(_Pieces(source)) as pieces:
            yield Opened(pieces.read, size)


@asynccontextmanager
async def _file(path: Path) -> AsyncIterator[Opened]:
    try:
        file = await run_sync(_open, path)
    except OSError as error:
        raise local_error(path, error) from error

    async def read() -> bytes:
        try:
            return await run_sync(file.read, PIECE)
        except OSError as error:
            raise local_error(path, error) from error

    # It is closed by the block, which nothing can cancel.
    with file:
        yield Opened(read, os.fstat(file.fileno()).st_size)


def _open(path: Path) -> BinaryIO:
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "no file has a zero in its name")
    # Opening a pipe would wait for whoever writes into it, and reading some devices never ends.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "this is no file")
    return path.open("rb")


def _bytes(data: bytes) -> Opened:
    buffer = io.BytesIO(data)

    async def read() -> bytes:
        return buffer.read(PIECE)

    return Opened(read, len(data))


class _Pieces:
    """The program's own pieces."""

    def __init__(self, source: AsyncIterable[bytes]) -> None:
        self._iterator = aiter(source)

    async def read(self) -> bytes:
        """The next piece that is not empty."""
        async for piece in self._iterator:
            if piece:
                return bytes(piece)
        return b""

    async def aclose(self) -> None:
        """Nobody else would close a generator that is left in the middle."""
        if isinstance(self._iterator, AsyncGenerator):
            await self._iterator.aclose()
