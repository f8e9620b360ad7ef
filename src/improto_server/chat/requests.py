"""What a person asks for with a command: done with the client, shown by the view."""

from __future__ import annotations

import itertools
import re
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from improto_client import ImError
from improto_server.chat.inputs import (
    Join,
    Leave,
    Mistake,
    Pick,
    Recall,
    SaveFile,
    Search,
    SendFile,
    ShowConversations,
    ShowHelp,
    ShowHistory,
    ShowMore,
    ShowWho,
    TalkTo,
)
from improto_server.chat.printable import one_line
from improto_server.chat.targets import is_private, is_room, target_text
from improto_server.chat.view import Transfer
from improto_server.chat.wording import error_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from improto.messages import Conversation
    from improto_client import Im
    from improto_client.messages import History
    from improto_server.chat.inputs import Action
    from improto_server.chat.view import Download, View

MOST_LISTED: Final = 50
"""Conversations that are shown: what fits onto a screen or two. Ours."""

MOST_FOUND: Final = 20
"""Messages that a search shows. Ours."""

LONGEST_NAME: Final = 200
"""Bytes of a file's name that the sender has chosen, of which its ending stays. Ours; file systems
have room for 255."""


class Requests:
    """Everything but saying something. Errors are shown and end nothing."""

    def __init__(self, im: Im, view: View) -> None:
        self._im = im
        self._view = view
        self._history: tuple[Conversation, History] | None = None
        self._numbers = itertools.count()

    async def do(self, action: Action) -> None:
        """Do what was asked for."""
        try:
            await self._do(action)
        except (ImError, OSError) as error:
            self._view.error(error_text(error))

    async def _do(self, action: Action) -> None:
        view = self._view
        match action:
            case TalkTo():
                self._talk_to(action.target)
            case Pick():
                self._pick(action.number)
            case ShowConversations():
                view.conversations(await self._im.conversations.list(count=MOST_LISTED))
            case Join():
                await self._im.chatrooms.join(action.room.target_id)
                view.talk_to(action.room)
                await self._show_members(action.room)
            case ShowWho():
                await self._show_who()
            case ShowHelp():
                view.help()
            case SaveFile():
                await self._save_file(action)
            case Search():
                found = await self._im.local.search(action.text, count=MOST_FOUND)
                view.found(action.text, [each.message for each in found[::-1]])
            case Mistake():
                view.error(action.hint)
            case _ if view.peer is None:
                view.error("whom to? /to TARGET")
            case _:
                await self._do_here(action, view.peer)

    async def _do_here(self, action: Action, here: Conversation) -> None:
        match action:
            case Leave():
                await self._leave(here)
            case ShowHistory():
                pages = self._im.messages.history(here, page=action.count)
                self._history = here, pages
                await self._show_page(here, pages)
            case ShowMore():
                await self._show_more(here)
            case SendFile():
                await self._send_file(here, action.path)
            case Recall():
                await self._recall(here)

    # -- where -----------------------------------------------------------------------

    def _talk_to(self, target: Conversation) -> None:
        self._view.talk_to(target)
        if is_room(target) and target.target_id not in self._im.chatrooms.joined:
            self._view.notice(f"you are not in this room yet: /join {target.target_id}")

    def _pick(self, number: int) -> None:
        listed = self._view.listed
        if number > len(listed):
            self._view.error(f"there is no #{number}; /conversations shows what there is")
        else:
            self._talk_to(listed[number - 1])

    async def _leave(self, here: Conversation) -> None:
        if not is_room(here):
            self._view.error(f"{target_text(here)} is no chatroom")
            return
        await self._im.chatrooms.quit(here.target_id)
        self._view.notice(f"you have left {target_text(here)}")

    # -- who -------------------------------------------------------------------------

    async def _show_who(self) -> None:
        view, peer = self._view, self._view.peer
        view.who()
        if peer is None:
            return
        if is_private(peer):
            status = await self._im.presence.get(peer.target_id)
            platforms = f" ({', '.join(status.platforms)})" if status.platforms else ""
            there = "online" if status.is_online else "away"
            view.notice(f"{peer.target_id} is {there}{platforms}")
        elif is_room(peer):
            await self._show_members(peer)

    async def _show_members(self, room: Conversation) -> None:
        info = await self._im.chatrooms.info(room.target_id)
        names = ", ".join(user for user, _ in info.members)
        more = ", ..." if info.total > len(info.members) else ""
        people = "1 person is" if info.total == 1 else f"{info.total} people are"
        self._view.notice(f"{people} in {target_text(room)}: {names}{more}")

    # -- what was said ---------------------------------------------------------------

    async def _show_page(self, here: Conversation, pages: History) -> None:
        newest_first = await pages.next_page()
        self._view.history(here, newest_first[::-1], has_more=pages.has_more)

    async def _show_more(self, here: Conversation) -> None:
        if self._history is None or self._history[0] != here:
            self._view.error("more of what? /history begins")
        elif not self._history[1].has_more:
            self._view.notice("there is no more")
        else:
            await self._show_page(*self._history)

    async def _recall(self, here: Conversation) -> None:
        sent = self._view.last_sent(here)
        if sent is None:
            self._view.error(f"you have said nothing to {target_text(here)} in this chat")
            return
        await self._im.messages.recall(sent)
        self._view.recalled(sent)

    # -- files -----------------------------------------------------------------------

    async def _send_file(self, here: Conversation, path: Path) -> None:
        with self._under_way(path.name) as progress:
            sent = await self._im.files.send(here, path, progress=progress)
        self._view.file_sent(sent, path.name)

    async def _save_file(self, action: SaveFile) -> None:
        file = self._view.file(action.number)
        if file is None:
            self._view.error(f"there is no file #{action.number}")
            return
        path = action.path or Path(file_name(file))
        if path.exists():
            # Somebody else has chosen the name, and nothing of ours shall be lost by that.
            self._view.error(f"{path} is there already; /save {action.number} NAME")
            return
        with self._under_way(path.name) as progress:
            await self._im.files.download(file.url, path, progress=progress)
        self._view.notice(f"saved as {path}")

    @contextmanager
    def _under_way(self, name: str) -> Iterator[Callable[[int, int | None], None]]:
        number = next(self._numbers)
        self._view.transfer(number, Transfer(name=name))

        def progress(done: int, total: int | None) -> None:
            self._view.transfer(number, Transfer(name=name, done=done, total=total))

        try:
            yield progress
        finally:
            self._view.transfer(number, None)


def file_name(file: Download) -> str:
    """A name for a file in the current directory; others choose it, so it is only that."""
    name = file.name or unquote(PurePosixPath(urlsplit(file.url).path).name)
    name = re.sub(r"[/\\:]", "_", one_line(name)).strip(" .")
    return name.encode()[-LONGEST_NAME:].decode(errors="ignore").lstrip(" .") or "file"
