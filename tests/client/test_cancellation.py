"""Every public call is cancelled at its first checkpoint, at its second, and so on until it
completes. Each time the client must still work and stay connected."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ConnectionStatus, ConversationType, FileType, IdentityChangeType
from improto.contents import Text
from improto.frames import MessageUid, TimeMs
from improto.messages import ChatMessage, Conversation, MessageDirection
from improto.operations import Topic, operation
from improto_client import (
    ApplicationKind,
    ApplicationStage,
    Bot,
    FriendPermission,
    GroupApplication,
    Im,
    Sent,
    UserInfo,
    Visibility,
)
from improto_client.calls import Calls
from improto_client.chatrooms import Chatrooms
from improto_client.conversations import Conversations
from improto_client.customer_services import CustomerServices, ServiceSession
from improto_client.discussions import Discussions
from improto_client.files import Files
from improto_client.friends import Friends
from improto_client.groups import Groups
from improto_client.local import Local
from improto_client.messages import History, Messages
from improto_client.public_services import PublicServices
from improto_client.relations import Blacklist, Presence
from improto_client.settings import Settings
from improto_client.store import ReceivedStatus, SentStatus
from improto_client.users import Users
from improto_client.values import read_message
from tests.adapters.test_cancellation import sweep
from tests.client.places import Post, connected, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

BOB, TEAM = Conversation.private("bob"), Conversation.group("team")
SENT = Sent(conversation=BOB, uid="U", time=1)
IN_TEAM = Sent(conversation=TEAM, uid="U", time=1)


APPLICATION = GroupApplication(
    conversation=TEAM,
    kind=ApplicationKind.INVITATION_RECEIVED,
    stage=ApplicationStage.WAITS_FOR_INVITED,
    user=UserInfo(user_id="ann", name="", portrait=""),
    inviter=UserInfo(user_id="bob", name="", portrait=""),
    handler=None,
    reason="",
    time=1,
    handled=0,
)


NEWS = Conversation(type=ConversationType.PUBLIC_SERVICE, target_id="news")
TALK = ServiceSession(
    conversation=Conversation(type=ConversationType.CUSTOMER_SERVICE, target_id="help"),
    uid="ann",
    sid="1",
    pid="help",
    service_type=None,
    welcome="",
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are downloaded into a directory of the test."""
    monkeypatch.chdir(tmp_path)


def address(im: Im) -> str:
    """Where the server takes whatever it is given, and gives something back."""
    host = im._link.approach._account.host
    return f"http://{host}/file"


def got(conversation: Conversation) -> Any:
    return read_message(
        ChatMessage(
            conversation=conversation,
            sender_id="bob",
            direction=MessageDirection.RECEIVED,
            object_name=Text.object_name,
            content=b"{}",
            uid=MessageUid("U"),
            time=TimeMs(1),
        ),
        registry=None,
    )


async def on_local(im: Im, change: Callable[[int], Coroutine[Any, Any, object]]) -> None:
    """Change a message that is only here."""
    await change((await im.local.insert(BOB, "hi")).id)


CALLS: dict[str, Callable[[Im], Coroutine[Any, Any, object]]] = {
    "messages.send": lambda im: im.messages.send(BOB, "hi"),
    "messages.typing": lambda im: im.messages.typing(BOB),
    "messages.recall": lambda im: im.messages.recall(SENT),
    "messages.confirm": lambda im: im.messages.confirm(got(BOB)),
    "messages.expand": lambda im: im.messages.expand(SENT, {"a": "b"}),
    "messages.remove_expansion": lambda im: im.messages.remove_expansion(SENT),
    "messages.delete": lambda im: im.messages.delete([SENT]),
    "messages.clear": lambda im: im.messages.clear(BOB, until=1),
    "conversations.list": lambda im: im.conversations.list(),
    "conversations.remove": lambda im: im.conversations.remove(BOB),
    "conversations.unread": lambda im: im.conversations.unread(),
    "conversations.mark_read": lambda im: im.conversations.mark_read(BOB, until=1),
    "conversations.mute": lambda im: im.conversations.mute(BOB),
    "conversations.pin": lambda im: im.conversations.pin(BOB),
    "conversations.settings": lambda im: im.conversations.settings(),
    "conversations.make_tag": lambda im: im.conversations.make_tag("t", "T"),
    "conversations.remove_tag": lambda im: im.conversations.remove_tag("t"),
    "conversations.tag": lambda im: im.conversations.tag("t", [BOB]),
    "conversations.untag": lambda im: im.conversations.untag("t", [BOB]),
    "groups.confirm": lambda im: im.groups.confirm([got(TEAM)]),
    "groups.readers": lambda im: im.groups.readers(IN_TEAM),
    "groups.create": lambda im: im.groups.create("Team", ["bob"]),
    "groups.update": lambda im: im.groups.update("team", name="All"),
    "groups.get": lambda im: im.groups.get(["team"]),
    "groups.dismiss": lambda im: im.groups.dismiss("team"),
    "groups.set_remark": lambda im: im.groups.set_remark("team", "T"),
    "groups.get_members": lambda im: im.groups.get_members("team", ["bob"]),
    "groups.remove": lambda im: im.groups.remove("team", ["bob"]),
    "groups.quit": lambda im: im.groups.quit("team"),
    "groups.transfer": lambda im: im.groups.transfer("team", "bob"),
    "groups.add_managers": lambda im: im.groups.add_managers("team", ["bob"]),
    "groups.remove_managers": lambda im: im.groups.remove_managers("team", ["bob"]),
    "groups.set_nickname": lambda im: im.groups.set_nickname("team", "A"),
    "groups.follow": lambda im: im.groups.follow("team", ["bob"]),
    "groups.unfollow": lambda im: im.groups.unfollow("team", ["bob"]),
    "groups.followed": lambda im: im.groups.followed("team"),
    "groups.join": lambda im: im.groups.join("team"),
    "groups.invite": lambda im: im.groups.invite("team", ["bob"]),
    "groups.accept": lambda im: im.groups.accept(APPLICATION),
    "groups.refuse": lambda im: im.groups.refuse(APPLICATION),
    "discussions.create": lambda im: im.discussions.create("d", ["bob"]),
    "discussions.get": lambda im: im.discussions.get("d"),
    "discussions.add": lambda im: im.discussions.add("d", ["bob"]),
    "discussions.remove": lambda im: im.discussions.remove("d", "bob"),
    "discussions.quit": lambda im: im.discussions.quit("d"),
    "discussions.rename": lambda im: im.discussions.rename("d", "e"),
    "discussions.set_open": lambda im: im.discussions.set_open("d", on=True),
    "chatrooms.join": lambda im: im.chatrooms.join("r"),
    "chatrooms.quit": lambda im: im.chatrooms.quit("r"),
    "chatrooms.rejoin": lambda im: im.chatrooms.rejoin(),
    "chatrooms.info": lambda im: im.chatrooms.info("r"),
    "chatrooms.entries": lambda im: im.chatrooms.entries("r"),
    "chatrooms.entry": lambda im: im.chatrooms.entry("r", "k"),
    "chatrooms.set_entry": lambda im: im.chatrooms.set_entry("r", "k", "v"),
    "chatrooms.remove_entry": lambda im: im.chatrooms.remove_entry("r", "k"),
    "chatrooms.set_entries": lambda im: im.chatrooms.set_entries("r", {"k": "v"}),
    "chatrooms.remove_entries": lambda im: im.chatrooms.remove_entries("r", ["k"]),
    "users.info": lambda im: im.users.info("bob"),
    "users.profile": lambda im: im.users.profile(),
    "users.profiles": lambda im: im.users.profiles(["bob"]),
    "users.update": lambda im: im.users.update({"name": "Ann"}),
    "users.find": lambda im: im.users.find("bob"),
    "users.visibility": lambda im: im.users.visibility(),
    "users.set_visibility": lambda im: im.users.set_visibility(Visibility.FRIENDS),
    "friends.add": lambda im: im.friends.add("bob"),
    "friends.accept": lambda im: im.friends.accept("bob"),
    "friends.refuse": lambda im: im.friends.refuse("bob"),
    "friends.remove": lambda im: im.friends.remove(["bob"]),
    "friends.describe": lambda im: im.friends.describe("bob", remark="B"),
    "friends.list": lambda im: im.friends.list(),
    "friends.applications": lambda im: im.friends.applications(),
    "friends.get": lambda im: im.friends.get(["bob"]),
    "friends.has": lambda im: im.friends.has("bob"),
    "friends.permission": lambda im: im.friends.permission(),
    "friends.set_permission": lambda im: im.friends.set_permission(FriendPermission.NOBODY),
    "blacklist.add": lambda im: im.blacklist.add("bob"),
    "blacklist.remove": lambda im: im.blacklist.remove("bob"),
    "blacklist.list": lambda im: im.blacklist.list(),
    "blacklist.has": lambda im: im.blacklist.has("bob"),
    "presence.get": lambda im: im.presence.get(),
    "presence.set": lambda im: im.presence.set(1),
    "presence.follow": lambda im: im.presence.follow(["bob"]),
    "presence.unfollow": lambda im: im.presence.unfollow(["bob"]),
    "presence.online": lambda im: im.presence.online(["bob"]),
    "settings.quiet_hours": lambda im: im.settings.quiet_hours(),
    "settings.set_quiet_hours": lambda im: im.settings.set_quiet_hours("22:00:00", 1),
    "settings.end_quiet_hours": lambda im: im.settings.end_quiet_hours(),
    "settings.keep_offline_messages": lambda im: im.settings.keep_offline_messages(1),
    "public_services.list": lambda im: im.public_services.list(),
    "public_services.get": lambda im: im.public_services.get("news"),
    "public_services.search": lambda im: im.public_services.search("news"),
    "public_services.follow": lambda im: im.public_services.follow(NEWS),
    "public_services.unfollow": lambda im: im.public_services.unfollow(NEWS),
    "public_services.choose": lambda im: im.public_services.choose(NEWS, {"id": "1"}),
    "customer_services.hello": lambda im: im.customer_services.hello("help"),
    "customer_services.ask_human": lambda im: im.customer_services.ask_human(TALK),
    "customer_services.contact": lambda im: im.customer_services.contact(TALK, name="Ann"),
    "customer_services.evaluate": lambda im: im.customer_services.evaluate(TALK, source=5),
    "customer_services.stop": lambda im: im.customer_services.stop(TALK),
    "calls.join": lambda im: im.calls.join("r"),
    "calls.leave": lambda im: im.calls.leave("r"),
    "calls.ping": lambda im: im.calls.ping("r"),
    "calls.watch": lambda im: im.calls.watch("r"),
    "calls.change_role": lambda im: im.calls.change_role("r", IdentityChangeType.VIEWER_TO_ANCHOR),
    "calls.joined": lambda im: im.calls.joined(),
    "calls.token": lambda im: im.calls.token("r"),
    "calls.bind": lambda im: im.calls.bind("chatroom", "r"),
    "calls.report": lambda im: im.calls.report("r", "all is well"),
    "calls.engine_key": lambda im: im.calls.engine_key(1, "c", extra="e"),
    "calls.members": lambda im: im.calls.members("r"),
    "calls.values": lambda im: im.calls.values("r"),
    "calls.outer_values": lambda im: im.calls.outer_values("r", ["bob"]),
    "calls.changes": lambda im: im.calls.changes("r"),
    "calls.set_value": lambda im: im.calls.set_value("r", "k", "v"),
    "calls.delete_values": lambda im: im.calls.delete_values("r", ["k"]),
    "calls.set_outer_values": lambda im: im.calls.set_outer_values("r", {"k": "v"}),
    "calls.publish": lambda im: im.calls.publish("r", {"k": "v"}, object_name="my:all"),
    "calls.send": lambda im: im.calls.send("r", Text("hi")),
    "calls.invite": lambda im: im.calls.invite("r", "bob", "s", session_id="1"),
    "calls.cancel_invitation": lambda im: im.calls.cancel_invitation(
        "r", "bob", "s", session_id="1"
    ),
    "calls.answer_invitation": lambda im: im.calls.answer_invitation(
        "r", "bob", "s", session_id="1", is_accepted=True
    ),
    "calls.end_invitation": lambda im: im.calls.end_invitation("r", "s", session_id="1"),
    "files.ticket": lambda im: im.files.ticket(FileType.IMAGE),
    "files.link": lambda im: im.files.link(FileType.IMAGE, "k"),
    "files.upload": lambda im: im.files.upload(b"x", storage=address(im)),
    "files.send": lambda im: im.files.send(BOB, b"x", storage=address(im)),
    "files.download": lambda im: im.files.download(address(im), "file"),
    "local.messages": lambda im: im.local.messages(BOB),
    "local.get": lambda im: im.local.get("U"),
    "local.search": lambda im: im.local.search("hi"),
    "local.insert": lambda im: im.local.insert(BOB, "hi"),
    "local.update": lambda im: on_local(im, lambda id: im.local.update(id, "ho")),
    "local.set_search_text": lambda im: on_local(im, lambda id: im.local.set_search_text(id, "x")),
    "local.set_extra": lambda im: on_local(im, lambda id: im.local.set_extra(id, "x")),
    "local.set_received": lambda im: on_local(
        im, lambda id: im.local.set_received(id, ReceivedStatus.READ)
    ),
    "local.set_sent": lambda im: on_local(im, lambda id: im.local.set_sent(id, SentStatus.SENT)),
    "local.delete": lambda im: im.local.delete(["U"]),
    "local.clear": lambda im: im.local.clear(TEAM),
    "local.conversations": lambda im: im.local.conversations(),
    "local.conversation": lambda im: im.local.conversation(BOB),
    "local.remove": lambda im: im.local.remove(BOB),
    "local.draft": lambda im: im.local.draft(BOB),
    "local.set_draft": lambda im: im.local.set_draft(BOB, "so"),
    "local.unread": lambda im: im.local.unread(),
    "local.set_unread": lambda im: im.local.set_unread(BOB, 1),
    "local.mark_read": lambda im: im.local.mark_read(BOB),
    "local.entries": lambda im: im.local.entries("r"),
}
"""Every call that asks the server or the local store for something, and nothing else."""

PARTS = {
    "messages": Messages,
    "conversations": Conversations,
    "groups": Groups,
    "discussions": Discussions,
    "chatrooms": Chatrooms,
    "users": Users,
    "friends": Friends,
    "blacklist": Blacklist,
    "presence": Presence,
    "settings": Settings,
    "files": Files,
    "public_services": PublicServices,
    "customer_services": CustomerServices,
    "calls": Calls,
    "local": Local,
}


def replies() -> dict[str, bytes]:
    """An answer to everything: with what is required, and nothing in it."""
    found: dict[str, bytes] = {}
    for topic in Topic:
        try:
            kind = operation(topic).reply
        except KeyError:
            continue
        if kind is not None:
            empty = kind()
            for field in empty.DESCRIPTOR.fields:
                if field.is_required:
                    setattr(empty, field.name, field.default_value)
            found[topic] = payloads.encode(empty)
    status = '{"us":{"o":true,"p":[],"s":0}}'
    found[Topic.GET_USER_STATUS] = payloads.encode(payloads.GetUserStatusOutput(status=status))
    found[Topic.FRIEND_AUTH_GET] = payloads.encode(payloads.FriendLevelSet(level=1))
    return found


def test_every_call_is_swept() -> None:
    found = {
        f"{part}.{name}"
        for part, kind in PARTS.items()
        for name, _ in inspect.getmembers(kind, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }
    assert found == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
async def test_calls(name: str) -> None:
    post = Post()
    post.replies = replies()
    async with serving(post) as port, connected(port, "ann") as im:

        async def still_works() -> None:
            assert (await im.messages.send(BOB, "still here")).uid

        async def call() -> None:
            await CALLS[name](im)

        await sweep(call, still_works)
        assert im.status is ConnectionStatus.CONNECTED
    assert post.logins == ["ann"]


async def test_reading() -> None:
    post = Post()
    post.replies = replies()
    read: list[str | None] = []
    async with serving(post) as port, connected(port, "ann") as im:
        for number in range(3):
            post.deliver("ann", b'{"content":"%d"}' % number)

            async def still_works() -> None:
                assert (await im.messages.send(BOB, "still here")).uid

            async def read_one() -> None:
                read.append((await anext(aiter(im.messages))).text)

            await sweep(read_one, still_works)
        page: History = im.messages.history(BOB)
        await sweep(page.next_page, still_works)
    assert read == ["0", "1", "2"]


async def test_a_bot_that_is_cancelled_takes_nothing() -> None:
    post = Post()
    async with serving(post) as port, connected(port, "ann") as im:
        post.deliver("ann", b'{"content":"1"}')
        bot, calls = Bot(im), []

        @bot.on()
        async def leave(message: Any) -> None:
            calls.append(message.text)
            await im.disconnect()

        async def nothing() -> None:
            pass

        await sweep(bot.run, nothing)
        assert calls[0] == "1"


async def test_connecting() -> None:
    """Connecting, disconnecting and connecting again may be given up anywhere."""
    post = Post()
    async with serving(post) as port:

        async def visit() -> None:
            async with connected(port, "ann") as im:
                await im.disconnect()
                await im.reconnect()
                await im.logout()
                await im.reconnect()

        async def another_works() -> None:
            async with connected(port, "bob") as im:
                assert im.user_id == "bob"

        assert await sweep(visit, another_works) > 4
