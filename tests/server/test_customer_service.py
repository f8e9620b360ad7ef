"""Customers and the services they write to (messages 9)."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from improto.codes import ConversationType, ErrorCode
from improto.contents import ServiceType
from improto.frames import PubAck
from improto.operations import Topic
from improto_server.services import ServiceError, customer_service
from improto_server.store import StoreError
from tests.server.rig import APP, Rig, item

if TYPE_CHECKING:
    from pathlib import Path

    from improto.payloads import DownStreamMessage
    from tests.server.rig import Client

TYPE = ConversationType.CUSTOMER_SERVICE


def define(
    rig: Rig, service_type: ServiceType = ServiceType.HUMAN, id: str = "help", welcome: str = ""
) -> None:
    services = rig.system.customer_services
    rig.do(services.define(APP, id, service_type=service_type, welcome=welcome))


def world(tmp_path: Path, service_type: ServiceType = ServiceType.HUMAN) -> Rig:
    rig = Rig(tmp_path)
    define(rig, service_type)
    return rig


def say(client: Client, name: str, content: dict[str, Any] | bytes, to: str = "help") -> None:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    client.publish(to, data, topic=Topic.PC_MSG_P, name=name, flags=0)
    client.rig.settle()


def heard(client: Client, name: str) -> dict[str, Any]:
    """The one message of this name that has come."""
    (message,) = [found for found in read(client) if found.classname == name]
    assert (message.fromUserId, message.type, message.direction) == ("help", TYPE, 2)
    content: dict[str, Any] = json.loads(message.content)
    return content


def read(client: Client) -> list[DownStreamMessage]:
    return client.pull_all()


def greet(client: Client) -> dict[str, Any]:
    say(client, "RC:CsHs", {"requestInfo": {}, "userInfo": {}})
    return heard(client, "RC:CsHsR")


@pytest.mark.parametrize("sdk", ["2.5.3", "2.9.2", "4.6.4"])
@pytest.mark.parametrize("service_type", list(ServiceType))
def test_a_hello_is_answered(tmp_path: Path, sdk: str, service_type: ServiceType) -> None:
    """SDK 2.5.3 shows nothing of the service before."""
    rig = Rig(tmp_path)
    define(rig, service_type, welcome="Hello!")
    reply = greet(rig.online("alice", sdk))
    assert reply["status"] == 1
    data = reply["data"]
    assert data.pop("sid") == rig.system.customer_services.session(APP, "help", "alice")
    assert data == {
        "uid": "alice",
        "pid": "help",
        "serviceType": int(service_type),
        "notAutoCha": "0",
        "robotWelcome": "Hello!",
    }


def test_the_answer_comes_after_the_acknowledgement(tmp_path: Path) -> None:
    rig = world(tmp_path)
    alice = rig.online("alice")
    say(alice, "RC:CsHs", {})
    ack, push = alice.frames()
    assert isinstance(ack, PubAck)
    assert ack.status == 0
    assert item(push).classname == "RC:CsHsR"  # type: ignore[arg-type]


def test_the_service_hears_who_has_come(tmp_path: Path) -> None:
    rig = world(tmp_path)
    alice, agent = rig.online("alice"), rig.online("help")
    say(alice, "RC:CsHs", {"userInfo": {"name": "Alice"}})
    (hello,) = map(item, agent.deliveries(Topic.S_MSG))
    assert (hello.classname, hello.fromUserId, hello.type) == ("RC:CsHs", "alice", TYPE)
    assert agent.rig.system.customer_services.session(APP, "help", "alice") is not None


@pytest.mark.parametrize("topic", [Topic.PCU_MSG_P, Topic.PC_MSG_P, Topic.PP_MSG_P])
def test_customer_and_agent_talk(tmp_path: Path, topic: Topic) -> None:
    rig = world(tmp_path)
    alice, agent = rig.online("alice", "2.5.3"), rig.online("help", "2.5.3")
    greet(alice)
    agent.pull_all()
    alice.publish("help", '{"content":"?"}', topic=Topic.PC_MSG_P)
    rig.settle()
    (question,) = agent.pull_all()
    assert (question.type, question.fromUserId) == (TYPE, "alice")
    agent.publish("alice", '{"content":"!"}', topic=topic)
    rig.settle()
    (answer,) = read(alice)
    assert (answer.type, answer.fromUserId, answer.content) == (TYPE, "help", b'{"content":"!"}')


def test_several_agents_share_the_account(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    define(rig)
    alice = rig.online("alice")
    agents = [rig.online("help"), rig.online("help")]
    alice.publish("help", topic=Topic.PC_MSG_P)
    rig.settle()
    for agent in agents:
        (question,) = map(item, agent.deliveries(Topic.S_MSG))
        assert question.fromUserId == "alice"


# -- asking for a human --------------------------------------------------------------


@pytest.mark.parametrize(
    "service_type", [ServiceType.HUMAN, ServiceType.ROBOT_FIRST, ServiceType.HUMAN_FIRST]
)
def test_a_human_where_there_are_humans(tmp_path: Path, service_type: ServiceType) -> None:
    alice = world(tmp_path, service_type).online("alice")
    data = greet(alice)["data"]
    say(alice, "RC:CSCha", {key: data[key] for key in ("uid", "sid", "pid")})
    reply = heard(alice, "RC:CsChaR")
    assert reply == {"code": 1, "data": {"status": 1, "serviceType": 2}, "msg": ""}


def test_no_human_where_there_are_robots(tmp_path: Path) -> None:
    alice = world(tmp_path, ServiceType.ROBOT).online("alice")
    greet(alice)
    say(alice, "RC:CSCha", {})
    assert heard(alice, "RC:CsChaR")["code"] == 0


@pytest.mark.parametrize("sid", ["kept", "x" * 65, "", None])
def test_a_session_from_before_a_restart_goes_on(tmp_path: Path, sid: str | None) -> None:
    rig = world(tmp_path)
    alice = rig.online("alice")
    say(alice, "RC:CSCha", {"sid": sid})
    assert heard(alice, "RC:CsChaR")["code"] == 1
    session = rig.system.customer_services.session(APP, "help", "alice")
    assert session
    assert (session == sid) == (sid == "kept")


def test_a_request_that_makes_no_sense_is_one_all_the_same(tmp_path: Path) -> None:
    rig = world(tmp_path)
    alice = rig.online("alice")
    say(alice, "RC:CSCha", b"no JSON")
    assert heard(alice, "RC:CsChaR")["code"] == 1


# -- the end -------------------------------------------------------------------------


def test_a_customer_ends_a_session(tmp_path: Path) -> None:
    rig = world(tmp_path)
    alice = rig.online("alice")
    data = greet(alice)["data"]
    for _ in range(2):
        say(alice, "RC:CsSp", {"sid": data["sid"]})
    assert rig.system.customer_services.session(APP, "help", "alice") is None
    assert read(alice) == []


def test_the_application_ends_a_session(tmp_path: Path) -> None:
    rig = world(tmp_path)
    alice = rig.online("alice")
    sid = greet(alice)["data"]["sid"]
    services = rig.system.customer_services
    rig.do(services.serve(APP, "help", "alice", ServiceType.ROBOT))
    assert heard(alice, "RC:CsUpdate") == {"serviceStatus": 1, "sid": sid}
    rig.do(services.end(APP, "help", "alice", "bye"))
    assert heard(alice, "RC:CsEnd") == {"code": 1, "msg": "bye", "sid": sid}
    rig.do(services.serve(APP, "help", "alice", ServiceType.HUMAN))
    rig.do(services.end(APP, "help", "alice"))
    assert read(alice) == []


def test_an_evaluation_is_a_message(tmp_path: Path) -> None:
    rig = world(tmp_path)
    alice, agent = rig.online("alice"), rig.online("help")
    say(alice, "RC:CsEva", {"source": 5})
    (evaluation,) = map(item, agent.deliveries(Topic.S_MSG))
    assert (evaluation.classname, evaluation.content) == ("RC:CsEva", b'{"source": 5}')


def test_every_hello_begins_a_new_session(tmp_path: Path) -> None:
    rig = world(tmp_path)
    alice = rig.online("alice")
    assert greet(alice)["data"]["sid"] != greet(alice)["data"]["sid"]


def test_only_the_latest_sessions_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customer_service, "SESSIONS", 2)
    rig = world(tmp_path)
    for name in ("alice", "bob", "alice", "carol"):
        greet(rig.online(name))
    services = rig.system.customer_services
    assert services.session(APP, "help", "bob") is None
    assert services.session(APP, "help", "alice") is not None


# -- defining ------------------------------------------------------------------------


def test_nobody_answers_for_an_ordinary_user(tmp_path: Path) -> None:
    rig = world(tmp_path)
    alice, bob = rig.online("alice"), rig.online("bob")
    for name in ("RC:CsHs", "RC:CSCha", "RC:CsSp"):
        say(alice, name, {}, to="bob")
    assert [message.classname for message in read(bob)] == ["RC:CsHs", "RC:CSCha", "RC:CsSp"]
    assert read(alice) == []


def test_services_outlive_the_server_until_they_are_removed(tmp_path: Path) -> None:
    rig = world(tmp_path, ServiceType.ROBOT)
    rig.store.store.close()
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    assert greet(alice)["data"]["serviceType"] == 1
    define(rig, ServiceType.HUMAN)
    assert greet(alice)["data"]["serviceType"] == 2
    for _ in range(2):
        rig.do(rig.system.customer_services.remove(APP, "help"))
    say(alice, "RC:CsHs", {})
    assert read(alice) == []
    rig.store.store.close()
    assert Rig(tmp_path).system.routing.accounts == {}


@pytest.mark.parametrize("id", ["", "a b", "news"])
def test_what_cannot_be_a_customer_service(tmp_path: Path, id: str) -> None:
    rig = world(tmp_path)
    kind = ConversationType.PUBLIC_SERVICE
    rig.do(rig.system.public_services.define(APP, "news", type=kind, name="News"))
    with pytest.raises(ServiceError) as refusal:
        define(rig, id=id)
    assert refusal.value.code is ErrorCode.BIZ_ERROR_INVALID_PARAMETER


def test_a_customer_service_cannot_be_a_public_one(tmp_path: Path) -> None:
    rig = world(tmp_path)
    kind = ConversationType.PUBLIC_SERVICE
    with pytest.raises(ServiceError):
        rig.do(rig.system.public_services.define(APP, "help", type=kind, name="Help"))
    rig.store.store.close()
    assert Rig(tmp_path).system.public_services.services(APP) == []


def test_an_answer_that_is_not_stored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    rig = world(tmp_path)
    alice = rig.online("alice")
    alice.publish("help", b"{}", topic=Topic.PC_MSG_P, name="RC:CsHs", flags=0)
    while not any(isinstance(frame, PubAck) for frame in alice.frames()):
        rig.settle_one()
    rig.store.broken = StoreError("no room")
    rig.settle()
    assert "a customer was not answered: INTERNALERRROR" in caplog.text
