"""The commands of ``improto``: thin, and clear about what is wrong.

Exit status 2 is for what the caller can write differently, 1 for what went wrong afterwards.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from improto_server import app
from improto_server.config import Backend, Framer, LogLevel, Settings, SettingsError, load
from improto_server.services.accounts import Accounts
from improto_server.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

USAGE_ERROR: Final = 2
FAILURE: Final = 1

DEFAULT_CONFIG: Final = Path("improto.toml")
"""Read if it is there and no other file is named."""

DEMO_APP: Final = "demo"
DEMO_USERS: Final = ("alice", "bob")

_PORTS_TRIED: Final = 20
_DAY: Final = 24 * 60 * 60

application = typer.Typer(
    name="improto",
    help="An instant-messaging server that published web SDKs connect to.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[
    Path | None,
    typer.Option(help=f"TOML file with settings; {DEFAULT_CONFIG} if that is here."),
]
Apps = Annotated[
    list[str] | None,
    typer.Option("--app", metavar="KEY:SECRET", help="An app; may be given several times."),
]


@application.command()
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
    settings = _settings(
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
    _run(settings)


@application.command()
def token(
    user: Annotated[str, typer.Argument(help="Who may connect with it.")],
    app_key: Annotated[
        str | None, typer.Option("--app", metavar="KEY", help="Needed if there are several apps.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="How long it is good.")] = None,
    config: Config = None,
) -> None:
    """Print a token for a user of an app that the settings name."""
    settings = _settings(config, {"token_days": days})
    keys = [each.key for each in settings.apps]
    if app_key is None and len(keys) > 1:
        _fail(f"there are several apps; choose with --app: {', '.join(keys)}", USAGE_ERROR)
    _say(_issue(settings, app_key or keys[0], user))


@application.command()
def demo(
    directory: Annotated[Path, typer.Option(help="Where settings and messages are kept.")] = Path(
        ".demo"
    ),
    port: Annotated[int, typer.Option(help="The first that is tried.")] = 8080,
    backend: Annotated[Backend, typer.Option(help="The event loop.")] = Backend.ASYNCIO,
) -> None:
    """Run a server with two users who can talk to each other."""
    config = directory / DEFAULT_CONFIG
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not config.exists():
            # It has a secret in it.
            config.touch(mode=0o600)
            config.write_text(_demo_config(directory.absolute()), encoding="utf-8")
    except OSError as error:
        _fail(f"{directory} cannot be used: {error.strerror}", FAILURE)
    host = "127.0.0.1"
    settings = _settings(
        config,
        {
            "gateway.backend": backend.value,
            "gateway.host": host,
            "gateway.port": _free_port(host, port),
            "robot": True,
        },
    )

    def say_how_to_chat(url: str) -> None:
        for name, peer in (DEMO_USERS, DEMO_USERS[::-1]):
            _say(f"\n{name} talks to {peer}:")
            issued = _issue(settings, DEMO_APP, name)
            _say(f"  {_program()} chat {peer} --server {url} --app {DEMO_APP} --token {issued}")
        _say("\nBoth can talk to robot as well: /to robot, then help.")
        _say(f"\nMore users: {_program()} token NAME --config {config}. Stop with Ctrl-C.")

    _run(settings, say_how_to_chat)


@application.command()
def chat(
    token_text: Annotated[str, typer.Option("--token", help="Who you are.")],
    peer: Annotated[str | None, typer.Argument(help="Whom to talk to at first.")] = None,
    server: Annotated[str, typer.Option(help="Where the server is.")] = "http://127.0.0.1:8080",
    app_key: Annotated[str, typer.Option("--app", metavar="KEY", help="The app.")] = DEMO_APP,
    user: Annotated[str | None, typer.Option(help="Whose token it should be.")] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="File that keeps between two runs what was seen and what was not sent."),
    ] = None,
) -> None:
    """Talk to somebody in the terminal."""
    from improto_server.chat import ChatSettings, run

    try:
        settings = ChatSettings.parse(
            server=server, app_key=app_key, token=token_text, peer=peer, user=user, state=state
        )
    except ValueError as error:
        _fail(str(error), USAGE_ERROR)
    raise typer.Exit(run(settings))


def _settings(config: Path | None, overrides: Mapping[str, Any]) -> Settings:
    if config is None and DEFAULT_CONFIG.exists():
        config = DEFAULT_CONFIG
    try:
        settings = load(config, environment=os.environ, overrides=overrides)
    except SettingsError as error:
        _fail(str(error), USAGE_ERROR)
    if not settings.apps:
        _fail("there is no app; name one with --app KEY:SECRET or in a settings file", USAGE_ERROR)
    return settings


def _apps(given: list[str] | None) -> list[dict[str, str]] | None:
    if not given:
        return None
    apps = []
    for text in given:
        key, colon, secret = text.partition(":")
        if not colon:
            _fail(f"--app must be KEY:SECRET, but {text!r} has no colon", USAGE_ERROR)
        apps.append({"key": key, "secret": secret})
    return apps


def _value(choice: Backend | Framer | LogLevel | None) -> str | None:
    return None if choice is None else choice.value


def _run(settings: Settings, say_more: Callable[[str], None] | None = None) -> None:
    """Run a server; ``say_more`` is called with its URL when it listens."""
    gateway = settings.gateway

    def announce(url: str) -> None:
        _say(f"improto: listening on {url} ({gateway.backend.value})")
        if say_more is not None:
            say_more(url)

    logging.basicConfig(
        level=settings.log_level.name,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        app.run(settings, announce)
    except StoreError as error:
        _fail(str(error), FAILURE)
    except ImportError as error:
        _fail(str(error), FAILURE)
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        reason = "another program listens there" if in_use else error.strerror or str(error)
        where = error.filename or f"{gateway.host} port {gateway.port}"
        _fail(f"cannot listen on {where}: {reason}", FAILURE)


def _issue(settings: Settings, app_key: str, user: str) -> str:
    accounts = Accounts({each.key: each.secret for each in settings.apps})
    try:
        return accounts.issue(app_key, user, now=time.time(), lifetime=settings.token_days * _DAY)
    except ValueError as error:
        _fail(str(error), USAGE_ERROR)


def _demo_config(directory: Path) -> str:
    # What JSON calls a text is one in TOML too, whatever the directory is called.
    url = json.dumps(f"sqlite:///{directory / 'messages.db'}")
    return f"""\
# Made by `improto demo`. Delete this directory to start over.

[[apps]]
key = "{DEMO_APP}"
secret = "{secrets.token_hex(32)}"

[store]
url = {url}

[messages]
# No limit: a demo is there to be played with.
rate = 0
"""


def _free_port(host: str, first: int) -> int:
    """The first free port from here on."""
    for port in range(first, min(first + _PORTS_TRIED, 65_536)):
        with socket.socket() as probe:
            # As the server will do it: a port that was closed a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    _fail(f"no port from {first} on is free", FAILURE)


def _program() -> str:
    """How the caller can call this program again."""
    called = Path(sys.argv[0])
    if called.name != "improto":
        return f"{sys.executable} -m improto_server"
    found = shutil.which("improto")
    return "improto" if found and called.samefile(found) else str(called)


def _say(line: str) -> None:
    typer.echo(line)
    sys.stdout.flush()


def _fail(message: str, status: int) -> NoReturn:
    typer.echo(f"improto: {message}", err=True)
    raise typer.Exit(status)
