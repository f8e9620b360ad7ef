"""What the application server signs: links in mails, and what guests come back with.

JSON Web Tokens by HS256, with a key for each purpose that is derived from the app's secret. So a
link is never taken for a guest's token, nor either for one of the message server.
"""

from __future__ import annotations

import enum
import hmac
from http import HTTPStatus
from typing import Final

import jwt
import msgspec

from improto_server.accounts.refusals import RefusedError

_ALGORITHM: Final = "HS256"


class Purpose(enum.Enum):
    """What a signature is good for."""

    CONFIRM = "confirm"
    """To confirm an address: of a new account, or another one of an account."""
    RESET = "reset"
    """To set a password without knowing it."""
    GUEST = "guest"
    """To come back as a guest."""


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed."""

    sub: str
    """A user id, or the key of what is pending."""
    epoch: int = 0
    """The account's when it was signed."""
    exp: int
    """End of validity, whole seconds since 1970."""


_READER: Final = msgspec.json.Decoder(Claims)
_SIGNER: Final = jwt.PyJWS()


class Signatures:
    """``secret``: the app's."""

    def __init__(self, secret: str) -> None:
        self._keys = {
            purpose: hmac.digest(secret.encode(), f"accounts {purpose.value}".encode(), "sha256")
            for purpose in Purpose
        }

    def sign(self, purpose: Purpose, claims: Claims) -> str:
        """A text that nobody else can make."""
        return _SIGNER.encode(msgspec.json.encode(claims), self._keys[purpose], _ALGORITHM)

    def read(self, purpose: Purpose, text: str, *, now: float) -> Claims:
        """What :meth:`sign` made. RefusedError: somebody else did, or its time is over."""
        try:
            claims = _READER.decode(
                _SIGNER.decode(text, self._keys[purpose], algorithms=[_ALGORITHM])
            )
        except (jwt.PyJWTError, msgspec.MsgspecError, RecursionError, ValueError):
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED,
                "forged",
                "this server has not signed that",
                field="token",
            ) from None
        if claims.exp <= now:
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED, "expired", "the token's time is over", field="token"
            )
        return claims
