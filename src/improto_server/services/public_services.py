"""Public services: accounts of the application that users find, follow and write to.

There are two kinds (operations 15). Everybody follows a default one ("mc", conversation type 7)
until he says otherwise; the others ("mp", type 8) are followed by hand. The account of a
service is a user like any other: whoever has its token reads what is sent to the service, menu
clicks (``RC:PSCmd``) included, and what it sends is of the service's type. The newer SDKs
write to services as to users; :mod:`.messages` knows from here which accounts are services.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.operations import Topic
from improto_server.errors import ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.store import public_services as table
from improto_server.store.public_services import Follow, ServiceRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from improto_server.clock import MessageClock, UserKey
    from improto_server.services import Caller, Operations
    from improto_server.services.data import Data

FOUND_SERVICES: Final = 100
"""Most services that a search finds. Ours."""

_DEFAULT: Final = ConversationType.APP_PUBLIC_SERVICE
_BY_HAND: Final = ConversationType.PUBLIC_SERVICE
_KINDS: Final = {_DEFAULT: "mc", _BY_HAND: "mp"}

# Bits of the type of a search (operations 15).
_EXACT: Final = {_DEFAULT: 4, _BY_HAND: 8}
_FUZZY: Final = {_DEFAULT: 16, _BY_HAND: 32}
_WANTED: Final = {_DEFAULT: 2, _BY_HAND: 1}

_CHANGES: Final = "/services"
"""Changes of an app's services have times that rise strictly, as messages do: clients ask for what
is later than the last one they know. No user has a name like this."""


class About(msgspec.Struct, frozen=True):
    """What users read about a service besides its name."""

    introduction: str = ""
    menu: tuple[dict[str, Any], ...] = ()
    """Items as the SDK has them, in the order in which they are shown."""


class _Extra(msgspec.Struct, frozen=True):
    """``MpInfo.extra``: SDK 2.5.3 reads it without looking whether it is there (operations 15)."""

    isGlobal: bool
    introduction: str
    menu: tuple[dict[str, Any], ...]
    follow: bool


class PublicService(NamedTuple):
    """A service."""

    id: str
    type: ConversationType
    """APP_PUBLIC_SERVICE: a default one; PUBLIC_SERVICE: followed by hand."""
    name: str
    portrait: str
    about: About
    changed: int
    """Milliseconds since 1970."""


class PublicServices:
    """The service. ``accounts`` is where it tells which accounts are services; ``rows`` are all
    that the store has at the start."""

    def __init__(
        self,
        data: Data,
        clock: MessageClock,
        *,
        accounts: dict[UserKey, ConversationType],
        rows: Iterable[ServiceRow],
    ) -> None:
        self._data = data
        self._clock = clock
        self._accounts = accounts
        self._services: dict[str, dict[str, PublicService]] = {}
        for row in rows:
            if row.type in _KINDS:
                self._remember(row)

    def operations(self) -> Operations:
        """The topics it answers."""
        return {
            Topic.PULL_MP: self.pull,
            Topic.SCH_MP: self.search,
            Topic.MP_FOLLOW: partial(self._follow, _BY_HAND, True),
            Topic.MP_UN_FOLLOW: partial(self._follow, _BY_HAND, False),
            Topic.MC_FOLLOW: partial(self._follow, _DEFAULT, True),
            Topic.MC_UN_FOLLOW: partial(self._follow, _DEFAULT, False),
        }

    async def pull(
        self, caller: Caller, target: str, request: payloads.PullMpInput
    ) -> payloads.PullMpOutput:
        """The services that the caller follows and that have changed after a time.

        If the request names one, only that.
        """
        follows = await self._follows(caller)
        infos = [
            _info(service, follows)
            for service in self.services(caller.app)
            if request.mpid in ("", service.id) and _is_following(service, follows)
        ]
        return payloads.PullMpOutput(
            status=0, info=[info for info in infos if info.time > request.time]
        )

    async def search(
        self, caller: Caller, target: str, request: payloads.SearchMpInput
    ) -> payloads.SearchMpOutput:
        """Services whose id or name is, or has in it, what is asked for; by id.

        At most :data:`FOUND_SERVICES`. BIZ_ERROR_INVALID_PARAMETER: the type does not say how
        to search.
        """
        if not any(_searches(kind, request.type) for kind in _KINDS):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        found = [
            service
            for service in self.services(caller.app)
            if _matches(service, request.type, request.id)
        ]
        follows = await self._follows(caller)
        return payloads.SearchMpOutput(
            nothing=0, info=[_info(service, follows) for service in found[:FOUND_SERVICES]]
        )

    async def _follow(
        self,
        type: ConversationType,
        is_following: bool,
        caller: Caller,
        target: str,
        request: payloads.MPFollowInput,
    ) -> payloads.MPFollowOutput:
        """Follow a service or not. SUBSCRIBE_ERROR: there is no such service of this type."""
        service = self._services.get(caller.app, {}).get(request.id)
        if service is None or service.type is not type:
            raise ServiceError(ErrorCode.SUBSCRIBE_ERROR)
        time = self._clock.stamp((caller.app, _CHANGES))
        await self._data.write(
            partial(
                table.follow,
                app=caller.app,
                user=caller.user_id,
                service=service.id,
                is_following=is_following,
                time=time,
            )
        )
        info = _info(service, {service.id: Follow(is_following, time)})
        return payloads.MPFollowOutput(nothing=0, info=info)

    # -- for the application -------------------------------------------------------------

    def exist(self, app: str) -> bool:
        """Whether the app has any service: what navigation says of them (http 2.3)."""
        return bool(self._services.get(app))

    def services(self, app: str) -> list[PublicService]:
        """All services of an app, by their ids."""
        found = self._services.get(app, {})
        return [found[id] for id in sorted(found)]

    async def define(
        self,
        app: str,
        service_id: str,
        *,
        type: ConversationType,
        name: str,
        portrait: str = "",
        introduction: str = "",
        menu: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Make a service, or change one.

        BIZ_ERROR_INVALID_PARAMETER: the id cannot be a user's, the type is not one of the two,
        the account is a service of another type already, or the menu cannot be JSON.
        """
        key = (app, service_id)
        if (
            type not in _KINDS
            or not is_user_id(service_id)
            or self._accounts.get(key, type) is not type
        ):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        try:
            about = msgspec.json.encode(About(introduction, tuple(map(dict, menu)))).decode()
        except (TypeError, ValueError):
            raise ServiceError(ErrorCode.BIZ_ERROR_INVALID_PARAMETER) from None
        time = self._clock.stamp((app, _CHANGES))
        row = ServiceRow(app, service_id, int(type), name, portrait, about, time)
        await self._data.write(partial(table.define, service=row))
        self._remember(row)

    async def remove(self, app: str, service_id: str) -> None:
        """The account is no service any more; harmless if it is none.

        Who follows it is remembered, in case it comes back.
        """
        services = self._services.get(app, {})
        if service_id in services:
            await self._data.write(partial(table.remove, app=app, id=service_id))
            services.pop(service_id, None)
            self._accounts.pop((app, service_id), None)

    def _remember(self, row: ServiceRow) -> None:
        type = ConversationType(row.type)
        about = msgspec.json.decode(row.about, type=About)
        service = PublicService(row.id, type, row.name, row.portrait, about, row.changed)
        self._services.setdefault(row.app, {})[row.id] = service
        self._accounts[row.app, row.id] = type

    async def _follows(self, caller: Caller) -> Mapping[str, Follow]:
        app, user = caller.key
        return await self._data.read(partial(table.followed, app=app, user=user))


def _is_following(service: PublicService, follows: Mapping[str, Follow]) -> bool:
    decided = follows.get(service.id)
    return service.type is _DEFAULT if decided is None else decided.is_following


def _info(service: PublicService, follows: Mapping[str, Follow]) -> payloads.MpInfo:
    is_following = _is_following(service, follows)
    about = service.about
    extra = _Extra(service.type is _DEFAULT, about.introduction, about.menu, is_following)
    decided = follows.get(service.id)
    return payloads.MpInfo(
        mpid=service.id,
        name=service.name,
        type=_KINDS[service.type],
        time=service.changed if decided is None else max(service.changed, decided.changed),
        portraitUrl=service.portrait,
        extra=msgspec.json.encode(extra).decode(),
    )


def _searches(kind: ConversationType, bits: int) -> bool:
    return bool(bits & _WANTED[kind]) and bool(bits & (_EXACT[kind] | _FUZZY[kind]))


def _matches(service: PublicService, bits: int, text: str) -> bool:
    kind = service.type
    if not _searches(kind, bits):
        return False
    words = (service.id.casefold(), service.name.casefold())
    sought = text.casefold()
    return sought in words or (bool(bits & _FUZZY[kind]) and any(sought in word for word in words))
