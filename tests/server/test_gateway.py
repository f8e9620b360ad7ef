from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ConnAckStatus, DisconnectStatus
from improto.events import CloseReason, Farewell
from improto.frames import ConnAck, Disconnect, PingReq, PingResp, PubAck, TimeMs
from improto.http import HttpRequest
from improto.operations import Topic
from improto.service import Peer
from tests.server.rig import APP, START, Rig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client


def connack(client: Client) -> ConnAck:
    (frame,) = client.frames()
    assert isinstance(frame, ConnAck)
    return frame


def refused_with(client: Client) -> int:
    status = connack(client).status
    assert client.closed is not None
    assert client.closed.reason is CloseReason.REFUSED
    assert client.peer.data is None
    return status


# -- letting in ----------------------------------------------------------------------


def test_a_good_token_lets_the_client_in(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    client = rig.client("alice")
    answer = connack(client)
    assert answer.status == 0
    assert answer.user_id == "alice"
    assert answer.timestamp == START
    assert rig.hub.find((APP, "alice")) is not None
    client.send(PingReq())
    assert client.frames() == [PingResp()]


def test_every_session_has_an_id_of_its_own(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    ids = {connack(rig.client("alice")).session_id for _ in range(3)}
    assert len(ids) == 3
    assert "" not in ids


def test_a_user_is_online_before_he_is_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    seen: list[bool] = []

    class Watched(Peer):
        def accept(self, user_id: str, session_id: str, *, timestamp: TimeMs) -> None:
            seen.append(rig.hub.find((APP, user_id)) is not None)
            super().accept(user_id, session_id, timestamp=timestamp)

    rig.client("alice", peer_type=Watched)
    assert seen == [True]


def test_the_token_is_checked_at_the_time_of_messages(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.client("alice")
    assert rig.accounts.asked_at == [START / 1000]


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ("forged", ConnAckStatus.TOKEN_INCORRECT),
        ("foreign", ConnAckStatus.TOKEN_INCORRECT),
        ("garbage", ConnAckStatus.TOKEN_INCORRECT),
        ("", ConnAckStatus.TOKEN_INCORRECT),
        ("expired", ConnAckStatus.TOKEN_EXPIRE),
    ],
)
def test_a_bad_token_does_not(tmp_path: Path, token: str, status: int) -> None:
    rig = Rig(tmp_path)
    assert refused_with(rig.client(token)) == status
    assert rig.hub.connections == 0


def test_an_unknown_app_is_told_before_the_token_is_looked_at(tmp_path: Path) -> None:
    client = Rig(tmp_path).client("forged", app="nobody's")
    assert refused_with(client) == ConnAckStatus.IDENTIFIER_REJECTED


def test_a_blocked_user_is_refused_in_his_app_only(tmp_path: Path) -> None:
    rig = Rig(tmp_path, blocked=("mallory",))
    assert refused_with(rig.client("mallory")) == ConnAckStatus.BLOCK
    assert connack(rig.client("mallory", app="other")).status == 0


def test_nobody_of_a_blocked_app_gets_in(tmp_path: Path) -> None:
    rig = Rig(tmp_path, blocked_apps=("other",))
    assert refused_with(rig.client("alice", app="other")) == ConnAckStatus.APP_BLOCK_OR_DELETE
    assert refused_with(rig.client("forged", app="other")) == ConnAckStatus.TOKEN_INCORRECT
    assert connack(rig.client("alice")).status == 0


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://chat.example.com", ConnAckStatus.ACCEPTED),
        (None, ConnAckStatus.ACCEPTED),
        ("https://evil.example.com", ConnAckStatus.HOSTNAME_ERROR),
        ("null", ConnAckStatus.HOSTNAME_ERROR),
    ],
)
def test_pages_of_other_origins_are_refused(
    tmp_path: Path, origin: str | None, status: int
) -> None:
    rig = Rig(tmp_path, allowed_origins=("https://chat.example.com",))
    assert connack(rig.client("alice", origin=origin)).status == status


def test_without_a_list_every_origin_is_allowed(tmp_path: Path) -> None:
    client = Rig(tmp_path).client("alice", origin="https://anywhere.example.com")
    assert connack(client).status == 0


def test_a_full_server_refuses_until_somebody_leaves(tmp_path: Path) -> None:
    rig = Rig(tmp_path, most_connections=1)
    first = rig.client("alice")
    assert refused_with(rig.client("bob")) == ConnAckStatus.SERVER_UNAVAILABLE
    first.leave()
    assert connack(rig.client("bob")).status == 0


def test_a_draining_server_lets_nobody_in(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.gateway.drain()
    assert refused_with(rig.client("alice")) == ConnAckStatus.SERVER_UNAVAILABLE
    ping = HttpRequest(method="GET", target="/ping")
    assert rig.gateway.http(ping).status == 503


def test_a_draining_server_answers_what_it_has_and_takes_nothing_new(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    alice.publish("bob")
    rig.gateway.drain()
    alice.publish("bob")
    alice.start_pull()
    alice.query(Topic.PULL_US, payloads.PullUserSettingInput(version=0))
    alice.send(PingReq())
    rig.settle()
    pong, ack = alice.frames()
    assert pong == PingResp()
    assert isinstance(ack, PubAck)
    assert ack.status == 0


def test_plain_http_is_answered_by_navigation(tmp_path: Path) -> None:
    ping = HttpRequest(method="GET", target="/ping")
    assert Rig(tmp_path).gateway.http(ping).status == 200


# -- one device or many --------------------------------------------------------------


def test_the_newest_connection_stays(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    old = rig.online("alice")
    new = rig.client("alice")
    assert connack(new).status == 0
    assert old.frames() == [Disconnect(status=DisconnectStatus.OTHER_DEVICE_LOGIN)]
    user = rig.hub.find((APP, "alice"))
    assert user is not None
    assert user.devices == [new.peer.data]
    old.leave()
    assert rig.hub.find((APP, "alice")) is user


def test_a_refused_newcomer_kicks_nobody(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    old = rig.online("alice")
    rig.client("expired")
    rig.client("alice", app="other")
    assert old.frames() == []
    assert old.peer.is_open


def test_a_kicked_client_that_lingers_is_cut_off(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    old = rig.online("alice")
    rig.client("alice")
    old.dispatch()
    assert old.closed is None
    rig.advance(1.0)
    old.pass_time()
    assert old.closed is not None


def test_what_a_kicked_client_says_is_ignored(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    bob = rig.online("bob")
    old = rig.online("alice")
    rig.client("alice")
    old.frames()
    old.publish("bob")
    rig.settle()
    assert old.frames() == []
    assert bob.frames() == []


def test_many_devices_stay_if_they_may(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    first, second = rig.online("alice"), rig.online("alice")
    assert first.peer.is_open
    assert second.peer.is_open
    assert rig.hub.connections == 2


# -- pages with an id of their own -----------------------------------------------------


@pytest.mark.parametrize("multi_device", [False, True])
def test_a_page_that_is_back_replaces_its_old_connection_silently(
    tmp_path: Path, multi_device: bool
) -> None:
    rig = Rig(tmp_path, multi_device=multi_device)
    old = rig.online("alice", "5.38.0", device_id="page")
    new = rig.client("alice", "5.38.0", device_id="page")
    old.dispatch()
    assert connack(new).status == 0
    assert old.frames() == []
    assert old.closed is not None
    assert old.closed.reason is CloseReason.LOCAL
    assert rig.hub.connections == 1
    old.leave()
    assert rig.hub.find((APP, "alice")) is not None
    assert new.peer.is_open


def test_another_page_is_kicked_all_the_same(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    old = rig.online("alice", "5.38.0", device_id="one")
    rig.client("alice", "5.38.0", device_id="two")
    assert old.frames() == [Disconnect(status=DisconnectStatus.OTHER_DEVICE_LOGIN)]


def test_many_pages_stay_if_they_may(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    pages = [rig.client("alice", "5.38.0", device_id=name) for name in ("one", "two", "")]
    assert all(page.peer.is_open for page in pages)


# -- shedding load ---------------------------------------------------------------------


def gone(client: Client) -> bool:
    """Whether it was closed without a word; otherwise it was told that we are busy."""
    closed, frames = client.closed, client.frames()
    assert closed is not None
    assert (closed.reason, closed.status) == (CloseReason.REFUSED, ConnAckStatus.SERVER_UNAVAILABLE)
    assert frames in ([], [ConnAck(status=3)])
    return not frames


@pytest.mark.parametrize("reason", ["draining", "full", "storm", "lost"])
@pytest.mark.parametrize("sdk", ["2.5.3", "2.9.2", "4.6.4", "5.38.0"])
def test_who_would_give_up_for_good_is_told_nothing(tmp_path: Path, reason: str, sdk: str) -> None:
    rig = Rig(tmp_path, most_connections=1)
    if reason == "draining":
        rig.gateway.drain()
    elif reason == "full":
        rig.client("bob")
    else:
        if reason == "lost":
            rig.gateway.hand_over("b.example.com:8080")
        for _ in range(20):
            rig.client("alice", sdk).leave()
    assert gone(rig.client("alice", sdk)) is (sdk == "5.38.0")
    assert rig.hub.find((APP, "alice")) is None


def log_in(rig: Rig, times: int, **options: str) -> list[bool]:
    """Whether the client was let in, again and again."""
    accepted = []
    for _ in range(times):
        client = rig.client("alice", **options)
        accepted.append(client.peer.is_open)
        client.leave()
    return accepted


def test_a_client_that_logs_in_again_and_again_has_to_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    assert log_in(rig, 23, device_id="page") == [True] * 20 + [False] * 3
    rig.advance(0.5)
    assert log_in(rig, 2, device_id="page") == [True, False]
    assert rig.gateway.shed_logins == 4
    assert caplog.messages == [
        "alice of app app logs in more than 20 times in 10 s and has to wait"
    ]
    rig.advance(10)
    assert log_in(rig, 21, device_id="page") == [True] * 20 + [False]
    assert len(caplog.messages) == 2


def test_a_storm_is_one_clients_and_nobody_elses(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    log_in(rig, 21, device_id="page")
    assert log_in(rig, 1, device_id="reloaded") == [True]
    assert log_in(rig, 1, device_id="page", app="other") == [True]
    assert log_in(rig, 21) == [True] * 20 + [False]
    assert rig.client("bob").peer.is_open


def test_who_reloads_and_who_loses_every_connection_comes_in(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for _ in range(100):
        assert log_in(rig, 1) == [True]
        rig.advance(0.5)
    assert rig.gateway.shed_logins == 0


def test_what_has_no_token_makes_no_storm(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for _ in range(30):
        assert refused_with(rig.client("forged")) == ConnAckStatus.TOKEN_INCORRECT
    assert rig.gateway.shed_logins == 0


# -- handing over ----------------------------------------------------------------------

ELSEWHERE = "b.example.com:8080"


def test_who_is_connected_is_sent_to_the_other_server(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    versions = ("2.5.3", "2.9.2", "4.6.4", "5.38.0")
    clients = [rig.online("alice", sdk, device_id=sdk) for sdk in versions]
    rig.gateway.hand_over(ELSEWHERE)
    for client in clients:
        client.dispatch()
    first, second, fourth, fifth = clients
    # Of these nobody would ask navigation; they come back and are told then (session 4.1).
    for client, farewell in (
        (first, Farewell.ABORT),
        (second, Farewell.CLOSE),
        (fourth, Farewell.CLOSE),
    ):
        assert client.frames() == []
        assert client.closed is not None
        assert client.closed.farewell is farewell
    assert fifth.frames() == [Disconnect(status=DisconnectStatus.REDIRECT_NEW)]
    assert fifth.closed is None
    rig.advance(1.0)
    fifth.pass_time()
    assert fifth.closed is not None
    assert rig.hub.connections == 0
    assert refused_with(rig.client("alice", "4.6.4", device_id="4.6.4")) == ConnAckStatus.REDIRECT


def test_whoever_is_going_already_is_not_told_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    client = rig.online("alice", "5.38.0", device_id="page")
    client.connection.abandon(now=rig.now)
    rig.gateway.hand_over(ELSEWHERE)
    client.dispatch()
    assert client.frames() == []
    assert rig.hub.connections == 0


@pytest.mark.parametrize("sdk", ["2.5.3", "2.9.2", "4.6.4", "5.38.0"])
def test_newcomers_are_sent_to_the_other_server(
    tmp_path: Path, sdk: str, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    rig.gateway.hand_over(ELSEWHERE)
    assert refused_with(rig.client("alice", sdk)) == ConnAckStatus.REDIRECT
    assert caplog.messages == []
    request = HttpRequest(method="GET", target=f"/navi.js?appId={APP}&token=alice")
    assert b'"server":"b.example.com:8080"' in rig.gateway.http(request).body


def test_what_would_be_refused_anyway_is_not_sent_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path, blocked=("mallory",))
    rig.gateway.hand_over(ELSEWHERE)
    assert refused_with(rig.client("forged")) == ConnAckStatus.TOKEN_INCORRECT
    assert refused_with(rig.client("mallory")) == ConnAckStatus.BLOCK


def test_a_page_is_sent_on_once_in_a_minute(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    rig.online("alice", "5.38.0", device_id="page")
    rig.gateway.hand_over(ELSEWHERE)
    assert gone(rig.client("alice", "5.38.0", device_id="page"))
    assert gone(rig.client("alice", "5.38.0", device_id="page"))
    assert caplog.messages == ["alice of app app is back after it was sent to another server"]
    another = rig.client("alice", "5.38.0", device_id="another")
    assert refused_with(another) == ConnAckStatus.REDIRECT
    rig.advance(60)
    page = rig.client("alice", "5.38.0", device_id="page")
    assert refused_with(page) == ConnAckStatus.REDIRECT


def test_pages_without_a_name_are_sent_on_together(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.gateway.hand_over(ELSEWHERE)
    for _ in range(8):
        assert refused_with(rig.client("alice")) == ConnAckStatus.REDIRECT
    assert refused_with(rig.client("alice")) == ConnAckStatus.SERVER_UNAVAILABLE
    rig.advance(7.5)
    assert refused_with(rig.client("alice")) == ConnAckStatus.REDIRECT


def test_pages_that_were_told_often_enough_are_cut_off_instead(tmp_path: Path) -> None:
    rig = Rig(tmp_path, multi_device=True)
    pages = [rig.online("alice", "5.38.0") for _ in range(9)]
    rig.gateway.hand_over(ELSEWHERE)
    assert [len(page.frames()) for page in pages] == [1] * 8 + [0]
    assert not any(page.peer.is_open for page in pages)


def test_nobody_is_sent_to_where_he_is(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    alice = rig.online("alice")
    with pytest.raises(ValueError, match="this server itself"):
        rig.gateway.hand_over("localhost:8080")
    assert alice.peer.is_open
    assert rig.client("bob").peer.is_open


# -- the end -------------------------------------------------------------------------


def test_a_client_that_leaves_is_forgotten(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.online("alice").leave()
    assert rig.hub.find((APP, "alice")) is None
    assert rig.hub.connections == 0


def test_a_refusal_is_one_line_for_the_operator(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Rig(tmp_path).client("forged")
    (record,) = caplog.records
    assert record.getMessage() == (
        "192.0.2.1:5000 was refused: token unknown, malformed or of another app"
    )


def test_a_violation_is_one_line_for_the_operator(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)
    rig.online("alice").send_bytes(b"\xff")
    rig.client("bob").peer.abandon(CloseReason.SLOW_READER)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.exc_info is None
    assert record.getMessage().startswith("192.0.2.1:5000 (alice) was cut off: a client sends no")


def test_so_is_a_client_that_does_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alice = Rig(tmp_path).online("alice")
    alice.peer.abandon(CloseReason.SLOW_READER)
    alice.dispatch()
    assert caplog.messages == [
        "192.0.2.1:5000 (alice) was cut off: the peer does not read what we send"
    ]


def test_whoever_breaks_the_rules_before_the_login_has_no_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path)

    class Undecided(Peer):
        def accept(self, user_id: str, session_id: str, *, timestamp: TimeMs) -> None:
            """The server takes its time."""

    client = rig.client("alice", peer_type=Undecided)
    client.publish("bob", topic=Topic.PP_MSG_P)
    (message,) = caplog.messages
    assert message.startswith("192.0.2.1:5000 (somebody) was cut off: ")
    assert rig.hub.connections == 0


@pytest.mark.parametrize("reason", [CloseReason.LOST, CloseReason.PEER, CloseReason.IDLE])
def test_everyday_ends_are_not_worth_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, reason: CloseReason
) -> None:
    alice = Rig(tmp_path).online("alice")
    alice.peer.abandon(reason)
    alice.dispatch()
    assert alice.closed is not None
    assert caplog.messages == []


def test_each_app_may_have_its_own_way_with_devices(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    here, there = rig.client("alice"), rig.client("alice", app="other")
    rig.client("alice")
    rig.client("alice", app="other")
    assert not here.peer.is_open
    assert there.peer.is_open
