"""Commands of a user: talking in the terminal, and one thing at a time in scripts.

Where the server is and who the user is, is said to all of them in the same way.
"""

from __future__ import annotations

import enum
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from improto_server.commands.common import TALK_PANEL, USAGE_ERROR, application, example, fail
from improto_server.config import Backend
from improto_server.demonstration import APP as DEMO_APP

if TYPE_CHECKING:
    from improto.messages import Conversation
    from improto_server.chat.access import Access
    from improto_server.chat.errands import Writer

MOST_TEXT: Final = 1024 * 1024
"""Bytes that are read to be one message. Ours; servers refuse far shorter ones."""

MOST_LAST: Final = 1000
"""Messages that ``--last`` shows: they are held in memory. ``--export`` has no limit."""

MOST_ROOMS: Final = 20
"""Rooms to listen to at once. Ours; servers let a user into fewer than that or into many."""

_ACCESS: Final = "Where and who"

Token = Annotated[
    str,
    typer.Option(
        "--token",
        envvar="IMPROTO_TOKEN",
        help="Who you are. On the command line, everybody on this machine can see it.",
        rich_help_panel=_ACCESS,
        show_default=False,
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        envvar="IMPROTO_SERVER",
        metavar="URL",
        help="The gateway itself; http://127.0.0.1:8080 if nothing is said.",
        rich_help_panel=_ACCESS,
    ),
]
Navigators = Annotated[
    list[str] | None,
    typer.Option(
        "--navi",
        envvar="IMPROTO_NAVI",
        metavar="URL",
        help="Who knows where the server is, and where files are kept; several are tried in turn.",
        rich_help_panel=_ACCESS,
    ),
]
AppKey = Annotated[
    str,
    typer.Option(
        "--app", envvar="IMPROTO_APP", metavar="KEY", help="The app.", rich_help_panel=_ACCESS
    ),
]
User = Annotated[
    str | None,
    typer.Option(help="Whose token it should be.", rich_help_panel=_ACCESS),
]
State = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Remembers what was seen, so that it does not come again with the next run.",
    ),
]
Target = Annotated[
    str, typer.Argument(metavar="TARGET", help="A user, group:ID or room:ID.", show_default=False)
]
File = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Send a file instead of a text.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]


class Form(enum.Enum):
    """What a history is exported as."""

    JSON = "json"
    TEXT = "text"


@application.command(
    rich_help_panel=TALK_PANEL, epilog=example("improto chat bob --token eyJhbGciOi...")
)
def chat(
    token: Token,
    peer: Annotated[
        str | None,
        typer.Argument(metavar="TARGET", help="Whom to talk to at first.", show_default=False),
    ] = None,
    server: Server = None,
    navigators: Navigators = None,
    app_key: AppKey = DEMO_APP,
    user: User = None,
    state: State = None,
) -> None:
    """Talk in the terminal, to users, in groups and in rooms.

    Type and press Enter; /help shows what else there is.

    Without a terminal, a line in is a message and a message is a line out.
    """
    access = _access(token, server, navigators, app_key, user, state)
    target = None if peer is None else _target(peer)
    from improto_server.chat import run

    raise typer.Exit(run(access, target))


@application.command(
    rich_help_panel=TALK_PANEL, epilog=example("improto send group:team 'the build is green'")
)
def send(
    target: Target,
    token: Token,
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="What to say; - reads it from standard input."),
    ] = None,
    file: File = None,
    as_json: AsJson = False,
    server: Server = None,
    navigators: Navigators = None,
    app_key: AppKey = DEMO_APP,
    user: User = None,
) -> None:
    """Send one message, and end when the server has it."""
    access = _access(token, server, navigators, app_key, user)
    conversation = _target(target)
    what = file if text is None else _standard_input() if text == "-" else text
    if what is None or (text is not None and file is not None):
        fail("say what to send: either a TEXT (or -) or --file FILE", USAGE_ERROR)
    if isinstance(what, str) and not what.strip():
        fail("there is nothing to send", USAGE_ERROR)
    from improto_server.chat import errands
    from improto_server.chat.running import perform

    write = _write if as_json else None
    raise typer.Exit(perform(lambda: errands.send(access, conversation, what, write=write)))


@application.command(
    rich_help_panel=TALK_PANEL, epilog=example("improto listen --json --count 1 --for 60")
)
def listen(
    token: Token,
    as_json: AsJson = False,
    count: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="End after so many messages.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--for", min=0, max=10**8, metavar="SECONDS", help="End after this time."),
    ] = None,
    rooms: Annotated[
        list[str] | None,
        typer.Option("--room", metavar="ID", help="A chatroom to join; may be repeated."),
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Only what is said from now on.")] = False,
    signals: Annotated[
        bool, typer.Option("--all", help="Typing, receipts and other signals too, as JSON.")
    ] = False,
    server: Server = None,
    navigators: Navigators = None,
    app_key: AppKey = DEMO_APP,
    user: User = None,
    state: State = None,
) -> None:
    """Print messages as they come, first those that have waited.

    Ends with status 1 if fewer than --count have come in the time of --for.
    """
    access = _access(token, server, navigators, app_key, user, state)
    if len(rooms or ()) > MOST_ROOMS:
        fail(f"--room: at most {MOST_ROOMS} rooms at a time", USAGE_ERROR)
    entered = [_target(f"room:{room}") for room in rooms or ()]
    from improto_server.chat import errands
    from improto_server.chat.running import perform

    raise typer.Exit(
        perform(
            lambda: errands.listen(
                access,
                _writer(as_json),
                rooms=entered,
                count=count,
                seconds=seconds,
                only_new=new,
                with_signals=signals,
            )
        )
    )


@application.command(
    rich_help_panel=TALK_PANEL,
    epilog=example("improto history group:team --export json > team.jsonl"),
)
def history(
    target: Target,
    token: Token,
    last: Annotated[
        int, typer.Option(min=1, max=MOST_LAST, metavar="N", help="How many of the last messages.")
    ] = 20,
    export: Annotated[
        Form | None, typer.Option(help="All messages from the first one on, as lines of this.")
    ] = None,
    server: Server = None,
    navigators: Navigators = None,
    app_key: AppKey = DEMO_APP,
    user: User = None,
) -> None:
    """Print what was said in a conversation, oldest first."""
    access = _access(token, server, navigators, app_key, user)
    conversation = _target(target)
    from improto_server.chat import errands
    from improto_server.chat.running import perform

    limit = last if export is None else None
    writer = _writer(export is Form.JSON)
    raise typer.Exit(perform(lambda: errands.history(access, writer, conversation, limit=limit)))


@application.command(
    rich_help_panel=TALK_PANEL, epilog=example("improto bot my_bots:echo --token eyJhbGciOi...")
)
def bot(
    place: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:NAME", help="A function of the client that makes a Bot, or is one."
        ),
    ],
    token: Token,
    backend: Annotated[Backend, typer.Option(help="The event loop.")] = Backend.ASYNCIO,
    server: Server = None,
    navigators: Navigators = None,
    app_key: AppKey = DEMO_APP,
    user: User = None,
    state: State = None,
) -> None:
    """Run a bot that is written in Python, until it is interrupted."""
    access = _access(token, server, navigators, app_key, user, state)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # It talks about every request.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    from improto_server.chat.bots import find_bot, run_bot
    from improto_server.chat.running import perform

    try:
        make = find_bot(place)
    except ValueError as error:
        fail(str(error), USAGE_ERROR)
    raise typer.Exit(perform(lambda: run_bot(access, make), backend=backend.value))


def _access(
    token: str,
    server: str | None,
    navigators: list[str] | None,
    app_key: str,
    user: str | None,
    state: Path | None = None,
) -> Access:
    from improto_server.chat.access import Access

    try:
        return Access.parse(
            server=server,
            navigators=navigators or (),
            app_key=app_key,
            token=token,
            user=user,
            state=state,
        )
    except ValueError as error:
        fail(str(error), USAGE_ERROR)


def _target(text: str) -> Conversation:
    from improto_server.chat.targets import read_target

    try:
        return read_target(text)
    except ValueError as error:
        fail(str(error), USAGE_ERROR)


def _standard_input() -> str:
    data = sys.stdin.buffer.read(MOST_TEXT + 1)
    if len(data) > MOST_TEXT:
        fail(f"a message has at most {MOST_TEXT} bytes", USAGE_ERROR)
    return data.decode(errors="replace").removesuffix("\n")


def _writer(as_json: bool) -> Writer:
    from improto_server.chat.errands import Writer
    from improto_server.chat.painting import Painter

    return Writer(_write, Painter(now=time.time), as_json=as_json)


def _write(line: str) -> None:
    print(line, flush=True)
