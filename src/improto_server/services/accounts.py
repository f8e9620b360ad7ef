"""Who may connect: tokens that name a user of an app, and what a user id looks like.

A token is a JSON Web Token (RFC 7519) signed with the app's secret by HS256, so an app's own
server can issue tokens with any JWT library and without asking anybody. Its claims:

* ``app``: the app key;
* ``sub``: the user id;
* ``exp``: end of validity, whole seconds since 1970;
* ``iat``: when it was issued, likewise, with a fraction for the milliseconds: tokens from before
  a time can be ended (:mod:`.token_ends`). One without it is from 1970.

A token has no ``@`` in it, so cutting one there, as http 2.1 asks for, does it no harm.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import jwt
import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_BYTES: Final = 32
"""The shortest secret: HS256 wants a key as long as its hash (RFC 7518 section 3.2)."""

TOKEN_CHARACTERS: Final = 1024
"""No longer token is looked at. One with a user id of 64 characters has about 250, and what
comes with a connection is limited to as much (wire 7)."""

_ALGORITHM: Final = "HS256"
USER_ID: Final = r"[A-Za-z0-9_.@:=-]{1,64}"
"""What a user id looks like; :func:`is_user_id` has the last word."""

_USER_ID: Final = re.compile(USER_ID)
_RESERVED: Final = "rongcloudsystem"


def is_user_id(text: str) -> bool:
    """1 to 64 of ``A-Z a-z 0-9 _ . @ : = -``, and not the name that SDKs take orders from.

    Newer SDKs upload their logs when ``rongcloudsystem`` says so (messages 13).
    """
    return _USER_ID.fullmatch(text) is not None and text != _RESERVED


class _Claims(msgspec.Struct):
    app: str
    sub: str
    exp: float
    iat: float = 0.0


_SIGNER: Final = jwt.PyJWS()
_READER: Final = msgspec.json.Decoder(_Claims)


class TokenOutcome(enum.Enum):
    """What :meth:`Accounts.check` found out. The first that applies, in this order."""

    UNKNOWN_APP = "there is no app with this key"
    MALFORMED = "the token cannot be read"
    FORGED = "the signature is wrong"
    FOREIGN_APP = "the token is for another app"
    EXPIRED = "the token's time is over"
    VALID = "the token is good"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCheck:
    """The answer of :meth:`Accounts.check`."""

    outcome: TokenOutcome
    user_id: str | None = None
    """Whose token it is. Only if the outcome is VALID."""
    issued: float = 0.0
    """When it was issued, in seconds since 1970. Only if the outcome is VALID."""


class Accounts:
    """The apps and their secrets.

    ``secrets`` has the secret of each app key; secrets have at least :data:`SECRET_BYTES` bytes,
    else ValueError.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        for app_key, secret in secrets.items():
            if len(secret.encode()) < SECRET_BYTES:
                raise ValueError(
                    f"the secret of app {app_key} must have at least {SECRET_BYTES} bytes"
                )
        self._secrets = dict(secrets)

    def issue(self, app_key: str, user_id: str, *, now: float, lifetime: float) -> str:
        """A token for a user. ``now``: seconds since 1970; ``lifetime``: seconds.

        ValueError if there is no such app, ``user_id`` cannot be one, or the lifetime is not
        above 0.
        """
        secret = self._secrets.get(app_key)
        if secret is None:
            raise ValueError(f"there is no app with the key {app_key!r}")
        if not is_user_id(user_id):
            raise ValueError(
                f"a user id has 1 to 64 characters of A-Z a-z 0-9 _ . @ : = - and is not"
                f" {_RESERVED!r}: {user_id!r}"
            )
        if lifetime <= 0:
            raise ValueError(f"the lifetime of a token must be above 0 s, not {lifetime}")
        claims = {"app": app_key, "sub": user_id, "iat": round(now, 3), "exp": int(now + lifetime)}
        return jwt.encode(claims, secret, algorithm=_ALGORITHM)

    def check(self, app_key: str, token: str, *, now: float) -> TokenCheck:
        """Look at the token of somebody who wants to connect to app ``app_key``."""
        secret = self._secrets.get(app_key)
        if secret is None:
            return TokenCheck(outcome=TokenOutcome.UNKNOWN_APP)
        # A good token is read once; what is wrong with another is found out after.
        claims = _claims(token, secret)
        if claims is None or claims.app != app_key or not is_user_id(claims.sub):
            return TokenCheck(outcome=self._fault(token))
        if claims.exp <= now:
            return TokenCheck(outcome=TokenOutcome.EXPIRED)
        return TokenCheck(outcome=TokenOutcome.VALID, user_id=claims.sub, issued=claims.iat)

    def _fault(self, token: str) -> TokenOutcome:
        """What is wrong with a token that is not signed for the app that it came with."""
        claims = _claims(token)
        if claims is None or not is_user_id(claims.sub):
            return TokenOutcome.MALFORMED
        secret = self._secrets.get(claims.app)
        if secret is None or _claims(token, secret) is None:
            return TokenOutcome.FORGED
        return TokenOutcome.FOREIGN_APP


def _claims(token: str, secret: str | None = None) -> _Claims | None:
    """What a token says; None if it cannot be read, or is not signed with ``secret``.

    Without a secret: whether it is true or not.
    """
    if len(token) > TOKEN_CHARACTERS or not token.isascii():
        return None
    try:
        if secret is None:
            read = _SIGNER.decode_complete(token, options={"verify_signature": False})
        else:
            read = _SIGNER.decode_complete(token, secret, algorithms=[_ALGORITHM])
        return _READER.decode(read["payload"])
    # Whoever is not logged in yet decides how deeply a token is nested.
    except (jwt.PyJWTError, msgspec.MsgspecError, RecursionError):
        return None
