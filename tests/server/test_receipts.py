"""Read receipts of single messages and by positions, as SDK 5 asks for them (sdk5 8.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from improto import payloads
from improto.codes import CommandType, ConversationType, ErrorCode
from improto.contents import OptionFlag
from improto.frames import PubAck, Qos
from improto.operations import Topic
from improto.profiles import ReceiptVersion
from improto_server.errors import ServiceError
from improto_server.services.receipts import CHANGE_TYPE, MOST_UIDS, PAGE
from improto_server.store import Place, names
from improto_server.store import receipts as table
from improto_server.uids import time_of
from tests.server.rig import APP, START, Rig
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.server.rig import Client

RECEIPTS, POSITIONS = ReceiptVersion.RECEIPTS, ReceiptVersion.POSITIONS
PRIVATE, GROUP = ConversationType.PRIVATE, ConversationType.GROUP
SDK = "5.38.0"
MISSING = "0000-0000-0000-0000"


def team(path: Path, *others: str, receipts: ReceiptVersion = RECEIPTS) -> tuple[Rig, list[Client]]:
    """Ann and others in a group, and online."""
    rig = Rig(path, receipts=receipts)
    members = ("ann", *others)
    rig.do(rig.system.groups.create(APP, "team", members=members, name="Team"))
    rig.advance(1)
    return rig, [rig.online(name, SDK) for name in members]


def write(
    client: Client,
    *,
    to: str = "team",
    topic: str = Topic.PG_MSG_P,
    bits: int = OptionFlag.WANTS_RECEIPT,
    **fields: Any,
) -> str:
    """Send a message that wants a receipt; its uid."""
    client.rig.advance(1)
    client.publish(to, topic=topic, optionBits=bits, **fields)
    client.rig.settle()
    (ack,) = (frame for frame in client.frames() if isinstance(frame, PubAck))
    assert ack.status == 0
    return ack.uid


def status(client: Client, topic: Topic, request: payloads.Message, target: str = "any") -> int:
    return answer(client, topic, request, target)[0]


def answer(
    client: Client, topic: Topic, request: payloads.Message, target: str = "any"
) -> tuple[int, bytes]:
    message_id = client.query(topic, request, target=target)
    client.rig.settle()
    (reply,) = client.answers(message_id)
    return reply.status, reply.data


# -- of single messages ------------------------------------------------------------------


def read(client: Client, *uids: str, target: str = "team", type: int = GROUP, way: int = 0) -> int:
    request = payloads.ReadReceipt(targetId=target, type=type, readType=way, msgIds=uids)
    return status(client, Topic.READ_RECEIPT, request)


def counts(client: Client, *uids: str, target: str = "team", type: int = GROUP) -> Any:
    """How many have read messages, and how many have not; or why that is not told."""
    item = payloads.QueryReceipt(targetId=target, type=type, msgIds=uids)
    request = payloads.QueryReceiptBatchReq(items=[item], compress=True)
    code, data = answer(client, Topic.QRY_RECEIPT_BATCH, request)
    if code:
        assert data == b""
        return code
    (found,) = payloads.decode(payloads.QueryReceiptBatchResp, data).item
    assert (found.targetId, found.type) == (target, type)
    assert all(each.totalCnt == each.readCnt + each.unreadCnt for each in found.msg)
    return [(each.msgId, each.readCnt, each.unreadCnt) for each in found.msg]


def question(uid: str, **fields: Any) -> payloads.QueryReceiptReq:
    given = {"targetId": "team", "type": GROUP, "msgIds": [uid], "qryType": 1, "readType": 1}
    return payloads.QueryReceiptReq(**(given | fields))  # type: ignore[arg-type]


def users(client: Client, uid: str, **fields: Any) -> payloads.ReceiptResp:
    code, data = answer(client, Topic.QRY_RECEIPT, question(uid, **fields))
    assert code == 0
    return payloads.decode(payloads.ReceiptResp, data)


def events(client: Client) -> list[tuple[payloads.EventChange, payloads.MsgReadEvent]]:
    """What the event stream says of receipts."""
    changes = client.ask(
        Topic.PULL_EVENT_CHANGE, payloads.QueryMsgChange(syncTime=1), payloads.EventChangeList
    )
    return [(each, payloads.decode(payloads.MsgReadEvent, each.eventData)) for each in changes.list]


def test_the_sender_is_told_and_asks_who_it_was(tmp_path: Path) -> None:
    rig, (ann, bob, eve) = team(tmp_path, "bob", "eve")
    uid = write(ann)
    assert counts(ann, uid) == [(uid, 0, 2)]
    rig.advance(1)
    now = rig.wall
    assert read(bob, uid) == 0
    (command,) = ann.deliveries(Topic.S_CMD)
    notice = payloads.decode(payloads.NotifyMsg, command.data)
    assert notice.type == CommandType.EVENTS
    ((change, news),) = events(ann)
    assert (change.businessId, change.channelType, change.operatorId) == ("team", GROUP, "bob")
    assert (change.changeType, change.subChangeType) == (CHANGE_TYPE, 0)
    assert (news.msgId, news.msgTime) == (uid, time_of(uid))
    assert (news.totalCnt, news.readCnt, news.unreadCnt) == (2, 1, 1)
    assert [(user.userId, user.receiptTime) for user in news.readList] == [("bob", now)]
    assert counts(ann, uid) == [(uid, 1, 1)]
    (item,) = users(ann, uid).resp
    assert [(user.userId, user.receiptTime) for user in item.readUser] == [("bob", now)]
    assert (item.msgTime, item.totalCnt, item.readCnt, item.unreadCnt) == (time_of(uid), 2, 1, 1)
    (item,) = users(ann, uid, readType=2).resp
    assert [user.userId for user in item.unreadUser] == ["eve"]
    assert events(eve) == []


def test_in_a_private_conversation(tmp_path: Path) -> None:
    rig = Rig(tmp_path, receipts=RECEIPTS)
    ann, bob = rig.online("ann", SDK), rig.online("bob", SDK)
    uid = write(ann, to="bob", topic=Topic.PP_MSG_P)
    assert counts(ann, uid, target="bob", type=PRIVATE) == [(uid, 0, 1)]
    (item,) = users(ann, uid, targetId="bob", type=PRIVATE, readType=2).resp
    assert [user.userId for user in item.unreadUser] == ["bob"]
    assert read(bob, uid, target="ann", type=PRIVATE) == 0
    (item,) = users(ann, uid, targetId="bob", type=PRIVATE).resp
    assert [user.userId for user in item.readUser] == ["bob"]
    ((change, news),) = events(ann)
    assert (change.businessId, change.channelType) == ("bob", PRIVATE)
    assert (news.totalCnt, news.readCnt) == (1, 1)
    assert counts(ann, uid, target="bob", type=PRIVATE) == [(uid, 1, 0)]


def test_the_first_receipt_counts_and_is_told_once(tmp_path: Path) -> None:
    rig, (ann, bob) = team(tmp_path, "bob")
    first, second = write(ann), write(ann)
    now = rig.wall
    assert read(bob, first, first) == 0
    rig.advance(1)
    assert read(bob, first, second) == 0
    assert [news.msgId for _, news in events(ann)] == [first, second]
    (item,) = users(ann, first).resp
    assert [user.receiptTime for user in item.readUser] == [now]


def test_a_receipt_and_its_event_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, (ann, bob) = team(tmp_path, "bob")
    uid = write(ann)

    def fail(*_: Any, **__: Any) -> None:
        raise ServiceError(ErrorCode.INTERNALERRROR)

    with monkeypatch.context() as patch:
        patch.setattr("improto_server.store.events.add", fail)
        assert read(bob, uid) == ErrorCode.INTERNALERRROR
    assert (counts(ann, uid), events(ann)) == ([(uid, 0, 1)], [])
    assert read(bob, uid) == 0
    assert (counts(ann, uid), len(events(ann))) == ([(uid, 1, 0)], 1)


def test_events_of_one_request_are_one_command(tmp_path: Path) -> None:
    _, (ann, bob, eve) = team(tmp_path, "bob", "eve")
    uids = [write(client) for client in (ann, eve, ann)]
    ann.frames()
    assert read(bob, *uids) == 0
    (command,) = ann.deliveries(Topic.S_CMD)
    first, last = events(ann)
    assert [news.msgId for _, news in (first, last)] == [uids[0], uids[2]]
    assert payloads.decode(payloads.NotifyMsg, command.data).time == last[0].time > first[0].time
    assert len(events(eve)) == 1


def test_what_is_taken_back_meanwhile_is_not_read(tmp_path: Path) -> None:
    rig, (ann, bob) = team(tmp_path, "bob")
    uid = write(ann)
    command = f'{{"messageUId":"{uid}","conversationType":3,"targetId":"team"}}'
    ann.publish("ann", command, topic=Topic.RECALL_MSG, name="RC:RcCmd", flags=1)
    # What the recall reads is answered, and what it writes is under way with the receipt.
    rig.settle_one()
    assert read(bob, uid) == ErrorCode.SERVICE_RRSV5_MESSAGE_NOT_EXIST
    assert events(ann) == []


def test_counted_are_those_who_were_there_and_still_are(tmp_path: Path) -> None:
    rig, (ann, bob, eve) = team(tmp_path, "bob", "eve")
    uid = write(ann)
    rig.advance(1)
    rig.do(rig.system.groups.join(APP, "team", ["joe"]))
    joe = rig.online("joe", SDK)
    assert read(joe, uid) == ErrorCode.SERVICE_RRSV5_MESSAGE_NOT_EXIST
    assert read(bob, uid) == 0
    assert counts(ann, uid) == [(uid, 1, 1)]
    rig.do(rig.system.groups.quit(APP, "team", ["bob"]))
    assert counts(ann, uid) == [(uid, 0, 1)]
    assert read(bob, uid) == ErrorCode.NOT_IN_GROUP
    rig.do(rig.system.groups.quit(APP, "team", ["ann"]))
    assert read(eve, uid) == 0
    _, (_, news) = events(ann)
    assert (news.totalCnt, news.readCnt, news.unreadCnt) == (1, 1, 0)


def test_what_wants_no_receipt_is_left_out(tmp_path: Path) -> None:
    _, (ann, bob) = team(tmp_path, "bob")
    plain, own, wanted = write(ann, bits=1), write(bob), write(ann)
    assert read(bob, "nonsense", MISSING, plain, own, wanted) == 0
    assert counts(ann, plain, own, MISSING, wanted) == [(wanted, 1, 0)]
    needless = ErrorCode.SERVICE_RRSV5_MESSAGE_RECEIPT_NEEDLESS
    assert read(bob, plain, MISSING) == read(bob, own) == needless
    assert read(bob, MISSING, plain) == ErrorCode.SERVICE_RRSV5_MESSAGE_NOT_EXIST
    assert counts(ann, plain) == needless
    assert counts(ann, own) == ErrorCode.SERVICE_RRSV5_MESSAGE_SENDER_MISMATCH
    assert counts(ann, "nonsense") == ErrorCode.SERVICE_RRSV5_MESSAGE_NOT_EXIST
    nowhere = counts(ann, wanted, target="joe", type=PRIVATE)
    assert nowhere == ErrorCode.SERVICE_RRSV5_MESSAGE_NOT_EXIST


def test_history_shows_a_reader_what_he_has_answered(tmp_path: Path) -> None:
    _, (ann, bob, eve) = team(tmp_path, "bob", "eve")
    first, _, _ = write(ann), write(ann), write(ann, bits=0)
    assert read(bob, first) == 0

    def bits(client: Client) -> list[int]:
        request = payloads.HistoryMsgInput(targetId="team", count=10)
        page = client.ask(Topic.QRY_G_MSG, request, payloads.HistoryMsgOuput)
        return [message.optionBits for message in page.list]

    wanted = OptionFlag.WANTS_RECEIPT
    assert bits(bob) == [0, wanted, wanted | OptionFlag.RECEIPT_SENT]
    assert bits(ann) == bits(eve) == [0, wanted, wanted]


def test_several_conversations_at_once(tmp_path: Path) -> None:
    _, (ann, bob) = team(tmp_path, "bob")
    one, other = write(ann), write(ann, to="bob", topic=Topic.PP_MSG_P)
    read(bob, one)
    items = [
        payloads.QueryReceipt(targetId="team", type=GROUP, msgIds=[one]),
        payloads.QueryReceipt(targetId="bob", type=PRIVATE, msgIds=[other]),
    ]
    reply = ann.ask(
        Topic.QRY_RECEIPT_BATCH,
        payloads.QueryReceiptBatchReq(items=items),
        payloads.QueryReceiptBatchResp,
    )
    assert [(item.targetId, item.msg[0].readCnt) for item in reply.item] == [
        ("team", 1),
        ("bob", 0),
    ]


def test_pages_of_users(tmp_path: Path) -> None:
    names = ("bob", "cid", "dan", "eve", "fay")
    rig, (ann, *others) = team(tmp_path, *names)
    uid = write(ann)
    for reader in others[2::-1]:
        rig.advance(1)
        read(reader, uid)

    def pages(**fields: Any) -> list[list[str]]:
        found, token = [], ""
        while True:
            reply = users(ann, uid, pageSize=2, pageToken=token, **fields)
            (item,) = reply.resp
            found.append([user.userId for user in (*item.readUser, *item.unreadUser)])
            token = reply.pageToken
            if not token:
                return found

    assert pages(order=0) == [["dan", "cid"], ["bob"]]
    assert pages(order=1) == [["bob", "cid"], ["dan"]]
    assert pages(readType=2) == [["eve", "fay"]]
    (item,) = users(ann, uid, qryType=2, readType=0, users=["fay", "bob", "ann", "joe"]).resp
    assert [user.userId for user in item.readUser] == ["bob"]
    assert [user.userId for user in item.unreadUser] == ["fay"]


def test_users_who_are_mentioned(tmp_path: Path) -> None:
    _, (ann, bob, _) = team(tmp_path, "bob", "eve")
    content = '{"content":"look","mentionedInfo":{"type":2,"userIdList":["bob"]}}'
    uid = write(ann, content=content, flags=7)
    read(bob, uid)
    ((_, news),) = events(ann)
    assert [user.mentioned for user in news.readList] == [True]
    (item,) = users(ann, uid, readType=2).resp
    assert [(user.userId, user.mentioned) for user in item.unreadUser] == [("eve", False)]


def test_questions_that_are_refused(tmp_path: Path) -> None:
    _, (ann, bob) = team(tmp_path, "bob")
    uid = write(ann)
    unknown = ErrorCode.SERVICE_RRSV5_QUERY_NOT_SUPPORT
    invalid = ErrorCode.BIZ_ERROR_INVALID_PARAMETER
    too_many = ErrorCode.SERVICE_RRSV5_PARAM_LENGTH_EXCEED
    for fields, code in (
        ({"qryType": 0}, unknown),
        ({"qryType": 3}, unknown),
        ({"readType": 0}, unknown),
        ({"msgIds": []}, invalid),
        ({"msgIds": [uid, uid]}, invalid),
        ({"pageSize": -1}, invalid),
        ({"pageSize": PAGE + 1}, too_many),
        ({"qryType": 2, "users": ["bob"] * (PAGE + 1)}, too_many),
        ({"pageToken": "1"}, ErrorCode.RC_PAGE_TOKEN_PARSING_FAILED),
        ({"pageToken": "x/bob"}, ErrorCode.RC_PAGE_TOKEN_PARSING_FAILED),
        ({"pageToken": "9" * 5000 + "/bob"}, ErrorCode.RC_PAGE_TOKEN_PARSING_FAILED),
        ({"msgIds": [MISSING]}, ErrorCode.SERVICE_RRSV5_MESSAGE_NOT_EXIST),
        ({"targetId": "none"}, ErrorCode.NOT_IN_GROUP),
    ):
        assert answer(ann, Topic.QRY_RECEIPT, question(uid, **fields)) == (code, b"")
    mismatch = ErrorCode.SERVICE_RRSV5_MESSAGE_SENDER_MISMATCH
    assert status(bob, Topic.QRY_RECEIPT, question(uid)) == mismatch
    assert read(bob, uid, way=1) == ErrorCode.SERVICE_RRSV5_READ_RECEIPT_NOT_SUPPORT
    elsewhere = ErrorCode.SERVICE_RRSV5_CONVERSATION_NOT_SUPPORT
    for target, type in (("~talk", PRIVATE), ("~talk", ConversationType.DISCUSSION)):
        assert read(bob, uid, target=target, type=type) == elsewhere
    assert read(bob, uid, type=4) == invalid
    assert read(bob) == counts(ann) == invalid
    assert read(bob, *[uid] * (MOST_UIDS + 1)) == too_many
    assert counts(ann, *[uid] * (MOST_UIDS + 1)) == too_many
    empty = [payloads.QueryReceipt(targetId="team", type=GROUP)] * (MOST_UIDS + 1)
    some = payloads.QueryReceipt(targetId="team", type=GROUP, msgIds=[uid])
    batch = payloads.QueryReceiptBatchReq(items=[*empty, some])
    assert status(ann, Topic.QRY_RECEIPT_BATCH, batch) == too_many
    assert read(bob, *[uid] * MOST_UIDS) == 0


def test_what_was_taken_back_is_gone(tmp_path: Path) -> None:
    rig, (ann, bob) = team(tmp_path, "bob")
    uid = write(ann)
    command = f'{{"messageUId":"{uid}","conversationType":3,"targetId":"team"}}'
    ann.publish("ann", command, topic=Topic.RECALL_MSG, name="RC:RcCmd", flags=1)
    rig.settle()
    assert ann.ack().status == 0
    gone = ErrorCode.SERVICE_RRSV5_MESSAGE_NOT_EXIST
    assert read(bob, uid) == counts(ann, uid) == gone


@pytest.mark.parametrize("receipts", [*ReceiptVersion])
def test_ways_that_are_off_are_refused_at_once(tmp_path: Path, receipts: ReceiptVersion) -> None:
    rig, (ann, bob) = team(tmp_path, "bob", receipts=receipts)
    uid = write(ann)
    reads = rig.store.reads
    off = ErrorCode.SERVICE_RRSV5_UNAVAILABLE
    if receipts is not RECEIPTS:
        assert read(bob, uid) == counts(ann, uid) == off
        assert status(ann, Topic.QRY_RECEIPT, question(uid)) == off
    if receipts is not POSITIONS:
        off = ErrorCode.RC_READ_RECEIPT_V4_INVALID
        assert move(bob, uid) == off
        assert readers(ann, uid) == positions(ann, uid) == off
    if receipts is not ReceiptVersion.TOPICS:
        request = payloads.GrpReadReceiptMsg(msgId=[uid])
        off = ErrorCode.READ_RECEIPT_ERROR
        assert status(bob, Topic.RR_MSG, request) == status(ann, Topic.RR_LIST, request) == off
    assert rig.store.reads == reads


# -- by positions ------------------------------------------------------------------------


def move(
    client: Client, end: str, start: str = "", *, target: str = "team", type: int = GROUP
) -> int:
    """Say up to which message the client has read; without waiting for an id, with QoS 0."""
    request = payloads.ReadReceiptMsg(targetId=target, type=type, startMsgId=start, endMsgId=end)
    client.frames()
    client.publish_bytes(
        target, payloads.encode(request), topic=Topic.SEND_MSG_READ, qos=Qos.AT_MOST_ONCE
    )
    client.rig.settle()
    return client.ack().status


def readers(client: Client, uid: str, *, target: str = "team") -> Any:
    request = payloads.ReceiptQryReq(msgId=uid, targetId=target, busChannel="")
    code, data = answer(client, Topic.QRY_MSG_READ, request, target)
    if code:
        return code
    reply = payloads.decode(payloads.QueryReceiptResp, data)
    assert reply.readCnt == len(reply.list)
    return reply.num, [(user.userId, user.receiptTime) for user in reply.list]


def positions(client: Client, *uids: str, target: str = "team", type: int = GROUP) -> Any:
    request = payloads.ReceiptCntQryReq(type=type, busChannel="", msgId=uids)
    code, data = answer(client, Topic.QRY_MSG_READ_CNT_BATCH, request, target)
    if code:
        return code
    reply = payloads.decode(payloads.ReceiptCntQryResp, data)
    return [(each.msgId, each.cnt, each.tmn) for each in reply.result]


def test_a_position_covers_what_is_before_it(tmp_path: Path) -> None:
    rig, (ann, bob, eve) = team(tmp_path, "bob", "eve", receipts=POSITIONS)
    first, second, third = write(ann), write(ann), write(ann)
    rig.advance(1)
    assert move(bob, second, first) == 0
    passed = rig.wall
    rig.advance(1)
    assert move(eve, first) == 0
    rig.advance(1)
    assert move(bob, third) == 0
    assert readers(ann, first) == (2, [("bob", passed), ("eve", passed + 1000)])
    assert readers(eve, second) == (2, [("bob", passed)])
    assert readers(ann, third) == (2, [("bob", passed + 2000)])
    assert positions(ann, first, MISSING, third, first) == [(first, 2, 2), (third, 1, 2)]


def test_positions_only_go_forward(tmp_path: Path) -> None:
    rig, (ann, bob) = team(tmp_path, "bob", receipts=POSITIONS)
    first, second = write(ann), write(ann)
    now = rig.wall
    assert move(bob, second) == 0
    rig.advance(1)
    assert move(bob, first) == move(bob, second) == 0
    assert readers(ann, first) == readers(ann, second) == (1, [("bob", now)])


def test_positions_of_those_who_were_there_and_still_are(tmp_path: Path) -> None:
    rig, (ann, bob, eve) = team(tmp_path, "bob", "eve", receipts=POSITIONS)
    uid = write(ann)
    rig.do(rig.system.groups.join(APP, "team", ["joe"]))
    joe = rig.online("joe", SDK)
    later = write(ann)
    for reader in (bob, eve, joe):
        assert move(reader, later) == 0
    assert positions(ann, uid, later) == [(uid, 2, 2), (later, 3, 3)]
    assert move(joe, uid) == readers(joe, uid) == positions(joe, uid)
    assert move(joe, uid) == ErrorCode.RC_SERVER_PARAMETER_MESSAGEUID_INVALID
    rig.do(rig.system.groups.quit(APP, "team", ["bob"]))
    assert [name for name, _ in readers(ann, later)[1]] == ["eve", "joe"]
    assert move(bob, later) == ErrorCode.NOT_IN_GROUP


def test_positions_that_are_refused(tmp_path: Path) -> None:
    _, (ann, bob) = team(tmp_path, "bob", receipts=POSITIONS)
    first, second = write(ann), write(ann)
    malformed = ErrorCode.RC_SERVER_PARAMETER_MESSAGEUID_INVALID
    invalid = ErrorCode.RC_SERVER_PARAMETER_INVALID
    assert move(bob, first, second) == ErrorCode.RC_SERVER_PARAMETER_MESSAGEUIDS_CONFUSED
    for uid in ("", "nonsense", MISSING):
        assert move(bob, uid) == readers(bob, uid) == positions(bob, uid) == malformed
    assert move(bob, second, "nonsense") == malformed
    assert move(bob, second, target="ann", type=PRIVATE) == invalid
    assert move(bob, second, target="~talk") == readers(ann, first, target="~talk") == invalid
    assert positions(ann, first, type=PRIVATE) == positions(ann) == invalid
    assert positions(ann, *[first] * (MOST_UIDS + 1)) == invalid
    assert readers(ann, first, target="none") == ErrorCode.NOT_IN_GROUP
    assert readers(ann, first) == (1, [])


# -- how it is done ----------------------------------------------------------------------


def test_of_a_note_to_oneself_nobody_sends_a_receipt(tmp_path: Path) -> None:
    ann = Rig(tmp_path, receipts=RECEIPTS).online("ann", SDK)
    uid = write(ann, to="ann", topic=Topic.PP_MSG_P)
    needless = ErrorCode.SERVICE_RRSV5_MESSAGE_RECEIPT_NEEDLESS
    assert read(ann, uid, target="ann", type=PRIVATE) == needless
    assert counts(ann, uid, target="ann", type=PRIVATE) == [(uid, 0, 0)]
    for way in (1, 2):
        (item,) = users(ann, uid, targetId="ann", type=PRIVATE, readType=way).resp
        assert [*item.readUser, *item.unreadUser] == []


def test_receipts_outlive_the_server(tmp_path: Path) -> None:
    rig, (ann, bob) = team(tmp_path, "bob")
    uid = write(ann)
    read(bob, uid)
    rig.store.store.close()
    later = Rig(tmp_path, receipts=RECEIPTS)
    assert counts(later.online("ann", SDK), uid) == [(uid, 1, 0)]


def test_of_positions_the_newest_are_kept(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    most = table.MOST_POSITIONS

    def moves(connection: Connection) -> list[tuple[int, int]]:
        for until in range(1, most + 3):
            for reader in (1, 2)[: 1 + (until == 1)]:
                table.move(connection, place=1, reader=reader, until=until, time=until)
        found = connection.execute(select(table.read_positions.c["reader", "until"]))
        return [(reader, until) for reader, until in found]

    async def steps() -> list[tuple[int, int]]:
        return await rig.system.data.write(moves)

    kept = [(1, until) for until in range(3, most + 3)]
    assert sorted(rig.do(steps())) == [*kept, (2, 1)]


def test_no_query_reads_a_whole_table(tmp_path: Path) -> None:
    rig, (ann, bob) = team(tmp_path, "bob")
    uid = write(ann)
    sent = time_of(uid)
    assert sent is not None
    team_of = Place(APP, GROUP, "team")
    plans: list[str] = []

    def queries(connection: Connection) -> None:
        place = names.conversation_id(connection, team_of.app, team_of.type, "", team_of.id)
        assert place is not None
        with query_plans(connection) as found:
            message = table.find(connection, place=place, uid=uid, time=sent)
            assert message is not None
            table.members(connection, message)
            table.count_members(connection, message)
            table.count_readers(connection, message)
            table.add(connection, message=message.id, reader=2, time=START)
            table.readers(connection, message=message.id)
            table.has_read(connection, message=message.id, reader=2)
            table.move(connection, place=place, reader=2, until=sent, time=START)
            table.positions(connection, place=place)
            table.passings(connection, place=place, time=sent)
        plans.extend(found)

    async def steps() -> None:
        await rig.system.data.write(queries)

    rig.do(steps())
    assert bob.closed is None
    assert not [plan for plan in plans if plan.startswith("SCAN")]
    assert any("SEARCH read_positions" in plan and "until>?" in plan for plan in plans)
