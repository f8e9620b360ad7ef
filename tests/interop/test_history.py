"""Reading what was said before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.party import online, texts

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.page import Page
    from tests.interop.party import Heard
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop


def test_history_can_be_read_in_both_directions(door: Door, server: ImServer) -> None:
    anna, bert = online(door.page(server)), online(door.page(server))
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


def read_backward(reader: Page, user: str) -> list[Heard]:
    """All messages, read from the newest page to the oldest."""
    messages, has_more = reader.history(user, count=3)
    while has_more:
        older, has_more = reader.history(user, count=3, time=messages[0].time)
        assert older
        assert older[-1].time < messages[0].time
        messages = older + messages
    return messages


def read_forward(reader: Page, user: str, *, since: int) -> list[Heard]:
    """All messages later than ``since``, read from the oldest page to the newest."""
    messages, has_more = reader.history(user, count=3, time=since, is_forward=True)
    while has_more:
        time = messages[-1].time
        newer, has_more = reader.history(user, count=3, time=time, is_forward=True)
        assert newer
        assert time < newer[0].time
        messages += newer
    return messages
