"""Accounts of the application server: who may log in, who is logged in, what is not confirmed yet.

An account has a user of the message server, whose name and portrait are in :mod:`.users`; here is
what only its owner may know. Secrets are kept as hashes: of passwords by argon2, of sessions by
SHA-256. A registration is no account before its link was followed, so nobody takes an address
that is not his, and logging in knows confirmed addresses only.

An account's ``epoch`` rises whenever what was signed for it before shall be void.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from improto_server.store import names, user_profiles
from improto_server.store import users as registered
from improto_server.store.friends import friend_applications, friend_permissions
from improto_server.store.schema import metadata, users
from improto_server.store.subscriptions import timed_subscriptions

if TYPE_CHECKING:
    from sqlalchemy import Connection

app_accounts = Table(
    "app_accounts",
    metadata,
    Column("user", BigInteger, primary_key=True, autoincrement=False),
    Column("app", Text, nullable=False),
    Column("email", Text, comment="in small letters; NULL: a guest"),
    Column("phone", Text, comment="+ and digits"),
    Column("password", Text, nullable=False, comment="argon2; empty: a guest"),
    Column("folded", Text, nullable=False, comment="the name, for searching"),
    Column("portrait", Text, nullable=False, comment="name of the uploaded file; empty: none"),
    Column("created", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("guest_until", BigInteger, nullable=False, comment="0: no guest"),
    Column("is_closed", Integer, nullable=False, comment="1: being deleted"),
    UniqueConstraint("app", "email"),
    UniqueConstraint("app", "phone"),
    comment="who may log in to the application server",
)
Index("app_accounts_by_name", app_accounts.c.app, app_accounts.c.folded)
Index(
    "app_accounts_guests",
    app_accounts.c.guest_until,
    sqlite_where=app_accounts.c.guest_until > 0,
    postgresql_where=app_accounts.c.guest_until > 0,
)
Index(
    "app_accounts_closed",
    app_accounts.c.user,
    sqlite_where=app_accounts.c.is_closed == 1,
    postgresql_where=app_accounts.c.is_closed == 1,
)

app_pending = Table(
    "app_pending",
    metadata,
    Column("key", Text, primary_key=True, comment="random; what the link names"),
    Column("app", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("user", BigInteger, nullable=False, comment="who gets the address; 0: a new account"),
    Column("password", Text, nullable=False, comment="argon2, of a new account"),
    Column("name", Text, nullable=False, comment="of a new account"),
    Column("until", BigInteger, nullable=False),
    comment="addresses that are not confirmed yet",
)
Index("app_pending_by_email", app_pending.c.app, app_pending.c.email, app_pending.c.until)
Index("app_pending_by_user", app_pending.c.user)
Index("app_pending_by_time", app_pending.c.until)

app_sessions = Table(
    "app_sessions",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="SHA-256 of what the client has"),
    Column("user", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    comment="who is logged in to the application server",
)
Index("app_sessions_by_user", app_sessions.c.user, app_sessions.c.until)
Index("app_sessions_by_time", app_sessions.c.until)

_ACCOUNT = select(app_accounts, users.c.name.label("user_id")).join_from(
    app_accounts, users, users.c.id == app_accounts.c.user
)
_OPEN = _ACCOUNT.where(app_accounts.c.is_closed == 0, app_accounts.c.app == bindparam("app"))
_BY_ID = _OPEN.where(users.c.app == bindparam("app"), users.c.name == bindparam("id"))
_BY_EMAIL = _OPEN.where(app_accounts.c.email == bindparam("login"))
_BY_PHONE = _OPEN.where(app_accounts.c.phone == bindparam("login"))
_BY_SESSION = _OPEN.join(app_sessions, app_sessions.c.user == app_accounts.c.user).where(
    app_sessions.c.hash == bindparam("hash"), app_sessions.c.until > bindparam("now")
)
# From the first name that begins so to the first that does not.
_BY_NAME = (
    select(users.c.name)
    .join_from(app_accounts, users, users.c.id == app_accounts.c.user)
    .where(
        app_accounts.c.app == bindparam("app"),
        app_accounts.c.folded >= bindparam("start"),
        app_accounts.c.folded < bindparam("end"),
        app_accounts.c.is_closed == 0,
    )
    .order_by(app_accounts.c.folded)
    .limit(bindparam("most"))
)
_LAST_CHARACTER = "\U0010ffff"
# By the indexes of those few accounts: they must be named with the same numbers, and the app as
# something that no index knows.
_ENDING = (
    select(users.c.name, app_accounts.c.portrait)
    .join_from(app_accounts, users, users.c.id == app_accounts.c.user)
    .where(app_accounts.c.app.concat("") == bindparam("app"))
    .limit(bindparam("most"))
)
_GUESTS_GONE = _ENDING.where(
    app_accounts.c.guest_until > literal_column("0"),
    app_accounts.c.guest_until <= bindparam("now"),
)
_CLOSED = _ENDING.where(app_accounts.c.is_closed == literal_column("1"))


class Account(NamedTuple):
    """Somebody who may log in."""

    number: int
    """The user's number in the store."""
    user_id: str
    email: str
    """Empty: a guest."""
    phone: str
    """Empty: none."""
    password: str
    """Its hash; empty: a guest."""
    portrait: str
    """The name of the file that he has uploaded; empty: none."""
    created: int
    """Milliseconds since 1970."""
    epoch: int
    guest_until: int
    """Milliseconds since 1970; 0: no guest."""

    @property
    def is_guest(self) -> bool:
        """Whether he came without registering."""
        return self.guest_until > 0


class Pending(NamedTuple):
    """An address that waits for being confirmed."""

    key: str
    email: str
    until: int
    user: int = 0
    """Whose address it will be; 0: a new account's."""
    password: str = ""
    name: str = ""


def account(connection: Connection, *, app: str, user: str) -> Account | None:
    """The account of a user."""
    return _account(connection, _BY_ID, app=app, id=user)


def by_email(connection: Connection, *, app: str, email: str) -> Account | None:
    """The account with this address."""
    return _account(connection, _BY_EMAIL, app=app, login=email)


def by_phone(connection: Connection, *, app: str, phone: str) -> Account | None:
    """The account with this number."""
    return _account(connection, _BY_PHONE, app=app, login=phone)


def by_session(connection: Connection, *, app: str, hash: bytes, now: int) -> Account | None:
    """Who is logged in with a session, if its time is not over."""
    return _account(connection, _BY_SESSION, app=app, hash=hash, now=now)


def open_account(
    connection: Connection,
    *,
    app: str,
    user: str,
    name: str,
    now: int,
    email: str | None = None,
    password: str = "",
    guest_until: int = 0,
) -> None:
    """Make an account, and register its user, who must be new."""
    registered.register(connection, app=app, user=user, name=name, portrait="", time=now)
    user_profiles.change(connection, app=app, user=user, now=now)
    row = {
        "user": names.ensure_user(connection, app, user),
        "app": app,
        "email": email,
        "phone": None,
        "password": password,
        "folded": name.casefold(),
        "portrait": "",
        "created": now,
        "epoch": 0,
        "guest_until": guest_until,
        "is_closed": 0,
    }
    connection.execute(insert(app_accounts).values(row))


def set_name(connection: Connection, *, app: str, user: str, name: str) -> None:
    """Have the account be found by another name; nothing happens if there is none."""
    _change(connection, names.user_id(connection, app, user), folded=name.casefold())


def set_portrait(connection: Connection, *, number: int, portrait: str) -> str | None:
    """The name of the file that the user has uploaded; empty: none. Returns the one before.

    None, and nothing happens, if there is no such account any more.
    """
    query = select(app_accounts.c.portrait).where(
        app_accounts.c.user == number, app_accounts.c.is_closed == 0
    )
    before: str | None = connection.scalar(query)
    if before is not None:
        _change(connection, number, portrait=portrait)
    return before


def set_phone(connection: Connection, *, app: str, number: int, phone: str) -> bool:
    """Another number, or none if it is empty; False if it is another account's."""
    if phone:
        owner = by_phone(connection, app=app, phone=phone)
        if owner is not None and owner.number != number:
            return False
    _change(connection, number, phone=phone or None)
    return True


def set_password(connection: Connection, *, number: int, epoch: int, password: str) -> bool:
    """Another password: all sessions end, and what was signed is void.

    False, and nothing happens, if ``epoch`` is not the account's: somebody was faster.
    """
    changed = connection.execute(
        update(app_accounts)
        .where(app_accounts.c.user == number, app_accounts.c.epoch == epoch)
        .values(password=password, epoch=epoch + 1)
    )
    if changed.rowcount:
        _void(connection, number)
    return changed.rowcount > 0


def set_guest_until(connection: Connection, *, number: int, until: int) -> None:
    """A guest may come back until then."""
    _change(connection, number, guest_until=until)


# -- addresses that are not confirmed yet -------------------------------------------------------


def put_pending(connection: Connection, *, app: str, pending: Pending, most: int) -> None:
    """Remember an address; of one address at most ``most`` are, the latest."""
    table = app_pending.c
    older = (
        select(table.key)
        .where(table.app == app, table.email == pending.email)
        .order_by(table.until.desc())
        .limit(-1)
        .offset(most - 1)
    )
    connection.execute(delete(app_pending).where(table.key.in_(older)))
    connection.execute(insert(app_pending).values(app=app, **pending._asdict()))


def take_pending(connection: Connection, *, app: str, key: str, now: int) -> Pending | None:
    """What a link names, which is good for once; None if there is none, or its time is over."""
    table = app_pending.c
    row = connection.execute(
        delete(app_pending)
        .where(table.key == key, table.app == app, table.until > now)
        .returning(table.key, table.email, table.until, table.user, table.password, table.name)
    ).one_or_none()
    return None if row is None else Pending(*row)


def confirm(connection: Connection, *, app: str, key: str, new_user: str, now: int) -> str | None:
    """A link was followed: make the account, or give it its new address; returns whose it is.

    None if the link is no longer good, or the address has become another account's since.
    """
    pending = take_pending(connection, app=app, key=key, now=now)
    if pending is None or by_email(connection, app=app, email=pending.email) is not None:
        return None
    table = app_pending.c
    connection.execute(delete(app_pending).where(table.app == app, table.email == pending.email))
    if not pending.user:
        open_account(
            connection,
            app=app,
            user=new_user,
            name=pending.name,
            now=now,
            email=pending.email,
            password=pending.password,
        )
        return new_user
    values = {"email": pending.email, "epoch": app_accounts.c.epoch + 1}
    _change(connection, pending.user, **values)
    name: str | None = connection.scalar(select(users.c.name).where(users.c.id == pending.user))
    return name


# -- sessions -----------------------------------------------------------------------------------


def open_session(
    connection: Connection,
    *,
    account: Account,
    hash: bytes,
    until: int,
    most: int,
    instead_of: bytes = b"",
) -> bool:
    """Somebody is logged in; of his sessions at most ``most`` go on, the latest.

    ``instead_of``: the session that he had before. False, and he is not, if the account has
    changed since it was looked at.
    """
    epoch = select(app_accounts.c.epoch).where(
        app_accounts.c.user == account.number, app_accounts.c.is_closed == 0
    )
    if connection.scalar(epoch) != account.epoch:
        return False
    end_session(connection, hash=instead_of)
    table = app_sessions.c
    older = (
        select(table.hash)
        .where(table.user == account.number)
        .order_by(table.until.desc())
        .limit(-1)
        .offset(most - 1)
    )
    connection.execute(delete(app_sessions).where(table.hash.in_(older)))
    row = {"hash": hash, "user": account.number, "until": until}
    connection.execute(insert(app_sessions).values(row))
    return True


def end_session(connection: Connection, *, hash: bytes) -> None:
    """Log somebody out; harmless if he is not in."""
    connection.execute(delete(app_sessions).where(app_sessions.c.hash == hash))


def end_everything(connection: Connection, *, number: int) -> None:
    """Log a user out everywhere; what was signed for him is void."""
    _void(connection, number)
    _change(connection, number, epoch=app_accounts.c.epoch + 1)


# -- finding and forgetting ---------------------------------------------------------------------


def find(connection: Connection, *, app: str, name: str, most: int) -> list[str]:
    """Ids of users with an account whose names begin so, in whatever letter case."""
    start = name.casefold()
    asked = {"app": app, "start": start, "end": start + _LAST_CHARACTER, "most": most}
    return list(connection.scalars(_BY_NAME, asked))


def guests_gone(connection: Connection, *, app: str, now: int, most: int) -> list[tuple[str, str]]:
    """Ids of guests who can come back no more, and the names of their portraits' files."""
    rows = connection.execute(_GUESTS_GONE, {"app": app, "now": now, "most": most})
    return [(row.name, row.portrait) for row in rows]


def close(connection: Connection, *, app: str, user: str) -> None:
    """The account begins to be deleted: from now on nobody gets in."""
    number = names.user_id(connection, app, user)
    _void(connection, number)
    _change(
        connection,
        number,
        is_closed=1,
        email=None,
        phone=None,
        password="",
        folded="",
        guest_until=0,
    )


def closed(connection: Connection, *, app: str, most: int) -> list[tuple[str, str]]:
    """The same of accounts whose deletion has not come to its end."""
    rows = connection.execute(_CLOSED, {"app": app, "most": most})
    return [(row.name, row.portrait) for row in rows]


def erase(connection: Connection, *, app: str, user: str) -> None:
    """The last step: what the user has said about himself, and the account, are gone."""
    number = names.user_id(connection, app, user)
    applications, subscriptions = friend_applications.c, timed_subscriptions.c
    for table, condition in (
        (friend_applications, or_(applications.asker == number, applications.asked == number)),
        (friend_permissions, friend_permissions.c.user == number),
        (
            timed_subscriptions,
            or_(subscriptions.subscriber == number, subscriptions.subject == number),
        ),
        (user_profiles.profile_details, user_profiles.profile_details.c.user == number),
        (user_profiles.unique_ids, user_profiles.unique_ids.c.user == number),
        (registered.profiles, registered.profiles.c.user == number),
        (app_accounts, app_accounts.c.user == number),
    ):
        connection.execute(delete(table).where(condition))


def forget(connection: Connection, *, now: int, most: int) -> int:
    """Delete sessions and unconfirmed addresses whose time is over; returns how many it were."""
    count = 0
    for table, key in ((app_sessions, app_sessions.c.hash), (app_pending, app_pending.c.key)):
        over = select(key).where(table.c.until <= now).limit(most)
        count += connection.execute(delete(table).where(key.in_(over))).rowcount
    return count


def _account(connection: Connection, query: Any, **asked: Any) -> Account | None:
    row = connection.execute(query, asked).one_or_none()
    if row is None:
        return None
    return Account(
        row.user,
        row.user_id,
        row.email or "",
        row.phone or "",
        row.password,
        row.portrait,
        row.created,
        row.epoch,
        row.guest_until,
    )


def _change(connection: Connection, number: int | None, **values: Any) -> None:
    connection.execute(update(app_accounts).where(app_accounts.c.user == number).values(values))


def _void(connection: Connection, number: int | None) -> None:
    """Sessions end, and an address that somebody has wanted for the account is wanted no more."""
    connection.execute(delete(app_sessions).where(app_sessions.c.user == number))
    connection.execute(delete(app_pending).where(app_pending.c.user == number))
