"""No module but one spells out a topic; all others say ``Topic.PULL_MSG``.

A topic written twice is a topic misspelt once, and nobody notices until an old client is silent.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from improto.operations import Topic
from tools.layout import CORE, is_generated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOME = CORE / "_operation.py"

ORDINARY_WORDS = {"", "operate", "rename"}
"""Topics that are also something that a program may well say for another reason."""


def texts(source: str) -> Iterator[ast.Constant]:
    """Every text in a module, except those that stand alone as a documentation does."""
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node


def topics_in(source: str) -> list[str]:
    """Every topic that a module spells out, with its line."""
    spelt_out = set(Topic) - ORDINARY_WORDS
    return [
        f"line {text.lineno}: {text.value}" for text in texts(source) if text.value in spelt_out
    ]


MODULES = [
    path for path in sorted(CORE.parent.rglob("*.py")) if path != HOME and not is_generated(path)
]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CORE.parent)))
def test_no_topic_is_spelt_out(path: Path) -> None:
    assert topics_in(path.read_text(encoding="utf-8")) == []


def test_the_rule_sees_topics_and_nothing_else() -> None:
    source = '''
"""pullMsg"""
send("pullMsg", "the pullMsg topic", f"pullMsg", "rename")
def f():
    "s_ntf"
    return {"s_ntf": b"s_msg"}
'''
    assert topics_in(source) == ["line 3: pullMsg", "line 3: pullMsg", "line 6: s_ntf"]


def test_the_home_of_topics_is_found() -> None:
    assert len(topics_in(HOME.read_text(encoding="utf-8"))) == len(Topic) - len(ORDINARY_WORDS)
