"""What happened in a round, in the order in which it was seen.

A history is a list of events, one JSON object a line in a file. Everybody writes into the same
one: what is *begun* (connecting, sending) is written before it is done, and what is *over*
(acknowledged, shown) after. So if one event stands above another and the upper one is over
before the lower one begins, the upper one really was first, whatever the clocks said.

Users are named by their ids, conversations by names that all of their members use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=str.lower):
    """Something that happened. ``who`` is always the user whose client wrote it down."""


class Begun(_Event):
    """The first line: what was set up."""

    seed: int
    conversations: dict[str, tuple[str, ...]]
    """The members of each, by name."""


class Fault(_Event):
    """Something was broken on purpose; for people to read."""

    what: str


class Killed(_Event):
    """The server process is about to get SIGKILL; the next one opens what it leaves."""


class Connecting(_Event):
    """A client begins to connect."""

    who: str


class Connected(_Event):
    """CONNACK has come."""

    who: str
    time: int
    """Its timestamp."""


class Closed(_Event):
    """A connection is over."""

    who: str
    reason: str


class Sent(_Event):
    """A message is about to be sent for the first time."""

    who: str
    conversation: str
    id: str
    """Unique in the history: part of the content, so everybody can tell which one it is."""
    is_status: bool = False
    """It is not stored, and may be lost."""


class Acknowledged(_Event):
    """PUBACK has come. It may come again for a message that was sent again."""

    who: str
    id: str
    uid: str
    time: int


class Shown(_Event):
    """The client library handed a message to its program."""

    who: str
    conversation: str
    sender: str
    id: str
    uid: str
    time: int
    cursor: int
    """Of the client's inbox at that moment."""


class Saved(_Event):
    """The program has saved its state together with what it did with the first messages."""

    who: str
    kept: int
    """How many of the messages shown, in the order of showing, it need not see again."""
    cursor: int


class Restarted(_Event):
    """The program died. It goes on from what it saved last; what it did since is undone."""

    who: str


class Read(_Event):
    """A member read the history of a conversation from one end to the other."""

    who: str
    conversation: str
    is_backward: bool
    pages: tuple[tuple[tuple[str, str, int], ...], ...]
    """Each page newest first, as it came: id, uid and time of its messages."""


class Failed(_Event):
    """Something did not work that must work."""

    who: str
    what: str


Event: TypeAlias = (
    Begun
    | Fault
    | Killed
    | Connecting
    | Connected
    | Closed
    | Sent
    | Acknowledged
    | Shown
    | Saved
    | Restarted
    | Read
    | Failed
)


def encode(event: Event) -> str:
    """One line of a file."""
    return msgspec.json.encode(event).decode()


def write(path: Path, events: Sequence[Event]) -> None:
    """Make a file of a history."""
    path.write_text("".join(f"{encode(event)}\n" for event in events), encoding="utf-8")


def read(path: Path) -> list[Event]:
    """The history in a file; msgspec.ValidationError if it is none."""
    decoder = msgspec.json.Decoder(Event)
    return [decoder.decode(line) for line in path.read_text(encoding="utf-8").splitlines()]
