"""Who may come into a group that clients manage: joining, inviting, and the answers (sdk5 8.5).

``joinPerm`` says who lets those in who want to join; ``memInvitePerm`` who may invite others, and
``invitePerm`` whether those are asked. Whoever invites and may not let people in himself needs the
consent of one who may, before the invited one hears of it.

Applications and invitations can be answered for a week. They are told to everybody who has to do
with them: who joins, who has invited him, and those who may let him in.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.charters import is_overdue, together
from improto_server.services.managed_rules import (
    DETAIL_CHARACTERS,
    INVITED_AT_ONCE,
    PAGE_APPLICATIONS,
    WAITING,
    ApplicationStatus,
    Direction,
    GroupOperation,
    Happening,
    JoinPermission,
    check_text,
    check_users,
)
from improto_server.services.pages import ListType, listing, read_page
from improto_server.store import group_applications as table
from improto_server.store.group_applications import Application
from improto_server.store.managed_groups import Person

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, Sequence

    from improto_server.services import Caller, Operations
    from improto_server.services.charter import Group
    from improto_server.services.charters import Charters
    from improto_server.services.rosters import Rosters

    People = Mapping[str, Person]

_MANAGERS_TURN = (ApplicationStatus.MANAGER_UNHANDLED, ApplicationStatus.MANAGER_REFUSED)
_UNHANDLED = (ApplicationStatus.MANAGER_UNHANDLED, ApplicationStatus.INVITEE_UNHANDLED)
_INVITATION, _APPLICATION = 0, 1
"""``optType`` of an answer."""


class ManagedApplications:
    """The service. All of it is refused with 25413 where clients manage no groups."""

    def __init__(self, *, charters: Charters, rosters: Rosters) -> None:
        self._charters = charters
        self._rosters = rosters

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.CHANNEL_MEM_JOIN: self.join,
            Topic.CHANNEL_MEM_INVITE: self.invite,
            Topic.CHANNEL_APPLY_RESP: self.respond,
            Topic.Q_CHANNEL_APPLY_LIST: self.applications,
        }

    async def join(
        self, caller: Caller, target: str, request: payloads.ChannelsMembersInput
    ) -> payloads.ChannelsOutput:
        """Join a group, or ask to. ``processCode`` of the answer is 0, or 25424: it was asked for.

        RC_GROUP_MEMBERS_ALREADY_IN_GROUP (25412): the caller is in. RC_GROUP_NOT_ALLOW_JOIN
        (25414): nobody may. RC_GROUP_MEMBERS_COUNT_EXCEED_LIMIT (25411): there is no room, or
        too many wait. 25410, 25429, 25430: see :meth:`.charters.Charters.load`.
        """
        people = await self._charters.people(caller, ())
        group = await self._charters.load(caller.app, target)
        user = caller.user_id
        if user in group.roster.members:
            raise ServiceError(ErrorCode.RC_GROUP_MEMBERS_ALREADY_IN_GROUP)
        permission = group.charter.permission("joinPerm")
        if permission == JoinPermission.NO_ONE:
            raise ServiceError(ErrorCode.RC_GROUP_NOT_ALLOW_JOIN)
        group.check_room([user])
        if permission == JoinPermission.FREE:
            await self._let_in(group, user, [user], people)
            return payloads.ChannelsOutput(processCode=0)
        one = self._new(group, user, "", ApplicationStatus.MANAGER_UNHANDLED)
        self._check_waiting(group, [one])
        await self._put(group, user, [one], people)
        return _pending(ErrorCode.RC_GROUP_JOIN_GROUP_NEED_MANAGER_ACCEPT)

    async def invite(
        self, caller: Caller, target: str, request: payloads.ChannelsMembersInput
    ) -> payloads.ChannelsOutput:
        """Let users in, or ask who must agree. Those who are in already stay in.

        ``processCode`` of the answer: 0, they are in; 25424, the owner or a manager has to agree;
        25427, they have to themselves.

        RC_GROUP_NO_INVITE_PERMISSION (25426): the caller may not. 25412: all are in. 25411: there
        is no room, or too many wait. 25418: the caller is no member. 25403: no user is named,
        more than :data:`.managed_rules.INVITED_AT_ONCE` are, or an id is no user's.
        """
        check_users(request.userIds, INVITED_AT_ONCE)
        people = await self._charters.people(caller, request.userIds)
        group = await self._charters.load(caller.app, target)
        user = caller.user_id
        group.check_member(user)
        if not group.may(user, "memInvitePerm"):
            raise ServiceError(ErrorCode.RC_GROUP_NO_INVITE_PERMISSION)
        new = group.roster.newcomers(request.userIds)
        if not new:
            raise ServiceError(ErrorCode.RC_GROUP_MEMBERS_ALREADY_IN_GROUP)
        group.check_room(new)
        free = group.charter.permission("joinPerm") == JoinPermission.FREE
        if not free and user not in group.admitters:
            status = ApplicationStatus.MANAGER_UNHANDLED
            asked = [self._new(group, other, user, status) for other in new]
            self._check_waiting(group, asked)
            await self._put(group, user, asked, people)
            return _pending(ErrorCode.RC_GROUP_JOIN_GROUP_NEED_MANAGER_ACCEPT)
        if group.charter.permission("invitePerm"):
            self._check_waiting(group, self._invitations(group, user, new))
            await self.bring(group, user, new, people)
            return _pending(ErrorCode.RC_GROUP_NEED_INVITEE_ACCEPT)
        await self.bring(group, user, new, people)
        return payloads.ChannelsOutput(processCode=0)

    async def respond(
        self, caller: Caller, target: str, request: payloads.ChannelsMemberResponseInput
    ) -> payloads.ChannelsOutput:
        """Answer an invitation (``optType`` 0) or, for the group, an application (1).

        ``optResult`` 1 is yes and 0 is no, with the reason in ``detail``. An invitation is named by
        ``inviterId``, an application by ``joinUserId``, and by ``inviterId`` if somebody else
        than the joiner has asked. ``processCode`` of the answer: 0, or 25427: the invited one
        has to agree now.

        RC_GROUP_APPLICATION_NOT_EXIST (25421): there is none, or its time has passed.
        RC_GROUP_APPLICATION_ALREADY_HANDLE (25428): it has been answered. RC_GROUP_AUTHORITY_ERROR
        (25405): the caller lets nobody in. 25411: there is no room. 25406: the reason has more than
        :data:`.managed_rules.DETAIL_CHARACTERS`. 25403: neither, or neither yes nor no.
        """
        check_text(request.detail, DETAIL_CHARACTERS, "detail")
        if request.optType not in (_INVITATION, _APPLICATION) or request.optResult not in (0, 1):
            raise ServiceError(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR)
        user, is_mine = caller.user_id, request.optType == _INVITATION
        joiner, inviter = user if is_mine else request.joinUserId, request.inviterId
        people = await self._charters.people(caller, filter(None, (joiner, inviter)))
        group = await self._charters.load(caller.app, target)
        if not is_mine and user not in group.admitters:
            raise ServiceError(ErrorCode.RC_GROUP_AUTHORITY_ERROR)
        self._charters.drop_overdue(group)
        one = group.charter.waiting.get((joiner, inviter))
        if one is None or one.status != _UNHANDLED[is_mine]:
            raise await self._missing(group, joiner, inviter, is_mine=is_mine)
        answer = one._replace(
            handler=user, handled=self._charters.clock.now(), detail=request.detail
        )
        if not request.optResult:
            refused = (ApplicationStatus.MANAGER_REFUSED, ApplicationStatus.INVITEE_REFUSED)
            await self._put(group, user, [answer._replace(status=refused[is_mine])], people)
            return payloads.ChannelsOutput(processCode=0)
        group.check_room(group.roster.newcomers([joiner]))
        if not is_mine and inviter and group.charter.permission("invitePerm"):
            waits = answer._replace(status=ApplicationStatus.INVITEE_UNHANDLED)
            await self._put(group, user, [waits], people)
            return _pending(ErrorCode.RC_GROUP_NEED_INVITEE_ACCEPT)
        await self._let_in(group, user, [joiner], people, by=inviter)
        return payloads.ChannelsOutput(processCode=0)

    async def applications(
        self, caller: Caller, target: str, request: payloads.ChannelsQueryInput
    ) -> payloads.ChannelsListResult:
        """All that the caller has to do with, by when it was applied for.

        ``order`` 0 is oldest first, 1 newest first. 25403: more than
        :data:`.managed_rules.PAGE_APPLICATIONS` a page. 25432: see
        :func:`.pages.read_page`.
        """
        self._charters.check_on()
        page = read_page(request.page, most=PAGE_APPLICATIONS)
        found: list[Application] = await self._charters.read(
            partial(
                table.of_user,
                app=caller.app,
                user=caller.user_id,
                after=page.after_number,
                is_descending=page.order == 1,
                most=page.size + 1,
            )
        )
        rows, more = page.cut(found, lambda row: (row.applied, row.number))
        named = {name for one in rows for name in (one.joiner, one.inviter, one.handler) if name}
        people = await self._charters.people(caller, named)
        now = self._charters.clock.now()
        infos = payloads.ChannelsInviteStatusInfos()
        for one in rows:
            if one.status in _UNHANDLED and is_overdue(one, now=now):
                one = one._replace(status=ApplicationStatus.EXPIRED)
            direction = _sides(one).get(caller.user_id, Direction.APPLICATION_RECEIVED)
            infos.list.append(_status(one, direction, people))
        return listing(ListType.APPLICATIONS, infos, next_token=more)

    async def bring(self, group: Group, inviter: str, users: Sequence[str], people: People) -> None:
        """Let users in who are invited, or ask them if ``invitePerm`` wants it."""
        if group.charter.permission("invitePerm"):
            await self._put(group, inviter, self._invitations(group, inviter, users), people)
        else:
            await self._let_in(group, inviter, users, people)

    async def _let_in(
        self, group: Group, operator: str, users: Sequence[str], people: People, by: str = ""
    ) -> None:
        new = group.roster.newcomers(users)
        now = self._charters.clock.now()
        answered = [
            one._replace(status=ApplicationStatus.JOINED, handler=operator, handled=now)
            for one in group.charter.waiting.values()
            if one.joiner in users
        ]
        steps: list[Coroutine[Any, Any, object]] = []
        if new:
            steps += [
                self._rosters.join(group.place, new),
                self._charters.tell_operation(
                    group, GroupOperation.JOIN, new, operator=by or operator, people=people
                ),
            ]
        await together(*steps, self._put(group, operator, answered, people))

    async def _put(
        self, group: Group, operator: str, changed: Sequence[Application], people: People
    ) -> None:
        if changed:
            told = self._told(group, operator, changed, people)
            await together(self._charters.apply(group, changed), *told)

    def _told(
        self, group: Group, operator: str, changed: Sequence[Application], people: People
    ) -> list[Coroutine[Any, Any, None]]:
        entries: dict[str, list[tuple[Application, Direction]]] = {}
        for one in changed:
            readers = dict.fromkeys(group.admitters, Direction.APPLICATION_RECEIVED)
            for reader, direction in {**readers, **_sides(one)}.items():
                entries.setdefault(reader, []).append((one, direction))
        # Who reads the same is told of it by one event.
        together_with: dict[tuple[tuple[Application, Direction], ...], list[str]] = {}
        for reader, found in entries.items():
            together_with.setdefault(tuple(found), []).append(reader)
        return [
            self._charters.tell(
                group,
                readers,
                (Happening.APPLICATION, 0),
                payloads.ChannelApplyInfo(
                    statusInfo=[_status(one, direction, people) for one, direction in found]
                ),
                operator=operator,
            )
            for found, readers in together_with.items()
        ]

    def _new(
        self, group: Group, joiner: str, inviter: str, status: ApplicationStatus
    ) -> Application:
        return Application(group.place.id, joiner, inviter, status, self._charters.clock.now())

    def _invitations(self, group: Group, inviter: str, users: Iterable[str]) -> list[Application]:
        status = ApplicationStatus.INVITEE_UNHANDLED
        return [self._new(group, user, inviter, status) for user in users]

    def _check_waiting(self, group: Group, added: Iterable[Application]) -> None:
        self._charters.drop_overdue(group)
        if len(group.charter.waiting.keys() | {one.key for one in added}) > WAITING:
            raise ServiceError(ErrorCode.RC_GROUP_MEMBERS_COUNT_EXCEED_LIMIT)

    async def _missing(
        self, group: Group, joiner: str, inviter: str, *, is_mine: bool
    ) -> ServiceError:
        query = partial(table.find, place=group.place, joiner=joiner, inviter=inviter)
        # Asked of the writer, who has done by then what others have answered by now.
        one: Application | None = await self._charters.write(group.place, query)
        # Of what managers have not agreed to the invited one knows nothing.
        if (
            one is None
            or one.status == _UNHANDLED[is_mine]
            or (is_mine and one.status in _MANAGERS_TURN)
        ):
            return ServiceError(ErrorCode.RC_GROUP_APPLICATION_NOT_EXIST)
        return ServiceError(ErrorCode.RC_GROUP_APPLICATION_ALREADY_HANDLE)


def _sides(one: Application) -> dict[str, Direction]:
    """What an application is to the two whom it is about."""
    if not one.inviter:
        return {one.joiner: Direction.APPLICATION_SENT}
    sides = {one.inviter: Direction.INVITATION_SENT}
    if one.status not in _MANAGERS_TURN:
        sides[one.joiner] = Direction.INVITATION_RECEIVED
    return sides


def _status(
    one: Application, direction: Direction, people: People
) -> payloads.ChannelsInviteStatusInfo:
    info = payloads.ChannelsInviteStatusInfo(
        targetId=one.group,
        joinUserInfo=_user(one.joiner, people),
        status=int(one.status),
        directionType=int(direction),
        joinType=int(bool(one.inviter)),
        detail=one.detail,
        applyTime=one.applied,
    )
    if one.inviter:
        info.inviterInfo.CopyFrom(_user(one.inviter, people))
    if one.handler:
        info.processInfo.CopyFrom(_user(one.handler, people))
        info.processTime = one.handled
    return info


def _user(user: str, people: People) -> payloads.ChannelsUserInfo:
    person = people.get(user, Person("", ""))
    return payloads.ChannelsUserInfo(userId=user, name=person.name, portraitUrl=person.portrait)


def _pending(code: ErrorCode) -> payloads.ChannelsOutput:
    return payloads.ChannelsOutput(processCode=int(code))
