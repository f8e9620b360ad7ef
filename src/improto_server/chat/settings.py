"""What `improto chat` was told on its command line, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from improto_server.chat.printable import is_name

if TYPE_CHECKING:
    from pathlib import Path

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """Where to connect, as whom, and whom to talk to. :meth:`parse` makes one."""

    host: str
    port: int
    is_encrypted: bool
    app_key: str
    token: str = field(repr=False)
    peer: str | None = None
    """Whom to talk to at first; None: nobody yet."""
    user: str | None = None
    """Whose token it should be; None: the server tells."""
    state: Path | None = None
    """Where the session is kept between two runs; None: nowhere."""

    @classmethod
    def parse(
        cls,
        *,
        server: str,
        app_key: str,
        token: str,
        peer: str | None = None,
        user: str | None = None,
        state: Path | None = None,
    ) -> ChatSettings:
        """Read what a person wrote; ``server`` is ``http://HOST[:PORT]``, or https.

        Raises ValueError with one sentence about what is wrong.
        """
        host, port, is_encrypted = _address(server)
        texts = {"the app key": app_key.strip(), "the token": token.strip()}
        for name, text in texts.items():
            if not text:
                raise ValueError(f"{name} is empty")
        for name, given in {"the user to talk to": peer, "your user": user}.items():
            if given is not None and not is_name(given):
                raise ValueError(f"{name}: {given!r} cannot be a user id")
        return cls(
            host=host,
            port=port,
            is_encrypted=is_encrypted,
            app_key=texts["the app key"],
            token=texts["the token"],
            peer=peer,
            user=user,
            state=state,
        )

    @property
    def address(self) -> str:
        """Host and port, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


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
        raise ValueError(f"the server must be like http://127.0.0.1:8080, not {server!r}")
    return host, port or _DEFAULT_PORTS[url.scheme], url.scheme == "https"
