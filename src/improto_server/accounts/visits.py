"""Who calls: sessions, where calls come from, and how they are answered.

A session is a random text that the client has, in a cookie that no script can read or, if it
asks for it, to be sent as ``Authorization: Bearer``. The store has its hash. Whoever logs in gets
a new one, whatever he had before.

A page of somebody else can make a browser send our cookie. So a call that changes something must
say that it comes from a page of ours (``Origin``), or have a header that pages of others cannot
send (``X-Improto``, or ``Authorization``, with which no cookie is looked at).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from improto_server.accounts.refusals import RefusedError
from improto_server.services.callers import caller_of
from improto_server.store import app_accounts as table
from improto_server.web.callers import address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from improto_server.accounts.records import Records
    from improto_server.services import Caller
    from improto_server.store.app_accounts import Account

COOKIE: Final = "improto_session"

MOST_SESSIONS: Final = 50
"""Of one account; above it the oldest ends."""

_SESSION_BYTES: Final = 32
_SESSION_CHARACTERS: Final = 128
_BEARER: Final = "Bearer "
_DAY: Final = 24 * 60 * 60


class Reply(NamedTuple):
    """The answer to a call."""

    content: Mapping[str, Any]
    cookie: str | None = None
    """What the cookie is from now on; empty: it is gone; None: it stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A call, and who makes it."""

    request: Request
    app: str
    address: str
    """The machine that calls."""
    time: int
    """When it was asked who calls, in milliseconds since 1970: before his session was looked at."""
    session: bytes = b""
    """The hash of the session that it has; empty: none that is good."""
    account: Account | None = field(default=None)

    @property
    def owner(self) -> Account:
        """Who is logged in. RefusedError: nobody is."""
        if self.account is None:
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "login_needed", "nobody is logged in")
        return self.account

    @property
    def registered(self) -> Account:
        """Who is logged in, and no guest. RefusedError: nobody, or a guest."""
        if self.owner.is_guest:
            raise RefusedError(HTTPStatus.FORBIDDEN, "guest", "guests cannot do that")
        return self.owner

    @property
    def caller(self) -> Caller:
        """Who is logged in, as services know him."""
        return caller_of(self.app, self.owner.user_id)


class Sessions:
    """``now``: milliseconds since 1970; ``random`` gives that many random bytes."""

    def __init__(
        self,
        records: Records,
        *,
        app: str,
        days: int,
        proxies: int,
        now: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        self._records = records
        self._app = app
        self._proxies = proxies
        self._now = now
        self._random = random
        self.seconds: Final = days * _DAY
        """How long a session lasts."""

    async def look(self, request: Request) -> Visit:
        """Who calls. RefusedError: the header names a session that is not good."""
        caller = address(request, proxies=self._proxies)
        visit = Visit(request=request, app=self._app, address=caller, time=self._now())
        header = request.headers.get("authorization")
        text = request.cookies.get(COOKIE, "") if header is None else _bearer(header)
        if not text:
            return visit
        session = _hash(text)
        query = partial(table.by_session, app=self._app, hash=session, now=visit.time)
        account = await self._records.read(query)
        if account is None:
            if header is not None:
                raise bad_session()
            return visit
        return replace(visit, session=session, account=account)

    async def enter(
        self, visit: Visit, account: Account, *, is_bearer: bool, **content: Any
    ) -> Reply:
        """Log somebody in, and out of the session that he had before.

        RefusedError: his account has changed in between.
        """
        text = urlsafe_b64encode(self._random(_SESSION_BYTES)).decode().rstrip("=")
        opened = await self._records.write(
            partial(
                table.open_session,
                account=account,
                hash=_hash(text),
                until=self._now() + self.seconds * 1000,
                most=MOST_SESSIONS,
                instead_of=visit.session,
            )
        )
        if not opened:
            raise bad_session()
        content = {"user": account.user_id, **content}
        return Reply({**content, "session": text}) if is_bearer else Reply(content, text)


def check_origin(request: Request, base_url: str) -> None:
    """RefusedError: the call changes something and may be a page's of somebody else."""
    headers = request.headers
    if request.method in ("GET", "HEAD") or "authorization" in headers or "x-improto" in headers:
        return
    ours = {urlsplit(base_url).netloc.lower(), headers.get("host", "").lower()} - {""}
    # Not parsed: whoever calls may say anything.
    _, _, origin = headers.get("origin", "").lower().partition("://")
    if origin not in ours:
        raise RefusedError(
            HTTPStatus.FORBIDDEN,
            "foreign",
            "the call must have an Origin of this server, or the header X-Improto",
        )


def _bearer(header: str) -> str:
    text = header.removeprefix(_BEARER)
    if text == header or not text:
        raise bad_session()
    return text


def _hash(text: str) -> bytes:
    return sha256(text[:_SESSION_CHARACTERS].encode()).digest()


def bad_session() -> RefusedError:
    """What to raise when a session is not good, or not any more."""
    return RefusedError(HTTPStatus.UNAUTHORIZED, "login_needed", "the session is not good")
