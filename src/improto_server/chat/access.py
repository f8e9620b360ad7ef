"""Where the server is and who we are, as every command of a user is told it, checked."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from improto_server.chat.printable import is_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from improto_client import Im

DEFAULT_SERVER: Final = "http://127.0.0.1:8080"

MOST_NAVIGATORS: Final = 10
"""Addresses of navigators. Ours; two are usual."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class WrongUser(Exception):
    """The token belongs to somebody else; the text is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """:meth:`parse` makes one; :meth:`connect` uses it."""

    host: str = ""
    """Where the gateway is; empty if navigators are asked."""
    port: int = 0
    is_encrypted: bool = False
    navigators: tuple[str, ...] = ()
    app_key: str
    token: str = field(repr=False)
    user: str | None = None
    """Whose token it should be; None: the server tells."""
    state: Path | None = None
    """The file of the client's local store; None: it forgets."""

    @classmethod
    def parse(
        cls,
        *,
        server: str | None = None,
        navigators: Sequence[str] = (),
        app_key: str,
        token: str,
        user: str | None = None,
        state: Path | None = None,
    ) -> Access:
        """Read what a person wrote; ``server`` is ``http://HOST[:PORT]``, or https.

        Without a server and navigators it is :data:`DEFAULT_SERVER`. Raises ValueError with one
        sentence about what is wrong.
        """
        # Only who connects needs it, and its libraries take their time.
        from improto_client.navigation import Navigator

        if server is not None and navigators:
            raise ValueError("say where to connect to: either --server or --navi")
        if len(navigators) > MOST_NAVIGATORS:
            raise ValueError(f"there are more than {MOST_NAVIGATORS} navigators")
        texts = {"the app key": app_key.strip(), "the token": token.strip()}
        for name, text in texts.items():
            if not text:
                raise ValueError(f"{name} is empty")
        if user is not None and not is_name(user):
            raise ValueError(f"your user: {user!r} cannot be a user id")
        host, port, is_encrypted = "", 0, False
        if not navigators:
            host, port, is_encrypted = _address(DEFAULT_SERVER if server is None else server)
        return cls(
            host=host,
            port=port,
            is_encrypted=is_encrypted,
            navigators=tuple(Navigator.read(each).url for each in navigators),
            app_key=texts["the app key"],
            token=texts["the token"],
            user=user,
            state=state,
        )

    @property
    def address(self) -> str:
        """Host and port, or the first navigator; for people."""
        if self.navigators:
            return urlsplit(self.navigators[0]).netloc
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Im]:
        """Log in, and stay connected.

        Raises WrongUser, and what :func:`improto_client.connect` does.
        """
        import ssl

        import improto_client

        where: dict[str, Any] = {"navigators": self.navigators}
        if not self.navigators:
            tls = ssl.create_default_context() if self.is_encrypted else None
            where = {"host": self.host, "port": self.port, "ssl": tls}
        async with improto_client.connect(
            **where, app_key=self.app_key, token=self.token, store=self.state
        ) as im:
            if self.user not in (None, im.user_id):
                raise WrongUser(f"the token is that of {im.user_id}, not of {self.user}")
            yield im


def _address(server: str) -> tuple[str, int, bool]:
    try:
        url = urlsplit(server.strip())
        host, port = url.hostname or "", url.port
        # What a name resolver would find wrong with it, before there is one.
        host.encode("idna")
    except ValueError as error:
        raise ValueError(f"the server {server!r} is no URL: {error}") from error
    extras = url.path.strip("/") or url.query or url.fragment or url.username
    if url.scheme not in _DEFAULT_PORTS or not host or extras or port == 0:
        raise ValueError(f"the server must be like {DEFAULT_SERVER}, not {server!r}")
    return host, port or _DEFAULT_PORTS[url.scheme], url.scheme == "https"
