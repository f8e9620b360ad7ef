"""Commands that run a server, and one that makes tokens for it."""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from improto_server import app
from improto_server.commands.common import (
    FAILURE,
    SERVER_PANEL,
    TOOLS_PANEL,
    USAGE_ERROR,
    application,
    example,
    fail,
    say,
)
from improto_server.config import (
    AccessLog,
    Backend,
    Framer,
    LogLevel,
    Settings,
    SettingsError,
    load,
)
from improto_server.services.accounts import Accounts
from improto_server.store import StoreError
from improto_server.web import watching

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

DEFAULT_CONFIG: Final = Path("improto.toml")
"""Read if it is there and no other file is named."""

_DAY: Final = 24 * 60 * 60

Config = Annotated[
    Path | None,
    typer.Option(help=f"TOML file with settings; {DEFAULT_CONFIG} if that is here."),
]
Apps = Annotated[
    list[str] | None,
    typer.Option("--app", metavar="KEY:SECRET", help="An app; may be given several times."),
]


@application.command(
    rich_help_panel=SERVER_PANEL,
    epilog=example("improto serve --app KEY:SECRET --store sqlite:///messages.db"),
)
def serve(
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="0: any that is free.")] = None,
    public_address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="What clients are told to connect to.")
    ] = None,
    backend: Annotated[Backend | None, typer.Option(help="The event loop.")] = None,
    framer: Annotated[Framer | None, typer.Option(help="The WebSocket library.")] = None,
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="Where messages are kept: sqlite:///FILE.")
    ] = None,
    apps: Apps = None,
    multi_device: Annotated[
        bool | None,
        typer.Option("--multi-device/--one-device", help="Connections of one user at a time."),
    ] = None,
    robot: Annotated[
        bool | None, typer.Option("--robot/--no-robot", help="A user that answers, named robot.")
    ] = None,
    log_level: Annotated[LogLevel | None, typer.Option(help="The least that is logged.")] = None,
) -> None:
    """Run a server until it is interrupted."""
    settings = read_settings(
        config,
        {
            "apps": _apps(apps),
            "gateway.backend": _value(backend),
            "gateway.framer": _value(framer),
            "gateway.host": host,
            "gateway.port": port,
            "gateway.public_address": public_address,
            "log_level": _value(log_level),
            "messages.multi_device": multi_device,
            "robot": robot,
            "store.url": store,
        },
    )

    def announce(url: str) -> None:
        say(f"improto: listening on {url} ({settings.gateway.backend.value})")

    run(settings, announce)


@application.command(
    rich_help_panel=TOOLS_PANEL,
    epilog=example("improto token alice --days 7"),
)
def token(
    user: Annotated[str, typer.Argument(help="Who may connect with it.")],
    app_key: Annotated[
        str | None, typer.Option("--app", metavar="KEY", help="Needed if there are several apps.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="How long it is good.")] = None,
    config: Config = None,
) -> None:
    """Print a token for a user of an app that the settings name."""
    settings = read_settings(config, {"token_days": days})
    keys = [each.key for each in settings.apps]
    if app_key is None and len(keys) > 1:
        fail(f"there are several apps; choose with --app: {', '.join(keys)}", USAGE_ERROR)
    say(issue(settings, app_key or keys[0], user))


def read_settings(config: Path | None, overrides: Mapping[str, Any]) -> Settings:
    """What a command with these options works with; what is wrong ends it."""
    if config is None and DEFAULT_CONFIG.exists():
        config = DEFAULT_CONFIG
    try:
        settings = load(config, environment=os.environ, overrides=overrides)
    except SettingsError as error:
        fail(str(error), USAGE_ERROR)
    if not settings.apps:
        fail("there is no app; name one with --app KEY:SECRET or in a settings file", USAGE_ERROR)
    return settings


def _apps(given: list[str] | None) -> list[dict[str, str]] | None:
    if not given:
        return None
    apps = []
    for text in given:
        key, colon, secret = text.partition(":")
        if not colon:
            fail(f"--app must be KEY:SECRET, but {text!r} has no colon", USAGE_ERROR)
        apps.append({"key": key, "secret": secret})
    return apps


def _value(choice: Backend | Framer | LogLevel | None) -> str | None:
    return None if choice is None else choice.value


def run(
    settings: Settings,
    announce: Callable[[str], None],
    furnish: Callable[[app.Application], Awaitable[None]] | None = None,
) -> None:
    """Run a server as :func:`.app.run` does; what goes wrong ends the command."""
    gateway = settings.gateway
    logging.basicConfig(
        level=settings.log_level.name,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    if settings.web.access_log is not AccessLog.NONE:
        _show_requests()
    try:
        app.run(settings, announce, furnish)
    except SettingsError as error:
        fail(str(error), USAGE_ERROR)
    except StoreError as error:
        fail(str(error), FAILURE)
    except ImportError as error:
        fail(str(error), FAILURE)
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        reason = "another program listens there" if in_use else error.strerror or str(error)
        where = error.filename or f"{gateway.host} port {gateway.port}"
        fail(f"cannot listen on {where}: {reason}", FAILURE)


def _show_requests() -> None:
    """Lines for programs: nothing stands before them, and no level holds them back."""
    watching.logger.setLevel(logging.INFO)
    watching.logger.propagate = False
    if not watching.logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        watching.logger.addHandler(handler)


def issue(settings: Settings, app_key: str, user: str) -> str:
    """A token for a user, for as long as the settings say."""
    accounts = Accounts({each.key: each.secret for each in settings.apps})
    try:
        return accounts.issue(app_key, user, now=time.time(), lifetime=settings.token_days * _DAY)
    except ValueError as error:
        fail(str(error), USAGE_ERROR)
