"""The command that shows everything: a server with people, a page, and no setting to make."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from improto_server import demonstration
from improto_server.commands.common import FAILURE, SERVER_PANEL, application, example, fail, say
from improto_server.commands.serving import DEFAULT_CONFIG, issue, read_settings, run
from improto_server.config import Backend

if TYPE_CHECKING:
    from improto_server.app import Application
    from improto_server.config import Settings

_HOST: Final = "127.0.0.1"
_PORTS_TRIED: Final = 20


@application.command(
    rich_help_panel=SERVER_PANEL, epilog=example("improto demo --port 9000 --backend trio")
)
def demo(
    directory: Annotated[Path, typer.Option(help="Where settings and messages are kept.")] = Path(
        ".demo"
    ),
    port: Annotated[int, typer.Option(help="The first that is tried.")] = 8080,
    backend: Annotated[Backend, typer.Option(help="The event loop.")] = Backend.ASYNCIO,
) -> None:
    """Run a server with a page to chat on, people, and a robot."""
    config = directory / DEFAULT_CONFIG
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not config.exists():
            # It has a secret in it.
            config.touch(mode=0o600)
            config.write_text(_config(directory.absolute()), encoding="utf-8")
    except OSError as error:
        fail(f"{directory} cannot be used: {error.strerror}", FAILURE)
    gateway_port = _free_port(port)
    # After the port of the gateway, or any as well.
    web_port = _free_port(gateway_port + 1) if gateway_port else 0
    settings = read_settings(
        config,
        {
            "gateway.backend": backend.value,
            "gateway.host": _HOST,
            "gateway.port": gateway_port,
            "web.host": _HOST,
            "web.port": web_port,
        },
    )
    if not settings.accounts.enabled:
        fail(
            f"{config} has accounts.enabled switched off; delete {directory} to begin anew", FAILURE
        )
    secret = settings.apps[0].secret
    page = f"http://{_HOST}:{web_port}"

    async def furnish(running: Application) -> None:
        nonlocal page
        await demonstration.furnish(running, secret)
        page = running.site.url

    def announce(url: str) -> None:
        for line in _introduction(settings, config, page=page, gateway=url):
            say(line)

    run(settings, announce, furnish)


def _introduction(settings: Settings, config: Path, *, page: str, gateway: str) -> list[str]:
    people = demonstration.PEOPLE
    accounts = ", ".join(person.email for person in people)
    mails = f"{settings.store.url.removeprefix('sqlite:///')}-mails"
    first, second = (person.user for person in people[:2])
    chats = [
        f"  {_program()} chat {peer} --server {gateway} --app {demonstration.APP}"
        f" --token {issue(settings, demonstration.APP, name)}"
        for name, peer in ((first, second), (second, first))
    ]
    return [
        "",
        f"    Open  {page}/  in a browser.",
        "",
        "You are root there, and test at /test.html in another tab. At /chat, others come in:",
        f"Accounts: {accounts}",
        f"Password: {demonstration.password(settings.apps[0].secret)}, for each. Guests need none.",
        f"Mails:    {mails}",
        "",
        f"In a terminal, {first} and {second}; both can talk to robot as well (/to robot):",
        *chats,
        "",
        f"More users: {_program()} token NAME --config {config}; SDKs connect to {gateway}",
        "Everything is kept for the next time. Stop with Ctrl-C.",
    ]


def _config(directory: Path) -> str:
    # What JSON calls a text is one in TOML too, whatever the directory is called.
    url = json.dumps(f"sqlite:///{directory / 'messages.db'}")
    rooms = json.dumps(demonstration.ROOMS)
    return f"""\
# Made by `improto demo`. Delete this directory to start over.
log_level = "warning"
robot = true

[[apps]]
key = "{demonstration.APP}"
secret = "{secrets.token_hex(32)}"

[store]
url = {url}

[web]
enabled = true

[accounts]
enabled = true
# No limit, nor below: a demo is there to be played with.
entries = 0
# Whoever opens / is root, and /test.html is test; /chat is for everybody else.
fixed_users = true
page = "/chat"
rooms = {rooms}

[messages]
rate = 0
# Several tabs of one person.
multi_device = true
group_receipts = "receipts"

[chatrooms]
member_notices = true
"""


def _free_port(first: int) -> int:
    """The first free port from here on."""
    for port in range(first, min(first + _PORTS_TRIED, 65_536)):
        with socket.socket() as probe:
            # As the server will do it: a port that was closed a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
            return port
    fail(f"no port from {first} on is free", FAILURE)


def _program() -> str:
    """How the caller can call this program again."""
    called = Path(sys.argv[0])
    if called.name != "improto":
        return f"{sys.executable} -m improto_server"
    found = shutil.which("improto")
    return "improto" if found and called.samefile(found) else str(called)
