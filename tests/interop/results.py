"""Who has taken part in which scenario of a run, and how it has ended: the interop table.

``tools/compatibility.py`` says what the table looks like. A scenario is a test function; one that
is only told again with other people, as ``test_mixed.py`` does, counts as the one it tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tools.compatibility import CACHE_KEY, table

if TYPE_CHECKING:
    from collections.abc import Generator

    from tools.compatibility import Result

CAST: Final = pytest.StashKey[list[str]]()
"""Of a test: who has come through its door."""


class Results:
    """A plugin that writes them down."""

    def __init__(self) -> None:
        self._results: dict[str, Result] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if item.get_closest_marker("interop") and (report.when == "call" or not report.passed):
            result = self._results.setdefault(_scenario(item), {"casts": [], "failed": []})
            if report.passed:
                result["casts"].append(sorted(item.stash.get(CAST, [])))
            else:
                reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else "failed"
                result["failed"].append(f"{item.nodeid}: {reason}")
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Only of a run that was for these tests."""
        if terminalreporter.config.option.markexpr == "interop":
            terminalreporter.section("who has taken part in which scenario")
            terminalreporter.write(table(self._results))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        # A run that is spread over processes has a part of the results in each.
        is_whole = not hasattr(session.config, "workerinput")
        if self._results and is_whole and session.config.pluginmanager.has_plugin("cacheprovider"):
            assert session.config.cache is not None
            session.config.cache.set(CACHE_KEY, self._results)


def _scenario(item: pytest.Item) -> str:
    assert isinstance(item, pytest.Function)
    function = item.function
    if hasattr(item, "callspec"):
        function = item.callspec.params.get("scenario", function)
    return f"{function.__module__.rpartition('.')[2]}.py::{function.__name__}"
