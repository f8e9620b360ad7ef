"""The table in docs/compatibility.md: which client has taken part in which scenario, and with whom.

It is made of what the last run of ``make interop`` has left in pytest's cache:

    make interop && python -m tools.compatibility

A table is only written of a run in which every scenario has been told and none has failed.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from typing import TYPE_CHECKING, Final, TypedDict

from tools.layout import ROOT, TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DOCUMENT: Final = ROOT / "docs" / "compatibility.md"
BEGIN: Final = "<!-- table: make interop && python -m tools.compatibility -->\n"
END: Final = "<!-- end of table -->\n"

CACHE_KEY: Final = "improto/interop"
"""Where the tests leave the results, for pytest's cache."""
RESULTS: Final = ROOT / ".pytest_cache" / "v" / CACHE_KEY
SCENARIOS: Final = TESTS / "interop"

_HEAD_LINES: Final = 2
_FILE: Final = re.compile(r"\*\*\[(.+?)\]")

LOOPS: Final = ("asyncio", "trio")
NOBODY: Final = "-"


class Result(TypedDict):
    """How a scenario has ended, each time that it was told."""

    casts: list[list[str]]
    """Who has taken part each time: SDKs, by versions, and loops of programs."""
    failed: list[str]
    """The tests that have not passed, with the reason why one was skipped."""


def scenarios() -> dict[str, str]:
    """All scenarios, by their ids, with the title of their file.

    A test that takes a ``scenario`` tells others again, and is none itself.
    """
    found = {}
    for path in sorted(SCENARIOS.glob("test_*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        title = (ast.get_docstring(module) or "").replace("\n", " ")
        for node in module.body:
            if isinstance(node, ast.FunctionDef) and _is_scenario(node):
                found[f"{path.name}::{node.name}"] = title
    return found


def _is_scenario(function: ast.FunctionDef) -> bool:
    names = {argument.arg for argument in function.args.args}
    return function.name.startswith("test_") and "scenario" not in names


def table(results: Mapping[str, Result]) -> str:
    """The table as Markdown, one line per scenario that was told."""
    everybody = {who for result in results.values() for cast in result["casts"] for who in cast}
    sdks = sorted(everybody - {*LOOPS}, key=_age)
    columns = [*sdks, "programs only"]
    lines = [_row(["scenario", *columns]), _row(["---"] * (len(columns) + 1))]
    last = ""
    for id, title in scenarios().items():
        if id not in results:
            continue
        file, _, name = id.partition("::test_")
        if file != last:
            link = f"**[{file}](../tests/interop/{file})**: {title}"
            lines.append(_row([link, *([""] * len(columns))]))
            last = file
        casts = results[id]["casts"]
        cells = [_partners(sdk, casts) for sdk in sdks]
        lines.append(_row([name.replace("_", " "), *cells, _programs(casts)]))
    return "\n".join(lines) + "\n"


def _age(label: str) -> tuple[list[int], str]:
    """Older SDKs come first."""
    return [int(number) for number in re.findall(r"\d+", label)], label


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _partners(sdk: str, casts: list[list[str]]) -> str:
    """With whom an SDK has taken part."""
    mine = [cast for cast in casts if sdk in cast]
    if not mine:
        return NOBODY
    others = {who for cast in mine for who in cast if who != sdk}
    with_itself = ["itself"] if any(cast.count(sdk) > 1 for cast in mine) else []
    versions = sorted(others - {*LOOPS}, key=_age)
    return ", ".join([*with_itself, *versions, *sorted(others & {*LOOPS})]) or "alone"


def _programs(casts: list[list[str]]) -> str:
    mine = {who for cast in casts if set(cast) <= {*LOOPS} for who in cast}
    return ", ".join(sorted(mine)) or NOBODY


def mistakes(results: Mapping[str, Result]) -> Iterator[str]:
    """What speaks against a table of these results, one sentence each."""
    for id in scenarios():
        if id not in results:
            yield f"{id} was not told"
    for id, result in results.items():
        for failure in result["failed"]:
            yield f"{id}: {failure}"


def named(document: str) -> list[str]:
    """The scenarios that the table in a document names, as ids."""
    rows = document.split(BEGIN)[1].split(END)[0].splitlines()[_HEAD_LINES:]
    ids = []
    file = ""
    for row in rows:
        words = row.split(" | ")[0].removeprefix("| ")
        if heading := _FILE.match(words):
            file = heading[1]
        else:
            ids.append(f"{file}::test_{words.replace(' ', '_')}")
    return ids


def write(results: Mapping[str, Result], document: Path) -> None:
    """Put the table into a document."""
    before, rest = document.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    document.write_text(before + BEGIN + table(results) + END + after, encoding="utf-8")


def main() -> int:
    """Write the table of the last run, or say why not; the status of the process."""
    try:
        results: dict[str, Result] = json.loads(RESULTS.read_text(encoding="utf-8"))
    except OSError:
        print("there are no results: run make interop", file=sys.stderr)
        return 1
    wrong = list(mistakes(results))
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    if not wrong:
        write(results, DOCUMENT)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
