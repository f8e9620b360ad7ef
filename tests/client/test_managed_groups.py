"""Groups that clients manage, with the real server and with answers that are wrong."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import start_blocking_portal

from improto import payloads
from improto.codes import ErrorCode
from improto.messages import Conversation
from improto.operations import Topic
from improto_client import (
    Admission,
    ApplicationKind,
    ApplicationStage,
    Forgotten,
    GroupRight,
    GroupRole,
    GroupRules,
    JoinRule,
    Malformed,
    NamingRule,
    Unreadable,
    sync,
)
from improto_client import groups as groups_module
from improto_client import pages as pages_module
from improto_client.groups import GROUPS_AT_ONCE
from improto_client.managed_groups import leaving
from improto_client.pages import Pages
from tests.adapters.test_cancellation import sweep
from tests.client.places import Post, connected, serving
from tests.client.test_im import ann_and_bob, following, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from improto_client import Im

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

NO_API = {"web.api": False}
TEAM = Conversation.group("team")
OPEN = GroupRules(
    join=JoinRule.EVERYBODY, invite=GroupRight.EVERYBODY, name_members=NamingRule.OWNER
)


@asynccontextmanager
async def team(path: Path, **rules: Any) -> AsyncIterator[tuple[Im, Im]]:
    """Ann owns a group, and Bob is in."""
    async with ann_and_bob(path, **NO_API) as (_, ann, bob):
        made = await ann.groups.create(
            "Team", ["bob", "carl"], group_id="team", rules=GroupRules(**rules)
        )
        assert made == TEAM
        yield ann, bob


# -- with the real server -----------------------------------------------------------------------


async def test_a_group_as_a_whole(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **NO_API) as (_, ann, bob):
        made = await ann.groups.create(
            "Team", ["bob"], notice="Be kind", rules=OPEN, extra={"colour": "red", "size": "9"}
        )
        id = made.target_id
        await ann.messages.send(made, "hello")
        assert (await following(bob)).text == "hello"
        await bob.groups.set_remark(id, "Them")
        hers, his = [(await im.groups.get([id, "nobody"]))[id] for im in (ann, bob)]
        assert hers.conversation == his.conversation == made
        assert (his.name, his.notice, his.portrait, his.introduction) == ("Team", "Be kind", "", "")
        assert (his.rules, his.extra) == (OPEN, {"colour": "red", "size": "9"})
        assert (his.creator_id, his.owner_id, his.members) == ("ann", "ann", 2)
        assert (hers.role, hers.remark) == (GroupRole.OWNER, "")
        assert (his.role, his.remark) == (GroupRole.NORMAL, "Them")
        assert his.joined >= his.created > 0
        rules = replace(OPEN, asks_invited=True, remove=GroupRight.MANAGERS)
        await ann.groups.update(id, name="All", introduction="We", rules=rules, extra={"size": ""})
        now = (await ann.groups.get([id]))[id]
        assert (now.name, now.introduction, now.notice) == ("All", "We", "Be kind")
        assert (now.rules, now.extra) == (rules, {"colour": "red"})
        await bob.groups.set_remark(id, "")
        assert (await bob.groups.get([id], joined_only=True))[id].remark == ""
        assert await refused(bob.groups.update(id, rules=OPEN)) == ErrorCode.RC_GROUP_ILLEGAL_ERROR
        assert await refused(bob.groups.dismiss(id)) == ErrorCode.RC_GROUP_AUTHORITY_ERROR
        again = ann.groups.create("Again", group_id=id)
        assert await refused(again) == ErrorCode.RC_GROUP_ID_ALREADY_EXIST
        assert await refused(ann.groups.create("", group_id="x")) == 25423
        await ann.groups.dismiss(id)
        assert await bob.groups.get([id]) == {}


async def test_groups_of_a_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(groups_module, "PAGE", 10)
    async with ann_and_bob(tmp_path, **NO_API) as (_, ann, bob):
        names = [f"g{number:03}" for number in range(25)]
        for name in names:
            await ann.groups.create(name, group_id=name)
        await bob.groups.create("His", ["ann"], group_id="his")
        joined = [each.name async for each in ann.groups.joined()]
        assert joined == [*names, "His"]
        newest = [each.name async for each in ann.groups.joined(newest_first=True)]
        assert newest == joined[::-1]
        normal = [each.name async for each in ann.groups.joined(role=GroupRole.NORMAL)]
        assert normal == ["His"]
        wanted = [*names[: GROUPS_AT_ONCE + 1], "his", names[0]]
        assert [*await bob.groups.get(wanted)] == wanted[:-1]
        assert [*await bob.groups.get(wanted, joined_only=True)] == ["his"]
        assert await bob.groups.get([]) == {}


async def test_members(tmp_path: Path) -> None:
    async with team(tmp_path) as (ann, bob):
        await ann.groups.add_managers("team", ["bob"])
        await bob.users.update({"name": "Bob", "portraitUri": "http://p"})
        await bob.groups.set_nickname("team", "Bobby", extra="here")
        await bob.groups.set_nickname("team", "Robert")
        await bob.groups.set_nickname("team", "Charles", user_id="carl")
        everybody = [each async for each in bob.groups.members("team")]
        assert [each.user_id for each in everybody] == ["ann", "bob", "carl"]
        newest = [each async for each in ann.groups.members("team", newest_first=True)]
        assert newest == everybody[::-1]
        (his,) = [each async for each in ann.groups.members("team", role=GroupRole.MANAGER)]
        assert (his.name, his.portrait, his.nickname, his.extra) == (
            "Bob",
            "http://p",
            "Robert",
            "here",
        )
        assert (his.role, his.is_bot) == (GroupRole.MANAGER, False)
        assert his.joined > 0
        found = await ann.groups.get_members("team", ["carl", "eve", "bob", "carl"])
        assert {id: each.nickname for id, each in found.items()} == {
            "carl": "Charles",
            "bob": "Robert",
        }
        await ann.groups.remove_managers("team", ["bob"])
        assert await refused(ann.groups.remove_managers("team", ["bob"])) == 25420
        assert await refused(ann.groups.add_managers("team", ["ann"])) == 25425


async def test_leaving(tmp_path: Path) -> None:
    async with team(tmp_path, remove=GroupRight.EVERYBODY) as (ann, bob):
        await bob.groups.remove("team", ["carl"], forget=Forgotten.MUTE)
        assert await refused(bob.groups.remove("team", ["ann"])) == 25417
        assert await refused(ann.groups.quit("team")) == 25417
        await ann.groups.transfer("team", "bob")
        assert (await bob.groups.get(["team"]))["team"].role is GroupRole.OWNER
        await bob.groups.transfer("team", "ann", is_quit=True)
        assert (await bob.groups.get(["team"]))["team"].role is None
        assert await refused(bob.groups.quit("team")) == ErrorCode.RC_GROUP_USER_NOT_IN_GROUP
        await ann.groups.invite("team", ["bob"])
        await bob.groups.quit("team", forget=Forgotten.NOTHING)
        assert [each.user_id async for each in ann.groups.members("team")] == ["ann"]


@pytest.mark.parametrize(
    ("forget", "expected"),
    [
        (Forgotten.ALL, (True, True, True)),
        (Forgotten.MUTE | Forgotten.FOLLOWS, (True, False, True)),
        (Forgotten.EXEMPTION, (False, True, False)),
        (Forgotten.NOTHING, (False, False, False)),
    ],
)
def test_what_goes_with_who_leaves(forget: Forgotten, expected: tuple[bool, ...]) -> None:
    told = leaving(forget)
    assert (told.isDelBan, told.isDelWhite, told.isDelAttention) == expected
    assert not told.isQuit


async def test_following(tmp_path: Path) -> None:
    async with team(tmp_path) as (ann, bob):
        assert await ann.groups.followed("team") == {}
        await ann.groups.follow("team", ["bob", "carl"])
        await ann.groups.unfollow("team", ["carl"])
        followed = await ann.groups.followed("team")
        assert [*followed] == ["bob"]
        assert followed["bob"] > 0
        assert await bob.groups.followed("team") == {}
        assert await refused(ann.groups.follow("team", ["eve"])) == 25418


async def test_who_wants_to_join(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **NO_API) as (_, ann, bob):
        await ann.groups.create("Team", group_id="team")
        for _ in range(2):
            assert await bob.groups.join("team") is Admission.MANAGER_MUST_AGREE
        (mine,) = [each async for each in bob.groups.applications()]
        assert (mine.kind, mine.stage) == (
            ApplicationKind.APPLICATION_SENT,
            ApplicationStage.WAITS_FOR_MANAGER,
        )
        assert (mine.conversation, mine.user.user_id, mine.inviter) == (TEAM, "bob", None)
        with pytest.raises(Malformed, match="who has asked"):
            await bob.groups.accept(mine)
        (hers,) = [each async for each in ann.groups.applications()]
        assert hers.kind is ApplicationKind.APPLICATION_RECEIVED
        await ann.groups.refuse(hers, reason="Not you")
        (mine,) = [each async for each in bob.groups.applications()]
        assert (mine.stage, mine.reason) == (ApplicationStage.MANAGER_REFUSED, "Not you")
        assert mine.handler is not None
        assert mine.handler.user_id == "ann"
        assert mine.handled >= mine.time > 0
        assert await refused(ann.groups.accept(hers)) == 25428
        await bob.groups.join("team")
        assert await ann.groups.accept(hers) is Admission.JOINED
        assert await refused(bob.groups.join("team")) == 25412
        await ann.groups.create("Free", group_id="free", rules=OPEN)
        assert await bob.groups.join("free") is Admission.JOINED
        await ann.groups.update("free", rules=GroupRules(join=JoinRule.NOBODY))
        await bob.groups.quit("free")
        assert await refused(bob.groups.join("free")) == 25414


async def test_who_is_invited(tmp_path: Path) -> None:
    async with team(tmp_path, asks_invited=True, invite=GroupRight.EVERYBODY) as (ann, bob):
        # Those whom the group was made with were asked.
        (asked,) = [each async for each in bob.groups.applications()]
        assert asked.kind is ApplicationKind.INVITATION_RECEIVED
        assert asked.inviter is not None
        assert asked.inviter.user_id == "ann"
        assert await bob.groups.accept(asked) is Admission.JOINED
        assert await ann.groups.invite("team", ["eve"]) is Admission.INVITED_MUST_AGREE
        assert await bob.groups.invite("team", ["dora"]) is Admission.MANAGER_MUST_AGREE
        newest = [each async for each in ann.groups.applications(newest_first=True)]
        assert [each.user.user_id for each in newest[:2]] == ["dora", "eve"]
        assert newest[1].kind is ApplicationKind.INVITATION_SENT
        assert await ann.groups.accept(newest[0]) is Admission.INVITED_MUST_AGREE


async def test_where_clients_manage_no_groups(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **NO_API, **{"users.profiles": False}) as (_, ann, _):
        assert await refused(ann.groups.join("team")) == 25413
        assert await refused(ann.groups.applications().next_page()) == 25413


def test_without_an_event_loop(tmp_path: Path) -> None:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(ann_and_bob(tmp_path, **NO_API)) as (at, _, _),
        sync.connect(at.url, app_key="demo", token=at.token("eve")) as im,
    ):
        group = im.groups.create("Team", ["bob"])
        assert [each.user_id for each in im.groups.members(group.target_id)] == ["eve", "bob"]
        assert [each.name for each in im.groups.joined()] == ["Team"]


# -- answers that are wrong ---------------------------------------------------------------------


@asynccontextmanager
async def told(topic: Topic, reply: payloads.Message) -> AsyncIterator[tuple[Post, Im]]:
    """A client whose server says this."""
    post = Post()
    post.replies = {topic: payloads.encode(reply)}
    async with serving(post) as port, connected(port, "ann") as im:
        yield post, im


def listing(inside: payloads.Message) -> payloads.ChannelsListResult:
    return payloads.ChannelsListResult(result=payloads.encode(inside))


def group_with(key: str, value: str) -> payloads.ChannelsListResult:
    told = payloads.ChannelsJoinedInfo(targetId="team")
    told.settingProfile.add(key=key, value=value)
    return listing(payloads.ChannelsJoinedInfos(list=[told]))


def _get(im: Im) -> Coroutine[Any, Any, object]:
    return im.groups.get(["team"])


@pytest.mark.parametrize(
    ("topic", "reply", "call"),
    [
        (Topic.Q_CHANNEL_INFO, payloads.ChannelsListResult(result=b"\xff"), _get),
        (Topic.Q_CHANNEL_INFO, group_with("joinPerm", "9"), _get),
        (Topic.Q_CHANNEL_INFO, group_with("joinPerm", "x"), _get),
        (Topic.Q_CHANNEL_INFO, group_with("removePerm", "9" * 5000), _get),
        (
            Topic.Q_CHANNEL_MEM,
            listing(payloads.ChannelsUserInfos(list=[payloads.ChannelsUserInfo(userId="bob")])),
            lambda im: im.groups.members("team").next_page(),
        ),
        (
            Topic.Q_CHANNEL_APPLY_LIST,
            listing(
                payloads.ChannelsInviteStatusInfos(
                    list=[payloads.ChannelsInviteStatusInfo(status=9)]
                )
            ),
            lambda im: im.groups.applications().next_page(),
        ),
    ],
)
async def test_answers_that_cannot_be_read(
    topic: Topic, reply: payloads.Message, call: Callable[[Im], Coroutine[Any, Any, object]]
) -> None:
    async with told(topic, reply) as (_, im):
        with pytest.raises(Unreadable):
            await call(im)


async def test_a_process_code_that_is_a_refusal() -> None:
    async with told(Topic.CHANNEL_MEM_JOIN, payloads.ChannelsOutput(processCode=25411)) as (_, im):
        assert await refused(im.groups.join("team")) == 25411


async def test_a_list_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages_module, "MOST_PAGES", 3)
    reply = payloads.ChannelsListResult(
        page=payloads.ChannelsPageParam(hasNext=True, pageToken="1")
    )
    async with told(Topic.Q_CHANNEL_MEM, reply) as (post, im):
        with pytest.raises(Unreadable, match="3 pages"):
            await anext(im.groups.members("team"))
        assert post.asked.count(Topic.Q_CHANNEL_MEM) == 3


async def test_pages_by_hand() -> None:
    answers = {"": (["a"], "1"), "1": ([], "2"), "2": (["b"], "")}

    async def ask(token: str) -> tuple[list[str], str]:
        return answers[token]

    assert [each async for each in Pages(ask)] == ["a", "b"]
    pages = Pages(ask)
    seen = []
    while pages.has_more:
        seen.append(await pages.next_page())
    assert seen == [["a"], [], ["b"]]
    assert await pages.next_page() == []


async def test_cancelled_anywhere() -> None:
    async with told(Topic.Q_CHANNEL_MEM, payloads.ChannelsListResult()) as (_, im):

        async def still_works() -> None:
            assert (await im.messages.send(Conversation.private("bob"), "still here")).uid

        async def read() -> None:
            assert [each async for each in im.groups.members("team")] == []

        await sweep(read, still_works)
