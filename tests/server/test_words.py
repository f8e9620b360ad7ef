"""Sensitive words: what they do to messages, and how they are changed (rest 9.1)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.config import Limits
from improto.frames import PubAck
from improto.operations import Topic
from improto_server.services.words import WordFilter
from improto_server.store import StoreError
from improto_server.system import ModerationRules
from tests.server.api_tools import ApiRig
from tests.server.rig import APP, Rig, item
from tests.server.room_tools import ROOM, join

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.rig import Client

SHIELD = int(ErrorCode.SENSITIVE_SHIELD)
REPLACED = int(ErrorCode.SENSITIVE_REPLACE)


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    return with_words(tmp_path)


def with_words(path: Path, **options: Any) -> ApiRig:
    """A rig that blocks ``bad`` and says ``***`` for ``ugly``."""
    rig = ApiRig(path, **options)
    rig.ask("/sensitiveword/add", word="bad")
    rig.ask("/sensitiveword/add", word="ugly", replaceWord="***")
    return rig


def text(words: str, **members: object) -> str:
    return json.dumps({"content": words, **members})


def say(client: Client, words: str, target: str = "bob", **options: Any) -> PubAck:
    client.publish(target, text(words), **options)
    client.rig.settle()
    (ack,) = (frame for frame in client.frames() if isinstance(frame, PubAck))
    return ack


def read(client: Client) -> list[Any]:
    """What has come in his inbox since."""
    return [json.loads(each.content) for each in client.pull_all()]


# -- what they do ----------------------------------------------------------------------


def test_a_message_with_a_blocked_word_goes_nowhere(rig: ApiRig) -> None:
    alice, bob = rig.online("alice"), rig.online("bob")
    ack = say(alice, "how BaD of you")
    assert (ack.status, ack.uid) == (SHIELD, "")
    assert bob.frames() == []
    assert read(bob) == []


def test_a_replaced_word_is_replaced_for_everybody(tmp_path: Path) -> None:
    rig = with_words(tmp_path, multi_device=True)
    alice, tablet, bob = rig.online("alice"), rig.online("alice"), rig.online("bob")
    tablet.frames()
    alice.frames()
    ack = say(alice, "an Ugly duck, uglyugly")
    assert ack.status == REPLACED
    (pushed,) = bob.deliveries(Topic.S_MSG)
    assert json.loads(item(pushed).content) == {"content": "an *** duck, ******"}
    assert item(pushed).msgId == ack.uid
    assert read(bob) == read(tablet) == [{"content": "an *** duck, ******"}]


def test_what_has_no_word_in_it_stays_as_it_is(rig: ApiRig) -> None:
    alice, bob = rig.online("alice"), rig.online("bob")
    assert say(alice, "fine").status == 0
    alice.publish("bob", '{"content":"bad"}', name="app:custom")
    alice.publish("bob", '{ "content" : "b\\u00e4d" }')
    rig.settle()
    assert [each.content for each in bob.pull_all()] == [
        text("fine").encode(),
        b'{"content":"bad"}',
        b'{ "content" : "b\\u00e4d" }',
    ]


def test_groups_rooms_and_typing(rig: ApiRig) -> None:
    rig.ask("/group/create", userId=["alice", "bob"], groupId="g", groupName="G")
    alice, bob = rig.online("alice"), rig.online("bob")
    join(alice)
    join(bob)
    bob.frames()
    for target, topic in (("g", Topic.PG_MSG_P), (ROOM, Topic.CHAT_MSG), ("bob", Topic.PP_MSG_S)):
        assert say(alice, "bad", target, topic=topic).status == SHIELD
        assert bob.frames() == []
        assert say(alice, "ugly", target, topic=topic).status == REPLACED
        assert bob.frames() != []


def test_other_apps_have_other_words(rig: ApiRig) -> None:
    dave = rig.online("dave", app="other")
    assert say(dave, "bad and ugly", "erin").status == 0


def test_words_that_are_deleted_do_nothing(rig: ApiRig) -> None:
    alice = rig.online("alice")
    rig.ask("/sensitiveword/delete", word="['bad']")
    assert say(alice, "bad").status == 0
    assert say(alice, "ugly").status == REPLACED
    rig.ask("/sensitiveword/batch/delete", words=["ugly", "unknown"])
    assert say(alice, "ugly").status == 0


def test_words_last(tmp_path: Path) -> None:
    first = with_words(tmp_path)
    first.store.store.close()
    alice = Rig(tmp_path).online("alice")
    assert say(alice, "bad").status == SHIELD


def test_an_edit_is_a_message(rig: ApiRig) -> None:
    alice = rig.online("alice", "5.38.0")
    uid = say(alice, "fine").uid

    def edit(words: str) -> tuple[int, bytes]:
        request = payloads.MsgChangeReq(
            fromUserId="", targetId="bob", type=1, msgUID=uid, msgTime=0, content=text(words)
        )
        message_id = alice.query(Topic.MODIFY_MSG, request)
        rig.settle()
        (answer,) = alice.answers(message_id)
        return answer.status, answer.data

    assert edit("bad") == (SHIELD, b"")
    status, data = edit("ugly")
    assert status == 0
    reply = payloads.decode(payloads.ModifyMsgResp, data)
    assert json.loads(reply.msg.content) == {"content": "***"}


@pytest.mark.parametrize("screens", [False, True])
def test_messages_of_the_rest_api(tmp_path: Path, screens: bool) -> None:
    rig = with_words(tmp_path, moderation=ModerationRules(screens_posts=screens))
    bob = rig.online("bob")
    say_all = {"fromUserId": "alice", "toUserId": "bob", "objectName": "RC:TxtMsg"}
    replies = [
        rig.code("/message/private/publish", content=text(words), **say_all)
        for words in ("bad", "ugly")
    ]
    assert replies == ([1002, 200] if screens else [200, 200])
    expected = ["***"] if screens else ["bad", "ugly"]
    assert [each["content"] for each in read(bob)] == expected
    shown = rig.code("/statusmessage/private/publish", content=text("bad"), **say_all)
    assert shown == (1002 if screens else 200)


def test_a_message_that_grows_too_large_is_blocked(tmp_path: Path) -> None:
    rig = ApiRig(tmp_path, limits=Limits(content_bytes=1024))
    rig.ask("/sensitiveword/add", word="a", replaceWord="b" * 32)
    alice = rig.online("alice")
    assert say(alice, "a").status == REPLACED
    assert say(alice, "a" * 100).status == SHIELD


@pytest.mark.parametrize("screens", [False, True])
def test_edits_of_the_rest_api(tmp_path: Path, screens: bool) -> None:
    rig = with_words(tmp_path, moderation=ModerationRules(screens_posts=screens))
    alice, bob = rig.online("alice"), rig.online("bob")
    uid = say(alice, "fine").uid
    fields = {"fromUserId": "alice", "targetId": "bob", "msgUID": uid}
    rig.ask("/message/private/modify", content=text("ugly"), **fields)
    assert read(bob) == [{"content": "***" if screens else "ugly"}]


# -- what is looked at -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"content":"so ugly","extra":"ugly"}', b'{"content":"so ***","extra":"ugly"}'),
        (b'{"content":"\\u0075gly \xe6\x95\x8f"}', '{"content":"*** 敏"}'.encode()),
        (b'{"content":"b\\u0061d"}', None),
        (b'{"content":"good","content":"bad"}', None),
        # Halves of surrogate pairs: readers show something else for them, and for nothing else.
        (b'{"content":"\\ud800 bad"}', None),
        (b'{"content":"\\ud800"}', b'{"content":"\\ud800"}'),
        (b'{"content":"\\ud800 ugly"}', '{"content":"\ufffd ***"}'.encode()),
        (b'{"content":"ugly","x":"\\ud800"}', b'{"content":"***","x":"\\ud800"}'),
        # What is no text message may be understood by somebody.
        (b"bad", None),
        (b'"ugly"', None),
        (b'{"content":["ugly"]}', None),
        (b"\xff ugly", None),
        (b"[" * 100_000 + b"ugly", None),
        (b"fine \xff", b"fine \xff"),
        (b'{"content":"b\\u0061d","x":' + b"1" * 5000 + b"}", None),
        (b'{"content":"b\\u0061d","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
        (b'\xef\xbb\xbf{"content":"\\u0075gly"}', None),
        (b'{"content":"\\u0062\\a\\d', None),
        (b'{"content":"\\ud83d\\ude00', b'{"content":"\\ud83d\\ude00'),
        (b"{}", b"{}"),
        (b'{"content":null}', b'{"content":null}'),
    ],
)
def test_what_is_looked_at(content: bytes, expected: bytes | None) -> None:
    assert WordFilter({"bad": "", "ugly": "***"}).apply(content) == expected


def test_case_and_length() -> None:
    words = WordFilter({"straße": "", "İstanbul": "there", "敏感": "**", "敏感词": "***"})
    assert words.censored("STRAßE") is None
    assert words.censored("in istanbul, İSTANBUL") == "in there, there"
    assert words.censored("敏感词敏感") == "*****"


def test_a_blocked_word_wins_over_a_replaced_one_around_it() -> None:
    words = WordFilter({"bad": "", "abad": "x"})
    assert words.censored("abad") is None


def test_only_one_letter_becomes_two_in_lower_case() -> None:
    longer = [letter for letter in map(chr, range(0x110000)) if len(letter.lower()) != 1]
    assert longer == ["\u0130"]


# -- the calls -------------------------------------------------------------------------


def test_the_list(rig: ApiRig) -> None:
    bad = {"type": "1", "word": "bad", "replaceWord": ""}
    ugly = {"type": "0", "word": "ugly", "replaceWord": "***"}
    assert rig.ask("/sensitiveword/list") == {"words": [bad]}
    assert rig.ask("/sensitiveword/list", type=0) == {"words": [ugly]}
    assert rig.ask("/sensitiveword/list", type=2) == {"words": [bad, ugly]}
    rig.ask("/sensitiveword/add", word="ugly")
    assert rig.ask("/sensitiveword/list", type=0) == {"words": []}


def test_several_at_once(rig: ApiRig) -> None:
    new = [{"word": "one"}, {"word": "two", "replaceWord": "2"}]
    assert rig.ask("/sensitiveword/batch/add", words=new) == {"remainQuota": 46}
    assert say(rig.online("alice"), "two").status == REPLACED


def test_no_more_than_fifty(rig: ApiRig) -> None:
    many = [{"word": f"word{number}"} for number in range(48)]
    assert rig.code("/sensitiveword/batch/add", words=[*many, {"word": "more"}]) == 1019
    assert rig.ask("/sensitiveword/batch/add", words=many) == {"remainQuota": 0}
    assert rig.post("/sensitiveword/add", word="more") == {
        "code": 1019,
        "errorMessage": "only 0 more words can be added",
        "url": "/sensitiveword/add.json",
    }
    # One that is there may be changed.
    assert rig.code("/sensitiveword/add", word="bad", replaceWord="b") == 200


@pytest.mark.parametrize(
    ("path", "fields", "code"),
    [
        ("add", {"word": ""}, 1002),
        ("add", {"word": "-"}, 1002),
        ("add", {"word": "x" * 33}, 1005),
        ("add", {"word": "x", "replaceWord": "x" * 33}, 1005),
        ("delete", {}, 1002),
        ("delete", {"word": "x" * 37}, 1005),
        ("batch/delete", {}, 1002),
        ("batch/delete", {"words": ["x"] * 51}, 1502),
        ("batch/delete", {"words": "x" * 129}, 1005),
        ("batch/add", {}, 1002),
        ("batch/add", {"words": []}, 1002),
        ("batch/add", {"words": ["x"]}, 1002),
        ("batch/add", {"words": [{"replaceWord": "x"}]}, 1002),
        ("batch/add", {"words": [{"word": "x" * 33}]}, 1005),
        ("batch/add", {"words": [{"word": "x"}] * 51}, 1502),
        ("list", {"type": 3}, 1502),
        ("list", {"type": "undefined"}, 1501),
    ],
)
def test_what_is_refused(rig: ApiRig, path: str, fields: dict[str, Any], code: int) -> None:
    assert rig.code(f"/sensitiveword/{path}", **fields) == code
    assert len(rig.ask("/sensitiveword/list", type=2)["words"]) == 2


def test_a_store_that_fails_changes_nothing(rig: ApiRig) -> None:
    rig.store.broken = StoreError("the disk is full")
    assert rig.code("/sensitiveword/add", word="new") == 1000
    assert rig.code("/sensitiveword/delete", word="bad") == 1000
    rig.store.broken = None
    assert set(rig.system.words.list(APP)) == {"bad", "ugly"}
    assert say(rig.online("alice"), "bad").status == SHIELD
    assert rig.system.words.list("unknown") == {}
