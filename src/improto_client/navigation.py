"""Navigation: asking where the server is before connecting to it (http 2).

Sans-IO: this says what to ask, reads answers, and remembers the last good one. Several
navigators are asked in turn; those that the token names come first (http 2.1).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urlencode, urlsplit

from improto.codes import ErrorCode
from improto.login import bare_token
from improto_client.errors import AppKeyRefused, LoginRefused, NavigationFailed, TokenRefused
from improto_client.hosts import Host, read_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TIMEOUT: Final = 10.0
"""Seconds for one navigator, as in the newer SDKs (session 13)."""

LIFETIME: Final = 2 * 3600.0
"""Seconds for which an answer is good (http 2.3)."""

MOST_NAVIGATORS: Final = 16
"""Asked in one attempt, those of the token included. Ours."""

MOST_HOSTS: Final = 32
"""Taken from one answer. Ours."""

LARGEST_REPLY: Final = 256 * 1024
"""Bytes of an answer that are read, as of every HTTP body (Limits.http_body_bytes)."""

Transport: TypeAlias = Literal["websocket", "polling"]
"""How to connect: by a WebSocket, or by long polling where there is none (http 5)."""

_CALLBACK: Final = "getServerEndpoint"
_PATHS: Final[dict[Transport, str]] = {"websocket": "navi.js", "polling": "cometnavi.js"}
_WRONG_ENVIRONMENT: Final = 1


@dataclass(frozen=True, slots=True)
class Navigator:
    """Who is asked: ``http://host:port`` or ``https://...``, perhaps with a path."""

    url: str

    @classmethod
    def read(cls, text: str) -> Navigator:
        """Read an address; without a scheme it is https. ValueError if it is none."""
        url = text.strip() if "://" in text else f"https://{text.strip()}"
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError(f"{text!r} is no navigator: write https://host or http://host:port")
        # Reading it raises ValueError for what is no port.
        _ = parts.port
        return cls(url.rstrip("/"))

    @property
    def is_encrypted(self) -> bool:
        """Whether hosts that it names are encrypted too (http 1.1)."""
        return self.url.startswith("https:")

    def request(
        self,
        *,
        app_key: str,
        token: str,
        sdk_version: str,
        wall_ms: int,
        transport: Transport = "websocket",
    ) -> str:
        """The URL to GET (http 2.1).

        The token goes without the hosts behind its first ``@``, as the newer SDKs send it.
        ``wall_ms`` is the client's time, which is there against caches.
        """
        own, at, _ = token.partition("@")
        query = {
            "appId": app_key,
            "token": own + at,
            "callBack": _CALLBACK,
            "v": sdk_version,
            "r": str(wall_ms),
        }
        return f"{self.url}/{_PATHS[transport]}?{urlencode(query)}"


def navigators(configured: Iterable[str], token: str) -> tuple[Navigator, ...]:
    """Whom to ask, in order, each once: those of the token's ``@host;host`` part, then others.

    What the token has there and is no host is passed over. ValueError for a configured one.
    """
    found: dict[Navigator, None] = {}
    for text in token.partition("@")[2].split(";"):
        try:
            found[Navigator.read(text)] = None
        except ValueError:
            continue
    found |= dict.fromkeys(Navigator.read(text) for text in configured)
    return tuple(found)[:MOST_NAVIGATORS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where to connect to, and what the server says that it can do."""

    hosts: tuple[Host, ...]
    """At least one, the best first."""
    user_id: str = ""
    """Whose token it was, if that was told."""
    fields: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """The whole answer (http 2.3)."""


class _Unusable(Exception):
    """An answer that another navigator may do better than."""


def _members(body: bytes) -> dict[str, Any]:
    text = body.decode("utf-8", "replace")
    begin, end = text.find("{"), text.rfind("}")
    try:
        members = json.loads(text[begin : end + 1])
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise _Unusable("the answer is not what a navigator says")
    return members


def _hosts(members: Mapping[str, Any], *, is_encrypted: bool) -> tuple[Host, ...]:
    listed = (members.get("server"), members.get("backupServer"))
    texts = ",".join(text for text in listed if isinstance(text, str)).split(",")
    found: dict[Host, None] = {}
    for text in texts[:MOST_HOSTS]:
        try:
            found[read_host(text, is_encrypted=is_encrypted)] = None
        except ValueError:
            continue
    return tuple(found)


def _read(navigator: Navigator, status: int, body: bytes) -> Route:
    if status == 401:
        raise _token_refused()
    if status == 403:
        raise _app_key_refused()
    if status != 200:
        raise _Unusable(f"HTTP status {status}")
    members = _members(body)
    code = members.get("code", 200)
    if code == 401:
        raise _token_refused()
    if code == 403:
        raise _app_key_refused()
    if members.get("type") == _WRONG_ENVIRONMENT:
        text = "the navigator is that of another environment"
        raise LoginRefused(ErrorCode.PACKAGE_ENVIRONMENT_ERROR, text)
    hosts = _hosts(members, is_encrypted=navigator.is_encrypted)
    if not hosts:
        raise _Unusable(f"it names no host (code {code!r})")
    return Route(
        hosts=hosts,
        user_id=str(members.get("userId") or ""),
        fields=MappingProxyType(members),
    )


def _token_refused() -> TokenRefused:
    return TokenRefused(
        ErrorCode.RC_CONN_USER_OR_PASSWD_ERROR, "navigation refused the token (401)"
    )


def _app_key_refused() -> AppKeyRefused:
    return AppKeyRefused(ErrorCode.RC_CONN_ID_REJECT, "navigation refused the app key (403)")


class Navigation:
    """One round: each navigator once, until one says where the server is.

    Take :attr:`current`, ask it, and tell what came of it. 401 and 403 end the round, because
    the next navigator would say the same; everything else goes on to the next (http 2.5).
    """

    def __init__(self, asked: tuple[Navigator, ...]) -> None:
        self._left = list(asked)
        self._problems: list[str] = []

    @property
    def current(self) -> Navigator:
        """Whom to ask now."""
        return self._left[0]

    def answered(self, status: int, body: bytes) -> Route | None:
        """An answer; None if the next one is to be asked.

        Raises TokenRefused or AppKeyRefused, LoginRefused if it is of another environment, and
        NavigationFailed if that was the last navigator.
        """
        try:
            return _read(self.current, status, body)
        except _Unusable as problem:
            self.failed(str(problem))
            return None

    def failed(self, problem: str, *, is_late: bool = False) -> None:
        """No answer. Raises NavigationFailed if that was the last navigator."""
        self._problems.append(f"{self._left.pop(0).url}: {problem}")
        if not self._left:
            text = f"no navigator knows the way: {'; '.join(self._problems)}"
            raise NavigationFailed(text, is_late=is_late)


class Routes:
    """Answers of navigators, kept for two hours (http 2.3).

    An answer is found again under the app key, the navigators, the transport and a fingerprint of
    the token, so a new token asks anew. The token itself is not kept. One object may serve many
    clients.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], tuple[float, Route]] = {}

    def find(
        self,
        app_key: str,
        token: str,
        asked: tuple[Navigator, ...],
        *,
        now: float,
        transport: Transport = "websocket",
    ) -> Route | None:
        """What was kept and is not too old; ``now`` in seconds of any clock."""
        key = _key(app_key, token, asked, transport)
        kept_until, route = self._kept.get(key, (now, None))
        if now >= kept_until:
            self._kept.pop(key, None)
            return None
        return route

    def keep(
        self,
        app_key: str,
        token: str,
        asked: tuple[Navigator, ...],
        route: Route,
        *,
        now: float,
        transport: Transport = "websocket",
    ) -> None:
        """Remember an answer; those that are too old are forgotten."""
        self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > now}
        self._kept[_key(app_key, token, asked, transport)] = (now + LIFETIME, route)

    def to_text(self, *, now: float, wall_ms: int) -> str:
        """Everything that is kept, to be written down; ``wall_ms`` is the time of the day."""
        kept = [
            [
                key,
                wall_ms + int((until - now) * 1000),
                route.hosts[0].is_encrypted,
                {**route.fields},
            ]
            for key, (until, route) in self._kept.items()
        ]
        return json.dumps(kept)

    def read(self, text: str, *, now: float, wall_ms: int) -> bool:
        """Take what :meth:`to_text` has given, unless it is too old; False if nothing was taken.

        It may have been damaged or tampered with; what cannot be read is passed over.
        """
        try:
            for key, until_ms, is_encrypted, fields in json.loads(text):
                left = min((until_ms - wall_ms) / 1000, LIFETIME)
                hosts = _hosts(fields, is_encrypted=bool(is_encrypted))
                if left > 0 and hosts:
                    user_id = str(fields.get("userId") or "")
                    route = Route(hosts=hosts, user_id=user_id, fields=MappingProxyType(fields))
                    self._kept[tuple(key)] = (now + left, route)
        except (ValueError, TypeError, AttributeError):
            self._kept.clear()
        return bool(self._kept)

    def forget(self, app_key: str, token: str, asked: tuple[Navigator, ...]) -> None:
        """The answers were of no use, whatever the transport."""
        for transport in _PATHS:
            self._kept.pop(_key(app_key, token, asked, transport), None)


def _key(
    app_key: str, token: str, asked: tuple[Navigator, ...], transport: Transport
) -> tuple[str, ...]:
    fingerprint = hashlib.sha256(bare_token(token).encode()).hexdigest()[:16]
    return (app_key, fingerprint, transport, *(navigator.url for navigator in asked))
