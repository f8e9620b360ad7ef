"""The REST API put together: the table of all endpoints, as the manual has it, and its routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto_server.api.chatrooms import ChatroomCalls
from improto_server.api.entries import EntryCalls
from improto_server.api.groups import GroupCalls
from improto_server.api.messages import MessageCalls
from improto_server.api.replies import Calendar
from improto_server.api.server import Api
from improto_server.api.settings import SettingsCalls
from improto_server.api.signing import Signing, SigningRules
from improto_server.api.users import UserCalls

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.routing import Route

    from improto_server.api.endpoints import Endpoint
    from improto_server.api.server import Clocks
    from improto_server.config import Settings
    from improto_server.services.accounts import Accounts
    from improto_server.system import System

_DAY: Final = 24 * 60 * 60


def endpoints(
    system: System,
    *,
    accounts: Accounts,
    calendar: Calendar,
    token_seconds: float,
    now: Callable[[], float],
) -> list[Endpoint]:
    """All of them. Tokens are good for ``token_seconds``; ``now`` is seconds since 1970."""
    users = UserCalls(
        accounts=accounts,
        users=system.users,
        hub=system.hub,
        clock=system.clock,
        standings=system.standings,
        relations=system.relations,
        calendar=calendar,
        token_seconds=token_seconds,
        now=now,
    )
    groups = GroupCalls(groups=system.groups, clock=system.clock, calendar=calendar)
    chatrooms = ChatroomCalls(rooms=system.rooms, clock=system.clock, calendar=calendar)
    messages = MessageCalls(
        messages=system.messages,
        recalls=system.recalls,
        groups=system.groups,
        users=system.users,
        standings=system.standings,
    )
    entries = EntryCalls(entries=system.entries, messages=system.messages)
    settings = SettingsCalls(system.conversation_settings)
    return [
        *users.endpoints(),
        *messages.endpoints(),
        *groups.endpoints(),
        *chatrooms.endpoints(),
        *entries.endpoints(),
        *settings.endpoints(),
    ]


def api_routes(
    system: System, settings: Settings, *, accounts: Accounts, clocks: Clocks
) -> list[Route]:
    """The REST API as a part of the web port."""
    web = settings.web
    rules = SigningRules(clock_seconds=web.api_clock_seconds, allows_repeats=web.api_repeats)
    api = Api(
        endpoints(
            system,
            accounts=accounts,
            calendar=Calendar(web.api_utc_hours),
            token_seconds=settings.token_days * _DAY,
            now=clocks.now,
        ),
        signing=Signing({app.key: app.secret for app in settings.apps}, rules),
        calls_per_second=web.api_rate,
        clocks=clocks,
    )
    return api.routes()
