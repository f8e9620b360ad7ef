"""How the pages become a site. The pages themselves are plain Markdown, readable where they are.

Rules beside Sphinx's own, each of which fails the build:

* ``index.md`` is the table of contents: a list of links under a heading is a part of the
  manual, and every page stands in exactly one.
* A citation such as "session 8.5", in a page or in a docstring, becomes a link to that
  section of a protocol page, which must exist.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

sys.path.insert(0, str(Path(__file__).parent.parent))

from tools.citations import CITATION, cited

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "improto"
author = "the improto authors"
copyright = "the improto authors, MIT licence"

extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "index"
highlight_language = "text"

html_theme = "furo"
html_title = "improto"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["manual.css"]

myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "undoc-members": True}

logger = logging.getLogger(__name__)

# -- The table of contents ------------------------------------------------------------------

PAGE_LINK = re.compile(r"^\* \[[^\]]*\]\(([^)#:]+)\.md\)", re.MULTILINE)


def add_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """Make the parts of the front page the navigation of the site."""
    if page != root_doc:
        return
    parts = re.split(r"^## (.+)\n", source[0], flags=re.MULTILINE)[1:]
    named: Counter[str] = Counter()
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        pages = PAGE_LINK.findall(text)
        named.update(pages)
        if pages:
            lines = ["", "```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```", ""]
            source[0] += "\n".join(lines)
    for name, times in named.items():
        if times > 1:
            raise ExtensionError(f"{page}.md names {name}.md {times} times")


# -- Annotations ----------------------------------------------------------------------------


def unlink_builtins(app: Sphinx, document: nodes.document) -> None:
    """``type`` in an annotation is the builtin, not one of our fields of that name."""
    for link in list(document.findall(pending_xref)):
        if hasattr(builtins, link["reftarget"]):
            link.replace_self(link.children)


# -- Citations ------------------------------------------------------------------------------

NOT_PROSE = (nodes.literal, nodes.literal_block, nodes.reference, nodes.title, nodes.raw)


def number_sections(app: Sphinx, document: nodes.document) -> None:
    """Give the numbered sections of a protocol page an anchor that a citation can know."""
    if protocol_page(app.env.docname):
        for section in document.findall(nodes.section):
            found = re.match(r"\d+(?:\.\d+)*", section[0].astext())
            if found:
                section["ids"].append(f"section-{found[0]}")


def protocol_page(page: str) -> str | None:
    """What citations call a page, if it is one of the protocol."""
    folder, _, name = page.rpartition("/")
    return name if folder == "protocol" else None


class LinkCitations(SphinxPostTransform):
    """Make citations links."""

    default_priority = 900

    def run(self, **_: Any) -> None:
        for text in list(self.document.findall(nodes.Text)):
            if not isinstance(text.parent, NOT_PROSE) and CITATION.search(text):
                text.parent.replace(text, list(self.linked(text)))

    def linked(self, text: nodes.Text) -> list[nodes.Node]:
        """The text, cut up into links and what is between them."""
        parts: list[nodes.Node] = []
        end = 0
        for citation in CITATION.finditer(text):
            link = self.link(citation, text)
            if link is not None:
                parts += [nodes.Text(text[end : citation.start()]), link]
                end = citation.end()
        return [*parts, nodes.Text(text[end:])]

    def link(self, citation: re.Match[str], text: nodes.Text) -> nodes.reference | None:
        here = self.env.docname
        section = cited(citation, here=protocol_page(here))
        if section is None:
            return None
        if not section.exists:
            logger.warning("%s has no section %s", *section, location=text.parent)
            return None
        uri = self.app.builder.get_relative_uri(here, f"protocol/{section.page}")
        return nodes.reference(
            "",
            citation[0],
            internal=True,
            refuri=f"{uri}#section-{section.number}",
            classes=["citation"],
        )


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", add_contents)
    app.connect("doctree-read", unlink_builtins)
    app.connect("doctree-read", number_sections)
    app.add_post_transform(LinkCitations)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
