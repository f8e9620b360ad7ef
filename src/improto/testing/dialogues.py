"""Dialogues as data: what the two programs, the network and the clock do, step by step.

A :class:`Dialogue` is a plain value, so one that breaks a promise can be printed, shortened
and kept as a test. :func:`play` runs it in a :class:`~improto.testing.simulation.Simulation`.
Hypothesis makes dialogues with :func:`dialogues`; another generator picks one value for each
member of :data:`WORLD`, then steps and their arguments from :func:`actions`.

In a dialogue that is hostile the network damages messages, and both ends hear bytes that nobody
has sent. Of such a one only this is asked: nothing raises, and every connection ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from hypothesis import strategies as st

from improto.codec import encode
from improto.config import Timing
from improto.frames import Role
from improto.testing.forged_frames import FORGED
from improto.testing.frame_strategies import frames
from improto.testing.simulation import Simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

    from improto.testing.attempts import Attempt

Step: TypeAlias = "tuple[str, Mapping[str, Any]]"
"""The name of an action, and its arguments."""

_TIME_TO_END: Final = 300.0
"""Seconds in which a connection without a network has noticed that: four times
``Timing.idle``, the longest of all timers but the safety pull."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """A world, and what happens in it. The members of the world are those of Simulation."""

    seed: int
    sdk_version: str
    is_multi_device: bool
    page_size: int
    pull: float
    """Seconds between safety pulls; a short time makes them meet everything else."""
    is_hostile: bool
    steps: Sequence[Step]


WORLD: Final[Mapping[str, Sequence[Any]]] = {
    "seed": range(256),
    "sdk_version": ("2.5.3", "2.9.2", "4.6.4", "5.38.0"),
    "is_multi_device": (False, True),
    "page_size": (1, 2, 3, 5),
    "pull": (0.3, 180.0),
    "is_hostile": (False, True),
}
"""What each member of a dialogue but its steps can be."""

_PEACEFUL: Final[Mapping[str, Mapping[str, Sequence[Any]]]] = {
    "connect": {},
    "cut": {},
    "leave": {},
    "restart_client": {},
    "friend_sends": {},
    "friend_types": {},
    "renotify": {},
    "user_sends": {},
    "user_asks": {},
    "commit": {},
    "acknowledge": {"count": (1, 2, 3, 4), "newest_first": (False, True)},
    "advance": {"seconds": (0.001, 0.01, 0.05, 0.2, 1.0, 16.0, 31.0, 181.0)},
    "change_latency": {"latency": ((0.0, 0.0), (0.001, 0.02), (0.5, 3.0))},
}
_HOSTILE: Final[Mapping[str, Mapping[str, Sequence[Any]]]] = {
    **_PEACEFUL,
    "client_hears": {"data": FORGED[Role.SERVER]},
    "server_hears": {"data": FORGED[Role.CLIENT]},
}


def actions(*, is_hostile: bool) -> Mapping[str, Mapping[str, Sequence[Any]]]:
    """What can happen in a dialogue: the name of each action, and the values of its arguments.

    ``data`` may be any other bytes as well.
    """
    return _HOSTILE if is_hostile else _PEACEFUL


def dialogues(*, is_hostile: bool) -> SearchStrategy[Dialogue]:
    """Any dialogue, about thirty steps long."""
    world = {name: st.sampled_from(values) for name, values in WORLD.items()}
    steps = [
        st.tuples(
            st.just(name),
            st.fixed_dictionaries({key: _values(name, key, options[key]) for key in options}),
        )
        for name, options in actions(is_hostile=is_hostile).items()
    ]
    return st.builds(
        Dialogue,
        **{**world, "is_hostile": st.just(is_hostile)},
        # Lists of lists, because Hypothesis makes lists of about five.
        steps=st.lists(st.lists(st.one_of(steps), min_size=1)).map(_joined),
    )


def _joined(parts: list[list[Step]]) -> list[Step]:
    return [step for part in parts for step in part]


def _values(name: str, key: str, options: Sequence[Any]) -> SearchStrategy[Any]:
    if key != "data":
        return st.sampled_from(options)
    sender = Role.SERVER if name == "client_hears" else Role.CLIENT
    return st.sampled_from(options) | frames(sender).map(encode) | st.binary(max_size=100)


def play(dialogue: Dialogue) -> Simulation:
    """Run a dialogue to its end; AssertionError if a promise is broken."""
    world = Simulation(
        dialogue.seed,
        sdk_version=dialogue.sdk_version,
        is_multi_device=dialogue.is_multi_device,
        page_size=dialogue.page_size,
        is_hostile=dialogue.is_hostile,
        timing=Timing(pull=dialogue.pull),
    )
    world.connect()
    for name, arguments in dialogue.steps:
        action = _MORE_ACTIONS.get(name)
        if action is None:
            getattr(world, name)(**arguments)
        else:
            action(world, **arguments)
    if dialogue.is_hostile:
        _end(world)
    else:
        _complete(world)
    return world


def _newest(world: Simulation) -> Attempt:
    assert world.current is not None  # play() begins with a connection
    return world.current


def _change_latency(world: Simulation, *, latency: tuple[float, float]) -> None:
    _newest(world).link.latency = latency


def _client_hears(world: Simulation, *, data: bytes) -> None:
    _newest(world).client.receive_message(data, now=world.now)
    world.pump()


def _server_hears(world: Simulation, *, data: bytes) -> None:
    _newest(world).server.receive_message(data, now=world.now)
    world.pump()


_MORE_ACTIONS: Final[Mapping[str, Callable[..., None]]] = {
    "change_latency": _change_latency,
    "client_hears": _client_hears,
    "server_hears": _server_hears,
}
"""Actions that are no methods of a simulation."""


def _complete(world: Simulation) -> None:
    """The network recovers; nothing may be missing."""
    for attempt in world.attempts:
        attempt.link.latency = (0.001, 0.01)
    world.settle()
    world.check_complete()


def _end(world: Simulation) -> None:
    """The network is gone; everybody must notice."""
    for attempt in world.attempts:
        attempt.link.cut(now=world.now)
    world.advance(_TIME_TO_END)
    for attempt in world.attempts:
        assert len(attempt.client_ends) == 1, "a client did not end, or ended twice"
        assert len(attempt.server_ends) == 1, "a server did not end, or ended twice"
