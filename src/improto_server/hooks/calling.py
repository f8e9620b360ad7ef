"""One request to the application: how it is signed, and what of the answer is read (rest 10)."""

from __future__ import annotations

import hashlib
import logging
import secrets
import ssl
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

import anyio
import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER_BYTES: Final = 1024 * 1024
"""Of an answer; what is longer is as good as none."""

_FORM: Final = "application/x-www-form-urlencoded"

_CONNECTIONS: Final = httpx.Limits(max_connections=200, max_keepalive_connections=50)


class CallFailed(Exception):
    """There was no answer; the text says why, and has nothing of the URL's query in it."""


class Answer(NamedTuple):
    """What the application says."""

    status: int
    body: bytes


class Caller:
    """Calls one app's URLs. ``wall_clock``: milliseconds since 1970."""

    def __init__(
        self, client: httpx.AsyncClient, *, app: str, secret: str, wall_clock: Callable[[], int]
    ) -> None:
        self._client = client
        self._app = app
        self._secret = secret
        self._wall_clock = wall_clock

    async def form(self, url: str, fields: dict[str, str], *, seconds: float) -> Answer:
        """POST a form. Raises CallFailed, after ``seconds`` at the latest."""
        return await self._post(url, urlencode(fields).encode(), _FORM, seconds)

    async def json(self, url: str, body: bytes, *, seconds: float) -> Answer:
        """The same with JSON."""
        return await self._post(url, body, "application/json", seconds)

    def signed(self, url: str) -> str:
        """The URL with a signature behind what it has."""
        nonce, time = secrets.token_hex(8), str(self._wall_clock())
        digest = hashlib.sha1(f"{self._secret}{nonce}{time}".encode()).hexdigest()
        # Programs are written for either name of the time (rest 10).
        query = urlencode(
            {
                "appKey": self._app,
                "nonce": nonce,
                "timestamp": time,
                "signTimestamp": time,
                "signature": digest,
            }
        )
        return f"{url}{'&' if '?' in url else '?'}{query}"

    async def _post(self, url: str, body: bytes, kind: str, seconds: float) -> Answer:
        headers = {"Content-Type": kind, "Accept-Encoding": "identity"}
        try:
            with anyio.fail_after(seconds):
                async with self._client.stream(
                    "POST", self.signed(url), content=body, headers=headers
                ) as response:
                    return Answer(response.status_code, await _body(response))
        except TimeoutError:
            raise CallFailed(f"no answer within {seconds:.0f} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, OverflowError) as error:
            raise CallFailed(type(error).__name__) from error


def client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """What all calls are made with. ``transport``: instead of the network."""
    # It would log each URL with its signature.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return httpx.AsyncClient(
        transport=transport,
        verify=ssl.create_default_context(),
        trust_env=False,
        follow_redirects=False,
        timeout=None,
        limits=_CONNECTIONS,
    )


async def _body(response: httpx.Response) -> bytes:
    """All of it. What is too much is read and dropped: httpx cannot be left in the middle."""
    body = bytearray()
    async for piece in response.aiter_raw():
        if len(body) <= ANSWER_BYTES:
            body += piece
    if len(body) > ANSWER_BYTES:
        raise CallFailed(f"the answer is longer than {ANSWER_BYTES} bytes")
    return bytes(body)
