"""What conversations are, in plain lists: who sees what, and what of it is unread.

It is slow and obvious: everything is found by going through all messages that were ever sent.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

TEAM = "team"
USERS = ("alice", "bob", "carol")


@dataclass(slots=True, kw_only=True)
class Line:
    """A message."""

    uid: str
    time: int
    sender: str
    target: str
    text: str
    is_stored: bool = True
    is_counted: bool = True
    named: tuple[str, ...] = ()
    """For these members of the group only."""
    is_notice: bool = False
    recalled_by: str = ""
    notice: Line | None = None


class Stay(NamedTuple):
    """A time that somebody was in the group."""

    since: int
    until: int


class Model:
    """All users, and the group."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.stays: dict[str, list[Stay]] = defaultdict(list)
        self.read: dict[tuple[str, str], int] = defaultdict(int)
        self.cleared: dict[tuple[str, str], int] = defaultdict(int)
        self.removed: dict[tuple[str, str], int] = defaultdict(int)
        self.hidden: set[tuple[str, str]] = set()

    def since(self, user: str, peer: str) -> int | None:
        """From when on the user may read; None: he may not."""
        if peer != TEAM:
            return 0
        stays = self.stays[user]
        return stays[-1].since if stays and stays[-1].until == FOREVER else None

    def add(self, line: Line) -> None:
        """A message was sent. Who answers has read what he answers to."""
        self.lines.append(line)
        if line.is_stored and line.is_counted and not line.named:
            self.seen(line.sender, line.target, line.time)

    def seen(self, user: str, peer: str, time: int) -> None:
        """The user has read up to a time."""
        self.read[user, peer] = max(self.read[user, peer], time)

    def of(self, user: str, peer: str) -> list[Line]:
        """What was said between the user and the peer, or in the group."""
        return [
            line
            for line in self.lines
            if line.target == peer == TEAM
            or (peer != TEAM and {line.sender, line.target} == {user, peer})
        ]

    def history(self, user: str, peer: str) -> list[Line]:
        """What the user can still read, the newest first."""
        since = self.since(user, peer)
        if since is None:
            return []
        bottom = max(since, self.cleared[user, peer])
        found = [
            line
            for line in self.of(user, peer)
            if line.is_stored and not line.named and not line.recalled_by
            if line.time > bottom and (user, line.uid) not in self.hidden
        ]
        return sorted(found, key=lambda line: -line.time)

    def unread(self, user: str, peer: str) -> int:
        """How much of it he has not read."""
        seen = self.read[user, peer]
        return sum(line.is_counted and line.time > seen for line in self.history(user, peer))

    def conversations(self, user: str) -> list[tuple[str, str, int]]:
        """His list: peer, uid of the newest message, unread."""
        newest = {peer: self.history(user, peer)[:1] for peer in (*USERS, TEAM)}
        shown = [
            (line.time, peer, line.uid)
            for peer, lines in newest.items()
            for line in lines
            if line.time > self.removed[user, peer]
        ]
        return [(peer, uid, self.unread(user, peer)) for _, peer, uid in sorted(shown)[::-1]]

    def inbox(self, user: str, after: int) -> list[Line]:
        """What he finds when he pulls from a time on, the oldest first."""
        found = [
            line
            for line in self.lines
            if line.time > after and not line.recalled_by and self.receives(user, line)
        ]
        return sorted(found, key=lambda line: line.time)

    def receives(self, user: str, line: Line) -> bool:
        """Whether a message is for the user."""
        if user == line.sender:
            return False
        if line.target != TEAM:
            return user == line.target
        if line.named:
            return user in line.named
        return any(stay.since < line.time <= stay.until for stay in self.stays[user])


FOREVER = 2**63 - 1
