"""Reading what was said before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.party import online, texts

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.party import Heard, Party
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

KINDS = ("page", "program")


@pytest.mark.parametrize("kind", KINDS)
def test_history_can_be_read_in_both_directions(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = online(door.page(server)), online(door.party(server, kind))
    dialogue = []
    for number, content in enumerate(texts(*(f"sentence {number}" for number in range(7)))):
        speaker, listener = (anna, bert) if number % 2 else (bert, anna)
        sent = speaker.send(listener.user, content)
        dialogue.append((speaker.user, content, sent.uid, sent.time))

    for reader, other in ((anna, bert), (bert, anna)):
        backward = read_backward(reader, other.user)
        assert [(m.sender, m.content, m.uid, m.time) for m in backward] == dialogue
        assert {message.conversation for message in backward} == {other.user}
        assert read_forward(reader, other.user, since=dialogue[0][3] - 1) == backward
        assert read_forward(reader, other.user, since=dialogue[2][3]) == backward[3:]


@pytest.mark.parametrize("kind", KINDS)
def test_what_one_deletes_the_other_keeps(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = online(door.party(server, kind)), online(door.page(server))
    said = []
    for number in range(6):
        speaker, listener = ((anna, bert), (bert, anna))[number % 2]
        said.append(speaker.send(listener.user, {"content": f"sentence {number}"}))
    uids = [sent.uid for sent in said]
    messages, _ = anna.history(bert.user, count=10)
    anna.delete(bert.user, [messages[3], messages[4]])
    assert read(anna, bert.user) == [uids[0], uids[1], uids[2], uids[5]]
    anna.clear(bert.user, until=said[1].time)
    assert read(anna, bert.user) == [uids[2], uids[5]]
    assert read(bert, anna.user) == uids
    bert.clear(anna.user, until=said[5].time)
    assert read(bert, anna.user) == []
    sent = anna.send(bert.user, {"content": "a new page"})
    assert read(anna, bert.user) == [uids[2], uids[5], sent.uid]
    assert read(bert, anna.user) == [sent.uid]


def read(reader: Party, user: str) -> list[str]:
    """The uids of all messages."""
    messages, has_more = reader.history(user, count=10)
    assert not has_more
    return [message.uid for message in messages]


def read_backward(reader: Party, user: str) -> list[Heard]:
    """All messages, read from the newest page to the oldest."""
    messages, has_more = reader.history(user, count=3)
    while has_more:
        older, has_more = reader.history(user, count=3, time=messages[0].time)
        assert older
        assert older[-1].time < messages[0].time
        messages = older + messages
    return messages


def read_forward(reader: Party, user: str, *, since: int) -> list[Heard]:
    """All messages later than ``since``, read from the oldest page to the newest."""
    messages, has_more = reader.history(user, count=3, time=since, is_forward=True)
    while has_more:
        time = messages[-1].time
        newer, has_more = reader.history(user, count=3, time=time, is_forward=True)
        assert newer
        assert time < newer[0].time
        messages += newer
    return messages
