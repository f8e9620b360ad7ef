"""Settings for the whole suite: Hypothesis profiles, and skips that CI must not swallow.

Profiles, chosen by ``IMPROTO_HYPOTHESIS_PROFILE``:

* ``fast``, the default: the same few examples on every run, so a red test stays red.
* ``thorough``, the default when ``CI`` is set: many more of them, still the same on every run;
  looking for new ones is the fuzzers' business.

Neither has a deadline: a test that is slow because the machine is busy has found nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Generator

IN_CI = bool(os.environ.get("CI"))

_ON_A_BUSY_MACHINE = (HealthCheck.too_slow,)
settings.register_profile(
    "fast",
    max_examples=50,
    derandomize=True,
    deadline=None,
    suppress_health_check=_ON_A_BUSY_MACHINE,
)
settings.register_profile(
    "thorough",
    max_examples=300,
    derandomize=True,
    print_blob=True,
    deadline=None,
    suppress_health_check=_ON_A_BUSY_MACHINE,
)
settings.load_profile(os.environ.get("IMPROTO_HYPOTHESIS_PROFILE", "thorough" if IN_CI else "fast"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one when CI runs it.

    A developer without a browser may go without some tests. CI installs everything they need, so
    a skip there means that they have silently stopped running. What no installation brings is
    marked ``may_skip``.
    """
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if IN_CI and skipped and not item.get_closest_marker("may_skip"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"a test may not skip in CI: {reason}"
    return report
