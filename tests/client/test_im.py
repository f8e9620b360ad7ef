"""Everything that a client can do, with the real server, on both loops."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import pytest
from sniffio import current_async_library

from improto import contents
from improto.codes import ConversationType, ErrorCode, FileType
from improto.contents import ExpansionChange, Image, ReadReceipt, RecallCommand, Text, Typing
from improto.messages import Conversation
from improto_client import (
    EVERYBODY,
    Bot,
    Entry,
    Im,
    Malformed,
    QuietHours,
    Refused,
    Sent,
    connect,
)
from improto_server.app import Application
from improto_server.config import load
from improto_server.services.accounts import Accounts
from improto_server.steps import start
from tests.client.places import line_to, no_upgrade, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path

    from improto_client import Message

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

KEY, SECRET = "demo", "s" * 32
ANN, BOB = Conversation.private("ann"), Conversation.private("bob")
TEAM, LOBBY = Conversation.group("team"), Conversation.chatroom("lobby")


class House(NamedTuple):
    """A server, and its address."""

    application: Application
    url: str

    def token(self, user: str) -> str:
        """What lets a user in for a minute."""
        return Accounts({KEY: SECRET}).issue(KEY, user, now=time.time(), lifetime=60)

    def connect(self, user: str, **options: Any) -> Any:
        """A client of it, by way of its navigation."""
        return connect(self.url, app_key=KEY, token=self.token(user), **options)

    async def do(self, steps: Coroutine[Any, Any, Any]) -> None:
        """What the application's own server does."""
        done = anyio.Event()
        start(steps, lambda _: done.set())
        await done.wait()


@asynccontextmanager
async def house(path: Path, **more: Any) -> AsyncIterator[House]:
    settings = load(
        environment={},
        overrides={
            "apps": [{"key": KEY, "secret": SECRET}],
            "gateway.backend": current_async_library(),
            "gateway.port": 0,
            "messages.rate": 0,
            "store.durable": False,
            "store.url": f"sqlite:///{path / 'messages.db'}",
        }
        | more,
    )
    application = Application(settings)
    async with application.listening() as (url,):
        yield House(application, url)


@asynccontextmanager
async def ann_and_bob(path: Path, **more: Any) -> AsyncIterator[tuple[House, Im, Im]]:
    async with house(path, **more) as at, AsyncExitStack() as stack:
        ann, bob = [await stack.enter_async_context(at.connect(user)) for user in ("ann", "bob")]
        yield at, ann, bob


async def following(im: Im) -> Message:
    """The next message of any kind."""
    return await anext(aiter(im.messages))


async def refused(call: Coroutine[Any, Any, Any]) -> int:
    """With which code the server refuses something."""
    with pytest.raises(Refused) as refusal:
        await call
    return refusal.value.code


# -- messages -----------------------------------------------------------------------------------


async def test_messages(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        sent = await ann.messages.send(BOB, "hi", mention="bob", push_text="Ann: hi")
        got = await following(bob)
        assert (got.text, got.uid, got.time) == ("hi", sent.uid, sent.time)
        assert (got.conversation, got.sender_id) == (ANN, "ann")
        assert got.is_mentioned
        assert not got.is_mine
        answer = await bob.messages.send(got, Image(content="x", image_uri="u"))
        assert answer.conversation == ANN
        image = await following(ann)
        assert isinstance(image.content, Image)
        await ann.messages.confirm(image)
        receipt = await following(bob)
        assert receipt.content == ReadReceipt(
            last_message_send_time=image.time, message_uid=image.uid
        )
        recalled = await ann.messages.recall(sent)
        assert recalled.conversation == BOB
        notice = await following(bob)
        assert isinstance(notice.content, RecallCommand)
        assert notice.content.message_uid == sent.uid
        assert await refused(bob.messages.recall(sent)) == ErrorCode.RECALL_MESSAGE
        raw = contents.Unknown(object_name="my:own", data=b"{}")
        with pytest.raises(Malformed, match="mention"):
            await ann.messages.send(BOB, raw, mention=EVERYBODY)
        with pytest.raises(Malformed, match="private"):
            await ann.messages.confirm(await said_in_a_group(ann))


async def said_in_a_group(im: Im) -> Message:
    """A message that looks as if."""
    page = await im.messages.history(BOB).next_page()
    return replace(page[0], conversation=TEAM)


async def test_typing_reaches_who_is_there(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        with anyio.fail_after(10):
            async with bob.messages.only(kinds=Typing) as notices, anyio.create_task_group() as do:

                async def type_on() -> None:
                    while True:
                        await ann.messages.typing(BOB)
                        await anyio.sleep(0.01)

                do.start_soon(type_on)
                notice = await anext(notices)
                do.cancel_scope.cancel()
        assert isinstance(notice.content, Typing)
        assert notice.content.typing_content_type == Text.object_name
        assert [message async for message in ann.messages.history(BOB)] == []


async def test_expansion(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        sent = await ann.messages.send(BOB, "vote", is_expandable=True, is_silent=True)
        await ann.messages.expand(sent, {"yes": "1", "no": "2"})
        await ann.messages.remove_expansion(sent, ["no"])
        (found,) = await ann.messages.history(BOB).next_page()
        assert found.expansion == {"yes": "1"}
        await bob.messages.remove_expansion(found_by_bob := await following(bob))
        assert found_by_bob.text == "vote"
        changes = [await following(bob), await following(bob)]
        assert all(isinstance(change.content, ExpansionChange) for change in changes)
        plain = await ann.messages.send(BOB, "plain")
        refusal = await refused(ann.messages.expand(plain, {"a": "b"}))
        assert refusal == ErrorCode.MESSAGE_KV_NOT_SUPPORT


async def test_history(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        sent = [await ann.messages.send(BOB, str(number)) for number in range(7)]
        assert await texts(ann.messages.history(BOB, page=3)) == [*"6543210"]
        assert await texts(bob.messages.history(ANN, after=0, page=2)) == [*"0123456"]
        assert await texts(ann.messages.history(BOB, before=sent[3].time)) == [*"210"]
        assert await texts(ann.messages.history(BOB, after=sent[3].time)) == [*"456"]
        assert [m.is_mine async for m in ann.messages.history(BOB, after=0, page=1)] == [True] * 7
        await ann.messages.delete(sent[5:])
        assert await texts(ann.messages.history(BOB)) == [*"43210"]
        await ann.messages.clear(BOB, until=sent[2].time)
        assert await texts(ann.messages.history(BOB)) == [*"43"]
        theirs = await bob.messages.history(ANN).next_page()
        await bob.messages.delete(theirs[:1])
        assert await texts(bob.messages.history(ANN)) == [*"543210"]
        assert await texts(ann.messages.history(Conversation.private("eve"))) == []
        soon = sent[-1].time + 10**9
        refusal = await refused(ann.messages.clear(BOB, until=soon))
        assert refusal == ErrorCode.CLEAR_HIS_TIME_ERROR
        for size in (0, 101):
            with pytest.raises(Malformed, match="1 to 100"):
                ann.messages.history(BOB, page=size)
        for conversation in (
            Conversation(type=99, target_id="x"),
            Conversation(type=12, target_id="x"),
        ):
            with pytest.raises(Malformed):
                ann.messages.history(conversation)
        for chosen in ([], [sent[0], Sent(conversation=TEAM, uid="U", time=1)]):
            with pytest.raises(Malformed, match="one conversation"):
                await ann.messages.delete(chosen)


async def texts(messages: Any) -> list[str | None]:
    return [message.text async for message in messages]


async def test_readers_with_filters(tmp_path: Path) -> None:
    async with (
        ann_and_bob(tmp_path) as (at, ann, bob),
        at.connect("eve") as eve,
        bob.messages.only(conversation=ANN, kinds=(Text, Image)) as from_ann,
        bob.messages.only(where=lambda message: message.text == "2") as twos,
        bob.messages.only(conversation=Conversation.private("eve")) as from_eve,
    ):
        for text in ("1", "2"):
            await ann.messages.send(BOB, text)
        assert [(await anext(from_ann)).text for _ in range(2)] == ["1", "2"]
        assert (await anext(twos)).text == "2"
        await eve.messages.send(BOB, "hi")
        assert (await anext(from_eve)).text == "hi"


# -- conversations ------------------------------------------------------------------------------


async def test_conversations(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        first = await ann.messages.send(BOB, "1")
        last = await ann.messages.send(BOB, "2")
        await bob.messages.send(Conversation.private("eve"), "3")
        eve, entry = await bob.conversations.list()
        assert (eve.conversation.target_id, eve.unread) == ("eve", 0)
        assert (entry.conversation, entry.unread) == (ANN, 2)
        assert entry.last is not None
        assert entry.last.text == "2"
        assert await bob.conversations.list(count=1) == [eve]
        assert eve.last is not None
        assert await bob.conversations.list(before=eve.last.time) == [entry]
        assert await bob.conversations.unread() == await bob.conversations.unread(ANN) == 2
        assert await bob.conversations.unread(BOB) == 0
        await bob.conversations.mark_read(ANN, until=first.time)
        assert await bob.conversations.unread() == 1
        await bob.conversations.mark_read(ANN, until=last.time)
        assert await bob.conversations.unread() == 0
        await bob.conversations.remove(ANN)
        assert await bob.conversations.list() == [eve]
        for count in (0, 1001):
            with pytest.raises(Malformed, match="1 to 1000"):
                await bob.conversations.list(count=count)


async def test_settings_of_conversations(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, _bob):
        assert await ann.conversations.settings() == ()
        await ann.conversations.mute(BOB)
        await ann.conversations.pin(BOB)
        await ann.conversations.make_tag("t", "friends")
        await ann.conversations.tag("t", [BOB])
        (setting,) = await ann.conversations.settings()
        assert setting.conversation == BOB
        assert (setting.is_muted, setting.is_pinned, setting.tags) == (True, True, ("t",))
        await ann.conversations.mute(BOB, on=False)
        await ann.conversations.pin(BOB, on=False)
        await ann.conversations.untag("t", [BOB])
        (setting,) = await ann.conversations.settings()
        assert (setting.is_muted, setting.is_pinned) == (False, False)
        assert not setting.tags
        await ann.conversations.remove_tag("t")
        assert await refused(ann.conversations.tag("t", [BOB])) == ErrorCode.TAG_NOT_EXIST


# -- places -------------------------------------------------------------------------------------


async def test_groups(tmp_path: Path) -> None:
    more = {"messages.group_receipts": "topics"}
    async with ann_and_bob(tmp_path, **more) as (at, ann, bob):
        groups = at.application.system.groups
        await at.do(groups.create(KEY, "team", members=["ann", "bob", "eve"], name="Team"))
        sent = await ann.messages.send(TEAM, "all", mention=EVERYBODY)
        secret = await ann.messages.send(TEAM, "only eve", only=["eve"])
        got = await following(bob)
        assert (got.text, got.conversation, got.is_mentioned) == ("all", TEAM, True)
        await bob.groups.confirm([got])
        readership = await ann.groups.readers(sent)
        assert readership.members == 2
        assert [user for user, _ in readership.readers] == ["bob"]
        assert secret.uid
        for chosen in ([], [got, await to_myself(bob)], [await to_myself(bob)]):
            with pytest.raises(Malformed):
                await bob.groups.confirm(chosen)
        with pytest.raises(Malformed, match="groups"):
            await ann.groups.readers(Sent(conversation=BOB, uid="U", time=1))
        other = Conversation.group("other")
        assert await refused(ann.messages.send(other, "hi")) == ErrorCode.NOT_IN_GROUP


async def to_myself(im: Im) -> Message:
    me = Conversation.private(im.user_id)
    await im.messages.send(me, "note")
    return (await im.messages.history(me).next_page())[0]


async def test_chatrooms(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        rooms = ann.chatrooms
        refusal = await refused(rooms.join("lobby", existing=True))
        assert refusal == ErrorCode.RC_CHATROOM_NOT_EXIST
        await rooms.join("lobby")
        await bob.chatrooms.join("lobby", existing=True, history=0)
        assert rooms.joined == ("lobby",)
        await ann.messages.send(LOBBY, "hello all")
        assert (await following(bob)).conversation == LOBBY
        info = await rooms.info("lobby")
        assert (info.total, [user for user, _ in info.members]) == (2, ["ann", "bob"])
        newest = await rooms.info("lobby", count=1, newest_first=True)
        assert [user for user, _ in newest.members] == ["bob"]
        assert (await rooms.info("lobby", count=0)).members == ()
        assert await texts(ann.messages.history(LOBBY)) == ["hello all"]
        await bob.chatrooms.quit("lobby")
        assert bob.chatrooms.joined == ()
        assert await refused(bob.chatrooms.quit("lobby")) == ErrorCode.NOT_IN_CHATROOM
        with pytest.raises(Malformed, match="old messages"):
            await rooms.join("lobby", history=-1)
        for count in (-1, 21):
            with pytest.raises(Malformed, match="0 to 20"):
                await rooms.info("lobby", count=count)


async def test_keys_of_chatrooms(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        for im in (ann, bob):
            await im.chatrooms.join("lobby", history=0)
        mine, theirs = ann.chatrooms, bob.chatrooms
        await mine.set_entry("lobby", "topic", "tea", is_told=True, extra="x")
        told = await following(bob)
        assert isinstance(told.content, contents.ChatroomKeyChange)
        assert (told.content.key, told.content.value, told.content.extra) == ("topic", "tea", "x")
        entry = await theirs.entry("lobby", "topic")
        assert isinstance(entry, Entry)
        assert (entry.value, entry.owner_id) == ("tea", "ann")
        taken = ErrorCode.CHATROOM_KV_OVERWRITE_INVALID
        assert await refused(theirs.set_entry("lobby", "topic", "coffee")) == taken
        await theirs.set_entry("lobby", "topic", "coffee", force=True, auto_delete=True)
        await mine.set_entries("lobby", {"a": "1", "b": "2"})
        assert {*await theirs.entries("lobby")} == {"topic", "a", "b"}
        await mine.remove_entries("lobby", ["a"], force=True)
        await mine.remove_entry("lobby", "b", is_told=True)
        await theirs.remove_entry("lobby", "topic", force=True)
        assert await mine.entries("lobby") == {}
        assert await mine.entry("lobby", "topic") is None
        refusal = await refused(mine.remove_entry("lobby", "b"))
        assert refusal == ErrorCode.CHATROOM_KEY_NOT_EXIST
        eleven = {str(number): "x" for number in range(11)}
        refusal = await refused(mine.set_entries("lobby", eleven))
        assert refusal == ErrorCode.CHATROOM_KV_STORE_OUT_LIMIT


async def test_discussions(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        made = await ann.discussions.create("tea", ["bob"])
        assert made.type == ConversationType.DISCUSSION
        there = made.target_id
        found = await bob.discussions.get(there)
        assert (found.conversation, found.name, found.owner_id) == (made, "tea", "ann")
        assert found.first_members == ("ann", "bob")
        assert found.is_open
        await ann.discussions.rename(there, "coffee")
        await ann.discussions.set_open(there, on=False)
        closed = ErrorCode.INVITE_DICUSSION
        assert await refused(bob.discussions.add(there, ["eve"])) == closed
        await ann.discussions.set_open(there, on=True)
        await bob.discussions.add(there, ["eve"])
        await ann.discussions.remove(there, "eve")
        await bob.discussions.quit(there)
        found = await ann.discussions.get(there)
        assert (found.name, found.first_members) == ("coffee", ("ann",))
        alone = await bob.discussions.create("alone")
        assert await refused(ann.discussions.get(alone.target_id)) == ErrorCode.NOT_IN_DISCUSSION


# -- users --------------------------------------------------------------------------------------


async def test_other_users(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        assert not await ann.blacklist.has("bob")
        await ann.blacklist.add("bob")
        assert await ann.blacklist.has("bob")
        assert await ann.blacklist.list() == ["bob"]
        blocked = await refused(bob.messages.send(ANN, "hi"))
        assert blocked == ErrorCode.REJECTED_BY_BLACKLIST
        await ann.blacklist.remove("bob")
        assert await ann.blacklist.list() == []
        invalid = await refused(ann.blacklist.has("\n"))
        assert invalid in (ErrorCode.BLACK_GETSTATUS_ERROR, ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        await ann.presence.set(7)
        for status in (await ann.presence.get(), await bob.presence.get("ann")):
            assert (status.is_online, status.platforms, status.number) == (True, ("Web",), 7)
        assert not (await ann.presence.get("eve")).is_online


async def test_settings_of_users(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, _bob):
        assert await ann.settings.quiet_hours() is None
        await ann.settings.set_quiet_hours("22:30:00", 600)
        assert await ann.settings.quiet_hours() == QuietHours(start="22:30:00", minutes=600)
        await ann.settings.end_quiet_hours()
        assert await ann.settings.quiet_hours() is None
        await ann.settings.keep_offline_messages(3)
        wrong = await refused(ann.settings.set_quiet_hours("late", 600))
        assert wrong == ErrorCode.PUSHSETTING_PARAMETER_INVALID
        for days in (0, 8):
            with pytest.raises(Malformed, match="1 to 7"):
                await ann.settings.keep_offline_messages(days)


async def test_files(tmp_path: Path) -> None:
    more = {"web.enabled": True, "web.port": 0}
    async with ann_and_bob(tmp_path, **more) as (_, ann, _bob):
        assert ann.navigation["uploadServer"]
        ticket = await ann.files.ticket(FileType.IMAGE, key="a/b.png")
        assert ticket.token
        assert ticket.deadline > time.time() * 1000
        assert (await ann.files.ticket(FileType.FILE)).token
        assert "token" not in ticket.fields
        link = await ann.files.link(FileType.IMAGE, "a/b.png", name="b.png")
        assert link.startswith("http")


async def test_no_storage(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, _bob):
        refusal = await refused(ann.files.ticket(FileType.IMAGE))
        assert refusal == ErrorCode.QNTKN_GET_ERROR


async def test_a_network_without_websocket(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as at,
        line_to(int(at.url.rpartition(":")[2])) as line,
        at.connect("bob") as bob,
    ):
        line.hindrance = no_upgrade
        token = Accounts({KEY: SECRET}).issue(KEY, "ann", now=time.time(), lifetime=60)
        async with connect(host="127.0.0.1", port=line.port, app_key=KEY, token=token) as ann:
            assert ann.transport == "polling"
            await ann.messages.send(BOB, "by polling")
            assert (await following(bob)).text == "by polling"
            await bob.messages.send(ANN, "1")
            assert (await following(ann)).text == "1"
            await ann.disconnect()
            line.hindrance = None
            await bob.messages.send(ANN, "2")
            await ann.reconnect()
            assert ann.transport == "websocket"
            await bob.messages.send(ANN, "3")
            assert [(await following(ann)).text for _ in range(2)] == ["2", "3"]


async def test_long_polling(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as at,
        at.connect("ann", transport="polling") as ann,
        at.connect("bob") as bob,
    ):
        sent = await ann.messages.send(BOB, "from afar")
        assert (await following(bob)).uid == sent.uid
        await bob.messages.send(ANN, "welcome")
        assert (await following(ann)).text == "welcome"


# -- bots ---------------------------------------------------------------------------------------


async def test_a_bot(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        bot = Bot(bob)
        seen: list[str | None] = []

        @bot.on(Text)
        async def echo(message: Message) -> None:
            await bob.messages.send(message, f"you said: {message.text}")

        @bot.on(Text, where=lambda message: message.text == "crash")
        async def crash(message: Message) -> None:
            raise RuntimeError("a mistake of the program")

        @bot.on(conversation=ANN)
        async def note(message: Message) -> None:
            seen.append(message.text)

        @bot.on(where=lambda message: int(message.text or "") > 0)
        async def never(message: Message) -> None:
            seen.append("a number")

        @bot.on(conversation=BOB)
        async def from_myself(message: Message) -> None:
            seen.append("myself")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bot.run)
            for text in ("crash", "5"):
                await ann.messages.send(BOB, text)
                assert (await following(ann)).text == f"you said: {text}"
            await ann.messages.send(BOB, Image(content="x"))
            await until(lambda: len(seen) == 4)
            await bob.disconnect()
        assert seen == ["crash", "5", "a number", None]
        assert "a mistake of the program" in caplog.text
        assert "crash" in caplog.text
