"""A seed is a bad day, the same one every time."""

from __future__ import annotations

from dataclasses import replace

from tests.checker.script import TROUBLE, USERS, Crash, Kill, Script, StepClock

SCRIPTS = [Script.draw(seed) for seed in range(200)]


def test_a_seed_gives_the_same_script_again() -> None:
    for seed in (0, 7, 199):
        assert Script.draw(seed) == SCRIPTS[seed]
        first, again = Script.draw(seed).cuts(), Script.draw(seed).cuts()
        assert [first.next() for _ in range(50)] == [again.next() for _ in range(50)]


def test_every_kind_of_trouble_is_drawn() -> None:
    faults = [fault for script in SCRIPTS for _, fault in script.faults]
    assert {type(fault) for fault in faults} == {Kill, StepClock, Crash}
    assert {fault.user for fault in faults if isinstance(fault, Crash)} == set(USERS)
    steps = [fault.milliseconds for fault in faults if isinstance(fault, StepClock)]
    assert min(steps) < -60_000
    assert max(steps) > 60_000
    for value in ("cut_share", "garbled_share", "backend", "pull_messages", "pause"):
        assert len({getattr(script, value) for script in SCRIPTS}) > 1


def test_faults_come_in_order_and_in_time() -> None:
    for script in SCRIPTS:
        moments = [moment for moment, _ in script.faults]
        assert moments == sorted(moments)
        assert all(0 <= moment <= TROUBLE for moment in moments)


def test_cuts_are_a_share_of_the_connections_in_both_directions_until_they_stop() -> None:
    cuts = replace(SCRIPTS[0], cut_share=0.5).cuts()
    drawn = [cuts.next() for _ in range(400)]
    found = [cut for cut in drawn if cut is not None]
    assert 100 < len(found) < 300
    assert {cut.to_server for cut in found} == {True, False}
    assert len({cut.after for cut in found}) > 50
    cuts.stop()
    assert [cuts.next() for _ in range(50)] == [None] * 50
