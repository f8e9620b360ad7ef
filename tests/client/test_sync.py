"""The client for programs without an event loop, with a server in another thread."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import start_blocking_portal

from improto.contents import Text
from improto.messages import Conversation
from improto_client import ImError, NoToken, UnusableStore, sync
from tests.client.places import Post, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOB = Conversation.private("bob")

PATIENCE = 30.0
"""Seconds until something that does not happen is a failure."""


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class Served:
    """A server, and the thread it runs in."""

    def __init__(self, post: Post, portal: Any, port: int, backend: str) -> None:
        self.post = post
        self.portal = portal
        self.connect = partial(
            sync.connect, host="127.0.0.1", port=port, app_key="app", backend=backend
        )

    def deliver(self, *texts: str) -> None:
        for text in texts:
            content = b'{"content":"%s"}' % text.encode()
            self.portal.call(self.post.deliver, "ann", content)


@pytest.fixture
def served(backend: str) -> Iterator[Served]:
    post = Post()
    with (
        start_blocking_portal(backend) as portal,
        portal.wrap_async_context_manager(serving(post)) as port,
    ):
        yield Served(post, portal, port, backend)


def test_calls_and_loops(served: Served) -> None:
    with served.connect(token="ann") as im:
        assert im.user_id == "ann"
        assert int(im.status) == 0
        assert im.messages.send(BOB, "hi").conversation == BOB
        served.deliver("1", "2", "3")
        found = []
        for message in im.messages:
            found.append(message.text)
            if message.text == "2":
                break
        assert found == ["1", "2"]
        while im.local.messages(BOB, count=1)[0].text != "3":
            """The next reader is not to have it."""
        with im.messages.only(kinds=Text) as reader:
            served.deliver("4")
            assert next(iter(reader)).text == "4"
        history = im.messages.history(BOB)
        assert history.has_more
        statuses = im.statuses()
        im.disconnect()
        assert [message.text for message in im.messages] == ["3", "4"]
        im.reconnect()
        assert [int(next(each)) for each in [iter(statuses)] * 3] == [2, 1, 0]
    assert served.post.logins == ["ann", "ann"]


def test_a_block_that_is_left_by_an_exception(served: Served) -> None:
    with suppress(RuntimeError), served.connect(token="ann") as im:
        served.deliver("1")
        with im.messages.only() as reader:
            next(iter(reader))
            raise RuntimeError
    assert im.session.inbox_cursor == 0


def test_what_raises_there_raises_here(served: Served) -> None:
    with served.connect(token="ann") as im:
        im.disconnect()
        with pytest.raises(ImError):
            im.messages.send(BOB, "hi")


def test_tokens_are_fetched_by_an_ordinary_function(served: Served) -> None:
    with served.connect(token=lambda: "bob") as im:
        assert im.user_id == "bob"

    def fail() -> str:
        raise OSError("no application server")

    with pytest.raises(NoToken), served.connect(token=fail):
        pytest.fail("it is connected")


def test_one_thread_reads_while_another_sends(served: Served) -> None:
    with served.connect(token="ann") as im:
        found: list[str | None] = []
        both = Event()

        def read() -> None:
            for message in im.messages:
                found.append(message.text)
                if len(found) == 2:
                    both.set()

        reader = Thread(target=read)
        reader.start()
        served.deliver("1", "2")
        im.messages.send(BOB, "hi")
        assert both.wait(PATIENCE)
        im.disconnect()
        reader.join(PATIENCE)
    assert found == ["1", "2"]


def test_the_end_of_the_block_ends_calls_of_other_threads(served: Served, tmp_path: Path) -> None:
    told: list[type[Exception]] = []
    is_running = Event()

    def work(im: Any) -> None:
        try:
            while True:
                im.local.conversations()
                is_running.set()
        except ImError as error:
            told.append(type(error))

    with served.connect(token="ann", store=tmp_path / "ann.db") as im:
        workers = [Thread(target=work, args=(im,), daemon=True) for _ in range(2)]
        for each in workers:
            each.start()
        assert is_running.wait(PATIENCE)
    for each in workers:
        each.join(PATIENCE)
    assert told == [UnusableStore] * 2
