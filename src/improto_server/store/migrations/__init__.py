"""Bringing the tables of older versions up to date.

A new file is made in one go and says that it has the newest revision. An older one takes one
step after the other, each a module in ``versions``, with Alembic. Rules:

* Who changes the tables adds a revision here, and its name to :data:`REVISIONS`. A revision that
  was in a release is never changed.
* Steps go forward only, all of them in the one transaction of the caller: a file is as it was or
  up to date, whatever happens. The way back is a copy of the file.
* A step has its own picture of the tables, written out. It must not import those of today, which
  go on changing.

Alembic takes a tenth of a second to import, so that is done only when there is a step to take.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config
    from sqlalchemy import Connection

REVISIONS: Final = ("0001", "0002", "0003", "0004")
"""All there are, in order. The first one is the tables of version 0.1.0."""

HEAD: Final = REVISIONS[-1]
"""The revision of the tables as :mod:`improto_server.store.schema` has them."""


def configuration(connection: Connection) -> Config:
    """What Alembic needs to know to work on a connection, inside its transaction."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "improto_server.store:migrations")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, revision: str) -> None:
    """Bring tables of ``revision``, one of :data:`REVISIONS`, to :data:`HEAD`."""
    with _quietly():
        from alembic import command

        config = configuration(connection)
        # A file of the first release does not say what it has; of others this changes nothing.
        command.stamp(config, revision)
        command.upgrade(config, HEAD)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep Alembic from logging a dozen lines that say nothing to an operator."""
    logger = logging.getLogger("alembic")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
