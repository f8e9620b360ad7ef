"""The event stream of a user: what has happened to his groups, friends and receipts (sdk5 7).

Other services tell of events by :meth:`Events.tell`. An event is stored first, and then the
devices that are online are told by ``s_cmd`` to ask for it. So whoever is away, or misses the
command, finds it in the stream.

A page that is loaded anew asks with time 0 and looks at nothing but the time of the answer: it
reads lists of groups and friends afresh, and what happened before is no news. So the answer to
time 0 is the end of the stream, and the list of it is empty (sdk5 4).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from improto import payloads
from improto.codes import CommandType, ErrorCode
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.store import events as table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Device, Hub
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data


class Events:
    """The service."""

    def __init__(self, *, data: Data, clock: MessageClock, hub: Hub) -> None:
        self._data = data
        self._clock = clock
        self._hub = hub

    def operations(self) -> Operations:
        """The topics it answers."""
        return {Topic.PULL_EVENT_CHANGE: self.pull}

    async def tell(
        self,
        app: str,
        users: Iterable[str],
        change: payloads.EventChange,
        *,
        but: Device | None = None,
    ) -> None:
        """Put an event into the streams of ``users`` and tell their devices that are online.

        ``change.time`` is set here: later than all events that these users have. ``but``: the
        device that has caused it and need not be told now; it finds the event when it asks. Who
        is named twice is told once; if nobody is named, nothing happens. Raises ServiceError if
        the store fails; then nobody is told.
        """
        readers = [*dict.fromkeys(users)]
        if not readers:
            return
        change.time = time = self.stamp(app, readers)
        item = payloads.encode(change)
        await self._data.write(partial(table.add, app=app, readers=readers, time=time, item=item))
        for name in readers:
            self.prompt(app, name, time=time, but=but)

    def stamp(self, app: str, users: Iterable[str]) -> int:
        """A time for an event that a service stores together with something else.

        The change that stores it, by :func:`improto_server.store.events.add`, must be written
        before anything else is awaited: times rise in the order of the commits. Then comes
        :meth:`prompt`.
        """
        return self._clock.stamp(*(_stream(app, name) for name in users))

    def prompt(self, app: str, user: str, *, time: int, but: Device | None = None) -> None:
        """Tell the devices of a user that there is an event with this time; ``but`` as in
        :meth:`tell`."""
        self._hub.prompt((app, user), CommandType.EVENTS, time=time, but=but)

    async def pull(
        self, caller: Caller, target: str, request: payloads.QueryMsgChange
    ) -> payloads.EventChangeList:
        """What has happened after ``syncTime``, the oldest first, at most 200 events.

        ``syncTime`` of the answer is where to go on, never 0 and never less than was asked;
        ``hasNext`` is true only if it is more. 33003 for a negative time.
        """
        if request.syncTime < 0:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        app, user, *_ = caller
        return await self._data.read(partial(_pull, app=app, user=user, after=request.syncTime))


def _stream(app: str, user: str) -> UserKey:
    """What the clock knows the stream by; no user id has a slash in it."""
    return app, f"/events/{user}"


def _pull(connection: Connection, *, app: str, user: str, after: int) -> payloads.EventChangeList:
    if not after:
        end = max(table.newest(connection, app=app, reader=user), 1)
        return payloads.EventChangeList(syncTime=end, hasNext=False)
    page = table.page(connection, app=app, reader=user, after=after)
    reply = payloads.EventChangeList(syncTime=page.edge, hasNext=page.has_more)
    reply.list.extend(payloads.decode(payloads.EventChange, item) for item in page.items)
    return reply
