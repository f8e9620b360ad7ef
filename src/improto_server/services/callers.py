"""Users who ask without a connection of their own: by HTTP, or because the application says so."""

from __future__ import annotations

from typing import Final

from improto.login import Login
from improto.profiles import profile_of
from improto_server.services import Caller

_PROFILE: Final = profile_of(Login(app_key="", token=""))


def caller_of(app: str, user: str) -> Caller:
    """A user whom services treat like one with our own client."""
    return Caller(app, user, _PROFILE)
