"""Where :mod:`.sealing` keeps what must not be lost: this device's secrets, and whom to trust.

A store keeps texts by keys, and :class:`Kept` knows what they say. A file belongs to one user of
one app, has one client at a time, and can be read by its owner only. The secrets in it are not
encrypted: whoever can read the file can read what is sealed for this device.
"""

from __future__ import annotations

import json
import os
import sqlite3
from base64 import b64decode, b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, TypeAlias, get_args

import anyio
import anyio.to_thread

from improto_client.errors import (
    DamagedStore,
    ForeignStore,
    LockedStore,
    NewerStore,
    StoreError,
    UnusableStore,
)
from improto_client.sealed import Device, OwnDevice, read_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_APPLICATION: Final = 0x696D706B
"""Marks files of ours, in their header ("impk")."""

_VERSION: Final = 1

_OWNER_ONLY: Final = 0o600

_LOCKED: Final = {"SQLITE_BUSY", "SQLITE_LOCKED"}
_DAMAGED: Final = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}


class KeyStore(Protocol):
    """Keeps texts. All methods raise StoreError if that fails. They may be called in any thread,
    one at a time."""

    def open(self) -> dict[str, str]:
        """Begin: all texts by their keys."""

    def set(self, key: str, text: str) -> None:
        """Keep a text, for good when this returns."""

    def close(self) -> None:
        """End. Twice is harmless."""


class MemoryKeys:
    """Forgets everything with the program."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def open(self) -> dict[str, str]:
        """What was set; the object may be opened again."""
        return dict(self._texts)

    def set(self, key: str, text: str) -> None:
        """Keep a text."""
        self._texts[key] = text

    def close(self) -> None:
        """Nothing to do."""


class KeyFile:
    """A file of SQLite, which is made if it is not there."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None

    def open(self) -> dict[str, str]:
        """Open the file. Raises LockedStore, DamagedStore, NewerStore or UnusableStore."""
        with self._naming():
            # Made before SQLite makes it, which would let others read it.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY))
            database = sqlite3.connect(
                self._path, timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                texts = self._prepare(database)
            except BaseException:
                database.close()
                raise
        self._database = database
        return texts

    def _prepare(self, database: sqlite3.Connection) -> dict[str, str]:
        for pragma in ("locking_mode = EXCLUSIVE", "synchronous = FULL"):
            database.execute(f"PRAGMA {pragma}").fetchall()
        database.execute("BEGIN EXCLUSIVE")
        (mark,) = database.execute("PRAGMA application_id").fetchone()
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if mark != _APPLICATION and (mark or version or tables):
            raise DamagedStore(f"{self._path}: this is no file of keys")
        if version > _VERSION:
            text = f"{self._path}: version {version}, and this program knows {_VERSION} at most"
            raise NewerStore(text)
        database.execute(
            "CREATE TABLE IF NOT EXISTS texts (key TEXT PRIMARY KEY, text TEXT NOT NULL)"
        )
        texts = dict(database.execute("SELECT key, text FROM texts"))
        database.execute(f"PRAGMA application_id = {_APPLICATION}")
        database.execute(f"PRAGMA user_version = {_VERSION}")
        database.execute("COMMIT")
        return texts

    def set(self, key: str, text: str) -> None:
        """Keep a text; it is on the disk when this returns. Raises UnusableStore."""
        if self._database is None:
            raise UnusableStore(f"{self._path}: it is not open")
        with self._naming():
            self._database.execute("INSERT OR REPLACE INTO texts VALUES (?, ?)", (key, text))

    def close(self) -> None:
        """Close the file."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._named(error) from error

    def _named(self, error: Exception) -> StoreError:
        name = getattr(error, "sqlite_errorname", "")
        if name in _LOCKED:
            return LockedStore(f"{self._path}: another client has it open")
        kind = DamagedStore if name in _DAMAGED else UnusableStore
        return kind(f"{self._path}: {error}")


_DEVICE, _PEER, _ON = "device", "peer:", "on:"
"""Keys of the store; behind the last two a user id."""

State: TypeAlias = Literal["verified", "unverified", "gone"]

_STATES: Final = frozenset(get_args(State))


class Pin(NamedTuple):
    """A device that was accepted at some time."""

    device: Device
    state: State
    """gone: its user has taken it off the list since, so it is not accepted any more."""

    @property
    def is_accepted(self) -> bool:
        """Whether anything may be sealed for it."""
        return self.state != "gone"


class Kept:
    """What is in the store, as values."""

    def __init__(
        self,
        store: KeyStore,
        texts: dict[str, str],
        in_thread: anyio.CapacityLimiter,
        *,
        user_id: str,
    ) -> None:
        self._store = store
        self._texts = texts
        self._in_thread = in_thread
        self._user_id = user_id
        self._pins: dict[str, dict[str, Pin]] = {}

    async def device(self, *, made_at: int) -> tuple[OwnDevice, bool]:
        """This device, and whether it was published; the first time it is made."""
        if _DEVICE not in self._texts:
            own = OwnDevice.make(self._user_id, created=made_at)
            new = {
                "user": self._user_id,
                "seed": b64encode(bytes(own.signing)).decode(),
                "secret": b64encode(bytes(own.sealing)).decode(),
                "created": made_at,
                "isPublished": False,
            }
            await self._set(_DEVICE, json.dumps(new))
            return own, False
        try:
            members = self._read(_DEVICE)
            if members["user"] != self._user_id:
                raise ForeignStore(f"these are the keys of {members['user']!r}")
            own = OwnDevice.make(
                self._user_id,
                created=int(members["created"]),
                seed=b64decode(members["seed"]),
                secret=b64decode(members["secret"]),
            )
            return own, bool(members["isPublished"])
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedStore(f"the keys of this device cannot be read: {error!r}") from error

    async def set_published(self) -> None:
        """This device is on the list."""
        await self._set(_DEVICE, json.dumps(self._read(_DEVICE) | {"isPublished": True}))

    def is_on(self, user_id: str) -> bool:
        """Whether messages to a user are sealed."""
        return self._texts.get(_ON + user_id) == "1"

    async def turn(self, user_id: str, *, is_on: bool) -> None:
        """Have messages to a user sealed, or not."""
        await self._set(_ON + user_id, "1" if is_on else "0")

    def pins(self, user_id: str) -> dict[str, Pin]:
        """The devices of a user that were ever accepted."""
        if _PEER + user_id not in self._texts:
            return {}
        if user_id not in self._pins:
            self._pins[user_id] = self._read_pins(user_id)
        return dict(self._pins[user_id])

    async def set_pins(self, user_id: str, pins: Mapping[str, Pin]) -> None:
        """Keep what is said of devices."""
        members = {each: [pin.device.entry, pin.state] for each, pin in pins.items()}
        await self._set(_PEER + user_id, json.dumps(members))
        self._pins[user_id] = dict(pins)

    def _read_pins(self, user_id: str) -> dict[str, Pin]:
        pins = {}
        try:
            for device_id, (entry, state) in self._read(_PEER + user_id).items():
                device = read_device(user_id, device_id, entry)
                if device is None or state not in _STATES:
                    raise ValueError(f"there is no device {entry!r}, {state!r}")
                pins[device_id] = Pin(device, state)
        except (AttributeError, TypeError, ValueError) as error:
            raise DamagedStore(f"what is kept of {user_id!r} cannot be read: {error}") from error
        return pins

    def _read(self, key: str) -> dict[str, Any]:
        members = json.loads(self._texts[key])
        if not isinstance(members, dict):
            raise ValueError(f"{key!r} is no object")
        return members

    async def _set(self, key: str, text: str) -> None:
        await anyio.to_thread.run_sync(self._store.set, key, text, limiter=self._in_thread)
        self._texts[key] = text


def without(pins: Mapping[str, Pin], *, but: Iterable[str]) -> dict[str, Pin]:
    """All of them, and those gone that are not among ``but``."""
    there = {*but}
    return {
        each: pin if each in there else pin._replace(state="gone") for each, pin in pins.items()
    }
