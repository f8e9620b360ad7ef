"""The table of content types in docs/contents.md, computed from the classes.

Run ``python -m tools.contents_table --write`` after changing a content class; a test
compares the two.
"""

from __future__ import annotations

import argparse
import re
from typing import Final

from improto.contents import DEFAULT, BaseContent, member_names
from tools.layout import ROOT

DOCUMENT: Final = ROOT / "docs" / "contents.md"
BEGIN: Final = "<!-- table: python -m tools.contents_table --write -->\n"
END: Final = "<!-- end of table -->\n"


def table() -> str:
    """The table as Markdown, one line per built-in type."""
    lines = ["| object name | class | P | C | members |", "| --- | --- | --- | --- | --- |"]
    lines += [_line(content_type) for content_type in DEFAULT]
    return "\n".join(lines) + "\n"


def written_table() -> str:
    """The table as it stands in the document."""
    return DOCUMENT.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]


def write_table() -> None:
    """Put the computed table into the document."""
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    DOCUMENT.write_text(before + BEGIN + table() + END + after, encoding="utf-8")


def _line(content_type: type[BaseContent]) -> str:
    common = member_names(BaseContent)
    own = [
        name if attribute == _snake_case(name) else f"{name} (`{attribute}`)"
        for attribute, name in member_names(content_type).items()
        if attribute not in common
    ]
    cells = (
        f"`{content_type.object_name}`",
        content_type.__name__,
        "P" if content_type.is_persisted else "",
        "C" if content_type.is_counted else "",
        ", ".join(own),
    )
    return "| " + " | ".join(cells) + " |"


def _snake_case(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)


def main() -> None:
    """Print the table, or write it into the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write it into docs/contents.md")
    if parser.parse_args().write:
        write_table()
    else:
        print(table(), end="")


if __name__ == "__main__":
    main()
