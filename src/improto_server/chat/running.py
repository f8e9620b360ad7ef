"""Runs what a command does, and says in one line what went wrong.

Exit statuses: 0, all went well; 1, something went wrong afterwards; 2 is for the command line;
3, the server does not let this user in; 130, interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import anyio

from improto_client import ImError, LoginRefused
from improto_server.chat.access import WrongUser
from improto_server.chat.printable import one_line
from improto_server.chat.wording import error_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SUCCESS: Final = 0
FAILURE: Final = 1
REFUSED: Final = 3
INTERRUPTED: Final = 130


class CommandFailed(Exception):
    """A command cannot do what it was told; the text is one sentence."""


def perform(action: Callable[[], Awaitable[int]], *, backend: str = "asyncio") -> int:
    """Run it on a loop of its own; returns the exit status."""
    try:
        return anyio.run(action, backend=backend)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads what is said any more: that was all he wanted.
        _leave_nothing_unwritten()
        return SUCCESS
    except (WrongUser, LoginRefused) as error:
        return _failed(error_text(error), REFUSED)
    except (ImError, CommandFailed, OSError) as error:
        return _failed(error_text(error), FAILURE)


def _failed(text: str, status: int) -> int:
    print(f"improto: {one_line(text)}", file=sys.stderr)
    return status


def _leave_nothing_unwritten() -> None:
    """Python writes what is left at its end, and would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
