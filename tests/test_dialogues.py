"""Dialogues: any of them keeps the promises of the protocol."""

from __future__ import annotations

from hypothesis import given

from improto.testing.dialogues import Dialogue, dialogues, play


@given(dialogue=dialogues(is_hostile=False))
def test_a_dialogue_is_complete_in_the_end(dialogue: Dialogue) -> None:
    assert play(dialogue).is_settled


@given(dialogue=dialogues(is_hostile=True))
def test_a_hostile_dialogue_ends(dialogue: Dialogue) -> None:
    assert not play(dialogue).is_connected
