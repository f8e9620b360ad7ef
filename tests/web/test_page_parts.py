"""What the web page is made of: its languages, its modules, its headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from improto_server.config import load
from improto_server.web.assets import Assets
from improto_server.web.page import Page
from tests.server.web_tools import Web, play
from tools.layout import ROOT

if TYPE_CHECKING:
    from pathlib import Path

STATIC = ROOT / "src" / "improto_server" / "web" / "static"
FOLDER = STATIC / "page"
MODULES = sorted(FOLDER.rglob("*.js"))
TEXTS = {each: each.read_text(encoding="utf-8") for each in MODULES if each.parent.name != "i18n"}
MIB = 1024 * 1024
APP = {"key": "demo", "secret": "s" * 32}


def entries(language: str) -> dict[str, str]:
    """The texts of a language."""
    text = (FOLDER / "i18n" / f"{language}.js").read_text(encoding="utf-8")
    found = re.findall(r'^  "([\w.]+)": (.*?),$', text, re.MULTILINE)
    return dict(found)


def test_languages_say_the_same() -> None:
    en, zh = entries("en"), entries("zh")
    assert list(en) == list(zh)
    for key, text in en.items():
        holes = set(re.findall(r"\{(\w+)\}", text))
        assert holes == set(re.findall(r"\{(\w+)\}", zh[key])), key


def test_every_text_is_used_and_there() -> None:
    known = set(entries("en"))
    code = "\n".join(TEXTS.values())
    quoted = set(re.findall(r'"([a-z]\w*(?:\.\w+)+)"', code))
    made = [re.escape(each) for each in re.findall(r"`([a-z]+(?:\.\w+)*\.)\$\{", code)]
    used = {key for key in known if key in quoted or re.match("|".join(made), key)}
    assert known - used == set()
    asked = set(re.findall(r'\bt\(\s*"([^"]+)"', code))
    assert asked - known == set()


def test_modules_know_only_the_page_and_make_no_html() -> None:
    for path, text in TEXTS.items():
        for name in re.findall(r'(?:from|import) "(.*?)"', text):
            target = (path.parent / name).resolve()
            assert target.is_file(), (path.name, name)
            assert target.is_relative_to(STATIC), (path.name, name)
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|unsafe|setTimeout\(\"",
            text,
        ), path.name


def test_the_vendored_library_is_the_one_that_is_named() -> None:
    folder = STATIC / "vendor" / "lit-html"
    version = re.search(r"lit-html (\d\S+) ", (folder / "VERSION.txt").read_text())
    assert version is not None
    assert f'litHtmlVersions??=[]).push("{version[1]}")' in (folder / "lit-html.js").read_text()
    assert "BSD 3-Clause License" in (folder / "LICENSE.txt").read_text()


@pytest.fixture
def page() -> Page:
    """As it is with files elsewhere."""
    settings = load(
        environment={},
        overrides={
            "apps": [APP],
            "robot": True,
            "accounts.guests": False,
            "gateway.hand_over_to": "next.example:80",
            "web.enabled": True,
        },
    )
    return Page(
        settings,
        navigation=lambda host: f"https://{host}:8080",
        base_url=lambda: "https://chat.example/",
    )


def test_the_document_and_what_it_may_load(page: Page) -> None:
    async def scenario(web: Web) -> None:
        answer = await web.ask("GET", "/")
        assert answer.status == 200
        assert answer.body == (FOLDER / "index.html").read_bytes()
        policy = dict(
            each.split(" ", 1) for each in answer.headers["content-security-policy"].split("; ")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
        assert policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert policy["img-src"] == "'self' data: blob: https://chat.example"
        reached = policy["connect-src"].split()
        assert {"'self'", "ws://127.0.0.1:8080", "wss://next.example:80"} <= set(reached)
        assert answer.headers["x-content-type-options"] == "nosniff"
        config = await web.ask("GET", "/page/config.json")
        expected = {
            "registration": True,
            "guests": False,
            "robot": "robot",
            "recallMinutes": 0,
            "entry": "/chat",
            "fixedUsers": {},
            "limits": {
                "image": 20 * MIB,
                "audio": 10 * MIB,
                "video": 200 * MIB,
                "file": 100 * MIB,
            },
        }
        assert {**config.content, **expected} == config.content
        for path in re.findall(rb'(?:href|src)="(.*?)"', answer.body):
            assert (await web.ask("GET", path.decode())).status == 200

    play("asyncio", [page.routes(), Assets().routes()], scenario)


def test_the_document_runs_nothing_of_its_own() -> None:
    text = (FOLDER / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)", text)


def test_no_module_is_large() -> None:
    def lines(path: Path) -> int:
        return path.read_text(encoding="utf-8").count("\n")

    assert [each.name for each in MODULES if lines(each) > 500] == []
