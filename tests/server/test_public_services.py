"""Public services: finding, following and writing to them (operations 15)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.http import HttpRequest
from improto.operations import Topic
from improto_server.services import ServiceError, public_services
from improto_server.store import public_services as table
from tests.server.rig import APP, Rig, item
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client

MC = ConversationType.APP_PUBLIC_SERVICE
MP = ConversationType.PUBLIC_SERVICE
OLD = "2.5.3"


def define(rig: Rig, id: str, type: ConversationType = MP, **about: Any) -> None:
    about = {"name": id.title(), **about}
    rig.do(rig.system.public_services.define(APP, id, type=type, **about))


def world(tmp_path: Path) -> Rig:
    """News for everybody, weather and sports for those who want it."""
    rig = Rig(tmp_path)
    define(rig, "news", MC)
    define(rig, "weather", name="Sun and Rain")
    define(rig, "sports")
    return rig


def pull(client: Client, time: int = 0, id: str = "") -> list[payloads.MpInfo]:
    request = payloads.PullMpInput(time=time, mpid=id)
    return [*client.ask(Topic.PULL_MP, request, payloads.PullMpOutput).info]


def pulled(client: Client, time: int = 0, id: str = "") -> list[str]:
    return [info.mpid for info in pull(client, time, id)]


def search(client: Client, type: int, text: str) -> list[str]:
    request = payloads.SearchMpInput(type=type, id=text)
    found = client.ask(Topic.SCH_MP, request, payloads.SearchMpOutput).info
    return [info.mpid for info in found]


def follow(client: Client, topic: Topic, id: str) -> payloads.MpInfo:
    reply = client.ask(topic, payloads.MPFollowInput(id=id), payloads.MPFollowOutput)
    return reply.info


def refusal(client: Client, topic: Topic, request: payloads.Message) -> int:
    message_id = client.query(topic, request)
    client.rig.settle()
    (answer,) = client.answers(message_id)
    assert answer.data == b""
    return answer.status


# -- following -----------------------------------------------------------------------


def test_what_sdk_253_reads_of_a_service(tmp_path: Path) -> None:
    """It parses ``extra`` without looking."""
    rig = Rig(tmp_path)
    menu = [{"id": "1", "name": "Today", "type": "click"}]
    define(rig, "news", MC, name="News", portrait="http://n", introduction="new", menu=menu)
    (info,) = pull(rig.online("alice", OLD))
    assert (info.mpid, info.name, info.type) == ("news", "News", "mc")
    assert info.portraitUrl == "http://n"
    assert json.loads(info.extra) == {
        "isGlobal": True,
        "introduction": "new",
        "menu": menu,
        "follow": True,
    }


def test_a_reply_is_never_empty(tmp_path: Path) -> None:
    """SDK 2.5.3 takes an empty one for a failure (operations 1)."""
    alice = Rig(tmp_path).online("alice", OLD)
    for topic, request in (
        (Topic.PULL_MP, payloads.PullMpInput(time=0, mpid="")),
        (Topic.SCH_MP, payloads.SearchMpInput(type=51, id="x")),
    ):
        message_id = alice.query(topic, request)
        alice.rig.settle()
        (answer,) = alice.answers(message_id)
        assert (answer.status, answer.data != b"") == (0, True)


def test_default_services_are_followed_until_further_notice(tmp_path: Path) -> None:
    alice = world(tmp_path).online("alice", OLD)
    assert pulled(alice) == ["news"]
    info = follow(alice, Topic.MC_UN_FOLLOW, "news")
    assert json.loads(info.extra)["follow"] is False
    assert pulled(alice) == []
    follow(alice, Topic.MC_FOLLOW, "news")
    assert pulled(alice) == ["news"]


def test_the_others_are_followed_by_hand(tmp_path: Path) -> None:
    rig = world(tmp_path)
    alice, bob = rig.online("alice", OLD), rig.online("bob", OLD)
    info = follow(alice, Topic.MP_FOLLOW, "weather")
    assert (info.mpid, info.type) == ("weather", "mp")
    extra = json.loads(info.extra)
    assert (extra["follow"], extra["isGlobal"]) == (True, False)
    assert pulled(alice) == ["news", "weather"]
    assert pulled(bob) == ["news"]
    rig.store.store.close()
    alice = Rig(tmp_path).online("alice", OLD)
    assert pulled(alice) == ["news", "weather"]
    follow(alice, Topic.MP_UN_FOLLOW, "weather")
    assert pulled(alice) == ["news"]


def test_only_what_has_changed(tmp_path: Path) -> None:
    """Following is a change of the service for whoever follows."""
    rig = world(tmp_path)
    alice = rig.online("alice", OLD)
    follow(alice, Topic.MP_FOLLOW, "weather")
    newest = max(info.time for info in pull(alice))
    assert pulled(alice, newest) == []
    follow(alice, Topic.MP_FOLLOW, "sports")
    assert pulled(alice, newest) == ["sports"]
    define(rig, "weather", name="Rain")
    assert pulled(alice, newest) == ["sports", "weather"]
    assert pulled(alice, newest, "weather") == ["weather"]
    assert pulled(alice, 0, "nothing") == []


@pytest.mark.parametrize(
    ("topic", "id"),
    [
        (Topic.MP_FOLLOW, "nothing"),
        (Topic.MP_UN_FOLLOW, ""),
        (Topic.MP_FOLLOW, "news"),
        (Topic.MC_FOLLOW, "weather"),
        (Topic.MC_UN_FOLLOW, "weather"),
    ],
)
def test_what_cannot_be_followed(tmp_path: Path, topic: Topic, id: str) -> None:
    alice = world(tmp_path).online("alice", OLD)
    assert refusal(alice, topic, payloads.MPFollowInput(id=id)) == ErrorCode.SUBSCRIBE_ERROR


# -- searching -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type", "text", "found"),
    [
        (15, "news", ["news"]),
        (15, "NEWS", ["news"]),
        (15, "sun and rain", ["weather"]),
        (15, "new", []),
        (51, "s", ["news", "sports", "weather"]),
        (51, "", ["news", "sports", "weather"]),
        (51, "rain", ["weather"]),
        (9, "sports", ["sports"]),
        (9, "news", []),
        (33, "e", ["weather"]),
        (18, "e", ["news"]),
        (6, "news", ["news"]),
        (6, "ne", []),
    ],
)
def test_searching(tmp_path: Path, type: int, text: str, found: list[str]) -> None:
    assert search(world(tmp_path).online("alice", OLD), type, text) == found


@pytest.mark.parametrize("type", [0, 1, 2, 3, 4, 17, 34, 60])
def test_a_search_that_says_not_how(tmp_path: Path, type: int) -> None:
    alice = world(tmp_path).online("alice", OLD)
    request = payloads.SearchMpInput(type=type, id="news")
    assert refusal(alice, Topic.SCH_MP, request) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_a_search_finds_no_more_than_so_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_services, "FOUND_SERVICES", 2)
    assert search(world(tmp_path).online("alice", OLD), 51, "") == ["news", "sports"]


def test_apps_have_services_of_their_own(tmp_path: Path) -> None:
    stranger = world(tmp_path).online("alice", OLD, app="other")
    assert search(stranger, 51, "") == pulled(stranger) == []


# -- defining ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "type", "menu"),
    [
        ("", MP, []),
        ("a b", MP, []),
        ("x", ConversationType.PRIVATE, []),
        ("news", MP, []),
        ("x", MP, [{"a": object()}]),
    ],
)
def test_what_cannot_be_a_service(
    tmp_path: Path, id: str, type: ConversationType, menu: list[Any]
) -> None:
    rig = world(tmp_path)
    with pytest.raises(ServiceError) as refused:
        define(rig, id, type, menu=menu)
    assert refused.value.code is ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert len(rig.system.public_services.services(APP)) == 3


def test_a_service_that_is_removed(tmp_path: Path) -> None:
    rig = world(tmp_path)
    alice = rig.online("alice", OLD)
    follow(alice, Topic.MP_FOLLOW, "weather")
    for _ in range(2):
        rig.do(rig.system.public_services.remove(APP, "weather"))
    assert pulled(alice) == ["news"]
    rig.store.store.close()
    rig = Rig(tmp_path)
    assert [service.id for service in rig.system.public_services.services(APP)] == [
        "news",
        "sports",
    ]
    # Who followed it still does when it comes back, and it may be of another type.
    define(rig, "weather", MP)
    assert pulled(rig.online("alice", OLD)) == ["news", "weather"]


@pytest.mark.parametrize("app", [APP, "other"])
def test_navigation_says_whether_there_are_any(tmp_path: Path, app: str) -> None:
    """SDK 2.5.3 does not even ask otherwise (http 2.3)."""
    rig = Rig(tmp_path)
    request = HttpRequest(
        method="GET", target=f"/navi.js?appId={app}&token=alice&callBack=f", headers=()
    )
    assert b'"openMp":0' in rig.navigation.respond(request).body
    define(rig, "news", MC)
    shown = b'"openMp":1' if app == APP else b'"openMp":0'
    assert shown in rig.navigation.respond(request).body


# -- messages ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sdk", "topic", "id", "type"),
    [
        (OLD, Topic.PMC_MSG_N, "news", MC),
        (OLD, Topic.PMP_MSG_N, "weather", MP),
        ("2.9.2", Topic.PP_MSG_P, "news", MC),
        ("4.6.4", Topic.PP_MSG_P, "weather", MP),
        # The record counts, not the topic.
        (OLD, Topic.PMP_MSG_N, "news", MC),
    ],
)
def test_writing_to_a_service_and_back(
    tmp_path: Path, sdk: str, topic: Topic, id: str, type: int
) -> None:
    rig = world(tmp_path)
    alice, service = rig.online("alice", sdk), rig.online(id, "4.6.4")
    alice.publish(id, topic=topic)
    rig.settle()
    assert alice.ack().status == 0
    (question,) = map(item, service.deliveries(Topic.S_MSG))
    assert (question.type, question.fromUserId, question.groupId) == (type, "alice", id)
    service.publish("alice", topic=Topic.PP_MSG_P)
    rig.settle()
    assert service.ack().status == 0
    (answer,) = alice.pull_all()
    assert (answer.type, answer.fromUserId, answer.direction) == (type, id, 2)


def test_a_click_on_a_menu_reaches_the_service(tmp_path: Path) -> None:
    rig = world(tmp_path)
    alice, weather = rig.online("alice", OLD), rig.online("weather")
    alice.publish(
        "weather",
        '{"content":"today","menuItem":{"id":"1"}}',
        topic=Topic.PMP_MSG_N,
        name="RC:PSCmd",
        flags=0,
    )
    rig.settle()
    (click,) = map(item, weather.deliveries(Topic.S_MSG))
    assert (click.classname, click.type, click.fromUserId) == ("RC:PSCmd", MP, "alice")


def test_other_devices_pull_what_was_sent_to_a_service(tmp_path: Path) -> None:
    """A copy on the topic of private messages would be filed under one."""
    rig = Rig(tmp_path, multi_device=True)
    define(rig, "news", MC)
    first, second = rig.online("alice"), rig.online("alice")
    first.publish("news")
    rig.settle()
    assert second.deliveries(Topic.PP_MSG_P) == []
    (copy,) = second.pull_all()
    assert (copy.type, copy.fromUserId, copy.direction) == (MC, "news", 1)


def test_private_messages_stay_private(tmp_path: Path) -> None:
    rig = world(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    alice.publish("bob")
    rig.settle()
    (message,) = map(item, bob.deliveries(Topic.S_MSG))
    assert message.type == ConversationType.PRIVATE


def test_a_service_can_be_blocked(tmp_path: Path) -> None:
    rig = world(tmp_path)
    rig.do(rig.system.standings.block((APP, "alice"), "news"))
    news = rig.online("news")
    news.publish("alice")
    rig.settle()
    assert news.ack().status == ErrorCode.REJECTED_BY_BLACKLIST


# -- the tables ----------------------------------------------------------------------


def test_no_question_about_one_user_reads_a_table(tmp_path: Path) -> None:
    rig = world(tmp_path)
    follow(rig.online("alice", OLD), Topic.MP_FOLLOW, "weather")
    plans: list[str] = []

    def look(connection: Connection) -> None:
        with query_plans(connection) as found:
            assert list(table.followed(connection, app=APP, user="alice")) == ["weather"]
        plans.extend(found)

    async def steps() -> None:
        await rig.system.data.read(look)

    rig.do(steps())
    assert len(plans) == 3
    assert all(plan.startswith("SEARCH") for plan in plans)
