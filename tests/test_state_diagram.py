"""The manual's page and picture of states are the table that the code runs on."""

from __future__ import annotations

from xml.etree import ElementTree

from tools.state_diagram import drawing, files
from tools.state_picture import Step, picture


def test_page_and_picture_are_up_to_date() -> None:
    for path, text in files().items():
        assert path.read_text(encoding="utf-8") == text, "python -m tools.state_diagram --write"


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).findall(".//{*}text")]


def test_steps_between_the_same_states_share_an_arrow() -> None:
    steps = [
        Step("a", "stay", "a"),
        Step("a", "wait", "a"),
        Step("a", "go", "b"),
        Step("b", "back", "a"),
        Step("a", "skip", "c"),
        Step("a", "jump", "c"),
    ]
    drawn = picture("<A & B>", ["a", "b", "c"], steps)
    assert texts(drawn) == ["a", "b", "c", "stay", "wait", "go", "back", "skip, jump"]
    # Four pairs of states, where it begins and where it ends.
    assert len(ElementTree.fromstring(drawn).findall(".//{*}path")) == 4 + 2


def test_the_connection_has_every_state_and_step() -> None:
    assert texts(drawing())[:5] == ["NEW", "HANDSHAKE", "ONLINE", "CLOSING", "CLOSED"]
