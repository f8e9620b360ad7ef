"""Rounds against the real server, and what is said of a round that fails."""

from __future__ import annotations

import os
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.checker import campaign, history
from tests.checker.__main__ import main
from tests.checker.campaign import Verdict
from tests.checker.history import Event, Failed, Sent, Shown
from tests.checker.lives import Lives
from tests.checker.round import Round, World, join
from tests.checker.rules import Promise, Violation, check
from tests.checker.script import Crash, Kill, Script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IN_CI = bool(os.environ.get("CI"))
ROUNDS = 20 if IN_CI else 3
SEED = 1

QUIET = replace(
    Script.draw(0), faults=(), cut_share=0.0, garbled_share=0.0, save_every=3, pause=0.03
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.open(tmp_path_factory.mktemp("world")) as opened:
        yield opened


def test_all_promises_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print()
        status = main(["--rounds", str(ROUNDS), "--seed", str(SEED), "--keep", str(tmp_path)])
    assert status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["servers.log"]


@pytest.mark.parametrize(
    ("violations", "status"), [([], 0), ([Violation(1, Promise.LOST, "x")], 1)]
)
@pytest.mark.parametrize("is_kept", [True, False])
def test_the_command_says_whether_it_failed_and_leaves_nothing_else_behind(
    violations: list[Violation],
    status: int,
    is_kept: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directories: list[Path] = []

    def run(rounds: int, first_seed: int, directory: Path, say: object) -> list[Verdict]:
        assert (rounds, first_seed) == (2, 5)
        directories.append(directory)
        return [Verdict(5, 10, []), Verdict(6, 10, violations)]

    monkeypatch.setattr(campaign, "run", run)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = ["--keep", str(tmp_path / "kept" / "here")] if is_kept else []
    assert main(["--rounds", "2", "--seed", "5", *kept]) == status
    assert directories[0].is_relative_to(tmp_path)
    assert directories[0].exists() is bool(is_kept or violations)


def test_a_round_does_what_its_script_says(world: World, tmp_path: Path) -> None:
    faults = ((0.2, Crash(user="ann")), (0.4, Kill(down=0.0)), (0.6, Crash(user="ben")))
    played = Round(world, replace(QUIET, faults=faults, cut_share=0.8), tmp_path / "store.db")
    played.run()
    assert check(played.events) == []
    assert played.cuts
    text = "\n".join(history.encode(event) for event in played.events)
    assert text.count('"event":"killed"') == 1
    for name in ("ann", "ben"):
        assert text.count(f'{{"event":"restarted","who":"{name}"}}') == 1


def test_a_round_that_fails_is_told_and_kept(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(events: list[Event]) -> None:
        """A message is lost between the client library and the program."""
        first = next(event for event in events if isinstance(event, Sent) and not event.is_status)
        lost = next(event for event in events if isinstance(event, Shown) and event.id == first.id)
        events.remove(lost)

    run = Round.run

    def run_and_forget(self: Round) -> None:
        run(self)
        forget(self.events)

    monkeypatch.setattr(Round, "run", run_and_forget)
    said: list[str] = []
    verdict = campaign.run_round(world, replace(QUIET, seed=7), tmp_path, said.append)
    assert Promise.LOST in {violation.promise for violation in verdict.violations}
    record = tmp_path / "seed-7.jsonl"
    events = history.read(record)
    assert check(events) == verdict.violations
    assert verdict.messages == sum(isinstance(event, Sent) for event in events)
    assert said[0].startswith(f"seed 7: {verdict.messages} messages, ")
    assert said[0].endswith(" s: FAILED")
    assert said[1] == f"  {verdict.violations[0]}"
    assert (tmp_path / "seed-7.db").exists()
    assert str(record) in said[2]
    assert "--seed 7" in said[3]


def test_a_round_that_cannot_go_on_leaves_what_it_knows(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.checker.script.Cuts.stop", _break)
    with pytest.raises(ZeroDivisionError):
        campaign.run_round(world, replace(QUIET, seed=8), tmp_path, lambda line: None)
    assert len(history.read(tmp_path / "seed-8.jsonl")) > len(QUIET.backend)


def _break(self: object) -> None:
    raise ZeroDivisionError


def test_a_server_that_tells_nobody_is_found_out(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script says that nothing is unheard, and nothing is heard all the same."""
    garble = Lives.garble
    monkeypatch.setattr(Lives, "garble", lambda self, share: garble(self, 1.0))
    monkeypatch.setattr("tests.checker.round.LONGEST_NEWS", 0.1)
    played = Round(world, replace(QUIET, pull_messages=2), tmp_path / "store.db")
    played.run()
    (failed,) = (event for event in played.events if isinstance(event, Failed))
    assert failed.what.startswith("told nobody: ")
    assert [violation.promise for violation in check(played.events)] == [Promise.WORKS]


def test_a_server_that_does_not_start_is_no_verdict(world: World, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="does not start"):
        Round(world, QUIET, tmp_path / "no" / "\0").run()


def test_a_client_that_does_not_end_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.checker.round.PATIENCE", 0.0)
    ended: Future[None] = Future()
    ended.set_result(None)
    with pytest.raises(TimeoutError, match="1 clients do not come to an end"):
        join([ended, Future()])
