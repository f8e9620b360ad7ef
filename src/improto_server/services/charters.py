"""What clients have decided about a group, known at once when one of them asks for more (sdk5 8.5).

A group has a roster, whoever made it (:mod:`.rosters`); one that clients manage has a charter too.
Services load both, look whether the request is allowed, and begin all its changes and the events
about them together. In between nothing else happens, so nobody can be let in twice, and what was
stored was told.

The charter goes when the roster does, and so does what it says of somebody who leaves, whoever
has decided that.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto_server.errors import ServiceError
from improto_server.services.charter import Charter, Group
from improto_server.services.data import Facts
from improto_server.services.managed_rules import (
    ANSWER_DAYS,
    DAY,
    KEPT_DAYS,
    ApplicationStatus,
    GroupOperation,
    Happening,
    ProfileChange,
    check_group_id,
)
from improto_server.steps import begin
from improto_server.store import Place
from improto_server.store import group_applications as applications
from improto_server.store import managed_groups as table
from improto_server.store.managed_groups import CharterRow, MemberRow, Person

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
    from typing import Any

    from sqlalchemy import Connection

    from improto.payloads import Message
    from improto_server.clock import MessageClock
    from improto_server.services import Caller
    from improto_server.services.data import Data
    from improto_server.services.events import Events
    from improto_server.services.rosters import Rosters
    from improto_server.store.group_applications import Application

CHARTERS_KEPT: Final = 4096
"""In memory; as many as rosters."""


class Charters:
    """All of them, read when they are needed and changed in one place.

    ``is_on`` False: clients manage no groups (sdk5 2.2, ``userProfile``).
    """

    def __init__(
        self, *, data: Data, clock: MessageClock, rosters: Rosters, events: Events, is_on: bool
    ) -> None:
        self._data = data
        self.clock = clock
        self.rosters = rosters
        self._events = events
        self._is_on = is_on
        self._known: Facts[Place, Charter] = Facts(data, _read, capacity=CHARTERS_KEPT)
        rosters.on_gone.append(self._gone)
        rosters.on_dissolved.append(self._dissolved)

    def check_on(self) -> None:
        """RC_GROUP_NOT_ALLOW_SDK_OPERATION (25413): clients manage no groups."""
        if not self._is_on:
            raise ServiceError(ErrorCode.RC_GROUP_NOT_ALLOW_SDK_OPERATION)

    async def look(self, app: str, id: str) -> Group:
        """A group, whether it exists or not. RC_GROUP_ID_INVALID (25430): none can be called so."""
        self.check_on()
        check_group_id(id)
        place = Place(app, ConversationType.GROUP, id)
        while True:
            charter = await self._known.load(place)
            roster = await self.rosters.load(place)
            # Each of the two may have changed while the other one was waited for.
            if self._known.get(place) is charter:
                return Group(place, roster, charter)

    async def load(self, app: str, id: str) -> Group:
        """A group that clients manage.

        RC_GROUP_ID_NOT_EXIST (25410): no such group. RC_GROUP_OLD_GROUP_NOT_ENTRUST (25429): it is
        the application's. 25413, 25430: see :meth:`look`.
        """
        group = await self.look(app, id)
        if not group.roster.exists:
            raise ServiceError(ErrorCode.RC_GROUP_ID_NOT_EXIST)
        if not group.charter.exists:
            raise ServiceError(ErrorCode.RC_GROUP_OLD_GROUP_NOT_ENTRUST)
        return group

    async def people(self, caller: Caller, users: Iterable[str]) -> dict[str, Person]:
        """What the caller and ``users`` are called; to be asked before anything is decided."""
        query = partial(table.people, app=caller.app, users={caller.user_id, *users})
        return await self._data.read(query)

    # -- changes: each begins at once, so that several go together ---------------------------

    async def found(
        self, group: Group, *, creator: str, settings: dict[str, str], extension: dict[str, str]
    ) -> None:
        """A group is made that clients manage."""
        group.charter.exists = True
        group.charter.row = CharterRow(creator, self.clock.now(), settings, extension, {})
        await self._put(group)

    async def amend(
        self, group: Group, *, settings: dict[str, str], extension: dict[str, str]
    ) -> None:
        """Change some settings, and all of the extension."""
        row = group.charter.row
        group.charter.row = row._replace(settings={**row.settings, **settings}, extension=extension)
        await self._put(group)

    async def name_member(
        self, group: Group, user: str, *, nickname: str, additional: str | None
    ) -> None:
        """Give a member a name in the group, and another note if it is not None."""
        member = group.charter.member(user)._replace(nickname=nickname)
        if additional is not None:
            member = member._replace(additional=additional)
        await self._put_member(group, user, member)

    async def promote(self, group: Group, users: Iterable[str], *, is_manager: bool) -> None:
        """Make members managers, or no longer."""
        members = group.charter.members
        steps = [
            self._put_member(
                group, user, group.charter.member(user)._replace(is_manager=is_manager)
            )
            for user in users
            if is_manager or user in members
        ]
        await together(*steps)

    async def apply(self, group: Group, changed: Sequence[Application]) -> None:
        """Applications are made or answered."""
        waiting = group.charter.waiting
        for one in changed:
            waiting.pop(one.key, None)
            if one.status in (
                ApplicationStatus.MANAGER_UNHANDLED,
                ApplicationStatus.INVITEE_UNHANDLED,
            ):
                waiting[one.key] = one
        before = self.clock.now() - KEPT_DAYS * DAY
        write = partial(applications.put, place=group.place, applications=changed, before=before)
        await self.write(group.place, write)

    def drop_overdue(self, group: Group) -> None:
        """Forget applications whose time has passed; the store says of them that it has."""
        now, waiting = self.clock.now(), group.charter.waiting
        for one in [one for one in waiting.values() if is_overdue(one, now=now)]:
            del waiting[one.key]

    async def write(self, place: Place, change: Callable[[Connection], Any]) -> Any:
        """Change something in the store; if that fails, everything is read again."""
        try:
            return await self._data.write(change)
        except Exception:
            self._known.forget(place)
            raise

    async def read(self, query: Callable[[Connection], Any]) -> Any:
        """Ask the store what is committed."""
        return await self._data.read(query)

    async def tell(
        self,
        group: Group,
        users: Iterable[str],
        happening: tuple[Happening, int],
        data: Message | None = None,
        *,
        operator: str,
        secondary: str = "",
        ids: Iterable[str] = (),
    ) -> None:
        """Tell users of an event; ``happening`` is ``changeType`` and ``subChangeType``."""
        kind, subkind = happening
        change = payloads.EventChange(
            businessId=group.place.id,
            channelType=int(ConversationType.GROUP),
            changeType=int(kind),
            subChangeType=int(subkind),
            operatorId=operator,
            secondaryId=secondary,
            extIds=ids,
        )
        if data is not None:
            change.eventData = payloads.encode(data)
        await self._events.tell(group.place.app, list(users), change)

    async def tell_operation(
        self,
        group: Group,
        operation: GroupOperation,
        members: Iterable[str] = (),
        *,
        operator: str,
        people: Mapping[str, Person],
    ) -> None:
        """Tell all members, as they are when this begins, what ``operator`` does with some."""
        data = payloads.ChannelEventData(
            optUserInfo=group.user(operator, people), userInfos=group.users(members, people)
        )
        if operation is GroupOperation.CREATE:
            data.channelInfo.CopyFrom(group.info())
        happening = Happening.OPERATION, operation
        await self.tell(group, group.roster.members, happening, data, operator=operator)

    async def tell_profile(
        self,
        group: Group,
        change: ProfileChange,
        changed: payloads.ChannelsJoinedInfo | None = None,
        member: str = "",
        *,
        operator: str,
        people: Mapping[str, Person],
    ) -> None:
        """Tell all members what has become of the group, or of the one that is named."""
        data = payloads.ChannelEventData(optUserInfo=group.user(operator, people))
        if changed is not None:
            data.channelInfo.CopyFrom(changed)
            data.channelFullInfo.CopyFrom(group.info())
        else:
            data.userInfos.append(group.user(member, people))
        happening = Happening.PROFILE, change
        await self.tell(group, group.roster.members, happening, data, operator=operator)

    async def _put(self, group: Group) -> None:
        place, charter = group.place, group.charter
        change = partial(
            table.put_charter,
            place=place,
            row=charter.row,
            managers_admit=charter.managers_admit,
        )
        await self.write(place, change)

    async def _put_member(self, group: Group, user: str, member: MemberRow) -> None:
        group.charter.members[user] = member
        await self.write(
            group.place,
            partial(table.put_member, place=group.place, member=user, row=member),
        )

    def _gone(self, place: Place, users: Sequence[str]) -> None:
        charter = self._known.get(place)
        if place.type is not ConversationType.GROUP or (charter and not charter.exists):
            return
        if charter:
            for user in users:
                charter.members.pop(user, None)
        begin(self.write(place, partial(table.forget_members, place=place, members=users)))

    def _dissolved(self, place: Place) -> None:
        if place.type is ConversationType.GROUP:
            self._known.put(place, Charter(None))
            begin(self.write(place, partial(_forget, place=place)))


def is_overdue(application: Application, *, now: int) -> bool:
    """Whether it is too late to answer."""
    return max(application.applied, application.handled) + ANSWER_DAYS * DAY <= now


async def together(*steps: Coroutine[Any, Any, object]) -> None:
    """Begin all of it at once; the first error is the answer."""
    for step in [begin(step) for step in steps]:
        await step


def _read(connection: Connection, place: Place) -> Charter:
    row = table.charter(connection, place=place)
    return Charter(row, applications.waiting(connection, place=place) if row else ())


def _forget(connection: Connection, *, place: Place) -> None:
    table.forget(connection, place=place)
    applications.forget(connection, place=place)
