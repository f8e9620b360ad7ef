"""Somebody who talks: a page with an SDK in it, or a program with our client.

Scenarios are written for a :class:`Party` of either kind. A party keeps everything it hears, in
order; a test takes the messages one after the other, so that one too many, too few or out of
place cannot go unnoticed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Content = Mapping[str, Any]

P = TypeVar("P", bound="Party")

PATIENCE: Final = 20.0
"""Seconds until something that does not happen is a failure. SDKs connect again every 5."""

SETTLING: Final = 2
"""Questions about history until a party has settled. They are answered in turn with everything
else: the first one after each notification of what was there before, and the second one after
the pull that such a notification may have caused."""

TEXT: Final = "RC:TxtMsg"
TYPING: Final = "RC:TypSts"
READ: Final = "RC:ReadNtf"
IMAGE: Final = "RC:ImgMsg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a sender is told about his message."""

    uid: str
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a receiver is told about a message."""

    sender: str
    conversation: str
    kind: str
    content: Content
    uid: str
    time: int
    is_offline: bool


class Party(ABC):
    """One user with one client."""

    def __init__(self, user: str) -> None:
        self.user = user
        self._taken = 0

    @abstractmethod
    def connect(self) -> None:
        """Log in, for the first time or again."""

    @abstractmethod
    def disconnect(self) -> None:
        """Log out. What comes meanwhile has to be there after the next login."""

    @abstractmethod
    def send_all(self, to: str, contents: Sequence[Content], *, kind: str = TEXT) -> list[Sent]:
        """Send messages without waiting in between; then wait until all are acknowledged."""

    @abstractmethod
    def settle(self) -> None:
        """Wait until the server has said all that it has to say now."""

    @abstractmethod
    def heard(self, least: int = 0) -> list[Heard]:
        """All messages from the beginning, as soon as there are this many."""

    def register(self, kind: str, properties: Sequence[str]) -> None:  # noqa: B027
        """Announce a kind of messages that is the application's own, where that is needed."""

    def send(self, to: str, content: Content, *, kind: str = TEXT) -> Sent:
        """Send a message and wait until it is acknowledged."""
        return self.send_all(to, [content], kind=kind)[0]

    def take(self, count: int) -> list[Heard]:
        """The next messages."""
        begin, self._taken = self._taken, self._taken + count
        return self.heard(self._taken)[begin : self._taken]

    def left_over(self) -> list[Heard]:
        """What nobody has taken."""
        self.settle()
        return self.heard()[self._taken :]


def online(party: P) -> P:
    """The same party, connected, and with nothing left to be told about the time before."""
    party.connect()
    party.settle()
    return party


def texts(*words: str) -> list[Content]:
    """Contents of text messages."""
    return [{"content": word} for word in words]


def hears(
    receiver: Party,
    sender: Party,
    contents: Sequence[Content],
    sent: Sequence[Sent],
    *,
    kind: str = TEXT,
) -> None:
    """Check that exactly these messages come next, in this order, as they were acknowledged."""
    heard = receiver.take(len(contents))
    assert [message.content for message in heard] == list(contents)
    assert [(message.uid, message.time) for message in heard] == [
        (message.uid, message.time) for message in sent
    ]
    assert {(message.sender, message.conversation, message.kind) for message in heard} == {
        (sender.user, sender.user, kind)
    }
    assert all(this.time < that.time for this, that in pairwise(heard))


def delivers(
    sender: Party, receiver: Party, contents: Sequence[Content], *, kind: str = TEXT
) -> None:
    """Send messages and check that they come."""
    sent = sender.send_all(receiver.user, contents, kind=kind)
    hears(receiver, sender, contents, sent, kind=kind)


def nothing_more(*parties: Party) -> None:
    """Check that nobody has heard anything but what the test has taken."""
    for party in parties:
        assert party.left_over() == []
