"""Groups: everybody in them hears, nobody else does, and some things are for some only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.party import (
    GROUP,
    Place,
    Refused,
    hears,
    nothing_more,
    online,
    texts,
)
from tests.interop.program import Program

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.party import Heard, Party
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

KINDS = ("page", "program")


def group_of(server: ImServer, *members: Party) -> Place:
    """A new group with these members."""
    group = Place(GROUP, f"group-of-{members[0].user}")
    names = [member.user for member in members]
    server.order("groups", "create", group.id, owner=names[0], members=names, name="friends")
    return group


@pytest.mark.parametrize("kind", KINDS)
def test_a_group_talks(door: Door, server: ImServer, kind: str) -> None:
    anna, bert, carl = door.page(server), door.party(server, kind), door.party(server, kind)
    away, stranger = door.party(server, kind), online(door.page(server))
    group = group_of(server, anna, bert, carl, away)
    for party in (anna, bert, carl):
        online(party)
    for speaker, listeners in ((anna, (bert, carl)), (bert, (anna, carl))):
        words = texts("hello all", "\U0001f600 你好")
        sent = speaker.send_all(group, words)
        for listener in listeners:
            hears(listener, speaker, words, sent, place=group)
    away.connect()
    assert [message.sender for message in away.take(4)] == [anna.user] * 2 + [bert.user] * 2
    with pytest.raises(Refused, match="22406"):
        stranger.send(group, {"content": "let me in"})
    with pytest.raises(Refused, match="22406"):
        stranger.history(group, count=10)
    nothing_more(anna, bert, carl, away, stranger)


@pytest.mark.parametrize("kind", KINDS)
def test_some_messages_are_for_some_members(door: Door, server: ImServer, kind: str) -> None:
    anna, bert, carl = door.page(server), door.party(server, kind), door.party(server, kind)
    group = group_of(server, anna, bert, carl)
    for party in (anna, bert, carl):
        online(party)
    secret = texts("only for you")
    sent = anna.send_all(group, secret, only=[bert.user])
    hears(bert, anna, secret, sent, place=group)
    public = texts("for all")
    sent = bert.send_all(group, public)
    for listener in (anna, carl):
        hears(listener, bert, public, sent, place=group)
    for reader in (anna, bert, carl):
        messages, has_more = reader.history(group, count=10)
        assert ([message.content for message in messages], has_more) == (public, False)
    nothing_more(anna, bert, carl)


@pytest.mark.parametrize("kind", KINDS)
def test_mentions(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = door.page(server), door.party(server, kind)
    carl = door.program(server, "trio")
    group = group_of(server, anna, bert, carl)
    for party in (anna, bert, carl):
        online(party)
    for speaker, info in (
        (anna, {"type": 2, "userIdList": [carl.user]}),
        (bert, {"type": 1, "userIdList": [anna.user]}),
        (anna, {"type": 2, "userIdList": [bert.user]}),
    ):
        words = [{"content": "look", "mentionedInfo": info}]
        sent = speaker.send_all(group, words, is_mentioning=True)
        for listener in (anna, bert, carl):
            if listener is not speaker:
                hears(listener, speaker, words, sent, place=group)
    # The SDK keeps it for itself, and fails if the mark is there without a reason.
    assert [message.is_mentioned for message in carl.heard()] == [True, True, False]
    if isinstance(bert, Program):
        assert [message.is_mentioned for message in bert.heard()] == [False, True]
    nothing_more(anna, bert, carl)


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_for_one_who_is_mentioned_in_it(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = door.page(server), door.party(server, kind)
    carl = door.program(server, "trio")
    group = group_of(server, anna, bert, carl)
    for party in (anna, bert, carl):
        online(party)
    for speaker in (anna, bert):
        info = {"type": 2, "userIdList": [carl.user]}
        words = [{"content": "psst", "mentionedInfo": info}]
        sent = speaker.send_all(group, words, only=[carl.user], is_mentioning=True)
        hears(carl, speaker, words, sent, place=group)
    assert all(message.is_mentioned for message in carl.heard())
    nothing_more(anna, bert, carl)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_only_for_those_who_are_there(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = door.page(server), door.party(server, kind)
    away = door.program(server, "asyncio")
    group = group_of(server, anna, bert, away)
    for party in (anna, bert):
        online(party)
    for writer, reader in ((anna, bert), (bert, anna)):
        writer.send_typing(group)
        assert reader.take_typing() == (writer.user, group.id)
    assert anna.history(group, count=5) == ([], False)
    away.connect()
    nothing_more(anna, bert, away)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_group_has_said(door: Door, server: ImServer, kind: str) -> None:
    anna, bert = door.page(server), door.party(server, kind)
    group = group_of(server, anna, bert)
    for party in (anna, bert):
        online(party)
    said = []
    for number in range(7):
        speaker = (anna, bert)[number % 2]
        sent = speaker.send(group, {"content": f"sentence {number}"})
        said.append((speaker.user, sent.uid, sent.time))
    for reader in (anna, bert):
        backward: list[Heard] = []
        time = 0
        has_more = True
        while has_more:
            page, has_more = reader.history(group, time=time, count=3)
            backward = page + backward
            time = page[0].time
        assert [(message.sender, message.uid, message.time) for message in backward] == said
        page, has_more = reader.history(group, time=said[1][2], count=3, is_forward=True)
        assert ([message.uid for message in page], has_more) == (
            [uid for _, uid, _ in said[2:5]],
            True,
        )
    bert.delete(group, [message for message in backward if message.uid == said[5][1]])
    anna.clear(group, until=said[1][2])
    assert [m.uid for m in bert.history(group, count=10)[0]] == [
        uid for number, (_, uid, _) in enumerate(said) if number != 5
    ]
    assert [m.uid for m in anna.history(group, count=10)[0]] == [uid for _, uid, _ in said[2:]]
