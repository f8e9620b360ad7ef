"""A store in one SQLite file.

Rules:

* One connection, one process: the file is locked while it is open. Who comes second is told so.
* The journal is a write-ahead log that is not forced to the disk with every transaction. So the
  death of the program loses nothing; a machine that loses its power may lose the last seconds,
  but messages together with their cursors, so that the server brings them again.
* Searching is looking up groups of three characters. Each text ends in two that nobody types,
  so that one or two characters are the beginning of such a group, and are looked up as well.
* A table is made as the newest version has it; ``_UPGRADES`` leads older files there.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from improto.frames import MessageUid, TimeMs
from improto.messages import ChatMessage, Conversation, MessageDirection, conversation_type
from improto_client.errors import DamagedStore, LockedStore, NewerStore, StoreError, UnusableStore
from improto_client.store.base import (
    PASSING_KEPT,
    ConversationRecord,
    ReceivedStatus,
    Record,
    SentStatus,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

_APPLICATION: Final = 0x696D7072
"""Marks files of ours, in their header ("impr")."""

_END: Final = "\x1f\x1f"
"""Behind every text that is searched."""

_LARGEST_CHARACTER: Final = "\U0010ffff"

_SCHEMA: Final = """
CREATE TABLE texts (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, text TEXT NOT NULL,
    UNIQUE (kind, key)
);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, type INTEGER NOT NULL, target TEXT NOT NULL,
    sender TEXT NOT NULL, direction INTEGER NOT NULL, object_name TEXT NOT NULL,
    content BLOB NOT NULL, uid TEXT UNIQUE, time INTEGER NOT NULL, status INTEGER NOT NULL,
    is_offline INTEGER NOT NULL, unique_id INTEGER, extra_content TEXT, is_kept INTEGER NOT NULL,
    is_open INTEGER NOT NULL, is_counted INTEGER NOT NULL, received INTEGER NOT NULL,
    sent INTEGER, outgoing TEXT NOT NULL, text TEXT NOT NULL, extra TEXT NOT NULL
);
CREATE INDEX pages ON messages (type, target, time, id) WHERE is_kept;
CREATE INDEX times ON messages (time, id) WHERE is_kept;
CREATE INDEX own ON messages (unique_id) WHERE direction = 1 AND unique_id IS NOT NULL;
CREATE INDEX open ON messages (id) WHERE is_open;
CREATE INDEX passing ON messages (id) WHERE NOT is_kept AND NOT is_open;
CREATE TABLE conversations (
    type INTEGER NOT NULL, target TEXT NOT NULL, time INTEGER NOT NULL, unread INTEGER NOT NULL,
    read_time INTEGER NOT NULL, peer_read_time INTEGER NOT NULL, draft TEXT NOT NULL,
    is_pinned INTEGER NOT NULL, is_muted INTEGER NOT NULL, is_listed INTEGER NOT NULL,
    PRIMARY KEY (type, target)
) WITHOUT ROWID;
CREATE INDEX listed ON conversations (time) WHERE is_listed;
CREATE INDEX unread ON conversations (unread) WHERE unread;
CREATE VIRTUAL TABLE words
    USING fts5 (
        text, content = 'messages', content_rowid = 'id', tokenize = 'trigram', columnsize = 0
    );
CREATE VIRTUAL TABLE groups USING fts5vocab ('words', 'instance');
CREATE TRIGGER message_added AFTER INSERT ON messages WHEN new.text != '' BEGIN
    INSERT INTO words (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER message_removed AFTER DELETE ON messages WHEN old.text != '' BEGIN
    INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER text_changed AFTER UPDATE OF text ON messages WHEN new.text != old.text BEGIN
    INSERT INTO words (words, rowid, text)
        SELECT 'delete', old.id, old.text WHERE old.text != '';
    INSERT INTO words (rowid, text) SELECT new.id, new.text WHERE new.text != '';
END;
"""

_UPGRADES: Final[tuple[str, ...]] = ()
"""The script at place n makes version n + 2 out of version n + 1."""

VERSION: Final = len(_UPGRADES) + 1
"""Of the tables, in the header of a file."""

_MESSAGE: Final = (
    "type, target, sender, direction, object_name, content, uid, time, status, is_offline,"
    " unique_id, extra_content, is_kept, is_open, is_counted, received, sent,"
    " outgoing, text, extra"
)
_MARKS: Final = ", ".join("?" * len(_MESSAGE.split(",")))
_SELECT: Final = f"SELECT id, {_MESSAGE} FROM messages"
_INSERT: Final = f"INSERT INTO messages ({_MESSAGE}) VALUES ({_MARKS})"
_UPDATE: Final = f"UPDATE messages SET ({_MESSAGE}) = ({_MARKS}) WHERE id = ?"
_CONVERSATION: Final = (
    "type, target, time, unread, read_time, peer_read_time, draft, is_pinned, is_muted, is_listed"
)

_LOCKED: Final = {"SQLITE_BUSY", "SQLITE_LOCKED"}
_DAMAGED: Final = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}


class SqliteStore:
    """Keeps everything in one file, which is made if it does not exist.

    ``path`` may be a text or a path. Beside the file there are two more while it is open, whose
    names end in ``-wal`` and ``-shm``. Everything is kept until :meth:`clear` or :meth:`wipe`.
    """

    in_thread = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None

    # -- the file --------------------------------------------------------------------

    def open(self) -> None:
        """Open the file, or make it.

        Raises LockedStore, DamagedStore for what is no store, NewerStore, or UnusableStore.
        """
        try:
            # Calls come one at a time, but from any thread.
            database = sqlite3.connect(
                self._path, timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(database)
            except BaseException:
                database.close()
                raise
        except sqlite3.Error as error:
            raise self._named(error) from error
        self._database = database

    def _prepare(self, database: sqlite3.Connection) -> None:
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
            database.execute(f"PRAGMA {pragma}").fetchall()
        database.execute("BEGIN EXCLUSIVE")
        (mark,) = database.execute("PRAGMA application_id").fetchone()
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if mark != _APPLICATION and (mark or version or tables):
            raise DamagedStore(f"{self._path}: this is a file of another program")
        if version > VERSION:
            text = f"{self._path}: version {version}, and this program knows {VERSION} at most"
            raise NewerStore(text)
        scripts = _UPGRADES[version - 1 :] if version else (_SCHEMA,)
        for script in scripts:
            for statement in _statements(script):
                database.execute(statement)
        database.execute(f"PRAGMA application_id = {_APPLICATION}")
        database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _named(self, error: sqlite3.Error) -> StoreError:
        name = getattr(error, "sqlite_errorname", "") or ""
        text = f"{self._path}: {error}"
        if name in _LOCKED:
            return LockedStore(f"{self._path}: another client has it open")
        if name in _DAMAGED:
            return DamagedStore(text)
        return UnusableStore(text)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; StoreError if the file does not take it."""
        try:
            self._do("BEGIN")
            try:
                yield
                self._do("COMMIT")
            except BaseException:
                if self._open.in_transaction:
                    self._do("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._named(error) from error

    @property
    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            raise UnusableStore(f"{self._path}: it is not open")
        return self._database

    def _do(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self._open.execute(statement, values)

    def wipe(self) -> None:
        """Forget everything."""
        for table in ("texts", "messages", "conversations"):
            self._do(f"DELETE FROM {table}")

    # -- values ----------------------------------------------------------------------

    def value(self, kind: str, key: str) -> str | None:
        """One text."""
        row = self._do("SELECT text FROM texts WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        return None if row is None else row[0]

    def values(self, kind: str) -> dict[str, str]:
        """All texts of a kind."""
        return dict(self._do("SELECT key, text FROM texts WHERE kind = ? ORDER BY number", (kind,)))

    def set_value(self, kind: str, key: str, text: str | None) -> None:
        """Keep a text; None: no longer."""
        if text is None:
            self._do("DELETE FROM texts WHERE kind = ? AND key = ?", (kind, key))
        else:
            self._do(
                "INSERT INTO texts (kind, key, text) VALUES (?, ?, ?)"
                " ON CONFLICT (kind, key) DO UPDATE SET text = excluded.text",
                (kind, key, text),
            )

    # -- messages --------------------------------------------------------------------

    def add(self, record: Record) -> int:
        """Keep a message; now and then forget what has passed."""
        record.id = self._do(_INSERT, _row(record)).lastrowid or 0
        if record.id % PASSING_KEPT == 0:
            self._do(
                "DELETE FROM messages WHERE id IN (SELECT id FROM messages"
                " WHERE NOT is_kept AND NOT is_open ORDER BY id DESC LIMIT -1 OFFSET ?)",
                (PASSING_KEPT,),
            )
        return record.id

    def change(self, record: Record) -> None:
        """Put this in the place of the message with its id."""
        self._do(_UPDATE, (*_row(record), record.id))

    def settle(self, id: int, *, uid: str | None, time: int, sent: SentStatus) -> None:
        """The server has answered an own message."""
        self._do(
            "UPDATE messages SET uid = ?, time = ?, sent = ?, is_open = 0, outgoing = ''"
            " WHERE id = ?",
            (uid, time, int(sent), id),
        )

    def take(self, ids: Iterable[int]) -> None:
        """These are open no longer; those that only pass lose their contents."""
        for id in ids:
            self._do(
                "UPDATE messages SET is_open = 0, content = iif(is_kept, content, x'')"
                " WHERE id = ? AND is_open",
                (id,),
            )

    def remove(self, ids: Iterable[int]) -> None:
        """Forget messages."""
        self._open.executemany("DELETE FROM messages WHERE id = ?", [(id,) for id in ids])

    def _one(self, where: str, *values: Any) -> Record | None:
        row = self._do(f"{_SELECT} WHERE {where} LIMIT 1", values).fetchone()
        return None if row is None else _record(row)

    def _many(self, rest: str, *values: Any) -> list[Record]:
        return [_record(row) for row in self._do(f"{_SELECT} {rest}", values)]

    def message(self, id: int) -> Record | None:
        """The message with a number."""
        return self._one("id = ?", id)

    def by_uid(self, uid: str) -> Record | None:
        """The message with a uid."""
        return self._one("uid = ?", uid)

    def by_unique_id(self, unique_id: int) -> Record | None:
        """The own message with a unique id."""
        return self._one("unique_id = ? AND direction = 1", unique_id)

    def page(
        self, conversation: Conversation, *, before: tuple[int, int] | None, count: int
    ) -> list[Record]:
        """The newest kept messages, newest first."""
        earlier = "" if before is None else "AND (time, id) < (?, ?)"
        return self._many(
            f"WHERE is_kept AND type = ? AND target = ? {earlier} ORDER BY time DESC, id DESC"
            " LIMIT ?",
            *_place(conversation),
            *(before or ()),
            count,
        )

    def waiting(self) -> list[Record]:
        """All open messages."""
        return self._many("WHERE is_open ORDER BY id")

    def recent_uids(self, count: int) -> list[str]:
        """Uids of the newest messages."""
        rows = self._do(
            "SELECT uid FROM messages WHERE uid IS NOT NULL ORDER BY id DESC LIMIT ?", (count,)
        )
        return [uid for (uid,) in rows][::-1]

    def count(self, conversation: Conversation, *, after: int) -> int:
        """How many kept messages of others are counted and later than a time."""
        row = self._do(
            "SELECT count(*) FROM messages WHERE is_kept AND type = ? AND target = ? AND time > ?"
            " AND is_counted AND direction = 2",
            (*_place(conversation), after),
        ).fetchone()
        return int(row[0])

    def search(
        self,
        text: str,
        *,
        conversation: Conversation | None,
        sender_id: str | None,
        since: int,
        count: int,
    ) -> list[Record]:
        """Kept messages whose text contains this one, newest first."""
        conditions, values = ["is_kept", "time >= ?"], [since]
        found: list[Any]
        if len(text) < 3:
            low = text.lower()
            conditions.append("id IN (SELECT doc FROM groups WHERE term >= ? AND term < ?)")
            found = [low, low + _LARGEST_CHARACTER]
        else:
            conditions.append("id IN (SELECT rowid FROM words WHERE words MATCH ?)")
            found = ['"' + text.replace('"', '""') + '"']
        if conversation is not None:
            conditions += ["type = ?", "target = ?"]
            found += _place(conversation)
        if sender_id is not None:
            conditions.append("sender = ?")
            found.append(sender_id)
        return self._many(
            f"WHERE {' AND '.join(conditions)} ORDER BY time DESC, id DESC LIMIT ?",
            *values,
            *found,
            count,
        )

    def clear(self, conversation: Conversation | None, *, until: int | None) -> None:
        """Forget kept messages that are not open."""
        conditions = ["is_kept", "NOT is_open"]
        values: list[int | str] = []
        if conversation is not None:
            conditions += ["type = ?", "target = ?"]
            values += _place(conversation)
        if until is not None:
            conditions.append("time <= ?")
            values.append(until)
        self._do(f"DELETE FROM messages WHERE {' AND '.join(conditions)}", values)

    # -- conversations ---------------------------------------------------------------

    def conversation(self, conversation: Conversation) -> ConversationRecord | None:
        """One conversation."""
        row = self._do(
            f"SELECT {_CONVERSATION} FROM conversations WHERE type = ? AND target = ?",
            _place(conversation),
        ).fetchone()
        return None if row is None else _conversation(row)

    def set_conversation(self, record: ConversationRecord) -> None:
        """Keep a conversation."""
        self._do(
            f"REPLACE INTO conversations ({_CONVERSATION}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *_place(record.conversation),
                record.time,
                record.unread,
                record.read_time,
                record.peer_read_time,
                record.draft,
                record.is_pinned,
                record.is_muted,
                record.is_listed,
            ),
        )

    def conversations(self, *, count: int, before: int) -> list[ConversationRecord]:
        """Listed conversations, newest first."""
        earlier = "AND time < ?" if before else ""
        rows = self._do(
            f"SELECT {_CONVERSATION} FROM conversations WHERE is_listed {earlier}"
            " ORDER BY time DESC LIMIT ?",
            (*((before,) if before else ()), count),
        )
        return [_conversation(row) for row in rows]

    def unread(self) -> int:
        """Unread messages of all conversations together."""
        row = self._do("SELECT total(unread) FROM conversations WHERE unread").fetchone()
        return int(row[0])


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one; Python's own way would end the transaction."""
    begun = ""
    for line in script.splitlines(keepends=True):
        begun += line
        if sqlite3.complete_statement(begun):
            yield begun
            begun = ""


def _place(conversation: Conversation) -> tuple[int, str]:
    return int(conversation.type), conversation.target_id


def _row(record: Record) -> tuple[Any, ...]:
    raw = record.raw
    return (
        int(raw.conversation.type),
        raw.conversation.target_id,
        raw.sender_id,
        int(raw.direction),
        raw.object_name,
        raw.content,
        raw.uid,
        raw.time,
        raw.status,
        raw.is_offline,
        raw.unique_id,
        raw.extra_content,
        record.is_kept,
        record.is_open,
        record.is_counted,
        int(record.received),
        None if record.sent is None else int(record.sent),
        record.outgoing,
        record.text + _END if record.text and record.is_kept else "",
        record.extra,
    )


def _record(row: tuple[Any, ...]) -> Record:
    uid = row[7]
    return Record(
        id=row[0],
        raw=ChatMessage(
            conversation=Conversation(type=conversation_type(row[1]), target_id=row[2]),
            sender_id=row[3],
            direction=MessageDirection(row[4]),
            object_name=row[5],
            content=row[6],
            uid=None if uid is None else MessageUid(uid),
            time=TimeMs(row[8]),
            status=row[9],
            is_offline=bool(row[10]),
            unique_id=row[11],
            extra_content=row[12],
        ),
        is_kept=bool(row[13]),
        is_open=bool(row[14]),
        is_counted=bool(row[15]),
        received=ReceivedStatus(row[16]),
        sent=None if row[17] is None else SentStatus(row[17]),
        outgoing=row[18],
        text=row[19].removesuffix(_END),
        extra=row[20],
    )


def _conversation(row: tuple[Any, ...]) -> ConversationRecord:
    kind, target, time, unread, read_time, peer_read_time, draft, pinned, muted, listed = row
    return ConversationRecord(
        conversation=Conversation(type=conversation_type(kind), target_id=target),
        time=time,
        unread=unread,
        read_time=read_time,
        peer_read_time=peer_read_time,
        draft=draft,
        is_pinned=bool(pinned),
        is_muted=bool(muted),
        is_listed=bool(listed),
    )
