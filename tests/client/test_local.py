"""What ``im.local`` gives and takes, with a store in memory and one in a file."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from improto import contents
from improto.codes import ConversationType
from improto.contents import File, RecallCommand, Text
from improto.messages import Conversation
from improto_client import Malformed, ReceivedStatus, Refused, SentStatus
from improto_client.chatrooms import Entry
from improto_client.local import LARGEST_NUMBER
from tests.client.places import Post, connected, serving
from tests.client.test_cancellation import replies
from tests.client.test_im import ANN, BOB, LOBBY, ann_and_bob, following

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path

    from improto_client import Im, LocalMessage

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]


@asynccontextmanager
async def at_post(kind: str, path: Path) -> AsyncIterator[tuple[Post, Im]]:
    post = Post()
    post.replies = replies()
    store = None if kind == "memory" else path / "ann.db"
    async with serving(post) as port, connected(port, "ann", store=store) as im:
        yield post, im


def texts(found: list[LocalMessage]) -> list[str | None]:
    return [each.text for each in found]


both = pytest.mark.parametrize("kind", ["memory", "sqlite"])


@both
async def test_messages_are_there_when_a_reader_gets_them(kind: str, tmp_path: Path) -> None:
    async with at_post(kind, tmp_path) as (post, im):
        for number in range(5):
            post.deliver("ann", b'{"content":"%d"}' % number)
        got = [await following(im) for _ in range(5)]
        assert texts(await im.local.messages(BOB, count=2)) == ["4", "3"]
        page = await im.local.messages(BOB, count=3)
        assert texts(await im.local.messages(BOB, before=page[-1])) == ["1", "0"]
        found = await im.local.get(got[0].uid)
        assert found is not None
        assert (found.text, found.uid, found.sent) == ("0", got[0].uid, None)
        assert await im.local.get(found.id) == found
        assert await im.local.get("nothing") is None
        assert await im.local.unread() == await im.local.unread(BOB) == 5
        await im.local.set_received(found.uid, ReceivedStatus.LISTENED)
        await im.local.set_received(found.id, ReceivedStatus.DOWNLOADED)
        found = await im.local.get(found.id)
        assert found is not None
        assert found.received == ReceivedStatus.LISTENED | ReceivedStatus.DOWNLOADED
        assert await im.local.unread() == 4
        await im.local.mark_read(BOB, until=got[1].time)
        assert await im.local.unread() == 3
        await im.local.mark_read(BOB)
        await im.local.set_unread(BOB, 7)
        assert await im.local.unread(BOB, ANN) == 7
        assert (await im.local.conversation(BOB)).read_time == got[4].time


@both
async def test_what_is_sent_is_there_before_the_answer(kind: str, tmp_path: Path) -> None:
    async with at_post(kind, tmp_path) as (post, im):
        sent = await im.messages.send(BOB, "hi")
        (found,) = await im.local.messages(BOB)
        assert (found.uid, found.sent, found.message.is_mine) == (sent.uid, SentStatus.SENT, True)
        post.status = 405
        with pytest.raises(Refused):
            await im.messages.send(BOB, "no")
        failed, _ = await im.local.messages(BOB)
        assert (failed.uid, failed.sent) == ("", SentStatus.FAILED)
        await im.local.set_sent(failed.id, SentStatus.DESTROYED)
        again = await im.local.get(failed.id)
        assert again is not None
        assert again.sent is SentStatus.DESTROYED


@both
async def test_searching(kind: str, tmp_path: Path) -> None:
    async with at_post(kind, tmp_path) as (_, im):
        for number, text in enumerate(("今天天气好", "Hello", "say hello")):
            await im.local.insert(BOB, text, time=number + 1, sender="bob")
        await im.local.insert(LOBBY, File(name="hello.pdf"), time=9)
        assert texts(await im.local.search("天气")) == ["今天天气好"]
        assert texts(await im.local.search("好")) == ["今天天气好"]
        assert texts(await im.local.search("HELLO")) == [None, "say hello", "Hello"]
        assert texts(await im.local.search("hello", count=1, sender="bob")) == ["say hello"]
        assert texts(await im.local.search("hello", conversation=BOB, since=3)) == ["say hello"]
        (found,) = await im.local.search("say")
        await im.local.set_search_text(found.id, "secret")
        assert await im.local.search("say") == []
        assert texts(await im.local.search("secret")) == ["say hello"]
        await im.local.update(found.id, "changed")
        assert texts(await im.local.search("changed")) == ["changed"]
        await im.local.update(found.id, File(name="file"))
        assert texts(await im.local.search("file")) == [None]


@both
async def test_changing(kind: str, tmp_path: Path) -> None:
    async with at_post(kind, tmp_path) as (_, im):
        mine = await im.local.insert(BOB, "draft of mine", extra="note")
        assert (mine.sent, mine.extra, mine.message.sender_id) == (SentStatus.SENT, "note", "ann")
        his = await im.local.insert(BOB, "his", sender="bob", time=1)
        assert his.message.sender_id == "bob"
        assert await im.local.unread() == 0
        await im.local.set_extra(his.id, "other")
        found = await im.local.get(his.id)
        assert found is not None
        assert found.extra == "other"
        with pytest.raises(Malformed, match="only own"):
            await im.local.set_sent(his.id, SentStatus.READ)
        await im.local.delete([his.id, 10**9, "nothing"])
        assert await im.local.get(his.id) is None
        await im.local.clear()
        assert await im.local.messages(BOB) == []


@both
async def test_conversations_and_drafts(kind: str, tmp_path: Path) -> None:
    async with at_post(kind, tmp_path) as (_, im):
        team = Conversation.group("team")
        await im.local.insert(BOB, "old", time=1)
        await im.local.insert(team, "new", time=2)
        await im.local.set_draft(BOB, "I was going to")
        assert await im.local.draft(BOB) == "I was going to"
        await im.local.set_draft(team, "nothing")
        await im.local.set_draft(team, "")
        assert await im.local.draft(team) == ""
        await im.conversations.pin(BOB)
        await im.conversations.mute(team)
        first, second = await im.local.conversations()
        assert (first.conversation, first.is_muted, first.is_pinned) == (team, True, False)
        assert (second.conversation, second.is_pinned, second.draft) == (
            BOB,
            True,
            "I was going to",
        )
        assert first.last is not None
        assert first.last.text == "new"
        assert await im.local.conversations(before=2) == [second]
        await im.local.remove(team)
        assert await im.local.conversations() == [second]
        await im.conversations.remove(BOB)
        assert await im.local.conversations() == []
        assert (await im.local.conversation(LOBBY)).last is None


def bad_calls(im: Im) -> dict[str, Coroutine[Any, Any, object]]:
    far = Conversation(type=2**70, target_id="x")
    return {
        "count must be 1 to 1000": im.local.messages(BOB, count=0),
        "count must be 1 to 1000, not 1001": im.local.conversations(count=1001),
        "text must be 1 to 200": im.local.search(""),
        "since must be 0": im.local.search("x", since=-1),
        "time must be": im.local.insert(BOB, "x", time=LARGEST_NUMBER + 1),
        "extra may have": im.local.insert(BOB, "x", extra="x" * 65_537),
        "content: ": im.local.insert(BOB, "x" * 131_072),
        "surrogate": im.local.insert(BOB, "\ud800"),
        "draft may have": im.local.set_draft(BOB, "x" * 65_537),
        "text may have 4000": im.local.set_search_text(1, "x" * 4001),
        "status: 99": im.local.set_sent(1, 99),  # type: ignore[arg-type]
        "not in the store": im.local.update("nothing", "x"),
        "until must be": im.local.clear(until=-1),
        "until must": im.local.mark_read(BOB, until=-1),
        "count must be 0": im.local.set_unread(BOB, -1),
        "too large": im.local.set_draft(far, "x"),
        "surrogates": im.local.get("\ud800"),
    }


async def test_arguments_that_do_not_fit(tmp_path: Path) -> None:
    async with at_post("sqlite", tmp_path) as (_, im):
        for text, call in bad_calls(im).items():
            with pytest.raises(Malformed, match=text):
                await call
        await im.local.set_draft(BOB, "\ud800\0")
        assert await im.local.draft(BOB) == "? "
        assert im.ended is None


@both
async def test_with_a_server(kind: str, tmp_path: Path) -> None:
    """What both sides do changes what is kept."""
    stores = {} if kind == "memory" else {"store": tmp_path / "ann.db"}
    async with ann_and_bob(tmp_path) as (at, idle, bob):
        await idle.disconnect()
        async with at.connect("ann", **stores) as ann:
            sent = await bob.messages.send(ANN, "oops")
            await following(ann)
            await bob.messages.recall(sent)
            await following(ann)
            (notice,) = await ann.local.messages(BOB)
            assert isinstance(notice.message.content, RecallCommand)
            mine = await ann.messages.send(BOB, "hello")
            await bob.messages.confirm(await following(bob))
            await following(ann)
            newest, *_ = await ann.local.messages(BOB)
            assert (newest.uid, newest.sent) == (mine.uid, SentStatus.READ)
            await ann.messages.delete([mine])
            assert await ann.local.get(mine.uid) is None
            await ann.messages.send(BOB, "x")
            last = await ann.messages.send(BOB, "y")
            await ann.messages.clear(BOB, until=last.time - 1)
            assert texts(await ann.local.messages(BOB)) == ["y"]
            await ann.conversations.pin(BOB)
            await ann.conversations.pin(BOB, on=False)
            await ann.conversations.settings()
            assert not (await ann.local.conversation(BOB)).is_pinned
            await ann.conversations.mark_read(BOB, until=last.time)
            assert await ann.local.unread(BOB) == 0


async def test_entries_of_rooms(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        for im in (ann, bob):
            await im.chatrooms.join("lobby")
        await ann.chatrooms.set_entry("lobby", "topic", "news", is_told=True)
        entries = await ann.local.entries("lobby")
        assert entries.keys() == {"topic"}
        assert (entries["topic"].value, entries["topic"].owner_id) == ("news", "ann")
        await until_told(bob, "topic", "news")
        await ann.chatrooms.set_entries("lobby", {"a": "1", "b": "2"})
        await ann.chatrooms.remove_entry("lobby", "topic")
        await ann.chatrooms.remove_entries("lobby", ["a"])
        assert (await ann.local.entries("lobby")).keys() == {"b"}
        assert (await bob.chatrooms.entries("lobby")).keys() == {"b"}
        assert (await bob.local.entries("lobby")).keys() == {"b"}
        await bob.chatrooms.quit("lobby")
        assert await bob.local.entries("lobby") == {}


async def until_told(im: Im, key: str, value: str) -> None:
    async with im.messages.only(kinds=contents.ChatroomKeyChange) as notices:
        notice = await anext(notices)
    assert notice.conversation.type == ConversationType.CHATROOM
    entry = (await im.local.entries("lobby"))[key]
    assert entry == Entry(value=value, owner_id="ann", time=notice.time)


async def test_what_others_say_of_unknown_texts_is_kept_as_it_is(tmp_path: Path) -> None:
    async with at_post("sqlite", tmp_path) as (post, im):
        post.deliver("ann", b'{"content":"\\ud800"}')
        assert (await following(im)).text is None
        assert await im.local.messages(BOB) == []
        post.deliver("ann", contents.encode(Text("zero\0")))
        assert (await following(im)).text == "zero\0"
        assert texts(await im.local.search("zero")) == ["zero\0"]
