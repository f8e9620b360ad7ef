"""The server's memory: messages, inboxes, history.

:class:`Store` runs one thread that writes and one that reads. Queries for
:meth:`Store.read` are plain functions of a connection, see :mod:`improto_server.store.queries`.
"""

from improto_server.store.store import Store
from improto_server.store.values import (
    HistoryPage,
    InboxItem,
    InboxPage,
    NewMessage,
    Place,
    Stored,
    StoreError,
)

__all__ = [
    "HistoryPage",
    "InboxItem",
    "InboxPage",
    "NewMessage",
    "Place",
    "Store",
    "StoreError",
    "Stored",
]
