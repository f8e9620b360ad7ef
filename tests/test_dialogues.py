"""Dialogues: any of them keeps the promises of the protocol."""

from __future__ import annotations

import pytest
from hypothesis import given

from improto.codec import encode
from improto.frames import MessageId, Query
from improto.operations import Topic
from improto.payloads import SyncRequestMsg
from improto.payloads import encode as encode_payload
from improto.testing.dialogues import Dialogue, dialogues, play


@given(dialogue=dialogues(is_hostile=False))
def test_a_dialogue_is_complete_in_the_end(dialogue: Dialogue) -> None:
    assert play(dialogue).is_settled


@given(dialogue=dialogues(is_hostile=True))
def test_a_hostile_dialogue_ends(dialogue: Dialogue) -> None:
    assert not play(dialogue).is_connected


# --- What was found -----------------------------------------------------------------------


def query(topic: Topic, data: bytes = b"") -> bytes:
    return encode(Query(topic=topic, target_id="user", message_id=MessageId(9), data=data))


PULL = query(Topic.PULL_MSG, encode_payload(SyncRequestMsg(syncTime=0, ispolling=False)))

FOUND = {
    "a pull and another query with one id": Dialogue(
        seed=0,
        sdk_version="4.6.4",
        is_multi_device=False,
        page_size=1,
        pull=180.0,
        is_hostile=True,
        steps=[
            ("advance", {"seconds": 0.2}),
            ("server_hears", {"data": PULL}),
            ("server_hears", {"data": query(Topic.PULL_US)}),
            ("server_hears", {"data": PULL}),
            ("commit", {}),
        ],
    ),
}
"""Dialogues that broke a promise once."""


@pytest.mark.parametrize("dialogue", FOUND.values(), ids=FOUND)
def test_what_was_found_is_repaired(dialogue: Dialogue) -> None:
    play(dialogue)
