"""Only one module knows which generation of SDKs a version belongs to: improto.profiles.

Everything else asks the profile of a connection, so that a new generation is a new profile and
nothing more. These are the ways in which knowledge of a version could leak.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(__file__).parent.parent / "src"
HOME = "improto/profiles.py"
READERS = {HOME, "improto/login.py"}
"""The URL's parser has to name the field."""

_VERSION = re.compile(r"\d+(\.\d+)+")


def leaks(module: str, code: str) -> Iterator[str]:
    """What there is in a module that looks like a decision by version."""
    if module == HOME:
        return
    tree = ast.parse(code)
    passed_on = {
        node.value
        for node in ast.walk(tree)
        if (isinstance(node, ast.keyword) and node.arg == "sdk_version")
        # What is shown to somebody decides nothing.
        or isinstance(node, ast.FormattedValue)
    }
    passed_on |= {
        value for node in ast.walk(tree) if isinstance(node, ast.Dict) for value in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if node.attr == "sdk_version" and module not in READERS and node not in passed_on:
                yield f"{module}:{node.lineno}: looks at sdk_version"
            if node.attr == "name" and _is_profile(node.value, code):
                yield f"{module}:{node.lineno}: looks at the name of a profile"
        if isinstance(node, ast.Compare):
            for part in (node.left, *node.comparators):
                if any(_is_version(leaf) for leaf in ast.walk(part)):
                    yield f"{module}:{node.lineno}: compares with a version"
        if isinstance(node, ast.MatchValue) and _is_version(node.value):
            yield f"{module}:{node.value.lineno}: matches a version"


def _is_profile(node: ast.expr, code: str) -> bool:
    """Users have profiles too, where those of clients are not imported."""
    if isinstance(node, ast.Name):
        return node.id == "profile" and "improto.profiles" in code
    return isinstance(node, ast.Attribute) and node.attr == "profile"


def _is_version(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _VERSION.fullmatch(node.value) is not None
    )


@pytest.mark.parametrize(
    "path", sorted(SOURCES.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCES))
)
def test_no_module_decides_by_version(path: Path) -> None:
    module = path.relative_to(SOURCES).as_posix()
    assert list(leaks(module, path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "code",
    [
        "if login.sdk_version.startswith('2'): pass",
        "old = device.profile.name == 'old'",
        "from improto.profiles import Profile\nif profile.name in names: pass",
        "if version < '2.6': pass",
        "if version in ('2.9.2', '4.6.4'): pass",
        "match version:\n    case '5.38.0': pass",
    ],
)
def test_a_leak_would_be_found(code: str) -> None:
    assert len(list(leaks("improto_server/somewhere.py", code))) == 1
    assert list(leaks(HOME, code)) == []
