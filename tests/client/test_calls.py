"""Rooms of calls, with the real server."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ConversationType, IdentityChangeType, RtcRoomType, RtcTargetType
from improto.contents import Text, Unknown
from improto.messages import Conversation
from improto.operations import Topic
from improto_client import Malformed
from tests.client.places import Post, connected, serving
from tests.client.test_im import ann_and_bob as both
from tests.client.test_im import following, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from improto_client import Im

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

NO_API = {"web.api": False}
SELF = RtcTargetType.PERSON
ROOM = Conversation(type=ConversationType.RTC_ROOM, target_id="room")


@asynccontextmanager
async def ann_and_bob(path: Path) -> AsyncIterator[tuple[Im, Im]]:
    """Two who are up to date: what is said in rooms reaches nobody else."""
    async with both(path, **NO_API) as (_, ann, bob):
        await ann.caught_up()
        await bob.caught_up()
        yield ann, bob


async def heard(im: Im, name: str) -> Any:
    """The next message, which has this name, as JSON."""
    message = await following(im)
    assert isinstance(message.content, Unknown)
    assert message.content.object_name == name
    return json.loads(message.content.data)


async def test_coming_and_going(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (ann, bob):
        assert await refused(ann.calls.ping("room")) == 40003
        assert await refused(ann.calls.watch("room")) == 20406
        first = await ann.calls.join("room", values={"a": "1"}, outer={"b": "2"})
        assert [(each.user_id, each.values) for each in first.members] == [("ann", {"a": "1"})]
        assert (first.room_id, first.values, first.kicked_after) == ("room", {}, 60)
        second = await bob.calls.join("room", type=RtcRoomType.LIVE)
        assert second.session_id == first.session_id
        assert second.token != first.token
        state = await heard(ann, "RCRTC:state")
        assert state == {"users": [{"userId": "bob", "state": "0"}]}
        await ann.calls.ping("room")
        assert await ann.calls.token("room")
        assert [*await ann.calls.joined()] == ["room"]
        assert (await ann.calls.joined())["room"] > 0
        everybody = await bob.calls.members("room")
        assert [each.user_id for each in everybody] == ["ann", "bob"]
        newest = await bob.calls.members("room", newest_first=True, with_values=False)
        assert [(each.user_id, each.values) for each in newest] == [("bob", {}), ("ann", {})]
        await bob.calls.change_role("room", IdentityChangeType.ANCHOR_TO_VIEWER)
        assert len(await ann.calls.members("room")) == 1
        back = await bob.calls.change_role("room", IdentityChangeType.VIEWER_TO_ANCHOR)
        assert len(back.members) == 2
        await bob.calls.leave("room")
        await bob.calls.leave("room")
        assert await refused(bob.calls.members("room")) == 20406
        await ann.calls.set_value("room", "k", "v")
        watching = await bob.calls.watch("room")
        assert (watching.members, watching.values) == ((), {"k": "v"})
        assert watching.token
        assert await refused(ann.calls.join("no room")) == 33003


async def test_values(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (ann, bob):
        await bob.calls.join("room")
        await ann.calls.join("room")
        await heard(bob, "RCRTC:state")
        before = await ann.calls.changes("room")
        assert (before.values, before.removed) == ({}, frozenset())
        await ann.calls.set_value("room", "a", "1", notice=Text("a is 1"))
        told = await following(bob)
        assert (told.conversation, told.sender_id, told.text) == (ROOM, "ann", "a is 1")
        await ann.calls.set_value("room", "b", "2")
        await ann.calls.set_value("room", "o", "3", is_outer=True)
        await ann.calls.set_value("room", "m", "4", scope=SELF)
        assert await bob.calls.values("room") == {"a": "1", "b": "2"}
        assert await bob.calls.values("room", ["b", "x"]) == {"b": "2"}
        assert await bob.calls.values("room", is_outer=True) == {"o": "3"}
        assert await ann.calls.values("room", scope=SELF) == {"m": "4"}
        changed = await bob.calls.changes("room", since=before.synced)
        assert changed.values == {"a": "1", "b": "2"}
        notice = Unknown(object_name="my:gone", data=b"{}")
        await ann.calls.delete_values("room", ["a", "x"], notice=notice)
        assert await heard(bob, "my:gone") == {}
        gone = await bob.calls.changes("room", since=changed.synced)
        assert (gone.values, gone.removed) == ({}, {"a"})
        assert not gone.is_everything
        await ann.calls.set_outer_values("room", {"x": "5", "y": "6"}, notice=Text("mine"))
        assert (await following(bob)).text == "mine"
        outer = await bob.calls.outer_values("room", ["ann", "bob", "eve"])
        assert outer == {"ann": {"x": "5", "y": "6"}, "bob": {}}
        assert await refused(ann.calls.set_value("room", "k" * 129, "v")) == 33003
        for notice in (
            Unknown(object_name="my:bytes", data=b"\xff"),
            Text("x", extra=object()),  # type: ignore[arg-type]
        ):
            with pytest.raises(Malformed, match="notice"):
                await ann.calls.set_value("room", "k", "v", notice=notice)


async def test_resources_and_messages(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (ann, bob):
        await bob.calls.join("room")
        await ann.calls.join("room")
        await heard(bob, "RCRTC:state")
        news = Unknown(object_name="my:new", data=b'{"new":1}')
        await ann.calls.publish("room", {"uris": '["u"]'}, object_name="my:all", news=news)
        assert await heard(bob, "my:new") == {"new": 1}
        assert await heard(bob, "my:all") == {"uris": ["u"]}
        await ann.calls.publish("room", {"uris": "[]"}, object_name="my:all")
        assert await heard(bob, "my:all") == {"uris": []}
        (hers,) = [each for each in await bob.calls.members("room") if each.user_id == "ann"]
        assert hers.values == {"uris": "[]"}
        await ann.calls.send("room", Text("to nobody"), only=["eve"])
        await ann.calls.send("room", Text("to all"))
        said = await following(bob)
        assert (said.conversation, said.text) == (ann.calls.conversation("room"), "to all")
        await bob.calls.leave("room")
        assert await refused(bob.calls.send("room", Text("x"))) == 20406
        with pytest.raises(Malformed):
            await bob.calls.send("room", Text("x" * 200_000))


async def test_calls_between_rooms(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (ann, bob):
        await ann.calls.join("hers")
        await bob.calls.join("his")
        call = {"session_id": "1"}
        await ann.calls.invite("hers", "bob", "his", **call, info={"a": 1}, seconds=9)
        assert (await heard(bob, "RCRTC:invite"))["inviteInfo"] == {"a": 1}
        await ann.calls.cancel_invitation("hers", "bob", "his", **call)
        assert (await heard(bob, "RCRTC:cancelInvite"))["inviteInfo"] == {}
        await ann.calls.invite("hers", "bob", "his", **call)
        await heard(bob, "RCRTC:invite")
        await bob.calls.answer_invitation(
            "his", "ann", "hers", **call, is_accepted=True, key="with", value="1"
        )
        assert (await heard(ann, "RCRTC:answerInvite"))["answerCode"] == 1
        assert await ann.calls.values("hers") == await bob.calls.values("his") == {"with": "1"}
        await ann.calls.end_invitation("hers", "his", **call, keys=["with"], info={"why": "late"})
        assert (await heard(bob, "RCRTC:endInvite"))["inviteInfo"] == {"why": "late"}
        assert await bob.calls.values("his") == {}
        assert await refused(ann.calls.invite("hers", "eve", "his", **call)) == 20406
        with pytest.raises(Malformed, match="info"):
            await ann.calls.invite("hers", "bob", "his", **call, info={"a": object()})


async def test_what_else_there_is(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (ann, _):
        await ann.calls.report("room", "all is well")
        assert await refused(ann.calls.engine_key(1, "c")) == 24014
        assert await refused(ann.calls.bind("lobby", "room")) in (23406, 23410)
        await ann.chatrooms.join("lobby")
        await ann.calls.bind("lobby", "room")


async def test_a_server_that_has_an_engine() -> None:
    post = Post()
    post.replies = {Topic.QRY_VOIP_K: payloads.encode(payloads.VoipDynamicOutput(dynamicKey="key"))}
    async with serving(post) as port, connected(port, "ann") as im:
        assert await im.calls.engine_key(3, "c", extra="e") == "key"
