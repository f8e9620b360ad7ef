"""A group that clients manage, and what each of its members may do (sdk5 8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from improto import payloads
from improto.codes import ErrorCode
from improto_server.errors import ServiceError
from improto_server.services.managed_rules import NAME, JoinPermission, Role, profile
from improto_server.services.rosters import MOST_MEMBERS
from improto_server.store.managed_groups import CharterRow, MemberRow, Person

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from improto_server.services.rosters import Roster
    from improto_server.store import Place
    from improto_server.store.group_applications import Application
    from improto_server.store.managed_lists import GroupRow

_NOBODY: Final = MemberRow(is_manager=False, nickname="", additional="")
_UNKNOWN: Final = Person("", "")


class Charter:
    """What clients have decided about a group. Only :class:`.charters.Charters` changes it."""

    def __init__(self, row: CharterRow | None, waiting: Iterable[Application] = ()) -> None:
        self.exists = row is not None
        """False: there is no such group, or it is the application's."""
        self.row = row or CharterRow("", 0, {}, {}, {})
        """Its dictionaries are never changed: the store may be writing them."""
        self.members = dict(self.row.members)
        """Of those who are managers or have a name in the group."""
        self.waiting = {one.key: one for one in waiting}
        """Applications that nobody has answered, by joiner and inviter."""

    def permission(self, key: str) -> int:
        """One of :data:`.managed_rules.PERMISSIONS`."""
        return int(self.row.settings.get(key, "0"))

    def member(self, user: str) -> MemberRow:
        """What is known of a member."""
        return self.members.get(user, _NOBODY)

    @property
    def managers(self) -> list[str]:
        """User ids, the owner not among them."""
        return [user for user, member in self.members.items() if member.is_manager]

    @property
    def managers_admit(self) -> bool:
        """Whether others than the owner let somebody in."""
        return self.permission("joinPerm") == JoinPermission.OWNER_OR_MANAGER


class Group(NamedTuple):
    """A group that clients manage."""

    place: Place
    roster: Roster
    charter: Charter

    def role(self, user: str) -> Role:
        """What a user may do."""
        if user not in self.roster.members:
            return Role.UNDEF
        if user == self.roster.owner:
            return Role.OWNER
        return Role.MANAGER if self.charter.member(user).is_manager else Role.NORMAL

    def check_member(self, *users: str) -> None:
        """RC_GROUP_USER_NOT_IN_GROUP (25418): somebody is no member."""
        if not self.roster.members.keys() >= set(users):
            raise ServiceError(ErrorCode.RC_GROUP_USER_NOT_IN_GROUP)

    def check_owner(self, user: str) -> None:
        """25418: no member. RC_GROUP_AUTHORITY_ERROR (25405): not the owner."""
        self.check_member(user)
        if user != self.roster.owner:
            raise ServiceError(ErrorCode.RC_GROUP_AUTHORITY_ERROR)

    def may(self, user: str, key: str) -> bool:
        """Whether ``removePerm``, ``memInvitePerm`` or ``profilePerm`` lets a member do it."""
        return self.role(user) + self.charter.permission(key) >= Role.OWNER

    @property
    def admitters(self) -> list[str]:
        """Who decides about applications."""
        owner = [self.roster.owner] if self.roster.owner else []
        return owner + self.charter.managers if self.charter.managers_admit else owner

    def check_room(self, newcomers: Collection[str]) -> None:
        """RC_GROUP_MEMBERS_COUNT_EXCEED_LIMIT (25411): there is no room for so many."""
        if len(self.roster.members) + len(newcomers) > MOST_MEMBERS:
            raise ServiceError(ErrorCode.RC_GROUP_MEMBERS_COUNT_EXCEED_LIMIT)

    def user(self, user: str, people: Mapping[str, Person]) -> payloads.ChannelsUserInfo:
        """A user and, if he is in, what he is here."""
        person = people.get(user, _UNKNOWN)
        info = payloads.ChannelsUserInfo(userId=user, name=person.name, portraitUrl=person.portrait)
        role = self.role(user)
        if role:
            member = self.charter.member(user)
            info.ext.role = int(role)
            info.ext.joinTime = self.roster.members[user]
            info.ext.channelNickName = member.nickname
            info.ext.additional = member.additional
        return info

    def users(
        self, users: Iterable[str], people: Mapping[str, Person]
    ) -> list[payloads.ChannelsUserInfo]:
        """Several of them."""
        return [self.user(user, people) for user in users]

    def info(self) -> payloads.ChannelsJoinedInfo:
        """The group, as everybody sees it."""
        roster, row = self.roster, self.charter.row
        return payloads.ChannelsJoinedInfo(
            targetId=self.place.id,
            settingProfile=profile({NAME: roster.name, **row.settings}),
            extProfile=profile(row.extension),
            baseInfo=payloads.ChannelBaseInfo(
                creatorId=row.creator,
                ownerId=roster.owner,
                createTime=row.created,
                memberCount=len(roster.members),
            ),
        )


def joined_info(row: GroupRow) -> payloads.ChannelsJoinedInfo:
    """A group as one user sees it."""
    info = payloads.ChannelsJoinedInfo(
        targetId=row.id,
        settingProfile=profile({NAME: row.name, **row.settings}),
        extProfile=profile(row.extension),
        baseInfo=payloads.ChannelBaseInfo(
            creatorId=row.creator,
            ownerId=row.owner,
            createTime=row.created,
            memberCount=row.member_count,
        ),
    )
    if row.role:
        info.userInfo.role = row.role
        info.userInfo.joinTime = row.since
        info.userInfo.remarkName = row.remark
    return info
