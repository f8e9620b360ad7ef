"""Frames as long polling carries them (http 5), against what SDKs send and read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.errors import DecodeError, UnexpectedFrame
from improto.frames import (
    ConnAck,
    Delivery,
    DeliveryAck,
    Disconnect,
    FrameType,
    MessageId,
    MessageUid,
    PubAck,
    Publish,
    Qos,
    Query,
    QueryAck,
    QueryCon,
    TimeMs,
)
from improto.http import HttpRequest
from improto.operations import Signal, find
from improto.transports._payload_json import to_json
from improto.transports._signals import (
    Post,
    read_connack,
    read_frame,
    read_post,
    read_signals,
    reply_kind,
    write_connack,
    write_delivery,
    write_disconnect,
    write_post,
    write_puback,
    write_queryack,
)

if TYPE_CHECKING:
    from improto.payloads import Message
    from improto.transports._signals import ServerFrame

ROWS: list[dict[str, Any]] = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "vectors" / "comet.jsonl").read_text().splitlines()
]
POSTS = [row for row in ROWS if row.get("method") == "POST"]
BATCHES = [row for row in ROWS if row["direction"] == "s2c" and "connack" not in row["name"]]
CONNACKS = [row for row in ROWS if "/connack-" in row["name"]]
QUESTIONS = {
    "pullMsg": payloads.DownStreamMessages,
    "pullMsg-empty": payloads.DownStreamMessages,
    "pullKV": payloads.ChrmKVOutput,
    "joinChrm": payloads.ChrmOutput,
    "batch-three": payloads.ChrmOutput,
    "conversations": payloads.RelationsOutput,
    "chatroom-info": payloads.QueryChatroomInfoOutput,
}
TOPICS = {
    payloads.DownStreamMessages: "pullMsg",
    payloads.ChrmKVOutput: "pullKV",
    payloads.ChrmOutput: "joinChrm",
    payloads.RelationsOutput: "qryRelation",
    payloads.QueryChatroomInfoOutput: "queryChrmI",
}
"""Which question the QUERYACKs of the vectors answer."""


def name(row: dict[str, Any]) -> str:
    return str(row["name"])


def is_usual(row: dict[str, Any]) -> bool:
    """Whether its payload is the one that we would send, too."""
    fields = row["fields"]
    if fields["type"] not in ("PUBLISH", "QUERY"):
        return True
    operation = find(fields["topic"], Signal[fields["type"]])
    assert operation is not None
    assert operation.request is not None
    return operation.request.__name__ == row["message"]


def bare(value: Any) -> Any:
    """Without empty lists, which we write and the vectors do not."""
    if isinstance(value, list):
        return [bare(item) for item in value]
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items() if item != []}
    return value


# --- Client to server ---------------------------------------------------------------------------


@pytest.mark.parametrize("row", POSTS, ids=name)
def test_a_post_of_an_sdk_is_read(row: dict[str, Any]) -> None:
    fields = row["fields"]
    post = read_post(HttpRequest(method="POST", target=row["url"]).query)
    assert post is not None
    assert (post.session_id, post.message_id) == (fields["sessionId"], fields["messageId"])
    assert (post.header, post.qos) == (fields["header"], fields["qos"])
    assert FrameType(post.type).name == fields["type"]
    frame = read_frame(post, row["body"].encode(), MessageId(5))
    assert frame.message_id == 5
    assert (frame.qos, frame.dup, frame.retain) == (fields["qos"], fields["dup"], fields["retain"])
    if isinstance(frame, Publish | Query):
        assert (frame.topic, frame.target_id) == (fields["topic"], fields["targetId"])
        check_payload(frame, row)
    else:
        assert fields["type"] in ("PUBACK", "QUERYCON")


def check_payload(frame: Publish | Query, row: dict[str, Any]) -> None:
    signal = Signal.PUBLISH if isinstance(frame, Publish) else Signal.QUERY
    operation = find(frame.topic, signal)
    assert operation is not None
    assert row["message"] in {
        kind.__name__ for kind in (operation.request, *operation.request_aliases) if kind
    }
    message = payloads.MESSAGES[row["message"]].FromString(frame.data)
    # Whatever name a build has for a field is among those that we write.
    written = to_json(message)
    for key, value in bare(row["fields"]["data"]).items():
        if value is not None and value != {}:
            assert bare(written[key]) == value, key


@pytest.mark.parametrize("row", [row for row in POSTS if is_usual(row)], ids=name)
def test_what_we_post_is_read_as_it_was_meant(row: dict[str, Any]) -> None:
    post = read_post(HttpRequest(method="POST", target=row["url"]).query)
    assert post is not None
    frame = read_frame(post, row["body"].encode(), MessageId(post.message_id))
    request = write_post(frame, session_id=post.session_id, page_id="7.5")
    again = read_post(request.query)
    assert again == post
    assert request.query["pid"] == "7.5"
    assert read_frame(post, request.body, frame.message_id) == frame


def test_a_post_is_percent_encoded() -> None:
    frame = Query(
        topic="joinChrm",
        target_id="x&y=z #+%",
        message_id=MessageId(3),
        data=payloads.encode(payloads.ChrmInput(nothing=1)),
    )
    request = write_post(frame, session_id="S", page_id="1")
    assert request.target == (
        "/websocket?messageid=3&header=80&sessionid=S&topic=joinChrm"
        "&targetid=x%26y%3Dz%20%23%2B%25&pid=1"
    )
    assert (request.method, request.body) == ("POST", b'{"nothing":1}')
    post = read_post(request.query)
    assert post is not None
    assert post.target_id == "x&y=z #+%"


@pytest.mark.parametrize(
    ("frame", "header"),
    [(DeliveryAck(message_id=MessageId(1)), 64), (QueryCon(message_id=MessageId(1)), 112)],
)
def test_a_confirmation_has_no_body(frame: DeliveryAck | QueryCon, header: int) -> None:
    request = write_post(frame, session_id="S", page_id="")
    assert request.target == f"/websocket?messageid=1&header={header}&sessionid=S&pid="
    assert request.body == b"{}"


FULL = "messageid=1&header=80&sessionid=S&topic=joinChrm&targetid=r"


@pytest.mark.parametrize(
    "query",
    [
        "",
        FULL.replace("messageid=1&", ""),
        FULL.replace("messageid=1", "messageid=x"),
        FULL.replace("messageid=1", "messageid=-1"),
        FULL.replace("messageid=1", "messageid=\u0661"),
        FULL.replace("messageid=1", "messageid=1234567890123456"),
        FULL.replace("header=80&", ""),
        FULL.replace("header=80", "header=256"),
        FULL.replace("sessionid=S&", ""),
        FULL.replace("sessionid=S", "sessionid="),
        FULL.replace("topic=joinChrm&", ""),
        FULL.replace("&targetid=r", ""),
        FULL.replace("header=80", "header=50").replace("&targetid=r", ""),
    ],
)
def test_a_post_without_its_parameters(query: str) -> None:
    assert read_post(HttpRequest(method="POST", target=f"/websocket?{query}").query) is None


def test_ids_and_topics_may_be_unusual() -> None:
    """Numbers beyond 65535 (session 6), and the empty topic of system messages."""
    query = "messageid=123456789012345&header=50&sessionid=S&topic=&targetid="
    post = read_post(HttpRequest(method="POST", target=f"/websocket?{query}").query)
    assert post is not None
    assert (post.message_id, post.topic, post.target_id) == (123456789012345, "", "")


def posted(header: int, topic: str) -> Post:
    return Post(session_id="S", message_id=1, header=header, topic=topic, target_id="t")


@pytest.mark.parametrize("topic", ["nothing", "pullSe"])
def test_a_topic_without_a_payload(topic: str) -> None:
    frame = read_frame(posted(80, topic), b"{}", MessageId(1))
    assert isinstance(frame, Query)
    assert frame.data == b""


def test_what_is_missing_is_left_to_the_program() -> None:
    frame = read_frame(posted(50, "ppMsgP"), b'{"classname":"RC:TxtMsg"}', MessageId(1))
    assert isinstance(frame, Publish)
    with pytest.raises(DecodeError, match="required"):
        payloads.decode(payloads.UpStreamMessage, frame.data)


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b'""', b'{"nothing":"1"}', b"\xff"])
def test_a_body_that_is_not_the_payload(body: bytes) -> None:
    with pytest.raises(DecodeError):
        read_frame(posted(80, "joinChrm"), body, MessageId(1))


@pytest.mark.parametrize("header", [0, 32, 96, 192, 224, 255])
def test_frames_that_nobody_posts(header: int) -> None:
    with pytest.raises(UnexpectedFrame):
        read_frame(posted(header, "joinChrm"), b"{}", MessageId(1))


# --- Server to client ---------------------------------------------------------------------------


@pytest.mark.parametrize("row", CONNACKS, ids=name)
def test_the_answer_to_a_connect(row: dict[str, Any]) -> None:
    frame = read_connack(row["json"].encode())
    fields = row["fields"][0]
    assert (frame.status, frame.user_id, frame.session_id, frame.timestamp) == tuple(
        fields.get(key) for key in ("status", "userId", "sessionId", "timestamp")
    )
    assert write_connack(frame, session_id="sess-0001") == row["json"]


def question(row: dict[str, Any]) -> type[Message] | None:
    return QUESTIONS.get(row["name"].removeprefix("s2c/").removeprefix("queryack-"))


@pytest.mark.parametrize("row", BATCHES, ids=name)
def test_signals_are_read_and_written_as_sdks_read_them(row: dict[str, Any]) -> None:
    text = row["json"] if row["json"].startswith("[") else f"[{row['json']}]"
    frames = read_signals(text.encode(), lambda message_id: question(row))
    assert len(frames) == len(row["fields"])
    for frame, signal, fields in zip(frames, json.loads(text), row["fields"], strict=True):
        check_fields(frame, fields)
        written = write(frame, signal, question(row))
        if isinstance(frame, Disconnect):
            # The order differs; it only must not end with the header.
            assert json.loads(written) == signal
            assert f'"headerCode":{signal["headerCode"]},' in written
        else:
            assert bare_data(json.loads(written)) == bare_data(signal)
            assert list(json.loads(written)) == list(signal)


def bare_data(signal: dict[str, Any]) -> dict[str, Any]:
    if "data" not in signal:
        return signal
    return signal | {"data": bare(json.loads(signal["data"]))}


def write(frame: ServerFrame, signal: dict[str, Any], kind: type[Message] | None) -> str:
    match frame:
        case Delivery():
            return write_delivery(frame)
        case PubAck():
            return write_puback(frame, frame.message_id)
        case QueryAck():
            return write_queryack(frame, frame.message_id, TOPICS[kind] if kind else "addBlack")
        case Disconnect():
            return write_disconnect(frame, signal["headerCode"])
    raise AssertionError(frame)


def check_fields(frame: ServerFrame, fields: dict[str, Any]) -> None:
    types = {Delivery: "PUBLISH", PubAck: "PUBACK", QueryAck: "QUERYACK", Disconnect: "DISCONNECT"}
    assert types[type(frame)] == fields["type"]
    assert (frame.qos, frame.retain) == (fields["qos"], fields["retain"])
    match frame:
        case Delivery():
            assert frame.is_sync == fields["dup"]
            assert (frame.topic, frame.target_id) == (fields["topic"], fields["targetId"])
            assert (frame.date, frame.message_id) == (fields["date"], fields["messageId"])
        case PubAck():
            assert (frame.timestamp, frame.uid) == (fields["timestamp"], fields["messageUId"])
            assert (frame.status, frame.message_id) == (fields["status"], fields["messageId"])
        case QueryAck():
            assert (frame.date, frame.message_id) == (fields["date"], fields["messageId"])
            assert frame.status == fields["status"]
        case Disconnect():
            assert frame.status == fields["status"]


def test_the_messages_of_a_page_are_read() -> None:
    row = next(row for row in BATCHES if row["name"] == "s2c/queryack-pullMsg")
    (frame,) = read_signals(row["json"].encode(), lambda message_id: payloads.DownStreamMessages)
    assert isinstance(frame, QueryAck)
    page = payloads.decode(payloads.DownStreamMessages, frame.data)
    assert [message.fromUserId for message in page.list] == ["user_b", "user_c"]
    assert page.list[0].content == b'{"content":"hello"}'


def test_who_answers_with_which_id() -> None:
    ack = PubAck(message_id=MessageId(1), date=5, millisecond=7, status=0, uid=MessageUid("U"))
    assert write_puback(ack, 70_000) == (
        '{"headerCode":64,"messageId":70000,"status":0,"timestamp":5007,"messageUId":"U"}'
    )


@pytest.mark.parametrize(
    ("topic", "status", "has_data"),
    [("getBlack", 0, True), ("getBlack", 5, False), ("addBlack", 0, False), ("crDiz", 0, False)],
)
def test_a_reply_in_which_nothing_is_set_is_a_reply(
    topic: str, status: int, has_data: bool
) -> None:
    """Unless there is none, or it needs something."""
    ack = QueryAck(message_id=MessageId(1), date=5, status=status, data=b"")
    assert ("data" in json.loads(write_queryack(ack, 1, topic))) is has_data
    assert reply_kind("nothing") is None


def test_a_program_that_sends_what_is_no_payload() -> None:
    ack = QueryAck(message_id=MessageId(1), date=5, status=0, data=b"\xff")
    with pytest.raises(DecodeError):
        write_queryack(ack, 1, "pullMsg")


def test_data_that_nobody_knows_how_to_read() -> None:
    text = '[{"headerCode":96,"messageId":1,"status":0,"date":5,"data":"{\\"a\\":1}"}]'
    (frame,) = read_signals(text.encode(), lambda message_id: None)
    assert frame == QueryAck(message_id=MessageId(1), date=5, status=0, data=b"")
    delivery = Delivery(date=5, topic="?", target_id="t", message_id=MessageId(0), data=b"x")
    assert json.loads(write_delivery(delivery))["data"] == "{}"


PUBACK = {"headerCode": 64, "messageId": 1, "status": 0, "timestamp": 5, "messageUId": "U"}


@pytest.mark.parametrize(
    "signals",
    [
        {},
        [5],
        [{}],
        [PUBACK | {"headerCode": "64"}],
        [PUBACK | {"headerCode": 80}],
        [PUBACK | {"headerCode": True}],
        [PUBACK | {"messageId": None}],
        [PUBACK | {"messageId": -1}],
        [PUBACK | {"messageId": 65536}],
        [PUBACK | {"messageUId": 5}],
        [{"headerCode": 96, "messageId": 1, "status": 0, "date": 5, "data": "x"}],
        [{"headerCode": 96, "messageId": 1, "status": 0, "date": 5, "data": '{"syncTime":"x"}'}],
    ],
)
def test_what_is_no_array_of_signals(signals: object) -> None:
    with pytest.raises(DecodeError):
        read_signals(json.dumps(signals).encode(), lambda message_id: payloads.DownStreamMessages)


@pytest.mark.parametrize("body", [b"lost params", b"[]", json.dumps(PUBACK).encode()])
def test_what_is_no_connack(body: bytes) -> None:
    with pytest.raises(DecodeError):
        read_connack(body)


def test_half_an_emoji_costs_no_frame() -> None:
    frame = read_connack(b'{"headerCode":32,"status":0,"userId":"u\\ud83d","sessionid":"S"}')
    assert frame.user_id == "u?"


def test_nothing_was_asked_before_a_connack() -> None:
    with pytest.raises(DecodeError, match="CONNACK"):
        read_connack(b'{"headerCode":96,"messageId":1,"status":0,"date":5,"data":"{}"}')


def test_our_own_session_id_stands_in_for_that_of_the_program() -> None:
    """It has to be one that nobody guesses (http 5.1)."""
    frame = ConnAck(status=0, user_id="u", session_id="1", timestamp=TimeMs(5), qos=Qos(0))
    assert json.loads(write_connack(frame, session_id="S"))["sessionid"] == "S"
