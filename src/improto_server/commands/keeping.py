"""Commands that copy a server's store, and put a copy in its place."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from improto_server.backup import BackupError, back_up
from improto_server.backup import restore as put_back
from improto_server.commands.common import FAILURE, SERVER_PANEL, application, example, fail, say
from improto_server.commands.serving import Config, read_settings
from improto_server.store import StoreError

if TYPE_CHECKING:
    from typing import NoReturn

Target = Annotated[Path, typer.Argument(help="A new directory.", show_default=False)]
Source = Annotated[Path, typer.Argument(help="A backup.", show_default=False)]
Store = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="Where messages are: sqlite:///FILE.")
]


@application.command(
    rich_help_panel=SERVER_PANEL, epilog=example("improto backup backups/monday --config chat.toml")
)
def backup(
    directory: Target,
    config: Config = None,
    store: Store = None,
    files: Annotated[
        bool, typer.Option("--files/--no-files", help="Whether uploaded files are copied.")
    ] = True,
) -> None:
    """Copy all that a server keeps; it may run meanwhile."""
    settings = read_settings(config, {"store.url": store})
    try:
        back_up(settings, directory, with_files=files)
    except (BackupError, StoreError, OSError) as error:
        _fail(error)
    say(f"improto: the backup is in {directory}")


@application.command(
    rich_help_panel=SERVER_PANEL,
    epilog=example("improto restore backups/monday --config chat.toml"),
)
def restore(
    directory: Source,
    config: Config = None,
    store: Store = None,
) -> None:
    """Put a backup in place of what a server keeps; it must not run."""
    settings = read_settings(config, {"store.url": store})
    try:
        kept = put_back(settings, directory, stamp=time.strftime("%Y%m%d-%H%M%S"))
    except (BackupError, StoreError, OSError) as error:
        _fail(error)
    for path in kept:
        say(f"improto: what was there before is {path}")
    say(f"improto: {directory} is restored")


def _fail(error: Exception) -> NoReturn:
    if isinstance(error, OSError) and error.filename:
        fail(f"{error.filename}: {error.strerror}", FAILURE)
    fail(str(error), FAILURE)
