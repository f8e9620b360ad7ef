"""Users: what they are called, and what they say about themselves (operations 13, sdk5 8.4)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_client.errors import Malformed, Refused, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from improto_client.link import Link

AT_ONCE: Final = 100
"""Users in one request: what SDK 5.38.0 lets a program ask for. More take several requests."""

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Visibility(enum.IntEnum):
    """Who sees a profile and finds its owner: ``permission`` (sdk5 8.4)."""

    NOT_SET = 0
    """As the app has it."""
    NOBODY = 1
    EVERYBODY = 2
    FRIENDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfo:
    """What a user is called."""

    user_id: str
    name: str
    portrait: str
    """A URL, or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What this user may see of what a user says about himself."""

    user_id: str
    values: Mapping[str, str]
    """By basic keys: ``name``, ``portraitUri``, ``email``, ``birthday``, ``gender`` and others."""
    extra: Mapping[str, str]
    """By keys of the application."""
    version: int
    """When it was changed last, in ms; 0: not told."""

    @property
    def name(self) -> str:
        """What the user is called; empty if nobody has said."""
        return self.values.get("name", "")

    @property
    def portrait(self) -> str:
        """A URL, or empty."""
        return self.values.get("portraitUri", "")


class Users:
    """``im.users``.

    All methods raise Refused, with 24369 where profiles are off (navigation: userProfile), and
    what every request raises.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def info(self, user_id: str) -> UserInfo:
        """Name and portrait, also where profiles are off. Refused with 23407: nobody knows."""
        reply = await self._link.ask(
            Topic.USER_INF,
            user_id,
            payloads.GetUserInfoInput(nothing=1),
            payloads.GetUserInfoOutput,
            may_repeat=True,
        )
        return UserInfo(user_id=reply.userId, name=reply.userName, portrait=reply.userPortrait)

    async def profile(self, user_id: str | None = None) -> Profile:
        """The profile of a user, or of this one. Of who is unknown it is empty."""
        if user_id is not None:
            found = await self.profiles([user_id])
            if user_id not in found:
                raise Unreadable(f"the answer has no profile of {user_id!r}")
            return found[user_id]
        reply = await self._link.ask(
            Topic.PULL_OWN_PROFILE,
            None,
            payloads.UserProfileInput(nothing=1),
            payloads.UserProfile,
            may_repeat=True,
        )
        return _profile(reply)

    async def profiles(self, user_ids: Iterable[str]) -> dict[str, Profile]:
        """The profiles of several users, by their ids."""
        wanted = [*dict.fromkeys(user_ids)]
        found: dict[str, Profile] = {}
        for begin in range(0, len(wanted), AT_ONCE):
            reply = await self._link.ask(
                Topic.PULL_USER_PROFILE,
                None,
                payloads.PullUserProfileReq(userId=wanted[begin : begin + AT_ONCE]),
                payloads.UserProfiles,
                may_repeat=True,
            )
            found |= {each.userId: _profile(each) for each in reply.UserProfile}
        return found

    async def update(
        self, values: Mapping[str, str] = _NOTHING, *, extra: Mapping[str, str] = _NOTHING
    ) -> int:
        """Change the keys of this user's profile that are named, all or none.

        An empty value takes a key away. Returns the new version of the profile. Refused with
        24360 to 24364, 24367 and 24368: a key or a value cannot be. Malformed: there is none.
        """
        if not values and not extra:
            raise Malformed("there is nothing to change")
        payload = payloads.UserProfile()
        for key, value in values.items():
            payload.userProfile.add(key=key, value=value)
        for key, value in extra.items():
            payload.userExtProfile.add(key=key, value=value)
        reply = await self._link.ask(
            Topic.UPD_USER_PROFILE, None, payload, payloads.SetUserProfileResp, may_repeat=True
        )
        return reply.version

    async def find(self, unique_id: str) -> Profile | None:
        """The user with a unique id; None if there is none, or he does not want to be found."""
        payload = payloads.SearchUserProfile(uniqueId=unique_id)
        try:
            reply = await self._link.ask(
                Topic.SEARCH_USER_PROFILE, None, payload, payloads.UserProfile, may_repeat=True
            )
        except Refused as refusal:
            if refusal.code != ErrorCode.RC_USER_PROFILE_USER_NOT_EXIST:
                raise
            return None
        return _profile(reply)

    async def visibility(self) -> Visibility:
        """Who may see this user's profile."""
        reply = await self._link.ask(
            Topic.Q_PROFILE_PERMISS,
            None,
            payloads.UserProfileInput(nothing=1),
            payloads.UserProfilePermission,
            may_repeat=True,
        )
        try:
            return Visibility(reply.permission)
        except ValueError as error:
            raise Unreadable(f"nobody knows the visibility {reply.permission}") from error

    async def set_visibility(self, visibility: Visibility) -> None:
        """Say who may see this user's profile."""
        payload = payloads.UserProfilePermission(permission=visibility)
        await self._link.query(Topic.UPD_PROFILE_PERMISS, None, payload, may_repeat=True)


def _profile(told: payloads.UserProfile) -> Profile:
    return Profile(
        user_id=told.userId,
        values=MappingProxyType({each.key: each.value for each in told.userProfile}),
        extra=MappingProxyType({each.key: each.value for each in told.userExtProfile}),
        version=told.version,
    )
