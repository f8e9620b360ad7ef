"""Connections that break: nothing is lost, doubled or overtaken; on clocks that jump."""

from __future__ import annotations

import json
import logging
from contextlib import AsyncExitStack, suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from improto import payloads
from improto.codes import ConnectionStatus, DisconnectStatus
from improto.config import Limits, Timing
from improto.contents import Text
from improto.errors import ConnectionEnded
from improto.events import CloseReason
from improto.frames import Disconnect, TimeMs
from improto.messages import Conversation
from improto.operations import Topic
from improto_asyncio import Client
from improto_client import (
    Banned,
    Disconnected,
    GaveUp,
    Kicked,
    KickedTooOften,
    Malformed,
    NotAnswered,
    Offline,
    Refused,
    SentAway,
    Unreadable,
)
from tests.client.places import Post, connected, line_to, serving, until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto_client import Im
    from improto_client.receiving import Feed

VIRTUAL_TIME = True

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

ANN, BOB = Conversation.private("ann"), Conversation.private("bob")

MESSAGES = 1000
"""Sent by each of two users during the fault run."""

UNDER_WAY = 16
CUT_EVERY = 2.0
LASTS = 180.0
"""Seconds of the fault run."""

_FOLLOWS: dict[int, set[int]] = {
    0: {2, 3, 4, 8, 14},
    1: {0, 2, 3, 7, 14},
    2: {1, 6, 9, 13, 201},
    3: {1, 2, 201},
    4: {1, 2, 201},
    7: {1, 2, 201},
    8: {1, 2, 201},
    14: {1, 2, 201},
    201: {202, 203, 204},
    202: {1},
}
"""Which status may come after which, of those that these tests meet."""


def taken(feed: Feed[ConnectionStatus]) -> list[int]:
    """What a feed holds, all of it; statuses that cannot follow one another fail."""
    assert feed.dropped == 0
    statuses = [int(status) for status in feed._items]
    feed._items.clear()
    assert all(after in _FOLLOWS[before] for before, after in pairwise(statuses))
    return statuses


def number_of(content: bytes | str) -> int:
    return int(json.loads(content)["content"])


async def send_all(
    im: Im, to: Conversation, texts: Iterable[str], *, pause: float = 0.0, burst: int = 1
) -> None:
    """Send in this order, up to UNDER_WAY at a time, with a pause after each burst."""
    room = anyio.Semaphore(UNDER_WAY)

    async def send(text: str) -> None:
        await im.messages.send(to, text)
        room.release()

    async with anyio.create_task_group() as tasks:
        for number, text in enumerate(texts, start=1):
            await room.acquire()
            tasks.start_soon(send, text)
            # Without it trio would start them in any order.
            await checkpoint()
            if number % burst == 0:
                await anyio.sleep(pause)


async def test_a_line_that_is_cut_again_and_again() -> None:
    post = Post()
    got: dict[str, list[int]] = {"ann": [], "bob": []}
    numbers = [str(number) for number in range(MESSAGES)]

    async def read(im: Im) -> None:
        async for message in im.messages:
            got[im.user_id].append(int(message.text or ""))

    async def cut() -> None:
        while True:
            await anyio.sleep(CUT_EVERY)
            line.cut()

    async with serving(post) as port, line_to(port) as line:
        async with (
            connected(line.port, "ann", retry=[0.1] * 1000) as ann,
            connected(line.port, "bob", retry=[0.1] * 1000) as bob,
            anyio.create_task_group() as tasks,
        ):
            feeds = [im.statuses() for im in (ann, bob)]
            for im in (ann, bob):
                tasks.start_soon(read, im)
            tasks.start_soon(cut)
            # Each burst meets a cut.
            rate = {"pause": CUT_EVERY, "burst": round(MESSAGES / LASTS * CUT_EVERY)}
            async with anyio.create_task_group() as sending:
                sending.start_soon(lambda: send_all(ann, BOB, numbers, **rate))
                sending.start_soon(lambda: send_all(bob, ANN, numbers, **rate))
            await until(lambda: len(got["ann"]) >= MESSAGES <= len(got["bob"]))
            tasks.cancel_scope.cancel()
            for im, feed in zip((ann, bob), feeds, strict=True):
                # A login that the server has accepted may be cut before the client knows.
                statuses = taken(feed)
                assert statuses[0] in _FOLLOWS[0]
                assert LASTS / CUT_EVERY - 5 <= statuses.count(0) < post.logins.count(im.user_id)
                assert set(statuses) <= {0, 1, 3, 4, 7, 8}
                assert im.status == (statuses[-1] if statuses else 0)
        assert line.cuts >= LASTS / CUT_EVERY - 1
    assert got == {"ann": [*range(MESSAGES)], "bob": [*range(MESSAGES)]}
    assert len(post.received) == 2 * MESSAGES


async def test_messages_wait_for_the_next_connection_in_their_order() -> None:
    post = Post()
    async with serving(post) as port, line_to(port) as line, connected(line.port, "ann") as im:
        feed = im.statuses()
        line.is_dead = True
        line.cut()
        await until(lambda: im.status is not ConnectionStatus.CONNECTED)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: send_all(im, BOB, map(str, range(10))))
            await anyio.sleep(20.0)
            assert post.received == []
            line.is_dead = False
        assert [number_of(text) for text in post.received] == [*range(10)]
        statuses = taken(feed)
        assert statuses[0] == 3
        assert statuses[-2:] == [1, 0]
        assert set(statuses[1:-2]) == {1, 7}


async def test_what_waits_may_be_given_up() -> None:
    post = Post()
    async with (
        serving(post) as port,
        line_to(port) as line,
        connected(line.port, "ann") as im,
    ):
        line.is_dead = True
        line.cut()
        await until(lambda: im.status is not ConnectionStatus.CONNECTED)
        with anyio.move_on_after(5.0) as scope:
            await im.messages.send(BOB, "never")
        assert scope.cancelled_caught
        line.is_dead = False
        await im.messages.send(BOB, "later")
        assert post.received == ['{"content":"later"}']


async def test_requests_that_are_not_to_wait() -> None:
    async with (
        serving(Post()) as port,
        line_to(port) as line,
        connected(line.port, "ann", when_offline="fail") as im,
    ):
        line.is_dead = True
        line.cut()
        await until(lambda: im.status is not ConnectionStatus.CONNECTED)
        with pytest.raises(Offline):
            await im.messages.send(BOB, "hi")
        with pytest.raises(Offline):
            await im.messages.typing(BOB)
        with pytest.raises(Offline):
            await im.blacklist.list()


async def test_questions_are_asked_again_and_changes_are_not() -> None:
    post = Post()
    async with serving(post) as port, line_to(port) as line:
        async with connected(line.port, "ann") as im, anyio.create_task_group() as tasks:
            post.is_silent = True

            async def ask() -> None:
                post.reply = payloads.encode(payloads.QueryBlackListOutput(userIds=["eve"]))
                assert await im.blacklist.list() == ["eve"]

            async def change() -> None:
                with pytest.raises(NotAnswered):
                    await im.discussions.quit("d")

            tasks.start_soon(ask)
            tasks.start_soon(change)
            await until(lambda: len(post.asked) == 2)
            post.is_silent = False
            line.cut()
        assert sorted(post.asked) == ["getBlack", "getBlack", "quitDiz"]


async def test_a_server_that_never_answers() -> None:
    post = Post()
    async with serving(post) as port, connected(port, "ann", timing=Timing(request=30.0)) as im:
        post.is_silent = True
        begun = anyio.current_time()
        with pytest.raises(NotAnswered):
            await im.blacklist.list()
        assert anyio.current_time() - begun == pytest.approx(30.0, abs=0.2)
        await im.messages.typing(BOB)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(im.messages.send, BOB, "patience")
            await anyio.sleep(45.0)
            post.is_silent = False
        assert post.received == ['{"content":"patience"}']


async def test_answers_that_are_none(caplog: pytest.LogCaptureFixture) -> None:
    post = Post()
    async with serving(post) as port, connected(port, "ann") as im:
        post.reply = b"\xff\xff"
        with pytest.raises(Unreadable):
            await im.discussions.get("d")
        post.reply = payloads.encode(payloads.GetUserStatusOutput(status='{"us":[]}'))
        with pytest.raises(Unreadable):
            await im.presence.get("bob")
        post.status = 405
        with pytest.raises(Refused) as refused:
            await im.messages.send(BOB, "hi")
        assert refused.value.code == 405
        with pytest.raises(Refused):
            await im.messages.typing(BOB)
        with caplog.at_level(logging.WARNING, "improto_client"):
            post.peers["ann"].command(Topic.S_CMD, b"\xff")
            await until(lambda: caplog.records)
        post.status = 0
        assert (await im.messages.send(BOB, "still here")).uid


async def test_arguments_that_do_not_fit() -> None:
    async with serving(Post()) as port, connected(port, "ann") as im:
        with pytest.raises(Malformed, match="limit"):
            await im.messages.send(BOB, "x" * 200_000)
        with pytest.raises(Malformed, match="target"):
            await im.messages.send(Conversation.private("x" * 2000), "hi")
        with pytest.raises(Malformed, match="topic"):
            await im.messages.send(Conversation(type=99, target_id="x"), "hi")
        with pytest.raises(Malformed, match="topic"):
            await im.messages.typing(Conversation(type=6, target_id="x"))
        with pytest.raises(Malformed):
            await im.blacklist.add("x" * 2000)
        with pytest.raises(Malformed):
            await im.chatrooms.join("room", history=2**40)


# -- ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "shown"),
    [
        (DisconnectStatus.OTHER_DEVICE_LOGIN, Kicked, [2, 6]),
        (DisconnectStatus.BLOCK, Banned, [2, 9]),
        (DisconnectStatus.REMOTE_CLOSE, SentAway, [2, 13]),
    ],
)
async def test_an_end_for_good(
    status: DisconnectStatus, kind: type[Exception], shown: list[int]
) -> None:
    post = Post()
    async with serving(post) as port, connected(port, "ann") as im:
        feed = im.statuses()
        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                with pytest.raises(kind):
                    await anext(aiter(im.messages))

            async def send() -> None:
                post.is_silent = True
                with pytest.raises(kind):
                    await im.messages.send(BOB, "hi")

            tasks.start_soon(read)
            tasks.start_soon(send)
            await anyio.sleep(1.0)
            post.peers["ann"].dismiss(status)
        assert taken(feed) == shown
        assert isinstance(im.ended, kind)
        for _ in range(2):
            with pytest.raises(kind):
                await im.messages.send(BOB, "hi")
            with pytest.raises(kind):
                await im.blacklist.list()
            with pytest.raises(kind):
                await im.messages.typing(BOB)
        post.is_silent = False
        await im.reconnect()
        assert im.ended is None
        assert taken(feed) == [1, 0]
        assert (await im.messages.send(BOB, "back")).uid
        # Who was told that it has failed does not expect it to arrive.
        assert post.received == ['{"content":"back"}']


async def test_two_programs_with_one_user_give_up() -> None:
    post = Post()
    async with serving(post) as port:
        async with connected(port, "ann") as im:
            for _ in range(6):
                post.peers["ann"].dismiss(DisconnectStatus.OTHER_DEVICE_LOGIN)
                await until(lambda: im.ended)
                if len(post.logins) < 6:
                    await im.reconnect()
            with pytest.raises(KickedTooOften):
                await im.reconnect()
            assert im.status is ConnectionStatus.ULTRALIMIT
        assert len(post.logins) == 6


async def test_a_list_of_delays_is_used_up() -> None:
    async with (
        serving(Post()) as port,
        line_to(port) as line,
        connected(line.port, "ann", retry=[1.0, 2.0]) as im,
    ):
        line.is_dead = True
        line.cut()
        begun = anyio.current_time()
        with pytest.raises(GaveUp):
            async for _ in im.messages:
                pass
        assert anyio.current_time() - begun == pytest.approx(3.0, abs=0.2)
        assert im.status is ConnectionStatus.NETWORK_UNAVAILABLE


async def test_a_reader_that_outlives_the_client() -> None:
    post = Post()
    async with serving(post) as port:
        post.deliver("ann", b'{"content":"1"}')
        async with AsyncExitStack() as stack:
            async with connected(port, "ann") as im:
                reader = await stack.enter_async_context(im.messages.only())
                message = await anext(reader)
            assert im.session.inbox_cursor == 0
        assert im.session.inbox_cursor == message.time


async def test_leaving_and_coming_back() -> None:
    post = Post()
    async with serving(post) as port:
        async with connected(port, "ann") as im:
            feed = im.statuses()
            await im.disconnect()
            await im.disconnect()
            assert [message async for message in im.messages] == []
            with pytest.raises(Disconnected):
                await im.messages.send(BOB, "hi")
            await im.reconnect()
            assert taken(feed) == [2, 1, 0]
        assert [status async for status in feed] == [ConnectionStatus.DISCONNECTED]


async def test_leaving_during_an_outage() -> None:
    async with (
        serving(Post()) as port,
        line_to(port) as line,
        connected(line.port, "ann") as im,
    ):
        line.is_dead = True
        line.cut()
        await until(lambda: im.status is not ConnectionStatus.CONNECTED)
        await anyio.sleep(3.0)
        await im.disconnect()
        assert im.status is ConnectionStatus.DISCONNECTED


async def test_leaving_before_it_has_begun() -> None:
    post = Post()
    async with serving(post) as port, connected(port, "ann") as im:
        await im.disconnect()
        async with anyio.create_task_group() as tasks:

            async def come_back() -> None:
                with pytest.raises(Disconnected):
                    await im.reconnect()

            tasks.start_soon(come_back)
            while im.ended is not None:
                await checkpoint()
            await im.disconnect()


async def test_a_logout_forgets_the_session() -> None:
    post = Post()
    async with serving(post) as port:
        async with connected(port, "ann") as im:
            post.deliver("ann", b'{"content":"1"}')
            message = await anext(aiter(im.messages))
            old = im.session
            await im.logout()
            assert im.user_id == ""
            assert im.session is not old
            await im.reconnect()
            again = await anext(aiter(im.messages))
            assert again.uid == message.uid
        assert im.session.inbox_cursor == again.time


async def test_what_was_not_taken_comes_again() -> None:
    post = Post()
    async with serving(post) as port:
        post.deliver("ann", b'{"content":"1"}')
        post.deliver("ann", b'{"content":"2"}')
        state: dict[str, Any] = {}
        with suppress(RuntimeError):
            async with connected(port, "ann") as im:
                async for message in im.messages:
                    state = im.session.to_state()
                    if message.text == "2":
                        raise RuntimeError
        session = type(im.session).from_state(state)
        async with connected(port, "ann", session=session) as im:
            assert (await anext(aiter(im.messages))).text == "2"


async def test_rooms_are_gone_into_again() -> None:
    post = Post()
    post.reply = payloads.encode(payloads.ChrmOutput(nothing=0))
    async with serving(post) as port, line_to(port) as line, connected(line.port, "ann") as im:
        await im.chatrooms.join("lobby", history=0)
        await until(lambda: "pull lobby" in post.asked)
        post.asked.clear()
        line.cut()
        await until(lambda: "pull lobby" in post.asked)
        assert post.asked == ["joinChrmR", "pull lobby"]
        post.status = 23410
        line.cut()
        await until(lambda: not im.chatrooms.joined)
        assert post.asked[2:] == ["joinChrmR"]


async def test_a_room_waits_for_the_connection_after_next() -> None:
    post = Post()
    post.reply = payloads.encode(payloads.ChrmOutput(nothing=0))
    async with serving(post) as port, line_to(port) as line, connected(line.port, "ann") as im:
        await im.chatrooms.join("lobby")
        post.is_silent = True
        post.asked.clear()
        line.cut()
        await until(lambda: post.asked)
        post.is_silent = False
        line.cut()
        await until(lambda: "pull lobby" in post.asked)
        assert im.chatrooms.joined == ("lobby",)


async def test_a_room_whose_line_breaks_while_it_is_joined() -> None:
    """The server has let us in; the next login goes in again."""
    post = Post()
    post.reply = payloads.encode(payloads.ChrmOutput(nothing=0))
    async with serving(post) as port, line_to(port) as line, connected(line.port, "ann") as im:
        with pytest.MonkeyPatch.context() as patch:

            async def broken(client: Client, room_id: str, *, count: int) -> None:
                raise ConnectionEnded("gone", reason=CloseReason.LOST)

            patch.setattr(Client, "follow_room", broken)
            await im.chatrooms.join("lobby")
        assert im.chatrooms.joined == ("lobby",)
        line.cut()
        await until(lambda: "pull lobby" in post.asked)


async def test_what_is_of_no_use_later_is_dropped() -> None:
    post = Post()
    async with serving(post) as port, line_to(port) as line, connected(line.port, "ann") as im:
        line.is_dead = True
        line.cut()
        await until(lambda: im.status is not ConnectionStatus.CONNECTED)
        await im.messages.typing(BOB)
        await im._link.follow_room("lobby", count=1)
        line.is_dead = False
        await im.messages.send(BOB, "hi")
        assert post.received == ['{"content":"hi"}']
        await im.logout()
        with pytest.raises(Disconnected):
            await im.chatrooms.quit("lobby")


async def test_a_server_that_moves() -> None:
    post = Post()
    async with serving(post) as port:
        post.navigation = {"server": f"127.0.0.1:{port}"}
        async with connected(port, "ann", host=None, navigators=f"http://127.0.0.1:{port}") as im:
            feed = im.statuses()
            # No server of ours says it, because the SDKs do not follow it.
            connection = post.peers["ann"].connection
            connection._send(Disconnect(status=DisconnectStatus.REDIRECT))
            post.peers["ann"].shut_down()
            await until(lambda: len(post.logins) == 2 and im.status is ConnectionStatus.CONNECTED)
            assert taken(feed) == [14, 201, 202, 1, 0]


async def test_a_full_outbox_makes_senders_wait() -> None:
    post = Post()
    limits = Limits(outbox_messages=4, requests_in_flight=4)
    async with (
        serving(post) as port,
        line_to(port) as line,
        connected(line.port, "ann", limits=limits) as im,
    ):
        post.is_silent = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: send_all(im, BOB, map(str, range(12))))
            await anyio.sleep(1.0)
            post.is_silent = False
            line.cut()
    assert [number_of(text) for text in post.received] == [*range(12)]


async def test_contents_of_the_application() -> None:
    post = Post()
    async with serving(post) as port, connected(port, "ann") as im:
        post.deliver("ann", b"no json")
        message = await anext(aiter(im.messages))
        assert not isinstance(message.content, Text)
        assert message.raw.time == TimeMs(message.time)
