"""The tables of docs/operations.md, computed from the operation table and the server's router.

Run ``python -m tools.operations_table --write`` after adding an operation or a service
function; a test compares the two.
"""

from __future__ import annotations

import argparse
import ast
import tempfile
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from improto.config import Limits
from improto.operations import OPERATIONS, Area, Direction, Operation, Signal, Topic
from improto_server.gateway import LoginRules
from improto_server.hub import DevicePolicy
from improto_server.navigation import Navigation
from improto_server.router import MESSAGES
from improto_server.services.accounts import Accounts
from improto_server.store import Store
from improto_server.system import MessageRules, System
from tools.layout import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOCUMENT: Final = ROOT / "docs" / "operations.md"
BEGIN: Final = "<!-- tables: python -m tools.operations_table --write -->\n"
END: Final = "<!-- end of tables -->\n"

NO: Final = "\N{EN DASH}"

_PULLS: Final = {
    Topic.PULL_MSG: "improto_server.services.inboxes",
    Topic.CHRM_PULL: "improto_server.services.chatrooms",
}
"""They have a way of their own through the core, which knows their order."""


class Row(NamedTuple):
    """What there is to say about one topic."""

    operation: Operation
    module: str | None
    """Where it is done; None: it is not."""


def rows() -> list[Row]:
    """Every topic of the operation table, in its order."""
    accounts = Accounts({})
    navigation = Navigation(accounts, own_address="", public_address="", now=lambda: 0.0)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{folder}/store.db", soon=_call, on_loop=_call)
        try:
            system = System(
                store=store,
                accounts=accounts,
                navigation=navigation,
                limits=Limits(),
                login_rules=LoginRules(),
                devices=DevicePolicy(),
                message_rules=MessageRules(),
                wall_clock=lambda: 0,
                monotonic=lambda: 0.0,
            )
        finally:
            store.close()
    sent = dict(_sent_topics())
    return [Row(row, _module(row, system, sent)) for row in OPERATIONS.values()]


def _module(row: Operation, system: System, sent: dict[str, str]) -> str | None:
    if row.direction is Direction.SERVER_TO_CLIENT:
        return sent.get(row.topic)
    if row.signal is Signal.QUERY:
        if row.topic in _PULLS:
            return _PULLS[Topic(row.topic)]
        return _where(system.router.queries.get(row.topic))
    if row.topic in system.router.publishes:
        return _where(system.router.publishes[row.topic])
    return "improto_server.services.messages" if row.topic in MESSAGES else None


def _call(function: Callable[[], None]) -> None:
    function()


def _where(function: Callable[..., Any] | None) -> str | None:
    return None if function is None else function.__module__


def _sent_topics() -> Iterator[tuple[str, str]]:
    """Server topics that some module names, and the module."""
    names = {
        topic.name: topic
        for topic in Topic
        if any(
            row.topic == topic and row.direction is Direction.SERVER_TO_CLIENT
            for row in OPERATIONS.values()
        )
    }
    source = ROOT / "src"
    for path in sorted([*source.glob("improto_server/**/*.py"), source / "improto" / "server.py"]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in names:
                module = ".".join(path.relative_to(source).with_suffix("").parts)
                yield names[node.attr], module


def tables() -> str:
    """Markdown: how many there are, then one table for each area."""
    every = rows()
    done = sum(row.module is not None for row in every)
    lines = [f"{done} of {len(every)} operations are implemented.", ""]
    for area in Area:
        some = [row for row in every if row.operation.area is area]
        if not some:
            continue
        done = sum(row.module is not None for row in some)
        lines += [
            f"## {area.value}: {done} of {len(some)}",
            "",
            "| topic | signal | who sends it | SDKs | done by | what it is for |",
            "| --- | --- | --- | --- | --- | --- |",
            *map(_line, some),
            "",
        ]
    return "\n".join(lines)


def _line(row: Row) -> str:
    operation = row.operation
    sender = "server" if operation.direction is Direction.SERVER_TO_CLIENT else "client"
    module = NO if row.module is None else f"`{row.module.removeprefix('improto_server.')}`"
    cells = (
        f"`{operation.topic}`" if operation.topic else "(empty)",
        operation.signal.name,
        sender,
        ", ".join(operation.sdks) or "none",
        module,
        operation.meaning,
    )
    return "| " + " | ".join(cells) + " |"


def written_tables() -> str:
    """The tables as they stand in the document."""
    return DOCUMENT.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]


def write_tables() -> None:
    """Put the computed tables into the document."""
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    DOCUMENT.write_text(before + BEGIN + tables() + END + after, encoding="utf-8")


def main() -> None:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(description="The tables of docs/operations.md.")
    parser.add_argument("--write", action="store_true", help="put them into the document")
    if parser.parse_args().write:
        write_tables()
    else:
        print(tables())


if __name__ == "__main__":
    main()
