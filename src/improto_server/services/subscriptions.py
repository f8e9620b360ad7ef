"""Following the status and the profiles of others for a time, as SDK 5 does (sdk5 8.4).

Who comes and goes is told at once by ``s_stat``; of a profile is told that it has changed, and
the SDK asks for it. Friends are told as well, without a subscription. What is missed while
away is asked for at the next login: the answers are always whole, because a client that has
connected forgets what it knew and takes the list for all there is.
"""

from __future__ import annotations

import enum
import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from improto import payloads
from improto.codes import ErrorCode
from improto.frames import TimeMs
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.services.watching import Watching, always
from improto_server.steps import start
from improto_server.store import subscriptions as table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Device, Hub
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data
    from improto_server.store.subscriptions import Subscription


class SubscriptionType(enum.IntEnum):
    """What somebody is told of a user: ``subType`` (sdk5 8.4)."""

    STATUS = 1
    PROFILE = 2
    FRIEND_STATUS = 3
    """Like the next one not to be subscribed to: friends get it."""
    FRIEND_PROFILE = 4


class _Change(enum.IntEnum):
    """``opType``."""

    ADD = 0
    END = 1


SUBSCRIPTIONS: Final = 1000
"""Most users whom one user may be subscribed to, of each type. Ours."""

SUBSCRIBERS: Final = 5000
"""Most users who may be subscribed to one, of each type: who comes is told to all. Ours."""

USERS_AT_ONCE: Final = 200
"""In one request: the SDK's own limit, and so the most profiles that it asks for at once after
an answer. Also the size of a page."""

SHORTEST: Final = 60
LONGEST: Final = 30 * 24 * 60 * 60
"""Seconds, the SDK's own limits."""

_WEB: Final = 3
"""``platformInfo``: what everybody who connects to this server is on."""

_SUBSCRIBED: Final = frozenset({SubscriptionType.STATUS, SubscriptionType.PROFILE})

_TOKEN: Final = re.compile(r"([0-9]{1,9})\.([0-9]{1,18})", re.ASCII)

_logger = logging.getLogger(__name__)


class Subscriptions:
    """The service. ``friends_of``: a query for the friends of ``user`` in ``app``."""

    def __init__(
        self,
        *,
        data: Data,
        clock: MessageClock,
        hub: Hub,
        is_on: bool,
        friends_of: Callable[..., Iterable[str]],
    ) -> None:
        self._data = data
        self._clock = clock
        self._hub = hub
        self._is_on = is_on
        self._friends_of = friends_of
        self._status = Watching(hub, payloads.SubDataDetail)
        self._profiles = Watching(hub, payloads.SubDataDetail)
        self._friends = Watching(hub, payloads.SubDataDetail)
        self._watching = {
            SubscriptionType.STATUS: self._status,
            SubscriptionType.PROFILE: self._profiles,
        }
        # When those who are online have come.
        self._since: dict[UserKey, int] = {}
        if is_on:
            hub.on_join.append(self._joined)
            hub.on_leave.append(self._left)

    def operations(self) -> Operations:
        """The topics it answers; all are refused with 26020 where subscriptions are off."""
        return {
            Topic.UPD_USER_SUB: self.update,
            Topic.QRY_SUB_DATA: self.query,
            Topic.PULL_USER_SUB: self.pull,
            Topic.PULL_SUB_DATA: self.pull_data,
        }

    async def update(
        self, caller: Caller, target: str, request: payloads.UpdateUserSubReq
    ) -> payloads.UpdateUserSubResp:
        """Subscribe to users for ``expiry`` seconds, or end that. All of them or none.

        ``subTime`` of the answer is the time of the change, later than that of all others.
        26022: it would be more than :data:`SUBSCRIPTIONS`. 26021: others have as many
        :data:`SUBSCRIBERS` as they may; they are named. 33003: the request makes no sense.
        """
        self._require_on()
        wanted = [*dict.fromkeys(user.subUserId for user in request.subUsers)]
        is_possible = (
            request.subType in _SUBSCRIBED
            and request.opType in (_Change.ADD, _Change.END)
            and 0 < len(wanted) <= USERS_AT_ONCE
            and all(map(is_user_id, wanted))
            and (request.opType == _Change.END or SHORTEST <= request.expiry <= LONGEST)
        )
        if not is_possible:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        change = _Wanted(
            *caller.key, SubscriptionType(request.subType), wanted, now=self._clock.now()
        )
        subjects = [(caller.app, name) for name in wanted]
        watching = self._watching[change.type]
        if request.opType == _Change.ADD:
            time = await self._data.write(partial(_add, wanted=change, expiry=request.expiry))
            until = time + request.expiry * 1000
            watching.watch(caller.key, dict.fromkeys(subjects, until), now=change.now)
        else:
            time = await self._data.write(partial(_end, wanted=change))
            watching.unwatch(caller.key, subjects)
        self._tell_others(caller, payloads.encode(request), time=time)
        return payloads.UpdateUserSubResp(subTime=time)

    async def query(
        self, caller: Caller, target: str, request: payloads.QrySubDataReq
    ) -> payloads.PullSubDataResp:
        """How things stand with users whom the caller may be told about; of others nothing.

        33003: it is not about a status, or about nobody or too many.
        """
        self._require_on()
        wanted = {user.subUserId for user in request.subUsers}
        if not 0 < len(wanted) <= USERS_AT_ONCE:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        app, user, *_ = caller
        now = self._clock.now()
        known: set[str]
        match request.subType:
            case SubscriptionType.STATUS:
                page = partial(table.page, app=app, subscriber=user, now=now)
                rows = await self._data.read(page)
                known = {row.subject for row in rows if row.type == SubscriptionType.STATUS}
            case SubscriptionType.FRIEND_STATUS:
                known = {*await self._data.read(partial(self._friends_of, app=app, user=user))}
            case _:
                raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        reply = payloads.PullSubDataResp(versionTime=now, hasNext=False, isFull=False)
        for name in sorted(wanted & known):
            reply.list.append(self._shown((app, name), SubscriptionType(request.subType)))
        return reply

    async def pull(
        self, caller: Caller, target: str, request: payloads.PullUserSubReq
    ) -> payloads.PUllUserSubResp:
        """Whom the caller is subscribed to, and what was ended after ``version``.

        ``version`` of the answer is that of the request until the last page has come. 33003: the
        page is not one of ours.
        """
        self._require_on()
        read = partial(
            _list,
            app=caller.app,
            subscriber=caller.user_id,
            now=self._clock.now(),
            after=_position(request.pageToken),
            version=max(0, request.version),
        )
        return await self._data.read(read)

    async def pull_data(
        self, caller: Caller, target: str, request: payloads.PullSubDataReq
    ) -> payloads.PullSubDataResp:
        """How things stand with all users whom the caller is subscribed to.

        33003: the page is not one of ours.
        """
        self._require_on()
        app, user, *_ = caller
        now = self._clock.now()
        read = partial(
            table.page,
            app=app,
            subscriber=user,
            now=now,
            after=_position(request.pageToken),
            rows=USERS_AT_ONCE + 1,
        )
        rows = await self._data.read(read)
        page = rows[:USERS_AT_ONCE]
        reply = payloads.PullSubDataResp(
            # One that goes down is an error to the client (sdk5 12).
            versionTime=max(now, request.versionTime),
            hasNext=len(rows) > len(page),
            pageToken=_token(page),
            isFull=True,
        )
        for row in page:
            reply.list.append(self._shown((app, row.subject), SubscriptionType(row.type)))
        return reply

    # -- what happens elsewhere --------------------------------------------------------

    def profile_changed(self, key: UserKey) -> None:
        """Tell those who follow a user's profile that it is another one."""
        now = self._clock.now()
        self._profiles.tell(key, self._shown(key, SubscriptionType.PROFILE), now=now)
        self._friends.tell(key, self._shown(key, SubscriptionType.FRIEND_PROFILE))

    def befriended(self, app: str, user: str, other: str) -> None:
        """They are friends from now on."""
        self._friends.watch((app, user), always([(app, other)]))
        self._friends.watch((app, other), always([(app, user)]))

    def parted(self, app: str, user: str, other: str) -> None:
        """They are friends no more."""
        self._friends.unwatch((app, user), [(app, other)])
        self._friends.unwatch((app, other), [(app, user)])

    def _joined(self, device: Device) -> None:
        key = device.user.key
        if len(device.user.devices) == 1:
            self._since[key] = self._clock.now()
            self._tell_status(key)
        if self._status.can_tell(device):
            start(self._resume(key), _logged)

    def _left(self, device: Device) -> None:
        key = device.user.key
        if not self._status.is_reachable(key):
            for watching in (self._status, self._profiles, self._friends):
                watching.forget(key)
        if not device.user.devices:
            del self._since[key]
            self._tell_status(key)

    async def _resume(self, key: UserKey) -> None:
        """Somebody who can be told has come."""
        app, user = key
        # In the order of the changes, so that none of them is undone by what was true before it.
        followed = partial(self._followed, app=app, user=user, now=self._clock.now())
        rows, friends = await self._data.write(followed)
        for type, watching in self._watching.items():
            subjects = {(app, row.subject): row.until for row in rows if row.type == type}
            watching.watch(key, subjects)
        self._friends.watch(key, always((app, name) for name in friends))

    def _followed(
        self, connection: Connection, *, app: str, user: str, now: int
    ) -> tuple[list[Subscription], list[str]]:
        """The subscriptions and the friends of a user."""
        rows = table.page(connection, app=app, subscriber=user, now=now)
        return rows, [*self._friends_of(connection, app=app, user=user)]

    # -- telling -----------------------------------------------------------------------

    def _tell_status(self, key: UserKey) -> None:
        now = self._clock.now()
        if key in self._status:
            self._status.tell(key, self._shown(key, SubscriptionType.STATUS), now=now)
        if key in self._friends:
            self._friends.tell(key, self._shown(key, SubscriptionType.FRIEND_STATUS))

    def _tell_others(self, caller: Caller, request: bytes, *, time: int) -> None:
        """Have the caller's other devices ask for the list (sdk5 7)."""
        user = self._hub.find(caller.key)
        for device in user.devices if user is not None else ():
            if device is not caller.device and device.is_open:
                device.peer.sync(
                    Topic.UPD_USER_SUB, caller.user_id, request, uid="", timestamp=TimeMs(time)
                )

    def _shown(self, key: UserKey, type: SubscriptionType) -> payloads.SubDataDetail:
        """How things stand with a user: since when he is online, or that he is not, as of now."""
        detail = payloads.SubDataDetail(subUserId=key[1], subType=type)
        if type in (SubscriptionType.STATUS, SubscriptionType.FRIEND_STATUS):
            since = self._since.get(key)
            time = self._clock.now() if since is None else since
            detail.data.add(platformInfo=_WEB, value=int(since is not None), versionTime=time)
        return detail

    def _require_on(self) -> None:
        if not self._is_on:
            raise ServiceError(ErrorCode.RC_SUBSCRIBE_ONLINE_SERVICE_UNAVAILABLE)


class _Wanted(NamedTuple):
    """Who wants what of whom, at what time."""

    app: str
    subscriber: str
    type: SubscriptionType
    subjects: Sequence[str]
    now: int


def _add(connection: Connection, *, wanted: _Wanted, expiry: int) -> int:
    app, user, type, subjects, now = wanted
    had = {
        row.subject
        for row in table.page(connection, app=app, subscriber=user, now=now)
        if row.type == type
    }
    if len(had.union(subjects)) > SUBSCRIPTIONS:
        raise ServiceError(ErrorCode.RC_SUBSCRIBED_USERIDS_EXCEED_LIMIT)
    is_full = partial(
        table.has_most, connection, app=app, but=user, type=type, now=now, most=SUBSCRIBERS
    )
    full = [name for name in subjects if is_full(subject=name)]
    if full:
        reply = payloads.UpdateUserSubResp(subTime=0)
        for name in full:
            reply.subUsers.add(subUserId=name)
        raise ServiceError(ErrorCode.RC_BESUBSCRIBED_USERIDS_COUNT_EXCEED_LIMIT, reply)
    time = _later(connection, wanted)
    table.add(
        connection,
        app=app,
        subscriber=user,
        type=type,
        subjects=subjects,
        now=now,
        time=time,
        expiry=expiry,
    )
    return time


def _end(connection: Connection, *, wanted: _Wanted) -> int:
    app, user, type, subjects, now = wanted
    time = _later(connection, wanted)
    table.end(
        connection, app=app, subscriber=user, type=type, subjects=subjects, now=now, time=time
    )
    return time


def _later(connection: Connection, wanted: _Wanted) -> int:
    """A time later than all that the subscriber's changes have: it is their version."""
    last = table.newest(connection, app=wanted.app, subscriber=wanted.subscriber)
    return max(wanted.now, last + 1)


def _list(
    connection: Connection,
    *,
    app: str,
    subscriber: str,
    now: int,
    after: tuple[int, int],
    version: int,
) -> payloads.PUllUserSubResp:
    rows = table.page(
        connection,
        app=app,
        subscriber=subscriber,
        now=now,
        after=after,
        ended_after=version,
        rows=USERS_AT_ONCE + 1,
    )
    page = rows[:USERS_AT_ONCE]
    has_next = len(rows) > len(page)
    if not has_next:
        version = max(version, table.newest(connection, app=app, subscriber=subscriber))
    reply = payloads.PUllUserSubResp(
        version=version, hasNext=has_next, pageToken=_token(page), isFull=True
    )
    groups: dict[tuple[int, int, int], payloads.UserSubList] = {}
    for row in page:
        group = groups.get((row.type, row.time, row.expiry))
        if group is None:
            change = _Change.ADD if row.expiry else _Change.END
            group = groups[row.type, row.time, row.expiry] = reply.list.add(
                subType=row.type, subTime=row.time, expiry=row.expiry, opType=change
            )
        group.subUsers.add(subUserId=row.subject)
    return reply


def _token(page: Sequence[Subscription]) -> str:
    """What names the page behind this one."""
    return f"{page[-1].type}.{page[-1].number}" if page else ""


def _position(token: str) -> tuple[int, int]:
    """Behind what a page begins."""
    if not token:
        return table.FIRST
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
    return int(match[1]), int(match[2])


def _logged(result: Exception | None) -> None:
    if result is not None:
        _logger.error("subscriptions could not be read: %s", result)
