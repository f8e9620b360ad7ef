"""Discussions: groups that users make and run themselves (operations 12).

Only SDK 2.5.3 has these calls; newer clients take part without them. Every change is told
by RC:DizNtf, a message of whoever made it, in the same transaction as the change: those who
come read it, and those who are removed read it too.

Whatever a discussion cannot be asked by somebody, it cannot by a stranger either, so a
discussion that does not exist answers like one that the caller is not in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from improto import contents, payloads
from improto.codes import ConversationType, ErrorCode
from improto.contents import DiscussionChange, DiscussionNotification
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.services.rosters import DISCUSSION_MARK, NAME_CHARACTERS, is_place_id
from improto_server.steps import begin
from improto_server.store import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from improto_server.services import Caller, Operations
    from improto_server.services.messages import Messages
    from improto_server.services.rosters import Roster, Rosters

FIRST_MEMBERS: Final = 10
"""How many members the reply to ``dizInf`` names: the field's own name says so."""

ID_BYTES: Final = 10
"""Of chance in an id: 16 digits of base 32, too many to be guessed or to meet."""

_ID_DIGITS: Final = "abcdefghijklmnopqrstuvwxyz234567"
_OPEN, _CLOSED = 0, 1
"""ModifyPermissionInput.openStatus (codes 8)."""


class Discussions:
    """The service. ``random`` gives that many bytes that nobody can guess."""

    def __init__(
        self, *, rosters: Rosters, messages: Messages, random: Callable[[int], bytes]
    ) -> None:
        self._rosters = rosters
        self._messages = messages
        self._random = random

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.CR_DIZ: self.create,
            Topic.INVT_DIZ: self.invite,
            Topic.DIZ_INF: self.info,
            Topic.QUIT_DIZ: self.quit,
            Topic.EVCT_DIZ: self.evict,
            Topic.PD_OPEN: self.open,
            Topic.RENAME: self.rename,
        }

    async def create(
        self, caller: Caller, target: str, request: payloads.CreateDiscussionInput
    ) -> payloads.CreateDiscussionOutput:
        """Make a discussion whose owner and only member is the caller; it may have no name.

        CREATE_DISCUSSION (21408): the name has more than :data:`.rosters.NAME_CHARACTERS`.
        """
        if len(request.name) > NAME_CHARACTERS:
            raise ServiceError(ErrorCode.CREATE_DISCUSSION)
        place = self._new_place(caller)
        while (await self._rosters.load(place)).members:
            place = self._new_place(caller)
        user = caller.user_id
        await self._rosters.create(place, name=request.name, owner=user, members=[user])
        return payloads.CreateDiscussionOutput(id=place.id)

    async def invite(
        self, caller: Caller, target: str, request: payloads.ChannelInvitationInput
    ) -> None:
        """Let users in. Those who are in already stay in.

        NOT_IN_DISCUSSION (21406): the caller is no member. INVITE_DICUSSION (21409): only the
        owner may invite. JOIN_IN_DISCUSSION (21407): an id is no user's, nobody is named, or there
        is no room (:data:`.rosters.MOST_MEMBERS`). RC_MSG_CONTENT_EXCEED_LIMIT (30016): more ids
        than the notice can name. Then nobody is let in.
        """
        roster = await self._roster(caller, target)
        if roster.openness == _CLOSED and caller.user_id != roster.owner:
            raise ServiceError(ErrorCode.INVITE_DICUSSION)
        if not request.users or not all(map(is_user_id, request.users)):
            raise ServiceError(ErrorCode.JOIN_IN_DISCUSSION)
        new = roster.newcomers(request.users)
        if new:
            roster.make_room(new)
            notice = _notification(caller, DiscussionChange.JOINED, ",".join(new))
            fault = self._messages.fault(roster.place.type, roster.place.id, notice)
            if fault is not None:
                raise ServiceError(fault)
            await _together(
                self._rosters.join(roster.place, new), self._post(caller, roster, notice)
            )

    async def info(
        self, caller: Caller, target: str, request: payloads.ChannelInfoInput
    ) -> payloads.ChannelInfoOutput:
        """Name, owner, openness and the :data:`FIRST_MEMBERS` oldest members.

        NOT_IN_DISCUSSION (21406): the caller is no member.
        """
        roster = await self._roster(caller, target)
        return payloads.ChannelInfoOutput(
            type=int(ConversationType.DISCUSSION),
            channelId=target,
            channelName=roster.name,
            adminUserId=roster.owner,
            firstTenUserIds=list(roster.members)[:FIRST_MEMBERS],
            openStatus=roster.openness,
        )

    async def quit(self, caller: Caller, target: str, request: payloads.LeaveChannelInput) -> None:
        """Leave. After the owner, the oldest member is the owner; without members, it is dissolved.

        NOT_IN_DISCUSSION (21406): the caller is no member.
        """
        roster = await self._roster(caller, target)
        user, place = caller.user_id, roster.place
        others = [member for member in roster.members if member != user]
        if not others:
            await self._rosters.dissolve(place)
            return
        steps = [
            self._notice(caller, roster, DiscussionChange.LEFT, user),
            self._rosters.leave(place, [user]),
        ]
        if user == roster.owner:
            steps.append(self._rosters.change(place, owner=others[0]))
        await _together(*steps)

    async def evict(
        self, caller: Caller, target: str, request: payloads.ChannelEvictionInput
    ) -> None:
        """Take another member out.

        NOT_IN_DISCUSSION (21406): the caller, or the other, is no member. RC_MSG_UNAUTHORIZED
        (20406): the caller is not the owner, or removes himself.
        """
        roster = await self._roster(caller, target)
        if caller.user_id != roster.owner or request.user == roster.owner:
            raise ServiceError(ErrorCode.RC_MSG_UNAUTHORIZED)
        if request.user not in roster.members:
            raise ServiceError(ErrorCode.NOT_IN_DISCUSSION)
        await _together(
            self._notice(caller, roster, DiscussionChange.REMOVED, request.user),
            self._rosters.leave(roster.place, [request.user]),
        )

    async def open(
        self, caller: Caller, target: str, request: payloads.ModifyPermissionInput
    ) -> None:
        """Say who may invite: ``openStatus`` 0 all members, 1 the owner.

        INVITE_DICUSSION (21409): the caller is not the owner. BIZ_ERROR_INVALID_PARAMETER (33003):
        the status is neither.
        """
        roster = await self._load(caller, target)
        if caller.user_id not in roster.members or caller.user_id != roster.owner:
            raise ServiceError(ErrorCode.INVITE_DICUSSION)
        if request.openStatus not in (_OPEN, _CLOSED):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        await _together(
            self._rosters.change(roster.place, openness=request.openStatus),
            self._notice(
                caller, roster, DiscussionChange.OPENNESS_CHANGED, str(request.openStatus)
            ),
        )

    async def rename(
        self, caller: Caller, target: str, request: payloads.RenameChannelInput
    ) -> None:
        """Give it another name; every member may.

        NOT_IN_DISCUSSION (21406): the caller is no member. BIZ_ERROR_INVALID_PARAMETER (33003): the
        name is empty or has more than :data:`.rosters.NAME_CHARACTERS`.
        """
        roster = await self._roster(caller, target)
        if not 0 < len(request.name) <= NAME_CHARACTERS:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        await _together(
            self._rosters.change(roster.place, name=request.name),
            self._notice(caller, roster, DiscussionChange.RENAMED, request.name),
        )

    def _new_place(self, caller: Caller) -> Place:
        number = int.from_bytes(self._random(ID_BYTES))
        digits = "".join(_ID_DIGITS[number >> shift & 31] for shift in range(0, 8 * ID_BYTES, 5))
        return Place(caller.app, ConversationType.DISCUSSION, DISCUSSION_MARK + digits)

    async def _load(self, caller: Caller, target: str) -> Roster:
        if not is_place_id(ConversationType.DISCUSSION, target):
            raise ServiceError(ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID)
        return await self._rosters.load(Place(caller.app, ConversationType.DISCUSSION, target))

    async def _roster(self, caller: Caller, target: str) -> Roster:
        roster = await self._load(caller, target)
        refusal = roster.outsider(caller.user_id)
        if refusal is not None:
            raise ServiceError(refusal)
        return roster

    async def _notice(
        self, caller: Caller, roster: Roster, change: DiscussionChange, extension: str
    ) -> None:
        await self._post(caller, roster, _notification(caller, change, extension))

    async def _post(self, caller: Caller, roster: Roster, up: payloads.UpStreamMessage) -> None:
        place = roster.place
        await self._messages.post(place.app, caller.user_id, place.type, place.id, up)


def _notification(
    caller: Caller, change: DiscussionChange, extension: str
) -> payloads.UpStreamMessage:
    """RC:DizNtf (messages 6)."""
    content = DiscussionNotification(
        type=int(change), extension=extension, operation=caller.user_id
    )
    return payloads.UpStreamMessage(
        sessionId=contents.flags(content),
        classname=content.object_name,
        content=contents.encode(content),
    )


async def _together(*steps: Coroutine[Any, Any, object]) -> None:
    """Begin all of it at once; the first error is the answer."""
    for step in [begin(step) for step in steps]:
        await step
