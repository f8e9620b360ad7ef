"""The whole server over real sockets, on both event loops, with real clients."""

from __future__ import annotations

import gc
import json
import logging
import re
import signal
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import improto_asyncio
import improto_trio
from improto import Conversation, payloads
from improto.codes import ConnAckStatus
from improto.contents import Text
from improto.errors import ConnectionEnded
from improto.events import CloseReason
from improto.operations import Topic
from improto_server import app
from improto_server.app import Application
from improto_server.config import Settings, load
from improto_server.services.accounts import Accounts
from improto_server.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from improto.messages import ChatMessage
    from improto_asyncio import Client

KEY = "demo"
SECRET = "s" * 32
ADAPTERS = {"asyncio": improto_asyncio, "trio": improto_trio}

PATIENCE = 30.0
"""Seconds until something that does not happen is a failure."""


@pytest.fixture(params=sorted(ADAPTERS))
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A server on any port, without limits."""
    return settings_for(tmp_path, request.param)


def settings_for(path: Path, backend: str, **more: Any) -> Settings:
    overrides = {
        "apps": [{"key": KEY, "secret": SECRET}],
        "gateway.backend": backend,
        "gateway.port": 0,
        "messages.rate": 0,
        "store.durable": False,
        "store.url": f"sqlite:///{path / 'messages.db'}",
    }
    return load(environment={}, overrides=overrides | more)


def run(settings: Settings, scenario: Callable[[Settings], Awaitable[None]]) -> None:
    """Play a scenario on the backend that the settings name."""

    async def bounded() -> None:
        with anyio.fail_after(PATIENCE):
            await scenario(settings)

    anyio.run(bounded, backend=settings.gateway.backend.value)


def connect(settings: Settings, url: str, user: str, **options: Any) -> Any:
    """A client of the same backend; a context manager."""
    accounts = Accounts({KEY: SECRET})
    token = accounts.issue(KEY, user, now=app.time.time(), lifetime=60)
    host, port = url.removeprefix("http://").split(":")
    adapter = ADAPTERS[settings.gateway.backend.value]
    return adapter.connect(host, int(port), app_key=KEY, **{"token": token} | options)


async def next_message(client: Client) -> ChatMessage:
    async for message in client.messages():
        return message
    raise AssertionError("the connection ended before a message came")


def test_two_users_talk(settings: Settings) -> None:
    async def scenario(settings: Settings) -> None:
        async with (
            Application(settings).listening() as (url,),
            connect(settings, url, "alice") as alice,
            connect(settings, url, "bob") as bob,
        ):
            sent = await alice.send(Conversation.private("bob"), Text("hello"))
            got = await next_message(bob)
            assert got.decoded() == Text("hello")
            assert (got.uid, got.time) == (sent.uid, sent.timestamp)
            assert got.conversation == Conversation.private("alice")
            await bob.send(got.conversation, Text("hello yourself"))
            assert (await next_message(alice)).decoded() == Text("hello yourself")

    run(settings, scenario)


def test_many_messages_arrive_in_order(settings: Settings) -> None:
    async def scenario(settings: Settings) -> None:
        async with (
            Application(settings).listening() as (url,),
            connect(settings, url, "alice") as alice,
            connect(settings, url, "bob") as bob,
        ):
            expected = [f"message {number}" for number in range(500)]

            async def send_all() -> None:
                for text in expected:
                    await alice.send(Conversation.private("bob"), Text(text))

            received: list[str | None] = []
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(send_all)
                async for message in bob.messages():
                    content = message.decoded()
                    assert isinstance(content, Text)
                    received.append(content.content)
                    if len(received) == len(expected):
                        break
            assert received == expected

    run(settings, scenario)


def test_messages_wait_for_who_is_away_even_through_a_restart(settings: Settings) -> None:
    async def scenario(settings: Settings) -> None:
        async with (
            Application(settings).listening() as (url,),
            connect(settings, url, "alice") as alice,
        ):
            await alice.send(Conversation.private("bob"), Text("later"))
        async with (
            Application(settings).listening() as (url,),
            connect(settings, url, "bob") as bob,
        ):
            message = await next_message(bob)
            assert message.decoded() == Text("later")
            assert message.is_offline
            request = payloads.HistoryMsgInput(targetId="alice", time=0, count=10, order=0)
            reply = await bob.ask(Topic.QRY_P_MSG, "alice", request, payloads.HistoryMsgOuput)
            assert [each.fromUserId for each in reply.list] == ["alice"]

    run(settings, scenario)


def test_a_wrong_token_is_refused(settings: Settings) -> None:
    async def scenario(settings: Settings) -> None:
        async with Application(settings).listening() as (url,):
            with pytest.raises(ConnectionEnded) as caught:
                async with connect(settings, url, "alice", token="nonsense"):
                    pytest.fail("let in")
            assert (caught.value.reason, caught.value.status) == (CloseReason.REFUSED, 4)

    run(settings, scenario)


def test_nobody_of_a_blocked_app_gets_in(tmp_path: Path) -> None:
    async def scenario(settings: Settings) -> None:
        async with Application(settings).listening() as (url,):
            with pytest.raises(ConnectionEnded) as refused:
                async with connect(settings, url, "alice"):
                    raise AssertionError("alice was let in")
        assert refused.value.status == ConnAckStatus.APP_BLOCK_OR_DELETE

    app = {"key": KEY, "secret": SECRET, "blocked": True}
    run(settings_for(tmp_path, "asyncio", apps=[app]), scenario)


def test_a_second_login_ends_the_first(settings: Settings) -> None:
    async def scenario(settings: Settings) -> None:
        async with (
            Application(settings).listening() as (url,),
            connect(settings, url, "alice") as first,
            connect(settings, url, "alice") as second,
        ):
            assert (await first.wait_closed()).reason is CloseReason.KICKED
            assert second.is_open

    run(settings, scenario)


async def get(url: str, path: str) -> tuple[int, bytes]:
    """Status and body of a plain HTTP request."""
    return await request(url, f"GET {path}", (), b"")


async def request(url: str, line: str, headers: tuple[str, ...], body: bytes) -> tuple[int, bytes]:
    """The same for any request."""
    host, port = url.removeprefix("http://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        lines = (f"{line} HTTP/1.1", f"Host: {host}:{port}", "Connection: close", *headers, "\r\n")
        await stream.send("\r\n".join(lines).encode() + body)
        data = b"".join([chunk async for chunk in stream])
    head_bytes, _, body = data.partition(b"\r\n\r\n")
    return int(head_bytes.split()[1]), body


def test_navigation_names_the_port_that_was_free(settings: Settings) -> None:
    async def scenario(settings: Settings) -> None:
        async with Application(settings).listening() as (url,):
            accounts = Accounts({KEY: SECRET})
            token = accounts.issue(KEY, "alice", now=app.time.time(), lifetime=60)
            status, body = await get(url, f"/navi.js?appId={KEY}&token={token}")
            assert status == 200
            fields = json.loads(body)
            assert f"http://{fields['server']}" == url
            assert await get(url, "/ping") == (200, b"pong")

    run(settings, scenario)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_navigation_is_asked_by_a_form(settings: Settings, is_chunked: bool) -> None:
    """As SDK 5 does it (sdk5 2.1)."""

    async def scenario(settings: Settings) -> None:
        async with Application(settings).listening() as (url,):
            accounts = Accounts({KEY: SECRET})
            token = accounts.issue(KEY, "alice", now=app.time.time(), lifetime=60)
            body = f"token={token}%40&v=5.38.0&platfrom=browser".encode()
            if is_chunked:
                framing = "Transfer-Encoding: chunked"
                body = b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (body[:5], len(body) - 5, body[5:])
            else:
                framing = f"Content-Length: {len(body)}"
            line = "POST /v2/navi.json?cloud=0"
            status, answer = await request(url, line, (f"RC-Appkey: {KEY}", framing), body)
            assert status == 200
            fields = json.loads(answer)
            assert f"http://{fields['server']}" == url
            assert fields["userId"] == "alice"

    run(settings, scenario)


def test_what_a_server_can_do_is_a_setting(tmp_path: Path) -> None:
    choices = {
        "gateway.protocol": 4,
        "messages.group_receipts": "receipts",
        "messages.unread": "server",
        "messages.edit_minutes": 7,
        "users.profiles": False,
        "users.subscriptions": False,
        "chatrooms.keys": False,
        "chatrooms.several_rooms": False,
    }

    async def scenario(settings: Settings) -> None:
        async with Application(settings).listening() as (url,):
            accounts = Accounts({KEY: SECRET})
            token = accounts.issue(KEY, "alice", now=app.time.time(), lifetime=60)
            _, body = await get(url, f"/navi.js?appId={KEY}&token={token}&v=5.38.0")
            fields = json.loads(body)
            assert (fields["openAnti"], fields["grpRRVer"]) == (1, 4)
            assert (fields["serverSaveUnread"], fields["msgModifyMinute"]) == (1, 7)
            assert fields["sesDriven"] == 0
            assert (fields["userProfile"], fields["subDriven"]) == (0, 0)
            assert (fields["kvStorage"], fields["joinMChrm"]) == (0, False)

    run(settings_for(tmp_path, "asyncio", **choices), scenario)


def test_that_read_positions_are_synced_is_a_setting(tmp_path: Path) -> None:
    async def scenario(settings: Settings) -> None:
        async with Application(settings).listening() as (url,):
            token = Accounts({KEY: SECRET}).issue(KEY, "alice", now=app.time.time(), lifetime=60)
            _, body = await get(url, f"/navi.js?appId={KEY}&token={token}&v=5.38.0")
            fields = json.loads(body)
            assert (fields["sesDriven"], fields["serverSaveUnread"]) == (1, 0)

    run(settings_for(tmp_path, "asyncio", **{"messages.unread": "synced"}), scenario)


def test_a_busy_server_closes_without_a_word_to_who_would_give_up(settings: Settings) -> None:
    """Sdk5 3."""

    async def scenario(settings: Settings) -> None:
        application = Application(settings)
        async with application.listening() as (url,):
            application.gateway.drain()
            for version, status in (("4.6.4", 3), ("5.38.0", None)):
                with pytest.raises(ConnectionEnded) as caught:
                    async with connect(settings, url, "alice", sdk_version=version):
                        pytest.fail("let in")
                assert caught.value.status == status

    run(settings, scenario)


def test_all_clients_are_handed_over(settings: Settings) -> None:
    async def scenario(settings: Settings) -> None:
        application = Application(settings)
        async with (
            application.listening() as (url,),
            connect(settings, url, "alice") as alice,
            connect(settings, url, "bob", sdk_version="5.38.0") as bob,
        ):
            application.gateway.hand_over("b.example.com:8080")
            assert (await alice.wait_closed()).reason is CloseReason.PEER
            assert (await bob.wait_closed()).reason is CloseReason.REDIRECTED
            with pytest.raises(ConnectionEnded) as caught:
                async with connect(settings, url, "alice"):
                    pytest.fail("let in")
            assert caught.value.reason is CloseReason.REDIRECTED

    run(settings, scenario)


def test_a_server_may_hand_over_from_the_start(tmp_path: Path) -> None:
    async def scenario(settings: Settings) -> None:
        async with Application(settings).listening() as (url,):
            with pytest.raises(ConnectionEnded) as caught:
                async with connect(settings, url, "alice"):
                    pytest.fail("let in")
            assert caught.value.reason is CloseReason.REDIRECTED

    elsewhere = {"gateway.hand_over_to": "b.example.com:8080"}
    run(settings_for(tmp_path, "asyncio", **elsewhere), scenario)


def test_what_has_arrived_is_acknowledged_before_the_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(settings: Settings) -> None:
        application = Application(settings)
        arrived = anyio.Event()
        append = application.store.append

        def append_and_tell(*args: Any) -> bool:
            arrived.set()
            return append(*args)

        monkeypatch.setattr(application.store, "append", append_and_tell)
        uids: list[str] = []
        ends: list[CloseReason] = []

        async def talk(url: str) -> None:
            async with connect(settings, url, "alice") as alice:
                uids.append((await alice.send(Conversation.private("bob"), Text("last"))).uid)
                ends.append((await alice.wait_closed()).reason)

        async with anyio.create_task_group() as tasks, application.listening() as (url,):
            tasks.start_soon(talk, url)
            await arrived.wait()
        assert len(uids) == 1
        assert ends == [CloseReason.PEER]

    run(settings, scenario)


def test_a_stopped_server_sends_clients_away(settings: Settings) -> None:
    async def scenario(settings: Settings) -> None:
        async with anyio.create_task_group() as tasks:
            stop = anyio.Event()
            urls: list[str] = []

            async def serve() -> None:
                async with Application(settings).listening() as (url,):
                    urls.append(url)
                    started.set()
                    await stop.wait()

            started = anyio.Event()
            tasks.start_soon(serve)
            await started.wait()
            async with connect(settings, urls[0], "alice") as alice:
                stop.set()
                closed = await alice.wait_closed()
                assert closed.reason is CloseReason.PEER

    run(settings, scenario)


def test_old_messages_are_forgotten(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="improto_server")

    async def scenario(settings: Settings) -> None:
        with monkeypatch.context() as past:
            past.setattr(app, "_wall_clock", lambda: 1_600_000_000_000)
            async with (
                Application(settings).listening() as (url,),
                connect(settings, url, "alice") as alice,
            ):
                await alice.send(Conversation.private("bob"), Text("old"))
        done = anyio.Event()
        forgotten = app._forgotten

        def report(entries: int | StoreError) -> None:
            forgotten(entries)
            done.set()

        monkeypatch.setattr(app, "_forgotten", report)
        application = Application(settings)
        async with application.listening(), anyio.create_task_group() as tasks:
            tasks.start_soon(application.forget_regularly)
            await done.wait()
            tasks.cancel_scope.cancel()

    run(settings, scenario)
    assert caplog.messages == ["1 inbox entries were too old and are deleted"]


def test_forgetting_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    app._forgotten(0)
    app._forgotten(StoreError("the disk is gone"))
    assert caplog.messages == ["old messages could not be deleted: the disk is gone"]


def test_a_mistake_does_not_stop_the_server(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(settings: Settings) -> None:
        application = Application(settings)
        async with application.listening() as (url,):
            done = anyio.Event()

            def wrong(answer: object) -> None:
                done.set()
                raise ZeroDivisionError

            application.store.read(lambda connection: 1, wrong)
            await done.wait()
            async with connect(settings, url, "alice") as alice:
                await alice.send(Conversation.private("bob"), Text("still here"))

    run(settings, scenario)
    assert caplog.messages == ["the answers of the store could not be passed on"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_until_a_signal(settings: Settings, number: signal.Signals) -> None:
    urls: list[str] = []

    def announce(url: str) -> None:
        urls.append(url)
        signal.raise_signal(number)

    app.run(settings, announce)
    (url,) = urls
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)


def test_the_collector_of_garbage_leaves_the_program_alone_while_it_serves(
    settings: Settings,
) -> None:
    known: list[bool] = []

    def announce(url: str) -> None:
        known.append(any(each is settings_for for each in gc.get_objects()))
        signal.raise_signal(signal.SIGTERM)

    app.run(settings, announce)
    known.append(any(each is settings_for for each in gc.get_objects()))
    assert known == [False, True]


def test_a_store_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "messages.db").mkdir()
    with pytest.raises(StoreError):
        app.run(settings_for(tmp_path, "asyncio"), print)


@pytest.mark.parametrize("backend", sorted(ADAPTERS))
def test_an_address_in_use_is_an_error_and_leaves_the_store_closed(
    tmp_path: Path, backend: str
) -> None:
    async def scenario(settings: Settings) -> None:
        async with Application(settings).listening() as (url,):
            port = int(url.rpartition(":")[2])
            (tmp_path / "other").mkdir()
            taken = settings_for(tmp_path / "other", backend, **{"gateway.port": port})
            for _ in range(2):
                with pytest.raises(OSError, match="in use"):
                    async with Application(taken).listening():
                        pytest.fail("listening")

    run(settings_for(tmp_path, backend), scenario)


@pytest.mark.parametrize(("host", "url"), [("::1", r"http://\[::1\]:\d+")])
def test_ipv6(tmp_path: Path, host: str, url: str) -> None:
    async def scenario(settings: Settings) -> None:
        application = Application(settings)
        async with application.listening() as urls:
            assert all(re.fullmatch(url, each) for each in urls)
            assert application.navigation.own_address.startswith("[::1]:")

    run(settings_for(tmp_path, "asyncio", **{"gateway.host": host}), scenario)
