"""Where a client keeps what it receives and sends: in memory, in a file, or in a class of yours."""

from improto_client.store.base import (
    ConversationRecord,
    ReceivedStatus,
    Record,
    SentStatus,
    Store,
)
from improto_client.store.conformance import check
from improto_client.store.memory import MemoryStore
from improto_client.store.sqlite import SqliteStore

__all__ = [
    "ConversationRecord",
    "MemoryStore",
    "ReceivedStatus",
    "Record",
    "SentStatus",
    "SqliteStore",
    "Store",
    "check",
]
