"""Tries a store against what :class:`improto_client.store.Store` promises."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from improto.frames import MessageUid, TimeMs
from improto.messages import ChatMessage, Conversation, MessageDirection
from improto_client.store.base import ConversationRecord, ReceivedStatus, Record, SentStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from improto_client.store.base import Store

_BOB, _TEAM = Conversation.private("bob"), Conversation.group("team")


class _Interruption(Exception):
    """What a transaction is left by."""


def check(make: Callable[[], Store], *, is_durable: bool = True, rolls_back: bool = True) -> None:
    """Try everything that a store has to do; AssertionError says what it does not.

    ``make`` gives an empty store the first time, and later the same one again, closed: a second
    object for the same file, or the same object. A store that forgets what it has when it is
    closed is not ``is_durable``; one that cannot fail need not be one that ``rolls_back``.
    """
    store = make()
    store.open()
    for part in (_values, _messages, _pages, _searches, _conversations):
        with store.transaction():
            part(store)
            store.wipe()
            assert not store.values("kind"), "wipe() leaves values"
            assert not store.recent_uids(10), "wipe() leaves messages"
            assert not store.conversations(count=10, before=0), "wipe() leaves conversations"
    if rolls_back:
        _transactions(store)
    with store.transaction():
        store.set_value("kind", "key", "text")
        number = store.add(record(1, uid="1", is_open=True))
    store.close()
    store.close()
    if is_durable:
        again = make()
        again.open()
        with again.transaction():
            assert again.value("kind", "key") == "text", "close() loses values"
            (found,) = again.waiting()
            assert found == record(1, uid="1", is_open=True, id=number), "close() changes messages"
            again.wipe()
        again.close()


def record(
    time: int,
    *,
    conversation: Conversation = _BOB,
    sender: str = "bob",
    uid: str | None = None,
    id: int = 0,
    text: str = "",
    is_kept: bool = True,
    is_open: bool = False,
    is_counted: bool = False,
) -> Record:
    """A message as this module uses them."""
    return Record(
        id=id,
        raw=ChatMessage(
            conversation=conversation,
            sender_id=sender,
            direction=MessageDirection.RECEIVED,
            object_name="RC:TxtMsg",
            content=b"{}",
            uid=None if uid is None else MessageUid(uid),
            time=TimeMs(time),
        ),
        text=text,
        is_kept=is_kept,
        is_open=is_open,
        is_counted=is_counted,
    )


def _values(store: Store) -> None:
    assert store.value("kind", "b") is None, "value() invents something"
    for key, text in (("b", "1"), ("a", "2"), ("b", "3"), ("c", "")):
        store.set_value("kind", key, text)
    store.set_value("other", "b", "4")
    assert list(store.values("kind").items()) == [("b", "3"), ("a", "2"), ("c", "")], "values()"
    store.set_value("kind", "a", None)
    store.set_value("kind", "x", None)
    assert store.values("kind") == {"b": "3", "c": ""}, "set_value() with None"
    assert store.value("other", "b") == "4", "kinds are mixed up"


def _messages(store: Store) -> None:
    first = store.add(record(5, uid="one", is_open=True))
    second = store.add(record(4, uid="two", is_open=True, is_kept=False))
    third = store.add(record(3))
    assert 0 < first < second < third, "numbers do not grow"
    assert store.message(first) == record(5, uid="one", is_open=True, id=first), "message()"
    assert store.message(third + 1) is None, "message() invents something"
    found = store.by_uid("two")
    assert found is not None, "by_uid() does not find passing messages"
    assert found.id == second, "by_uid() finds another one"
    assert store.by_uid("three") is None, "by_uid() invents something"
    assert [each.id for each in store.waiting()] == [first, second], "waiting()"
    assert store.recent_uids(5) == ["one", "two"], "recent_uids()"
    assert store.recent_uids(1) == ["two"], "recent_uids() is not of the newest"
    store.take([first, second, third, third + 1])
    assert not store.waiting(), "take()"
    assert store.by_uid("two") is not None, "take() forgets the uid of what has passed"
    assert [each.id for each in store.page(_BOB, before=None, count=9)] == [first, third], "page()"
    _own(store, third)
    store.remove([first, third + 9])
    assert store.message(first) is None, "remove()"
    assert store.by_uid("one") is None, "remove() leaves the uid"


def _own(store: Store, id: int) -> None:
    plain = record(3)
    own = replace(
        plain,
        id=id,
        raw=replace(
            plain.raw,
            direction=MessageDirection.SENT,
            unique_id=2**63 - 1,
            uid=MessageUid("own"),
            extra_content="{}",
            status=0x30,
            is_offline=True,
        ),
        sent=SentStatus.SENDING,
        received=ReceivedStatus.READ | ReceivedStatus.LISTENED,
        outgoing="somewhere",
        extra="note",
        text="words",
    )
    store.change(own)
    assert store.message(id) == own, "change() does not keep everything"
    assert store.by_unique_id(2**63 - 1) == own, "by_unique_id()"
    assert store.by_uid("own") == own, "by_uid() after change()"
    assert store.by_unique_id(1) is None, "by_unique_id() invents something"
    for uid in (MessageUid("new"), None):
        sending = replace(own, id=0, is_open=True, raw=replace(own.raw, uid=None, unique_id=5))
        sent = replace(own, outgoing="", raw=replace(sending.raw, uid=uid, time=TimeMs(9)))
        sent.id = store.add(sending)
        store.settle(sent.id, uid=uid, time=9, sent=SentStatus.SENT)
        sent.sent = SentStatus.SENT
        assert store.message(sent.id) == sent, "settle()"
        assert uid is None or store.by_uid(uid) == sent, "by_uid() after settle()"
        assert not store.waiting(), "settle() leaves it open"
        store.remove([sent.id])


def _pages(store: Store) -> None:
    numbers = [store.add(record(time, is_counted=True)) for time in (10, 30, 20, 20)]
    store.add(record(15, conversation=_TEAM))
    whole = store.page(_BOB, before=None, count=10)
    order = [(30, numbers[1]), (20, numbers[3]), (20, numbers[2]), (10, numbers[0])]
    assert [(each.raw.time, each.id) for each in whole] == order, "page() is in another order"
    assert store.page(_BOB, before=None, count=2) == whole[:2], "page() with a count"
    assert store.page(_BOB, before=order[1], count=10) == whole[2:], "page() before a message"
    assert store.count(_BOB, after=10) == 3, "count()"
    assert store.count(_TEAM, after=0) == 0, "count() of what is not counted"
    store.clear(_BOB, until=20)
    assert store.page(_BOB, before=None, count=10) == whole[:1], "clear() until a time"
    store.add(record(1, uid="open", is_open=True))
    store.clear(None, until=None)
    assert not store.page(_TEAM, before=None, count=10), "clear() of everything"
    assert len(store.waiting()) == 1, "clear() of what is open"


def _searches(store: Store) -> None:
    texts = ("今天天气好", "Hello World", '"quoted" 100% *', "好", "hello again")
    numbers = [store.add(record(time, text=text)) for time, text in enumerate(texts)]
    store.add(record(9, conversation=_TEAM, sender="eve", text="HELLO team"))
    passing = store.add(record(9, text="hello there", is_kept=False))

    def found(text: str, **more: object) -> list[int]:
        options = {"conversation": None, "sender_id": None, "since": 0, "count": 10} | more
        return [each.raw.time for each in store.search(text, **options)]  # type: ignore[arg-type]

    assert found("天气") == [0], "search() for two characters"
    assert found("好") == [3, 0], "search() for one character, at the end of a text"
    assert found("天天气") == [0], "search() for three characters"
    assert found("气好") == [0], "search() at the end of a text"
    assert found("hello") == [9, 4, 1], "search() minds upper and lower case, or what is not kept"
    assert found("LD") == [1], "search() for two characters minds upper and lower case"
    assert found('"quoted"') == [2], "search() for quotes"
    assert found("0% *") == [2], "search() for signs"
    assert not found("%"[:1] * 3), "search() takes signs for wildcards"
    assert found("hello", conversation=_TEAM) == [9], "search() in a conversation"
    assert found("hello", sender_id="bob") == [4, 1], "search() of a sender"
    assert found("hello", since=4) == [9, 4], "search() since a time"
    assert found("hello", count=1) == [9], "search() with a count"
    store.change(record(3, id=numbers[3], text=texts[3]))
    assert found("好") == [3, 0], "search() does not find what was changed to the same"
    store.change(record(4, id=numbers[4], text="goodbye"))
    store.remove([numbers[1], passing])
    assert found("hello") == [9], "search() finds what is gone"
    assert found("dby") == [4], "search() does not find what was changed"


def _conversations(store: Store) -> None:
    assert store.conversation(_BOB) is None, "conversation() invents something"
    bob = ConversationRecord(
        conversation=_BOB,
        time=5,
        unread=2,
        read_time=3,
        peer_read_time=4,
        draft="so",
        is_pinned=True,
        is_muted=True,
        is_listed=True,
    )
    store.set_conversation(bob)
    assert store.conversation(_BOB) == bob, "conversation()"
    team = ConversationRecord(conversation=_TEAM, time=7, unread=1, is_listed=True)
    store.set_conversation(team)
    assert store.conversations(count=5, before=0) == [team, bob], "conversations()"
    assert store.conversations(count=1, before=0) == [team], "conversations() with a count"
    assert store.conversations(count=5, before=7) == [bob], "conversations() before a time"
    assert store.unread() == 3, "unread()"
    store.set_conversation(replace(team, is_listed=False))
    assert store.conversations(count=5, before=0) == [bob], "conversations() that are not listed"


def _transactions(store: Store) -> None:
    try:
        with store.transaction():
            store.set_value("kind", "key", "text")
            store.add(record(1, uid="1"))
            raise _Interruption
    except _Interruption:
        pass
    with store.transaction():
        assert store.value("kind", "key") is None, "a transaction that was left keeps values"
        assert store.by_uid("1") is None, "a transaction that was left keeps messages"
