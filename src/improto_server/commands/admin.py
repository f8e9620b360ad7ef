"""``improto admin``: what goes on in a running server, and a hand on it.

Each command makes one call of :mod:`improto_server.admin`, so the server has the last word. On
its own machine the settings say where it is and which token it wants.
"""

from __future__ import annotations

import enum
import json
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from improto_server.commands.common import (
    FAILURE,
    REFUSED,
    SERVER_PANEL,
    USAGE_ERROR,
    application,
    example,
    fail,
    say,
)
from improto_server.commands.serving import Config, read_settings
from improto_server.tls import own_client
from improto_server.web.site import url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from improto_server.config import WebSettings

PATIENCE: Final = 30.0
"""Seconds until a server that says nothing is a failure."""

PAGE: Final = 100
"""Users or rooms that are asked for at once."""

MOST_LISTED: Final = 1000
"""What one command prints at most, unless told otherwise."""

_ACCESS: Final = "Where and who"

admin = typer.Typer(no_args_is_help=True)
application.add_typer(
    admin,
    name="admin",
    help="See what goes on in a running server, and change it.",
    epilog=example("improto admin status"),
    rich_help_panel=SERVER_PANEL,
)

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="IMPROTO_ADMIN_URL",
        metavar="URL",
        help="The server's web port; if nothing is said, what the settings say.",
        rich_help_panel=_ACCESS,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="IMPROTO_ADMIN_TOKEN",
        help="web.admin_token of the server; if nothing is said, that of the settings."
        " On the command line, everybody on this machine can see it.",
        rich_help_panel=_ACCESS,
        show_default=False,
    ),
]
Certificate = Annotated[
    Path | None,
    typer.Option(
        "--ca",
        metavar="FILE",
        help="Certificates to believe, for a server whose own nobody else knows.",
        rich_help_panel=_ACCESS,
    ),
]
App = Annotated[str, typer.Option("--app", metavar="KEY", help="Needed if there are several apps.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]
User = Annotated[str, typer.Argument(metavar="USER", help="A user's id.", show_default=False)]
Most = Annotated[int, typer.Option("--most", min=1, max=100_000, help="How many at most.")]


class Receivers(enum.Enum):
    """Whom a broadcast is for."""

    ONLINE = "online"
    EVERYBODY = "everybody"
    ROOMS = "rooms"


class _Server(NamedTuple):
    """A server, and what it wants to see."""

    url: str
    token: str
    trusted: Path | None = None
    """Certificates to believe; None: those that the machine does."""
    own: str = ""
    """The certificate of a server on this machine, for whatever name it is."""

    def ask(self, path: str, **fields: str | int | bool) -> Any:
        """What is there. What is empty or false is left out."""
        given = {name: value for name, value in fields.items() if value}
        return self._call("GET", path, params=given)

    def act(self, path: str, **fields: str | int) -> Any:
        """Have something done."""
        return self._call("POST", path, json=fields)

    def pages(self, path: str, name: str, most: int, **fields: str | bool) -> list[Any]:
        """The first ``most`` of a list."""
        found: list[Any] = []
        after = ""
        while len(found) < most:
            reply = self.ask(path, after=after, count=min(PAGE, most), **fields)
            found.extend(reply[name])
            after = reply["next"]
            if not after:
                break
        return found[:most]

    def _call(self, method: str, path: str, **options: Any) -> Any:
        import ssl

        import httpx

        try:
            if self.own and self.trusted is None:
                tls = own_client(self.own)
            else:
                tls = ssl.create_default_context(cafile=self.trusted)
            with httpx.Client(timeout=PATIENCE, verify=tls, trust_env=False) as client:
                headers = {"Authorization": f"Bearer {self.token}"}
                url = f"{self.url}/admin/{path}"
                answer = client.request(method, url, headers=headers, **options)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            fail(f"the server at {self.url} cannot be asked: {error}", FAILURE)
        try:
            content = answer.json()
        except ValueError:
            content = None
        if answer.is_success and isinstance(content, dict):
            return content
        refusal = content.get("error") if isinstance(content, dict) else None
        if not isinstance(refusal, dict):
            fail(f"at {self.url} is no administration (status {answer.status_code})", FAILURE)
        outside = answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
        message = _clean(str(refusal.get("message", "refused")))
        fail(message, REFUSED if outside else FAILURE)


def _server(
    url: str | None, token: str | None, certificate: Path | None, config: Path | None
) -> _Server:
    own = ""
    if url is None or token is None:
        web = read_settings(config, {}).web
        own = web.certificate if url is None else ""
        url, token = url or _own_url(web), token or web.admin_token
    if not token:
        fail("web.admin_token is empty, so there is no administration", USAGE_ERROR)
    if not token.isascii() or not token.isprintable():
        fail("--token has characters that no token has", USAGE_ERROR)
    return _Server(url.rstrip("/"), token, certificate, own)


def _own_url(web: WebSettings) -> str:
    return url_of(web.host, web.port, is_encrypted=bool(web.certificate))


@admin.command(epilog=example("improto admin status --json"))
def status(
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
    certificate: Certificate = None,
    config: Config = None,
) -> None:
    """How many users, connections, rooms and messages there are."""
    found = _server(url, token, certificate, config).ask("status")
    if as_json:
        _say_json(found)
        return
    messages, storage = found["messages"], found["storage"]
    facts = {
        "version": found["version"],
        "running for": _duration(found["uptime"]),
        "users online": found["users"],
        "connections": found["connections"],
        "rooms": found["rooms"],
        "messages per second": messages["perSecond"],
        "messages in all": messages["total"],
        "store": _bytes(storage["database"]),
        "free on its disk": _bytes(storage["free"]),
    }
    _print_table(None, [*facts.items()])
    names = ("app", "users", "connections", "rooms", "blocked")
    _print_table(names, [[each[name] for name in names] for each in found["apps"]])


@admin.command(epilog=example("improto admin users ann --online"))
def users(
    query: Annotated[
        str,
        typer.Argument(metavar="BEGINNING", help="Of their ids, or of their accounts' names."),
    ] = "",
    online: Annotated[bool, typer.Option("--online", help="Only who is.")] = False,
    most: Most = MOST_LISTED,
    app: App = "",
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
    certificate: Certificate = None,
    config: Config = None,
) -> None:
    """Users whom the server has heard of."""
    server = _server(url, token, certificate, config)
    found = server.pages("users", "users", most, app=app, query=query, online=online)
    _print_list(
        found,
        as_json,
        {
            "user": lambda each: each["user"],
            "name": lambda each: each["name"],
            "connections": lambda each: each["connections"],
            "blocked until": lambda each: _moment(each["blockedUntil"]),
        },
    )


@admin.command(epilog=example("improto admin blocked --json"))
def blocked(
    most: Most = MOST_LISTED,
    app: App = "",
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
    certificate: Certificate = None,
    config: Config = None,
) -> None:
    """Users who may not connect."""
    found = _server(url, token, certificate, config).pages("blocked", "users", most, app=app)
    _print_list(
        found,
        as_json,
        {
            "user": lambda each: each["user"],
            "until": lambda each: _moment(each["blockedUntil"]),
        },
    )


@admin.command(epilog=example("improto admin rooms"))
def rooms(
    most: Most = MOST_LISTED,
    app: App = "",
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
    certificate: Certificate = None,
    config: Config = None,
) -> None:
    """Chatrooms, and how many are in them."""
    found = _server(url, token, certificate, config).pages("rooms", "rooms", most, app=app)
    _print_list(
        found,
        as_json,
        {
            "room": lambda each: each["room"],
            "name": lambda each: each["name"],
            "members": lambda each: each["members"],
            "since": lambda each: _moment(each["created"]),
        },
    )


@admin.command(epilog=example("improto admin kick ann"))
def kick(
    user: User,
    app: App = "",
    url: Url = None,
    token: Token = None,
    certificate: Certificate = None,
    config: Config = None,
) -> None:
    """End all connections of a user, who may come back."""
    reply = _server(url, token, certificate, config).act("kick", app=app, user=user)
    count = reply["connections"]
    say(f"{user}: {count} connections ended" if count else f"{user} was not online")


@admin.command(epilog=example("improto admin block ann --minutes 60"))
def block(
    user: User,
    minutes: Annotated[int, typer.Option(min=1, max=43_200, help="How long; a month at most.")],
    app: App = "",
    url: Url = None,
    token: Token = None,
    certificate: Certificate = None,
    config: Config = None,
) -> None:
    """Let a user not connect for some time."""
    server = _server(url, token, certificate, config)
    reply = server.act("block", app=app, user=user, minutes=minutes)
    say(f"{user} is blocked until {_moment(reply['blockedUntil'])}")


@admin.command(epilog=example("improto admin unblock ann"))
def unblock(
    user: User,
    app: App = "",
    url: Url = None,
    token: Token = None,
    certificate: Certificate = None,
    config: Config = None,
) -> None:
    """Let a user connect again."""
    _server(url, token, certificate, config).act("unblock", app=app, user=user)
    say(f"{user} may connect")


@admin.command(epilog=example("improto admin destroy lobby"))
def destroy(
    room: Annotated[str, typer.Argument(metavar="ROOM", help="A chatroom.", show_default=False)],
    app: App = "",
    url: Url = None,
    token: Token = None,
    certificate: Certificate = None,
    config: Config = None,
) -> None:
    """Destroy a chatroom, with its keys and bans."""
    server = _server(url, token, certificate, config)
    reply = server.act("rooms/destroy", app=app, room=room)
    say(f"{room} is no more; {reply['members']} were in it")


@admin.command(epilog=example("improto admin broadcast 'back at nine' --to everybody"))
def broadcast(
    text: Annotated[str, typer.Argument(help="What to say.", show_default=False)],
    to: Annotated[
        Receivers, typer.Option(help="online: shown at once, and kept nowhere.")
    ] = Receivers.ONLINE,
    sender: Annotated[str, typer.Option(metavar="USER", help="Whom it is from.")] = "system",
    app: App = "",
    url: Url = None,
    token: Token = None,
    certificate: Certificate = None,
    config: Config = None,
) -> None:
    """Send a text to many."""
    server = _server(url, token, certificate, config)
    server.act("broadcast", app=app, text=text, to=to.value, sender=sender)
    say("it is on its way")


def _print_list(
    found: Sequence[Mapping[str, Any]],
    as_json: bool,
    columns: Mapping[str, Callable[[Mapping[str, Any]], Any]],
) -> None:
    """As a table, or one JSON object per line."""
    if as_json:
        for each in found:
            _say_json(each)
    elif found:
        _print_table([*columns], [[cell(each) for cell in columns.values()] for each in found])
    else:
        say("there are none")


def _print_table(names: Sequence[str] | None, rows: Sequence[Sequence[Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*(names or ("", "")), show_header=names is not None)
    for row in rows:
        # As texts, in which nothing is markup.
        table.add_row(*(Text(_clean(str(cell))) for cell in row))
    Console().print(table)


def _say_json(content: Mapping[str, Any]) -> None:
    from improto_server.chat.printable import escaped

    say(escaped(json.dumps(content, ensure_ascii=False)))


def _clean(text: str) -> str:
    """Others have chosen it, and a terminal obeys control characters."""
    from improto_server.chat.printable import one_line

    return one_line(text)


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.1f} {unit}" if unit != "B" else f"{count} B"
        count /= 1024
    return f"{count:.1f} TiB"


def _duration(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    clock = f"{hours}:{rest // 60:02}:{rest % 60:02}"
    return f"{days} d {clock}" if days else clock


def _moment(time: int) -> str:
    """Milliseconds since 1970, in the time of this machine; empty for 0."""
    from datetime import datetime

    if not time:
        return ""
    return datetime.fromtimestamp(time / 1000).astimezone().isoformat(" ", "seconds")
