"""All tables. Each capability has its own in a module of its own; this one knows them all.

Who adds such a module names it here: a new file is made, and an older one brought up to date,
with the tables that :data:`metadata` has.
"""

from __future__ import annotations

from improto_server.store import (
    chatrooms,
    group_receipts,
    presence,
    public_services,
    recalls,
    relations,
    rosters,
    settings,
    users,
    views,
)
from improto_server.store.schema import metadata

__all__ = [
    "chatrooms",
    "group_receipts",
    "metadata",
    "presence",
    "public_services",
    "recalls",
    "relations",
    "rosters",
    "settings",
    "users",
    "views",
]
