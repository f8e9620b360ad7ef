"""The administration: who may, and what it shows and does."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from starlette.requests import ClientDisconnect, Request

from improto.codes import ConversationType, DisconnectStatus, ErrorCode
from improto.config import Limits
from improto.messages import Conversation
from improto_server.accounts.guesses import FREE_BY_ACCOUNT
from improto_server.accounts.refusals import RefusedError
from improto_server.admin.calls import (
    MOST_DEVICES,
    TEXT_CHARACTERS,
    AdminCalls,
    Block,
    Broadcast,
    OfRoom,
    OfUser,
    Page,
    Wanted,
)
from improto_server.admin.gate import Gate
from improto_server.admin.server import LOGGED_CHARACTERS, Administration
from improto_server.admin.traffic import Traffic
from improto_server.config import SettingsError, load
from improto_server.errors import ServiceError
from improto_server.store import Place, StoreError, app_accounts, chatrooms, overview
from improto_server.testing import ImServer
from tests.server.rig import APP, START, Rig
from tests.server.room_tools import join
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

TOKEN = "t" * 32


# -- the calls -------------------------------------------------------------------------


class Desk:
    """An operator at a rig."""

    def __init__(self, path: Path, apps: tuple[str, ...] = (APP,), **options: Any) -> None:
        self.rig = Rig(path, **options)
        self.traffic = Traffic(lambda: self.rig.now)
        self.failures: list[Exception] = []
        self.calls = AdminCalls(
            apps=apps,
            system=self.rig.system,
            traffic=self.traffic,
            storage=lambda: {"database": 3, "free": 4},
            version="1.2.3",
            on_failure=self.failures.append,
        )

    def ask(self, name: str, body: Any) -> Any:
        return self.rig.do(getattr(self.calls, name)(body))

    def users(self, **asked: Any) -> list[str]:
        return [each["user"] for each in self.ask("users", Wanted(**asked))["users"]]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def refused(desk: Desk, name: str, body: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        desk.ask(name, body)
    return caught.value


def test_how_the_server_is(tmp_path: Path) -> None:
    desk = Desk(tmp_path, (APP, "other"), multi_device=True)
    rig = desk.rig
    for app, name in ((APP, "alice"), (APP, "alice"), ("other", "zoe")):
        rig.online(name, app=app)
    rig.do(rig.system.rooms.create(APP, "tea"))
    rig.do(rig.system.standings.ban((APP, "eve"), until=rig.wall + 1))
    rig.do(rig.system.standings.ban((APP, "max"), until=rig.wall - 1))
    rig.advance(30)
    for _ in range(3):
        desk.traffic.count()
    rig.wall = START
    assert desk.ask("status", None) == {
        "version": "1.2.3",
        "time": START,
        "uptime": 30,
        "users": 2,
        "connections": 3,
        "rooms": 1,
        "messages": {"perSecond": 0.1, "lastMinute": 3, "total": 3},
        "storage": {"database": 3, "free": 4},
        "apps": [
            {"app": APP, "users": 1, "connections": 2, "rooms": 1, "blocked": 1},
            {"app": "other", "users": 1, "connections": 1, "rooms": 0, "blocked": 0},
        ],
    }


def test_rooms_are_counted_as_they_come_and_go(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    rig = desk.rig
    rooms = rig.system.rooms
    for room in ("tea", "tea", "milk"):
        rig.do(rooms.create(APP, room))
    rig.do(rooms.change(APP, "milk", is_kept=True))
    assert rooms.count[APP] == 2
    rig.store.broken = StoreError("no")
    for failing in (rooms.create(APP, "new"), rooms.destroy(APP, "tea")):
        with pytest.raises(ServiceError):
            rig.do(failing)
    assert rooms.count[APP] == 2


def test_a_room_that_is_destroyed_does_not_count(desk: Desk) -> None:
    rooms = desk.rig.system.rooms
    desk.rig.do(rooms.create(APP, "tea"))
    desk.rig.do(rooms.destroy(APP, "tea"))
    assert rooms.count[APP] == 0


def test_messages_of_the_last_minute() -> None:
    now = 0.0
    traffic = Traffic(lambda: now)
    assert (traffic.last_minute, traffic.per_second) == (0, 0.0)
    traffic.count()
    assert traffic.per_second == 1.0
    now = 30.0
    traffic.count()
    traffic.count()
    assert (traffic.last_minute, traffic.per_second) == (3, 0.1)
    now = 60.0
    assert traffic.last_minute == 2
    now = 90.0
    assert (traffic.last_minute, traffic.total) == (0, 3)


def test_users_are_found_by_the_beginning_of_their_ids(desk: Desk) -> None:
    desk.rig.do(desk.rig.system.users.register(APP, "anna", name="Anna <b>"))
    for name in ("ann", "annex", "bert", "a_z", "an"):
        desk.rig.do(desk.rig.system.users.register(APP, name, name=""))
    desk.rig.do(desk.rig.system.users.register("other", "anton", name=""))
    assert desk.users(query="ann") == ["ann", "anna", "annex"]
    assert desk.users(query="x") == []
    for name in ("anna", "anne", "zoe"):
        desk.rig.online(name)
    assert desk.users(query="ann") == ["ann", "anna", "anne", "annex"]
    first = desk.ask("users", Wanted(query="an", count=2))
    assert [each["user"] for each in first["users"]] == ["an", "ann"]
    assert first["next"] == "ann"
    last = desk.ask("users", Wanted(query="an", count=2, after="ann"))
    assert last["next"] == "anne"
    assert last["users"][0] == {
        "user": "anna",
        "name": "Anna <b>",
        "connections": 1,
        "devices": [{"address": "192.0.2.1:5000", "sdk": "4.6.4", "isPolling": False}],
        "blockedUntil": 0,
    }


def test_accounts_are_found_by_the_beginning_of_their_names(desk: Desk) -> None:
    def change(connection: Any) -> None:
        app_accounts.open_account(connection, app=APP, user="u-17", name="Kim", now=START)

    rig = desk.rig
    rig.do(rig.system.users.register(APP, "u-17", name="Kim"))
    rig.do(rig.system.users.register(APP, "kiosk", name=""))
    rig.do(_written(rig, change))
    assert desk.users(query="ki") == ["u-17", "kiosk"]
    assert desk.users(query="ki", after="a") == ["kiosk"]
    assert desk.users(query="u-17") == ["u-17"]
    assert "u-17" in desk.users()


async def _written(rig: Rig, change: Any) -> None:
    await rig.system.data.write(change)


def test_only_who_is_online(tmp_path: Path) -> None:
    desk = Desk(tmp_path, multi_device=True)
    for name in ("carol", "alice", "bob"):
        desk.rig.online(name)
    desk.rig.online("adam", app="other")
    for _ in range(MOST_DEVICES):
        desk.rig.online("bob", "5.1.0")
    assert desk.users(online=True) == ["alice", "bob", "carol"]
    assert desk.users(online=True, query="c") == ["carol"]
    page = desk.ask("users", Wanted(online=True, after="alice", count=1))
    assert page["next"] == "bob"
    (bob,) = page["users"]
    assert bob["connections"] == MOST_DEVICES + 1
    assert len(bob["devices"]) == MOST_DEVICES
    assert bob["devices"][:2] == [
        {"address": "192.0.2.1:5000", "sdk": sdk, "isPolling": False} for sdk in ("4.6.4", "5.1.0")
    ]


def test_nothing_reads_whole_tables(desk: Desk) -> None:
    def plans(connection: Connection) -> list[str]:
        with query_plans(connection) as found:
            overview.users_by_id(connection, app=APP, start="a", after="ab", count=5)
            overview.users_by_name(connection, app=APP, start="a", count=5)
            overview.these_users(connection, app=APP, names=["ann", "bob"])
            overview.rooms(connection, app=APP, after="a", count=5)
        return found

    steps = desk.rig.store.ask(plans)
    assert steps
    tables = [step for step in steps if step not in ("SCAN CONSTANT ROW", "SCAN (subquery-1)")]
    assert [step for step in tables if "SCAN" in step or "TEMP B-TREE" in step] == []


def test_a_kick_ends_the_connections(tmp_path: Path) -> None:
    desk = Desk(tmp_path, multi_device=True)
    clients = [desk.rig.online("alice") for _ in range(2)]
    assert desk.ask("kick", OfUser(user="alice")) == {"connections": 2}
    for client in clients:
        assert client.frames()[-1].status == DisconnectStatus.REMOTE_CLOSE
    assert desk.ask("kick", OfUser(user="alice")) == {"connections": 0}
    assert desk.rig.client("alice").peer.is_open


def test_who_is_blocked_cannot_connect(desk: Desk) -> None:
    client = desk.rig.online("alice")
    until = START + 5 * 60_000
    desk.rig.wall = START
    assert desk.ask("block", Block(user="alice", minutes=5)) == {"blockedUntil": until}
    assert client.frames()[-1].status == DisconnectStatus.BLOCK
    assert not desk.rig.client("alice").peer.is_open
    assert desk.ask("block", Block(user="eve", minutes=1))
    listed = desk.ask("blocked", Page())
    assert listed["users"] == [
        {"user": "alice", "blockedUntil": until},
        {"user": "eve", "blockedUntil": START + 60_000},
    ]
    assert desk.ask("blocked", Page(count=1))["next"] == "alice"
    assert desk.ask("blocked", Page(after="alice"))["users"][0]["user"] == "eve"
    (alice,) = desk.ask("users", Wanted(query="alice"))["users"]
    assert alice["blockedUntil"] == until
    assert desk.ask("unblock", OfUser(user="alice")) == {}
    assert desk.rig.client("alice").peer.is_open
    desk.rig.advance(61)
    assert desk.ask("blocked", Page()) == {"users": [], "next": ""}


def test_rooms_and_their_end(desk: Desk) -> None:
    rig = desk.rig
    assert desk.ask("rooms", Page()) == {"rooms": [], "next": ""}
    rig.do(rig.system.rooms.create(APP, "tea", name="Tea & <i>"))
    rig.do(rig.system.rooms.create(APP, "milk"))
    rig.do(rig.system.rooms.change(APP, "milk", is_kept=True, is_muted=True))
    alice = rig.online("alice")
    join(alice, room="tea")
    listed = desk.ask("rooms", Page(count=1))
    assert listed["next"] == "milk"
    (milk,) = listed["rooms"]
    assert (milk["members"], milk["isMuted"], milk["isKept"]) == (0, True, True)
    (tea,) = desk.ask("rooms", Page(after="milk"))["rooms"]
    assert (tea["name"], tea["members"], tea["isMuted"]) == ("Tea & <i>", 1, False)
    assert desk.ask("destroy", OfRoom(room="tea")) == {"members": 1}
    assert [each["room"] for each in desk.ask("rooms", Page())["rooms"]] == ["milk"]
    gone = refused(desk, "destroy", OfRoom(room="tea"))
    assert (gone.code, gone.field) == ("no_such_room", "room")


def test_a_room_that_nobody_has_asked_for_is_empty(desk: Desk) -> None:
    place = Place(APP, ConversationType.CHATROOM, "tea")
    make = partial(chatrooms.create, place=place, name="", time=START)
    desk.rig.do(_written(desk.rig, make))
    (tea,) = desk.ask("rooms", Page())["rooms"]
    assert (tea["created"], tea["members"]) == (START, 0)


@pytest.mark.parametrize("to", ["everybody", "online", "rooms"])
def test_a_broadcast(desk: Desk, to: Any) -> None:
    rig = desk.rig
    rig.do(rig.system.users.register(APP, "alice", name=""))
    alice = rig.online("alice")
    rig.do(rig.system.rooms.create(APP, "tea"))
    join(alice, room="tea")
    alice.frames()
    assert desk.ask("broadcast", Broadcast(text='Good "night"', to=to)) == {}
    rig.settle()
    if to == "rooms":
        room = rig.system.rooms.get(APP, "tea")
        assert room is not None
        (said,) = room._messages
        assert (said.sender, b'{"content":"Good \\"night\\""}' in said.item) == ("system", True)
    else:
        frames = b"".join(getattr(frame, "data", b"") for frame in alice.frames())
        pulled = alice.pull_all()
        found = frames + b"".join(each.content for each in pulled)
        assert b'{"content":"Good \\"night\\""}' in found
    assert desk.failures == []


def test_a_broadcast_that_fails_later(desk: Desk) -> None:
    desk.rig.store.broken = StoreError("no")
    assert desk.ask("broadcast", Broadcast(text="hello", to="everybody")) == {}
    assert [type(each) for each in desk.failures] == [ServiceError]


def test_a_broadcast_that_is_too_long(desk: Desk, tmp_path: Path) -> None:
    text = "语" * TEXT_CHARACTERS
    assert desk.ask("broadcast", Broadcast(text=text, to="online")) == {}
    (tmp_path / "small").mkdir()
    small = Desk(tmp_path / "small", limits=Limits(content_bytes=1024))
    with pytest.raises(ServiceError) as caught:
        small.ask("broadcast", Broadcast(text=text, to="everybody"))
    assert caught.value.code is ErrorCode.RC_MSG_CONTENT_EXCEED_LIMIT


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("kick", OfUser(user="a b"), "user"),
        ("block", Block(user="rongcloudsystem", minutes=1), "user"),
        ("unblock", OfUser(user="<script>"), "user"),
        ("destroy", OfRoom(room="a b"), "room"),
        ("broadcast", Broadcast(text="x", to="online", sender="a b"), "sender"),
        ("users", Wanted(app="nothing"), "app"),
        ("rooms", Page(app="nothing"), "app"),
    ],
)
def test_what_cannot_be(desk: Desk, name: str, body: Any, field: str) -> None:
    refusal = refused(desk, name, body)
    assert (refusal.status, refusal.code, refusal.field) == (400, "invalid", field)


def test_one_of_several_apps_must_be_named(tmp_path: Path) -> None:
    desk = Desk(tmp_path, (APP, "other"))
    assert str(refused(desk, "users", Wanted())) == "app must be one of app, other"
    desk.rig.online("zoe", app="other")
    assert desk.users(app="other", online=True) == ["zoe"]
    assert desk.ask("kick", OfUser(app=APP, user="zoe")) == {"connections": 0}


# -- who may ---------------------------------------------------------------------------


def request(client: str | None = "127.0.0.1", path: str = "/admin/status", **headers: str) -> Any:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "path": path,
            "query_string": b"",
            "headers": [
                (name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()
            ],
            "client": None if client is None else (client, 1),
        }
    )


class Door:
    """A gate with a hand clock."""

    def __init__(self, *, is_open: bool = False, proxies: int = 0) -> None:
        self.now = 0.0
        self.gate = Gate(TOKEN, is_open=is_open, proxies=proxies, monotonic=lambda: self.now)

    def try_(
        self, token: str | None = TOKEN, client: str | None = "127.0.0.1", **headers: str
    ) -> str:
        """The caller's address, or the code of the refusal."""
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        try:
            return self.gate.check(request(client, **headers))
        except RefusedError as error:
            return error.code


def test_the_token_lets_in() -> None:
    door = Door()
    assert door.try_() == "127.0.0.1"
    assert door.try_(client="::1") == "::1"
    assert door.try_(None) == "token_needed"
    for wrong in ("", "t", TOKEN + "t", TOKEN[:-1], "é" * 32):
        assert door.try_(wrong) == "wrong_token"
        assert door.try_() == "127.0.0.1"


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "via", "x_real_ip"])
def test_only_from_this_machine(header: str) -> None:
    door = Door()
    assert door.try_(client="192.0.2.1") == "not_here"
    assert door.try_(client=None) == "not_here"
    assert door.try_(client="a-socket") == "not_here"
    assert door.try_(**{header: "127.0.0.1"}) == "not_here"


def test_from_anywhere_if_that_is_wanted() -> None:
    door = Door(is_open=True, proxies=1)
    assert door.try_(client="192.0.2.1") == "192.0.2.1"
    assert door.try_(client=None) == ""
    assert door.try_(x_forwarded_for="198.51.100.1, 192.0.2.7") == "192.0.2.7"


def test_who_guesses_waits() -> None:
    door = Door(is_open=True)
    for _ in range(FREE_BY_ACCOUNT + 1):
        assert door.try_("x", "192.0.2.1") == "wrong_token"
    assert door.try_(TOKEN, "192.0.2.1") == "locked"
    assert door.try_(TOKEN, "192.0.2.2") == "192.0.2.2"
    door.now += 2.0
    assert door.try_(TOKEN, "192.0.2.1") == "192.0.2.1"


def test_who_sends_no_token_guesses_nothing() -> None:
    door = Door()
    for _ in range(100):
        assert door.try_(None) == "token_needed"
    assert door.try_() == "127.0.0.1"


@pytest.mark.parametrize("token", ["t" * 31, "t" * 257, "t" * 31 + " ", "t" * 31 + "é"])
def test_a_token_must_be_long(token: str) -> None:
    with pytest.raises(SettingsError, match=r"web\.admin_token must be 32 to 256 characters"):
        load(environment={}, overrides={"web.admin_token": token})


def test_the_token_is_not_shown() -> None:
    settings = load(environment={}, overrides={"web.admin_token": TOKEN})
    assert TOKEN not in repr(settings)


# -- at the web port -------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[ImServer]:
    settings = {"web.enabled": True, "web.port": 0, "web.admin_token": TOKEN}
    with ImServer(settings=settings) as server:
        yield server


@pytest.fixture(scope="module")
def web(server: ImServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=server.web_url, headers=headers, trust_env=False) as client:
        yield client


def test_it_is_not_there_without_a_token(tmp_path: Path) -> None:
    with (
        ImServer(settings={"web.enabled": True, "web.port": 0}) as server,
        httpx.Client(base_url=server.web_url, trust_env=False) as web,
    ):
        for path in ("/admin", "/admin/status"):
            assert web.get(path).status_code == 404


def test_calls_by_http(server: ImServer, web: httpx.Client) -> None:
    alice, bob = server.user("alice"), server.user("bob")
    with alice.online() as sender, bob.online():
        sender.send("bob", "hello")
        status = web.get("/admin/status").json()
        assert (status["users"], status["connections"]) == (2, 2)
        assert status["messages"]["total"] >= 1
        assert status["storage"]["database"] > 0
        (found,) = web.get("/admin/users", params={"query": "bob", "online": "true"}).json()[
            "users"
        ]
        assert (found["user"], found["connections"]) == ("bob", 1)
        assert web.post("/admin/kick", json={"user": "bob"}).json() == {"connections": 1}
    server.room("tea")
    assert web.get("/admin/rooms").json()["rooms"][0]["room"] == "tea"
    assert web.post("/admin/rooms/destroy", json={"room": "tea"}).json() == {"members": 0}


def test_all_messages_are_counted(server: ImServer, web: httpx.Client) -> None:
    before = web.get("/admin/status").json()["messages"]["total"]
    with server.user("carol").online() as carol:
        for _ in range(3):
            carol.send(Conversation.private("bob"), "hello")
    assert web.get("/admin/status").json()["messages"]["total"] == before + 3


@pytest.mark.parametrize("path", ["/admin/status", "/admin/users", "/admin/kick", "/admin/nothing"])
@pytest.mark.parametrize("given", ["", "Bearer x", TOKEN, f"Basic {TOKEN}"])
def test_nothing_without_the_token(
    server: ImServer, web: httpx.Client, path: str, given: str
) -> None:
    headers = {"Authorization": given} if given else {}
    method = "POST" if path == "/admin/kick" else "GET"
    url = server.web_url + path
    answer = httpx.request(method, url, headers=headers, json={"user": "x"}, trust_env=False)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == ("wrong_token" if given else "token_needed")
    # The right token, so that the next one does not have to wait.
    assert web.get("/admin/status").status_code == 200


def test_a_cookie_or_a_form_is_no_token(server: ImServer) -> None:
    """What a page of somebody else could make a browser send."""
    answer = httpx.post(
        server.web_url + "/admin/kick",
        content=b'{"user":"alice"}',
        headers={
            "Cookie": f"token={TOKEN}",
            "Content-Type": "text/plain",
            "Origin": "http://evil.example",
        },
        trust_env=False,
    )
    assert answer.status_code == 401
    preflight = httpx.options(
        server.web_url + "/admin/kick",
        headers={
            "Origin": "http://evil.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        },
        trust_env=False,
    )
    assert preflight.status_code >= 400
    assert "access-control-allow-origin" not in preflight.headers


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "code", "field"),
    [
        ("GET", "/admin/nothing", {}, 404, "not_found", ""),
        ("GET", "/admin/kick", {}, 405, "wrong_method", ""),
        ("POST", "/admin/status", {"json": {}}, 405, "wrong_method", ""),
        ("POST", "/admin/kick", {"json": {}}, 400, "invalid", "user"),
        ("POST", "/admin/kick", {"json": {"user": "x", "y": 1}}, 400, "invalid", "y"),
        ("POST", "/admin/kick", {"json": {"user": "x" * 65}}, 400, "too_long", "user"),
        ("POST", "/admin/kick", {"content": b"user=x"}, 415, "not_json", ""),
        (
            "POST",
            "/admin/block",
            {"json": {"user": "x", "minutes": 0}},
            400,
            "out_of_range",
            "minutes",
        ),
        (
            "POST",
            "/admin/broadcast",
            {"json": {"text": "", "to": "online"}},
            400,
            "too_short",
            "text",
        ),
        ("POST", "/admin/broadcast", {"json": {"text": "x", "to": "me"}}, 400, "invalid", "to"),
        ("POST", "/admin/rooms/destroy", {"json": {"room": "none"}}, 404, "no_such_room", "room"),
        ("GET", "/admin/users", {"params": {"count": "101"}}, 400, "out_of_range", "count"),
        ("GET", "/admin/users", {"params": {"app": "none"}}, 400, "invalid", "app"),
    ],
)
def test_what_is_wrong_is_said(
    web: httpx.Client, method: str, path: str, given: Any, status: int, code: str, field: str
) -> None:
    answer = web.request(method, path, **given)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error.get("field", "")) == (status, code, field)
    assert answer.headers["cache-control"] == "no-store"


def test_what_is_done_is_logged(web: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    web.get("/admin/status")
    web.post("/admin/kick", json={"user": "x"})
    text = "two\nlines" + "x" * LOGGED_CHARACTERS
    web.post("/admin/broadcast", json={"text": text, "to": "online"})
    kicked, told = (each.getMessage() for each in caplog.records)
    assert kicked == "the operator at 127.0.0.1 has called /kick: OfUser(app='', user='x')"
    assert "\n" not in told
    assert len(told) < LOGGED_CHARACTERS + 100
    assert TOKEN not in caplog.text


def test_the_page_and_its_rules(server: ImServer) -> None:
    page = httpx.get(server.web_url + "/admin", trust_env=False)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    moved = httpx.get(server.web_url + "/admin/", trust_env=False)
    assert moved.headers["location"] == "../admin"


def administration(path: Path) -> Administration:
    settings = load(environment={}, overrides={"web.admin_token": TOKEN})
    rig = Rig(path)
    return Administration(
        settings, system=rig.system, database=rig.store.store.path, monotonic=lambda: 0.0
    )


def test_the_page_is_for_this_machine(tmp_path: Path) -> None:
    async def ask() -> int:
        return (await administration(tmp_path).page(request("192.0.2.1"))).status_code

    assert anyio.run(ask) == 403


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ClientDisconnect(), 400),
        (RuntimeError("!"), 500),
        (ServiceError(ErrorCode.INTERNALERRROR), 503),
    ],
)
def test_mistakes_are_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, status: int
) -> None:
    part = administration(tmp_path)

    def fail(request: Request) -> Any:
        raise error

    part._gate.check = fail  # type: ignore[method-assign]

    async def ask() -> int:
        return (await part.answer(request())).status_code

    caplog.set_level(logging.ERROR)
    assert anyio.run(ask) == status
    assert len(caplog.records) == (status == 500)


def test_a_broadcast_that_fails_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    part = administration(tmp_path)
    (call,) = (call for call in part._calls.values() if call.path == "/broadcast")
    call.handler.__self__.on_failure(RuntimeError("no"))  # type: ignore[attr-defined]
    assert caplog.messages == ["a broadcast was not sent to everybody: no"]


def test_who_waits_is_told_how_long(tmp_path: Path) -> None:
    part = administration(tmp_path)

    async def ask() -> Any:
        for _ in range(FREE_BY_ACCOUNT + 1):
            await part.answer(request(authorization="Bearer x"))
        return await part.answer(request(authorization=f"Bearer {TOKEN}"))

    answer = anyio.run(ask)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
