"""Two users who are there without a password, for a demonstration on one's own machine.

``accounts.fixed_users`` is off unless somebody wants it, and the settings refuse it where others
could reach the server. Two tabs of one browser are two users, so they get no cookie, which tabs
share: each keeps a session of its own for the header ``Authorization``.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from improto_server.accounts.refusals import RefusedError
from improto_server.accounts.settings import FIXED_USERS
from improto_server.addresses import is_loopback
from improto_server.store import app_accounts as table

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from improto_server.accounts.house import House
    from improto_server.accounts.visits import Reply, Visit
    from improto_server.store.app_accounts import Account


class Enter(Struct, forbid_unknown_fields=True, kw_only=True):
    """As whom."""

    user: Annotated[str, Meta(min_length=1, max_length=64)]


class FixedCalls:
    """The call."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def enter(self, visit: Visit, body: Enter) -> Reply:
        """Be one of them. RefusedError: there are none, or he is none."""
        house, settings = self._house, self._house.settings
        # A name of somebody else's that leads to this machine is not enough: his page could call.
        host = visit.request.url.hostname or ""
        if not settings.fixed_users or not (settings.fixed_users_anywhere or is_loopback(host)):
            raise RefusedError(
                HTTPStatus.FORBIDDEN, "closed", "there are no fixed users, or not by this address"
            )
        if body.user not in FIXED_USERS.values():
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, "invalid", "user is no fixed user", field="user"
            )
        account = await house.records.write(partial(self._ensure, user=body.user))
        return await house.sessions.enter(visit, account, is_bearer=True)

    def _ensure(self, connection: Connection, *, user: str) -> Account:
        app = self._house.app
        account = table.account(connection, app=app, user=user)
        if account is None:
            table.open_account(connection, app=app, user=user, name=user, now=self._house.now())
            account = table.account(connection, app=app, user=user)
        assert account is not None
        return account
