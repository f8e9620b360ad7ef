"""Customer services and public services: accounts with programs behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.operations import Topic
from tests.interop.next_page import NextPage
from tests.interop.party import (
    CUSTOMER_SERVICE,
    PUBLIC_SERVICE,
    TEXT,
    Place,
    Refused,
    hears,
    nothing_more,
    online,
    texts,
)
from tests.interop.program import LOOPS
from tests.interop.test_groups import KINDS

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

HELLO = ("RC:CsHs", ["requestInfo", "userInfo"])
WELCOME = ("RC:CsHsR", ["status", "msg", "data"])
STOP = ("RC:CsSp", ["uid", "sid", "pid"])
EXACTLY = 1 | 8
"""Public services of which the id or name is just this (operations 15)."""
END = ("RC:CsEnd", ["code", "msg", "sid"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_customer_is_served(door: Door, server: ImServer, kind: str) -> None:
    customer = door.party(server, kind)
    agent = online(door.bare(server, "asyncio"))
    server.order("customer_services", "define", agent.user, service_type=2, welcome="Hi")
    desk = Place(CUSTOMER_SERVICE, agent.user)
    for name, properties in (HELLO, WELCOME, STOP, END):
        customer.register(name, properties, is_kept=False)
    online(customer)

    customer.send(desk, {"requestInfo": {}, "userInfo": {}}, kind=HELLO[0])
    (hello,) = agent.take(1)
    assert (hello.kind, hello.sender) == (HELLO[0], customer.user)
    (welcome,) = customer.take(1)
    assert (welcome.kind, welcome.type, welcome.conversation) == (WELCOME[0], *desk)
    data = welcome.content["data"]
    assert (welcome.content["status"], data["uid"], data["pid"]) == (1, customer.user, agent.user)

    words = texts("my parcel is lost")
    sent = customer.send_all(desk, words)
    hears(agent, customer, words, sent, place=Place(CUSTOMER_SERVICE, customer.user))
    (reply,) = texts("it is not")
    answer = agent.publish(Topic.PCU_MSG_P, customer.user, reply)
    hears(customer, agent, [reply], [answer], place=desk)
    if isinstance(customer, NextPage):
        # It refuses by itself to ask for the history of such a conversation.
        with pytest.raises(Refused, match="34209"):
            customer.history(desk, count=5)
    else:
        messages, _ = customer.history(desk, count=5)
        assert [(m.kind, m.content) for m in messages] == [(TEXT, words[0]), (TEXT, reply)]

    server.order("customer_services", "end", agent.user, customer.user, message="bye")
    (end,) = customer.take(1)
    assert (end.kind, end.content["sid"], end.content["msg"]) == (END[0], data["sid"], "bye")
    nothing_more(customer, agent)


@pytest.mark.parametrize("kind", KINDS)
def test_a_public_service_is_spoken_to(door: Door, server: ImServer, kind: str) -> None:
    reader, service = online(door.party(server, kind)), online(door.program(server, "trio"))
    news = Place(PUBLIC_SERVICE, service.user)
    server.order("public_services", "define", news.id, type=news.type, name="News")
    words = texts("what is new?")
    sent = reader.send_all(news, words)
    hears(service, reader, words, sent, place=Place(PUBLIC_SERVICE, reader.user))
    words = texts("not much")
    sent = service.send_all(reader.user, words)
    hears(reader, service, words, sent, place=news)
    messages, _ = reader.history(news, count=5)
    assert [message.content["content"] for message in messages] == ["what is new?", "not much"]
    nothing_more(reader, service)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_public_service_is_found(door5: Door, server: ImServer, loop: str) -> None:
    reader = online(door5.bare(server, loop))
    news = f"news-for-{reader.user}"
    server.order("public_services", "define", news, type=PUBLIC_SERVICE, name="News")
    request = payloads.SearchMpInput(type=EXACTLY, id=news)
    found = reader.ask(Topic.SCH_MP, reader.user, request, payloads.SearchMpOutput)
    assert [(info.mpid, info.name) for info in found.info] == [(news, "News")]
