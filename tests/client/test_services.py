"""Public services and customer services, with the real server and with answers that are wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from improto import contents, payloads
from improto.codes import ConversationType, ErrorCode
from improto.contents import (
    CustomerServiceContact,
    CustomerServiceEvaluation,
    CustomerServiceHello,
    CustomerServiceHelloReply,
    CustomerServiceHumanReply,
    CustomerServiceHumanRequest,
    CustomerServiceStop,
    PublicServiceCommand,
    ServiceInfo,
    ServiceType,
    Text,
)
from improto.messages import Conversation
from improto.operations import Topic
from improto_client import Malformed
from improto_client.public_services import MOST_MENU_ITEMS
from tests.client.places import Post, connected, serving
from tests.client.test_cancellation import got
from tests.client.test_im import ann_and_bob, following, refused

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from improto_client import Im

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

NO_API = {"web.api": False}
MC, MP = ConversationType.APP_PUBLIC_SERVICE, ConversationType.PUBLIC_SERVICE
NEWS = Conversation(type=MC, target_id="news")
WEATHER = Conversation(type=MP, target_id="bob")
MENU = [{"id": "1", "name": "Today", "type": "click"}, {"id": "2", "name": "Tomorrow"}]
HELP = Conversation(type=ConversationType.CUSTOMER_SERVICE, target_id="bob")


# -- public services ----------------------------------------------------------------------------


async def test_finding_and_following(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **NO_API) as (at, ann, _):
        services = at.application.system.public_services
        await at.do(services.define("demo", "news", type=MC, name="News", portrait="http://n"))
        await at.do(
            services.define(
                "demo", "bob", type=MP, name="The Weather", introduction="Rain", menu=MENU
            )
        )
        (news,) = await ann.public_services.list()
        assert (news.conversation, news.name, news.portrait) == (NEWS, "News", "http://n")
        assert (news.introduction, news.menu, news.is_followed) == ("", (), True)
        (weather,) = await ann.public_services.search("weather")
        assert (weather.conversation, weather.introduction) == (WEATHER, "Rain")
        assert weather.menu == tuple(MENU)
        assert not weather.is_followed
        assert await ann.public_services.search("weather", exact=True) == []
        assert len(await ann.public_services.search("news", exact=True)) == 1
        assert await ann.public_services.get("bob") is None
        await ann.public_services.follow(weather.conversation)
        followed = await ann.public_services.get("bob")
        assert followed is not None
        assert followed.is_followed
        assert followed.changed > news.changed
        assert await ann.public_services.list(since=news.changed) == [followed]
        await ann.public_services.unfollow(NEWS)
        assert await ann.public_services.list() == [followed]
        wrong = Conversation(type=MC, target_id="bob")
        assert await refused(ann.public_services.follow(wrong)) == ErrorCode.SUBSCRIBE_ERROR
        with pytest.raises(Malformed, match="service"):
            await ann.public_services.follow(Conversation.private("bob"))


async def test_a_menu(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **NO_API) as (at, ann, bob):
        services = at.application.system.public_services
        await at.do(services.define("demo", "bob", type=MP, name="Weather", menu=MENU))
        (weather,) = await ann.public_services.search("weather")
        await ann.public_services.choose(weather.conversation, weather.menu[0], text="today")
        chosen = await following(bob)
        assert chosen.content == PublicServiceCommand(content="today", menu_item=MENU[0])
        with pytest.raises(Malformed, match="service"):
            await ann.public_services.choose(Conversation.private("bob"), MENU[0])
        with pytest.raises(Malformed):
            await ann.public_services.choose(WEATHER, {"id": object()})


@pytest.mark.parametrize(
    ("extra", "menu"),
    [
        ("", 0),
        ("{", 0),
        ("[" * 100_000, 0),
        ("[]", 0),
        ('{"introduction":7,"menu":{},"follow":1}', 0),
        ('{"menu":[{"id":"1"},7,{"id":"2"}]}', 2),
        ('{"menu":[' + ",".join(["{}"] * 200) + "]}", MOST_MENU_ITEMS),
    ],
)
async def test_what_a_service_says_about_itself(extra: str, menu: int) -> None:
    post = Post()
    info = payloads.MpInfo(mpid="x", name="X", type="mp", time=1, extra=extra)
    reply = payloads.PullMpOutput(status=0, info=[info])
    post.replies = {Topic.PULL_MP: payloads.encode(reply)}
    async with serving(post) as port, connected(port, "ann") as im:
        (service,) = await im.public_services.list()
        assert (len(service.menu), service.introduction, service.is_followed) == (menu, "", False)
        assert await im.public_services.get("another") is None


# -- customer services --------------------------------------------------------------------------


async def take(im: Im, kinds: Collection[type[Any]]) -> list[Any]:
    """The next messages, which are of these kinds."""
    found = [(await following(im)).content for _ in kinds]
    assert [type(each) for each in found] == [*kinds]
    return found


async def test_a_talk(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **NO_API) as (at, ann, bob):
        services = at.application.system.customer_services
        await at.do(
            services.define("demo", "bob", service_type=ServiceType.ROBOT_FIRST, welcome="Hello!")
        )
        await ann.customer_services.hello("bob", user={"name": "Ann"})
        reply = await following(ann)
        assert reply.conversation == HELP
        session = ann.customer_services.session(reply)
        assert session is not None
        assert (session.conversation, session.welcome) == (HELP, "Hello!")
        assert (session.uid, session.pid) == ("ann", "bob")
        assert session.service_type is ServiceType.ROBOT_FIRST
        await ann.customer_services.contact(session, name="Ann", page="p", info={"a": 1})
        await ann.customer_services.ask_human(session)
        (human,) = await take(ann, [CustomerServiceHumanReply])
        assert human.code == 1
        await ann.messages.send(session.conversation, "my hat is gone")
        await ann.customer_services.evaluate(
            session, is_solved=True, source=5, type=1, suggestion="more hats"
        )
        await ann.customer_services.evaluate(session)
        await ann.customer_services.stop(session)
        hello, contact, asked, text, evaluation, nothing, stop = await take(
            bob,
            [
                CustomerServiceHello,
                CustomerServiceContact,
                CustomerServiceHumanRequest,
                Text,
                CustomerServiceEvaluation,
                CustomerServiceEvaluation,
                CustomerServiceStop,
            ],
        )
        assert (hello.user_info, hello.request_info) == ({"name": "Ann"}, {})
        assert (contact.nick_name, contact.page, contact.info) == ("Ann", "p", {"a": 1})
        assert asked.sid == evaluation.sid == stop.sid == session.sid
        assert text.content == "my hat is gone"
        assert (evaluation.source, evaluation.isresolve, evaluation.type) == (5, 1, 1)
        assert evaluation.suggest == "more hats"
        assert (nothing.source, nothing.isresolve, nothing.type) == (None, None, None)


@pytest.mark.parametrize(
    ("content", "service_type"),
    [
        (CustomerServiceHelloReply(status=1), None),
        (CustomerServiceHelloReply(status=1, data=ServiceInfo(service_type=9)), None),
        (CustomerServiceHelloReply(status=1, data=ServiceInfo(service_type=2)), ServiceType.HUMAN),
    ],
)
async def test_replies_that_say_little(
    content: CustomerServiceHelloReply, service_type: ServiceType | None
) -> None:
    post = Post()
    async with serving(post) as port, connected(port, "ann") as im:
        session = im.customer_services.session(replace(got(HELP), content=content))
        assert session is not None
        assert (session.sid, session.welcome) == (None, "")
        assert session.service_type is service_type
        await im.customer_services.contact(session)
        for other in (CustomerServiceHelloReply(status=0), contents.Text("x")):
            message = replace(got(HELP), content=other)
            assert im.customer_services.session(message) is None
