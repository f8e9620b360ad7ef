"""Citations: "session 8.5", anywhere in the code or the manual, is a section of a protocol page.

The site makes links of them (``docs/conf.py``), and a test looks each of them up.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tools.layout import ROOT

PAGES: Final = {path.stem: path for path in (ROOT / "docs" / "protocol").glob("*.md")}

_SHORT: Final = {"interop": "interop-quirks"}

_HEADING: Final = re.compile(r"^#+ (\d+(?:\.\d+)*)\.? ", re.MULTILINE)

SECTIONS: Final = {
    name: frozenset(_HEADING.findall(path.read_text(encoding="utf-8")))
    for name, path in PAGES.items()
}
"""The numbers of the sections of each page."""

CITATION: Final = re.compile(
    rf"(?<![\w.-])({'|'.join(sorted([*PAGES, *_SHORT, 'section'], key=len, reverse=True))})"
    r"\s+([1-9]\d?(?:\.\d{1,2})*)(?!\w|\.\d)"
)
"""What looks like one. "section 8.5" is one only inside a protocol page."""


class Section(NamedTuple):
    """What a citation names."""

    page: str
    number: str

    @property
    def exists(self) -> bool:
        return self.number in SECTIONS[self.page]


def cited(citation: re.Match[str], *, here: str | None = None) -> Section | None:
    """The section that is meant on the protocol page ``here``, or elsewhere.

    None: of something that is no protocol page.
    """
    name, number = citation.groups()
    page = here if name == "section" else _SHORT.get(name, name)
    return None if page is None else Section(page, number)
