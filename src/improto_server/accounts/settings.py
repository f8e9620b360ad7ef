"""The settings of the application server; :mod:`improto_server.config` reads them."""

from __future__ import annotations

import enum
from typing import Annotated, Final

from msgspec import Meta, Struct

_MIB: Final = 1024 * 1024
_Text = Annotated[str, Meta(description="any text")]

FIXED_USERS: Final = {"/": "root", "/test.html": "test"}
"""Who is there without a password if ``accounts.fixed_users`` is on, by the path of his page."""


class SmtpSecurity(enum.Enum):
    """How the connection to the mail server is encrypted."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


_OfferedRooms = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^[^\s:]{1,64}(:.{1,64})?\Z")], ...],
    Meta(max_length=100, description="a list of ID or ID:NAME, at most 100, or nothing"),
]


class AccountSettings(Struct, frozen=True, kw_only=True):
    """The application server: who may register, and how mails are sent."""

    enabled: bool = False
    app: Annotated[
        str,
        Meta(pattern=r"^([A-Za-z0-9_-]{1,64})?\Z", description="the key of an app, or nothing"),
    ] = ""
    registration: bool = True
    guests: bool = True
    guest_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    session_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    token_hours: Annotated[int, Meta(ge=1, le=8760)] = 24
    entries: Annotated[int, Meta(ge=0, le=100_000)] = 60
    proxies: Annotated[int, Meta(ge=0, le=10)] = 0
    portrait_bytes: Annotated[int, Meta(ge=1024, le=10 * _MIB)] = _MIB
    page: Annotated[
        str, Meta(pattern=r"^/[^\s#]{0,200}\Z", description="a path that begins with a slash")
    ] = "/"
    rooms: _OfferedRooms = ()
    fixed_users: bool = False
    fixed_users_anywhere: bool = False
    mail_from: Annotated[
        str, Meta(pattern=r"^[^\s@]{1,64}@[^\s@]{1,190}\Z", description="an e-mail address")
    ] = "improto@localhost"
    mail_directory: _Text = ""
    smtp_host: Annotated[
        str, Meta(pattern=r"^\S{0,255}\Z", description="a name or an IP address, or nothing")
    ] = ""
    smtp_port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    smtp_security: SmtpSecurity = SmtpSecurity.STARTTLS
    smtp_user: _Text = ""
    smtp_password: _Text = ""

    def __repr__(self) -> str:
        """Without the password, because settings get logged."""
        return f"AccountSettings(enabled={self.enabled!r})"
