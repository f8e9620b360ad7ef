"""Where a server keeps what is not in its database: beside it, under names that begin with its.

One place, because whoever copies a store has to find the same as whoever fills it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def files_directory(database: Path, chosen: str) -> Path:
    """Uploaded files. ``chosen``: what ``uploads.directory`` says, empty for nothing."""
    return database.parent / (chosen or f"{database.name}-files")


def portraits_directory(database: Path) -> Path:
    """Portraits of accounts; it is made with the first."""
    return database.with_name(f"{database.name}-portraits")


def robot_memory(database: Path, app_key: str) -> Path:
    """The file in which an app's robot keeps what it has read."""
    return database.with_name(f"{database.name}-{app_key}-robot")
