"""What a history says about each message, put together from everybody who saw it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.checker.history import Acknowledged, Begun, Event, Read, Sent, Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

NEVER: Final = 2**63
"""Below every line of a history."""


class Identity(NamedTuple):
    """What the server calls a message."""

    uid: str
    time: int


class Sight(NamedTuple):
    """Somebody saw a message, with these names for it."""

    line: int
    by: str
    how: str
    identity: Identity
    conversation: str
    sender: str | None
    """None if the sight does not tell."""


@dataclass(slots=True, kw_only=True)
class Message:
    """One message, from all who have to do with it."""

    id: str
    sender: str
    conversation: str
    is_status: bool
    sent: int
    """Line of the first time."""
    acknowledged: int = NEVER
    """Line of the first PUBACK."""
    sights: list[Sight] = field(default_factory=list)

    @property
    def is_stored(self) -> bool:
        """Somebody was told that it exists, so it must exist for all."""
        return bool(self.sights) and not self.is_status

    @property
    def time(self) -> int:
        """Its place in every order; only of those that were seen."""
        return self.sights[0].identity.time


class Facts:
    """The messages of a history, and who they are for."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.conversations: dict[str, tuple[str, ...]] = {}
        self.messages: dict[str, Message] = {}
        """All that were sent, by id."""
        self.unsent: list[tuple[str, Sight]] = []
        """Ids that somebody saw and nobody had sent by then."""
        for line, event in enumerate(events, 1):
            self._note(line, event)

    @property
    def users(self) -> list[str]:
        """All members of anything, sorted."""
        return sorted({name for members in self.conversations.values() for name in members})

    def members(self, conversation: str) -> tuple[str, ...]:
        """Nobody, if there is no such conversation."""
        return self.conversations.get(conversation, ())

    def stored(self, *, party: str) -> list[Message]:
        """Stored messages that a user sent or must be shown, by time."""
        return sorted(
            (
                message
                for message in self.messages.values()
                if message.is_stored and party in self.members(message.conversation)
            ),
            key=lambda message: message.time,
        )

    def _note(self, line: int, event: Event) -> None:
        match event:
            case Begun():
                self.conversations = event.conversations
            case Sent():
                self.messages[event.id] = Message(
                    id=event.id,
                    sender=event.who,
                    conversation=event.conversation,
                    is_status=event.is_status,
                    sent=line,
                )
            case Acknowledged():
                message = self.messages.get(event.id)
                conversation = message.conversation if message else ""
                identity = Identity(event.uid, event.time)
                sight = Sight(line, event.who, "PUBACK", identity, conversation, event.who)
                self._see(event.id, sight)
                if message is not None:
                    message.acknowledged = min(message.acknowledged, line)
            case Shown():
                identity = Identity(event.uid, event.time)
                self._see(
                    event.id,
                    Sight(line, event.who, "inbox", identity, event.conversation, event.sender),
                )
            case Read():
                for page in event.pages:
                    for id, uid, time in page:
                        identity = Identity(uid, time)
                        sight = Sight(
                            line, event.who, "history", identity, event.conversation, None
                        )
                        self._see(id, sight)
            case _:
                pass

    def _see(self, id: str, sight: Sight) -> None:
        message = self.messages.get(id)
        if message is None:
            self.unsent.append((id, sight))
        else:
            message.sights.append(sight)
