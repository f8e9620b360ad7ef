"""Users, their profiles and their friends, with the real server and with answers that are wrong."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_client import (
    ApplicationStatus,
    FriendPermission,
    Malformed,
    Unreadable,
    UserInfo,
    Visibility,
)
from improto_client.friends import MOST_PAGES
from tests.client.places import Post, connected, serving
from tests.client.test_im import ann_and_bob, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from improto_client import Im

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]


# -- with the real server -----------------------------------------------------------------------


async def test_names(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (at, ann, _):
        assert await refused(ann.users.info("bob")) == ErrorCode.GET_USERINFO_ERROR
        users = at.application.system.users
        await at.do(users.register("demo", "bob", name="Bob", portrait="http://p"))
        info = await ann.users.info("bob")
        assert info == UserInfo(user_id="bob", name="Bob", portrait="http://p")


async def test_profiles(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        before = await ann.users.profile()
        assert (before.user_id, before.values, before.extra) == ("ann", {}, {})
        values = {"name": "Ann", "gender": "2", "portraitUri": "http://p"}
        version = await ann.users.update(values, extra={"mood": "good"})
        for profile in (await ann.users.profile(), await bob.users.profile("ann")):
            assert profile.values == values | {"uniqueId": "ann"}
            assert profile.extra == {"mood": "good"}
            assert (profile.name, profile.portrait) == ("Ann", "http://p")
            assert profile.version == version
        everybody = ["ann", *(f"user{number}" for number in range(150)), "ann"]
        found = await bob.users.profiles(everybody)
        assert [*found] == everybody[:-1]
        assert found["user149"].name == ""
        assert await bob.users.profiles([]) == {}


async def test_changes_of_a_profile_that_cannot_be(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, _):
        assert await refused(ann.users.update({"gender": "x"})) == 24367
        assert await refused(ann.users.update({"nose": "long"})) == 24361
        assert await refused(ann.users.update(extra={"a b": "c"})) == 24362
        with pytest.raises(Malformed):
            await ann.users.update()


async def test_who_is_found(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        assert await bob.users.find("ann") is None
        await ann.users.update({"name": "Ann"})
        found = await bob.users.find("ann")
        assert found is not None
        assert found.name == "Ann"
        assert await ann.users.visibility() is Visibility.NOT_SET
        await ann.users.set_visibility(Visibility.NOBODY)
        assert await ann.users.visibility() is Visibility.NOBODY
        assert await bob.users.find("ann") is None


async def test_friends(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        await bob.users.update({"name": "Bob", "portraitUri": "http://p"})
        assert not await ann.friends.add("bob", info="It is me")
        (mine,) = await ann.friends.applications()
        assert (mine.user_id, mine.name, mine.portrait) == ("bob", "Bob", "http://p")
        assert (mine.is_mine, mine.status) == (True, ApplicationStatus.UNHANDLED)
        (his,) = await bob.friends.applications()
        assert (his.user_id, his.is_mine, his.info) == ("ann", False, "It is me")
        assert his.time > 0
        await bob.friends.accept("ann")
        assert [each.status for each in await ann.friends.applications()] == [1]
        await ann.friends.describe("bob", remark="Bobby", extra={"met": "here"})
        await ann.friends.describe("bob", extra={"likes": "tea"})
        (friend,) = await ann.friends.list()
        assert (friend.user_id, friend.name, friend.remark) == ("bob", "Bob", "Bobby")
        assert (friend.portrait, friend.extra) == ("http://p", {"met": "here", "likes": "tea"})
        assert friend.since > 0
        assert await ann.friends.get(["bob", "eve"]) == {"bob": friend}
        assert await bob.friends.has("ann")
        assert await refused(ann.friends.add("bob")) == ErrorCode.RC_FRIEND_ALREADY_FRIEND
        await bob.friends.remove(["ann"])
        assert not await ann.friends.has("bob")
        assert await ann.friends.list() == []
        assert await refused(bob.friends.remove(["ann"])) == ErrorCode.RC_FRIEND_NOT_FRIEND


async def test_who_may_be_asked(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (_, ann, bob):
        assert await bob.friends.permission() is FriendPermission.WHOM_HE_ACCEPTS
        await ann.friends.add("bob")
        await bob.friends.refuse("ann", info="no")
        assert [each.status for each in await ann.friends.applications()] == [2]
        assert await refused(bob.friends.accept("ann")) == ErrorCode.RC_FRIEND_APPLICATION_NOT_EXIST
        await bob.friends.set_permission(FriendPermission.NOBODY)
        assert await refused(ann.friends.add("bob")) == 25471
        await bob.friends.set_permission(FriendPermission.EVERYBODY)
        assert await bob.friends.permission() is FriendPermission.EVERYBODY
        assert await ann.friends.add("bob")
        assert await ann.friends.has("bob")


async def test_lists_of_several_pages(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (at, ann, _):
        friends = [f"user{number:03}" for number in range(205)]
        for friend in friends:
            await at.do(at.application.system.friends.befriend("demo", "ann", friend))
        assert [each.user_id for each in await ann.friends.list()] == friends
        newest = await ann.friends.list(newest_first=True)
        assert [each.user_id for each in newest] == friends[::-1]


async def test_who_is_there(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path) as (at, ann, bob):
        everybody = ["bob", *(f"user{number}" for number in range(250))]
        assert await ann.presence.online(everybody) == frozenset()
        assert await ann.presence.follow(["bob", "user7"], seconds=60) == []
        assert await ann.presence.online(everybody) == {"bob"}
        await ann.presence.unfollow(["bob"])
        assert await ann.presence.online(["bob"]) == frozenset()
        await at.do(at.application.system.friends.befriend("demo", "ann", "bob"))
        assert await ann.presence.online(["bob"], are_friends=True) == {"bob"}
        await bob.disconnect()
        while await ann.presence.online(["bob"], are_friends=True):
            pass
        assert await refused(ann.presence.follow(["eve"], seconds=1)) == 33003


async def test_where_subscriptions_are_off(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **{"users.subscriptions": False}) as (_, ann, _):
        assert await refused(ann.presence.follow(["bob"])) == 26020


async def test_who_cannot_be_followed() -> None:
    reply = payloads.UpdateUserSubResp(subUsers=[payloads.UserSubDetail(subUserId="bob")])
    async with told(Topic.UPD_USER_SUB, reply) as (_, im):
        assert await im.presence.follow(["bob", "eve"]) == ["bob"]


async def test_where_profiles_are_off(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **{"users.profiles": False}) as (_, ann, _):
        off = ErrorCode.RC_USER_PROFILE_SERVICE_UNAVAILABLE
        assert await refused(ann.users.profile()) == off
        assert await refused(ann.users.find("bob")) == off
        assert await refused(ann.friends.list()) == off


# -- answers that are wrong ---------------------------------------------------------------------


@asynccontextmanager
async def told(topic: Topic, reply: payloads.Message) -> AsyncIterator[tuple[Post, Im]]:
    """A client whose server says this."""
    post = Post()
    post.replies = {topic: payloads.encode(reply)}
    async with serving(post) as port, connected(port, "ann") as im:
        yield post, im


def page(**more: Any) -> payloads.ChannelsListResult:
    return payloads.ChannelsListResult(
        page=payloads.ChannelsPageParam(hasNext=True, pageToken="1"), **more
    )


_STATUS_9 = payloads.FriendInviteInfos(list=[payloads.FriendInviteInfo(status=9)])


@pytest.mark.parametrize(
    ("topic", "reply", "call"),
    [
        (
            Topic.PULL_USER_PROFILE,
            payloads.UserProfiles(),
            lambda im: im.users.profile("bob"),
        ),
        (
            Topic.Q_PROFILE_PERMISS,
            payloads.UserProfilePermission(permission=9),
            lambda im: im.users.visibility(),
        ),
        (
            Topic.FRIEND_AUTH_GET,
            payloads.FriendLevelSet(level=9),
            lambda im: im.friends.permission(),
        ),
        (
            Topic.FRIENDS_QUERY,
            payloads.ChannelsListResult(result=b"\xff"),
            lambda im: im.friends.list(),
        ),
        (
            Topic.FRIENDS_QUERY,
            payloads.ChannelsListResult(result=payloads.encode(_STATUS_9)),
            lambda im: im.friends.applications(),
        ),
    ],
)
async def test_answers_that_cannot_be_read(
    topic: Topic, reply: payloads.Message, call: Callable[[Im], Coroutine[Any, Any, object]]
) -> None:
    async with told(topic, reply) as (_, im):
        with pytest.raises(Unreadable):
            await call(im)


async def test_a_list_without_an_end() -> None:
    async with told(Topic.FRIENDS_QUERY, page()) as (post, im):
        with pytest.raises(Unreadable, match="pages"):
            await im.friends.list()
        assert post.asked.count(Topic.FRIENDS_QUERY) == MOST_PAGES


async def test_a_list_that_does_not_say_how_to_go_on() -> None:
    reply = payloads.ChannelsListResult(page=payloads.ChannelsPageParam(hasNext=True))
    async with told(Topic.FRIENDS_QUERY, reply) as (_, im):
        assert await im.friends.list() == []


async def test_a_process_code_that_is_a_refusal() -> None:
    reply = payloads.ChannelsOutput(processCode=25471)
    async with told(Topic.FRIEND_ADD, reply) as (_, im):
        assert await refused(im.friends.add("bob")) == 25471
