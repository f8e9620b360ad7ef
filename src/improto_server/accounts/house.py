"""What all calls of the application server share."""

from __future__ import annotations

import logging
from base64 import b32encode
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from improto_server.accounts.guesses import site
from improto_server.accounts.refusals import RefusedError
from improto_server.accounts.signatures import Claims
from improto_server.rate import Shares
from improto_server.store import mails
from improto_server.store.users import profile
from improto_server.waiting import finished

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from improto_server.accounts.guesses import Guesses
    from improto_server.accounts.mail import Outbox
    from improto_server.accounts.passwords import Passwords
    from improto_server.accounts.records import Records
    from improto_server.accounts.settings import AccountSettings
    from improto_server.accounts.signatures import Purpose, Signatures
    from improto_server.accounts.visits import Sessions, Visit
    from improto_server.services.accounts import Accounts
    from improto_server.store.app_accounts import Account
    from improto_server.store.mails import Mail
    from improto_server.system import System

HOUR: Final = 60 * 60
"""Seconds."""

CONFIRM_HOURS: Final = 24
RESET_HOURS: Final = 2
"""How long links in mails are good."""

MAILS_TO_ONE: Final = 5
"""Mails that one address gets in an hour, whoever asks for them; it is not told."""

MOST_CHANGES: Final = 1200
"""Calls of one account in an hour that change something. Ours: nobody clicks so often."""

MOST_MAILS: Final = 10_000
"""That wait for being sent; more are not kept."""

_REMEMBERED: Final = 20_000
_ID_BYTES: Final = 10

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The parts. ``now``: milliseconds since 1970; ``monotonic``: seconds that never go back."""

    app: str
    settings: AccountSettings
    system: System
    records: Records
    sessions: Sessions
    passwords: Passwords
    guesses: Guesses
    signatures: Signatures
    outbox: Outbox
    accounts: Accounts
    """Issues the tokens that SDKs connect with."""
    navigation: Callable[[str], str]
    """Where SDKs find the server, for who calls this host."""
    now: Callable[[], int]
    monotonic: Callable[[], float]
    random: Callable[[int], bytes]
    base_url: Callable[[], str]
    """Where the web port is found, without a slash at the end."""
    entries: Shares[str] = field(init=False)
    _mails: Shares[str] = field(init=False)
    _changes: Shares[int] = field(init=False)

    def __post_init__(self) -> None:
        entries = Shares[str](self.settings.entries, HOUR, remembered=_REMEMBERED)
        object.__setattr__(self, "entries", entries)
        mails = Shares[str](MAILS_TO_ONE, HOUR, remembered=_REMEMBERED)
        object.__setattr__(self, "_mails", mails)
        changes = Shares[int](MOST_CHANGES, HOUR, remembered=_REMEMBERED)
        object.__setattr__(self, "_changes", changes)

    def new_id(self, prefix: str) -> str:
        """An id that nobody has and nobody can guess: 80 bits after the prefix."""
        return prefix + b32encode(self.random(_ID_BYTES)).decode().lower()

    def check_entries(self, address: str) -> None:
        """RefusedError: from there come too many who want to get in."""
        if self.settings.entries and self.entries.take(site(address), now=self.monotonic()):
            raise _too_often("from one address", self.settings.entries)

    def check_changes(self, account: Account) -> None:
        """RefusedError: he changes too much, and is no person perhaps."""
        if self._changes.take(account.number, now=self.monotonic()):
            raise _too_often("of one account", MOST_CHANGES)

    def may_write_to(self, email: str) -> bool:
        """Whether an address may get another mail."""
        return not self._mails.take(email, now=self.monotonic())

    def post(self, connection: Connection, mail: Mail, *, is_wanted: bool = True) -> None:
        """Part of a change: have a mail be sent, unless too many wait.

        One that is not wanted costs as much: how long it takes must not tell who has an account.
        """
        id = mails.put(connection, mail=mail, now=self.now(), most=MOST_MAILS)
        if id is None:
            _logger.error("%d mails are waiting; one is not sent", MOST_MAILS)
        elif not is_wanted:
            mails.remove(connection, id=id)

    def sign(self, purpose: Purpose, sub: str, *, seconds: int, epoch: int = 0) -> str:
        """A text that nobody else can make, for so long."""
        until = self.now() // 1000 + seconds
        return self.signatures.sign(purpose, Claims(sub=sub, epoch=epoch, exp=until))

    def link(self, action: str = "", token: str = "") -> str:
        """A page of ours. What it is told stays in the browser, and is in no server's log."""
        fragment = f"#{action}={token}" if action else ""
        return f"{self.base_url()}{self.settings.page}{fragment}"

    async def end_tokens(self, user: str) -> None:
        """What a user connects with was given out for the last time; his devices are sent away."""
        # Times have milliseconds, and a token of this one is void, too.
        await finished(self.system.token_ends.cut_off((self.app, user), before=self.now() + 1))

    async def name_of(self, user: str) -> str:
        """What a user is called."""
        known = await self.records.read(partial(profile, app=self.app, user=user))
        return known.name if known is not None else ""

    async def check_password(self, visit: Visit, password: str) -> Account:
        """Who is logged in knows his password. RefusedError: not he, or he is a guest."""
        account = visit.registered
        self.guesses.attempt(account.user_id, visit.address)
        if not await self.passwords.fits(password, account.password):
            raise RefusedError(
                HTTPStatus.FORBIDDEN, "wrong_password", "that is not the password", field="password"
            )
        self.guesses.succeeded(account.user_id, visit.address)
        return account


def _too_often(what: str, most: int) -> RefusedError:
    return RefusedError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_often",
        f"more than {most} an hour {what}",
        limit=most,
        wait=HOUR // most + 1,
    )
