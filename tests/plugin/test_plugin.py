"""The fixtures, as a program's own tests use them, and the samples of docs/testing-your-app.md."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

import improto_trio  # noqa: F401
from improto_server.testing import ImServer
from tests.samples import DOCS, programs
from tools.layout import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ("pytester",)

PLUGIN = "improto_server.pytest_plugin"
PAGE = DOCS / "testing-your-app.md"


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported() -> None:
    """What a run imports is forgotten after it, and not everything bears to come twice."""
    with ImServer() as server, server.user("alice").online() as alice:
        alice.send("bob", "hello")


@pytest.fixture
def run(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Run a text as somebody's test file."""

    def run(source: str, *, ini: str = "") -> pytest.RunResult:
        pytester.makeini(f"[pytest]\n{ini}\n")
        pytester.makepyfile(source)
        return pytester.runpytest_inprocess(
            "-p", "no:cacheprovider", "-W", "error", plugins=[import_module(PLUGIN)]
        )

    return run


Run = Any


def test_it_is_installed_under_its_own_name() -> None:
    """So pytest does not load it twice if it is named on the command line as well."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["entry-points"]["pytest11"] == {PLUGIN: PLUGIN}
    assert import_module(PLUGIN).im_server


def test_a_server_for_each_test(run: Run) -> None:
    result = run(
        """
        servers = []

        def test_one(im_server, im_user):
            servers.append(im_server)
            with im_user("alice").online() as alice:
                alice.send("bob", "hello")

        def test_two(im_server):
            assert im_server not in servers
            assert im_server.transcript == ""
        """
    )
    result.assert_outcomes(passed=2)


def test_one_server_for_all_tests(run: Run) -> None:
    result = run(
        """
        import pytest
        from improto.errors import ConnectionEnded

        servers = []

        def test_one(im_server, im_user):
            servers.append(im_server)
            im_server.refuse("alice", times=100)
            with pytest.raises(ConnectionEnded), im_user("alice").online():
                pass

        def test_two(im_server, im_user):
            assert servers == [im_server]
            assert im_server.transcript == ""
            with im_user("alice").online() as alice:
                alice.send("bob", "hello")
        """,
        ini="im_server_scope = session",
    )
    result.assert_outcomes(passed=2)


def test_settings_may_be_others(run: Run) -> None:
    result = run(
        """
        import pytest

        @pytest.fixture(scope="module")
        def im_settings():
            return {"messages.multi_device": True}

        def test_both(im_server, im_user):
            alice = im_user("alice", name="Alice")
            with alice.online(), alice.online():
                assert im_server.connections("alice") == 2
        """,
        ini="im_server_scope = module",
    )
    result.assert_outcomes(passed=1)


def test_a_failure_is_explained(run: Run) -> None:
    result = run(
        """
        def test_before(im_user):
            with im_user("carol").online():
                pass

        def test_it(im_user):
            with im_user("alice").online() as alice:
                alice.send("bob", "hello")
                assert False

        def test_without_a_server():
            assert False
        """,
        ini="im_server_scope = session",
    )
    result.assert_outcomes(passed=1, failed=2)
    output = result.stdout.str()
    assert output.count("im_server transcript") == 1
    result.stdout.re_match_lines(
        [
            r".*- im_server transcript -.*",
            r" +\d+\.\d{3} alice/2 comes from 127.0.0.1:\d+, SDK 4.6.4",
            r" +\d+\.\d{3} alice/2 <- CONNACK 0",
            r'.* alice/2 -> ppMsgP #2 to bob: RC:TxtMsg {"content":"hello"}',
            r".* alice/2 <- PUBACK #2: 0 \S+",
        ]
    )
    assert "carol" not in output


def test_nothing_is_imported_that_is_not_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert "improto_server.pytest_plugin" in sys.modules
            assert not {"improto", "anyio", "sqlalchemy"} & set(sys.modules)
        """
    )
    # Plugins of other people import what they like.
    result = pytester.runpytest_subprocess(
        "-p", PLUGIN, *("-pno:" + name for name in ("anyio", "hypothesispytest", "schemathesis"))
    )
    result.assert_outcomes(passed=1)


# -- the manual -----------------------------------------------------------------------------


def sample(number: int) -> str:
    return programs(PAGE)[number]


def test_a_program_on_an_event_loop(run: Run) -> None:
    run(sample(0)).assert_outcomes(passed=2)


def test_a_page_in_a_browser(run: Run) -> None:
    """The page here is one of our own clients."""
    page = """
class Page:
    def __init__(self, url, app_key, token):
        self.user = user = ImUser(server, "visitor", token)
        assert (url, app_key) == (server.navigation_url, server.app_key)
        self.stack = ExitStack()
        self.client = self.stack.enter_context(user.online())

    def has(self, text):
        return self.client.receive().decoded().content == text

    def type(self, text):
        self.client.send("clerk", text)

from contextlib import ExitStack
import pytest
from improto_server.testing import ImUser

@pytest.fixture(autouse=True)
def pages(im_server):
    global server, open_page
    server, pages = im_server, []
    def open_page(*arguments):
        pages.append(Page(*arguments))
        return pages[-1]
    yield
    for page in pages:
        page.stack.close()
"""
    run(page + sample(1)).assert_outcomes(passed=1)


def test_groups_and_rooms(run: Run) -> None:
    run(sample(2)).assert_outcomes(passed=1)


def test_the_applications_server(run: Run) -> None:
    run(sample(3)).assert_outcomes(passed=1)


def test_trouble(run: Run) -> None:
    run(sample(4)).assert_outcomes(passed=2)


def test_other_settings(run: Run) -> None:
    check = """
def test_it(im_server, im_user):
    with im_user("alice").online(), im_user("alice").online():
        assert im_server.connections("alice") == 2
"""
    run(sample(5) + check).assert_outcomes(passed=1)


def test_without_pytest(capsys: pytest.CaptureFixture[str]) -> None:
    exec(sample(6), {})
    assert "hello" in capsys.readouterr().out


def test_the_table_of_trouble_is_complete() -> None:
    """Every call that the table names is there, and the other way round."""
    rows = re.findall(r"^\| `(\w+)\(", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert all(callable(getattr(ImServer, name)) for name in rows)
    assert set(rows) == {
        "cut",
        "kick",
        "delay",
        "drop_notifications",
        "refuse",
        "refuse_requests",
        "step_clock",
        "reset",
    }
