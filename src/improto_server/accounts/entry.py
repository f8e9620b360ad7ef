"""How people get in, and out: accounts with an address, and guests.

Nobody can find out who has an account. Registering, and asking for a new password, is answered
the same and costs the same whether there is one; the difference is in the mail. A wrong account
and a wrong password are one refusal.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from improto_server.accounts import letters
from improto_server.accounts.bodies import (
    Email,
    Entry,
    Name,
    Password,
    Signed,
    Typed,
    read_email,
    read_name,
    read_phone,
)
from improto_server.accounts.house import CONFIRM_HOURS, HOUR, RESET_HOURS, House
from improto_server.accounts.refusals import RefusedError
from improto_server.accounts.signatures import Purpose
from improto_server.accounts.visits import Reply, Visit
from improto_server.store import app_accounts as table
from improto_server.store.app_accounts import Pending

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from improto_server.store.app_accounts import Account

MOST_PENDING: Final = 3
"""Links to confirm one address that are good at a time; the latest."""

_KEY_BYTES: Final = 20
_DAY_MS: Final = 24 * HOUR * 1000


class Register(Struct, forbid_unknown_fields=True, kw_only=True):
    """A new account."""

    email: Email
    password: Password
    name: Name


class Token(Struct, forbid_unknown_fields=True, kw_only=True):
    """What a link has."""

    token: Signed


class LogIn(Entry, forbid_unknown_fields=True, kw_only=True):
    """E-mail address or phone number, and password."""

    account: Annotated[str, Meta(min_length=1, max_length=254)]
    password: Typed


class LogOut(Struct, forbid_unknown_fields=True, kw_only=True):
    """From this session, or all of them."""

    everywhere: bool = False


class Forgot(Struct, forbid_unknown_fields=True, kw_only=True):
    """Whose password is to be set."""

    email: Email


class Reset(Struct, forbid_unknown_fields=True, kw_only=True):
    """A new password."""

    token: Signed
    password: Password


class Guest(Entry, forbid_unknown_fields=True, kw_only=True):
    """Come in without an account."""

    name: Annotated[str, Meta(max_length=64)] = ""


class Resume(Entry, forbid_unknown_fields=True, kw_only=True):
    """Come back."""

    token: Signed


class EntryCalls:
    """The calls."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def register(self, visit: Visit, body: Register) -> Reply:
        """Mail a link that makes the account."""
        house = self._house
        if not house.settings.registration:
            raise _closed("registration")
        house.check_entries(visit.address)
        email, name = read_email(body.email), read_name(body.name)
        password = await house.passwords.hash(body.password)
        pending = Pending(
            house.random(_KEY_BYTES).hex(),
            email,
            house.now() + CONFIRM_HOURS * HOUR * 1000,
            password=password,
            name=name,
        )
        if house.may_write_to(email):
            await house.records.write(partial(self._ask, pending=pending))
            house.outbox.look()
        return Reply({})

    async def confirm(self, visit: Visit, body: Token) -> Reply:
        """A link was followed that was mailed: the address is its owner's."""
        house = self._house
        claims = house.signatures.read(Purpose.CONFIRM, body.token, now=house.now() / 1000)
        user = await house.records.write(
            partial(
                table.confirm,
                app=house.app,
                key=claims.sub,
                new_user=house.new_id("u"),
                now=house.now(),
            )
        )
        if user is None:
            raise _used()
        return Reply({"user": user})

    async def log_in(self, visit: Visit, body: LogIn) -> Reply:
        """By address or number, and password."""
        house = self._house
        login = body.account.strip().lower()
        if "@" in login:
            query = partial(table.by_email, app=house.app, email=login)
        else:
            login = _number(login)
            query = partial(table.by_phone, app=house.app, phone=login)
        house.guesses.attempt(login, visit.address)
        account = await house.records.read(query)
        kept = account.password if account is not None else ""
        is_right = await house.passwords.fits(body.password, kept)
        if account is None or not is_right:
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED, "wrong_login", "account or password is wrong"
            )
        house.guesses.succeeded(login, visit.address)
        return await house.sessions.enter(visit, account, is_bearer=body.bearer)

    async def log_out(self, visit: Visit, body: LogOut) -> Reply:
        """Harmless for who is not in."""
        if visit.account is not None:
            change = (
                partial(table.end_everything, number=visit.account.number)
                if body.everywhere
                else partial(table.end_session, hash=visit.session)
            )
            await self._house.records.write(change)
            if body.everywhere:
                await self._house.end_tokens(visit.account.user_id)
        return Reply({}, "")

    async def forgot(self, visit: Visit, body: Forgot) -> Reply:
        """Mail a link to set a new password, if there is an account."""
        house = self._house
        house.check_entries(visit.address)
        email = read_email(body.email)
        if house.may_write_to(email):
            await house.records.write(partial(self._remind, email=email))
            house.outbox.look()
        return Reply({})

    async def reset(self, visit: Visit, body: Reset) -> Reply:
        """Set a password by a link; all sessions and tokens end."""
        house = self._house
        claims = house.signatures.read(Purpose.RESET, body.token, now=house.now() / 1000)
        password = await house.passwords.hash(body.password)
        change = partial(self._set_password, user=claims.sub, epoch=claims.epoch, password=password)
        if not await house.records.write(change):
            raise _used()
        await house.end_tokens(claims.sub)
        return Reply({}, "")

    async def guest(self, visit: Visit, body: Guest) -> Reply:
        """Somebody comes in without an account and gets an id."""
        house = self._house
        if not house.settings.guests:
            raise _closed("anonymous entry")
        house.check_entries(visit.address)
        user = house.new_id("guest-")
        name = read_name(body.name) if body.name else f"Guest {user[-4:]}"
        change = partial(self._open_guest, user=user, name=name, until=self._guest_until())
        account = await house.records.write(change)
        return await self._enter_guest(visit, account, is_bearer=body.bearer)

    async def resume(self, visit: Visit, body: Resume) -> Reply:
        """A guest comes back with the token that he was given, and gets a later one."""
        house = self._house
        claims = house.signatures.read(Purpose.GUEST, body.token, now=house.now() / 1000)
        change = partial(self._renew, user=claims.sub, epoch=claims.epoch)
        account = await house.records.write(change)
        if account is None:
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED, "void", "the token is good no more", field="token"
            )
        return await self._enter_guest(visit, account, is_bearer=body.bearer)

    async def _enter_guest(self, visit: Visit, account: Account, *, is_bearer: bool) -> Reply:
        house = self._house
        seconds = account.guest_until // 1000 - house.now() // 1000
        token = house.sign(Purpose.GUEST, account.user_id, seconds=seconds, epoch=account.epoch)
        return await house.sessions.enter(
            visit,
            account,
            is_bearer=is_bearer,
            name=await house.name_of(account.user_id),
            token=token,
            expires=account.guest_until,
        )

    def _guest_until(self) -> int:
        return self._house.now() + self._house.settings.guest_days * _DAY_MS

    # -- parts of changes -----------------------------------------------------------------------

    def _ask(self, connection: Connection, *, pending: Pending) -> None:
        house, email = self._house, pending.email
        if table.by_email(connection, app=house.app, email=email) is not None:
            house.post(connection, letters.already(email, link=house.link()))
            return
        table.put_pending(connection, app=house.app, pending=pending, most=MOST_PENDING)
        token = house.sign(Purpose.CONFIRM, pending.key, seconds=CONFIRM_HOURS * HOUR)
        link = house.link("confirm", token)
        house.post(
            connection,
            letters.confirm(email, link=link, hours=CONFIRM_HOURS),
        )

    def _remind(self, connection: Connection, *, email: str) -> None:
        house = self._house
        account = table.by_email(connection, app=house.app, email=email)
        user, epoch = (account.user_id, account.epoch) if account is not None else ("", 0)
        token = house.sign(Purpose.RESET, user, seconds=RESET_HOURS * HOUR, epoch=epoch)
        mail = letters.reset(email, link=house.link("reset", token), hours=RESET_HOURS)
        house.post(connection, mail, is_wanted=account is not None)

    def _set_password(
        self, connection: Connection, *, user: str, epoch: int, password: str
    ) -> bool:
        account = table.account(connection, app=self._house.app, user=user)
        return account is not None and table.set_password(
            connection, number=account.number, epoch=epoch, password=password
        )

    def _open_guest(self, connection: Connection, *, user: str, name: str, until: int) -> Account:
        house = self._house
        table.open_account(
            connection, app=house.app, user=user, name=name, now=house.now(), guest_until=until
        )
        account = table.account(connection, app=house.app, user=user)
        assert account is not None
        return account

    def _renew(self, connection: Connection, *, user: str, epoch: int) -> Account | None:
        account = table.account(connection, app=self._house.app, user=user)
        if account is None or account.epoch != epoch:
            return None
        until = self._guest_until()
        table.set_guest_until(connection, number=account.number, until=until)
        return account._replace(guest_until=until)


def _number(text: str) -> str:
    """A phone number as accounts have it; what is none is nobody's."""
    try:
        return read_phone(text)
    except RefusedError:
        return text


def _closed(what: str) -> RefusedError:
    return RefusedError(HTTPStatus.FORBIDDEN, "closed", f"{what} is switched off")


def _used() -> RefusedError:
    return RefusedError(
        HTTPStatus.GONE, "used", "the link was used, or there is a later one", field="token"
    )
