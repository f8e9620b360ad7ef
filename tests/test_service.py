"""A client as a server program sees it: the core with the adapter's clock filled in."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import pytest

from improto.codes import DisconnectStatus
from improto.errors import LocalProtocolError, NotConnected
from improto.events import (
    CloseReason,
    ConnectionClosed,
    PublishReceived,
    PullReceived,
    QueryReceived,
)
from improto.frames import MessageId, Publish, Query, TimeMs
from improto.operations import Topic
from improto.service import Peer, pass_on
from tests.helpers import LOGIN_TIME, ServerScript, inbox_pull, item, snapshot, up

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto.server import ServerConnection

NOW = 12.5
TIME = TimeMs(LOGIN_TIME + 1)
ID = MessageId(1)


class Rig:
    """A connection behind a peer, and one like it that is called directly."""

    def __init__(self, *, accepted: bool = True) -> None:
        self.wakes = 0
        self.direct = self._connection(accepted=accepted)
        self.connection = self._connection(accepted=accepted)
        self.peer = Peer(
            self.connection,
            address="192.0.2.1:5000",
            origin="https://example.org",
            clock=lambda: NOW,
            wake=self._wake,
        )

    @staticmethod
    def _connection(*, accepted: bool) -> ServerConnection:
        if not accepted:
            return ServerScript().connection
        server = ServerScript.up_to_date()
        server.receive(inbox_pull(1, since=LOGIN_TIME))
        return server.connection

    def _wake(self) -> None:
        self.wakes += 1


LOGINS: dict[str, tuple[Callable[[Peer], Any], Callable[[ServerConnection], Any]]] = {
    "accept": (
        lambda peer: peer.accept("u1", "s1", timestamp=TIME),
        lambda connection: connection.accept("u1", "s1", timestamp=TIME, now=NOW),
    ),
    "refuse": (
        lambda peer: peer.refuse(4),
        lambda connection: connection.refuse(4, now=NOW),
    ),
}

CALLS: dict[str, tuple[Callable[[Peer], Any], Callable[[ServerConnection], Any]]] = {
    "answer": (
        lambda peer: peer.answer(ID, timestamp=TIME, status=5, data=b"x"),
        lambda connection: connection.answer(ID, timestamp=TIME, status=5, data=b"x", now=NOW),
    ),
    "answer_pull": (
        lambda peer: peer.answer_pull(
            ID, [item(TIME)], sync_time=TIME, newest=TIME, is_finished=False
        ),
        lambda connection: connection.answer_pull(
            ID, [item(TIME)], sync_time=TIME, newest=TIME, is_finished=False, now=NOW
        ),
    ),
    "offer": (
        lambda peer: peer.offer(item(TIME), time=TIME),
        lambda connection: connection.offer(item(TIME), time=TIME, now=NOW),
    ),
    "push_status": (
        lambda peer: peer.push_status(item(TIME), time=TIME),
        lambda connection: connection.push_status(item(TIME), time=TIME, now=NOW),
    ),
    "notify": (
        lambda peer: peer.notify(TIME, room_id="r1"),
        lambda connection: connection.notify(TIME, room_id="r1", now=NOW),
    ),
    "command": (
        lambda peer: peer.command(Topic.S_CMD, b"x", target_id="r1"),
        lambda connection: connection.command(Topic.S_CMD, b"x", target_id="r1", now=NOW),
    ),
    "sync": (
        lambda peer: peer.sync(Topic.PP_MSG_P, "u2", up(), uid="m1", timestamp=TIME),
        lambda connection: connection.sync(
            Topic.PP_MSG_P, "u2", up(), uid="m1", timestamp=TIME, now=NOW
        ),
    ),
    "dismiss": (
        lambda peer: peer.dismiss(DisconnectStatus.BLOCK),
        lambda connection: connection.dismiss(DisconnectStatus.BLOCK, now=NOW),
    ),
    "shut_down": (
        lambda peer: peer.shut_down(),
        lambda connection: connection.shut_down(now=NOW),
    ),
    "abandon": (
        lambda peer: peer.abandon(CloseReason.SLOW_READER),
        lambda connection: connection.abandon(CloseReason.SLOW_READER, now=NOW),
    ),
}


@pytest.mark.parametrize("name", [*LOGINS, *CALLS])
def test_each_call_is_that_of_the_connection_at_the_adapters_time(name: str) -> None:
    """And wakes the adapter, so that what was queued is written."""
    rig = Rig(accepted=name in CALLS)
    through_peer, directly = {**CALLS, **LOGINS}[name]
    assert through_peer(rig.peer) == directly(rig.direct)
    assert snapshot(rig.connection) == snapshot(rig.direct)
    assert rig.wakes == 1


def test_a_publish_is_acknowledged_through_the_peer() -> None:
    rig = Rig()
    with pytest.raises(LocalProtocolError):
        rig.peer.acknowledge(MessageId(9), timestamp=TIME, uid="m1")
    assert rig.wakes == 0
    server = ServerScript.online()
    peer = Peer(server.connection, address="", origin=None, clock=lambda: NOW, wake=rig._wake)
    server.receive(Publish(topic=Topic.PP_MSG_P, target_id="u2", message_id=ID, data=up()))
    peer.acknowledge(ID, timestamp=TIME, status=405, uid="m1")
    [frame] = server.sent()
    assert (frame.message_id, frame.status, frame.uid) == (1, 405, "m1")
    assert rig.wakes == 1


def test_a_call_that_fails_queues_nothing_and_wakes_nobody() -> None:
    rig = Rig()
    rig.connection.receive_eof(now=NOW)
    with pytest.raises(NotConnected):
        rig.peer.notify(TIME)
    assert rig.wakes == 0


@pytest.mark.parametrize(
    "answer",
    [
        lambda peer: peer.acknowledge(ID, timestamp=TIME, uid="m1"),
        CALLS["answer"][0],
        CALLS["answer_pull"][0],
    ],
)
def test_answers_to_a_client_that_has_left_are_dropped(answer: Callable[[Peer], None]) -> None:
    """Its last requests are served all the same; that it left is no mistake of the program."""
    rig = Rig()
    rig.connection.receive_eof(now=NOW)
    answer(rig.peer)
    assert rig.connection.messages_to_send() == []
    assert rig.wakes == 0


def test_a_peer_says_who_it_is() -> None:
    rig = Rig(accepted=False)
    peer = rig.peer
    assert peer.login is rig.connection.login
    assert (peer.address, peer.origin) == ("192.0.2.1:5000", "https://example.org")
    assert peer.user_id is None
    assert not peer.is_open
    peer.accept("u1", "s1", timestamp=TIME)
    assert peer.user_id == "u1"
    assert peer.is_open
    peer.shut_down()
    assert not peer.is_open


def test_a_program_may_keep_something_with_a_peer() -> None:
    """And may refer to it weakly."""
    peer = Rig().peer
    assert peer.data is None
    peer.data = {"anything": 1}
    assert weakref.ref(peer)() is peer


def test_each_event_has_its_function() -> None:
    called: list[tuple[str, object]] = []

    class Notebook:
        def __getattr__(self, name: str) -> Callable[[Peer, object], None]:
            return lambda peer, event: called.append((name, event))

    publish = Publish(topic="t", target_id="", message_id=ID, data=b"")
    query = Query(topic="t", target_id="", message_id=ID, data=b"")
    events = (
        PublishReceived(frame=publish, operation=None),
        QueryReceived(frame=query, operation=None),
        PullReceived(message_id=ID, sync_time=TIME),
        ConnectionClosed(reason=CloseReason.LOST),
    )
    notebook: Any = Notebook()
    for event in events:
        pass_on(event, Rig().peer, notebook)
    names = ("published", "queried", "pulled", "closed")
    assert called == list(zip(names, events, strict=True))
