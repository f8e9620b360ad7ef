"""All tables. Each capability has its own in a module of its own; this one knows them all.

Who adds such a module names it here: a new file is made, and an older one brought up to date,
with the tables that :data:`metadata` has.
"""

from __future__ import annotations

from improto_server.store import (
    chatrooms,
    edits,
    events,
    friends,
    group_applications,
    group_receipts,
    managed_groups,
    presence,
    public_services,
    recalls,
    receipts,
    relations,
    rosters,
    settings,
    subscriptions,
    unread,
    user_profiles,
    users,
    views,
)
from improto_server.store.schema import metadata

__all__ = [
    "chatrooms",
    "edits",
    "events",
    "friends",
    "group_applications",
    "group_receipts",
    "managed_groups",
    "metadata",
    "presence",
    "public_services",
    "recalls",
    "receipts",
    "relations",
    "rosters",
    "settings",
    "subscriptions",
    "unread",
    "user_profiles",
    "users",
    "views",
]
