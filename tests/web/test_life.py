"""How improto.js connects, comes back, and stays away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from improto.codes import ConnAckStatus
from improto_server.testing import ImServer
from tests.web.conftest import SETTINGS, Desk

if TYPE_CHECKING:
    from tests.web.tabs import Chromium, Tab

pytestmark = pytest.mark.interop

CONNECT = "return await attempt(() => client.connect())"


def statuses(tab: Tab) -> list[int]:
    """Every status that a page was shown."""
    found: list[int] = tab.run("return told('status').map(({ status }) => status)")
    return found


def test_connecting_and_leaving(desk: Desk) -> None:
    anna = desk.online("anna")
    assert statuses(anna) == [201, 202, 1, 0]
    assert anna.run("return client.settings.userId") == desk.user("anna")
    anna.run("client.disconnect(); client.disconnect()")
    assert statuses(anna) == [201, 202, 1, 0, 2]
    assert anna.run("return told('ended').map(({ error }) => error.code)") == [30001]
    for script in ("client.query('getBlack', { nothing: 1 })", "client.people.follow(['x'])"):
        assert anna.run(f"return await attempt(() => {script})")["code"] == 30001
    assert anna.run(CONNECT) == {"result": desk.user("anna")}
    assert anna.run("return (await client.query('getBlack', { nothing: 1 })).userIds") == []


def test_leaving_while_connecting(desk: Desk) -> None:
    anna = desk.prepared("anna")
    answers = anna.run(
        """
        const answers = [];
        for (const name of ["REQUEST_NAVI", "CONNECTING"]) {
          const leave = ({ detail }) => detail.status === Status[name] && client.disconnect();
          client.addEventListener("status", leave);
          answers.push(await attempt(() => client.connect()));
          client.removeEventListener("status", leave);
        }
        answers.push(await attempt(() => {
          setTimeout(() => client.disconnect(), 0);
          return client.query("getBlack", { nothing: 1 });
        }));
        return answers.map(({ code }) => code);
        """
    )
    assert answers == [30001] * 3
    assert anna.run("return client.status") == 2


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"appKey": ""}, "appKey has to be a text"),
        ({"address": "ws://127.0.0.1:1"}, "one of navigator and address"),
        ({"token": "text"}, "token has to be a function"),
    ],
)
def test_options_that_cannot_be(connected: Tab, options: dict[str, Any], problem: str) -> None:
    usual = {"appKey": "app", "navigator": "http://127.0.0.1:1"}
    answer = connected.run(
        "return await attempt(() => new Client({ token: () => 't', ...a }))", {**usual, **options}
    )
    assert (answer["code"], problem in answer["message"]) == (33003, True)


@pytest.mark.parametrize(
    ("options", "code", "last"),
    [
        ({"tokens": ["wrong"]}, 31004, 2),
        ({"appKey": "unknown"}, 31002, 20),
        ({"navigator": ["http://127.0.0.1:1", "http://127.0.0.1:2/"]}, 30007, 3),
        ({"address": "ws://127.0.0.1:1"}, 30011, 3),
    ],
    ids=["token", "app", "navigation", "host"],
)
def test_a_first_attempt_that_fails(
    desk: Desk, options: dict[str, Any], code: int, last: int
) -> None:
    anna = desk.prepared("anna", **options)
    assert anna.run(CONNECT)["code"] == code
    assert statuses(anna)[-1] == last
    anna.run("client.disconnect()")
    assert anna.run(CONNECT)["code"] == code


@pytest.mark.parametrize(
    ("status", "code", "last"),
    [
        (ConnAckStatus.BLOCK, 31009, 9),
        (ConnAckStatus.HOSTNAME_ERROR, 31022, 12),
        # A server that is full says so to no client of this generation (sdk5 3).
        (ConnAckStatus.SERVER_UNAVAILABLE, 30011, 3),
        (ConnAckStatus.APP_BLOCK_OR_DELETE, 31008, 2),
    ],
)
def test_a_refused_login(desk: Desk, status: ConnAckStatus, code: int, last: int) -> None:
    anna = desk.prepared("anna")
    desk.server.refuse(desk.user("anna"), status, times=10)
    assert anna.run(CONNECT)["code"] == code
    assert statuses(anna)[-1] == last


def test_an_old_token_is_replaced(desk: Desk) -> None:
    user = desk.user("anna")
    good = desk.server.token(user)
    old = desk.server._accounts.issue(desk.server.app_key, user, now=1_000_000, lifetime=60)
    anna = desk.prepared("anna", tokens=[good, good])
    assert anna.run(CONNECT) == {"result": user}
    for tokens in ([old, good], ["wrong", good]):
        tab = desk.prepared("anna", tokens=tokens)
        # A token that has just been given and is refused is not asked for again.
        assert tab.run(CONNECT)["code"] in (31020, 31004)
        assert tab.run(CONNECT) == {"result": user}
    desk.server.refuse(user, ConnAckStatus.TOKEN_EXPIRE)
    desk.server.cut(user)
    anna.until("client.status !== 0")
    anna.run("dispatchEvent(new Event('online'))")
    anna.until("client.status === 0")


def test_a_redirect_is_followed(desk: Desk) -> None:
    anna = desk.online("anna")
    desk.server.refuse(desk.user("anna"), ConnAckStatus.REDIRECT, times=2)
    desk.server.cut(desk.user("anna"))
    anna.until("told('status').length >= 9")
    # Both addresses of the old route, then navigation, at once.
    assert statuses(anna)[:9] == [201, 202, 1, 0, 3, 1, 201, 202, 1]
    anna.until("client.status === 0")


@pytest.mark.parametrize(
    ("kind", "code", "last"), [("kick", 31010, 6), ("ban", 31009, 9)], ids=["kick", "ban"]
)
def test_who_is_sent_away_stays_away(desk: Desk, kind: str, code: int, last: int) -> None:
    anna = desk.online("anna")
    user = desk.user("anna")
    if kind == "kick":
        desk.server.kick(user)
    else:
        standings = desk.server._application.system.standings
        desk.server._do(standings.ban((desk.server.app_key, user), until=2**53))
    (ended,) = anna.told("ended")
    assert ended["error"]["code"] == code
    assert anna.run("return client.status") == last
    answer = anna.run(
        "return await attempt(() => client.messages.send(privateChat('x'), text('')))"
    )
    assert answer["code"] == code


def test_a_newer_tab_ends_an_older_one(chromium: Chromium) -> None:
    """Where users have one device, and to load a page anew is not one more."""
    settings = {**SETTINGS, "messages.multi_device": False}
    with ImServer(settings=settings) as server, chromium.tabs(server) as open_tab:
        desk = Desk(server, open_tab, "alone")
        anna = desk.online("anna")
        server.cut(desk.user("anna"))
        anna.until("told('status').length > 5 && client.status === 0")
        assert anna.run("return told('ended')") == []
        desk.online("anna")
        anna.told("ended")
        assert anna.run("return client.status") == 6


def test_delays_grow(desk: Desk) -> None:
    anna = desk.open_tab()
    anna.run(
        """
        window.delays = [];
        const [own, others] = [setTimeout, [5_000, 10_000, 15_000, 30_000]];
        window.setTimeout = (call, delay) => {
          if (others.includes(delay)) return own(call, delay);
          delays.push(delay);
          return own(call, 0);
        };
        Math.random = () => 0.5;
        """
    )
    desk.online("anna", anna)
    assert anna.run("return delays") == []
    desk.server.refuse(desk.user("anna"), times=1000)
    desk.server.cut(desk.user("anna"))
    anna.until("delays.length >= 9")
    assert anna.run("return delays.slice(0, 9)") == [
        *(750 * 2**count for count in range(6)),
        *(45_000,) * 3,
    ]
    desk.server.reset()
    anna.until("client.status === 0")


def test_a_silent_server_is_left(desk: Desk) -> None:
    anna = desk.open_tab()
    anna.wait(anna.page.clock.install)
    desk.online("anna", anna)
    anna.wait(lambda: anna.page.clock.run_for(16_000))
    anna.run("window.query = attempt(() => client.query('getBlack', { nothing: 1 }))")
    assert "result" in anna.run("return await query")
    anna.run(
        """
        window.pings = 0;
        WebSocket.prototype.send = function (data) {
          if (new Uint8Array(data)[0] === 0xc0) pings += 1;
        };
        window.query = attempt(() => client.query("getBlack", { nothing: 1 }));
        window.message = attempt(() => client.messages.send(privateChat("x"), text("x")));
        """
    )
    # The page's clock goes on by itself as well, so there is time to spare before 30 s.
    anna.wait(lambda: anna.page.clock.run_for(24_000))
    assert anna.run("return pings") == 1
    assert anna.run("return client.status") == 0
    anna.wait(lambda: anna.page.clock.run_for(6_000))
    assert anna.run("return (await query).code") == -1
    anna.wait(lambda: anna.page.clock.run_for(15_000))
    assert statuses(anna)[4] == 3


def test_a_login_without_an_answer(desk: Desk) -> None:
    anna = desk.open_tab()
    anna.wait(anna.page.clock.install)
    desk.prepared("anna", anna)
    anna.run(
        """
        Object.defineProperty(WebSocket.prototype, "onmessage", { set() {} });
        window.connecting = attempt(() => client.connect());
        """
    )
    anna.until("client.status === 1")
    for _ in range(3):
        anna.wait(lambda: anna.page.clock.run_for(5_000))
    assert anna.run("return (await connecting).code") == 31000


def test_frames_that_make_no_sense(desk: Desk) -> None:
    anna = desk.online("anna")
    anna.run(
        """
        const own = WebSocket.prototype.send;
        WebSocket.prototype.send = function (data) { window.socket = this; own.call(this, data); };
        await client.query("getBlack", { nothing: 1 });
        window.receive = (...bytes) => socket.onmessage({ data: Uint8Array.from(bytes).buffer });
        window.push = (topic, ...data) => receive(0x30, 0, 0, 0, 0, 0, topic.length,
          ...Array.from(topic, (letter) => letter.charCodeAt(0)), 0, 0, 0, 0, ...data);
        """
    )
    anna.run("for (const topic of ['s_ntf', 's_msg', 's_cmd', 's_stat']) push(topic, 0x80)")
    assert [each["error"]["code"] for each in anna.told("trouble", 4)] == [-2] * 4
    anna.run(
        """
        push("s_none", 1);  // A topic that nobody knows.
        push("s_cmd", 8, 99);  // A command that nobody knows.
        push("s_us");
        receive(0x40, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);  // Answers that nobody waits for.
        receive(0x60, 1, 1, 0, 0, 0, 0, 0, 0);
        for (let count = 0; count < 9; count++) receive(0);
        socket.onmessage({ data: "text" });
        """
    )
    anna.until("client.status === 3")
    assert anna.run("return told('settings').length") == 1
    anna.run("dispatchEvent(new Event('online'))")
    anna.until("client.status === 0")
    anna.run("document.dispatchEvent(new Event('visibilitychange'))")
    assert anna.run("return (await client.query('getBlack', { nothing: 1 })).userIds") == []


STRANGE = """
  const frames = {
    // CONNACK of "x" (wire 4.2), with a time of so many bytes or none.
    late: [0x20, 0, 0, 0, 1, 120, 0, 0, ...Array(8).fill(255)],
    none: [0x20, 0, 0, 0, 1, 120],
    // PUBLISH of s_ntf (wire 4.3): 2 ** 62, and -1 as the time.
    ahead: [0x30, 0, 0, 0, 0, 0, 5, ...new TextEncoder().encode("s_ntf"), 0, 0, 0, 1,
            8, 1, 16, ...Array(8).fill(128), 64],
    before: [0x30, 0, 0, 0, 0, 0, 5, ...new TextEncoder().encode("s_ntf"), 0, 0, 0, 1,
             8, 1, 16, ...Array(9).fill(255), 1],
  };
  const sockets = [];
  globalThis.WebSocket = class {
    static OPEN = 1;
    readyState = 1;
    sent = [];
    constructor() {
      sockets.push(this);
      setTimeout(() => this.say(frames[a]));
    }
    say(frame) { this.onmessage?.({ data: Uint8Array.from(frame).buffer }); }
    send(frame) { this.sent.push(frame[0] >> 4); }
    close() { this.readyState = 3; }
  };
"""


@pytest.mark.parametrize("time", ["late", "none"])
def test_a_server_with_times_that_cannot_be(desk: Desk, time: str) -> None:
    anna = desk.prepared("anna")
    found = anna.run(
        STRANGE
        + """
        const before = Date.now();
        const answer = await attempt(() => client.connect());
        const isNear = Math.abs(client.now() - before) < 60_000;
        await new Promise((resolve) => setTimeout(resolve));
        const [socket] = sockets;
        const pulls = () => socket.sent.filter((signal) => signal === 5).length;
        socket.say(frames.before);
        socket.say(frames.ahead);
        return { answer, isNear, sockets: sockets.length, pulls: pulls(), status: client.status };
        """,
        time,
    )
    assert found == {
        "answer": {"result": "x"},
        "isNear": True,
        "sockets": 1,
        "pulls": 3,
        "status": 0,
    }


def test_a_storage_that_fails_leaves_no_connection_behind(desk: Desk) -> None:
    anna = desk.prepared("anna")
    found = anna.run(
        STRANGE
        + """
        const fail = () => { throw new Error("no storage"); };
        const storage = { get: fail, set: fail, remove: fail, keys: fail };
        const other = new Client({
          appKey: "k", address: "ws://127.0.0.1:1", token: async () => "t", storage,
        });
        const error = await other.connect().catch((error) => error);
        return [error.message, other.status, sockets.map(({ readyState }) => readyState)];
        """,
        "none",
    )
    assert found[0] == "no storage"
    assert found[2] == [3]
