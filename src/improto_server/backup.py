"""Copies of all that a server keeps, made while it runs, and their way back.

A backup is a directory: the database in one file, and beside it uploaded files, portraits and
what the robots remember. The database is read in one piece, as it is at that moment; what it
speaks of was there before, so the files are copied after it. The directory gets its name when
all of it is on the disk: what has the name is whole.

To restore deletes nothing: what was there keeps lying beside, under another name.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from improto_server.config import StorageKind
from improto_server.places import files_directory, portraits_directory, robot_memory
from improto_server.store import StoreError
from improto_server.store.database import failure, path_of, revision_of, unused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from improto_server.config import Settings

DATABASE: Final = "messages.db"
FILES: Final = "files"
PORTRAITS: Final = "portraits"
ROBOTS: Final = "robots"

_UNFINISHED: Final = "incoming"
"""Where :mod:`improto_server.files.disk` writes what is not a file yet."""


class BackupError(Exception):
    """It cannot be done; the text says why. Nothing has changed then."""


def back_up(settings: Settings, target: Path, *, with_files: bool = True) -> None:
    """Copy what a server with these settings keeps into the new directory ``target``.

    The server may run and is not disturbed. Without ``with_files`` uploaded files stay out.
    Raises BackupError if there is no store or ``target`` is there already, StoreError and OSError.
    """
    database = path_of(settings.store.url)
    if not database.is_file():
        raise BackupError(f"there is no store {database}")
    if target.exists():
        raise BackupError(f"{target} is there already; a backup is a new directory")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _copy_database(database, fresh / DATABASE)
        for source, name in _beside(settings, database, with_files=with_files):
            if source.exists():
                (fresh / name).parent.mkdir(exist_ok=True)
                _copy(source, fresh / name)
        # All of them at once: there may be many files.
        os.sync()
        fresh.rename(target)
    except BaseException:
        shutil.rmtree(fresh)
        raise


def restore(settings: Settings, source: Path, *, stamp: str) -> list[Path]:
    """Put a backup where a server with these settings looks for its store.

    What is there gets a name that ends in ``-before-`` and ``stamp``; these names are returned.
    Of what the backup does not have, nothing is touched. Raises BackupError if ``source`` is no
    backup, StoreError (one of them: a server is running) and OSError.
    """
    _check(source / DATABASE)
    with unused(settings.store.url) as database:
        pairs = [
            (source / name, place)
            for place, name in _beside(settings, database, with_files=True)
            if (source / name).exists()
        ]
        # The last to change its name: without it, the server knows of nothing else.
        pairs.append((source / DATABASE, database))
        staged = [(place.with_name(f"{place.name}-restoring"), place) for _, place in pairs]
        try:
            for (copied, _), (stage, _) in zip(pairs, staged, strict=True):
                _remove(stage)
                stage.parent.mkdir(parents=True, exist_ok=True)
                _copy(copied, stage)
            os.sync()
        except BaseException:
            for stage, _ in staged:
                _remove(stage)
            raise
        kept = []
        for stage, place in staged:
            kept += _move_away(place, stamp)
            stage.rename(place)
        os.sync()
        return kept


def _beside(settings: Settings, database: Path, *, with_files: bool) -> Iterator[tuple[Path, str]]:
    """Where everything is that is not in the database, and what it is called in a backup."""
    if with_files and settings.uploads.storage is StorageKind.LOCAL:
        yield files_directory(database, settings.uploads.directory), FILES
    yield portraits_directory(database), PORTRAITS
    for app in settings.apps:
        yield robot_memory(database, app.key), f"{ROBOTS}/{app.key}"


def _check(path: Path) -> None:
    """Raise BackupError if this is not a whole database of a server."""
    if not path.is_file():
        raise BackupError(f"{path.parent} is no backup: there is no {path.name} in it")
    try:
        if revision_of(path) is None:
            raise BackupError(f"{path} is empty")
        with closing(sqlite3.connect(path)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except StoreError as error:
        raise BackupError(str(error).replace("the store ", "", 1)) from error
    except sqlite3.Error as error:
        raise BackupError(str(failure(path, error)).replace("the store ", "", 1)) from error
    if found != "ok":
        raise BackupError(f"{path} is damaged: {found}")


def _copy_database(source: Path, target: Path) -> None:
    """In one step: others may write meanwhile, and none of that gets in."""
    try:
        with (
            closing(sqlite3.connect(f"{source.as_uri()}?mode=rw", uri=True)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing)
            # One file, which can be read where nothing may be written.
            writing.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise failure(source, error) from error
    _check(target)


def _copy(source: Path, target: Path) -> None:
    """A file, or a directory of :class:`improto_server.files.disk.Disk`."""
    if source.is_file():
        shutil.copy2(source, target)
        return
    target.mkdir()
    for group in source.iterdir():
        if group.name == _UNFINISHED:
            continue
        (target / group.name).mkdir()
        for entry in group.iterdir():
            try:
                shutil.copytree(entry, target / group.name / entry.name)
            except (shutil.Error, FileNotFoundError):
                if entry.exists():
                    raise
                # Deleted meanwhile; half of it is worse than nothing.
                shutil.rmtree(target / group.name / entry.name, ignore_errors=True)


def _move_away(place: Path, stamp: str) -> list[Path]:
    """Give what is there another name. A log of SQLite must never lie beside another database."""
    place.with_name(f"{place.name}-shm").unlink(missing_ok=True)
    aside = place.with_name(f"{place.name}-before-{stamp}")
    for ending in ("-wal", ""):
        here = place.with_name(f"{place.name}{ending}")
        if here.exists():
            here.rename(aside.with_name(f"{aside.name}{ending}"))
    return [aside] if aside.exists() else []


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
