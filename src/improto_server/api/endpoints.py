"""What an endpoint is: a row of the table that everything else is made of."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from improto_server.api import bodies

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from improto_server.api.bodies import Fields
    from improto_server.api.parameters import Parameter

T = TypeVar("T")

Reply: TypeAlias = "Mapping[str, Any] | None"
"""What a call is answered besides its code; None for nothing."""


class Mark(enum.Enum):
    """The part of the API that an endpoint belongs to (rest 6 to 9)."""

    CORE = "core"
    GROUP = "group"
    CHATROOM = "chatroom"
    MODERATION = "moderation"
    SETTINGS = "settings"
    OPTIONAL = "optional"


class Call:
    """A call that was let in: who calls, and what was given, by parameter."""

    def __init__(self, app: str, values: Mapping[Parameter[Any], Any]) -> None:
        self.app = app
        """The app key."""
        self._values = values

    def __getitem__(self, parameter: Parameter[T]) -> T:
        return cast("T", self._values[parameter])

    def get(self, parameter: Parameter[T], default: T) -> T:
        """The same for a parameter that not all calls have that end here."""
        return cast("T", self._values.get(parameter, default))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One of them; all are called by POST."""

    path: str
    """Without the ``.json`` at its end."""
    mark: Mark
    about: str
    """What it does, in one sentence."""
    parameters: tuple[Parameter[Any], ...]
    call: Callable[[Call], Coroutine[Any, Any, Reply]]
    """A function for :mod:`improto_server.steps`. Raises RefusedError and ServiceError."""
    reply: str = ""
    """What is answered besides ``code``, in words."""
    is_json: bool = False
    """The body is JSON and no form."""

    @property
    def url(self) -> str:
        """The path as it is called."""
        return f"{self.path}.json"

    def read(self, app: str, body: bytes) -> Call:
        """The call that an app makes. RefusedError: a parameter is wrong."""
        fields: Fields = bodies.json(body) if self.is_json else bodies.form(body)
        return Call(app, {each: each.read(fields) for each in self.parameters})
