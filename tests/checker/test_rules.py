"""A checker that cannot fail is worth nothing: small histories, each with one lie in it."""

from __future__ import annotations

import pytest

from tests.checker.history import (
    Acknowledged,
    Begun,
    Closed,
    Connected,
    Connecting,
    Event,
    Failed,
    Fault,
    Killed,
    Read,
    Restarted,
    Saved,
    Sent,
    Shown,
)
from tests.checker.rules import Promise, check

PAIR = "ann+ben"
TEAM = "team"
BEGUN = Begun(seed=1, conversations={PAIR: ("ann", "ben"), TEAM: ("ann", "ben", "cleo")})


def sent(id: str, conversation: str = PAIR, *, is_status: bool = False) -> Sent:
    """Ids begin with the name of their sender."""
    return Sent(who=id.split("-")[0], conversation=conversation, id=id, is_status=is_status)


def acked(id: str, time: int, *, uid: str | None = None) -> Acknowledged:
    return Acknowledged(who=id.split("-")[0], id=id, uid=uid or f"U-{id}", time=time)


def shown(
    who: str,
    id: str,
    time: int,
    conversation: str = PAIR,
    *,
    sender: str | None = None,
    uid: str | None = None,
    cursor: int = 0,
) -> Shown:
    return Shown(
        who=who,
        conversation=conversation,
        sender=sender or id.split("-")[0],
        id=id,
        uid=uid or f"U-{id}",
        time=time,
        cursor=cursor,
    )


def read(
    who: str, *pages: list[tuple[str, int]], conversation: str = PAIR, is_backward: bool = True
) -> Read:
    """Pages as they come: newest first."""
    return Read(
        who=who,
        conversation=conversation,
        is_backward=is_backward,
        pages=tuple(tuple((id, f"U-{id}", time) for id, time in page) for page in pages),
    )


def connected(who: str, time: int) -> list[Event]:
    return [Connecting(who=who), Connected(who=who, time=time)]


GOOD: list[list[Event]] = [
    [],
    [
        Fault(what="nothing much"),
        *connected("ann", 5),
        sent("ann-1"),
        sent("ann-2"),
        acked("ann-1", 10),
        shown("ben", "ann-1", 10),
        acked("ann-2", 11),
        shown("ben", "ann-2", 11, cursor=10),
        Saved(who="ben", kept=2, cursor=11),
        Closed(who="ann", reason="we ended it"),
        *connected("ann", 12),
        read("ann", [("ann-2", 11)], [("ann-1", 10)]),
        read("ben", [("ann-2", 11), ("ann-1", 10)], is_backward=False),
        read("ben", [("ann-1", 10)], [("ann-2", 11)], is_backward=False),
    ],
    # Not acknowledged, and never heard of again.
    [sent("ann-1"), sent("ann-2"), read("ben", [])],
    # Not acknowledged, and there for all.
    [
        sent("ann-1", TEAM),
        shown("ben", "ann-1", 10, TEAM),
        shown("cleo", "ann-1", 10, TEAM),
        read("cleo", [("ann-1", 10)], conversation=TEAM),
    ],
    # Sent again, and acknowledged with the old time when newer ones are known.
    [
        sent("ann-1"),
        sent("ann-2"),
        acked("ann-2", 11),
        acked("ann-1", 10),
        acked("ann-1", 10),
        shown("ben", "ann-1", 10),
        shown("ben", "ann-2", 11),
    ],
    # Sent again, and taken later than what was written after it.
    [
        sent("ann-1"),
        Connecting(who="ann"),
        sent("ann-2"),
        acked("ann-2", 10),
        acked("ann-1", 11),
        shown("ben", "ann-2", 10),
        shown("ben", "ann-1", 11),
    ],
    # Typing notices may be lost, and are in no history.
    [
        sent("ann-1", is_status=True),
        acked("ann-1", 10),
        sent("ann-2", TEAM, is_status=True),
        acked("ann-2", 11),
        shown("ben", "ann-2", 11, TEAM),
        read("ben", []),
    ],
    # What was not saved is shown again after a death.
    [
        sent("ann-1"),
        sent("ann-2"),
        acked("ann-1", 10),
        acked("ann-2", 11),
        shown("ben", "ann-1", 10),
        Saved(who="ben", kept=1, cursor=10),
        shown("ben", "ann-2", 11, cursor=10),
        Restarted(who="ben"),
        shown("ben", "ann-2", 11, cursor=10),
    ],
    # A server that was killed may have forgotten what it said at a login.
    [*connected("ann", 100), Killed(), *connected("ann", 50), sent("ann-1"), acked("ann-1", 60),
     shown("ben", "ann-1", 60)],
]  # fmt: skip

ONE = [sent("ann-1"), acked("ann-1", 10)]
TWO = [*ONE, sent("ann-2"), acked("ann-2", 11)]

BAD: dict[str, tuple[list[Event], set[Promise]]] = {
    "something failed": ([Failed(who="ann", what="status 1")], {Promise.WORKS}),
    "lost": (ONE, {Promise.LOST}),
    "lost by one member": (
        [sent("ann-1", TEAM), acked("ann-1", 10), shown("ben", "ann-1", 10, TEAM)],
        {Promise.LOST},
    ),
    "not acknowledged, shown to one member only": (
        [sent("ann-1", TEAM), shown("ben", "ann-1", 10, TEAM)],
        {Promise.LOST},
    ),
    "in history only": ([sent("ann-1"), read("ann", [("ann-1", 10)])], {Promise.LOST}),
    "lost by dying": (
        [
            *ONE,
            Saved(who="ben", kept=0, cursor=0),
            shown("ben", "ann-1", 10),
            Restarted(who="ben"),
        ],
        {Promise.LOST},
    ),
    "shown twice": (
        [*ONE, shown("ben", "ann-1", 10), shown("ben", "ann-1", 10)],
        {Promise.TWICE},
    ),
    "a typing notice shown twice": (
        [sent("ann-1", is_status=True), shown("ben", "ann-1", 10), shown("ben", "ann-1", 10)],
        {Promise.TWICE},
    ),
    "shown again although it was saved": (
        [
            *ONE,
            shown("ben", "ann-1", 10),
            Saved(who="ben", kept=1, cursor=10),
            Restarted(who="ben"),
            shown("ben", "ann-1", 10, cursor=10),
        ],
        {Promise.TWICE},
    ),
    "shown and never sent": ([shown("ben", "ann-1", 10)], {Promise.INVENTED}),
    "acknowledged and never sent": ([acked("ann-1", 10)], {Promise.INVENTED}),
    "shown before it was sent": (
        [shown("ben", "ann-1", 10), sent("ann-1")],
        {Promise.INVENTED},
    ),
    "shown in another conversation": (
        [*ONE, shown("ben", "ann-1", 10, TEAM)],
        {Promise.INVENTED},
    ),
    "shown to a stranger": (
        [*ONE, shown("ben", "ann-1", 10), shown("cleo", "ann-1", 10)],
        {Promise.INVENTED},
    ),
    "shown to its sender": (
        [*ONE, shown("ben", "ann-1", 10), shown("ann", "ann-1", 10)],
        {Promise.INVENTED},
    ),
    "shown as sent by another": (
        [*ONE, shown("ben", "ann-1", 10, sender="cleo")],
        {Promise.INVENTED},
    ),
    "another time for the receiver": (
        [*ONE, shown("ben", "ann-1", 12)],
        {Promise.IDENTITY},
    ),
    "another uid for the receiver": (
        [*ONE, shown("ben", "ann-1", 10, uid="other")],
        {Promise.IDENTITY},
    ),
    "another time in history": (
        [*ONE, shown("ben", "ann-1", 10), read("ben", [("ann-1", 9)])],
        {Promise.IDENTITY},
    ),
    "another time in the second PUBACK": (
        [*ONE, acked("ann-1", 12), shown("ben", "ann-1", 10)],
        {Promise.IDENTITY},
    ),
    "one uid for two": (
        [
            *ONE,
            sent("ann-2"),
            acked("ann-2", 11, uid="U-ann-1"),
            shown("ben", "ann-1", 10),
            shown("ben", "ann-2", 11, uid="U-ann-1"),
        ],
        {Promise.IDENTITY},
    ),
    "one time for two": (
        [
            sent("ann-1"),
            sent("ben-1"),
            acked("ann-1", 10),
            acked("ben-1", 10),
            shown("ben", "ann-1", 10),
            shown("ann", "ben-1", 10),
        ],
        {Promise.IDENTITY},
    ),
    "shown in another order": (
        [*TWO, shown("ben", "ann-2", 11), shown("ben", "ann-1", 10)],
        {Promise.ORDER},
    ),
    "the cursor goes back": (
        [
            *TWO,
            shown("ben", "ann-1", 10),
            shown("ben", "ann-2", 11, cursor=10),
            Saved(who="ben", kept=2, cursor=9),
        ],
        {Promise.CURSOR},
    ),
    "a pushed message overtakes one that waits": (
        [*TWO, shown("ben", "ann-2", 11), Saved(who="ben", kept=1, cursor=11)],
        {Promise.CURSOR, Promise.LOST},
    ),
    "a cursor that was saved too early": (
        [
            *ONE,
            Saved(who="ben", kept=0, cursor=10),
            Restarted(who="ben"),
            shown("ben", "ann-1", 10, cursor=10),
        ],
        {Promise.CURSOR},
    ),
    "a sender overtakes himself": (
        [
            *ONE,
            sent("ann-2"),
            acked("ann-2", 9),
            shown("ben", "ann-2", 9),
            shown("ben", "ann-1", 10),
        ],
        {Promise.SENDING},
    ),
    "a sender who does not wait overtakes himself": (
        [
            sent("ann-1"),
            sent("ann-2"),
            acked("ann-2", 10),
            acked("ann-1", 11),
            shown("ben", "ann-2", 10),
            shown("ben", "ann-1", 11),
        ],
        {Promise.SENDING},
    ),
    "an answer before what it answers": (
        [
            *ONE,
            shown("ben", "ann-1", 10),
            sent("ben-1"),
            acked("ben-1", 8),
            shown("ann", "ben-1", 8),
        ],
        {Promise.SENDING},
    ),
    "a login goes back": ([*connected("ann", 10), *connected("ann", 9)], {Promise.CONNACK}),
    "a login at the time of a message": (
        [*ONE, shown("ben", "ann-1", 10), *connected("ben", 10)],
        {Promise.CONNACK},
    ),
    "a login before a message, in the life of the next server": (
        [*ONE, shown("ben", "ann-1", 10), Killed(), *connected("ben", 9)],
        {Promise.CONNACK},
    ),
    "a message before the login of its sender": (
        [*connected("ann", 11), *ONE, shown("ben", "ann-1", 10)],
        {Promise.CONNACK},
    ),
    "a message before the login of its receiver": (
        [*connected("ben", 11), *ONE, shown("ben", "ann-1", 10)],
        {Promise.CONNACK},
    ),
    "missing in history": (
        [*TWO, shown("ben", "ann-1", 10), shown("ben", "ann-2", 11), read("ben", [("ann-2", 11)])],
        {Promise.HISTORY},
    ),
    "twice in history, on two pages": (
        [*ONE, shown("ben", "ann-1", 10), read("ben", [("ann-1", 10)], [("ann-1", 10)])],
        {Promise.HISTORY},
    ),
    "oldest first in history": (
        [
            *TWO,
            shown("ben", "ann-1", 10),
            shown("ben", "ann-2", 11),
            read("ben", [("ann-1", 10), ("ann-2", 11)]),
        ],
        {Promise.HISTORY},
    ),
    "pages in another order": (
        [
            *TWO,
            shown("ben", "ann-1", 10),
            shown("ben", "ann-2", 11),
            read("ben", [("ann-2", 11)], [("ann-1", 10)], is_backward=False),
        ],
        {Promise.HISTORY},
    ),
    "a typing notice in history": (
        [sent("ann-1", is_status=True), acked("ann-1", 10), read("ben", [("ann-1", 10)])],
        {Promise.HISTORY},
    ),
    "a message nobody sent in history": (
        [read("ben", [("ann-1", 10)])],
        {Promise.INVENTED, Promise.HISTORY},
    ),
    "a message of another conversation in history": (
        [*ONE, shown("ben", "ann-1", 10), read("ben", [("ann-1", 10)], conversation=TEAM)],
        {Promise.INVENTED, Promise.HISTORY},
    ),
}  # fmt: skip


@pytest.mark.parametrize("events", GOOD)
def test_a_history_that_keeps_all_promises(events: list[Event]) -> None:
    assert check([BEGUN, *events]) == []


@pytest.mark.parametrize("name", BAD)
def test_a_history_with_a_lie(name: str) -> None:
    events, promises = BAD[name]
    found = check([BEGUN, *events])
    assert {violation.promise for violation in found} == promises
    assert all(1 < violation.line <= len(events) + 1 for violation in found)


def test_every_promise_can_be_broken() -> None:
    assert set().union(*(promises for _, promises in BAD.values())) == set(Promise)


def test_the_first_violation_comes_first_and_says_what_it_is() -> None:
    events = [
        *TWO,
        shown("ben", "ann-2", 11),
        shown("ben", "ann-1", 10),
        shown("ben", "ann-1", 10),
    ]
    first, second = check([BEGUN, *events])
    assert str(first) == (
        "line 7: ben was shown ann-1 of 10 after ann-2 of 11"
        " (broken: each inbox is shown in the order of time)"
    )
    assert (second.line, second.promise) == (8, Promise.TWICE)
