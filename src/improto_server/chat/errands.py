"""One thing done, then the end: `improto send`, `listen` and `history`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import anyio

from improto_server.chat.lines import message_line
from improto_server.chat.progress import bar, counter
from improto_server.chat.records import json_line, message_record, sent_record
from improto_server.chat.running import FAILURE, SUCCESS
from improto_server.chat.targets import is_room, target_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from pathlib import Path

    from improto.messages import Conversation
    from improto_client import Im, Message
    from improto_server.chat.access import Access
    from improto_server.chat.painting import Painter

    Write = Callable[[str], None]
    """Takes a line without its end."""

PAGE: Final = 100
"""Messages that are asked for at once: as many as servers give (operations 5)."""


class Writer:
    """Writes messages as people or programs want them."""

    def __init__(self, write: Write, painter: Painter, *, as_json: bool) -> None:
        self._write = write
        self._painter = painter
        self._as_json = as_json

    def message(self, message: Message, *, with_signals: bool = True) -> bool:
        """Write a message; False if it is none that people read, and not wanted."""
        line = message_line(message)
        if line is None and not with_signals:
            return False
        if self._as_json:
            self._write(json_line(message_record(message)))
        elif line is not None:
            self._write(self._painter.plain(line))
        return True


async def send(
    access: Access, target: Conversation, what: str | Path, *, write: Write | None
) -> int:
    """Send a text or a file; ``write`` gets a record of it."""
    async with access.connect() as im:
        await enter(im, [target])
        if isinstance(what, str):
            sent = await im.messages.send(target, what)
        else:
            with bar(what.name) as progress:
                sent = await im.files.send(target, what, progress=progress)
    if write is not None:
        write(json_line(sent_record(sent)))
    return SUCCESS


async def listen(
    access: Access,
    writer: Writer,
    *,
    rooms: Sequence[Conversation] = (),
    count: int | None = None,
    seconds: float | None = None,
    only_new: bool = False,
    with_signals: bool = False,
) -> int:
    """Write what comes, up to so many messages and for so many seconds.

    Fails if there are fewer than ``count`` when the time is over.
    """
    left = math.inf if count is None else count
    async with access.connect() as im:
        await enter(im, rooms)
        with anyio.move_on_after(math.inf if seconds is None else seconds):
            async for message in im.messages:
                if only_new and message.is_offline:
                    continue
                left -= writer.message(message, with_signals=with_signals)
                if left <= 0:
                    break
    return SUCCESS if count is None or left <= 0 else FAILURE


async def history(
    access: Access, writer: Writer, target: Conversation, *, limit: int | None
) -> int:
    """Write what was said, oldest first: the last ``limit`` messages, or all of them."""
    async with access.connect() as im:
        if limit is None:
            with counter(f"messages of {target_text(target)}") as count:
                async for message in im.messages.history(target, after=0, page=PAGE):
                    writer.message(message)
                    count()
        else:
            for message in await last(im, target, limit):
                writer.message(message)
    return SUCCESS


async def last(im: Im, target: Conversation, count: int) -> list[Message]:
    """The last messages of a conversation, oldest first."""
    newest = im.messages.history(target, page=min(count, PAGE))
    found = [message async for message in _first(newest, count)]
    return found[::-1]


async def _first(messages: AsyncIterator[Message], count: int) -> AsyncIterator[Message]:
    async for message in messages:
        yield message
        count -= 1
        if count <= 0:
            return


async def enter(im: Im, targets: Iterable[Conversation]) -> None:
    """Go into the rooms among these; nobody may speak or listen from outside."""
    for target in targets:
        if is_room(target):
            await im.chatrooms.join(target.target_id, history=0)
