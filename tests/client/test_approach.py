"""Getting connected, and every way in which that fails, on clocks that jump."""

from __future__ import annotations

import errno
import socket
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from improto.codes import ConnectionStatus
from improto.config import Limits, Timing
from improto.http import HttpResponse
from improto.session import ClientSession
from improto_client import (
    AppKeyRefused,
    ForeignStore,
    LoginFailed,
    LoginRefused,
    Malformed,
    NavigationFailed,
    NoServer,
    NoToken,
    NoWebSocket,
    Routes,
    ServerBusy,
    TokenRefused,
    approach,
    connect,
)
from improto_client._http import FetchFailed
from tests.client.places import Post, answering, connected, saying, serving, silence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

VIRTUAL_TIME = True

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]


def about(seconds: float) -> Any:
    """A clock that jumps may stop a little late."""
    return pytest.approx(seconds, abs=0.2)


async def failure(**options: Any) -> LoginFailed:
    """Why a client does not get connected; it must say so by a named exception."""
    with pytest.raises(LoginFailed) as failed:
        async with connect(**{"app_key": "app", "token": "ann"} | options):
            pytest.fail("it is connected")
    assert failed.value.name
    assert failed.value.advice
    return failed.value


class Net:
    """A network of navigators and probes: what URLs answer, and after how many seconds."""

    def __init__(self, **hosts: tuple[float, int, bytes] | FetchFailed) -> None:
        self.hosts = hosts
        self.fetched: list[tuple[float, str]] = []
        self._begun = anyio.current_time()

    async def __call__(self, url: str, *, timeout: float) -> tuple[int, bytes]:  # noqa: ASYNC109
        host, _, path = url.removeprefix("http://").partition("/")
        self.fetched.append((anyio.current_time() - self._begun, f"{host}/{path.split('?')[0]}"))
        answer = self.hosts[host.partition(":")[0]]
        if isinstance(answer, FetchFailed):
            raise answer
        wait, status, body = answer
        if wait > timeout:
            await anyio.sleep(timeout)
            raise FetchFailed("late", is_late=True)
        await anyio.sleep(wait)
        return status, body


# -- straight to a host -------------------------------------------------------------------------


async def test_straight_to_a_host() -> None:
    post = Post()
    async with serving(post) as port, connected(port, "ann") as im:
        assert (im.user_id, im.status) == ("ann", ConnectionStatus.CONNECTED)
        assert im.ended is None
        assert im.navigation == {}
        assert abs(im.clock_offset) > 0
    assert post.navigated == []
    assert im.status is ConnectionStatus.DISCONNECTED


async def test_nobody_listens(free_port: int) -> None:
    error = await failure(host="127.0.0.1", port=free_port)
    assert isinstance(error, NoServer)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (OSError(errno.EHOSTUNREACH, "no route"), 0.0),
        (socket.gaierror(socket.EAI_NONAME, "no such name"), 0.0),
        (UnicodeError("label empty or too long"), 0.0),
        (None, 10.0),
    ],
)
async def test_no_way_to_get_there(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, seconds: float
) -> None:
    @asynccontextmanager
    async def nowhere(*place: object, **options: object) -> AsyncIterator[None]:
        if error is not None:
            raise error
        await anyio.sleep_forever()
        yield

    monkeypatch.setattr(approach, "connect_of_this_loop", lambda: nowhere)
    begun = anyio.current_time()
    assert isinstance(await failure(host="example.com"), NoServer)
    assert anyio.current_time() - begun == about(seconds)


@pytest.mark.parametrize(
    ("script", "kind", "text"),
    [
        (saying(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"), NoWebSocket, "status 404"),
        (saying(b"<html>hello</html>\r\n\r\n"), NoWebSocket, "another protocol"),
        (saying(b""), NoWebSocket, "stream ended"),
    ],
)
async def test_something_else_listens(
    script: Callable[[Any], Awaitable[None]], kind: type, text: str
) -> None:
    async with answering(script) as port:
        error = await failure(host="127.0.0.1", port=port)
    assert type(error) is kind
    assert text in str(error)


@pytest.mark.parametrize(("transport", "seconds"), [("websocket", 5.0), ("auto", 10.0)])
async def test_a_host_that_says_nothing(transport: str, seconds: float) -> None:
    begun = anyio.current_time()
    async with answering(silence) as port:
        error = await failure(host="127.0.0.1", port=port, transport=transport)
    assert isinstance(error, NoServer)
    assert anyio.current_time() - begun == about(seconds)


async def test_a_host_that_never_finishes_tls() -> None:
    begun = anyio.current_time()
    async with answering(silence) as port:
        error = await failure(host="127.0.0.1", port=port, ssl=ssl.create_default_context())
    assert isinstance(error, NoServer)
    assert anyio.current_time() - begun <= 10.2


@pytest.mark.parametrize(
    ("status", "kind"),
    [(2, AppKeyRefused), (4, TokenRefused), (3, ServerBusy), (77, LoginRefused)],
)
async def test_a_refused_login(status: int, kind: type) -> None:
    post = Post()
    post.refusals = [status]
    async with serving(post) as port:
        error = await failure(host="127.0.0.1", port=port)
    assert type(error) is kind


async def test_the_session_of_somebody_else() -> None:
    session = ClientSession()
    session.user_id = "bob"
    async with serving(Post()) as port:
        error = await failure(host="127.0.0.1", port=port, session=session)
    assert isinstance(error, ForeignStore)
    assert "belongs to 'bob'" in str(error)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"navigators": "http://a", "host": "b"},
        {"navigators": "ftp://a"},
        {"navigators": [""]},
        {"host": ""},
        {"host": "", "port": 80},
        {"host": "a/b"},
        {"host": "a", "port": 0},
        {"host": "a", "port": 70_000},
        {"host": "a", "transport": "pigeons"},
        {"host": "a", "framer": "pigeons"},
    ],
)
async def test_addresses_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"navigator|host|transport|framer"):
        async with connect(app_key="app", token="ann", **options):
            pytest.fail("it is connected")


# -- navigation ---------------------------------------------------------------------------------


def navigators_of(port: int) -> str:
    return f"http://127.0.0.1:{port}"


async def test_navigation_tells_the_way() -> None:
    post = Post()
    async with serving(post) as port:
        post.navigation = {"server": f"127.0.0.1:{port}", "userId": "ann", "kvStorage": 1}
        async with connect(navigators_of(port), app_key="app", token="ann@;not a host") as im:
            assert im.navigation["kvStorage"] == 1
    assert post.navigated[0] | {"r": ""} == {
        "appId": "app",
        "token": "ann@",
        "callBack": "getServerEndpoint",
        "v": "4.6.4",
        "r": "",
    }
    assert post.logins == ["ann"]


async def test_an_answer_is_kept_for_all_who_share_it() -> None:
    post, routes = Post(), Routes()
    async with serving(post) as port:
        post.navigation = {"server": f"127.0.0.1:{port}"}
        for _ in range(2):
            async with connect(navigators_of(port), app_key="a", token="ann", routes=routes):
                pass
        assert len(post.navigated) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (HttpResponse(status=401, body=b'{"code":401}'), TokenRefused),
        (HttpResponse(status=403, body=b'{"code":403}'), AppKeyRefused),
        (HttpResponse(status=500, body=b"oops"), NavigationFailed),
        (HttpResponse(status=200, body=b"<html>"), NavigationFailed),
        (HttpResponse(status=200, body=b"\xff\x00garbage"), NavigationFailed),
        (HttpResponse(status=200, body=b"{}"), NavigationFailed),
        (HttpResponse(status=200, body=b" " * 300_000), NavigationFailed),
        (HttpResponse(status=302, headers=(("location", "/"),)), NavigationFailed),
    ],
)
async def test_navigation_that_fails(answer: HttpResponse, kind: type) -> None:
    post = Post()
    post.navigation = answer
    async with serving(post) as port:
        error = await failure(navigators=navigators_of(port))
    assert type(error) is kind


async def test_navigators_that_do_not_answer_cost_ten_seconds_each(free_port: int) -> None:
    begun = anyio.current_time()
    async with answering(silence) as port, answering(saying(b"SSH-2.0\r\n\r\n")) as other:
        error = await failure(navigators=[navigators_of(each) for each in (free_port, other, port)])
    assert isinstance(error, NavigationFailed)
    assert error.is_late
    assert anyio.current_time() - begun == about(10.0)


async def test_an_unreachable_https_navigator(free_port: int) -> None:
    error = await failure(navigators=f"https://127.0.0.1:{free_port}")
    assert isinstance(error, NavigationFailed)
    assert not error.is_late


async def test_the_next_navigator_is_asked() -> None:
    post = Post()
    async with serving(post) as port:
        post.navigation = {"server": f"127.0.0.1:{port}"}
        net = Net(a=FetchFailed("refused"), b=(20.0, 200, b""), c=(0.0, 500, b""))
        net.hosts["d"] = (0.0, 200, b'{"server":"127.0.0.1:%d"}' % port)
        asked = [f"http://{name}" for name in "abcd"]
        async with connect(asked, app_key="app", token="ann", fetch=net) as im:
            assert im.user_id == "ann"
        assert [url for _, url in net.fetched] == [f"{name}/navi.js" for name in "abcd"]
        assert net.fetched[-1][0] == about(10.0)


# -- the race -----------------------------------------------------------------------------------


async def test_the_first_host_to_answer_a_probe_wins() -> None:
    post = Post()
    async with serving(post) as port:
        body = b'{"server":"slow:1","backupServer":"127.0.0.1:%d,late:1"}' % port
        net = Net(navi=(0.0, 200, body), slow=(3.0, 200, b""), late=(0.0, 200, b""))
        net.hosts["127.0.0.1"] = (0.1, 200, b"pong")
        async with connect("http://navi", app_key="app", token="ann", fetch=net):
            pass
        assert net.fetched[1:] == [
            (about(0.0), "slow:1/ping"),
            (about(0.25), f"127.0.0.1:{port}/ping"),
        ]


async def test_a_host_that_fails_is_tried_last_next_time() -> None:
    post = Post()
    async with serving(post) as port:
        body = b'{"server":"bad:1","backupServer":"127.0.0.1:%d"}' % port
        net = Net(navi=(0.0, 200, body), bad=(0.0, 503, b""))
        net.hosts["127.0.0.1"] = (0.0, 200, b"pong")
        async with connect("http://navi", app_key="app", token="ann", fetch=net) as im:
            await im.disconnect()
            await im.reconnect()
        assert [url for _, url in net.fetched[1:]] == [
            "bad:1/ping",
            f"127.0.0.1:{port}/ping",
            f"127.0.0.1:{port}/ping",
        ]


async def test_no_host_answers() -> None:
    net = Net(
        navi=(0.0, 200, b'{"server":"a:1","backupServer":"b:1"}'),
        a=(9.0, 200, b""),
        b=(0.0, 503, b""),
    )
    begun = anyio.current_time()
    error = await failure(navigators="http://navi", fetch=net)
    assert isinstance(error, NoServer)
    assert "a:1: late" in str(error)
    assert "b:1: HTTP status 503" in str(error)
    assert anyio.current_time() - begun == about(5.0)


async def test_a_host_that_answers_probes_but_no_logins(free_port: int) -> None:
    post, busy = Post(), Post()
    busy.refusals = [3]
    async with serving(post) as port, serving(busy) as other:
        hosts = f"127.0.0.1:{other},127.0.0.1:{port}"
        body = b'{"server":"127.0.0.1:%d","backupServer":"%s"}' % (free_port, hosts.encode())
        net = Net(navi=(0.0, 200, body))
        net.hosts["127.0.0.1"] = (0.0, 200, b"pong")
        async with connect("http://navi", app_key="app", token="ann", fetch=net):
            assert (busy.logins, post.logins) == (["ann"], ["ann"])


@pytest.mark.parametrize(("status", "kind"), [(3, ServerBusy), (0, NoWebSocket)])
async def test_the_failure_that_came_nearest_is_told(
    free_port: int, status: int, kind: type
) -> None:
    busy = Post()
    busy.refusals = [3]
    script = saying(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
    async with serving(busy) as port, answering(script) as other:
        second = port if status else other
        body = b'{"server":"127.0.0.1:%d","backupServer":"127.0.0.1:%d"}' % (free_port, second)
        net = Net(navi=(0.0, 200, body))
        net.hosts["127.0.0.1"] = (0.0, 200, b"pong")
        error = await failure(navigators="http://navi", fetch=net)
    assert type(error) is kind
    assert str(free_port) in str(error)


async def test_no_host_can_be_connected_to(free_port: int) -> None:
    body = b'{"server":"127.0.0.1:%d","backupServer":"localhost:%d"}' % (free_port, free_port)
    net = Net(navi=(0.0, 200, body), localhost=(0.0, 200, b""))
    net.hosts["127.0.0.1"] = (0.0, 200, b"pong")
    error = await failure(navigators="http://navi", fetch=net)
    assert type(error) is NoServer


# -- sent elsewhere -----------------------------------------------------------------------------


async def test_a_redirect_asks_navigation_anew() -> None:
    post, old = Post(), Post()
    old.refusals = [6]
    async with serving(post) as port, serving(old) as other:
        old.navigation = {"server": f"127.0.0.1:{other}"}
        connecting = connect(navigators_of(other), app_key="app", token="ann", routes=Routes())
        real = Post.opened

        def moved(peer: Any) -> None:
            old.navigation = {"server": f"127.0.0.1:{port}"}
            real(old, peer)

        old.opened = moved  # type: ignore[method-assign]
        async with connecting:
            pass
        assert (len(old.navigated), old.logins, post.logins) == (2, ["ann"], ["ann"])


async def test_redirects_do_not_go_on_for_ever() -> None:
    post = Post()
    post.refusals = [6, 6, 6]
    async with serving(post) as port:
        post.navigation = {"server": f"127.0.0.1:{port}"}
        error = await failure(navigators=navigators_of(port))
        assert isinstance(error, ServerBusy)
        assert error.name == "RC_CONN_REDIRECTED"
        assert len(post.logins) == len(post.navigated) == 2
        error = await failure(host="127.0.0.1", port=port)
        assert isinstance(error, ServerBusy)
        assert len(post.logins) == 3


# -- tokens -------------------------------------------------------------------------------------


class Tokens:
    """Gives one token after the other."""

    def __init__(self, *tokens: Any) -> None:
        self.tokens = [*tokens]

    async def __call__(self) -> Any:
        token = self.tokens.pop(0)
        if isinstance(token, Exception):
            raise token
        return token


async def test_a_refused_token_is_fetched_anew_once() -> None:
    post = Post()
    tokens = Tokens("old", "new", "newer")
    async with serving(post) as port, connected(port, "", token=tokens) as im:
        assert post.logins == ["old"]
        await im.disconnect()
        post.refusals = [10]
        im._link.session.user_id = None
        await im.reconnect()
        assert post.logins == ["old", "old", "new"]
        await im.disconnect()
        post.refusals = [4, 4]
        im._link.session.user_id = None
        with pytest.raises(TokenRefused):
            await im.reconnect()
        assert tokens.tokens == []


async def test_a_token_that_was_just_fetched_is_not_fetched_again() -> None:
    post = Post()
    post.refusals = [4]
    async with serving(post) as port:
        error = await failure(host="127.0.0.1", port=port, token=Tokens("bad", "unused"))
    assert isinstance(error, TokenRefused)
    assert post.logins == ["bad"]


@pytest.mark.parametrize("token", [OSError(errno.EIO, "no application server"), "", None, 7])
async def test_a_token_that_cannot_be_fetched(token: Any) -> None:
    error = await failure(host="127.0.0.1", port=1, token=Tokens(token))
    assert isinstance(error, NoToken)


def test_a_token_is_in_no_log() -> None:
    account = approach.Account(
        app_key="app",
        token="secret",
        tls=ssl.create_default_context(),
        limits=Limits.for_client(),
        timing=Timing(),
    )
    assert "secret" not in repr(account)


async def test_a_connected_client_cannot_connect() -> None:
    async with serving(Post()) as port, connected(port, "ann") as im:
        with pytest.raises(Malformed, match="connected"):
            await im.reconnect()
