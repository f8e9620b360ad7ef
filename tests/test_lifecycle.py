"""The state table: which steps a connection takes, and which it refuses."""

from __future__ import annotations

import itertools

import pytest

from improto._lifecycle import TRANSITIONS, Input, Lifecycle, State

# Written down a second time, as the protocol notes tell it (session 2, 3 and 4).
LIFE = {
    State.NEW: {Input.OPENED: State.HANDSHAKE, Input.ENDED: State.CLOSED},
    State.HANDSHAKE: {
        Input.ACCEPTED: State.ONLINE,
        Input.REFUSED: State.CLOSED,
        Input.HEARTBEAT: State.HANDSHAKE,
        Input.ENDED: State.CLOSED,
    },
    State.ONLINE: {
        Input.HEARTBEAT: State.ONLINE,
        Input.TRAFFIC: State.ONLINE,
        Input.DISMISSED: State.CLOSING,
        Input.ENDED: State.CLOSED,
    },
    State.CLOSING: {Input.ENDED: State.CLOSED},
    State.CLOSED: {},
}


def life_in(state: State) -> Lifecycle:
    """A lifecycle that stands in this state."""
    lifecycle = Lifecycle()
    lifecycle.state = state
    return lifecycle


@pytest.mark.parametrize(
    ("state", "happening"), list(itertools.product(State, Input)), ids=lambda value: value.name
)
def test_every_pair_is_a_known_step_or_no_step(state: State, happening: Input) -> None:
    """The whole table, pair by pair; a refused step changes nothing (session 3)."""
    lifecycle = life_in(state)
    expected = LIFE[state].get(happening)

    assert lifecycle.allows(happening) is (expected is not None)
    assert lifecycle.state is state
    assert lifecycle.advance(happening) is (expected is not None)
    assert lifecycle.state is (state if expected is None else expected)


def test_a_connection_begins_without_a_transport() -> None:
    assert Lifecycle().state is State.NEW


def test_there_is_no_way_back_and_no_way_out_of_the_end() -> None:
    """States only ever move on, so each is entered once (session 3)."""
    order = list(State)
    for (state, _), following in TRANSITIONS.items():
        assert order.index(following) >= order.index(state)
        assert state is not State.CLOSED


@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
def test_every_state_can_end(state: State) -> None:
    """A transport may break at any moment (session 4.2)."""
    assert life_in(state).allows(Input.ENDED)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[State.CLOSED, Input.OPENED] = State.NEW  # type: ignore[index]
