"""The application server put together, and how its calls are answered."""

from __future__ import annotations

import logging
import os
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from improto_server.accounts.bodies import read_json, read_query
from improto_server.accounts.calls import PREFIX, all_calls
from improto_server.accounts.closing import Closing
from improto_server.accounts.entry import EntryCalls
from improto_server.accounts.fixed import FixedCalls
from improto_server.accounts.friends import FriendCalls
from improto_server.accounts.groups import GroupCalls
from improto_server.accounts.guesses import Guesses
from improto_server.accounts.house import House
from improto_server.accounts.mail import Directory, Outbox, Smtp
from improto_server.accounts.passwords import Passwords
from improto_server.accounts.people import PORTRAITS, PeopleCalls
from improto_server.accounts.portraits import Portraits
from improto_server.accounts.records import Records
from improto_server.accounts.refusals import RefusedError, refused_by
from improto_server.accounts.signatures import Signatures
from improto_server.accounts.visits import COOKIE, Sessions, check_origin
from improto_server.addresses import EVERYWHERE
from improto_server.errors import ServiceError
from improto_server.places import portraits_directory
from improto_server.store.app_accounts import set_name
from improto_server.store.users import profile

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path
    from typing import Any

    from sqlalchemy import Connection
    from starlette.requests import Request

    from improto_server.accounts.calls import Call
    from improto_server.accounts.visits import Reply
    from improto_server.clock import UserKey
    from improto_server.config import Settings
    from improto_server.services.accounts import Accounts
    from improto_server.system import System

_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_logger = logging.getLogger(__name__)


class AccountServer:
    """The part of the web port. To be made inside the event loop.

    ``base_url``: where the web port is found, as clients see it; ``gateway``: ``host:port`` of the
    gateway, likewise. ``beside``: the database; portraits and mails go beside it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        system: System,
        accounts: Accounts,
        base_url: Callable[[], str],
        gateway: Callable[[], str],
        beside: Path,
        now: Callable[[], int],
        monotonic: Callable[[], float],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        own = settings.accounts
        app = own.app or settings.apps[0].key
        (secret,) = (each.secret for each in settings.apps if each.key == app)
        records = Records(system.data)
        mails = beside.parent / (own.mail_directory or f"{beside.name}-mails")
        self.mail_directory = None if own.smtp_host else mails
        """Where mails land; None: they are sent."""
        sender = Smtp(own) if own.smtp_host else Directory(mails, sender=own.mail_from)
        self.house = house = House(
            app=app,
            settings=own,
            system=system,
            records=records,
            sessions=Sessions(
                records,
                app=app,
                days=own.session_days,
                proxies=own.proxies,
                now=now,
                random=random,
            ),
            passwords=Passwords(),
            guesses=Guesses(monotonic),
            signatures=Signatures(secret),
            outbox=Outbox(records, sender, now=now),
            accounts=accounts,
            navigation=partial(_navigation, base_url, gateway),
            now=now,
            monotonic=monotonic,
            random=random,
            base_url=base_url,
        )
        self.portraits = Portraits(portraits_directory(beside), app=app, random=random)
        self._people = PeopleCalls(house, self.portraits)
        self.closing = Closing(house, self.portraits)
        calls = all_calls(
            EntryCalls(house),
            FixedCalls(house),
            self._people,
            FriendCalls(system.friends),
            GroupCalls(house),
            self.closing,
        )
        self._calls = {(call.method, PREFIX + call.path): call for call in calls}
        self._methods = sorted({call.method for call in calls})
        system.user_profiles.on_change.append(self._renamed)

    def routes(self) -> list[Route]:
        """One for everything that is called like a call; what is none is refused in our way."""
        return [
            Route(PORTRAITS + "/{name}", self._people.download, methods=["GET"]),
            Route(PREFIX + "/{path:path}", self.answer, methods=self._methods),
        ]

    def chores(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run beside it."""
        return [self.house.outbox.deliver_regularly, self.closing.tidy_regularly]

    async def answer(self, request: Request) -> Response:
        """Answer a call."""
        try:
            return self._response(request, await self._replied(request))
        except RefusedError as error:
            refusal = error
        except ServiceError as error:
            refusal = refused_by(error)
        except ClientDisconnect:
            # Nobody is there to read it.
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        except Exception:
            _logger.exception("%s could not be answered", request.url.path)
            refusal = RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "internal error")
        headers = {"Retry-After": str(refusal.wait)} if refusal.wait else {}
        return Response(
            msgspec.json.encode(refusal.content),
            status_code=refusal.status,
            media_type="application/json",
            headers=_HEADERS | headers,
        )

    async def _replied(self, request: Request) -> Reply:
        call = self._call(request)
        check_origin(request, self.house.base_url())
        visit = await self.house.sessions.look(request)
        if call.method != "GET" and visit.account is not None:
            self.house.check_changes(visit.account)
        if call.kind is None:
            return await call.handler(visit, request)
        if call.method == "GET":
            return await call.handler(visit, read_query(request, call.kind))
        return await call.handler(visit, await read_json(request, call.kind))

    def _call(self, request: Request) -> Call:
        method = "GET" if request.method == "HEAD" else request.method
        call = self._calls.get((method, request.url.path))
        if call is not None:
            return call
        if any(path == request.url.path for _, path in self._calls):
            status, code = HTTPStatus.METHOD_NOT_ALLOWED, "wrong_method"
        else:
            status, code = HTTPStatus.NOT_FOUND, "not_found"
        raise RefusedError(status, code, f"there is no {method} {request.url.path[:200]}")

    def _response(self, request: Request, reply: Reply) -> Response:
        response = Response(
            msgspec.json.encode(reply.content), media_type="application/json", headers=_HEADERS
        )
        if reply.cookie is not None:
            is_encrypted = request.url.scheme == "https"
            response.set_cookie(
                COOKIE,
                reply.cookie,
                max_age=self.house.sessions.seconds if reply.cookie else 0,
                httponly=True,
                samesite="lax",
                secure=is_encrypted or self.house.base_url().startswith("https:"),
            )
        return response

    def _renamed(self, key: UserKey) -> None:
        """A profile has changed, and the name by which its owner is found perhaps with it."""
        app, user = key
        if app == self.house.app:
            change = partial(_take_name, app=app, user=user)
            self.house.system.data.write(change)


def _take_name(connection: Connection, *, app: str, user: str) -> None:
    known = profile(connection, app=app, user=user)
    if known is not None:
        set_name(connection, app=app, user=user, name=known.name)


def _navigation(base_url: Callable[[], str], gateway: Callable[[], str], host: str) -> str:
    """The URL for SDKs: encrypted where the page is, since browsers want it so."""
    scheme = "https" if base_url().startswith("https:") else "http"
    own, _, port = gateway().rpartition(":")
    if own.strip("[]") in EVERYWHERE:
        own = f"[{host}]" if ":" in host else host
    return f"{scheme}://{own}:{port}"
