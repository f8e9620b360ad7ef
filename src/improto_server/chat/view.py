"""What a chat looks like, as a state machine: no terminal, no network, no clock.

:mod:`improto_server.chat.link` tells the view what happens, a screen shows what it says. Lines
go out once and stay as they are; what changes afterwards (who is typing, what waits to be
sent) is in the toolbar and in :attr:`View.waiting`, to be drawn again each time.

Times are milliseconds of the server's clock if they belong to messages, and seconds of any
monotonic clock if they are called ``now``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from improto.codes import ConversationType
from improto.contents import ReadReceipt, Typing
from improto.messages import MessageDirection
from improto_server.chat.inputs import HELP
from improto_server.chat.printable import one_line
from improto_server.chat.wording import content_text, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from improto.messages import ChatMessage

TYPING_SHOWN: Final = 6.0
"""Seconds for which somebody is shown to be typing; who goes on says so again before."""


class Tone(enum.Enum):
    """What kind of line it is."""

    RECEIVED = "received"
    SENT = "sent"
    PAST = "past"
    """Out of the history."""
    WAITING = "waiting"
    """Typed but not sent yet; SENT or ERROR will follow."""
    NOTICE = "notice"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something to show. The texts are as they came: screens make them printable."""

    tone: Tone
    text: str
    speaker: str = ""
    """Who says it; empty for what the program itself says."""
    target: str = ""
    """To whom, where that is not obvious."""
    time: int | None = None


class Connection(enum.Enum):
    """How the connection is."""

    CONNECTING = "connecting"
    ONLINE = "online"
    AWAY = "reconnecting"
    """Waiting for the next attempt."""
    OVER = "over"


class Mark(enum.Enum):
    """What a part of the toolbar is, for its colour."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """A message that the server has not acknowledged."""

    peer: str
    text: str


class View:
    """The chat of one person. ``show`` gets each line, ``changed`` is called after the rest."""

    def __init__(
        self,
        *,
        server: str,
        user: str | None,
        peer: str | None,
        show: Callable[[Line], None],
        changed: Callable[[], None],
    ) -> None:
        self.user = user
        """Who we are, as far as it is known."""
        self.peer = peer
        """Whom we talk to."""
        self.waiting: dict[int, Unsent] = {}
        """What is not sent yet, by unique id, oldest first."""
        self.refusals = 0
        """How many messages will never be sent."""
        self.connection = Connection.CONNECTING
        self._server = server
        self._show = show
        self._changed = changed
        self._retry_at = 0.0
        self._was_lost = False
        self._over = ""
        self._typing: dict[str, float] = {}
        self._writers: dict[str, None] = {}
        self._last_sent: dict[str, int] = {}
        self._read_until: dict[str, int] = {}

    # -- the connection --------------------------------------------------------------

    def connecting(self) -> None:
        """An attempt begins."""
        self._connection_is(Connection.CONNECTING)

    def online(self, user: str) -> None:
        """The server has let us in."""
        self.user = user
        self._was_lost = False
        self._connection_is(Connection.ONLINE)
        self.notice(f"you are {user}, online at {self._server}")

    def away(self, reason: str, *, retry_at: float) -> None:
        """There is no connection; the next attempt is at ``retry_at``."""
        was_online = self.connection is Connection.ONLINE
        self._retry_at = retry_at
        self._typing.clear()
        self._connection_is(Connection.AWAY)
        if not self._was_lost:
            # Once is enough; the toolbar tells the rest.
            self._was_lost = True
            what = "the connection is lost" if was_online else f"{self._server} cannot be reached"
            self.notice(f"{what} ({reason}); trying again until it works")

    def over(self, reason: str) -> None:
        """There will be no connection any more."""
        self._over = reason
        self._typing.clear()
        self._connection_is(Connection.OVER)

    def _connection_is(self, connection: Connection) -> None:
        self.connection = connection
        self._changed()

    # -- messages --------------------------------------------------------------------

    def received(self, message: ChatMessage, *, now: float) -> bool:
        """A message came; True if it is one that a person reads."""
        content = message.decoded()
        sender = message.sender_id
        is_from_other = message.direction is MessageDirection.RECEIVED
        if is_from_other and isinstance(content, Typing):
            if not message.is_offline:
                self._typing[sender] = now + TYPING_SHOWN
                self._changed()
            return False
        if is_from_other and isinstance(content, ReadReceipt):
            until = content.last_message_send_time or 0
            self._read_until[sender] = max(until, self._read_until.get(sender, 0))
            self._changed()
            return False
        line = self._line(message)
        if line is None:
            return False
        if is_from_other:
            self._typing.pop(sender, None)
            if sender not in self._writers and self.peer is None:
                self.notice(f"answer with /to {sender}")
            self._writers[sender] = None
        self._show(line)
        return is_from_other

    def history(self, peer: str, messages: Iterable[ChatMessage], *, has_more: bool) -> None:
        """The last messages with somebody, oldest first."""
        lines = [line for message in messages if (line := self._line(message, Tone.PAST))]
        if not lines:
            self.notice(f"nothing has been said with {peer}")
            return
        earlier = "earlier messages are left out" if has_more else "this is where it begins"
        self.notice(f"history with {peer}; {earlier}")
        for line in lines:
            self._show(line)
        self.notice("end of the history")

    def _line(self, message: ChatMessage, tone: Tone | None = None) -> Line | None:
        text = content_text(message.decoded())
        if text is None:
            return None
        conversation = message.conversation
        is_sent = message.direction is MessageDirection.SENT
        is_private = conversation.type == ConversationType.PRIVATE
        return Line(
            tone=tone or (Tone.SENT if is_sent else Tone.RECEIVED),
            text=text,
            speaker=message.sender_id,
            target=conversation.target_id if is_sent or not is_private else "",
            time=message.time,
        )

    # -- what we say -----------------------------------------------------------------

    def typed(self, unique_id: int, unsent: Unsent) -> None:
        """A message was typed; ``sent`` or ``refused`` follows, perhaps much later."""
        self.waiting[unique_id] = unsent
        self._changed()

    def held(self, unique_id: int) -> None:
        """There is no connection to send a message by; it waits for the next one.

        Here and below, a message that is not known is ignored.
        """
        unsent = self.waiting.get(unique_id)
        if unsent is not None:
            self._show(self._own(Tone.WAITING, unsent))

    def sent(self, unique_id: int, *, time: int) -> None:
        """The server has a message."""
        unsent = self.waiting.pop(unique_id, None)
        if unsent is not None:
            self._last_sent[unsent.peer] = max(time, self._last_sent.get(unsent.peer, 0))
            self._show(self._own(Tone.SENT, unsent, time))
            self._changed()

    def refused(self, unique_id: int, reason: str) -> None:
        """A message will not be sent."""
        unsent = self.waiting.pop(unique_id, None)
        if unsent is not None:
            self.refusals += 1
            self.error(f"not sent to {unsent.peer}: {reason}")
            self._changed()

    def _own(self, tone: Tone, unsent: Unsent, time: int | None = None) -> Line:
        return Line(
            tone=tone,
            text=unsent.text,
            speaker=self.user or "you",
            target=unsent.peer,
            time=time,
        )

    # -- the person ------------------------------------------------------------------

    def talk_to(self, peer: str) -> None:
        """From now on messages go to somebody else."""
        self.peer = peer
        self.notice(f"you talk to {peer}")
        self._changed()

    def who(self) -> None:
        """Say who is talking."""
        peer = self.peer or "nobody (/to USER)"
        self.notice(
            f"you are {self.user or 'not known yet'} at {self._server},"
            f" {self.connection.value}; you talk to {peer}"
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

    # -- what is drawn again and again -----------------------------------------------

    def toolbar(self, *, now: float) -> list[tuple[Mark, str]]:
        """The parts of the toolbar; texts are printable."""
        parts = [(Mark.PLAIN, f"{self.user or '?'} at {self._server}"), self._connection_part(now)]
        if self.waiting:
            parts.append((Mark.BAD, f"{counted(len(self.waiting), 'message')} not sent yet"))
        typing = [user for user, until in self._typing.items() if until > now]
        if typing:
            verb = "is" if len(typing) == 1 else "are"
            parts.append((Mark.GOOD, f"{', '.join(typing)} {verb} typing..."))
        if not self.waiting and self._has_read(self.peer or ""):
            parts.append((Mark.PLAIN, f"{self.peer} has read it"))
        return [(mark, one_line(text)) for mark, text in parts]

    def _has_read(self, peer: str) -> bool:
        """Whether somebody has read our last message to them."""
        last = self._last_sent.get(peer)
        return last is not None and self._read_until.get(peer, 0) >= last

    def _connection_part(self, now: float) -> tuple[Mark, str]:
        if self.connection is Connection.ONLINE:
            return Mark.GOOD, "online"
        if self.connection is Connection.AWAY:
            seconds = max(0, round(self._retry_at - now))
            return Mark.BAD, f"reconnecting in {seconds} s"
        return Mark.BAD, self._over or self.connection.value

    def prompt(self) -> str:
        """What stands before the cursor; printable."""
        return one_line(f"{self.peer}> " if self.peer else "/to USER> ")
