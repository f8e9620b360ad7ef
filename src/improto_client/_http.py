"""The few HTTP requests that come before a connection: navigators and probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import anyio
import httpx

from improto_client.navigation import LARGEST_REPLY

if TYPE_CHECKING:
    from ssl import SSLContext


PLAIN: Final = {"accept-encoding": "identity"}
"""Nothing packed: a few bytes of that can become very many."""


class FetchFailed(Exception):
    """There was no answer; the text says why."""

    def __init__(self, text: str, *, is_late: bool = False) -> None:
        super().__init__(text)
        self.is_late = is_late
        """It did not come in time."""


class Fetch(Protocol):
    """Something that GETs a URL."""

    async def __call__(self, url: str, *, timeout: float) -> tuple[int, bytes]:  # noqa: ASYNC109
        """Status and body of the answer, whatever it is, within ``timeout`` seconds.

        Raises FetchFailed if there is none, or if it is too long.
        """


class Http:
    """A :class:`Fetch` over the network. ``tls`` is for https.

    It knows no proxies, because the connection that comes afterwards knows none either.
    """

    def __init__(self, tls: SSLContext) -> None:
        self._tls = tls

    async def __call__(self, url: str, *, timeout: float) -> tuple[int, bytes]:  # noqa: ASYNC109
        """GET it. ``timeout`` is for everything together, and so not httpx's."""
        verify = self._tls if url.startswith("https:") else False
        with anyio.move_on_after(timeout):
            try:
                async with (
                    httpx.AsyncClient(verify=verify, trust_env=False, timeout=None) as client,
                    client.stream("GET", url, headers=PLAIN) as response,
                ):
                    return response.status_code, await _body(response)
            except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
                # The last is what the system's names say to a label above 63 characters.
                raise FetchFailed(words(error)) from error
        raise FetchFailed(f"no answer within {timeout:g} s", is_late=True)


def words(error: BaseException) -> str:
    """What went wrong; the layers on the way to here often say nothing."""
    while not str(error) and (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__


async def _body(response: httpx.Response) -> bytes:
    """All of it. One that is too long is read and dropped: httpx cannot be left in the middle."""
    body = bytearray()
    async for piece in response.aiter_raw():
        if len(body) <= LARGEST_REPLY:
            body += piece
    if len(body) > LARGEST_REPLY:
        raise FetchFailed(f"the answer has more than {LARGEST_REPLY} bytes")
    return bytes(body)
