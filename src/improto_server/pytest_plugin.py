"""The fixtures ``im_server`` and ``im_user`` for the tests of applications.

pytest loads this module wherever improto is installed, so it imports the server only when a test
asks for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from improto_server.testing import ImServer, ImUser

_SCOPE = "im_server_scope"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one setting."""
    parser.addini(
        _SCOPE, "how long im_server lives: function, class, ..., session", default="function"
    )


def _scope(fixture_name: str, config: pytest.Config) -> Any:
    return config.getini(_SCOPE)


@pytest.fixture(scope=_scope)
def im_settings() -> Mapping[str, Any]:
    """Settings of the server by key; override it to change them."""
    return {}


@pytest.fixture(scope=_scope)
def im_server(
    im_settings: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ImServer]:
    """A running server with an empty store."""
    from improto_server.testing import ImServer

    with ImServer(tmp_path_factory.mktemp("im"), settings=im_settings) as server:
        yield server


@pytest.fixture
def im_user(im_server: ImServer) -> Callable[..., ImUser]:
    """Call it with a user id for somebody who may connect, see ``ImServer.user``."""
    return im_server.user


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what went over the wire if the test has failed."""
    report = yield
    server = _server_of(item)
    if report.failed and server is not None:
        report.sections.append(("im_server transcript", server.transcript))
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """What one test has caused does not trouble the next."""
    server = _server_of(item)
    if server is not None:
        server.reset()


def _server_of(item: pytest.Item) -> ImServer | None:
    server: ImServer | None = getattr(item, "funcargs", {}).get("im_server")
    return server
