"""Every promise of docs/security.md names tests, and these are there."""

from __future__ import annotations

import re
from typing import Final

from tools.layout import ROOT

PAGE: Final = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
PROMISES: Final = [line for line in PAGE.splitlines() if re.match(r"\| [A-Z]", line)]


def test_every_promise_is_shown() -> None:
    assert len(PROMISES) > 20
    assert [line for line in PROMISES if "`tests/" not in line] == []


def test_the_tests_are_there() -> None:
    for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not name or re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE), name


def test_no_test_of_safety_is_forgotten() -> None:
    """What has no promise is a check of the check."""
    files = {path.name for path in (ROOT / "tests" / "security").glob("test_*.py")}
    assert {name for name in files if name not in PAGE} == {"test_audit.py", "test_promises.py"}
