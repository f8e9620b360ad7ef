"""Uploaded files on a disk.

A file is a directory with its bytes and what is known about them, so that it appears and
disappears by one rename, and a name that is taken cannot be taken again. Where it is follows
from a hash of app and key: nothing that a client says becomes part of a path.

Everything in here blocks and belongs into a worker thread.
"""

from __future__ import annotations

import errno
import os
import shutil
from base64 import urlsafe_b64encode
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_INCOMING: Final = "incoming"
_CONTENT: Final = "content"
_ABOUT: Final = "about.json"

_TAKEN: Final = frozenset({errno.EEXIST, errno.ENOTEMPTY})
"""Systems differ in what a rename onto a directory fails with."""


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a file."""

    hash: str
    """SHA-256 of the bytes, in URL-safe base64 without padding."""
    content_type: str


class TakenError(Exception):
    """There is another file with this key."""


class Disk:
    """The files below directory ``root``, which is made if need be.

    ``random`` gives that many random bytes. Raises OSError if the directory cannot be used; what
    an earlier process has left unfinished is deleted.
    """

    def __init__(self, root: Path, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._root = root
        self._random = random
        self._incoming = root / _INCOMING
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(parents=True, exist_ok=True)

    def begin(self) -> Incoming:
        """A new file."""
        return Incoming(self, self._new_directory())

    def find(self, app: str, key: str) -> tuple[Path, StoredFile] | None:
        """Where a file's bytes are, and what is known about it; None if there is no such file."""
        directory = self.place(app, key)
        try:
            about = (directory / _ABOUT).read_bytes()
        except FileNotFoundError:
            return None
        return directory / _CONTENT, msgspec.json.decode(about, type=StoredFile)

    def remove(self, app: str, key: str) -> None:
        """Delete a file; harmless if there is none."""
        grave = self._new_directory()
        with suppress(FileNotFoundError):
            os.rename(self.place(app, key), grave / _CONTENT)
        shutil.rmtree(grave)

    def forget_before(self, time: float) -> int:
        """Delete the files that came before ``time``, in seconds since 1970; returns how many."""
        count = 0
        for directory in self._all():
            if (directory / _CONTENT).stat().st_mtime < time:
                grave = self._new_directory()
                os.rename(directory, grave / _CONTENT)
                shutil.rmtree(grave)
                count += 1
        return count

    def place(self, app: str, key: str) -> Path:
        """The directory of a file. App keys have no blank in them."""
        name = sha256(f"{app} {key}".encode()).hexdigest()
        return self._root / name[:2] / name[2:]

    def _new_directory(self) -> Path:
        directory = self._incoming / self._random(16).hex()
        directory.mkdir()
        return directory

    def _all(self) -> Iterator[Path]:
        for group in self._root.iterdir():
            if group != self._incoming:
                yield from group.iterdir()


class Incoming:
    """A file that is being written. End it by :meth:`keep` or :meth:`discard`."""

    def __init__(self, disk: Disk, directory: Path) -> None:
        self._disk = disk
        self._directory = directory
        self._file = (directory / _CONTENT).open("xb")
        self._sha = sha256()

    def write(self, data: bytes) -> None:
        """Add bytes. Raises OSError, for one if the disk is full."""
        self._file.write(data)
        self._sha.update(data)

    def keep(self, app: str, key: str, content_type: str) -> StoredFile:
        """The file is complete; from now on it is found, even after a power cut.

        To upload the same bytes again changes nothing, because an answer may have been lost.
        Raises TakenError if the key has other bytes, and OSError.
        """
        digest = urlsafe_b64encode(self._sha.digest()).decode().rstrip("=")
        about = StoredFile(hash=digest, content_type=content_type)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        with (self._directory / _ABOUT).open("xb") as file:
            file.write(msgspec.json.encode(about))
            file.flush()
            os.fsync(file.fileno())
        place = self._disk.place(app, key)
        place.parent.mkdir(exist_ok=True)
        try:
            os.rename(self._directory, place)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            return self._same(app, key, about)
        _sync_directory(place.parent)
        return about

    def discard(self) -> None:
        """Forget what is not kept. Any number of times."""
        self._file.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _same(self, app: str, key: str, about: StoredFile) -> StoredFile:
        found = self._disk.find(app, key)
        if found is None or found[1].hash != about.hash:
            raise TakenError
        return found[1]


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
