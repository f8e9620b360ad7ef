"""The REST API put together: the table of all endpoints, as the manual has it, and its routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto_server.api.archives import ArchiveCalls
from improto_server.api.attachments import AttachmentCalls
from improto_server.api.broadcasts import BroadcastCalls
from improto_server.api.chatroom_rules import ChatroomRuleCalls
from improto_server.api.chatrooms import ChatroomCalls
from improto_server.api.deactivation import DeactivationCalls
from improto_server.api.entries import EntryCalls
from improto_server.api.everywhere import EverywhereCalls
from improto_server.api.groups import GroupCalls
from improto_server.api.messages import MessageCalls
from improto_server.api.past import PastCalls
from improto_server.api.remarks import RemarkCalls
from improto_server.api.replies import Calendar
from improto_server.api.server import Api
from improto_server.api.settings import SettingsCalls
from improto_server.api.signing import Signing, SigningRules
from improto_server.api.users import UserCalls
from improto_server.api.words import WordCalls
from improto_server.files.grants import Signer

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
    archives: ArchiveCalls,
    calendar: Calendar,
    token_seconds: float,
    now: Callable[[], float],
) -> list[Endpoint]:
    """All of them. Tokens are good for ``token_seconds``; ``now`` is seconds since 1970."""
    users = UserCalls(
        accounts=accounts,
        token_ends=system.token_ends,
        users=system.users,
        hub=system.hub,
        clock=system.clock,
        standings=system.standings,
        relations=system.relations,
        calendar=calendar,
        token_seconds=token_seconds,
        now=now,
    )
    groups = GroupCalls(
        groups=system.groups, silences=system.silences, clock=system.clock, calendar=calendar
    )
    chatrooms = ChatroomCalls(rooms=system.rooms, clock=system.clock, calendar=calendar)
    messages = MessageCalls(
        messages=system.messages,
        recalls=system.recalls,
        groups=system.groups,
        standings=system.standings,
    )
    broadcasts = BroadcastCalls(
        messages=system.messages, broadcasts=system.broadcasts, tags=system.push_tags
    )
    room_rules = ChatroomRuleCalls(
        rooms=system.rooms,
        entries=system.entries,
        priorities=system.priorities,
        clock=system.clock,
    )
    everywhere = EverywhereCalls(silences=system.silences, clock=system.clock, calendar=calendar)
    entries = EntryCalls(entries=system.entries, messages=system.messages)
    settings = SettingsCalls(system.conversation_settings, system.user_settings)
    return [
        *users.endpoints(),
        *DeactivationCalls(standings=system.standings, clock=system.clock).endpoints(),
        *messages.endpoints(),
        *broadcasts.endpoints(),
        *archives.endpoints(),
        *PastCalls(
            edits=system.edits, history=system.history, deletions=system.deletions
        ).endpoints(),
        *AttachmentCalls(system.expansions).endpoints(),
        *groups.endpoints(),
        *chatrooms.endpoints(),
        *room_rules.endpoints(),
        *everywhere.endpoints(),
        *entries.endpoints(),
        *settings.endpoints(),
        *RemarkCalls(system.remarks).endpoints(),
        *WordCalls(system.words).endpoints(),
    ]


def api_routes(
    system: System,
    settings: Settings,
    *,
    accounts: Accounts,
    base_url: Callable[[], str],
    clocks: Clocks,
) -> list[Route]:
    """The REST API as a part of the web port, which is found at ``base_url``."""
    web = settings.web
    calendar = Calendar(web.api_utc_hours)
    secrets = {app.key: app.secret for app in settings.apps}
    archives = ArchiveCalls(
        archives=system.archives,
        calendar=calendar,
        signer=Signer(secrets),
        url=base_url,
        now=clocks.now,
    )
    rules = SigningRules(
        clock_seconds=web.api_clock_seconds,
        allows_repeats=web.api_repeats,
        blocked_apps=frozenset(app.key for app in settings.apps if app.blocked),
    )
    api = Api(
        endpoints(
            system,
            accounts=accounts,
            archives=archives,
            calendar=calendar,
            token_seconds=settings.token_days * _DAY,
            now=clocks.now,
        ),
        signing=Signing(secrets, rules),
        calls_per_second=web.api_rate,
        clocks=clocks,
    )
    return [*archives.routes(), *api.routes()]
