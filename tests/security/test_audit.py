"""What ``make audit`` makes of pip-audit's answer; the answers here are as pip-audit gives them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tools.audit import main

if TYPE_CHECKING:
    from collections.abc import Sequence

GOOD: dict[str, Any] = {"name": "h11", "version": "0.16.0", "vulns": []}
SKIPPED = {"name": "h11", "skip_reason": "Dependency not found on PyPI"}
BAD = {
    "name": "h11",
    "version": "0.14.0",
    "vulns": [{"id": "CVE-2025-43859", "fix_versions": ["0.16.0"], "description": "..."}],
}
UNREPAIRED = {**BAD, "vulns": [{"id": "X-1", "fix_versions": []}]}


@pytest.mark.parametrize(
    ("dependencies", "status", "said"),
    [
        ([GOOD, SKIPPED], 0, "1 packages looked at"),
        ([SKIPPED], 0, "skipped: PyPI, which knows the vulnerabilities, cannot be reached"),
        ([], 0, "skipped: "),
        ([GOOD, BAD], 1, "h11 0.14.0: CVE-2025-43859, repaired in 0.16.0\n2 packages looked at"),
        ([UNREPAIRED], 1, "X-1, repaired in no version yet"),
    ],
)
def test_its_answers(
    dependencies: Sequence[object], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(lambda: json.dumps({"dependencies": dependencies, "fixes": []})) == status
    assert said in capsys.readouterr().out


def test_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(lambda: "") == 0
    assert capsys.readouterr().out.startswith("skipped: ")
