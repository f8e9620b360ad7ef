"""What was said in an app, hour by hour, for the application to fetch (rest 6).

No files are kept: what is in history is put together while it is fetched. So an hour has what was
stored in it and was not recalled since, and what the application deletes is only this view of it;
clients go on reading their history.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from improto import payloads
from improto.codes import ConversationType
from improto_server.store import archives as table
from improto_server.store.archives import Cursor

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock
    from improto_server.services.data import Data
    from improto_server.store.archives import Said

__all__ = ["HOUR", "Archives", "Cursor"]

HOUR: Final = 60 * 60 * 1000
"""In milliseconds."""

KEPT: Final = 3 * 24 * HOUR
"""For how long after its end an hour can be fetched, in milliseconds (rest 6)."""


class Archives:
    """The service, for the application's own server. Hours are named by when they begin."""

    def __init__(self, data: Data, clock: MessageClock) -> None:
        self._data = data
        self._clock = clock

    async def is_there(self, app: str, start: int) -> bool:
        """Whether an hour can be fetched.

        It must be over for not too long, have messages, and not be deleted.
        """
        end = start + HOUR
        if not end <= self._clock.now() < end + KEPT:
            return False
        if await self._data.read(partial(table.is_deleted, app=app, start=start)):
            return False
        cursor: Cursor | None = Cursor(start)
        while cursor is not None:
            page = await self._data.read(partial(table.said, app=app, cursor=cursor, end=end))
            if page.messages:
                return True
            cursor = page.cursor
        return False

    async def delete(self, app: str, start: int) -> None:
        """An hour cannot be fetched any more; harmless if it cannot be fetched anyway."""
        before = self._clock.now() - KEPT - HOUR
        await self._data.write(partial(table.forget, app=app, start=start, before=before))

    async def lines(
        self, app: str, start: int, cursor: Cursor, *, written: Callable[[int], str]
    ) -> tuple[bytes, Cursor | None]:
        """Some messages of an hour, each a line of JSON, and where to go on; None at the end.

        ``written``: a time in words.
        """
        return await self._data.read(
            partial(_lines, app=app, end=start + HOUR, cursor=cursor, written=written)
        )


def _lines(
    connection: Connection,
    *,
    app: str,
    end: int,
    cursor: Cursor,
    written: Callable[[int], str],
) -> tuple[bytes, Cursor | None]:
    page = table.said(connection, app=app, cursor=cursor, end=end)
    lines = [msgspec.json.encode(_shown(app, each, written)) for each in page.messages]
    return b"".join(line + b"\n" for line in lines), page.cursor


def _shown(app: str, said: Said, written: Callable[[int], str]) -> dict[str, Any]:
    content = payloads.decode(payloads.DownStreamMessage, said.item).content
    try:
        shown = msgspec.json.decode(content)
    except (msgspec.DecodeError, ValueError, RecursionError):
        shown = content.decode(errors="replace")
    return {
        "appId": app,
        "fromUserId": said.sender,
        "targetId": said.target,
        "targetType": said.type,
        "GroupId": said.target if said.type == ConversationType.GROUP else "",
        "classname": said.object_name,
        "content": shown,
        "dateTime": f"{written(said.time)}.{said.time % 1000:03}",
        "timestamp": said.time,
        "msgUID": said.uid,
        "source": "",
        "isSensitiveWord": False,
    }
