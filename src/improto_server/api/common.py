"""What several parts of the API have in common: parameters, and doing one thing for many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from improto_server.api.parameters import Id, Number, is_group_id, user_id, user_ids
from improto_server.services.accounts import is_user_id
from improto_server.services.rosters import NAME_CHARACTERS
from improto_server.steps import begin

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

T = TypeVar("T")

MINUTE: Final = 60_000
"""In milliseconds."""

MOST_MINUTES: Final = 43_200
"""Thirty days (rest 5)."""

NAME: Final = NAME_CHARACTERS
"""The longest name of a group or a chatroom, in characters (rest 5)."""

USER: Final = user_id("userId")
USERS_20: Final = user_ids("userId", most=20)
USERS_1000: Final = user_ids("userId", most=1000)
GROUP: Final = Id("groupId", fits=is_group_id)
CHATROOM: Final = Id("chatroomId", fits=is_user_id)
MINUTES: Final = Number("minute", least=1, most=MOST_MINUTES, default=1, is_required=True)


async def together(all_steps: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do several things, begun in a row: what they write reaches the store together.

    Raises what the first that fails raises; the others are done all the same.
    """
    return [await each for each in [begin(steps) for steps in all_steps]]
