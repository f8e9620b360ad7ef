"""Whether vulnerabilities are known of what is installed here: ``python -m tools.audit``.

pip-audit asks PyPI. Where that cannot be reached it finds no package at all and is content; this
says so instead of looking like a good answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PIP_AUDIT = ("-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--skip-editable")


def ask() -> str:
    """What pip-audit prints; empty if it could not ask anybody."""
    done = subprocess.run(
        [sys.executable, *PIP_AUDIT], capture_output=True, text=True, check=False, timeout=600
    )
    return done.stdout


def verdict(printed: str) -> tuple[int, list[str]]:
    """The exit status for what pip-audit has printed, and what to say."""
    found: dict[str, Any] = json.loads(printed) if printed else {}
    looked_at = [each for each in found.get("dependencies", ()) if "vulns" in each]
    if not looked_at:
        return 0, ["skipped: PyPI, which knows the vulnerabilities, cannot be reached from here"]
    lines = [
        f"{each['name']} {each['version']}: {vulnerability['id']},"
        f" repaired in {', '.join(vulnerability['fix_versions']) or 'no version yet'}"
        for each in looked_at
        for vulnerability in each["vulns"]
    ]
    return (1 if lines else 0), [*lines, f"{len(looked_at)} packages looked at"]


def main(ask: Callable[[], str] = ask) -> int:
    """The command line."""
    status, lines = verdict(ask())
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
