"""Where requests come from, and what they bring to be let in."""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

_BEARER: Final = "Bearer "
_SIGNS_OF_A_PROXY: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def is_local(request: HTTPConnection) -> bool:
    """Whether a program on this machine asks, and not a proxy for somebody else."""
    if request.client is None or any(name in request.headers for name in _SIGNS_OF_A_PROXY):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        # Not by the Internet protocol; who it is, only the host of the application knows.
        return False


def address(request: HTTPConnection, *, proxies: int) -> str:
    """The machine that asks; empty if that is not known.

    Behind ``proxies`` of ours, who has called the outermost one: each adds whom it sees.
    """
    # A proxy may add to the header that came, or add another one.
    said = ",".join(request.headers.getlist("x-forwarded-for"))
    seen = said.split(",") if said else []
    own = request.client.host if request.client is not None else ""
    return seen[-proxies].strip()[:64] if len(seen) >= proxies > 0 else own


def has_token(request: HTTPConnection, token: str) -> bool:
    """Whether ``Authorization: Bearer`` has the token; how long it takes does not tell."""
    given = request.headers.get("authorization", "").encode()
    return hmac.compare_digest(given, (_BEARER + token).encode())
