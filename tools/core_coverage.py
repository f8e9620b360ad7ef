"""Every core module is covered, line and branch, by its own test file.

A module's tests then say everything it does, and a bug has one place to be looked for. Coverage
from elsewhere proves little: a state machine that runs under a chat client is executed, not
checked. So each module is measured in a process of its own, with the examples that Hypothesis
would draw on any machine.

    python -m tools.core_coverage              # all of them
    python -m tools.core_coverage codec _pull  # these
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tools.layout import CORE, ROOT, core_modules, test_file

COMPLETE = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the tests of one module reached.

    ``percent`` counts lines and branches together; ``missing`` names what was not reached, and
    ``failure`` says why there is nothing to count (empty when there is).
    """

    module: str
    percent: float = 0.0
    missing: str = ""
    failure: str = ""

    @property
    def complete(self) -> bool:
        return not self.failure and self.percent == COMPLETE


def name_of(module: Path) -> str:
    """How a module is called in the table and on the command line: ``transports/websocket``."""
    return module.relative_to(CORE).with_suffix("").as_posix()


def measure(tests: Path, modules: list[Path]) -> list[Outcome]:
    """Run one test file and count what it reached in each of its modules."""
    names = [name_of(module) for module in modules]
    if not tests.exists():
        absent = f"there is no {tests.relative_to(ROOT).as_posix()}"
        return [Outcome(module=name, failure=absent) for name in names]
    with TemporaryDirectory() as scratch:
        data = Path(scratch) / "coverage"
        report = Path(scratch) / "report.json"
        run = _coverage("run", f"--data-file={data}", "-m", "pytest", "-q", str(tests))
        if run.returncode != 0:
            failed = f"its tests fail\n{run.stdout}{run.stderr}"
            return [Outcome(module=name, failure=failed) for name in names]
        include = ",".join(map(str, modules))
        export = _coverage("json", f"--data-file={data}", f"--include={include}", f"-o{report}")
        if export.returncode != 0:
            failed = export.stdout + export.stderr
            return [Outcome(module=name, failure=failed) for name in names]
        files = json.loads(report.read_text(encoding="utf-8"))["files"]
    counted = {(ROOT / path).resolve(): result for path, result in files.items()}
    return [_outcome(module, counted.get(module.resolve())) for module in modules]


def _outcome(module: Path, counted: dict[str, Any] | None) -> Outcome:
    if counted is None:
        return Outcome(module=name_of(module), failure="its tests do not import it")
    missing = [str(line) for line in counted["missing_lines"]]
    missing += [f"{start}->{_line(end)}" for start, end in counted["missing_branches"]]
    return Outcome(
        module=name_of(module),
        percent=counted["summary"]["percent_covered"],
        missing=", ".join(missing),
    )


def _coverage(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coverage", *arguments],
        cwd=ROOT,
        env={**os.environ, "IMPROTO_HYPOTHESIS_PROFILE": "fast"},
        capture_output=True,
        text=True,
        check=False,
    )


def _line(number: int) -> str:
    """A branch's end; coverage counts the way out of a function as a negative line."""
    return str(number) if number > 0 else "exit"


def main() -> int:
    """Measure, print one row per module and return how the process should end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="only these, e.g. codec transports/websocket")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (default 2)")
    arguments = parser.parse_args()

    modules = {name_of(module): module for module in core_modules()}
    if unknown := set(arguments.modules) - modules.keys():
        parser.error(f"no such core module: {', '.join(sorted(unknown))}")
    names = arguments.modules or list(modules)

    width = max(map(len, names), default=0)
    incomplete = []
    by_tests: dict[Path, list[Path]] = {}
    for name in names:
        by_tests.setdefault(test_file(modules[name]), []).append(modules[name])
    with ThreadPoolExecutor(max_workers=arguments.jobs) as pool:
        outcomes = pool.map(measure, by_tests.keys(), by_tests.values())
        for outcome in chain.from_iterable(outcomes):
            share = "  -  " if outcome.failure else f"{outcome.percent:5.1f}"
            remark = outcome.failure.partition("\n")[0] or outcome.missing
            print(f"{outcome.module:<{width}}  {share} %  {remark}".rstrip(), flush=True)
            if not outcome.complete:
                incomplete.append(outcome)

    for outcome in incomplete:
        if "\n" in outcome.failure:
            print(f"\n{outcome.module}: {outcome.failure}")
    if incomplete:
        print(
            f"\n{len(incomplete)} of {len(names)} core modules are not covered by their own tests"
        )
        return 1
    print(f"\n{len(names)} core modules, each covered completely by its own tests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
