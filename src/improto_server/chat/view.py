"""What a chat looks like, as a state machine: no terminal, no network, no clock.

:mod:`improto_server.chat.link` and :mod:`.requests` tell the view what happens, a screen shows
what it says. Lines go out once and stay as they are; what changes afterwards (who is typing, what
waits to be sent, how far a file is) is drawn again each time.

Times are milliseconds of the server's clock if they belong to messages, and seconds of any
monotonic clock if they are called ``now``.
"""

from __future__ import annotations

import enum
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from improto.contents import ReadReceipt, Typing
from improto_server.chat.inputs import HELP
from improto_server.chat.lines import Fate, Line, Tone, message_line
from improto_server.chat.printable import one_line
from improto_server.chat.targets import is_private, target_text
from improto_server.chat.wording import counted, download_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from improto.messages import Conversation
    from improto_client import ConversationInfo, Message, Sent

TYPING_SHOWN: Final = 6.0
"""Seconds for which somebody is shown to be typing; who goes on says so again before."""

MOST_FILES: Final = 1000
"""Files that can be saved by their number; the oldest are forgotten. Ours."""

MOST_SENT: Final = 100
"""Messages of ours that can be taken back, per conversation. Ours."""

MOST_KNOWN: Final = 1000
"""Conversations that completion knows. Ours."""

_PREVIEW: Final = 60
"""Characters of a message in the list of conversations."""


class Connection(enum.Enum):
    """How the connection is."""

    ONLINE = "online"
    AWAY = "reconnecting"
    OVER = "over"


class Mark(enum.Enum):
    """What a part of the toolbar is, for its colour."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """A message that the server has not acknowledged."""

    target: Conversation
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A file that is on its way."""

    name: str
    done: int = 0
    """Bytes."""
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file in a message."""

    url: str
    name: str
    """What the sender calls it, if he says."""


class View:
    """The chat of one person. ``show`` gets each line, ``changed`` is called after the rest."""

    def __init__(
        self,
        *,
        server: str,
        user: str,
        peer: Conversation | None,
        show: Callable[[Line], None],
        changed: Callable[[], None],
    ) -> None:
        self.user = user
        """Who we are."""
        self.peer = peer
        """Where we talk."""
        self.waiting: dict[int, Unsent] = {}
        """What is not sent yet, by any number, oldest first."""
        self.transfers: dict[int, Transfer] = {}
        """Files that are under way, by any number."""
        self.refusals = 0
        """How many messages will never be sent."""
        self.connection = Connection.ONLINE
        self.listed: Sequence[Conversation] = ()
        """The conversations that were listed last."""
        self._server = server
        self._show = show
        self._changed = changed
        self._over = ""
        self._typing: dict[str, float] = {}
        self._writers: dict[str, None] = {}
        self._known: dict[str, None] = {}
        self._files: dict[int, Download] = {}
        self._files_seen = 0
        self._sent: dict[Conversation, deque[Sent]] = {}
        self._read_until: dict[str, int] = {}
        if peer is not None:
            self._know(peer)

    # -- the connection --------------------------------------------------------------

    def online(self) -> None:
        """The server has let us in."""
        self._connection_is(Connection.ONLINE)
        self.notice(f"you are {self.user}, online at {self._server}")

    def away(self) -> None:
        """There is no connection for now."""
        was_online = self.connection is Connection.ONLINE
        self._typing.clear()
        self._connection_is(Connection.AWAY)
        if was_online:
            # Once is enough; the toolbar tells the rest.
            self.notice("the connection is lost; trying again until it works")
            for unsent in self.waiting.values():
                self._show(self._own(Tone.WAITING, unsent))

    def over(self, reason: str) -> None:
        """There will be no connection any more."""
        self._over = reason
        self._typing.clear()
        self._connection_is(Connection.OVER)

    def _connection_is(self, connection: Connection) -> None:
        self.connection = connection
        self._changed()

    # -- messages --------------------------------------------------------------------

    def received(self, message: Message, *, now: float) -> bool:
        """A message came; True if it is one that a person reads."""
        content = message.content
        sender = message.sender_id
        if not message.is_mine and isinstance(content, Typing):
            if not message.is_offline:
                self._typing[sender] = now + TYPING_SHOWN
                self._changed()
            return False
        if not message.is_mine and isinstance(content, ReadReceipt):
            until = content.last_message_send_time or 0
            self._read_until[sender] = max(until, self._read_until.get(sender, 0))
            self._changed()
            return False
        line = message_line(message)
        if line is None:
            return False
        self._know(message.conversation)
        if not message.is_mine:
            self._typing.pop(sender, None)
            if sender not in self._writers and self.peer is None:
                self.notice(f"answer with /to {target_text(message.conversation)}")
            if len(self._writers) < MOST_KNOWN:
                self._writers[sender] = None
        self._show(self._numbered(message, line))
        return not message.is_mine

    def history(
        self, conversation: Conversation, messages: Iterable[Message], *, has_more: bool
    ) -> None:
        """Messages of a conversation, oldest first."""
        name = target_text(conversation)
        lines = self._past(messages)
        if not lines:
            self.notice(f"nothing has been said with {name}")
            return
        earlier = "/more shows earlier messages" if has_more else "this is where it begins"
        self.notice(f"history with {name}; {earlier}")
        for line in lines:
            self._show(line)
        self.notice("end of the history")

    def found(self, text: str, messages: Iterable[Message]) -> None:
        """Messages of any conversation with a text in them, oldest first."""
        lines = self._past(messages)
        self.notice(f"{counted(len(lines), 'message')} with {text!r}")
        for line in lines:
            self._show(line)

    def _past(self, messages: Iterable[Message]) -> list[Line]:
        found = ((message, message_line(message, Tone.PAST)) for message in messages)
        return [
            self._numbered(message, replace(line, fate=self._fate(message)))
            for message, line in found
            if line is not None
        ]

    def _fate(self, message: Message) -> Fate:
        if not message.is_mine:
            return Fate.UNKNOWN
        read = self._read_until.get(message.conversation.target_id, 0)
        is_read = is_private(message.conversation) and message.time <= read
        return Fate.READ if is_read else Fate.SENT

    def _numbered(self, message: Message, line: Line) -> Line:
        """With a number, if there is a file that can be saved."""
        found = download_of(message.content)
        if found is None:
            return line
        url, name = found
        self._files_seen += 1
        self._files[self._files_seen] = Download(url=url, name=name)
        self._files.pop(self._files_seen - MOST_FILES, None)
        return replace(line, number=self._files_seen, brief=line.text.removesuffix(f" {url}"))

    def file(self, number: int) -> Download | None:
        """The file with a number that was shown."""
        return self._files.get(number)

    # -- what we say -----------------------------------------------------------------

    def typed(self, number: int, unsent: Unsent) -> None:
        """A message was typed; ``sent`` or ``refused`` follows, perhaps much later."""
        self.waiting[number] = unsent
        if self.connection is not Connection.ONLINE:
            self._show(self._own(Tone.WAITING, unsent))
        self._changed()

    def sent(self, number: int, sent: Sent) -> None:
        """The server has a message."""
        self._show_sent(self.waiting.pop(number), sent)

    def file_sent(self, sent: Sent, name: str) -> None:
        """The server has a message with a file."""
        self._show_sent(Unsent(target=sent.conversation, text=f"[file] {name}"), sent)

    def _show_sent(self, unsent: Unsent, sent: Sent) -> None:
        self._sent.setdefault(unsent.target, deque(maxlen=MOST_SENT)).append(sent)
        self._show(replace(self._own(Tone.SENT, unsent), time=sent.time, fate=Fate.SENT))
        self._changed()

    def last_sent(self, conversation: Conversation) -> Sent | None:
        """The last message that was sent here in this chat and not taken back."""
        sent = self._sent.get(conversation)
        return sent[-1] if sent else None

    def recalled(self, sent: Sent) -> None:
        """A message was taken back."""
        with suppress(ValueError):
            self._sent[sent.conversation].remove(sent)
        self.notice("your last message is taken back")
        self._changed()

    def refused(self, number: int, reason: str) -> None:
        """A message will not be sent."""
        unsent = self.waiting.pop(number)
        self.refusals += 1
        self.error(f"not sent to {target_text(unsent.target)}: {reason}")
        self._changed()

    def _own(self, tone: Tone, unsent: Unsent) -> Line:
        return Line(
            tone=tone, text=unsent.text, speaker=self.user, target=target_text(unsent.target)
        )

    def transfer(self, number: int, transfer: Transfer | None) -> None:
        """A file is so far; None: it is there, or never will be."""
        if transfer is None:
            self.transfers.pop(number, None)
        else:
            self.transfers[number] = transfer
        self._changed()

    # -- the person ------------------------------------------------------------------

    def talk_to(self, target: Conversation) -> None:
        """From now on messages go somewhere else."""
        self.peer = target
        self._know(target)
        self.notice(f"you talk to {target_text(target)}")
        self._changed()

    def conversations(self, listed: Sequence[ConversationInfo]) -> None:
        """The conversations, newest first."""
        self.listed = [each.conversation for each in listed]
        if not listed:
            self.notice("there are no conversations yet")
            return
        for each in listed:
            self._know(each.conversation)
        entries = [_entry(number, each) for number, each in enumerate(listed, 1)]
        self.notice("\n".join(("pick one with /to #N:", *entries)))

    def who(self) -> None:
        """Say who is talking."""
        peer = "nobody (/to TARGET)" if self.peer is None else target_text(self.peer)
        self.notice(
            f"you are {self.user} at {self._server}, {self.connection.value}; you talk to {peer}"
        )
        if self._writers:
            self.notice(f"messages have come from {', '.join(self._writers)}")

    def help(self) -> None:
        """Say what can be typed."""
        self.notice(HELP)

    def notice(self, text: str) -> None:
        """Something worth knowing."""
        self._show(Line(tone=Tone.NOTICE, text=text))

    def error(self, text: str) -> None:
        """Something that went wrong."""
        self._show(Line(tone=Tone.ERROR, text=text))

    @property
    def known(self) -> list[str]:
        """Conversations that can be typed, the newest first."""
        return [*self._known][::-1]

    def _know(self, conversation: Conversation) -> None:
        name = target_text(conversation)
        self._known.pop(name, None)
        self._known[name] = None
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]

    # -- what is drawn again and again -----------------------------------------------

    def toolbar(self, *, now: float) -> list[tuple[Mark, str]]:
        """The parts of the toolbar, the most important first; texts are printable."""
        parts = [self._connection_part()]
        if self.waiting:
            parts.append((Mark.BAD, f"{counted(len(self.waiting), 'message')} not sent yet"))
        typing = [user for user, until in self._typing.items() if until > now]
        if typing:
            verb = "is" if len(typing) == 1 else "are"
            parts.append((Mark.GOOD, f"{', '.join(typing)} {verb} typing..."))
        if self.peer is not None and not self.waiting and self._has_read(self.peer):
            parts.append((Mark.PLAIN, f"{Fate.READ.value} {self.peer.target_id} has read it"))
        parts.append((Mark.PLAIN, f"{self.user} at {self._server}"))
        return [(mark, one_line(text)) for mark, text in parts]

    def _has_read(self, peer: Conversation) -> bool:
        """Whether somebody has read our last message to them."""
        last = self.last_sent(peer)
        read = self._read_until.get(peer.target_id, 0)
        return is_private(peer) and last is not None and read >= last.time

    def _connection_part(self) -> tuple[Mark, str]:
        if self.connection is Connection.ONLINE:
            return Mark.GOOD, "online"
        return Mark.BAD, self._over or self.connection.value

    def prompt(self) -> str:
        """What stands before the cursor; printable."""
        return one_line(f"{target_text(self.peer)}> " if self.peer else "/to TARGET> ")


def _entry(number: int, listed: ConversationInfo) -> str:
    """A line of the list of conversations."""
    new = f" ({listed.unread} new)" if listed.unread else ""
    line = None if listed.last is None else message_line(listed.last)
    text = one_line(f": {line.text}") if line is not None else ""
    preview = text if len(text) <= _PREVIEW else f"{text[:_PREVIEW]}\N{HORIZONTAL ELLIPSIS}"
    return f"#{number} {target_text(listed.conversation)}{new}{preview}"
