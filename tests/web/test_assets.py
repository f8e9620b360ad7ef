"""Static files over the web port."""

from __future__ import annotations

import re
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from improto_server.testing import ImServer
from improto_server.web.assets import Assets
from tests.server.web_tools import BACKENDS, Web, play
from tools.layout import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MODULES = ROOT / "src" / "improto_server" / "web" / "static" / "improto"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Some files."""
    (tmp_path / "static" / "deep").mkdir(parents=True)
    (tmp_path / "static" / "page.html").write_bytes(b"<p>hi")
    (tmp_path / "static" / "deep" / "module.js").write_bytes(b"export {};")
    (tmp_path / "static" / "notes.py").write_bytes(b"secret = 1")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return tmp_path / "static"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_file_and_its_headers(backend: str, folder: Path) -> None:
    async def scenario(web: Web) -> None:
        answer = await web.ask("GET", "/static/deep/module.js")
        assert (answer.status, answer.body) == (200, b"export {};")
        headers = answer.headers
        assert headers["content-type"] == "text/javascript; charset=utf-8"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-cache"
        assert headers["access-control-allow-origin"] == "*"
        assert "default-src 'none'" in headers["content-security-policy"]
        for said in (headers["etag"], f'"other", W/{headers["etag"]}', "*"):
            again = await web.ask("GET", "/static/deep/module.js", headers={"If-None-Match": said})
            assert (again.status, again.body) == (304, b"")
            assert again.headers["etag"] == headers["etag"]
        other = await web.ask("GET", "/static/page.html", headers={"If-None-Match": '"old"'})
        assert (other.status, other.headers["content-type"]) == (200, "text/html; charset=utf-8")
        head = await web.ask("HEAD", "/static/page.html")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "5")
        assert (await web.ask("POST", "/static/page.html")).status == 405

    play(backend, [Assets(folder).routes()], scenario)


def test_nothing_else_is_there(folder: Path) -> None:
    paths = (
        "/static",
        "/static/",
        "/static/deep",
        "/static/deep/",
        "/static/notes.py",
        "/static/nothing.js",
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/..%2fsecret.txt",
        "/static/deep/..%5c..%5csecret.txt",
        "/static//page.html",
        "/static/page.html%00",
        f"/static/{folder}/page.html",
    )

    async def scenario(web: Web) -> None:
        for path in paths:
            answer = await web.ask("GET", path)
            assert answer.status == HTTPStatus.NOT_FOUND, path
            assert answer.content == {"error": "Not Found"}

    play("asyncio", [Assets(folder).routes()], scenario)


def test_the_server_serves_its_own() -> None:
    settings = {"web.enabled": True, "web.port": 0}

    async def ask(web: Web) -> None:
        for module in MODULES.glob("*.js"):
            answer = await web.ask("GET", f"/static/improto/{module.name}")
            assert (answer.status, answer.body) == (200, module.read_bytes())

    with ImServer(settings=settings) as server:
        host, port = server.web_url.removeprefix("http://").split(":")
        server._portal.call(partial(ask, Web((host, int(port)))))


def test_the_library_asks_nobody_else_and_makes_no_html() -> None:
    own = {path.name for path in MODULES.glob("*.js")}
    for path in MODULES.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        imported = set(re.findall(r'^(?:import|export) [^;]*from "(.*?)"', text, re.MULTILINE))
        assert imported <= {f"./{name}" for name in own}, path.name
        # What others have written is never taken for HTML or code.
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", text)
