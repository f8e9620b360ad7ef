"""Friends: who is whose, who wants to be, and who may ask (sdk5 8.5).

Friends have each other; there are none on one side only. Whether somebody becomes a friend by
being asked, or has to agree, or wants nobody to ask, is his own decision. Whoever asks somebody who
has asked him becomes his friend.

SDK 5.38.0 sends ``friendAdd`` twice, one after the other. So an application that says the same as
the one that waits is not told again. Events go to all devices of both, also to the one that has
caused them: each reads the same stream (:mod:`.events`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services import friend_changes as changes
from improto_server.services.accounts import is_user_id
from improto_server.services.charters import together
from improto_server.services.friend_rules import (
    BOTH,
    FRIEND,
    PAGE_ENTRIES,
    Answer,
    ApplicationStatus,
    ApplicationType,
    FriendEvent,
    Permission,
    check_description,
    check_info,
    friend_info,
    read_ids,
    require,
    status_of,
)
from improto_server.services.pages import ListType, listing, read_page
from improto_server.store import friends as table
from improto_server.store.friends import Application

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    from improto.payloads import Message
    from improto_server.clock import MessageClock
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data
    from improto_server.services.events import Events
    from improto_server.services.friend_changes import Outcome
    from improto_server.services.pages import Page
    from improto_server.store.friends import Friend

_EACH_OTHERS: Final = 3
"""``status`` of a check: each has the other in his list; 0: nobody has."""


class Friends:
    """The service. ``robots``: ids of users who are programs, and nobody's friends."""

    def __init__(
        self,
        *,
        data: Data,
        clock: MessageClock,
        events: Events,
        is_on: bool,
        robots: Container[str] = (),
    ) -> None:
        self._data = data
        self._clock = clock
        self._events = events
        self._is_on = is_on
        self._robots = robots
        self.on_befriended: list[Callable[[str, str, str], None]] = []
        """Called with the app and two users who have become friends."""
        self.on_parted: list[Callable[[str, str, str], None]] = []
        """Called with the app and two users who are friends no longer."""

    def operations(self) -> Operations:
        """The topics it answers; all are refused with 24369 where users have no profiles."""
        return {
            Topic.FRIEND_ADD: self.add,
            Topic.FRIEND_HANDLE: self.answer,
            Topic.FRIEND_DEL: self.remove,
            Topic.FRIEND_SET_PF: self.describe,
            Topic.FRIEND_CHECK: self.check,
            Topic.FRIENDS_INFO_QRY: self.named,
            Topic.FRIENDS_QUERY: self.query,
            Topic.FRIEND_AUTH_SET: self.set_permission,
            Topic.FRIEND_AUTH_GET: self.permission,
        }

    async def add(
        self, caller: Caller, target: str, request: payloads.FriendInput
    ) -> payloads.ChannelsOutput:
        """Ask a user to be a friend. ``processCode`` of the answer is 0, he is; or 25461, he has
        to agree, within :data:`.managed_rules.ANSWER_DAYS`.

        25460: he is already. 25462, 25464: one has the other on the blacklist. 25467, 25468: one
        of them has :data:`.friend_rules.FRIENDS`. 25470: ``info`` is too long. 25471: he
        wants nobody to ask. 25472: the id is no user's. 25473: it is the caller's. 25474: it is a
        robot's. 25403: no such type.
        """
        self._require_on()
        app, user, other = caller.app, caller.user_id, request.targetId
        require(request.type == BOTH)
        self._check_other(user, other)
        check_info(request.info)
        asking = Application(
            user, other, ApplicationStatus.UNHANDLED, self._clock.now(), request.info
        )
        outcome = await self._data.write(partial(changes.ask, app=app, application=asking))
        if outcome.are_friends:
            await self._befriended(app, outcome, operator=user)
            return payloads.ChannelsOutput(processCode=0)
        if outcome.is_news:
            await self._tell_application(
                app, FriendEvent.ASKED, outcome, info=request.info, operator=user
            )
        return payloads.ChannelsOutput(processCode=int(ErrorCode.RC_FRIEND_NEED_ACCEPT))

    async def answer(self, caller: Caller, target: str, request: payloads.FriendInput) -> None:
        """Accept or refuse what a user has asked the caller.

        25466: he has asked nothing, or it is answered, or it is too late. 25470: ``info`` is too
        long. 25403: no such :class:`.friend_rules.Answer`. Besides, for who accepts, what
        :meth:`add` refuses.
        """
        self._require_on()
        require(request.type in (*Answer,))
        check_info(request.info)
        app, user, now = caller.app, caller.user_id, self._clock.now()
        change = partial(
            changes.accept if request.type == Answer.ACCEPT else changes.refuse,
            app=app,
            user=user,
            asker=request.targetId,
            now=now,
        )
        outcome = await self._data.write(change)
        if outcome.are_friends:
            await self._befriended(app, outcome, operator=user)
        else:
            await self._tell_application(
                app, FriendEvent.REFUSED, outcome, info=request.info, operator=user
            )

    async def remove(self, caller: Caller, target: str, request: payloads.FriendsInput) -> None:
        """Be friends no longer; who is none is passed over.

        25469: nobody of them is one. 25403: nobody is named, or more than
        :data:`.friend_rules.USERS_AT_ONCE` are, or no such type.
        """
        self._require_on()
        require(request.type == BOTH)
        app, user = caller.app, caller.user_id
        others = read_ids(request.targetId)
        parted = await self._data.write(partial(changes.part, app=app, user=user, others=others))
        removed = payloads.FriendsInput(targetId=parted, type=BOTH)
        await together(
            self._tell(app, [user], FriendEvent.REMOVED, removed, about=user, operator=user),
            self._parted(app, user, parted, operator=user),
        )

    async def describe(
        self, caller: Caller, target: str, request: payloads.FriendProfileInput
    ) -> None:
        """Say how the caller calls a friend, and note something of him.

        Without ``remarkName`` it stays as it is. Of ``extProfile`` the keys that are named change;
        an empty value takes one away.

        25469: not a friend. 25470: a text is too long, or it would be more than
        :data:`.friend_rules.EXTENSION_KEYS`; the client is told where. 25403: an empty key.
        """
        self._require_on()
        check_description(request)
        app, user, other = caller.app, caller.user_id, request.targetId
        changed = await self._data.write(
            partial(changes.describe, app=app, user=user, request=request)
        )
        await self._tell(app, [user], FriendEvent.DESCRIBED, changed, about=other, operator=user)

    async def check(
        self, caller: Caller, target: str, request: payloads.FriendsInput
    ) -> payloads.FriendsCheckOutput:
        """Which users are the caller's friends. 25403: see :meth:`remove`."""
        self._require_on()
        require(request.type == BOTH)
        wanted = read_ids(request.targetId)
        found = {friend.user for friend in await self._named(caller, wanted)}
        reply = payloads.FriendsCheckOutput()
        for user in wanted:
            reply.list.add(targetId=user, status=_EACH_OTHERS if user in found else 0)
        return reply

    async def named(
        self, caller: Caller, target: str, request: payloads.FriendsListInput
    ) -> payloads.FriendUserInfos:
        """Those of these users who are the caller's friends. 25403: see :meth:`remove`."""
        self._require_on()
        found = await self._named(caller, read_ids(request.targetId))
        return payloads.FriendUserInfos(list=map(friend_info, found))

    async def query(
        self, caller: Caller, target: str, request: payloads.FriendQueryInput
    ) -> payloads.ChannelsListResult:
        """The caller's friends, by when they became so; or what was asked, of him and by him, by
        when it was asked or answered.

        ``order`` 0 is oldest first, 1 newest first. 25403: more than
        :data:`.friend_rules.PAGE_ENTRIES` a page, or no such list. 25432: we have given out no
        such page.
        """
        self._require_on()
        page = read_page(request.page, most=PAGE_ENTRIES)
        match request.queryType:
            case ListType.FRIENDS:
                require(request.friendType == BOTH)
                return await self._friends(caller, page)
            case ListType.FRIEND_APPLICATIONS:
                return await self._applications(caller, page)
        raise ServiceError(ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR)

    async def set_permission(
        self, caller: Caller, target: str, request: payloads.FriendLevelSet
    ) -> None:
        """Say who may become the caller's friend: a :class:`.friend_rules.Permission`, or 25403."""
        self._require_on()
        require(request.level in (*Permission,))
        app, user, *_ = caller
        await self._data.write(partial(table.set_level, app=app, user=user, level=request.level))

    async def permission(
        self, caller: Caller, target: str, request: payloads.FriendInput
    ) -> payloads.FriendLevelSet:
        """Who may become the caller's friend, whomever the request names."""
        self._require_on()
        app, user, *_ = caller
        level = await self._data.read(partial(changes.level, app=app, user=user))
        return payloads.FriendLevelSet(level=level)

    # -- for the application -------------------------------------------------------------

    async def befriend(self, app: str, user: str, other: str) -> None:
        """Make two users friends without asking; harmless if they are.

        Refuses what :meth:`add` refuses, except for permissions and blacklists.
        """
        if not is_user_id(user):
            raise ServiceError(ErrorCode.RC_FRIEND_NOT_EXIST)
        self._check_other(user, other)
        change = partial(changes.befriend, app=app, user=user, other=other, now=self._clock.now())
        outcome = await self._data.write(change)
        if outcome is not None:
            await self._befriended(app, outcome)

    async def clear(self, app: str, user: str) -> None:
        """Take all friends from a user, and him from them; harmless if he has none."""
        parted = await self._data.write(partial(changes.clear, app=app, user=user))
        if parted:
            await together(
                self._tell(app, [user], FriendEvent.CLEARED, about=user),
                self._parted(app, user, parted),
            )

    async def friends(self, app: str, user: str) -> list[str]:
        """The ids of a user's friends."""
        return await self._data.read(partial(table.friends_of, app=app, user=user))

    # -- inside --------------------------------------------------------------------------

    async def _named(self, caller: Caller, users: Sequence[str]) -> list[Friend]:
        app, user, *_ = caller
        return await self._data.read(partial(table.named, app=app, user=user, others=users))

    async def _friends(self, caller: Caller, page: Page) -> payloads.ChannelsListResult:
        found = await self._data.read(
            partial(
                table.page,
                app=caller.app,
                user=caller.user_id,
                after=page.after_number,
                is_descending=page.order == 1,
                most=page.size + 1,
            )
        )
        rows, more = page.cut(found, lambda row: (row.since, row.number))
        infos = payloads.FriendUserInfos(list=map(friend_info, rows))
        return listing(ListType.FRIENDS, infos, next_token=more)

    async def _applications(self, caller: Caller, page: Page) -> payloads.ChannelsListResult:
        found = await self._data.read(
            partial(
                table.applications,
                app=caller.app,
                user=caller.user_id,
                after=page.after_number,
                is_descending=page.order == 1,
                most=page.size + 1,
            )
        )
        rows, more = page.cut(found, lambda row: (row[0].time, row[0].number))
        infos = payloads.FriendInviteInfos()
        now = self._clock.now()
        for one, name, portrait in rows:
            is_mine = one.asker == caller.user_id
            infos.list.add(
                userId=one.asked if is_mine else one.asker,
                name=name,
                portraitUrl=portrait,
                type=int(ApplicationType.SENT if is_mine else ApplicationType.RECEIVED),
                status=int(status_of(one, now)),
                operateTime=one.time,
                info=one.info,
                friendType=BOTH,
            )
        return listing(ListType.FRIEND_APPLICATIONS, infos, next_token=more)

    async def _befriended(self, app: str, outcome: Outcome, *, operator: str = "") -> None:
        for call in self.on_befriended:
            call(app, outcome.asker.user, outcome.asked.user)
        await together(
            *(
                self._tell(
                    app,
                    [reader.user],
                    FriendEvent.ADDED,
                    payloads.FriendUserInfo(
                        userId=other.user,
                        relationTime=outcome.time,
                        friendType=BOTH,
                        name=other.name,
                        portraitUrl=other.portrait,
                    ),
                    about=other.user,
                    operator=operator,
                )
                for reader, other in outcome.sides
            )
        )

    async def _tell_application(
        self, app: str, event: FriendEvent, outcome: Outcome, *, info: str, operator: str
    ) -> None:
        await together(
            *(
                self._tell(
                    app,
                    [reader.user],
                    event,
                    payloads.FriendApplyEvent(
                        applyType=int(kind),
                        friendType=BOTH,
                        info=info,
                        name=other.name,
                        portraitUrl=other.portrait,
                    ),
                    about=other.user,
                    operator=operator,
                )
                for (reader, other), kind in zip(outcome.sides, ApplicationType, strict=True)
            )
        )

    async def _parted(
        self, app: str, user: str, others: Sequence[str], *, operator: str = ""
    ) -> None:
        """Tell those who were friends of a user."""
        for other in others:
            for call in self.on_parted:
                call(app, user, other)
        removed = payloads.FriendsInput(targetId=[user], type=BOTH)
        await self._tell(app, others, FriendEvent.REMOVED, removed, about=user, operator=operator)

    async def _tell(
        self,
        app: str,
        users: Iterable[str],
        event: FriendEvent,
        data: Message | None = None,
        *,
        about: str,
        operator: str = "",
    ) -> None:
        change = payloads.EventChange(
            businessId=about, changeType=FRIEND, subChangeType=int(event), operatorId=operator
        )
        if data is not None:
            change.eventData = payloads.encode(data)
        await self._events.tell(app, users, change)

    def _check_other(self, user: str, other: str) -> None:
        if not is_user_id(other):
            raise ServiceError(ErrorCode.RC_FRIEND_NOT_EXIST)
        if other == user:
            raise ServiceError(ErrorCode.RC_FRIEND_NOT_ALLOW_ADD_SELF)
        if other in self._robots:
            raise ServiceError(ErrorCode.RC_FRIEND_NOT_SUPPORT_ROBOT)

    def _require_on(self) -> None:
        if not self._is_on:
            raise ServiceError(ErrorCode.RC_USER_PROFILE_SERVICE_UNAVAILABLE)
