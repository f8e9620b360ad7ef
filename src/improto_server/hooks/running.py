"""All callbacks of one server, from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from improto_server.hooks.asking import Asker
from improto_server.hooks.calling import Caller, client
from improto_server.hooks.telling import Teller
from improto_server.services.outbox import Stream
from improto_server.services.webhooks import HookRules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import httpx

    from improto_server.config import AppSettings, Settings
    from improto_server.system import System


def hook_rules(settings: Settings) -> HookRules:
    """What the service takes."""
    webhooks = settings.webhooks
    return HookRules(
        wanted={app.key: frozenset(app.webhooks.by_kind) for app in settings.apps},
        posts=webhooks.api_messages,
        most_waiting=webhooks.most_waiting,
        keep_days=webhooks.keep_days,
    )


def audited(settings: Settings) -> frozenset[str]:
    """The apps that are asked before a message is sent."""
    return frozenset(app.key for app in settings.apps if app.webhooks.audit)


async def call_back(
    system: System,
    apps: Sequence[AppSettings],
    *,
    wall_clock: Callable[[], int],
    transport: httpx.AsyncBaseTransport | None = None,
) -> None:
    """Tell and ask the apps, until cancelled. Returns at once if none wants that.

    ``transport``: instead of the network.
    """
    streams = {
        Stream(app.key, kind): url for app in apps for kind, url in app.webhooks.by_kind.items()
    }
    audits = {app.key: app.webhooks.audit for app in apps if app.webhooks.audit}
    if not (streams or audits):
        return
    async with client(transport) as http, anyio.create_task_group() as tasks:
        callers = {
            app.key: Caller(http, app=app.key, secret=app.secret, wall_clock=wall_clock)
            for app in apps
        }
        tasks.start_soon(Teller(system.outbox, callers=callers, urls=streams).run)
        tasks.start_soon(Asker(system.audit, callers=callers, urls=audits).run)
