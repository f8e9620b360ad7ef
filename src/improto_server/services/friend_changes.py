"""Friends: what a request changes in the store, all of it or nothing (sdk5 8.5).

Each function is for :meth:`.data.Data.write`, says what has come of it, and refuses with a
ServiceError. So both sides change in one transaction, and who was blocked before is blocked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from improto import payloads
from improto.codes import ErrorCode
from improto_server.errors import ServiceError
from improto_server.services.friend_rules import (
    EXTENSION_KEYS,
    FRIENDS,
    ApplicationStatus,
    Permission,
    is_open,
    too_long,
)
from improto_server.services.managed_rules import DAY, KEPT_DAYS, profile
from improto_server.store import friends as table
from improto_server.store import users as registered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from improto_server.store.friends import Application


class Person(NamedTuple):
    """What somebody is told of another one."""

    user: str
    name: str
    portrait: str


class Outcome(NamedTuple):
    """What has become of two users."""

    asker: Person
    asked: Person
    time: int
    """Milliseconds since 1970."""
    are_friends: bool
    is_news: bool = True
    """False: all that was known before."""

    @property
    def sides(self) -> tuple[tuple[Person, Person], tuple[Person, Person]]:
        """Who is told of whom: first the asker, then the other one."""
        return (self.asker, self.asked), (self.asked, self.asker)


def ask(connection: Connection, *, app: str, application: Application) -> Outcome:
    """Ask somebody, or become friends at once. Refuses as :meth:`.friends.Friends.add` says."""
    user, other, _, now, info, _ = application
    _check_possible(connection, app=app, user=user, other=other)
    theirs = table.application(connection, app=app, asker=other, asked=user)
    permission = level(connection, app=app, user=other)
    if permission == Permission.EVERYBODY or (theirs is not None and is_open(theirs, now)):
        return _make_friends(connection, app=app, asker=user, asked=other, now=now)
    if permission == Permission.NOBODY:
        raise ServiceError(ErrorCode.RC_FRIEND_OTHER_NOT_ALLOW_ADD_FRIEND)
    mine = table.application(connection, app=app, asker=user, asked=other)
    is_news = mine is None or mine.info != info or not is_open(mine, now)
    _put(connection, app=app, application=application)
    people = _person(connection, app, user), _person(connection, app, other)
    return Outcome(*people, now, are_friends=False, is_news=is_news)


def accept(connection: Connection, *, app: str, user: str, asker: str, now: int) -> Outcome:
    """Become the friend of somebody who has asked. 25466: he has not."""
    _require_open(connection, app=app, user=user, asker=asker, now=now)
    _check_possible(connection, app=app, user=user, other=asker)
    return _make_friends(connection, app=app, asker=asker, asked=user, now=now)


def refuse(connection: Connection, *, app: str, user: str, asker: str, now: int) -> Outcome:
    """Do not become the friend of somebody who has asked. 25466: he has not."""
    one = _require_open(connection, app=app, user=user, asker=asker, now=now)
    refused = one._replace(status=ApplicationStatus.REFUSED, time=now)
    _put(connection, app=app, application=refused)
    people = _person(connection, app, asker), _person(connection, app, user)
    return Outcome(*people, now, are_friends=False)


def befriend(
    connection: Connection, *, app: str, user: str, other: str, now: int
) -> Outcome | None:
    """Make two friends; None if they are. 25467, 25468: one has too many."""
    if table.friend(connection, app=app, user=user, other=other) is not None:
        return None
    _check_room(connection, app=app, user=user, other=other)
    return _make_friends(connection, app=app, asker=user, asked=other, now=now)


def part(connection: Connection, *, app: str, user: str, others: Sequence[str]) -> list[str]:
    """Friends no longer; returns which of ``others`` were. 25469: none."""
    parted = table.part(connection, app=app, user=user, others=others)
    if not parted:
        raise ServiceError(ErrorCode.RC_FRIEND_NOT_FRIEND)
    return parted


def clear(connection: Connection, *, app: str, user: str) -> list[str]:
    """No friends any more; returns who they were."""
    everybody = table.friends_of(connection, app=app, user=user)
    return table.part(connection, app=app, user=user, others=everybody)


def describe(
    connection: Connection, *, app: str, user: str, request: payloads.FriendProfileInput
) -> payloads.FriendUpdateEvent:
    """Note something of a friend; returns all that is noted. 25469: he is none. 25470: too much."""
    other = request.targetId
    friend = table.friend(connection, app=app, user=user, other=other)
    if friend is None:
        raise ServiceError(ErrorCode.RC_FRIEND_NOT_FRIEND)
    remark = request.remarkName if request.HasField("remarkName") else friend.remark
    merged = {**friend.extra, **{item.key: item.value for item in request.extProfile}}
    extra = {key: value for key, value in merged.items() if value}
    if len(extra) > EXTENSION_KEYS:
        raise too_long([*extra][-1])
    table.describe(connection, app=app, user=user, other=other, remark=remark, extra=extra)
    return payloads.FriendUpdateEvent(remarkname=remark, extProfile=profile(extra))


def level(connection: Connection, *, app: str, user: str) -> int:
    """Who may become a user's friend: a :class:`.friend_rules.Permission`."""
    return table.level(connection, app=app, user=user) or Permission.WHOM_HE_ACCEPTS


def _make_friends(connection: Connection, *, app: str, asker: str, asked: str, now: int) -> Outcome:
    table.befriend(connection, app=app, user=asker, other=asked, time=now)
    people = _person(connection, app, asker), _person(connection, app, asked)
    return Outcome(*people, now, are_friends=True)


def _put(connection: Connection, *, app: str, application: Application) -> None:
    before = application.time - KEPT_DAYS * DAY
    table.put(connection, app=app, application=application, before=before)


def _check_possible(connection: Connection, *, app: str, user: str, other: str) -> None:
    """Whether two can become friends, if both want to."""
    if table.friend(connection, app=app, user=user, other=other) is not None:
        raise ServiceError(ErrorCode.RC_FRIEND_ALREADY_FRIEND)
    if table.is_blocked(connection, app=app, owner=other, other=user):
        raise ServiceError(ErrorCode.RC_FRIEND_IN_OTHER_BLACK_LIST)
    if table.is_blocked(connection, app=app, owner=user, other=other):
        raise ServiceError(ErrorCode.RC_FRIEND_IN_MY_BLACK_LIST)
    _check_room(connection, app=app, user=user, other=other)


def _check_room(connection: Connection, *, app: str, user: str, other: str) -> None:
    if table.count(connection, app=app, user=user) >= FRIENDS:
        raise ServiceError(ErrorCode.RC_FRIEND_MY_FRIEND_COUNT_EXCEED_LIMIT)
    if table.count(connection, app=app, user=other) >= FRIENDS:
        raise ServiceError(ErrorCode.RC_FRIEND_OTHER_FRIEND_COUNT_EXCEED_LIMIT)


def _require_open(
    connection: Connection, *, app: str, user: str, asker: str, now: int
) -> Application:
    one = table.application(connection, app=app, asker=asker, asked=user)
    if one is None or not is_open(one, now):
        raise ServiceError(ErrorCode.RC_FRIEND_APPLICATION_NOT_EXIST)
    return one


def _person(connection: Connection, app: str, user: str) -> Person:
    known = registered.profile(connection, app=app, user=user)
    return Person(user, known.name, known.portrait) if known else Person(user, "", "")
