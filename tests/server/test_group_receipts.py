"""Who has read a message of a group: by messages, and by topics (messages 8.2, 8.3)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.frames import PubAck, Query
from improto.http import HttpRequest
from improto.operations import Topic
from improto.profiles import ReceiptVersion
from improto_server.app import Application
from improto_server.services.accounts import Accounts
from improto_server.services.group_receipts import MOST_UIDS
from improto_server.store import Place
from improto_server.store import group_receipts as table
from improto_server.uids import time_of
from tests.server.rig import APP, START, Rig
from tests.server.store_tools import query_plans
from tests.server.test_app import KEY, SECRET, run, settings_for

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from improto_server.config import Settings
    from tests.server.rig import Client

MESSAGES, TOPICS = ReceiptVersion.MESSAGES, ReceiptVersion.TOPICS
TEAM = Place(APP, ConversationType.GROUP, "team")


def team(path: Path, *names: str, receipts: ReceiptVersion = TOPICS) -> tuple[Rig, list[Client]]:
    """A group, and its members online."""
    rig = Rig(path, receipts=receipts)
    rig.do(rig.system.groups.create(APP, "team", members=names, name="Team"))
    return rig, [rig.online(name) for name in names]


def write(client: Client, *, flags: int = 3, to: str = "team", topic: str = Topic.PG_MSG_P) -> str:
    """Send a message; its uid."""
    client.publish(to, topic=topic, flags=flags)
    client.rig.settle()
    (ack,) = (frame for frame in client.frames() if isinstance(frame, PubAck))
    assert ack.status == 0
    return ack.uid


def ask(client: Client, topic: Topic, *uids: str, target: str = "team") -> tuple[int, bytes]:
    message_id = client._id()
    data = payloads.encode(payloads.GrpReadReceiptMsg(msgId=uids))
    client.send(Query(topic=topic, target_id=target, message_id=message_id, data=data))
    client.rig.settle()
    (answer,) = client.answers(message_id)
    return answer.status, answer.data


def report(client: Client, *uids: str, target: str = "team") -> int:
    return ask(client, Topic.RR_MSG, *uids, target=target)[0]


def readers(client: Client, uid: str) -> tuple[int, list[tuple[str, int]]]:
    """How many could have read a message, and who has, when."""
    status, data = ask(client, Topic.RR_LIST, uid)
    assert status == 0
    reply = payloads.decode(payloads.GrpReadReceiptQryResp, data)
    return reply.totalMemberNum, [(reader.userId, reader.readTime) for reader in reply.list]


# -- by messages -----------------------------------------------------------------------


def test_requests_go_to_all_and_responses_to_whom_they_name(tmp_path: Path) -> None:
    rig, (ann, bob, eve) = team(tmp_path, "ann", "bob", "eve", receipts=MESSAGES)
    uid = write(ann)
    for client in (bob, eve):
        client.pull_all()
    ann.publish(
        "team", f'{{"messageUId":"{uid}"}}', topic=Topic.PG_MSG_P, name="RC:RRReqMsg", flags=0
    )
    rig.settle()
    for client in (bob, eve):
        (request,) = client.pull_all()
        assert (request.classname, request.status) == ("RC:RRReqMsg", 0)
    bob.publish(
        "team",
        f'{{"receiptMessageDic":{{"ann":["{uid}"]}}}}',
        topic=Topic.PG_MSG_P,
        name="RC:RRRspMsg",
        flags=0,
        userId=["ann"],
    )
    rig.settle()
    (response,) = ann.pull_all()
    assert (response.classname, response.fromUserId) == ("RC:RRRspMsg", "bob")
    assert eve.pull_all() == bob.pull_all() == []


def test_by_messages_the_topics_are_refused(tmp_path: Path) -> None:
    _, (ann, bob) = team(tmp_path, "ann", "bob", receipts=MESSAGES)
    uid = write(ann)
    assert report(bob, uid) == ErrorCode.READ_RECEIPT_ERROR
    assert ask(ann, Topic.RR_LIST, uid) == (ErrorCode.READ_RECEIPT_ERROR, b"")


@pytest.mark.parametrize("receipts", [MESSAGES, TOPICS])
def test_navigation_says_which_scheme_is_in_use(tmp_path: Path, receipts: ReceiptVersion) -> None:
    rig = Rig(tmp_path, receipts=receipts)
    request = HttpRequest(
        method="GET", target=f"/navi.js?appId={APP}&token=ann", headers=(), body=b""
    )
    body = rig.navigation.respond(request).body
    assert b'"grpRRVer":%d' % receipts in body


@pytest.mark.parametrize(("scheme", "version"), [("messages", 0), ("topics", 1)])
def test_the_setting_chooses_the_scheme(tmp_path: Path, scheme: str, version: int) -> None:
    async def scenario(settings: Settings) -> None:
        application = Application(settings)
        async with application.listening():
            token = Accounts({KEY: SECRET}).issue(KEY, "ann", now=time.time(), lifetime=60)
            request = HttpRequest(
                method="GET", target=f"/navi.js?appId={KEY}&token={token}", headers=(), body=b""
            )
            body = application.navigation.respond(request).body
            assert b'"grpRRVer":%d' % version in body
            assert application.system.group_receipts.is_on is bool(version)

    run(settings_for(tmp_path, "asyncio", **{"messages.group_receipts": scheme}), scenario)


# -- by topics -------------------------------------------------------------------------


def test_readers_are_told_with_their_time(tmp_path: Path) -> None:
    rig, (ann, bob, eve, joe) = team(tmp_path, "ann", "bob", "eve", "joe")
    uid, other = write(ann), write(ann)
    assert readers(ann, uid) == (3, [])
    rig.advance(1)
    assert report(eve, uid, other) == 0
    rig.advance(1)
    assert report(bob, uid) == 0
    assert readers(ann, uid) == (3, [("eve", START + 1000), ("bob", START + 2000)])
    assert readers(joe, other) == (3, [("eve", START + 1000)])


def test_reading_twice_keeps_the_first_time(tmp_path: Path) -> None:
    rig, (ann, bob) = team(tmp_path, "ann", "bob")
    uid = write(ann)
    for _ in range(2):
        assert report(bob, uid, uid) == 0
        rig.advance(1)
    assert readers(ann, uid) == (1, [("bob", START)])


def test_receipts_outlive_the_server(tmp_path: Path) -> None:
    rig, (ann, bob) = team(tmp_path, "ann", "bob")
    uid = write(ann)
    report(bob, uid)
    rig.store.store.close()
    later = Rig(tmp_path, receipts=TOPICS)
    assert readers(later.online("ann"), uid) == (1, [("bob", START)])


def test_what_cannot_be_read_is_skipped(tmp_path: Path) -> None:
    rig, (ann, bob) = team(tmp_path, "ann", "bob")
    rig.do(rig.system.groups.create(APP, "crew", members=["ann", "bob"], name="Crew"))
    own, command, elsewhere = write(bob), write(ann, flags=0), write(ann, to="crew")
    private = write(ann, to="bob", topic=Topic.PP_MSG_P)
    last = write(ann)
    assert report(bob, own, command, elsewhere, private, "nonsense", "", last) == 0
    assert readers(bob, own) == (1, [])
    assert readers(ann, last) == (1, [("bob", START)])

    async def count() -> int:
        found = text("SELECT count(*) FROM group_receipts")
        return await rig.system.data.read(lambda connection: connection.scalar(found))

    assert rig.do(count()) == 1


def test_an_empty_report_is_harmless(tmp_path: Path) -> None:
    _, (bob,) = team(tmp_path, "bob")
    assert report(bob) == 0


def test_the_total_is_of_those_who_are_members_now(tmp_path: Path) -> None:
    rig, (ann, bob, eve) = team(tmp_path, "ann", "bob", "eve")
    uid = write(ann)
    report(bob, uid)
    rig.do(rig.system.groups.quit(APP, "team", ["bob"]))
    assert readers(eve, uid) == (1, [("bob", START)])
    rig.do(rig.system.groups.quit(APP, "team", ["ann"]))
    assert readers(eve, uid) == (1, [("bob", START)])


@pytest.mark.parametrize("topic", [Topic.RR_MSG, Topic.RR_LIST])
def test_only_members_report_and_ask(tmp_path: Path, topic: Topic) -> None:
    rig, (ann,) = team(tmp_path, "ann")
    uid, zoe = write(ann), rig.online("zoe")
    assert ask(zoe, topic, uid)[0] == ErrorCode.NOT_IN_GROUP
    assert ask(zoe, topic, uid, target="none")[0] == ErrorCode.NOT_IN_GROUP
    for target in ("", "~talk"):
        status, _ = ask(ann, topic, uid, target=target)
        assert status == ErrorCode.RC_DISCUSSION_GROUP_ID_INVALID


def test_questions_that_cannot_be_answered(tmp_path: Path) -> None:
    _, (ann, bob) = team(tmp_path, "ann", "bob")
    uid, command = write(ann), write(ann, flags=0)
    for uids in ((), (uid, uid), ("nonsense",), (command,)):
        status, _ = ask(ann, Topic.RR_LIST, *uids)
        assert status == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert report(bob, *[uid] * (MOST_UIDS + 1)) == ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    assert report(bob, *[uid] * MOST_UIDS) == 0


def test_no_query_reads_a_whole_table(tmp_path: Path) -> None:
    rig, (ann, bob) = team(tmp_path, "ann", "bob")
    uid = write(ann)
    sent = time_of(uid)
    assert sent is not None
    report(bob, uid)
    plans: list[str] = []

    def queries(connection: Connection) -> None:
        with query_plans(connection) as found:
            table.record(connection, place=TEAM, reader="bob", uids=[(uid, sent)], time=START)
            table.receipts(connection, place=TEAM, uid=uid, time=sent)
        plans.extend(found)

    async def steps() -> None:
        await rig.system.data.write(queries)

    rig.do(steps())
    searches = [plan for plan in plans if plan.startswith("SEARCH messages")]
    assert len(searches) == 2
    assert all("time=?" in plan for plan in searches)
    assert not [plan for plan in plans if plan.startswith("SCAN")]
