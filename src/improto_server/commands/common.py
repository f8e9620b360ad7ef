"""What all commands have: one command line, its exit statuses, and how to say what is wrong."""

from __future__ import annotations

import sys
from typing import Final, NoReturn

import typer

FAILURE: Final = 1
"""Something went wrong afterwards."""

USAGE_ERROR: Final = 2
"""The caller can write it differently."""

REFUSED: Final = 3
"""The server does not let the caller in."""

SERVER_PANEL: Final = "Run a server"
TALK_PANEL: Final = "Talk to somebody"
TOOLS_PANEL: Final = "Tools"

application = typer.Typer(
    name="improto",
    help="An instant-messaging server that published web SDKs connect to, and its users.",
    epilog="[bold]Begin with[/bold]: improto demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def example(text: str) -> str:
    """The last line of a help page."""
    return f"[bold]Example[/bold]: {text}"


def say(line: str) -> None:
    """Print a line now, whoever reads it."""
    typer.echo(line)
    sys.stdout.flush()


def fail(message: str, status: int) -> NoReturn:
    """End with one line on standard error."""
    typer.echo(f"improto: {message}", err=True)
    raise typer.Exit(status)
