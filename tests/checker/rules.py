"""The promises, and whether a history keeps them.

Each rule is a function of the facts that yields what contradicts it. They are independent: a
fault that breaks several promises is told several times, and :func:`check` puts first what
stands first in the history.

A message counts as stored as soon as anybody was told of it: by a PUBACK, in an inbox or in a
history. From then on it must be there for everybody, under one uid and one time. Of a message
that nobody was told of nothing is asked.
"""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tests.checker.facts import NEVER, Facts
from tests.checker.history import (
    Acknowledged,
    Connected,
    Connecting,
    Failed,
    Killed,
    Read,
    Restarted,
    Saved,
    Sent,
    Shown,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.checker.facts import Message
    from tests.checker.history import Event


class Promise(enum.Enum):
    """What server and client together promise to programs."""

    WORKS = "what must work, works"
    LOST = "what somebody was told of is shown to every receiver"
    TWICE = "nothing is shown twice"
    INVENTED = "nothing is shown that nobody sent there"
    IDENTITY = "a message has one uid and one time, and no other message has them"
    ORDER = "each inbox is shown in the order of time"
    CURSOR = "a cursor never goes back, and never passes a message that was not shown"
    SENDING = "a message is later than all that its sender knew, or had sent before it"
    CONNACK = "the time of a CONNACK is after all before it, and before all after it"
    HISTORY = "history has each message once, in order, for all members and in both directions"


class Violation(NamedTuple):
    """A promise that was not kept."""

    line: int
    """Of the event that shows it."""
    promise: Promise
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what} (broken: {self.promise.value})"


def check(events: Sequence[Event]) -> list[Violation]:
    """Everything that is wrong with a history, the first first."""
    facts = Facts(events)
    return sorted(
        (violation for rule in RULES for violation in rule(facts)),
        key=lambda violation: violation.line,
    )


def _works(facts: Facts) -> Iterator[Violation]:
    for line, event in enumerate(facts.events, 1):
        if isinstance(event, Failed):
            yield Violation(line, Promise.WORKS, f"{event.who}: {event.what}")


def _invented(facts: Facts) -> Iterator[Violation]:
    def violation(line: int, what: str) -> Violation:
        return Violation(line, Promise.INVENTED, what)

    for id, sight in facts.unsent:
        yield violation(sight.line, f"{sight.by} saw {id} ({sight.how}), which nobody had sent")
    for message in facts.messages.values():
        for line, by, how, _, conversation, sender in message.sights:
            if conversation != message.conversation:
                yield violation(
                    line,
                    f"{by} saw {message.id} ({how}) in {conversation},"
                    f" but it was sent to {message.conversation}",
                )
            elif by not in facts.members(conversation) or (how == "inbox" and by == message.sender):
                yield violation(line, f"{by} saw {message.id} ({how}), which is not for him")
            elif sender not in (None, message.sender):
                yield violation(line, f"{by} saw {message.id} ({how}) as sent by {sender}")


def _identity(facts: Facts) -> Iterator[Violation]:
    owners: dict[str, str] = {}
    for message in facts.messages.values():
        first = message.sights[0] if message.sights else None
        for sight in message.sights[1:]:
            if first is not None and sight.identity != first.identity:
                yield Violation(
                    sight.line,
                    Promise.IDENTITY,
                    f"{message.id} is {tuple(sight.identity)} for {sight.by} ({sight.how}),"
                    f" but {tuple(first.identity)} for {first.by} ({first.how})",
                )
        if first is not None:
            owner = owners.setdefault(first.identity.uid, message.id)
            if owner != message.id:
                yield Violation(
                    first.line, Promise.IDENTITY, f"{message.id} has the uid of {owner}"
                )
    for name in facts.users:
        stored = facts.stored(party=name)
        for one, other in pairwise(stored):
            if one.time == other.time:
                yield Violation(
                    max(one.sights[0].line, other.sights[0].line),
                    Promise.IDENTITY,
                    f"for {name}, {one.id} and {other.id} have the same time {one.time}",
                )


def _inboxes(facts: Facts) -> Iterator[Violation]:
    for name in facts.users:
        yield from _inbox(facts, name)


def _inbox(facts: Facts, name: str) -> Iterator[Violation]:
    """Walk through what one program lived through, dying with it."""
    due = [message for message in facts.stored(party=name) if message.sender != name]
    times = [message.time for message in due]
    shown: list[Shown] = []
    known: set[str] = set()
    cursor = saved_cursor = kept = 0
    for line, event in enumerate(facts.events, 1):
        match event:
            case Shown() if event.who == name:
                if event.id in known:
                    yield Violation(line, Promise.TWICE, f"{name} was shown {event.id} twice")
                    continue
                if shown and shown[-1].time >= event.time:
                    yield Violation(
                        line,
                        Promise.ORDER,
                        f"{name} was shown {event.id} of {event.time}"
                        f" after {shown[-1].id} of {shown[-1].time}",
                    )
                shown.append(event)
                known.add(event.id)
                now = event.cursor
            case Saved() if event.who == name:
                now = saved_cursor = event.cursor
                kept = event.kept
            case Restarted() if event.who == name:
                del shown[kept:]
                known = {each.id for each in shown}
                cursor = saved_cursor
                continue
            case _:
                continue
        if now < cursor:
            what = f"the cursor of {name} went back from {cursor} to {now}"
            yield Violation(line, Promise.CURSOR, what)
        for message in due[bisect_right(times, cursor) : bisect_right(times, now)]:
            if message.id not in known:
                yield Violation(
                    line,
                    Promise.CURSOR,
                    f"the cursor of {name} is at {now} and has passed {message.id}"
                    f" of {message.time}, which was not shown",
                )
        cursor = now
    for message in due:
        if message.id not in known:
            by, how = message.sights[0].by, message.sights[0].how
            yield Violation(
                message.sights[0].line,
                Promise.LOST,
                f"{name} was never shown {message.id} of {message.time}, known to {by} ({how})",
            )


def _sending(facts: Facts) -> Iterator[Violation]:
    """Whoever awaits an answer before he goes on gets his messages in that order."""
    newest: dict[str, tuple[int, str]] = defaultdict(lambda: (0, ""))
    for line, event in enumerate(facts.events, 1):
        if isinstance(event, Acknowledged | Shown):
            newest[event.who] = max(newest[event.who], (event.time, event.id))
        elif isinstance(event, Sent):
            message = facts.messages[event.id]
            time, before = newest[event.who]
            if message.sights and message.time <= time:
                yield Violation(
                    max(line, message.sights[0].line),
                    Promise.SENDING,
                    f"{message.id} of {message.time} was sent by {event.who}"
                    f" when he knew {before} of {time}",
                )


def _overtaking(facts: Facts) -> Iterator[Violation]:
    """What one connection sends, waiting or not, is taken in that order.

    What was sent again is left out: a message that waits for its second chance may be overtaken.
    """
    connections: Counter[str] = Counter()
    sent_on: dict[str, int] = {}
    newest: dict[tuple[str, int], Message] = {}
    at_once: set[str] = set()
    for event in facts.events:
        if isinstance(event, Connecting):
            connections[event.who] += 1
        elif isinstance(event, Sent):
            sent_on[event.id] = connections[event.who]
        elif isinstance(event, Acknowledged) and sent_on.get(event.id) == connections[event.who]:
            at_once.add(event.id)
    for message in facts.messages.values():
        if message.id not in at_once:
            continue
        way = (message.sender, sent_on[message.id])
        before = newest.get(way)
        if before is not None and before.time >= message.time:
            yield Violation(
                max(message.acknowledged, before.acknowledged),
                Promise.SENDING,
                f"{message.id} of {message.time} was sent after {before.id} of {before.time}",
            )
        else:
            newest[way] = message


class _Login(NamedTuple):
    """A connection that was accepted."""

    who: str
    begun: int
    accepted: int
    time: int
    killed: int
    """Line on which the server that accepted it was killed, at the earliest."""


def _logins(facts: Facts) -> list[_Login]:
    kills = [line for line, event in enumerate(facts.events, 1) if isinstance(event, Killed)]
    begun: dict[str, int] = {}
    logins = []
    for line, event in enumerate(facts.events, 1):
        if isinstance(event, Connecting):
            begun[event.who] = line
        elif isinstance(event, Connected):
            first = begun[event.who]
            killed = next((kill for kill in kills if kill > first), NEVER)
            logins.append(_Login(event.who, first, line, event.time, killed))
    return logins


def _connack(facts: Facts) -> Iterator[Violation]:
    """Times of messages are kept by the store; those of CONNACKs only as long as a server lives."""
    logins: dict[str, list[_Login]] = defaultdict(list)
    for login in _logins(facts):
        for before in logins[login.who]:
            if before.time > login.time and login.accepted < before.killed:
                yield Violation(
                    login.accepted,
                    Promise.CONNACK,
                    f"the CONNACK of {login.who} says {login.time}, an earlier one {before.time}",
                )
        logins[login.who].append(login)
    for name, mine in logins.items():
        for message in facts.stored(party=name):
            for login in mine:
                yield from _compare(login, message)


def _compare(login: _Login, message: Message) -> Iterator[Violation]:
    known = min(
        message.acknowledged,
        *(sight.line for sight in message.sights),
    )
    if known < login.begun and message.time >= login.time:
        yield Violation(
            login.accepted,
            Promise.CONNACK,
            f"the CONNACK of {login.who} says {login.time},"
            f" but {message.id} of {message.time} was there before",
        )
    if login.accepted < message.sent and known < login.killed and message.time < login.time:
        yield Violation(
            known,
            Promise.CONNACK,
            f"{message.id} of {message.time} was sent after a CONNACK of {login.who}"
            f" that says {login.time}",
        )


def _history(facts: Facts) -> Iterator[Violation]:
    stored: dict[str, set[str]] = defaultdict(set)
    for message in facts.messages.values():
        if message.is_stored:
            stored[message.conversation].add(message.id)
    for line, event in enumerate(facts.events, 1):
        if isinstance(event, Read):
            for what in _faults(event, stored[event.conversation]):
                way = "backward" if event.is_backward else "forward"
                yield Violation(
                    line,
                    Promise.HISTORY,
                    f"the history of {event.conversation} that {event.who} read {way} {what}",
                )


def _faults(event: Read, expected: set[str]) -> Iterator[str]:
    """``expected``: ids of the messages that the conversation has."""
    oldest_first = [entry for page in event.pages for entry in reversed(page)]
    if event.is_backward:
        oldest_first = [entry for page in reversed(event.pages) for entry in reversed(page)]
    for (one, _, time), (other, _, later) in pairwise(oldest_first):
        if time >= later:
            yield f"has {other} of {later} behind {one} of {time}"
    missing = expected - {id for id, _, _ in oldest_first}
    if missing:
        yield f"lacks {', '.join(sorted(missing))}"
    strange = {id for id, _, _ in oldest_first} - expected
    if strange:
        yield f"has {', '.join(sorted(strange))}, which do not belong there"


RULES = (_works, _invented, _identity, _inboxes, _sending, _overtaking, _connack, _history)
