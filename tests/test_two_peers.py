"""Client and server core against each other, over simulated links and virtual time.

The promises are checked by :class:`improto.testing.simulation.Simulation` after every
step; here Hypothesis looks for an order of steps that breaks one.
"""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from improto.config import Timing
from improto.testing.simulation import Simulation


class TwoPeers(RuleBasedStateMachine):
    """Every action in any order; at the end, with faults off, nothing may be missing."""

    steps = 0
    runs = 0

    @initialize(
        seed=st.integers(0, 2**32 - 1),
        sdk_version=st.sampled_from(["2.5.3", "2.9.2", "4.6.4"]),
        is_multi_device=st.booleans(),
        page_size=st.integers(1, 5),
        pull=st.sampled_from([0.3, 180.0]),
    )
    def begin(
        self, seed: int, sdk_version: str, is_multi_device: bool, page_size: int, pull: float
    ) -> None:
        TwoPeers.runs += 1
        self.world = Simulation(
            seed,
            sdk_version=sdk_version,
            is_multi_device=is_multi_device,
            page_size=page_size,
            timing=Timing(pull=pull),
        )
        self.world.connect()

    def _count(self) -> None:
        TwoPeers.steps += 1

    @rule()
    def connect(self) -> None:
        self._count()
        self.world.connect()

    @rule(trouble=st.sampled_from(["cut", "leave", "restart_client"]))
    def disturb(self, trouble: str) -> None:
        self._count()
        getattr(self.world, trouble)()

    @rule(commits=st.lists(st.booleans(), min_size=1, max_size=5))
    def friend_sends(self, commits: list[bool]) -> None:
        """A few messages at once; the store may finish its work between two of them."""
        self._count()
        for is_followed_by_commit in commits:
            self.world.friend_sends()
            if is_followed_by_commit:
                self.world.commit()

    @rule()
    def friend_types(self) -> None:
        self._count()
        self.world.friend_types()

    @rule()
    def renotify(self) -> None:
        self._count()
        self.world.renotify()

    @rule()
    def user_sends(self) -> None:
        self._count()
        self.world.user_sends()

    @rule()
    def user_asks(self) -> None:
        self._count()
        self.world.user_asks()

    @rule()
    def commit(self) -> None:
        self._count()
        self.world.commit()

    @rule(count=st.integers(1, 4), newest_first=st.booleans())
    def acknowledge(self, count: int, newest_first: bool) -> None:
        self._count()
        self.world.acknowledge(count, newest_first=newest_first)

    @rule(seconds=st.sampled_from([0.01, 0.05, 0.1, 0.2, 1.0, 31.0, 181.0]))
    def advance(self, seconds: float) -> None:
        self._count()
        self.world.advance(seconds)

    @rule(latency=st.sampled_from([(0.0, 0.0), (0.001, 0.02), (0.5, 3.0)]))
    def change_latency(self, latency: tuple[float, float]) -> None:
        self._count()
        if self.world.current is not None:
            self.world.current.link.latency = latency

    def teardown(self) -> None:
        if hasattr(self, "world"):
            for attempt in self.world.attempts:
                attempt.link.latency = (0.001, 0.01)
            self.world.settle()
            self.world.check_complete()


def test_two_peers_keep_their_promises(capsys: pytest.CaptureFixture[str]) -> None:
    TwoPeers.steps = TwoPeers.runs = 0
    run_state_machine_as_test(TwoPeers, settings=settings(stateful_step_count=60))
    with capsys.disabled():
        print(f"\ntwo-peer machine: {TwoPeers.runs} dialogues, {TwoPeers.steps} steps", end="")
    assert TwoPeers.steps > TwoPeers.runs


def test_a_message_is_not_pushed_past_one_that_waits() -> None:
    """A reply that was read before the first message came, and then a second message."""
    world = Simulation(1)
    world.connect()
    world.advance(0.2)
    assert world.current is not None
    assert len(world.current.to_answer) == 1
    world.friend_sends()
    world.commit()
    world.friend_sends()
    world.settle()
    world.check_complete()
    assert len(world.shown) == 2


@pytest.mark.parametrize("sdk_version", ["2.5.3", "2.9.2", "4.6.4"])
def test_two_peers_survive_a_long_bad_day(sdk_version: str) -> None:
    """A fixed mixture of everything, long enough to wrap windows and fill pages."""
    world = Simulation(
        20221, sdk_version=sdk_version, is_multi_device=True, timing=Timing(pull=2.0)
    )
    actions = [
        world.friend_sends,
        world.friend_sends,
        world.user_sends,
        world.user_asks,
        world.commit,
        world.acknowledge,
        world.cut,
        world.connect,
        lambda: world.advance(0.05),
        lambda: world.advance(3.0),
    ]
    for _ in range(2_000):
        world.random.choice(actions)()
    world.settle()
    world.check_complete()


def test_a_hostile_network_breaks_nothing_but_itself() -> None:
    """Dropped, repeated, swapped and corrupted messages: nobody raises, everybody ends."""
    for seed in range(60):
        world = Simulation(seed, is_hostile=True)
        actions = [
            world.connect,
            world.friend_sends,
            world.user_sends,
            world.user_asks,
            world.commit,
            world.acknowledge,
            partial(world.advance, 1.0),
        ]
        for _ in range(60):
            world.random.choice(actions)()
        for attempt in world.attempts:
            attempt.link.cut(now=world.now)
        world.advance(300.0)
        for attempt in world.attempts:
            assert len(attempt.client_ends) == 1
            assert len(attempt.server_ends) == 1
