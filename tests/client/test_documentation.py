"""What the manual says of the client library is so."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import improto.contents
import improto_client
from improto_client import Im
from tests.client.test_cancellation import PARTS

DOCS = Path(__file__).parents[2] / "docs"
MANUAL = (DOCS / "client.md").read_text(encoding="utf-8")
MAP = (DOCS / "client-api.md").read_text(encoding="utf-8")

ROWS = re.findall(r"^\| (S1F-\d+) \| `(\w+)` \| (.+) \|$", MAP, re.MULTILINE)

NAMES = sorted(set(re.findall(r"`(?:await )?(im\.[a-z_.]+|contents\.\w+)", MANUAL + MAP)))


def test_the_map_has_a_line_for_every_member_of_the_design() -> None:
    assert [row[0] for row in ROWS] == [f"S1F-{number:03}" for number in range(1, 117)]
    assert len({row[1] for row in ROWS}) == 116


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[1]))
def test_every_line_has_a_name_of_ours_or_a_dash_with_a_reason(row: tuple[str, str, str]) -> None:
    here = row[2]
    assert re.match(r"- \S+ \S+", here) or re.search(r"`[\w.]+", here)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_there(name: str) -> None:
    root, *path = name.split(".")
    if root == "contents":
        assert hasattr(improto.contents, path[0])
    elif path[0] in PARTS:
        kind = PARTS[path[0]]
        assert all(hasattr(kind, each) for each in path[1:])
    else:
        assert hasattr(Im, path[0])


@pytest.mark.parametrize("part", PARTS)
def test_the_manual_names_every_function(part: str) -> None:
    (line,) = re.findall(rf"^\| `im\.{part}` \| (.+) \|$", MANUAL, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", line))
    own = {name for name in vars(PARTS[part]) if not name.startswith("_")}
    assert named == own - {"settle", "rejoin", "forget_all"}


def test_the_manual_names_everything_of_the_client() -> None:
    (line,) = re.findall(r"^\| `im` \| (.+) \|$", MANUAL, re.MULTILINE)
    own = {name for name in vars(Im) if not name.startswith("_")}
    assert set(re.findall(r"`(\w+)`", line)) == own


def test_the_manual_names_every_error() -> None:
    errors = [
        name
        for name in improto_client.__all__
        if inspect.isclass(kind := getattr(improto_client, name)) and issubclass(kind, Exception)
    ]
    assert [name for name in errors if f"`{name}`" not in MANUAL] == []


@pytest.mark.parametrize("program", re.findall(r"```python\n(.*?)```", MANUAL, re.DOTALL))
def test_programs_can_be_read(program: str) -> None:
    # Their loops stand for what is inside a coroutine.
    ast.parse("async def main():\n" + "".join(f"    {line}\n" for line in program.splitlines()))


@pytest.mark.parametrize("name", improto_client.__all__)
def test_what_is_public_is_documented(name: str) -> None:
    value = getattr(improto_client, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        text = value.__doc__ or ""
        assert text.strip()
        assert not text.startswith(f"{name}(")


def test_all_names_what_is_public() -> None:
    public = {
        name
        for name, value in vars(improto_client).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(improto_client.__all__)
    package = Path(improto_client.__file__).parent
    assert (package / "py.typed").is_file()
