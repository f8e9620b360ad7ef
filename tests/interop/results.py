"""Who has taken part in which scenario of a run, and how it has ended: the interop table.

``tools/compatibility.py`` says what the table looks like. A scenario is a test function; one that
is only told again with other people, as ``test_mixed.py`` does, counts as the one it tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tools.compatibility import CACHE_KEY, table

if TYPE_CHECKING:
    from collections.abc import Generator

    from tools.compatibility import Result

CAST: Final = pytest.StashKey[list[str]]()
"""Of a test: who has come through its door."""

_FROM_WORKER: Final = "interop"
"""What a process that runs a part of the tests calls its results."""


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
        config = session.config
        if hasattr(config, "workeroutput"):
            config.workeroutput[_FROM_WORKER] = self._results
        elif self._results and config.pluginmanager.has_plugin("cacheprovider"):
            assert config.cache is not None
            config.cache.set(CACHE_KEY, self._results)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A process that has run a part of the tests has ended."""
        for scenario, part in getattr(node, "workeroutput", {}).get(_FROM_WORKER, {}).items():
            whole = self._results.setdefault(scenario, {"casts": [], "failed": []})
            whole["casts"] += part["casts"]
            whole["failed"] += part["failed"]


def _scenario(item: pytest.Item) -> str:
    assert isinstance(item, pytest.Function)
    function = item.function
    if hasattr(item, "callspec"):
        function = item.callspec.params.get("scenario", function)
    return f"{function.__module__.rpartition('.')[2]}.py::{function.__name__}"
