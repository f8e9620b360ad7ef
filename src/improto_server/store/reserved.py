"""Up to which time anything may have been told to a client, besides the times of messages.

A server that starts begins after it, so that nothing new seems to be old to a client or a mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func

from improto_server.store.schema import reserved

if TYPE_CHECKING:
    from sqlalchemy import Connection


def note(connection: Connection, *, time: int) -> None:
    """Times up to this one may be told, if not even later ones."""
    later = reserved.update().values(time=func.max(reserved.c.time, time))
    if not connection.execute(later).rowcount:
        connection.execute(reserved.insert().values(time=time))
