"""The end of an account, and what time alone brings about.

An account that is to be deleted is closed first, in one step: nobody gets in any more, and its
address is free. The rest goes in many steps, each of which may be done twice. If the server dies
in between, it goes on when it starts again.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
from msgspec import Struct

from improto import payloads
from improto.codes import ConversationType
from improto_server.accounts.bodies import Typed
from improto_server.accounts.house import HOUR
from improto_server.accounts.visits import Reply, Visit
from improto_server.errors import ServiceError
from improto_server.services.callers import caller_of
from improto_server.services.managed_rules import REMOVE
from improto_server.store import app_accounts as table
from improto_server.waiting import finished

if TYPE_CHECKING:
    from improto_server.accounts.house import House
    from improto_server.accounts.portraits import Portraits

AT_ONCE: Final = 200
"""Rows that are deleted by one change."""

_logger = logging.getLogger(__name__)


class Delete(Struct, forbid_unknown_fields=True, kw_only=True):
    """The password; guests have none."""

    password: Typed = ""


class Closing:
    """Deletes accounts."""

    def __init__(self, house: House, portraits: Portraits) -> None:
        self._house = house
        self._portraits = portraits

    async def delete(self, visit: Visit, body: Delete) -> Reply:
        """Delete the account of who is logged in."""
        owner = visit.owner
        if not owner.is_guest:
            await self._house.check_password(visit, body.password)
        await self._close(owner.user_id, owner.portrait)
        return Reply({}, "")

    async def tidy_regularly(self) -> None:
        """Do what time alone brings about, again and again."""
        while True:
            try:
                await self.tidy()
            except ServiceError as error:
                _logger.error("accounts could not be tidied up: %s", error)
            await anyio.sleep(HOUR)

    async def tidy(self) -> None:
        """Go on with deletions, forget guests who cannot come back, and what is over."""
        house = self._house
        for user, portrait in await house.records.read(
            partial(table.closed, app=house.app, most=AT_ONCE)
        ):
            await self._try_to_finish(user, portrait)
        gone = partial(table.guests_gone, app=house.app, now=house.now(), most=AT_ONCE)
        while guests := await house.records.read(gone):
            for user, portrait in guests:
                await self._close(user, portrait)
        forget = partial(table.forget, now=house.now(), most=AT_ONCE)
        while await house.records.write(forget) >= AT_ONCE:
            pass
        for text in house.settings.rooms:
            id, _, name = text.partition(":")
            await finished(house.system.rooms.create(house.app, id, name=name))

    async def _close(self, user: str, portrait: str) -> None:
        house = self._house
        await house.records.write(partial(table.close, app=house.app, user=user))
        await self._try_to_finish(user, portrait)

    async def _try_to_finish(self, user: str, portrait: str) -> None:
        try:
            await self._finish(user, portrait)
        except (ServiceError, OSError) as error:
            _logger.error("a deletion will be finished later: %s", error)

    async def _finish(self, user: str, portrait: str) -> None:
        house = self._house
        system, key = house.system, (house.app, user)
        await house.end_tokens(user)
        await finished(system.friends.clear(*key))
        for group, _ in await finished(system.groups.groups_of(*key)):
            await self._leave(user, group)
        discussions = system.rosters.places_of(*key, ConversationType.DISCUSSION)
        for discussion, _ in await finished(discussions):
            request = payloads.LeaveChannelInput()
            caller = caller_of(house.app, user)
            await finished(system.discussions.quit(caller, discussion, request))
        standing = await finished(system.standings.load(key))
        for other in standing.blocked:
            await finished(system.standings.unblock(key, other))
        for other in standing.allowed:
            await finished(system.standings.disallow(key, other))
        await self._portraits.remove(portrait)
        await house.records.write(partial(table.erase, app=house.app, user=user))
        system.user_profiles.tell(key, house.now())

    async def _leave(self, user: str, id: str) -> None:
        """Leave a group; one that he owns gets the first of its managers, or its oldest member."""
        system, app = self._house.system, self._house.app
        caller = caller_of(app, user)
        try:
            group = await finished(system.charters.load(app, id))
        except ServiceError:
            # It is the application's.
            await finished(system.groups.quit(app, id, [user]))
            return
        remark = payloads.ChannelsMemberUpdateInput(operateType=REMOVE)
        await finished(system.managed_groups.remark(caller, id, remark))
        request = payloads.ModifyChannelsInput()
        request.settingInfo.isDelAttention = True
        members = group.roster.members
        heirs = [each for each in (*group.charter.managers, *members) if each != user]
        if user != group.roster.owner:
            await finished(system.managed_members.quit(caller, id, request))
        elif heirs:
            request.users.append(heirs[0])
            request.settingInfo.isQuit = True
            await finished(system.managed_members.transfer(caller, id, request))
        else:
            await finished(system.managed_groups.dismiss(caller, id, request))
