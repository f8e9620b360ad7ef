"""Lines without sockets: a hand clock, an endpoint that notes what it is told, a driver that
notes what it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto._lines import Alarm, Line, Lines, show_address
from improto.config import Limits, Timing
from improto.events import CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable

TIMING = Timing(close=1.0, linger=5.0)


class World:
    """The event loop: a clock, a timer and the end of a turn, all worked by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.wakes: list[float] = []
        self.flushes = 0
        self.reports: list[tuple[str, Exception]] = []
        self.lines = Lines(
            limits=Limits(),
            timing=TIMING,
            clock=lambda: self.now,
            flush_soon=self._flush_soon,
            wake_at=self.wakes.append,
            report=lambda address, error: self.reports.append((address, error)),
        )

    def _flush_soon(self) -> None:
        self.flushes += 1

    def at(self, now: float) -> None:
        """Let time pass and the timer ring."""
        self.now = now
        self.lines.handle_timeouts()


class Script:
    """An endpoint that does what the test says."""

    address = "peer:1"

    def __init__(self) -> None:
        self.told: list[object] = []
        self.to_send: list[bytes] = []
        self.deadline: float | None = None
        self.is_over = False
        self.is_over_after: str | None = None
        self.failing: dict[str, Exception] = {}
        self.react: Callable[[], None] | None = None

    def _note(self, name: str, *details: object) -> None:
        self.told.append((name, *details) if details else name)
        if self.is_over_after == name:
            self.is_over = True
        if name in self.failing:
            raise self.failing[name]
        if self.react is not None:
            self.react()

    def receive_data(self, data: bytes, *, now: float) -> None:
        self._note("data", data)

    def receive_eof(self, *, now: float) -> None:
        self._note("eof")

    def handle_timeout(self, *, now: float) -> None:
        self._note("timeout", now)

    def dispatch(self, *, now: float) -> None:
        self._note("dispatch")

    def shut_down(self, *, now: float) -> None:
        self._note("shut_down")

    def abandon(self, reason: CloseReason, *, now: float) -> None:
        self._note("abandon", reason)

    def pause_sending(self, *, now: float) -> None:
        self._note("pause")

    def resume_sending(self, *, now: float) -> None:
        self._note("resume")

    def data_to_send(self) -> bytes:
        data, self.to_send = b"".join(self.to_send), []
        return data

    def next_deadline(self) -> float | None:
        return self.deadline


class Probe(Line[Script]):
    """A driver whose socket is a list of what was done to it."""

    def __init__(self, world: World, endpoint: Script) -> None:
        super().__init__(world.lines)
        self.done: list[object] = []
        self.unwritten = 0
        self.on_write: Callable[[], None] | None = None
        self.open(endpoint)

    def _write(self, data: bytes) -> None:
        self.done.append(data)
        if self.on_write is not None:
            self.on_write()

    def _unwritten(self) -> int:
        return self.unwritten

    def _finish(self) -> None:
        self.done.append("finish")

    def _close(self) -> None:
        self.done.append("close")

    def _abort(self) -> None:
        self.done.append("abort")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def line(world: World, script: Script) -> Probe:
    return Probe(world, script)


# -- writing ------------------------------------------------------------------------------------


def test_what_the_endpoint_has_to_say_first_is_written_at_the_opening(
    world: World, script: Script
) -> None:
    script.to_send = [b"hello"]
    assert Probe(world, script).done == [b"hello"]
    assert len(world.lines) == 1


def test_the_answer_to_a_chunk_is_one_write(line: Probe, script: Script) -> None:
    script.to_send = [b"one", b"two"]
    line.receive_data(b"chunk")
    assert script.told == [("data", b"chunk")]
    assert line.done == [b"onetwo"]


def test_nothing_to_say_is_no_write(line: Probe) -> None:
    line.receive_data(b"chunk")
    assert line.done == []


def test_what_is_queued_at_other_times_is_written_at_the_end_of_the_turn(
    world: World, line: Probe, script: Script
) -> None:
    other_script = Script()
    other = Probe(world, other_script)
    for _ in range(3):
        line.wake()
        other.wake()
    assert world.flushes == 1
    script.to_send, other_script.to_send = [b"a", b"b"], [b"c"]
    world.lines.flush()
    assert (line.done, other.done) == ([b"ab"], [b"c"])
    assert (script.told, other_script.told) == (["dispatch"], ["dispatch"])
    world.lines.flush()
    assert script.told == ["dispatch"]
    line.wake()
    assert world.flushes == 2


def test_waking_a_line_from_within_its_own_input_costs_no_flush(
    world: World, line: Probe, script: Script
) -> None:
    script.react = line.wake
    line.receive_data(b"chunk")
    assert world.flushes == 0


def test_an_input_writes_what_was_queued_before_and_the_flush_finds_nothing(
    world: World, line: Probe, script: Script
) -> None:
    line.wake()
    line.receive_data(b"chunk")
    world.lines.flush()
    assert script.told == [("data", b"chunk")]


def test_a_flush_takes_along_what_it_causes_on_other_lines(
    world: World, line: Probe, script: Script
) -> None:
    other_script = Script()
    other = Probe(world, other_script)
    script.react = other.wake
    other_script.to_send = [b"farewell"]
    line.wake()
    world.lines.flush()
    assert other.done == [b"farewell"]
    assert world.flushes == 1


# -- time ---------------------------------------------------------------------------------------


def test_the_timer_is_set_only_when_a_deadline_gets_earlier(
    world: World, line: Probe, script: Script
) -> None:
    script.deadline = 110.0
    line.receive_data(b"")
    script.deadline = 150.0
    line.receive_data(b"")
    assert world.wakes == [110.0]
    script.deadline = 105.0
    line.receive_data(b"")
    assert world.wakes == [110.0, 105.0]


def test_a_deadline_that_has_moved_later_is_found_when_the_old_one_comes(
    world: World, line: Probe, script: Script
) -> None:
    script.deadline = 110.0
    line.receive_data(b"")
    script.deadline = 150.0
    world.at(110.0)
    assert script.told[-1] == ("timeout", 110.0)
    assert world.wakes == [110.0, 150.0]
    script.deadline = None
    world.at(150.0)
    assert world.wakes == [110.0, 150.0]


def test_one_timer_serves_all_lines(world: World) -> None:
    scripts = [Script(), Script()]
    scripts[0].deadline, scripts[1].deadline = 120.0, 110.0
    for script in scripts:
        Probe(world, script)
    assert world.wakes == [120.0, 110.0]
    world.at(109.0)
    assert [script.told for script in scripts] == [[], []]
    assert world.wakes[-1] == 110.0
    scripts[1].deadline = None
    world.at(110.0)
    assert [script.told for script in scripts] == [[], [("timeout", 110.0)]]
    assert world.wakes[-1] == 120.0


def test_an_endpoint_whose_deadline_does_not_move_cannot_stop_the_world(
    world: World, line: Probe, script: Script
) -> None:
    script.deadline = 100.0
    line.receive_data(b"")
    world.at(100.0)
    assert script.told.count(("timeout", 100.0)) == 1
    assert world.wakes == [100.0, 100.0]


def test_a_cancelled_alarm_does_not_ring_and_no_alarm_rings_twice() -> None:
    rung: list[int] = []
    alarm = Alarm(lambda: rung.append(1))
    alarm.ring()
    alarm.ring()
    cancelled = Alarm(lambda: rung.append(2))
    cancelled.cancel()
    cancelled.ring()
    assert rung == [1]


# -- the end ------------------------------------------------------------------------------------


def test_a_line_ends_in_steps(world: World, line: Probe, script: Script) -> None:
    script.to_send, script.is_over = [b"farewell"], True
    line.receive_data(b"bye")
    assert line.done == [b"farewell", "finish"]
    line.receive_data(b"still talking")
    assert script.told == [("data", b"bye")]
    line.receive_eof()
    assert line.done == [b"farewell", "finish", "close"]
    line.lost()
    assert len(world.lines) == 0
    line.receive_eof()
    line.abort()
    line.lost()
    assert line.done == [b"farewell", "finish", "close"]
    assert script.told == [("data", b"bye")]


def test_after_the_peers_end_there_is_nothing_to_wait_for(line: Probe, script: Script) -> None:
    script.is_over_after, script.to_send = "eof", [b"answer"]
    line.receive_eof()
    assert line.done == [b"answer", "close"]


def test_a_peer_that_does_not_close_gets_a_moment(
    world: World, line: Probe, script: Script
) -> None:
    script.is_over = True
    line.receive_data(b"bye")
    world.at(100.9)
    assert line.done == ["finish"]
    world.at(101.0)
    assert line.done == ["finish", "abort"]


def test_bytes_that_stay_unwritten_are_given_up(world: World, line: Probe, script: Script) -> None:
    script.is_over, line.unwritten = True, 10
    line.receive_data(b"bye")
    world.at(104.9)
    assert line.done == ["finish"]
    world.at(105.0)
    assert line.done == ["finish", "abort"]


def test_bytes_written_late_leave_the_peer_its_moment(
    world: World, line: Probe, script: Script
) -> None:
    script.is_over, line.unwritten = True, 10
    line.receive_data(b"bye")
    line.unwritten = 0
    world.at(105.0)
    assert line.done == ["finish"]
    world.at(106.0)
    assert line.done == ["finish", "abort"]


def test_a_lost_socket_is_the_end_of_the_stream(world: World, line: Probe, script: Script) -> None:
    error = ConnectionResetError()
    script.deadline, script.to_send = 110.0, [b"never written"]
    line.receive_data(b"")
    line.done.clear()
    script.to_send = [b"never written"]
    line.lost(error)
    assert script.told[-1] == "eof"
    assert line.done == []
    assert line.failure is error
    assert len(world.lines) == 0
    world.at(110.0)
    assert script.told[-1] == "eof"


def test_an_error_after_the_farewell_is_no_failure(line: Probe, script: Script) -> None:
    script.is_over = True
    line.receive_data(b"bye")
    line.lost(ConnectionResetError())
    assert line.failure is None


def test_aborting_tells_the_endpoint_and_closes_at_once(line: Probe, script: Script) -> None:
    script.to_send = [b"never written"]
    line.abort()
    assert script.told == [("abandon", CloseReason.LOCAL)]
    assert line.done == ["abort"]


def test_a_line_that_is_gone_ignores_what_the_program_still_wants(
    world: World, line: Probe, script: Script
) -> None:
    line.lost()
    script.told.clear()
    line.wake()
    line.shut_down()
    world.lines.flush()
    assert script.told == []


# -- a full socket ------------------------------------------------------------------------------


def test_a_full_socket_pauses_and_resumes(line: Probe, script: Script) -> None:
    line.congested()
    script.to_send = [b"more"]
    line.relieved()
    assert script.told == ["pause", "resume"]
    assert line.done == [b"more"]


def test_who_is_dropped_for_not_reading_gets_no_farewell(line: Probe, script: Script) -> None:
    script.is_over_after = "pause"
    line.on_write = line.congested
    script.to_send = [b"much"]
    line.receive_data(b"more!")
    assert line.done == [b"much", "finish", "abort"]


# -- a program that fails -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("data", lambda line: line.receive_data(b"x")),
        ("eof", lambda line: line.receive_eof()),
        ("dispatch", lambda line: (line.wake(), line._lines.flush())),
        ("shut_down", lambda line: line.shut_down()),
    ],
)
def test_an_exception_of_the_program_costs_one_connection(
    world: World, line: Probe, script: Script, name: str, cause: Callable[[Probe], object]
) -> None:
    script.failing[name] = error = RuntimeError("a bug")
    cause(line)
    assert world.reports == [("peer:1", error)]
    assert script.told[-1] == ("abandon", CloseReason.LOCAL)
    assert line.done == ["abort"]


def test_a_program_that_fails_to_say_goodbye_is_reported_and_closed(
    world: World, line: Probe, script: Script
) -> None:
    script.failing["abandon"] = error = RuntimeError("a bug")
    line.abort()
    assert world.reports == [("peer:1", error)]
    assert line.done == ["abort"]


# -- all lines ----------------------------------------------------------------------------------


def end_of(world: World) -> list[float]:
    """When the lines report their end."""
    ends: list[float] = []
    world.lines.on_end = lambda: ends.append(world.now)
    return ends


def test_shutting_down_says_goodbye_on_all_lines(world: World) -> None:
    probes = [Probe(world, Script()), Probe(world, Script())]
    ends = end_of(world)
    world.lines.shut_down(within=3.0)
    assert [probe.endpoint.told for probe in probes] == [["shut_down"], ["shut_down"]]
    probes[0].lost()
    assert ends == []
    probes[1].lost()
    assert ends == [100.0]
    world.at(103.0)
    assert [probe.done for probe in probes] == [[], []]


def test_without_lines_the_end_comes_at_once(world: World) -> None:
    ends = end_of(world)
    world.lines.shut_down(within=3.0)
    assert ends == [100.0]


def test_what_lives_on_lines_ends_before_them(world: World) -> None:
    told = []
    probe = Probe(world, Script())
    world.lines.on_shut_down = lambda: told.append(list(probe.endpoint.told))
    world.lines.shut_down(within=3.0)
    world.lines.abort()
    assert told == [[], ["shut_down"]]


def test_nobody_needs_to_ask_for_the_end(world: World) -> None:
    world.lines.shut_down(within=3.0)


def test_who_is_left_at_the_deadline_is_aborted(world: World, line: Probe) -> None:
    ends = end_of(world)
    world.lines.shut_down(within=3.0)
    world.lines.shut_down(within=2.0)
    world.at(102.0)
    assert line.done == ["abort"]
    assert ends == []
    line.lost()
    assert ends == [102.0]


def test_guests_are_waited_for_until_the_deadline(world: World) -> None:
    ends = end_of(world)
    world.lines.add_guest()
    world.lines.add_guest()
    world.lines.shut_down(within=3.0)
    world.lines.remove_guest()
    assert ends == []
    world.lines.remove_guest()
    assert ends == [100.0]


def test_guests_are_not_waited_for_any_longer(world: World) -> None:
    ends = end_of(world)
    world.lines.add_guest()
    world.lines.shut_down(within=3.0)
    world.at(103.0)
    assert ends == [103.0]


# -- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (("127.0.0.1", 80), "127.0.0.1:80"),
        (("::1", 80, 0, 0), "[::1]:80"),
        (None, "unknown"),
    ],
)
def test_addresses_are_shown_as_people_write_them(
    address: tuple[str, int] | None, text: str
) -> None:
    assert show_address(address) == text
