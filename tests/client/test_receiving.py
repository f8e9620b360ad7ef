"""Who gets which message, and when it counts as taken."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.lowlevel import checkpoint

from improto.contents import Text
from improto.events import Receipt
from improto.frames import MessageUid, TimeMs
from improto.messages import ChatMessage, Conversation, MessageDirection
from improto_client.errors import Kicked, Malformed
from improto_client.receiving import Feed, Reader, Readers
from improto_client.values import Message, read_message

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]


class Post:
    """Readers, and what they have acknowledged."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.readers = Readers(self.taken.append)

    def deliver(self, *numbers: int) -> None:
        for number in numbers:
            self.readers.deliver(message(number), Receipt(number))

    def reader(self, wants: Callable[[Message], bool] = lambda message: True) -> Reader:
        return self.readers.reader(wants)


@pytest.fixture
def post() -> Post:
    return Post()


def message(number: int) -> Message:
    raw = ChatMessage(
        conversation=Conversation.private("bob"),
        sender_id="bob",
        direction=MessageDirection.RECEIVED,
        object_name=Text.object_name,
        content=b'{"content":"%d"}' % number,
        uid=MessageUid(str(number)),
        time=TimeMs(number),
    )
    return read_message(raw, registry=None)


async def number_of(reader: Reader) -> int:
    return int((await anext(reader)).text or "")


def is_even(message: Message) -> bool:
    return message.time % 2 == 0


async def test_a_message_is_taken_when_the_next_one_is_asked_for(post: Post) -> None:
    async with post.reader() as reader:
        post.deliver(1, 2)
        assert await number_of(reader) == 1
        assert post.taken == []
        assert await number_of(reader) == 2
        assert post.taken == [1]
    assert post.taken == [1, 2]


async def test_messages_wait_for_the_first_reader(post: Post) -> None:
    post.deliver(1, 2)
    async with post.reader() as reader:
        post.deliver(3)
        assert [await number_of(reader) for _ in range(3)] == [1, 2, 3]


async def test_a_reader_waits_for_messages(post: Post) -> None:
    async with post.reader() as reader, anyio.create_task_group() as tasks:
        found: list[int] = []

        async def read() -> None:
            found.append(await number_of(reader))

        tasks.start_soon(read)
        for _ in range(5):
            await checkpoint()
        with pytest.raises(Malformed, match="another task"):
            await anext(reader)
        post.deliver(7)
    assert found == [7]


async def test_all_readers_must_be_done_with_a_message(post: Post) -> None:
    async with post.reader() as first:
        async with post.reader() as second:
            post.deliver(1)
            assert await number_of(first) == await number_of(second) == 1
            first.settle()
            assert post.taken == []
        assert post.taken == [1]


async def test_filters(post: Post) -> None:
    async with post.reader(is_even) as even:
        post.deliver(1, 2, 3, 4)
        assert post.taken == [1, 3]
        assert [await number_of(even), await number_of(even)] == [2, 4]


async def test_a_filter_that_raises(post: Post) -> None:
    """It is told where it is read, and costs neither a message nor the connection."""

    def wants(message: Message) -> bool:
        return 1 // (message.time - 2) >= 0

    async with post.reader(wants) as reader:
        post.deliver(1, 2, 3)
        assert post.taken == [1]
        with pytest.raises(ZeroDivisionError):
            await anext(reader)
        assert post.taken == [1]
        assert await number_of(reader) == 3
        assert post.taken == [1, 2]
        post.deliver(2)
    async with post.reader() as reader:
        assert await number_of(reader) == 2


async def test_what_a_reader_leaves_goes_to_the_next_one(post: Post) -> None:
    with suppress(RuntimeError):
        async with post.reader() as reader:
            post.deliver(1, 2, 3)
            assert await number_of(reader) == 1
            assert await number_of(reader) == 2
            raise RuntimeError
    assert post.taken == [1]
    async with post.reader() as reader:
        assert [await number_of(reader), await number_of(reader)] == [2, 3]


async def test_what_somebody_else_has_taken_is_not_given_again(post: Post) -> None:
    async with post.reader() as first:
        async with post.reader() as second:
            post.deliver(1, 2)
            for reader in (first, first, second):
                await anext(reader)
            # The second has one in hand and one that waits, the first is done with one of them.
        assert post.taken == [1]
        post.deliver(3)
        assert await number_of(first) == 3
        assert post.taken == [1, 2]


async def test_a_late_reader_gets_what_an_early_one_leaves(post: Post) -> None:
    async with post.reader(is_even) as early:
        post.deliver(2)
        async with post.reader() as late:
            post.readers.remove(early)
            assert await number_of(late) == 2
            post.readers.add(early)


async def test_a_reader_leaves_what_somebody_has_taken(post: Post) -> None:
    async with post.reader() as first:
        with suppress(RuntimeError):
            async with post.reader():
                post.deliver(1)
                await anext(first)
                first.settle()
                raise RuntimeError
        assert post.taken == [1]


async def test_the_end_comes_after_what_waits(post: Post) -> None:
    async with post.reader() as reader:
        post.deliver(1)
        post.readers.end(None)
        assert [found.text async for found in reader] == ["1"]
        assert [found async for found in reader] == []
        post.readers.begin()
        post.deliver(2)
        assert await number_of(reader) == 2


async def test_the_end_wakes_who_waits_and_says_why(post: Post) -> None:
    async with post.reader() as reader, anyio.create_task_group() as tasks:

        async def read() -> None:
            with pytest.raises(Kicked):
                await anext(reader)
            with pytest.raises(Kicked):
                await anext(reader)

        tasks.start_soon(read)
        for _ in range(5):
            await checkpoint()
        post.readers.end(Kicked())


async def test_a_logout_forgets_everything(post: Post) -> None:
    post.deliver(1)
    post.readers.clear()
    async with post.reader() as reader:
        post.deliver(2, 3)
        await anext(reader)
        post.readers.clear()
        post.deliver(4)
        assert await number_of(reader) == 4
    assert post.taken == [4]


async def test_a_feed_drops_the_oldest_and_counts_it() -> None:
    feed: Feed[int] = Feed(limit=2)
    for number in range(3):
        feed.put(number)
    feed.end()
    assert [number async for number in feed] == [1, 2]
    assert feed.dropped == 1


async def test_a_feed_is_waited_for() -> None:
    feed: Feed[int] = Feed(limit=2)
    async with anyio.create_task_group() as tasks:
        found: list[int] = []

        async def read() -> None:
            found.extend([number async for number in feed])

        tasks.start_soon(read)
        for number in range(2):
            await checkpoint()
            feed.put(number)
        for _ in range(5):
            await checkpoint()
        feed.end()
    assert found == [0, 1]
