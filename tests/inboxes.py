"""The half of a small service that all tests of connections want: inboxes, and pulls from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from improto import payloads
from improto.codes import ConversationType
from improto.frames import MessageUid, TimeMs

if TYPE_CHECKING:
    from improto.events import ConnectionClosed, PullReceived
    from improto.service import Peer

LOGIN_TIME = TimeMs(1_700_000_000_000)


class Inboxes:
    """Private messages to users, kept in lists. Who comes in is put into ``peers``."""

    page: ClassVar[int] = 10
    """Messages of one."""

    def __init__(self) -> None:
        self.peers: dict[str, Peer] = {}
        self.inboxes: dict[str, list[tuple[int, bytes]]] = {}
        self.ends: list[ConnectionClosed] = []
        self.time = int(LOGIN_TIME)

    def pulled(self, peer: Peer, event: PullReceived) -> None:
        inbox = self.inboxes.get(peer.user_id or "", [])
        waiting = [(time, item) for time, item in inbox if time > event.sync_time]
        page, rest = waiting[: self.page], waiting[self.page :]
        newest = max(event.sync_time, inbox[-1][0] if inbox else 0)
        peer.answer_pull(
            event.message_id,
            [item for _, item in page],
            sync_time=TimeMs(page[-1][0] if page else newest),
            newest=TimeMs(newest),
            is_finished=not rest,
        )

    def closed(self, peer: Peer, event: ConnectionClosed) -> None:
        self.ends.append(event)

    def deliver(self, user_id: str, content: bytes, *, sender: str = "bob") -> None:
        """A message for a user, online or not."""
        self.time += 1
        time = TimeMs(self.time)
        item = payloads.encode(
            payloads.DownStreamMessage(
                fromUserId=sender,
                type=ConversationType.PRIVATE,
                classname="RC:TxtMsg",
                content=content,
                dataTime=time,
                status=0,
                msgId=MessageUid(f"M{time}"),
            )
        )
        self.inboxes.setdefault(user_id, []).append((time, item))
        peer = self.peers.get(user_id)
        if peer is not None and peer.is_open:
            peer.offer(item, time=time)
