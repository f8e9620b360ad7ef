"""The life of a connection, as a table.

House rules: this is the only file in which a connection's state changes, it does not
know which role we play, and what the table does not list is not allowed. The same
table judges what we do (a missing pair is our mistake) and what the peer does (a
missing pair is a violation). The diagrams in the manual are drawn from it.

What is not a change of state is not here: timers, acknowledgements and pulls have
files of their own.
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(enum.Enum):
    """Where a connection stands."""

    NEW = "new"
    """No transport yet."""
    HANDSHAKE = "handshake"
    """The transport is open, CONNACK is outstanding."""
    ONLINE = "online"
    """CONNACK 0 has passed."""
    CLOSING = "closing"
    """We said goodbye and give the peer a moment to close."""
    CLOSED = "closed"
    """Over; there is no way back."""


class Input(enum.Enum):
    """What can happen to a connection."""

    OPENED = "the transport opened"
    ACCEPTED = "CONNACK 0"
    REFUSED = "CONNACK with another status"
    HEARTBEAT = "PINGREQ or PINGRESP"
    TRAFFIC = "PUBLISH, PUBACK, QUERY, QUERYACK or QUERYCON"
    DISMISSED = "DISCONNECT"
    ENDED = "the transport closed, a timer ran out, or the peer broke the protocol"


TRANSITIONS: Final[Mapping[tuple[State, Input], State]] = MappingProxyType(
    {
        (State.NEW, Input.OPENED): State.HANDSHAKE,
        (State.NEW, Input.ENDED): State.CLOSED,
        (State.HANDSHAKE, Input.ACCEPTED): State.ONLINE,
        # The server closes by itself after a refusing CONNACK (session 2.3).
        (State.HANDSHAKE, Input.REFUSED): State.CLOSED,
        # SDK 2.5.3 pings from the moment the socket is open (session 2.1).
        (State.HANDSHAKE, Input.HEARTBEAT): State.HANDSHAKE,
        (State.HANDSHAKE, Input.ENDED): State.CLOSED,
        (State.ONLINE, Input.HEARTBEAT): State.ONLINE,
        (State.ONLINE, Input.TRAFFIC): State.ONLINE,
        # After DISCONNECT the client closes; the server waits for that (session 4.1).
        (State.ONLINE, Input.DISMISSED): State.CLOSING,
        (State.ONLINE, Input.ENDED): State.CLOSED,
        (State.CLOSING, Input.ENDED): State.CLOSED,
    }
)
"""Every allowed step. A peer's frames in CLOSING and CLOSED are ignored, not judged."""


class Lifecycle:
    """The current state of one connection."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = State.NEW

    def allows(self, happening: Input) -> bool:
        """True if ``happening`` has a place in the current state."""
        return (self.state, happening) in TRANSITIONS

    def advance(self, happening: Input) -> bool:
        """Take the step; False (and no change) if the table does not list it."""
        following = TRANSITIONS.get((self.state, happening))
        if following is None:
            return False
        self.state = following
        return True
