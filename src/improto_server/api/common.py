"""What several parts of the API have in common: parameters, and pages of lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from improto_server.api.parameters import Id, Number, is_group_id, user_id, user_ids
from improto_server.services.accounts import is_user_id
from improto_server.services.rosters import NAME_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from improto_server.api.endpoints import Call

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
PAGE: Final = Number("page", least=1, most=1_000_000, default=1)
SIZE: Final = Number[int | None]("size", least=1, most=1000, default=None)
"""Without it, a list is answered as a whole: the older SDKs know of no pages."""

CHATROOM: Final = Id("chatroomId", fits=is_user_id)
MINUTES: Final = Number("minute", least=1, most=MOST_MINUTES, default=1, is_required=True)


def page(items: Sequence[T], call: Call) -> Sequence[T]:
    """What a call with :data:`PAGE` and :data:`SIZE` asks for."""
    size = call[SIZE]
    if size is None:
        return items
    return items[(call[PAGE] - 1) * size : call[PAGE] * size]
