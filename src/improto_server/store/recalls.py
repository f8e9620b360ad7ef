"""Messages that were taken back, and messages that are changed after they were sent.

A message that is taken back leaves a tombstone: its row stays in its place with its number and
without a body, so that nothing that counts rows has to be counted again. Readers skip rows
without a body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import BigInteger, Column, Integer, Table, bindparam, text, update
from sqlalchemy.dialects import sqlite

from improto.codes import ConversationType
from improto.contents import UpFlag
from improto_server.store import names
from improto_server.store.schema import FOREVER, RECEIVED, messages, metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

recalls = Table(
    "recalls",
    metadata,
    Column("conversation", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, primary_key=True, autoincrement=False),
    Column("is_counted", Integer, nullable=False, comment="0 or 1"),
    Column("recalled_by", BigInteger, nullable=False, comment="a user"),
    comment="which messages were taken back, by whom",
    sqlite_with_rowid=False,
)

# A uid tells the time of its message, so no index of uids is needed. Few messages of the whole
# server have the same time.
_FIND = text(
    """
    SELECT messages.id, users.name AS sender, flags, in_history, in_stream, object_name, item,
        (SELECT name FROM recalls JOIN users ON users.id = recalled_by
            WHERE recalls.conversation = :place AND recalls.time = :time) AS recalled_by
    FROM messages JOIN users ON users.id = messages.sender
    WHERE in_history IN (0, 1) AND messages.time = :time AND +messages.conversation = :place
    AND uid = :uid
    """
)
_ITEM = text(
    """
    SELECT item FROM messages JOIN conversations ON conversations.id = messages.conversation
    WHERE in_history IN (0, 1) AND messages.time = :time AND uid = :uid AND app = :app
    """
)
_NAMED = text(
    f"""
    SELECT name FROM memberships JOIN users ON users.id = member
    WHERE memberships.conversation = :place AND until = {FOREVER}
    AND EXISTS (SELECT 1 FROM boxes WHERE owner = member AND direction = {RECEIVED}
        AND boxes.time = :time AND message = :row)
    """
)
_BURY = update(messages).where(messages.c.id == bindparam("row")).values(item=b"", in_stream=0)
_ADD = sqlite.insert(recalls).on_conflict_do_nothing()
_REWRITE = update(messages).where(messages.c.id == bindparam("row")).values(item=bindparam("body"))
_GROUPS: Final = frozenset({ConversationType.GROUP, ConversationType.DISCUSSION})
_COUNTED: Final = int(UpFlag.STORED | UpFlag.COUNTED)


class Original(NamedTuple):
    """A message that somebody wants to take back or change."""

    id: int
    conversation: int
    time: int
    sender: str
    flags: int
    """:class:`improto.contents.UpFlag` bits."""
    in_history: bool
    object_name: str
    item: bytes
    """The encoded DownStreamMessage; empty if it was taken back."""
    recalled_by: str | None
    """Who has taken it back, if somebody has."""
    named: list[str] | None
    """If it was for some members of a group only: who of them is still in; else None."""


def find(
    connection: Connection, *, app: str, user: str, type: int, target: str, uid: str, time: int
) -> Original | None:
    """The message ``uid`` of the conversation that ``user`` has with ``target``."""
    place = names.conversation_id(connection, app, type, user, target)
    if place is None:
        return None
    row = connection.execute(_FIND, {"place": place, "time": time, "uid": uid}).one_or_none()
    if row is None:
        return None
    named: list[str] | None = None
    if type in _GROUPS and not row.in_history and not row.in_stream:
        key = {"place": place, "time": time, "row": row.id}
        named = [*connection.scalars(_NAMED, key)]
    return Original(
        id=row.id,
        conversation=place,
        time=time,
        sender=row.sender,
        flags=row.flags,
        in_history=bool(row.in_history),
        object_name=row.object_name,
        item=row.item,
        recalled_by=row.recalled_by,
        named=named,
    )


def item(connection: Connection, *, app: str, uid: str, time: int) -> bytes:
    """The encoded DownStreamMessage ``uid`` of an app; empty if there is none, or not any more."""
    found = connection.scalar(_ITEM, {"app": app, "uid": uid, "time": time})
    return found or b""


def bury(connection: Connection, *, app: str, user: str, original: Original) -> None:
    """Take a message back for ``user``; nothing happens if it was taken back before."""
    is_counted = original.in_history and original.flags & _COUNTED == _COUNTED
    added = connection.execute(
        _ADD,
        {
            "conversation": original.conversation,
            "time": original.time,
            "is_counted": int(is_counted),
            "recalled_by": names.ensure_user(connection, app, user),
        },
    )
    if added.rowcount:
        connection.execute(_BURY, {"row": original.id})


def rewrite(connection: Connection, original: Original, item: bytes) -> None:
    """Give a message another body; the old one is what pulls have brought so far."""
    connection.execute(_REWRITE, {"row": original.id, "body": item})
