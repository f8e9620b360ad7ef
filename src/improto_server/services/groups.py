"""Groups: who is in them, as the application's own server says (operations 13, rest 7).

Clients cannot change these groups. They write to them and read them, which is :mod:`.messages`'
business; so no topic leads here. Groups that they make themselves are :mod:`.managed_groups`.
Nor does the server tell members of a change: RC:GrpNtf is the application's, in words of its own.

Whatever the application says of groups and users need not exist yet (rest 5). It mutes whom
it has not let in, and leaves groups that were never made, without being contradicted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto.codes import ConversationType, ErrorCode
from improto_server.errors import ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.services.rosters import NAME_CHARACTERS, is_place_id
from improto_server.store import Place
from improto_server.store.schema import FOREVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from improto_server.services.rosters import Roster, Rosters

USERS_AT_ONCE: Final = 1000
"""The most users that one call lets in or takes out (rest 7)."""


class Groups:
    """The service, for the application's own server.

    All of it raises :class:`ServiceError`. RC_DISCUSSION_GROUP_ID_INVALID (20407): a group id is
    none (:func:`.rosters.is_place_id`). BIZ_ERROR_INVALID_PARAMETER (33003): a user id is none,
    there are more than :data:`USERS_AT_ONCE`, or a name is longer than
    :data:`.rosters.NAME_CHARACTERS`. INTERNALERRROR (24015): the store could not do it.
    :class:`.rosters.RosterFull`: the group has no room.
    """

    def __init__(self, rosters: Rosters) -> None:
        self._rosters = rosters

    async def create(
        self, app: str, group_id: str, *, owner: str = "", members: Iterable[str] = (), name: str
    ) -> list[str]:
        """Make a group; one that is there gets the members and the name. Returns the new ones.

        ``owner``: a user who becomes a member as well and may speak when the group is muted;
        empty for nobody, as the public service has it.
        """
        place = _place(app, group_id)
        _check_name(name)
        users = _checked([owner, *members] if owner else members)
        before = await self._rosters.load(place)
        is_there = before.exists
        new = await self._rosters.create(place, name=name, owner=owner, members=users)
        if is_there:
            await self._rosters.change(place, name=name, owner=owner or None)
        return new

    async def join(
        self, app: str, group_id: str, users: Iterable[str], *, name: str = ""
    ) -> list[str]:
        """Let users in; returns those who were not in before.

        Makes the group if there is none, with this ``name``; otherwise the name is not looked at.
        """
        place = _place(app, group_id)
        _check_name(name)
        return await self._rosters.create(place, name=name, members=_checked(users))

    async def quit(self, app: str, group_id: str, users: Iterable[str]) -> list[str]:
        """Take users out; returns those who were in. What they were sent they can still pull."""
        return await self._rosters.leave(_place(app, group_id), _checked(users))

    async def dismiss(self, app: str, group_id: str) -> None:
        """There is no such group any more. What was sent can still be pulled."""
        await self._rosters.dissolve(_place(app, group_id))

    async def rename(self, app: str, group_id: str, name: str) -> None:
        """Give a group another name; nothing happens if there is no such group."""
        place = _place(app, group_id)
        _check_name(name)
        if (await self._rosters.load(place)).exists:
            await self._rosters.change(place, name=name)

    async def info(self, app: str, group_id: str) -> Roster:
        """All about a group, to be looked at only; ``exists`` is False if there is none."""
        return await self._rosters.load(_place(app, group_id))

    async def members(self, app: str, group_id: str) -> list[str]:
        """User ids, the oldest member first; empty if there is no such group."""
        return list((await self.info(app, group_id)).members)

    async def groups_of(self, app: str, user: str) -> list[tuple[str, str]]:
        """Ids and names of the groups that a user is in, in the order in which he joined."""
        _checked([user])
        return await self._rosters.places_of(app, user, ConversationType.GROUP)

    async def mute_member(
        self, app: str, group_id: str, user: str, *, until: int | None = None
    ) -> None:
        """Let a user not write before ``until``, in milliseconds since 1970; None: for ever.

        0 lets him write again. He goes on reading.
        """
        _checked([user])
        await self._rosters.silence(
            _place(app, group_id), user, until=FOREVER if until is None else until
        )

    async def mute_all(self, app: str, group_id: str, *, is_muted: bool) -> None:
        """Let nobody write but the owner and those who are exempt; or everybody again."""
        await self._rosters.change(_place(app, group_id), is_muted=is_muted)

    async def exempt(self, app: str, group_id: str, user: str, *, is_exempt: bool) -> None:
        """Let a user write although all others may not, or no longer."""
        _checked([user])
        await self._rosters.exempt(_place(app, group_id), user, is_exempt=is_exempt)

    async def muted_groups(self, app: str) -> list[str]:
        """Ids of the groups in which all are muted."""
        return await self._rosters.muted_places(app, ConversationType.GROUP)

    async def sync_user(self, app: str, user: str, groups: Mapping[str, str]) -> None:
        """``groups``, ids and names, are all that the user is in.

        He leaves the others. Groups that are not there are made; those that are keep their names.
        One after the other: if a group has no room, those after it are not looked at.
        """
        _checked([user])
        wanted = {_place(app, group_id): name for group_id, name in groups.items()}
        for name in groups.values():
            _check_name(name)
        for group_id, _ in await self.groups_of(app, user):
            if group_id not in groups:
                await self._rosters.leave(_place(app, group_id), [user])
        for place, name in wanted.items():
            await self._rosters.create(place, name=name, members=[user])


def _place(app: str, group_id: str) -> Place:
    if not is_place_id(ConversationType.GROUP, group_id):
        raise ServiceError(ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID)
    return Place(app, ConversationType.GROUP, group_id)


def _check_name(name: str) -> None:
    if len(name) > NAME_CHARACTERS:
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)


def _checked(users: Iterable[str]) -> list[str]:
    found = list(users)
    if len(found) > USERS_AT_ONCE or not all(map(is_user_id, found)):
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
    return found
