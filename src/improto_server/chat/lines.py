"""What there is to say in a line, before anybody knows how it looks."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from improto_server.chat.targets import is_private, target_text
from improto_server.chat.wording import content_text

if TYPE_CHECKING:
    from improto_client import Message


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


class Fate(enum.Enum):
    """What has become of a message of ours."""

    UNKNOWN = ""
    SENT = "\N{CHECK MARK}"
    """The server has it."""
    READ = "\N{CHECK MARK}\N{CHECK MARK}"
    """The other side has shown it."""


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
    """ms since 1970, of the server's clock."""
    fate: Fate = Fate.UNKNOWN
    number: int | None = None
    """By which a person names the file in it."""
    brief: str = ""
    """The text without the address of that file, which the number stands for."""


def message_line(message: Message, tone: Tone | None = None) -> Line | None:
    """What a message says; None if it is for programs and not for people."""
    text = content_text(message.content)
    if text is None:
        return None
    conversation = message.conversation
    has_target = message.is_mine or not is_private(conversation)
    return Line(
        tone=tone or (Tone.SENT if message.is_mine else Tone.RECEIVED),
        text=text,
        speaker=message.sender_id,
        target=target_text(conversation) if has_target else "",
        time=message.time,
    )
