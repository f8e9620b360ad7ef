"""What the server does, one module per capability.

A service is a class that is made once. Its public methods are service functions: ``async def``
with a :class:`Caller`, the target of the frame and a typed request in, and a typed reply out, or
None if the status says it all. They refuse by raising :class:`ServiceError`. They see no
socket, no frame and no HTTP request, and await nothing but :class:`.data.Data`;
:mod:`improto_server.steps` runs them. ``operations()`` says which topics they answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from improto_server.errors import ServiceError, StatusAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from improto.payloads import Message
    from improto.profiles import Profile
    from improto_server.clock import UserKey
    from improto_server.hub import Device
    from improto_server.services.letters import Sent

__all__ = ["Caller", "Function", "Operations", "ServiceError", "StatusAnswer"]


class Caller(NamedTuple):
    """Who asks."""

    app: str
    """The app key."""
    user_id: str
    profile: Profile
    """How this generation of clients wants to be treated."""
    device: Device | None = None
    """The connection that asks; what it has caused itself it need not be told."""

    @property
    def key(self) -> UserKey:
        """What clock and hub know the user by."""
        return self.app, self.user_id


Function: TypeAlias = "Callable[[Caller, str, Any], Coroutine[Any, Any, Message | Sent | None]]"
"""A service function: who asks, the target of the frame, the request."""

Operations: TypeAlias = "Mapping[str, Function]"
"""Topics and what answers them."""
