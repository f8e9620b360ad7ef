from __future__ import annotations

from improto.operations import OPERATIONS
from tools import operations_table


def test_the_document_is_up_to_date() -> None:
    hint = "run python -m tools.operations_table --write"
    assert operations_table.written_tables() == operations_table.tables(), hint


def test_every_topic_has_a_line() -> None:
    lines = [line for line in operations_table.tables().splitlines() if line.startswith("| ")]
    heads = sum(line.startswith("| topic") or line.startswith("| ---") for line in lines)
    assert len(lines) - heads == len(OPERATIONS)


def test_what_nobody_does_has_a_dash() -> None:
    every = operations_table.rows()
    assert any(row.module is None for row in every)
    assert f"| {operations_table.NO} |" in operations_table.tables()
