"""The manual's state diagram is the table that the code runs on."""

from __future__ import annotations

from tools.state_diagram import PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tools.state_diagram --write"
