from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from improto_server.clock import MessageClock

ALICE = ("app", "alice")
BOB = ("app", "bob")


class Wall:
    """A clock that shows what it was set to."""

    def __init__(self, time: int) -> None:
        self.time = time

    def __call__(self) -> int:
        return self.time


def test_time_is_that_of_the_machine() -> None:
    clock = MessageClock(Wall(5000))
    assert clock.now() == 5000
    assert clock.stamp(ALICE, BOB) == 5000


def test_one_inbox_never_has_a_time_twice() -> None:
    clock = MessageClock(Wall(5000))
    assert [clock.stamp(ALICE, BOB) for _ in range(3)] == [5000, 5001, 5002]


def test_inboxes_that_share_no_message_may_share_a_time() -> None:
    clock = MessageClock(Wall(5000))
    assert clock.stamp(ALICE) == clock.stamp(BOB) == 5000


def test_a_message_is_later_than_all_its_inboxes_have() -> None:
    clock = MessageClock(Wall(5000))
    for _ in range(3):
        clock.stamp(BOB)
    assert clock.stamp(ALICE, BOB) == 5003
    assert clock.stamp(ALICE) == 5004


def test_a_message_to_oneself_has_one_inbox() -> None:
    clock = MessageClock(Wall(5000))
    assert clock.stamp(ALICE, ALICE) == 5000
    assert clock.stamp(ALICE, ALICE) == 5001


def test_the_same_name_in_two_apps_is_two_users() -> None:
    clock = MessageClock(Wall(5000))
    assert clock.stamp(ALICE) == clock.stamp(("other", "alice")) == 5000


def test_time_stands_while_the_machine_goes_back() -> None:
    wall = Wall(5000)
    clock = MessageClock(wall)
    assert clock.stamp(ALICE) == 5000
    wall.time = 1000
    assert clock.now() == 5000
    assert clock.stamp(BOB) == 5000
    assert clock.stamp(ALICE) == 5001
    wall.time = 5001
    assert clock.stamp(ALICE) == 5002


def test_a_forgotten_inbox_does_not_go_back_with_the_machine() -> None:
    wall = Wall(5000)
    clock = MessageClock(wall)
    clock.stamp(ALICE)
    wall.time = 5001
    clock.stamp(BOB)
    assert len(clock) == 1
    wall.time = 10
    assert clock.stamp(ALICE) == 5001


def test_everything_is_later_than_the_store() -> None:
    clock = MessageClock(Wall(5000), floor=7000)
    assert clock.now() == 7001
    assert clock.stamp(ALICE) == 7001


def test_inboxes_of_the_past_are_not_remembered() -> None:
    wall = Wall(5000)
    clock = MessageClock(wall)
    for number in range(1000):
        wall.time += 1
        clock.stamp(("app", str(number)), ("app", f"peer of {number}"))
    assert len(clock) <= 2


def test_a_rush_is_forgotten_after_it() -> None:
    wall = Wall(5000)
    clock = MessageClock(wall)
    for number in range(1000):
        clock.stamp(("app", str(number)))
    assert len(clock) == 1000
    wall.time = 6000
    for _ in range(500):
        clock.stamp(ALICE, BOB)
    assert len(clock) == 2


def test_latest_is_a_bound_for_every_inbox() -> None:
    wall = Wall(5000)
    clock = MessageClock(wall)
    for _ in range(3):
        clock.stamp(ALICE)
    assert clock.latest(ALICE) == 5002
    assert clock.latest(BOB) == 5000


@given(
    floor=st.integers(0, 60),
    steps=st.lists(
        st.tuples(st.integers(0, 100), st.lists(st.sampled_from("abcd"), min_size=1, max_size=2)),
        max_size=60,
    ),
)
def test_times_rise_in_every_inbox_whatever_the_machine_does(
    floor: int, steps: list[tuple[int, list[str]]]
) -> None:
    wall = Wall(0)
    clock = MessageClock(wall, floor=floor)
    last: dict[str, int] = {}
    now = 0
    for time, names in steps:
        wall.time = time
        stamped = clock.stamp(*(("app", name) for name in names))
        for name in names:
            assert stamped > last.get(name, floor)
        for name in names:
            last[name] = stamped
            assert stamped <= clock.latest(("app", name))
        assert clock.now() >= max(now, time)
        now = clock.now()


def test_the_next_time_lies_between_the_messages_that_are_and_those_to_come() -> None:
    """A client that logs in takes what is older for offline messages (session 8.7)."""
    clock = MessageClock(lambda: 1_000)
    assert clock.next(("app", "ann")) == 1_000
    times = [clock.stamp(("app", "ann")) for _ in range(3)]
    assert times == [1_000, 1_001, 1_002]
    assert clock.next(("app", "ann")) == 1_003
    assert clock.stamp(("app", "ann")) == 1_003
    assert clock.next(("app", "bob")) == 1_000
