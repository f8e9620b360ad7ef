"""One run after the other on one store, stores that fail, and stores of somebody else."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from improto.codes import ConnAckStatus, ConnectionStatus
from improto.config import Limits
from improto.messages import Conversation
from improto.session import ClientSession
from improto_client import (
    DamagedStore,
    Disconnected,
    ForeignStore,
    ImError,
    LockedStore,
    LoginFailed,
    Malformed,
    MemoryStore,
    Offline,
    Refused,
    SentStatus,
    SqliteStore,
    StoreError,
    UnusableStore,
    UserBlocked,
    sync,
)
from improto_client.keeping import Keeper
from improto_server.services.accounts import Accounts
from tests.client.places import Post, connected, line_to, serving, until
from tests.client.test_im import KEY, SECRET, following, house
from tests.samples import DOCS, programs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from improto_client import Im

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

BOB = Conversation.private("bob")


class Crash(Exception):
    """The program fails."""


def say(post: Post, *numbers: int) -> None:
    for number in numbers:
        post.deliver("ann", b'{"content":"%d"}' % number)


async def read(im: Im, count: int) -> list[str | None]:
    return [(await following(im)).text for _ in range(count)]


async def test_what_was_not_taken_is_offered_again_and_nothing_twice(tmp_path: Path) -> None:
    post, path = Post(), tmp_path / "ann.db"
    async with serving(post) as port:
        say(post, *range(5))
        with pytest.raises(Crash):  # noqa: PT012
            async with connected(port, "ann", store=path) as im:
                assert await read(im, 3) == ["0", "1", "2"]
                # Two were taken by asking for the third; it is not known to the file yet.
                assert len(await im.local.messages(BOB)) == 5
                raise Crash
        async with connected(port, "ann", store=str(path)) as im:
            say(post, 5)
            assert await read(im, 4) == ["2", "3", "4", "5"]
            assert im.session.inbox_cursor <= im.session.inbox_reach
        async with connected(port, "ann", store=SqliteStore(path)) as im:
            say(post, 6)
            assert await read(im, 1) == ["6"]
            texts = [each.text for each in await im.local.messages(BOB)]
            assert texts == ["6", "5", "4", "3", "2", "1", "0"]


async def test_what_was_left_comes_first(tmp_path: Path) -> None:
    post, store = Post(), MemoryStore()
    async with serving(post) as port:
        say(post, 1, 2)
        with pytest.raises(Crash):  # noqa: PT012
            async with connected(port, "ann", store=store) as im:
                await until(lambda: len(store.waiting()) == 2)
                raise Crash
        async with line_to(port) as line, connected(line.port, "ann", store=store) as im:
            assert await read(im, 2) == ["1", "2"]


async def test_what_was_sent_and_not_answered_is_sent_again(tmp_path: Path) -> None:
    post, path = Post(), tmp_path / "ann.db"
    post.is_silent = True
    async with serving(post) as port:
        with pytest.raises(Crash):  # noqa: PT012
            async with connected(port, "ann", store=path) as im:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(im.messages.send, BOB, "hi")
                    await until(lambda: im.session.outbox)
                    tasks.cancel_scope.cancel()
                (sending,) = await im.local.messages(BOB)
                assert sending.sent is SentStatus.SENDING
                raise Crash
        post.is_silent = False
        async with connected(port, "ann", store=path) as im:
            await until_sent(im)
            await im.messages.send(BOB, "ho")
            newest, oldest = await im.local.messages(BOB)
            assert (oldest.text, oldest.sent, newest.text) == ("hi", SentStatus.SENT, "ho")
    assert post.received == ['{"content":"hi"}', '{"content":"ho"}']


async def until_sent(im: Im) -> None:
    while (await im.local.messages(BOB))[-1].sent is not SentStatus.SENT:  # noqa: ASYNC110
        await anyio.sleep(0.01)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_who_takes_a_message_back_finds_it_nowhere(kind: str, tmp_path: Path) -> None:
    post = Post()
    store = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "ann.db")
    async with (
        serving(post) as port,
        line_to(port) as line,
        connected(line.port, "ann", store=store) as im,
    ):
        line.is_dead = True
        line.cut()
        await until(lambda: im.status.name != "CONNECTED")
        with anyio.move_on_after(0.05):
            await im.messages.send(BOB, "never")
        # At once, while it is on its way to the store.
        with anyio.CancelScope() as scope:
            scope.cancel()
            await im.messages.send(BOB, "never")
        assert await im.local.messages(BOB) == []
        line.is_dead = False
        await im.messages.send(BOB, "hi")
    assert post.received == ['{"content":"hi"}']


async def test_what_fails_with_the_connection_is_kept_as_failed(tmp_path: Path) -> None:
    post = Post()
    post.is_silent = True
    async with (
        serving(post) as port,
        connected(port, "ann", store=tmp_path / "ann.db", when_offline="fail") as im,
    ):
        async with anyio.create_task_group() as tasks:

            async def send() -> None:
                with pytest.raises(Disconnected):
                    await im.messages.send(BOB, "hi")

            tasks.start_soon(send)
            await until(lambda: im.session.outbox)
            await im.disconnect()
        (failed,) = await im.local.messages(BOB)
        assert failed.sent is SentStatus.FAILED
        with pytest.raises(Disconnected):
            await im.messages.send(BOB, "ho")
        assert len(await im.local.messages(BOB)) == 1


async def test_what_the_store_knows_is_not_offered_again(tmp_path: Path) -> None:
    """However long ago it came: the session remembers one uid here, and its cursor is lost."""
    post, store = Post(), SqliteStore(tmp_path / "ann.db")
    limits = replace(Limits.for_client(), duplicate_window=1)
    async with serving(post) as port:
        async with connected(port, "ann", store=store) as im:
            say(post, *range(5))
            await read(im, 5)
        store.open()
        with store.transaction():
            store.set_value("meta", "inbox", "0")
        store.close()
        async with connected(port, "ann", store=store, limits=limits) as im:
            say(post, 5)
            assert await read(im, 1) == ["5"]
            assert len(await im.local.messages(BOB)) == 6


async def test_the_way_to_the_server_is_kept(tmp_path: Path) -> None:
    post, path = Post(), tmp_path / "ann.db"

    async with serving(post) as port:
        options: dict[str, Any] = {"navigators": f"http://127.0.0.1:{port}", "host": None}
        post.navigation = {"server": f"127.0.0.1:{port}", "kvStorage": 1}
        for _ in range(2):
            async with connected(port, "ann", store=path, **options) as im:
                assert im.navigation["kvStorage"] == 1
        assert len(post.navigated) == 1
    async with serving(post) as moved:
        # The way that is kept leads nowhere, and the navigator has moved too.
        error = await failure(port, "ann", store=path, **options)
        assert isinstance(error, LoginFailed)
        post.navigation = {"server": f"127.0.0.1:{moved}"}
        async with line_to(moved) as line:
            options["navigators"] = f"http://127.0.0.1:{line.port}"
            async with connected(port, "ann", store=path, **options):
                pass


async def test_a_way_that_leads_nowhere_is_asked_for_anew(tmp_path: Path) -> None:
    post, path = Post(), tmp_path / "ann.db"
    async with serving(post) as port, line_to(port) as line:
        options: dict[str, Any] = {"navigators": f"http://127.0.0.1:{port}", "host": None}
        post.navigation = {"server": f"127.0.0.1:{line.port}"}
        async with connected(port, "ann", store=path, **options):
            pass
        line.is_dead = True
        post.navigation = {"server": f"127.0.0.1:{port}"}
        async with connected(port, "ann", store=path, **options):
            assert len(post.navigated) == 2
        post.refusals = [ConnAckStatus.BLOCK]
        assert isinstance(await failure(port, "ann", store=path, **options), UserBlocked)
        assert len(post.logins) == 3


async def test_a_logout_on_the_way_to_the_store_forgets_what_arrives() -> None:
    post, store = Post(), FragileInThread()
    async with serving(post) as port, connected(port, "ann", store=store) as im:
        say(post, 1)
        await until(lambda: im._link.keeper._orders)
        await im.logout()
        assert await im.local.messages(BOB) == []
        await im.reconnect()
        assert await read(im, 1) == ["1"]


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_block_left_by_an_exception_tells_who_waits_outside(
    tmp_path: Path, *, is_kept: bool
) -> None:
    post, path = Post(), tmp_path / "ann.db"
    post.is_silent = True
    told: list[object] = []

    async def wait(call: Any, *arguments: object) -> None:
        try:
            while True:
                await call(*arguments)
        except (ImError, StopAsyncIteration) as error:
            told.append(type(error))

    async with serving(post) as port, anyio.create_task_group() as tasks:
        with pytest.raises(Crash):  # noqa: PT012
            async with connected(port, "ann", store=path if is_kept else None) as im:
                for call in (partial(im.messages.send, BOB, "hi"), partial(following, im)):
                    tasks.start_soon(wait, call)
                tasks.start_soon(wait, im.blacklist.list)
                tasks.start_soon(wait, im.local.conversations)
                statuses = im.statuses()
                await until(lambda: post.asked and im.session.outbox)
                raise Crash
        await until(lambda: len(told) == 4)
        assert im.status is ConnectionStatus.DISCONNECTED
        assert isinstance(im.ended, Disconnected)
        assert [each async for each in statuses] == [ConnectionStatus.DISCONNECTED]
        with pytest.raises(UnusableStore, match="the client has ended"):
            await im.local.conversations()
        # What has failed is not sent later.
        post.is_silent = False
        async with connected(port, "ann", store=path) as im:
            await im.messages.send(BOB, "next")
        assert post.received == ['{"content":"next"}']


async def test_what_is_put_last_is_done_though_the_block_fails(tmp_path: Path) -> None:
    post, path = Post(), tmp_path / "ann.db"
    async with serving(post) as port:
        with pytest.raises(Crash):  # noqa: PT012
            async with connected(port, "ann", store=path) as im:
                im._link.keeper.put(lambda book: book.set_conversation(BOB, draft="hi"))
                raise Crash
        async with connected(port, "ann", store=path) as im:
            assert await im.local.draft(BOB) == "hi"


async def test_what_no_store_takes_ends_the_connection_only_if_nobody_has_asked() -> None:
    failures: list[StoreError] = []
    keeper = Keeper(MemoryStore(), app_key="app", registry=None)
    keeper.on_failure = failures.append

    def too_large(book: object) -> None:
        raise OverflowError("too large")

    with pytest.raises(Malformed, match="too large"):
        await keeper.do(too_large)
    assert failures == []
    keeper.put(too_large)
    assert len(failures) == 1


async def test_a_target_that_no_store_takes_costs_only_the_call(tmp_path: Path) -> None:
    post = Post()
    async with serving(post) as port, connected(port, "ann", store=tmp_path / "a.db") as im:
        for target in ("\ud800", "a\0b"):
            with pytest.raises(Malformed, match="target_id"):
                await im.messages.send(Conversation.private(target), "hi")
        assert (await im.messages.send(BOB, "hi")).uid


async def test_a_logout_empties_the_store(tmp_path: Path) -> None:
    post = Post()
    async with serving(post) as port, connected(port, "ann", store=tmp_path / "a.db") as im:
        say(post, 1, 2)
        await read(im, 1)
        await im.logout()
        assert await im.local.messages(BOB) == []
        await im.reconnect()
        assert await read(im, 2) == ["1", "2"]


async def test_the_programs_of_the_manual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    use, check_own = programs(DOCS / "local-store.md")
    world: dict[str, Any] = {}
    exec(compile(use, "local-store.md", "exec"), world)
    async with house(tmp_path) as at:
        token = Accounts({KEY: SECRET}).issue(KEY, "ann", now=time.time(), lifetime=60)
        for _ in range(2):
            await world["run"](at.url, token)
    assert capsys.readouterr().out == "ann hello again\n"
    exec(compile(check_own, "local-store.md", "exec"), {})


# -- whose it is --------------------------------------------------------------------------------


async def failure(port: int, user: str, **options: Any) -> Exception:
    with pytest.raises((LoginFailed, StoreError, ValueError)) as error:
        async with connected(port, user, **options):
            raise AssertionError
    return error.value


async def test_stores_of_others(tmp_path: Path) -> None:
    post, path = Post(), tmp_path / "ann.db"
    async with serving(post) as port:
        async with connected(port, "ann", store=path) as im:
            assert isinstance(await failure(port, "ann", store=path), LockedStore)
            await im.messages.send(BOB, "hi")
        logins = len(post.logins)
        error = await failure(port, "ann", store=path, app_key="other")
        assert isinstance(error, ForeignStore)
        assert "'app'" in str(error)
        assert len(post.logins) == logins
        error = await failure(port, "bob", store=path)
        assert isinstance(error, ForeignStore)
        assert "'ann'" in str(error)
        async with connected(port, "ann", store=path) as im:
            assert len(await im.local.messages(BOB)) == 1
        assert isinstance(await failure(port, "ann", store=tmp_path), UnusableStore)
        error = await failure(port, "ann", store=path, session=ClientSession())
        assert isinstance(error, ValueError)


async def test_a_store_whose_session_makes_no_sense() -> None:
    post, store = Post(), MemoryStore()
    store.set_value("meta", "inbox", "-5")
    async with serving(post) as port:
        assert isinstance(await failure(port, "ann", store=store), DamagedStore)
    assert post.logins == []


# -- stores that fail ---------------------------------------------------------------------------


class Fragile(MemoryStore):
    """Fails when it is told to."""

    error: Exception | None = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self.error is not None:
            raise self.error
        yield


class FragileInThread(Fragile):
    in_thread = True


@asynccontextmanager
async def on_fragile(kind: str, post: Post) -> AsyncIterator[tuple[Fragile, Im]]:
    store = FragileInThread() if kind == "thread" else Fragile()
    async with serving(post) as port, connected(port, "ann", store=store) as im:
        yield store, im


@pytest.mark.parametrize("kind", ["thread", "loop"])
async def test_a_full_disk_ends_the_connection_and_loses_nothing(kind: str) -> None:
    post = Post()
    async with on_fragile(kind, post) as (store, im):
        say(post, 1)
        assert await read(im, 1) == ["1"]
        store.error = UnusableStore("the disk is full")
        say(post, 2)
        with pytest.raises(UnusableStore, match="full"):
            await read(im, 1)
        assert im.ended is store.error
        with pytest.raises(UnusableStore):
            await im.messages.send(BOB, "no")
        with pytest.raises(UnusableStore):
            await im.local.unread()
        say(post, 3)
        store.error = None
        await im.reconnect()
        assert await read(im, 2) == ["2", "3"]
        assert [each.text for each in await im.local.messages(BOB)] == ["3", "2", "1"]


@pytest.mark.parametrize("kind", ["thread", "loop"])
async def test_what_a_failing_store_was_asked_for(kind: str) -> None:
    post = Post()
    async with on_fragile(kind, post) as (store, im):
        store.error = RuntimeError("a class of somebody else")
        with pytest.raises(UnusableStore, match="somebody else"):
            await im.messages.send(BOB, "no")
        store.error = None
        await im.reconnect()
        await im.messages.send(BOB, "yes")
        assert post.received == ['{"content":"yes"}']
        kept = {each.text: each.sent for each in await im.local.messages(BOB)}
        assert kept == {"no": SentStatus.FAILED, "yes": SentStatus.SENT}
        store.error = RuntimeError("again")
        with pytest.raises(UnusableStore, match="again"):
            await im.local.unread()
        store.error = None
        assert post.received == ['{"content":"yes"}']


async def test_a_store_that_cannot_be_opened() -> None:
    store = Fragile()
    store.error = RuntimeError("no")
    async with serving(Post()) as port:
        error = await failure(port, "ann", store=store)
    assert isinstance(error, UnusableStore)
    assert error.__cause__ is store.error


async def test_a_refused_message_is_failed(tmp_path: Path) -> None:
    post = Post()
    async with serving(post) as port, connected(port, "ann", store=tmp_path / "a.db") as im:
        post.status = 405
        with pytest.raises(Refused):
            await im.messages.send(BOB, "hi")
        (found,) = await im.local.messages(BOB)
        assert found.sent is SentStatus.FAILED
        assert im.session.outbox == {}


async def test_offline_keeps_nothing(tmp_path: Path) -> None:
    post = Post()
    async with (
        serving(post) as port,
        line_to(port) as line,
        connected(line.port, "ann", store=tmp_path / "a.db", when_offline="fail") as im,
    ):
        line.is_dead = True
        line.cut()
        await until(lambda: im.status.name != "CONNECTED")
        with pytest.raises(Offline):
            await im.messages.send(BOB, "hi")
        assert await im.local.messages(BOB) == []


async def test_without_a_loop(tmp_path: Path) -> None:
    post = Post()
    async with serving(post) as port:

        def run() -> list[str | None]:
            with sync.connect(
                host="127.0.0.1", port=port, app_key="app", token="ann", store=tmp_path / "a.db"
            ) as im:
                im.messages.send(BOB, "hi")
                return [each.text for each in im.local.search("hi")]

        assert await anyio.to_thread.run_sync(run) == ["hi"]
