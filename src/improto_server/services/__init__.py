"""What the server does, one module per capability.

A service function takes a typed request and returns a typed reply, a :class:`Reading` if
the reply has to come from the store, or None if the status says it all. It refuses by
raising :class:`ServiceError`. It sees no socket, no frame and no HTTP request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from improto.codes import describe
from improto.payloads import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from improto.codes import ErrorCode
    from improto.profiles import Profile


class Caller(NamedTuple):
    """Who asks."""

    app: str
    """The app key."""
    user_id: str
    profile: Profile
    """How this generation of clients wants to be treated."""


class ServiceError(Exception):
    """A request is refused with a status of codes 5."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(describe(code))
        self.code = code


@dataclass(frozen=True, slots=True)
class Reading:
    """A reply that the reader thread makes; ``query`` must touch nothing but the store."""

    query: Callable[[Connection], Message]


Reply: TypeAlias = Message | Reading | None
"""What a service function returns."""
