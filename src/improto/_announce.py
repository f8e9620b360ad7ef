"""What a server has told one client about one stream: notify coalescing.

A notification is a hint that something newer exists. At most one of them is unanswered
per stream: while the client has not pulled, newer times are only remembered, and they
are announced after the reply if the reply did not cover them (session 8.6). A burst of
200 messages therefore costs one notification and one pull.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from improto.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from improto.events import PullReceived
    from improto.frames import MessageId


class Announcements:
    """One stream (the inbox, or a room) as the server sees its client."""

    __slots__ = ("_awaits_pull", "_is_ready", "_pulls", "announced", "newest", "position")

    def __init__(self) -> None:
        self.position = 0
        """The client has, or has been sent, everything up to this time."""
        self.newest = 0
        """Time of the newest message that we know of."""
        self.announced = 0
        """The highest time that the client was told."""
        self._pulls = 0
        self._is_ready = False
        self._awaits_pull = False

    @property
    def is_up_to_date(self) -> bool:
        """True if a message may be pushed: the client pulled, and nothing is waiting.

        A push moves the client's cursor, so what is older would be lost (session 8.5).
        """
        return self._is_ready and self._pulls == 0 and self.newest <= self.position

    @property
    def is_waiting(self) -> bool:
        """True if the client has something to pull and we are not busy answering."""
        return self.newest > self.position and self._pulls == 0

    @property
    def is_blank(self) -> bool:
        """True if nothing is known that would be worth keeping."""
        return self._pulls == 0 and self.newest == self.position == 0

    def note(self, time: int) -> None:
        """A message with this time exists."""
        self.newest = max(self.newest, time)

    def pushed(self, time: int) -> None:
        """A message with this time was sent directly."""
        self.position = self.newest = max(self.position, self.newest, time)

    def should_announce(self, time: int) -> bool:
        """True if the newest time, which may be this one, should be announced now."""
        return (
            max(self.newest, time) > self.position
            and self._pulls == 0
            and self.announced <= self.position
            and not self._awaits_pull
        )

    def told(self, time: int) -> None:
        """The client was told that the newest message has this time."""
        self.newest = self.announced = time

    def pull_received(self) -> None:
        """The client asks."""
        self._pulls += 1
        self._awaits_pull = False

    def pull_refused(self) -> None:
        """The client was answered with an error status."""
        self._pulls -= 1

    def pull_answered(self, sync_time: int, *, is_finished: bool, pulls_again: bool) -> None:
        """The client was answered with a page up to ``sync_time``.

        ``pulls_again`` says that this client goes on by itself after a cut page.
        """
        self._pulls -= 1
        self._is_ready = is_finished
        self.position = sync_time
        self._awaits_pull = not is_finished and pulls_again
        if not is_finished and not pulls_again:
            # What was announced before does not count: the client needs another hint.
            self.announced = 0


class WaitingPull(NamedTuple):
    """A pull that was not answered yet."""

    room_id: str | None
    asked_from: int
    """The pull's ``syncTime``."""
    stream: Announcements
    """What it asks; the room may have been forgotten meanwhile."""
    is_bare: bool
    """Its answer cannot say that there is more."""


class StreamTable:
    """The inbox and the rooms of one client, and its unanswered pulls."""

    __slots__ = ("_pulls", "_streams", "inbox")

    def __init__(self) -> None:
        self.inbox = Announcements()
        self._streams: dict[str | None, Announcements] = {None: self.inbox}
        self._pulls: dict[MessageId, WaitingPull] = {}

    def __getitem__(self, room_id: str | None) -> Announcements:
        """The stream of a room, or of the inbox; a new room starts empty."""
        return self._streams.setdefault(room_id, Announcements())

    def get(self, room_id: str | None) -> Announcements | None:
        """The stream, if there is one."""
        return self._streams.get(room_id)

    def forget(self, room_id: str) -> None:
        """Drop a room; harmless if nothing is known of it."""
        self._streams.pop(room_id, None)

    def waiting(self) -> Iterator[tuple[str | None, Announcements]]:
        """The streams with something that the client has not pulled."""
        return (item for item in self._streams.items() if item[1].is_waiting)

    def pull_received(self, pull: PullReceived) -> None:
        """The client asks."""
        stream = self[pull.room_id]
        stream.pull_received()
        self._pulls[pull.message_id] = WaitingPull(
            pull.room_id, pull.sync_time, stream, pull.is_bare
        )

    def has_pull(self, message_id: MessageId) -> bool:
        """True if a pull with this id waits."""
        return message_id in self._pulls

    def require_pull(self, message_id: MessageId) -> WaitingPull:
        """The waiting pull with this id; LocalProtocolError if there is none."""
        waiting = self._pulls.get(message_id)
        if waiting is None:
            raise LocalProtocolError(f"no pull with id {message_id} waits for an answer")
        return waiting

    def take_pull(self, message_id: MessageId) -> WaitingPull:
        """Remove and return the waiting pull with this id."""
        return self._pulls.pop(message_id)

    def refuse_pull(self, message_id: MessageId) -> WaitingPull:
        """The same for a pull that was answered with an error status.

        A client may ask for rooms that it invents; of those nothing is kept.
        """
        pull = self.take_pull(message_id)
        pull.stream.pull_refused()
        if pull.room_id is not None and pull.stream.is_blank:
            self.forget(pull.room_id)
        return pull
