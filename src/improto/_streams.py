"""What a client synchronises: its inbox, the rooms it follows, copies of its own messages.

This file decides what a notification, a page or a push means for the session and when
a stream wants to be pulled. It sends nothing itself: the connection asks for the pull
that is due and reports what became of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from improto import payloads
from improto._inflight import HeldCopy
from improto._pull import Pull
from improto.codes import ConversationType, NotifyType
from improto.errors import DecodeError, UnexpectedFrame
from improto.events import CaughtUp, FrameDropped, MessageReceived, PullFailed
from improto.frames import MessageId, TimeMs
from improto.messages import Request, received, request, sent_elsewhere
from improto.operations import Signal, Topic, find

if TYPE_CHECKING:
    from collections import deque

    from improto.config import Limits
    from improto.events import ClientEvent
    from improto.frames import Delivery, PubAck, QueryAck
    from improto.messages import ChatMessage
    from improto.session import ClientSession

_ROOM_PAGE = 10
"""``count`` of a pull after a notification, as the newer SDKs send it (session 11)."""


@dataclass(slots=True)
class _Followed:
    """One stream and its pull machine."""

    pull: Pull
    count: int = _ROOM_PAGE
    """For the next pull of a room: how many messages to begin with."""
    is_news: bool = False
    """A page came, and the program was not told yet that it was the last one."""


class Streams:
    """Everything a connection pulls."""

    def __init__(
        self, session: ClientSession, *, limits: Limits, events: deque[ClientEvent]
    ) -> None:
        self._session = session
        self._limits = limits
        self._events = events
        self._inbox = _Followed(Pull())
        self._rooms: dict[str, _Followed] = {}
        self._copies: dict[MessageId, HeldCopy] = {}
        self._broadcast_time = 1
        self.user_id = ""
        """Who reads; set when the login is accepted."""
        self.connected_at = TimeMs(0)
        """Server time of the login; older messages are offline messages."""

    @property
    def rooms(self) -> tuple[str, ...]:
        """The followed rooms."""
        return tuple(self._rooms)

    def hint(self, event: ClientEvent) -> None:
        """Tell something that may be missed: a program far behind is spared it."""
        if self._has_room_for_hints:
            self._events.append(event)

    @property
    def _has_room_for_hints(self) -> bool:
        return len(self._events) < self._limits.events_queued

    def _find(self, room_id: str | None) -> _Followed | None:
        return self._inbox if room_id is None else self._rooms.get(room_id)

    def _cursor(self, room_id: str | None) -> TimeMs:
        session = self._session
        return session.inbox_cursor if room_id is None else session.room_cursor(room_id)

    # -- which streams ---------------------------------------------------------------

    def follow(self, room_id: str, count: int) -> None:
        """Pull this room from now on; LocalProtocolError if there are too many."""
        self._session.follow_room(room_id)
        followed = self._rooms.setdefault(room_id, _Followed(Pull()))
        followed.count = count
        followed.pull.want()

    def forget(self, room_id: str) -> None:
        """Stop pulling this room."""
        self._rooms.pop(room_id, None)
        self._session.forget_room(room_id)

    # -- pulling ---------------------------------------------------------------------

    def want_inbox(self) -> None:
        """Pull the inbox as soon as possible."""
        self._inbox.pull.want()

    def due(self, room_id: str | None) -> Request | None:
        """The pull that should be sent now; None if none is due.

        Also tells the program once when a stream has nothing more.
        """
        followed = self._find(room_id)
        if followed is None:
            return None
        open_count = self._session.open_count(room_id)
        if followed.pull.is_due(open_count=open_count):
            return self._request(room_id, followed)
        has_all = open_count == 0 and not followed.pull.is_behind
        if has_all and followed.is_news and self._has_room_for_hints:
            followed.is_news = False
            self._events.append(CaughtUp(room_id=room_id, cursor=self._cursor(room_id)))
        return None

    def _request(self, room_id: str | None, followed: _Followed) -> Request:
        cursor = self._cursor(room_id)
        if room_id is not None:
            return request(
                Topic.CHRM_PULL,
                room_id,
                payloads.ChrmPullMsg(syncTime=cursor, count=followed.count),
            )
        return request(
            Topic.PULL_MSG,
            self.user_id,
            payloads.SyncRequestMsg(
                syncTime=cursor,
                ispolling=False,
                isPullSend=True,
                sendBoxSyncTime=self._session.sent_cursor,
                broadcastSyncTime=self._broadcast_time,
            ),
        )

    def sent(self, room_id: str | None) -> None:
        """The pull that was due has left."""
        followed = self._find(room_id)
        if followed is not None:
            followed.count = _ROOM_PAGE
            followed.is_news = False
            followed.pull.sent(asked_from=self._cursor(room_id))

    def failed(self, room_id: str | None, *, status: int | None = None) -> None:
        """A pull was refused with a status, or got no usable answer."""
        followed = self._find(room_id)
        if followed is not None:
            followed.pull.failed()
            if status is not None:
                self.hint(PullFailed(room_id=room_id, status=status))

    def answered(self, room_id: str | None, frame: QueryAck) -> bool:
        """A page came; False if it could not be used."""
        followed = self._find(room_id)
        if followed is None:
            return True
        if frame.status != 0:
            self.failed(room_id, status=frame.status)
            return False
        try:
            page = payloads.decode(payloads.DownStreamMessages, frame.data)
        except DecodeError as error:
            self.hint(FrameDropped(error=error))
            self.failed(room_id, status=frame.status)
            return False
        for down in page.list:
            self._hand_out(self._read(down), room_id, moves_cursor=True)
        self._session.end_page(TimeMs(page.syncTime), room_id=room_id)
        if page.HasField("broadcastSyncTime"):
            self._broadcast_time = page.broadcastSyncTime
        # A missing "finished" counts as true, as in the newer SDKs (session 15, rule 4).
        is_finished = page.finished or not page.HasField("finished")
        followed.pull.answered(page.syncTime, is_finished=is_finished)
        followed.is_news = True
        return True

    # -- notifications and pushes ----------------------------------------------------

    def notified(self, notify: payloads.NotifyMsg) -> str | None:
        """Note an ``s_ntf``; the room it is about, or None for the inbox.

        KeyError if it is about a room that is not followed.
        """
        room_id = notify.chrmId if notify.type == NotifyType.CHATROOM else None
        followed = self._inbox if room_id is None else self._rooms[room_id]
        followed.pull.announced(notify.time, cursor=self._cursor(room_id))
        return room_id

    def pushed(self, down: payloads.DownStreamMessage) -> None:
        """Take a message that came by ``s_msg``."""
        if self._is_crowded():
            return
        # Rooms have clocks of their own and are no part of the inbox (session 11).
        is_inbox = down.type != ConversationType.CHATROOM
        moves_cursor = is_inbox and not self._inbox.pull.is_behind
        self._hand_out(self._read(down), None, moves_cursor=moves_cursor)

    def _is_crowded(self) -> bool:
        """True if the program is far behind; then a pull brings the message again."""
        if self._session.ahead_count < self._limits.events_queued:
            return False
        self._inbox.pull.want()
        return True

    def _read(self, down: payloads.DownStreamMessage) -> ChatMessage:
        return received(down, user_id=self.user_id, connected_at=self.connected_at)

    def _hand_out(self, message: ChatMessage, room_id: str | None, *, moves_cursor: bool) -> None:
        receipt = self._session.take(message, room_id=room_id, moves_cursor=moves_cursor)
        if receipt is not None:
            self._events.append(MessageReceived(message=message, receipt=receipt))

    # -- copies of own messages ------------------------------------------------------

    @property
    def copies(self) -> dict[MessageId, HeldCopy]:
        """Copies that wait for their PUBACK; new requests must avoid these ids."""
        return self._copies

    @property
    def oldest_copy(self) -> float | None:
        """When the longest waiting copy came."""
        for copy in self._copies.values():
            return copy.since
        return None

    def hold(self, frame: Delivery, *, now: float) -> None:
        """Keep a copy until the PUBACK that tells its uid and time (session 9.3)."""
        if frame.message_id in self._copies:
            self._drop_copy(frame.message_id)
        elif len(self._copies) >= self._limits.sync_frames_held:
            self._drop_copy(next(iter(self._copies)))
        self._copies[frame.message_id] = HeldCopy(
            topic=frame.topic, target_id=frame.target_id, data=frame.data, since=now
        )

    def complete(self, frame: PubAck) -> bool:
        """Hand out the copy that this PUBACK completes; False if it completes none."""
        copy = self._copies.pop(frame.message_id, None)
        if copy is None:
            return False
        known = find(copy.topic, Signal.PUBLISH)
        if known is None or known.request is not payloads.UpStreamMessage:
            error = UnexpectedFrame(f"{copy.topic!r} is no topic to copy")
            self.hint(FrameDropped(error=error))
            return True
        try:
            up = payloads.decode(payloads.UpStreamMessage, copy.data)
        except DecodeError as malformed:
            self.hint(FrameDropped(error=malformed))
            return True
        if self._is_crowded():
            return True
        message = sent_elsewhere(
            up,
            topic=known.topic,
            target_id=copy.target_id,
            user_id=self.user_id,
            uid=frame.uid,
            time=frame.timestamp,
        )
        self._hand_out(message, None, moves_cursor=False)
        return True

    def drop_late_copies(self, timeout: float, *, now: float) -> None:
        """Give up the copies that came ``timeout`` seconds ago or earlier."""
        while (since := self.oldest_copy) is not None and since + timeout <= now:
            self._drop_copy(next(iter(self._copies)))

    def _drop_copy(self, message_id: MessageId) -> None:
        copy = self._copies.pop(message_id)
        error = UnexpectedFrame(f"a copy of {copy.topic!r} was never completed")
        self.hint(FrameDropped(error=error))
