"""Profiles: what users say about themselves, and who may see it (sdk5 8.4).

Name and portrait are what the application has registered (:mod:`.users`), and seen by everybody.
The rest is seen by whom its owner lets see it. Keys and values are texts on the wire; a value
that is empty takes the key away. Which keys there are, and what they may hold, is in
:data:`LENGTHS` and :data:`RANGES`; extended keys are up to the application.
"""

from __future__ import annotations

import enum
import re
from functools import partial
from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import CommandType, ErrorCode
from improto.operations import Topic
from improto_server.services import ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.services.subscriptions import USERS_AT_ONCE
from improto_server.store import user_profiles as table
from improto_server.store import users as registered
from improto_server.store.queries import PAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from improto_server.clock import MessageClock, UserKey
    from improto_server.hub import Device, Hub
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data
    from improto_server.store.user_profiles import Known


class Visibility(enum.IntEnum):
    """Who sees a profile and finds its owner: ``permission`` (sdk5 8.4)."""

    NOT_SET = 0
    """As the app has it. Here everybody does."""
    NOBODY = 1
    EVERYBODY = 2
    FRIENDS = 3


NAME: Final = "name"
PORTRAIT: Final = "portraitUri"
UNIQUE_ID: Final = "uniqueId"
"""By what users are found; only the application may set it."""

LENGTHS: Final[Mapping[str, int]] = {
    NAME: 64,
    PORTRAIT: 1024,
    "email": 128,
    "birthday": 32,
    "location": 64,
}
"""Basic keys and the most characters of their values. The numbers are ours."""

RANGES: Final[Mapping[str, range]] = {
    "gender": range(3),
    "role": range(101),
    "level": range(101),
}
"""Basic keys whose values are numbers: 0 unknown, 1 male, 2 female; the others up to 100."""

EXTRA_KEYS: Final = 20
EXTRA_VALUE: Final = 1024
"""Extended keys of a user, and characters of a value. Ours."""

MOST_PROFILES: Final = USERS_AT_ONCE
"""In one request. The SDK lets programs ask for 100, but itself asks for all whom it has just
subscribed to."""

_EXTRA_KEY: Final = re.compile(r"[A-Za-z0-9+=\-_|:.]{1,32}", re.ASCII)
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_UNIQUE_ID: Final = re.compile(r"\S{1,64}")


class UserProfiles:
    """The service. ``friends_among``: a query for those of ``others`` who are friends of ``user``
    in ``app``."""

    def __init__(
        self,
        *,
        data: Data,
        clock: MessageClock,
        hub: Hub,
        is_on: bool,
        friends_among: Callable[..., Iterable[str]],
    ) -> None:
        self._data = data
        self._clock = clock
        self._hub = hub
        self._is_on = is_on
        self._friends_among = friends_among
        self.on_change: list[Callable[[UserKey], None]] = []
        """Called with each user whose profile has changed."""

    def operations(self) -> Operations:
        """The topics it answers; all are refused with 24369 where profiles are off."""
        return {
            Topic.UPD_USER_PROFILE: self.update,
            Topic.PULL_USER_PROFILE: self.pull,
            Topic.PULL_OWN_PROFILE: self.pull_own,
            Topic.SEARCH_USER_PROFILE: self.search,
            Topic.UPD_PROFILE_PERMISS: self.set_visibility,
            Topic.Q_PROFILE_PERMISS: self.visibility,
        }

    async def update(
        self, caller: Caller, target: str, request: payloads.UserProfile
    ) -> payloads.SetUserProfileResp:
        """Change the keys of the caller's profile that are named, all or none.

        Refused with 24360 to 24364, 24367 and 24368; ``key`` of the answer says which it is.
        """
        self._require_on()
        basic = {info.key: info.value for info in request.userProfile}
        extra = {info.key: info.value for info in request.userExtProfile}
        version = await self.change(
            caller.app, caller.user_id, basic=basic, extra=extra, but=caller.device
        )
        return payloads.SetUserProfileResp(version=version)

    async def pull(
        self, caller: Caller, target: str, request: payloads.PullUserProfileReq
    ) -> payloads.UserProfiles:
        """What the caller may see of these users; of those who are unknown, that they are.

        If that is more than 1 MiB, the largest ones are as short as if he might not see them.
        24365: more than :data:`MOST_PROFILES`. 33003: nobody.
        """
        self._require_on()
        wanted = [*dict.fromkeys(request.userId)]
        if not wanted:
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        if len(wanted) > MOST_PROFILES:
            raise ServiceError(ErrorCode.RC_USER_PROFILE_QUERY_COUNT_EXCEED_LIMIT)
        return await self._data.read(partial(self._pulled, caller=caller, users=wanted))

    async def pull_own(
        self, caller: Caller, target: str, request: payloads.UserProfileInput
    ) -> payloads.UserProfile:
        """The caller's whole profile."""
        self._require_on()
        app, user, *_ = caller
        return _whole(await self._data.read(partial(table.known, app=app, user=user)))

    async def search(
        self, caller: Caller, target: str, request: payloads.SearchUserProfile
    ) -> payloads.UserProfile:
        """The user with a unique id. 24366: there is none, or he does not want to be found."""
        self._require_on()
        wanted = partial(self._found, caller=caller, unique_id=request.uniqueId)
        profile = await self._data.read(wanted)
        if profile is None:
            raise ServiceError(ErrorCode.RC_USER_PROFILE_USER_NOT_EXIST)
        return profile

    async def set_visibility(
        self, caller: Caller, target: str, request: payloads.UserProfilePermission
    ) -> None:
        """Say who may see the caller's profile. 33003: no such :class:`Visibility`."""
        self._require_on()
        if request.permission not in (*Visibility,):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        app, user, *_ = caller
        change = partial(
            table.change, app=app, user=user, now=self._clock.now(), visibility=request.permission
        )
        self.tell(caller.key, await self._data.write(change), but=caller.device)

    async def visibility(
        self, caller: Caller, target: str, request: payloads.UserProfileInput
    ) -> payloads.UserProfilePermission:
        """Who may see the caller's profile."""
        self._require_on()
        app, user, *_ = caller
        known = await self._data.read(partial(table.known, app=app, user=user))
        return payloads.UserProfilePermission(permission=known.visibility)

    # -- for the application -------------------------------------------------------------

    async def change(
        self,
        app: str,
        user_id: str,
        *,
        basic: Mapping[str, str],
        extra: Mapping[str, str],
        but: Device | None = None,
    ) -> int:
        """Change the keys of a profile that are named, all or none; returns its version.

        Refuses what :meth:`update` refuses. ``but``: the device that has caused it.
        """
        _check(basic, extra)
        write = partial(
            _write, app=app, user=user_id, now=self._clock.now(), basic=basic, extra=extra
        )
        version = await self._data.write(write)
        self.tell((app, user_id), version, but=but)
        return version

    async def set_unique_id(self, app: str, user_id: str, unique_id: str) -> None:
        """Have a user be found by ``unique_id``, 1 to 64 characters without spaces; empty: by his
        own id, as he is in the beginning.

        BIZ_ERROR_INVALID_PARAMETER: an id cannot be what it is to be, or another user is found
        by it.
        """
        if not is_user_id(user_id) or (unique_id and not _UNIQUE_ID.fullmatch(unique_id)):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        write = partial(_name, app=app, user=user_id, now=self._clock.now(), unique_id=unique_id)
        self.tell((app, user_id), await self._data.write(write))

    def tell(self, key: UserKey, version: int, *, but: Device | None = None) -> None:
        """Tell the user's own devices, and who else wants to know, that his profile is another.

        ``but``: the device that has caused it.
        """
        self._hub.prompt(key, CommandType.OWN_PROFILE, time=version, but=but)
        for call in self.on_change:
            call(key)

    # -- inside --------------------------------------------------------------------------

    def _pulled(
        self, connection: Connection, *, caller: Caller, users: Sequence[str]
    ) -> payloads.UserProfiles:
        everybody = [table.known(connection, app=caller.app, user=user) for user in users]
        seen = self._seen(connection, caller, everybody)
        whole = _fitting([_whole(known) for known in everybody if known.user in seen])
        reply = payloads.UserProfiles()
        for known in everybody:
            reply.UserProfile.append(whole.get(known.user) or _short(known))
        return reply

    def _found(
        self, connection: Connection, *, caller: Caller, unique_id: str
    ) -> payloads.UserProfile | None:
        known = table.find(connection, app=caller.app, unique_id=unique_id)
        if known is None or not self._seen(connection, caller, [known]):
            return None
        return _whole(known)

    def _seen(
        self, connection: Connection, caller: Caller, everybody: Sequence[Known]
    ) -> frozenset[str]:
        """Of whom the caller may see all. Friendship is mutual, so his own friends decide."""
        app, user, *_ = caller
        choosy = [known.user for known in everybody if known.visibility == Visibility.FRIENDS]
        friends = {*self._friends_among(connection, app=app, user=user, others=choosy)}
        hidden = {known.user for known in everybody if known.visibility == Visibility.NOBODY}
        hidden |= {*choosy} - friends
        return frozenset(known.user for known in everybody if known.user not in hidden - {user})

    def _require_on(self) -> None:
        if not self._is_on:
            raise ServiceError(ErrorCode.RC_USER_PROFILE_SERVICE_UNAVAILABLE)


def _check(basic: Mapping[str, str], extra: Mapping[str, str]) -> None:
    for key, value in basic.items():
        code = _fault(key, value)
        if code is not None:
            raise _refusal(code, key)
    for key, value in extra.items():
        if not _EXTRA_KEY.fullmatch(key):
            raise _refusal(ErrorCode.RC_USER_PROFILE_EXT_KEY_NOT_EXIST, key)
        if len(value) > EXTRA_VALUE:
            raise _refusal(ErrorCode.RC_USER_PROFILE_VALUE_LENGTH_EXCEED_LIMIT, key)


def _fault(key: str, value: str) -> ErrorCode | None:
    """What is wrong with a basic key and its value."""
    if key == UNIQUE_ID:
        return ErrorCode.RC_USER_PROFILE_KEY_NOT_ALLOW_SDK_SET
    if key in LENGTHS:
        is_long = len(value) > LENGTHS[key]
        return ErrorCode.RC_USER_PROFILE_VALUE_LENGTH_EXCEED_LIMIT if is_long else None
    if key not in RANGES:
        return ErrorCode.RC_USER_PROFILE_KEY_NOT_EXIST
    if not value:
        return None
    if not _NUMBER.fullmatch(value):
        return ErrorCode.RC_USER_PROFILE_VALUE_CAN_ONLY_BE_NUMBERS
    is_within = int(value) in RANGES[key]
    return None if is_within else ErrorCode.RC_USER_PROFILE_VALUE_EXCEED_RANGE


def _refusal(code: ErrorCode, key: str) -> ServiceError:
    return ServiceError(code, payloads.SetUserProfileResp(version=0, key=key))


def _write(
    connection: Connection,
    *,
    app: str,
    user: str,
    now: int,
    basic: Mapping[str, str],
    extra: Mapping[str, str],
) -> int:
    old = table.known(connection, app=app, user=user)
    rest = {key: value for key, value in basic.items() if key not in (NAME, PORTRAIT)}
    new_extra = _merged(old.extra, extra)
    if len(new_extra) > EXTRA_KEYS:
        raise _refusal(ErrorCode.RC_USER_PROFILE_EXT_KV_COUNT_EXCEED_LIMIT, [*new_extra][-1])
    if NAME in basic or PORTRAIT in basic:
        registered.introduce(
            connection,
            app=app,
            user=user,
            name=basic.get(NAME),
            portrait=basic.get(PORTRAIT),
            time=now,
        )
    return table.change(
        connection, app=app, user=user, now=now, basic=_merged(old.basic, rest), extra=new_extra
    )


def _name(connection: Connection, *, app: str, user: str, now: int, unique_id: str) -> int:
    if not table.set_unique_id(connection, app=app, user=user, unique_id=unique_id):
        raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
    return table.change(connection, app=app, user=user, now=now)


def _merged(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in {**old, **new}.items() if value}


def _fitting(profiles: Iterable[payloads.UserProfile]) -> dict[str, payloads.UserProfile]:
    """Those that fit into one answer, the smallest ones, by user id."""
    room = PAGE_BYTES
    found = {}
    for profile in sorted(profiles, key=payloads.UserProfile.ByteSize):
        room -= profile.ByteSize()
        if room >= 0:
            found[profile.userId] = profile
    return found


def _short(known: Known) -> payloads.UserProfile:
    """What everybody may see."""
    profile = payloads.UserProfile(version=known.version, userId=known.user)
    for key, value in ((NAME, known.name), (PORTRAIT, known.portrait)):
        if value:
            profile.userProfile.add(key=key, value=value)
    return profile


def _whole(known: Known) -> payloads.UserProfile:
    profile = _short(known)
    if known.unique_id:
        profile.userProfile.add(key=UNIQUE_ID, value=known.unique_id)
    for key, value in known.basic.items():
        profile.userProfile.add(key=key, value=value)
    for key, value in known.extra.items():
        profile.userExtProfile.add(key=key, value=value)
    return profile
