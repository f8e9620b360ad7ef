"""What clients see of an application that they ask by plain HTTP requests (http 5)."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from improto.asgi import ImApp
from improto.config import Limits, Timing
from improto.events import CloseReason
from tests.adapters.office import LOGIN_TIME
from tests.asgi.host import Host, answer_of, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.adapters.office import Office
    from tests.asgi.host import Call

pytestmark = pytest.mark.anyio

TIMING = Timing()
TEXT = '{"sessionId":3,"classname":"RC:TxtMsg","content":"hi"}'
PULL = '{"ispolling":false,"syncTime":0}'


@pytest.fixture
async def host(host: Host) -> AsyncIterator[Host]:
    """One whose application runs."""
    async with host.app.running():
        yield host


class Page:
    """A client that polls."""

    def __init__(self, host: Host, session: str) -> None:
        self._host = host
        self.session = session

    def poll(self) -> Call:
        """Ask for what there is."""
        query = f"sessionid={self.session}&timestrap=1&pid=1"
        return ask(self._host, "GET", "/pullmsg.js", query)

    def post(self, topic: str = "ppMsgP", target: str = "bob", body: str = TEXT) -> Call:
        """Send a message, or ask a question."""
        header = 82 if topic == "pullMsg" else 50
        query = f"messageid=1&header={header}&sessionid={self.session}"
        query += f"&topic={topic}&targetid={target}"
        return ask(self._host, "POST", "/websocket", query, body)


def ask(host: Host, method: str, path: str, query: str, body: str = "") -> Call:
    call = host.call(type="http", method=method, path=path, query_string=query.encode())
    call.tell("http.request", body=body.encode())
    return call


def connecting(host: Host, token: str = "ann") -> Call:
    return ask(host, "GET", "/websocket", f"appId=app&token={token}&sdkVer=2.9.2&pid=1")


async def logged_in(host: Host, token: str = "ann") -> Page:
    call = connecting(host, token)
    await settled()
    return Page(host, said(call)["sessionid"])


def said(call: Call) -> Any:
    """What a call was answered with: JSON, or the text of an error."""
    status, headers, body = answer_of(call)
    assert headers["access-control-allow-origin"] == "*"
    return json.loads(body) if status == 200 else body.decode()


def goes_on(call: Call) -> bool:
    return not call.is_over and not call.sent


# -- while all is well ----------------------------------------------------------------------


async def test_a_conversation(host: Host) -> None:
    ann, bob = await logged_in(host), await logged_in(host, "bob")
    assert ann.session != bob.session
    for page, user in ((ann, "ann"), (bob, "bob")):
        pulled = page.post("pullMsg", user, PULL)
        await settled()
        [answer] = said(pulled)
        assert json.loads(answer["data"])["list"] == []
    held = bob.poll()
    await settled()
    assert goes_on(held)
    sent = ann.post()
    await settled()
    [acknowledged] = said(sent)
    assert (acknowledged["headerCode"], acknowledged["status"]) == (64, 0)
    [signal] = said(held)
    assert (signal["topic"], json.loads(signal["data"])["content"]) == ("s_msg", "hi")


async def test_a_login_is_answered_by_the_program(host: Host, office: Office) -> None:
    call = connecting(host)
    await settled()
    answer = said(call)
    assert (answer["status"], answer["userId"], answer["timestamp"]) == (0, "ann", LOGIN_TIME)
    office.login_status = 4
    call = connecting(host)
    await settled()
    assert said(call) == {"status": 4, "headerCode": 32, "messageId": 0}


async def test_a_poll_that_waits_has_no_task_besides_the_hosts(host: Host) -> None:
    ann = await logged_in(host)
    before = len(anyio.get_running_tasks())
    ann.poll()
    await settled()
    assert len(anyio.get_running_tasks()) == before + 1
    assert host.app.connections == 1


async def test_a_poll_is_held_for_a_while(host: Host) -> None:
    ann = await logged_in(host)
    for _ in range(3):
        held = ann.poll()
        await anyio.sleep(TIMING.poll - 0.1)
        assert goes_on(held)
        await anyio.sleep(0.2)
        assert said(held) == []
        assert host.app.connections == 0


async def test_what_a_host_tells_meanwhile_says_nothing(host: Host) -> None:
    held = (await logged_in(host)).poll()
    held.tell("http.request", body=b"more")
    await settled()
    assert goes_on(held)


async def test_the_newer_of_two_equal_polls_is_kept(host: Host) -> None:
    ann = await logged_in(host)
    older = ann.poll()
    await settled()
    newer = ann.poll()
    await settled()
    assert said(older) == []
    assert goes_on(newer)
    assert host.app.connections == 1


async def test_where_it_comes_from(host: Host, office: Office) -> None:
    call = host.call(
        type="http",
        method="GET",
        path="/websocket",
        query_string=b"appId=app&token=ann&sdkVer=2.9.2&pid=1",
        client=("192.0.2.1", 5000),
        headers=[(b"origin", b"https://example.org")],
    )
    call.tell("http.request")
    await settled()
    peer = office.peers["ann"]
    assert (peer.address, peer.origin) == ("192.0.2.1:5000", "https://example.org")


# -- clients that go ------------------------------------------------------------------------


async def test_who_leaves_while_a_poll_is_held_may_come_back(host: Host, office: Office) -> None:
    ann, bob = await logged_in(host), await logged_in(host, "bob")
    held = ann.poll()
    await settled()
    held.tell("http.disconnect")
    await settled()
    assert held.is_over
    assert held.sent == []
    assert host.app.connections == 0
    bob.post(target="ann")
    await settled()
    again = ann.poll()
    await settled()
    [notice] = said(again)
    assert notice["topic"] == "s_ntf"
    assert office.ends == []


async def test_who_polls_no_more_is_gone(host: Host, office: Office) -> None:
    ann = await logged_in(host)
    held = ann.poll()
    await settled()
    held.tell("http.disconnect")
    await anyio.sleep(TIMING.poll_absence - 0.1)
    assert office.ends == []
    await anyio.sleep(0.2)
    assert [end.reason for end in office.ends] == [CloseReason.IDLE]
    late = ann.poll()
    await settled()
    assert said(late) == "lost params"


async def test_a_host_that_gives_a_request_up(host: Host, office: Office) -> None:
    ann = await logged_in(host)
    held = ann.poll()
    await settled()
    held.cancel()
    await settled()
    assert host.app.connections == 0
    await anyio.sleep(TIMING.poll_absence + 0.1)
    assert [end.reason for end in office.ends] == [CloseReason.IDLE]


async def test_who_leaves_before_the_login_is_decided(host: Host, office: Office) -> None:
    office.decides_logins = False
    call = connecting(host)
    await settled()
    assert goes_on(call)
    call.tell("http.disconnect")
    await settled()
    assert call.sent == []
    assert len(office.ends) == 1


# -- limits and mistakes --------------------------------------------------------------------


async def test_a_mistake_of_the_program_costs_one_session(
    host: Host, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    ann, bob = await logged_in(host), await logged_in(host, "bob")
    office.error = RuntimeError("a mistake of the program")
    sent = ann.post()
    await settled()
    assert said(sent) == "lost params"
    assert "a mistake of the program" in caplog.text
    office.error = None
    sent = bob.post(target="ann")
    await settled()
    assert len(said(sent)) == 1


async def test_there_is_a_limit_of_sessions(host: Host, office: Office) -> None:
    host.app = app = ImApp(office, limits=Limits(polling_sessions=1), clock=anyio.current_time)
    async with app.running():
        await logged_in(host)
        call = connecting(host, "bob")
        await settled()
        assert said(call)["status"] == 3


async def test_a_websocket_that_the_host_cannot_open(host: Host, office: Office) -> None:
    upgrade = [(b"upgrade", b"WebSocket"), (b"connection", b"upgrade")]
    status, headers, _ = await host.request("GET", "/websocket", headers=upgrade)
    assert status == 501
    assert headers["access-control-allow-origin"] == "*"
    assert office.peers == {}


# -- the end of the application -------------------------------------------------------------


@asynccontextmanager
async def running(host: Host, office: Office) -> AsyncIterator[Host]:
    """An application of its own."""
    host.app = ImApp(office, clock=anyio.current_time)
    async with host.app.running():
        yield host


async def test_who_waits_is_sent_away(host: Host, office: Office) -> None:
    async with running(host, office):
        ann, bob = await logged_in(host), await logged_in(host, "bob")
        held = ann.poll()
        office.answers = False
        unanswered = bob.post()
        await settled()
        before = anyio.current_time()
    assert anyio.current_time() == before
    assert (said(held), said(unanswered)) == ("lost params", "lost params")
    assert [end.reason for end in office.ends] == [CloseReason.LOCAL] * 2
    late, new = ann.poll(), connecting(host)
    await settled()
    assert said(late) == "lost params"
    assert said(new)["status"] == 3


async def test_nobody_comes_in_at_the_end(host: Host, office: Office) -> None:
    async with running(host, office):
        await host.app.aclose()
        call = connecting(host)
        await settled()
        assert said(call)["status"] == 3
    assert office.peers == {}


async def test_an_end_by_an_error(host: Host, office: Office) -> None:
    held = []

    async def fail() -> None:
        async with running(host, office):
            held.append((await logged_in(host)).poll())
            await settled()
            raise RuntimeError("of the host")

    with pytest.raises(ExceptionGroup) as error:
        await fail()
    assert error.group_contains(RuntimeError, match="of the host")
    assert [said(call) for call in held] == ["lost params"]
    assert len(office.ends) == 1


async def test_an_end_by_cancellation(host: Host, office: Office) -> None:
    with anyio.CancelScope() as scope:
        async with running(host, office):
            ann = await logged_in(host)
            scope.cancel()
            await anyio.sleep_forever()
    assert [end.reason for end in office.ends] == [CloseReason.LOCAL]
    late = ann.poll()
    await settled()
    assert said(late) == "lost params"


async def test_it_can_be_switched_off(host: Host, office: Office) -> None:
    host.app = app = ImApp(office, long_polling=False, clock=anyio.current_time)
    async with app.running():
        call = connecting(host)
        await settled()
        assert said(call) == {"status": 3, "headerCode": 32, "messageId": 0}


async def test_it_runs_once(host: Host) -> None:
    with pytest.raises(RuntimeError, match="once"):
        async with host.app.running():
            """It runs already."""
    await host.app.aclose()
    with pytest.raises(RuntimeError, match="once"):
        async with host.app.running():
            """It has ended."""
