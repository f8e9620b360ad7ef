"""Pages with the SDKs have the troubles that tests of applications give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto.codes import ConnAckStatus
from improto_server.testing import ImServer
from tests.interop.party import nothing_more, online

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.interop.conftest import Door
    from tests.interop.party import Party

pytestmark = pytest.mark.interop


class Double(ImServer):
    """With the name by which pages ask for its address."""

    @property
    def navigation(self) -> str:
        return self.navigation_url


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    with Double(tmp_path) as server:
        yield server
        print(server.transcript)


def heard(page: Party) -> str:
    (message,) = page.take(1)
    return message.content["content"]


def test_a_page_has_its_troubles(door: Door, double: Double) -> None:
    anna = online(door.page(double))
    with double.user("bert").online() as bert:
        bert.send(anna.user, "hello")
        assert heard(anna) == "hello"
        # She may be back before anybody looks.
        said = anna.script("() => im.statuses.length")
        double.cut(anna.user)
        anna.wait_for(f"statuses.length > {said}")
        bert.send(anna.user, "while she is away")
        anna.wait_back()
        assert heard(anna) == "while she is away"
        double.delay(anna.user, 0.2)
        anna.send_all("bert", [{"content": "slowly"}])
        assert bert.receive().decoded().content == "slowly"
        double.delay(anna.user, 0)
        nothing_more(anna)
        double.kick(anna.user)
        *_, last = anna.sdk.kicked
        anna.wait_for(f"statuses.includes({last!r})")


def test_a_page_is_not_let_in(door: Door, double: Double) -> None:
    anna = door.page(double)
    # SDK 2.9.2 tries the other spelling of the address as well.
    double.refuse(anna.user, ConnAckStatus.BLOCK, times=2)
    answer = anna.log_in(double.token(anna.user))
    assert "result" not in answer
