"""What arriving and leaving messages mean for the store, whichever it is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from improto import contents
from improto.contents import (
    ChatroomKeyChange,
    DownFlag,
    ExpansionChange,
    File,
    Image,
    KeyOperation,
    ReadReceipt,
    RecallCommand,
    RichContent,
    SyncReadStatus,
    Text,
    Typing,
    Unknown,
)
from improto.frames import MessageUid, TimeMs
from improto.messages import ChatMessage, Conversation, MessageDirection, compose
from improto.session import ClientSession
from improto_client.book import Book, Cursors, Kept
from improto_client.errors import DamagedStore, ForeignStore
from improto_client.store import MemoryStore, ReceivedStatus, SentStatus, SqliteStore
from improto_client.values import expansion
from improto_client.words import searched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from improto.contents import Content

BOB, TEAM = Conversation.private("bob"), Conversation.group("team")
ROOM = Conversation.chatroom("room")
CURSORS = Cursors("ann", 5, 3)


@pytest.fixture(params=["memory", "sqlite"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    store: Any = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "a.db")
    store.open()
    with store.transaction():
        book = Book(store, registry=None)
        book.begin("app")
        yield book
    store.close()


def message(
    content: Content,
    time: int,
    *,
    uid: str | None = None,
    place: Conversation = BOB,
    sender: str = "bob",
    status: int = 0,
    unique_id: int | None = None,
) -> tuple[ChatMessage, Content]:
    raw = ChatMessage(
        conversation=place,
        sender_id=sender,
        direction=MessageDirection.SENT if sender == "ann" else MessageDirection.RECEIVED,
        object_name=content.object_name,
        content=contents.encode(content),
        uid=MessageUid(f"M{time}" if uid is None else uid) if uid != "" else None,
        time=TimeMs(time),
        status=status,
        unique_id=unique_id,
    )
    return raw, content


def texts(book: Book, place: Conversation = BOB) -> list[str]:
    found = book.store.page(place, before=None, count=100)
    return [content.content for each in found if isinstance(content := each.raw.decoded(), Text)]


def arrive(book: Book, content: Content, time: int, **more: Any) -> int | None:
    (number,) = book.arrived([message(content, time, **more)], CURSORS)
    return number


def send(book: Book, content: Content, unique_id: int, *, place: Conversation = BOB) -> None:
    outgoing = compose(place, content, unique_id=unique_id)
    book.keep(outgoing, content, to=place, user_id="ann", now=100)


def unread(book: Book, place: Conversation = BOB) -> int:
    return book.conversation(place).unread


# -- receiving ----------------------------------------------------------------------------------


def test_what_arrives_is_there_once_and_open_until_it_is_taken(book: Book) -> None:
    first = arrive(book, Text("1"), 1)
    assert first
    assert arrive(book, Text("1"), 1) is None
    second = arrive(book, Text("2"), 2)
    saved = book.begin("app")
    assert [record.id for record in saved.waiting] == [first, second]
    book.take([first])
    assert arrive(book, Text("1"), 1) is None
    saved = book.begin("app")
    assert [record.id for record in saved.waiting] == [second]
    assert saved.session["recent"] == ["M1"]
    assert saved.session["inbox"] == 5
    assert saved.session["sent"] == 3
    assert saved.session["user_id"] == "ann"
    assert texts(book) == ["2", "1"]


def test_what_is_not_stored_passes(book: Book) -> None:
    number = arrive(book, ReadReceipt(last_message_send_time=5), 1)
    assert number
    assert [record.id for record in book.begin("app").waiting] == [number]
    assert book.store.page(BOB, before=None, count=1) == []
    book.take([number])
    assert arrive(book, ReadReceipt(last_message_send_time=5), 1) is None
    assert not book.conversation(BOB).is_listed


def test_what_has_no_uid_leaves_no_trace(book: Book) -> None:
    assert arrive(book, Typing(), 1, uid="") == 0
    assert book.begin("app").waiting == []


@pytest.mark.parametrize(
    "place", [Conversation(type=2**40, target_id="x"), Conversation.private("\ud800")]
)
def test_conversations_that_no_server_has_leave_no_trace(book: Book, place: Conversation) -> None:
    assert arrive(book, Text("x"), 1, place=place) == 0


@pytest.mark.parametrize(
    ("status", "is_kept", "count"),
    [
        (DownFlag.STORED | DownFlag.COUNTED, True, 1),
        (DownFlag.STORED, True, 0),
        (0, False, 0),
    ],
)
def test_of_unknown_types_the_sender_says_what_they_are(
    book: Book, status: int, is_kept: bool, count: int
) -> None:
    arrive(book, Unknown(object_name="my:own", data=b"{}"), 1, status=status)
    assert bool(book.store.page(BOB, before=None, count=1)) is is_kept
    assert unread(book) == count


def test_unread_messages_are_counted(book: Book) -> None:
    for time in (10, 20, 30):
        arrive(book, Text("x"), time)
    arrive(book, Text("mine"), 40, sender="ann")
    arrive(book, Text("read elsewhere"), 50, status=DownFlag.RETRIEVED)
    arrive(book, Text("in a room"), 60, place=ROOM)
    assert unread(book) == book.store.unread() == 3
    (newest,) = book.store.page(BOB, before=None, count=1)
    assert newest.received is ReceivedStatus.RETRIEVED
    book.read(BOB, until=10)
    assert unread(book) == 2
    arrive(book, Text("late"), 9)
    assert unread(book) == 2
    arrive(book, SyncReadStatus(20), 70, sender="ann")
    assert unread(book) == 1
    arrive(book, ReadReceipt(last_message_send_time=2**70), 80, sender="ann")
    assert unread(book) == 0
    (listed,) = book.store.conversations(count=9, before=0)
    assert (listed.conversation, listed.time) == (BOB, 50)


def test_others_tell_what_they_have_read(book: Book) -> None:
    arrive(book, ReadReceipt(last_message_send_time=20), 30)
    arrive(book, ReadReceipt(last_message_send_time=10), 40)
    assert book.conversation(BOB).peer_read_time == 20


# -- what messages do to others -----------------------------------------------------------------


def test_a_recall_takes_the_message_away(book: Book) -> None:
    arrive(book, Text("oops"), 10)
    arrive(book, Text("stays"), 20)
    arrive(book, RecallCommand("M10"), 30)
    assert texts(book) == ["stays"]
    assert unread(book) == 1
    assert arrive(book, Text("oops"), 10) is None
    arrive(book, RecallCommand("M10"), 40)
    assert texts(book) == ["stays"]


def test_a_recall_by_somebody_else_or_from_elsewhere_is_none(book: Book) -> None:
    arrive(book, Text("mine"), 10, sender="ann")
    arrive(book, RecallCommand("M10"), 20)
    arrive(book, Text("his"), 30)
    arrive(book, RecallCommand("M30"), 40, place=TEAM)
    assert texts(book) == ["his", "mine"]
    arrive(book, Text("in the team"), 50, place=TEAM, sender="eve")
    arrive(book, RecallCommand("M50"), 60, place=TEAM, sender="admin")
    assert texts(book, TEAM) == []


def test_an_own_recall_counts_when_it_is_answered(book: Book) -> None:
    send(book, Text("oops"), 7)
    book.settle(7, uid="A", time=10, is_sent=True)
    send(book, RecallCommand("A", conversation_type=1, target_id="bob"), 8)
    assert texts(book) == ["oops"]
    book.settle(8, uid="B", time=20, is_sent=True)
    assert texts(book) == []


def test_expansions_change_the_message(book: Book) -> None:
    arrive(book, Text("vote"), 10)

    def change(change: ExpansionChange, time: int, **more: Any) -> dict[str, str]:
        arrive(book, change, time, **more)
        found = book.store.by_uid("M10")
        assert found is not None
        return dict(expansion(found.raw.extra_content))

    assert change(ExpansionChange("M10", put={"a": "1", "b": "2", "c": 3}), 20) == {
        "a": "1",
        "b": "2",
    }
    assert change(ExpansionChange("M10", delete=("a", "x")), 30) == {"b": "2"}
    assert change(ExpansionChange("M10", remove_all=True), 40, place=TEAM) == {"b": "2"}
    assert change(ExpansionChange("M10", remove_all=True), 50) == {}
    assert change(ExpansionChange("M99", put={"a": "1"}), 60) == {}


def test_keys_of_rooms(book: Book) -> None:
    def change(key: str, value: str | None, kind: KeyOperation, time: int) -> None:
        arrive(book, ChatroomKeyChange(key=key, value=value, type=kind), time, place=ROOM)

    change("k", "v", KeyOperation.SET, 10)
    change("gone", "v", KeyOperation.SET, 20)
    change("gone", None, KeyOperation.DELETE, 30)
    arrive(book, ChatroomKeyChange(key="no room", value="v"), 40)
    assert book.entries("room") == {"k": Kept("v", "bob", 10)}
    book.set_entries("room", {"a": Kept("1", "eve", 5)})
    assert book.entries("room") == {"a": Kept("1", "eve", 5)}


# -- sending ------------------------------------------------------------------------------------


def test_what_is_sent_is_in_the_outbox_until_the_server_answers(book: Book) -> None:
    send(book, Text("hi"), 7)
    (found,) = book.store.page(BOB, before=None, count=9)
    assert (found.sent, found.raw.time, found.raw.uid) == (SentStatus.SENDING, 100, None)
    (waiting,) = book.begin("app").session["outbox"]
    assert waiting["unique_id"] == 7
    assert waiting["topic"] == "ppMsgP"
    book.settle(7, uid="A", time=90, is_sent=True)
    book.settle(7, uid="B", time=91, is_sent=True)
    (found,) = book.store.page(BOB, before=None, count=9)
    assert (found.sent, found.raw.time, found.raw.uid) == (SentStatus.SENT, 90, "A")
    assert book.begin("app").session["outbox"] == []
    assert unread(book) == 0


def test_what_is_sent_stands_behind_what_is_there(book: Book) -> None:
    arrive(book, Text("theirs"), 500)
    send(book, Text("mine"), 7)
    assert texts(book) == ["mine", "theirs"]


def test_what_is_refused_stays_as_failed(book: Book) -> None:
    send(book, Text("hi"), 7)
    book.settle(7, uid="", time=0, is_sent=False)
    (found,) = book.store.page(BOB, before=None, count=9)
    assert found.sent is SentStatus.FAILED
    assert book.begin("app").session["outbox"] == []


def test_what_is_taken_back_was_never_there(book: Book) -> None:
    send(book, Text("hi"), 7)
    book.withdraw(7)
    book.withdraw(8)
    assert texts(book) == []
    assert not book.conversation(BOB).is_listed
    assert book.begin("app").session["outbox"] == []
    send(book, Text("in a room"), 9, place=ROOM)
    book.withdraw(9)
    assert book.store.conversation(ROOM) is None


def test_what_the_server_had_and_did_not_answer_is_recognised(book: Book) -> None:
    send(book, Text("hi"), 7)
    assert arrive(book, Text("hi"), 90, sender="ann", unique_id=7) is None
    (found,) = book.store.page(BOB, before=None, count=9)
    assert (found.sent, found.raw.uid) == (SentStatus.SENT, "M90")
    assert book.begin("app").session["outbox"] == []


def test_what_comes_back_before_the_answer_is_there_once(book: Book) -> None:
    send(book, Text("hi"), 7)
    assert arrive(book, Text("hi"), 90, sender="ann")
    book.settle(7, uid="M90", time=90, is_sent=True)
    (found,) = book.store.page(BOB, before=None, count=9)
    assert found.raw.uid == "M90"


def test_an_answer_for_what_is_not_here_any_more(book: Book) -> None:
    send(book, Text("hi"), 7)
    book.store.remove([1])
    book.settle(7, uid="A", time=1, is_sent=True)
    assert book.begin("app").session["outbox"] == []


def test_an_answer_without_a_uid(book: Book) -> None:
    send(book, Text("hi"), 7)
    book.settle(7, uid="", time=90, is_sent=True)
    (found,) = book.store.page(BOB, before=None, count=9)
    assert (found.sent, found.raw.uid) == (SentStatus.SENT, None)


# -- the last run -------------------------------------------------------------------------------


def test_a_store_belongs_to_one_app_key(book: Book) -> None:
    with pytest.raises(ForeignStore, match="'app'"):
        book.begin("other")


@pytest.mark.parametrize("key", ["inbox", "sent"])
def test_cursors_that_make_no_sense(book: Book, key: str) -> None:
    book.store.set_value("meta", key, "x")
    with pytest.raises(DamagedStore):
        book.begin("app")


@pytest.mark.parametrize("outgoing", ["x", "ppMsgP x 00 bob"])
def test_a_message_under_way_that_makes_no_sense(book: Book, outgoing: str) -> None:
    send(book, Text("hi"), 7)
    record = book.store.by_unique_id(7)
    assert record is not None
    book.store.change(replace(record, outgoing=outgoing))
    with pytest.raises(DamagedStore):
        book.begin("app")


def test_what_is_under_way_leaves_the_store_as_it_was(book: Book) -> None:
    place = Conversation.private("a b")
    outgoing = compose(place, Text("hi"), unique_id=7)
    book.keep(outgoing, Text("hi"), to=place, user_id="ann", now=100)
    saved = book.begin("app")
    assert saved.waiting == []
    assert ClientSession.from_state(saved.session).outbox == {7: outgoing}


def test_clearing_leaves_what_is_under_way(book: Book) -> None:
    send(book, Text("hi"), 7)
    book.clear(None, until=None)
    assert texts(book) == ["hi"]


# -- what is asked for --------------------------------------------------------------------------


def test_clearing_leaves_what_is_open_and_counts_again(book: Book) -> None:
    numbers = [arrive(book, Text(str(time)), time) for time in (10, 20, 30)]
    arrive(book, Text("x"), 40, place=TEAM)
    book.take([number for number in numbers[:2] if number])
    book.clear(BOB, until=10)
    assert texts(book) == ["30", "20"]
    assert unread(book) == 2
    book.clear(None, until=None)
    assert texts(book) == ["30"]
    assert unread(book) == 1
    assert book.conversation(TEAM).is_listed
    book.forget_all(["M30", "M99", ""])
    assert texts(book) == []
    assert not book.conversation(BOB).is_listed


def test_a_conversation_is_off_the_list_until_the_next_message(book: Book) -> None:
    arrive(book, Text("x"), 10)
    book.unlist(BOB)
    assert book.store.conversations(count=9, before=0) == []
    assert unread(book) == 0
    arrive(book, Text("y"), 20)
    assert len(book.store.conversations(count=9, before=0)) == 1


def test_what_is_searched() -> None:
    assert searched(RichContent(title="title", content="words")) == "words\ntitle"
    assert searched(File(name="a.pdf")) == "a.pdf"
    assert searched(Image(content="aGk=")) == ""
    assert searched(contents.Combine(summary_list=("one", "two"))) == "one\ntwo"
    assert searched(Unknown(object_name="my:own", data=b"{}")) == ""
    assert searched(Text("\ud800\0")) == "? "
    assert len(searched(Text("x" * 5000))) == 4000


def test_texts_of_others_are_no_danger(book: Book) -> None:
    wild = json.dumps({"content": "\ud800\0"}).encode()
    raw, _ = message(Text("x"), 10)
    content = contents.decode("RC:TxtMsg", wild)
    (number,) = book.arrived([(raw, content)], CURSORS)
    assert number
