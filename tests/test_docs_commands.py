"""Every command that the manual shows exists, and so do its options."""

from __future__ import annotations

import importlib.util
import re
import shlex
import tomllib
from typing import TYPE_CHECKING

import pytest
import typer.main
from typer.core import TyperGroup

from improto_server.commands import application
from tests.samples import manual, samples
from tools.layout import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHERS_PROGRAMS = {
    *(
        "apt-get",
        "bash",
        "cat",
        "cp",
        "curl",
        "echo",
        "export",
        "git",
        "npm",
        "printf",
        "python3",
        "sqlite3",
        "timeout",
    ),
    *("hypercorn", "uvicorn"),
}

INLINE = re.compile(r"`((?:make|improto|pip install|python -m) [^`]+)`")
"""Commands in the text; those that begin otherwise are other people's programs."""

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
VARIABLES = set(re.findall(r"\$\(([A-Z_]+)\)", (ROOT / "Makefile").read_text()))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a line, each as its words."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;<>")
    lexer.commenters = "#"
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word in {"|", "&&", ";", "||"}:
            yield words
            words = []
        else:
            words.append(word)


def written_commands() -> list[tuple[str, str]]:
    """Every command line that the manual shows, and where."""
    shown = [
        (sample.place, line.removeprefix("$ "))
        for sample in [*samples("console"), *samples("")]
        for line in sample.text.replace("\\\n", " ").splitlines()
        if line.startswith(("$ ", "make ", "pip "))
    ]
    for page in manual():
        text = page.read_text(encoding="utf-8")
        shown += [(page.relative_to(ROOT).as_posix(), found) for found in INLINE.findall(text)]
    return shown


def check(words: list[str]) -> None:
    """Raise if a command or one of its options is not there."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    match words:
        case ["make", *rest]:
            for word in rest:
                name, is_variable, _ = word.partition("=")
                assert name in (VARIABLES if is_variable else TARGETS), word
        case ["pip", "install", *packages]:
            for package in packages:
                name, _, extras = package.partition("[")
                if name == "improto" and extras:
                    assert extras.rstrip("]") in EXTRAS, package
        case ["improto", *rest] if options(rest) == rest:
            assert {*rest} <= {"--help", "--install-completion", "--show-completion"}, rest
        case ["improto", name, *rest]:
            group = typer.main.get_command(application)
            command = group.commands[name]  # type: ignore[attr-defined]
            if isinstance(command, TyperGroup):
                command = command.commands[rest[0]]
            known = {"--help", *(option for each in command.params for option in each.opts)}
            known |= {option for each in command.params for option in each.secondary_opts}
            for option in options(rest):
                assert option in known, option
        case ["python", "-m", module, *rest]:
            text = source(module)
            for option in options(rest):
                assert f'"{option}"' in text, option
        case [program, *_]:
            assert program in OTHERS_PROGRAMS, program


def options(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if word.startswith("--")]


def source(module: str) -> str:
    """Of the program that ``python -m`` would run; our own handle their options in one file."""
    name = {"improto": "improto._cli"}.get(module, module)
    found = importlib.util.find_spec(name)
    if found is not None and found.submodule_search_locations:
        found = importlib.util.find_spec(f"{name}.__main__")
    assert found is not None, module
    assert found.origin is not None, module
    with open(found.origin, encoding="utf-8") as file:
        return file.read()


COMMANDS = written_commands()


@pytest.mark.parametrize(("place", "line"), COMMANDS, ids=[place for place, _ in COMMANDS])
def test_commands_and_options_exist(place: str, line: str) -> None:
    for words in commands(line):
        check(words)


@pytest.mark.parametrize(
    "line",
    [
        "make cofee",
        "make test WITH=milk",
        "pip install 'improto[milk]'",
        "improto brew",
        "improto --milk",
        "improto serve --milk 3",
        "python -m bench --milk",
        "python -m tools.milk",
        "echo 1 | milk",
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    some = list(commands(line))
    with pytest.raises((AssertionError, KeyError)):
        check(some[-1])
