"""Runs somebody's bot: `improto bot module:app`.

``app`` is called with the client when it is online. It gives a :class:`improto_client.Bot`, or
is an async function that does all the work itself.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
from typing import TYPE_CHECKING, Any

from improto_client import Bot
from improto_server.chat.running import SUCCESS, CommandFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto_server.chat.access import Access

_logger = logging.getLogger(__name__)


def find_bot(place: str) -> Callable[..., Any]:
    """What ``MODULE:NAME`` means, looked for in the current directory too.

    Raises ValueError with one sentence. What the module itself raises is not caught.
    """
    module_name, colon, path = place.partition(":")
    if not (colon and module_name and path):
        raise ValueError(f"the bot must be like module:app, not {place!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ValueError(f"there is no module {error.name}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{module_name!r} is no name of a module") from error
    for name in path.split("."):
        found = getattr(found, name, None)
    if not callable(found):
        raise ValueError(f"{place} is nothing that can be called with a client")
    make: Callable[..., Any] = found
    return make


async def run_bot(access: Access, make: Callable[..., Any]) -> int:
    """Let a bot work until it has done, or until the connection has ended for good."""
    async with access.connect() as im:
        _logger.info("%s is online at %s", im.user_id, access.address)
        bot = make(im)
        if inspect.isawaitable(bot):
            bot = await bot
        if isinstance(bot, Bot):
            await bot.run()
        elif bot is not None:
            raise CommandFailed(f"it gave {type(bot).__name__} and not an improto_client.Bot")
    return SUCCESS
