"""Who may call: the application, by a signature over what its secret is (rest 2).

The signature does not cover the body, and one of the SDKs signs once and repeats that for as long
as it runs. So by default neither the time of a signature nor its repetition matters. Whoever has
only SDKs that sign every call can have both looked at.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha1
from typing import TYPE_CHECKING, Final

from improto_server.api.replies import Code, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER_CHARACTERS: Final = 256
"""The longest of the four headers. Ours."""

_PREFIX: Final = "RC-"
"""The other spelling of the headers, for platforms that filter unknown ones (rest 2)."""

_MILLISECONDS: Final = 100_000_000_000
"""Times from here on are in milliseconds: in seconds, it would be the year 5138."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRules:
    """What the operator decides about signatures."""

    clock_seconds: int = 0
    """How far the time of a signature may be from the server's; 0: as far as it likes."""
    allows_repeats: bool = True
    """Whether a signature is good for more than one call. If not, ``clock_seconds`` is above 0."""
    blocked_apps: frozenset[str] = frozenset()
    """App keys of which nobody may call."""


class Signing:
    """Checks the headers of a call. ``secrets``: of each app, by its key."""

    def __init__(self, secrets: Mapping[str, str], rules: SigningRules) -> None:
        self._secrets = secrets
        self._rules = rules
        self._used: OrderedDict[str, float] = OrderedDict()
        """Signatures that were used, and when; the longest ago first."""

    def check(self, headers: Mapping[str, str], *, now: float) -> str:
        """The app key of whoever calls. ``now``: seconds since 1970.

        ``headers`` is asked in any letter case. UNKNOWN_APP; BAD_SIGNATURE; or BLOCKED_APP for
        those who have the secret.
        """
        app, nonce, timestamp, signature = (
            _header(headers, name) for name in ("App-Key", "Nonce", "Timestamp", "Signature")
        )
        secret = self._secrets.get(app)
        if secret is None:
            raise RefusedError(Code.UNKNOWN_APP, "there is no app with this key")
        expected = sha1(f"{secret}{nonce}{timestamp}".encode()).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise RefusedError(Code.BAD_SIGNATURE, "the signature is wrong")
        if self._rules.clock_seconds:
            self._check_time(timestamp, signature, now)
        if app in self._rules.blocked_apps:
            raise RefusedError(Code.BLOCKED_APP, "the app is blocked")
        return app

    def _check_time(self, timestamp: str, signature: str, now: float) -> None:
        window = self._rules.clock_seconds
        if not timestamp.isascii() or not timestamp.isdigit():
            raise RefusedError(Code.BAD_SIGNATURE, "the timestamp is no number")
        time = int(timestamp)
        if abs(now - (time / 1000 if time >= _MILLISECONDS else time)) > window:
            raise RefusedError(Code.BAD_SIGNATURE, f"the timestamp is more than {window} s off")
        if self._rules.allows_repeats:
            return
        while self._used and next(iter(self._used.values())) < now - 2 * window:
            self._used.popitem(last=False)
        if signature in self._used:
            raise RefusedError(Code.BAD_SIGNATURE, "the signature was used before")
        self._used[signature] = now


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name) or headers.get(_PREFIX + name)
    if not value:
        raise RefusedError(Code.BAD_SIGNATURE, f"the header {name} is missing")
    if len(value) > HEADER_CHARACTERS:
        raise RefusedError(Code.BAD_SIGNATURE, f"the header {name} is too long")
    return value
