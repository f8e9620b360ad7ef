"""``improto admin``: what it prints, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from typer.testing import CliRunner

from improto_server import commands
from improto_server.commands import admin
from improto_server.config import WebSettings
from improto_server.testing import ImServer
from tools.layout import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result

TOKEN = "t" * 32
EVIL = "Eve\x1b[2J[bold]\nEve"


@pytest.fixture(scope="module")
def server() -> Iterator[ImServer]:
    settings = {
        "messages.multi_device": True,
        "web.enabled": True,
        "web.port": 0,
        "web.admin_token": TOKEN,
    }
    with ImServer(settings=settings) as server:
        yield server


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty directory and no settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("IMPROTO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands.application, ["admin", *arguments])


@pytest.fixture
def ask(server: ImServer) -> Callable[..., str]:
    """What a command prints that succeeds."""

    def ask(*arguments: str) -> str:
        result = run(*arguments, "--url", server.web_url + "/", "--token", TOKEN)
        assert result.exit_code == 0, result.output
        return result.stdout

    return ask


@pytest.fixture
def refused(server: ImServer) -> Callable[..., tuple[int, str]]:
    """The status and the line of one that fails."""

    def refused(*arguments: str, url: str = "", token: str = TOKEN) -> tuple[int, str]:
        result = run(*arguments, "--url", url or server.web_url, "--token", token)
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        return result.exit_code, line.removeprefix("improto: ")

    return refused


def test_status(ask: Callable[..., str]) -> None:
    shown = ask("status")
    assert "users online" in shown
    assert "test-app" in shown
    found = json.loads(ask("status", "--json"))
    assert found["apps"][0]["app"] == "test-app"


def test_users(ask: Callable[..., str], server: ImServer) -> None:
    with server.user("eve", name=EVIL).online(), server.user("ann").online():
        shown = ask("users", "--online")
        assert "Eve[bold] Eve" in shown
        assert "\x1b" not in shown
        (ann,) = ask("users", "ann", "--json").splitlines()
        assert json.loads(ann)["user"] == "ann"
        assert "\x1b" not in ask("users", "--json")
        assert len(ask("users", "--json", "--most", "1").splitlines()) == 1
        assert ask("kick", "ann") == "ann: 1 connections ended\n"
    assert ask("kick", "ann") == "ann was not online\n"
    assert ask("users", "nobody") == "there are none\n"


def test_more_than_a_page(
    ask: Callable[..., str], server: ImServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "PAGE", 2)
    for number in range(5):
        server.room(f"room-{number}")
    listed = [json.loads(line)["room"] for line in ask("rooms", "--json").splitlines()]
    assert listed == [f"room-{number}" for number in range(5)]
    assert len(ask("rooms", "--json", "--most", "3").splitlines()) == 3
    assert "room-4" in ask("rooms")
    assert ask("destroy", "room-0") == "room-0 is no more; 0 were in it\n"


def test_blocks(ask: Callable[..., str]) -> None:
    assert ask("block", "max", "--minutes", "5").startswith("max is blocked until 20")
    (line,) = ask("blocked", "--json").splitlines()
    assert json.loads(line)["user"] == "max"
    assert "max" in ask("blocked")
    assert ask("unblock", "max") == "max may connect\n"
    assert ask("blocked") == "there are none\n"


@pytest.mark.parametrize("to", ["online", "everybody", "rooms"])
def test_a_broadcast(ask: Callable[..., str], server: ImServer, to: str) -> None:
    with server.user("ann", name="Ann").online() as ann:
        assert ask("broadcast", "back at nine", "--to", to) == "it is on its way\n"
        if to != "rooms":
            message = ann.receive()
            assert (message.sender_id, b"back at nine" in message.content) == ("system", True)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["kick", "a b"], "that cannot be the id of a user"),
        (["destroy", "nothing"], "there is no such room"),
        (["users", "--app", "nothing"], "app must be one of test-app"),
        (["broadcast", "x" * 5000], "text must have at most 4096 characters"),
    ],
)
def test_what_the_server_refuses(
    refused: Callable[..., tuple[int, str]], arguments: list[str], line: str
) -> None:
    assert refused(*arguments) == (1, line)


def test_who_is_not_let_in(
    refused: Callable[..., tuple[int, str]], ask: Callable[..., str]
) -> None:
    assert refused("status", token="x" * 32) == (3, "that is not the token")
    assert refused("status", token="é" * 32) == (2, "--token has characters that no token has")
    assert ask("status")


def test_where_nobody_is(refused: Callable[..., tuple[int, str]], server: ImServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        status, line = refused("status", url=url)
    assert status == 1
    assert line.startswith(f"the server at {url} cannot be asked: ")
    for url in ("http://[", "nonsense", "http://x:99999", server.navigation_url):
        assert refused("status", url=url)[0] == 1


@pytest.mark.parametrize("body", [b"{}", b"[]", b"no", b'{"error":"Not Found"}'])
def test_what_is_no_administration(
    refused: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    def answer(*arguments: Any, **options: Any) -> httpx.Response:
        return httpx.Response(404, content=body)

    monkeypatch.setattr(httpx.Client, "request", answer)
    text = "at http://im.example is no administration (status 404)"
    assert refused("status", url="http://im.example") == (1, text)


def test_a_certificate_that_is_not_there() -> None:
    result = run("status", "--url", "https://x.invalid", "--token", TOKEN, "--ca", "none.pem")
    assert result.exit_code == 1
    assert "No such file" in result.stderr


def test_the_settings_say_where_and_who(server: ImServer) -> None:
    port = server.web_url.rpartition(":")[2]
    Path("improto.toml").write_text(
        f'[[apps]]\nkey = "a"\nsecret = "{"s" * 32}"\n'
        f'[web]\nhost = "0.0.0.0"\nport = {port}\nadmin_token = "{TOKEN}"\n'
    )
    assert run("status").exit_code == 0
    assert run("status", "--token", "x" * 32).exit_code == 3


def test_a_server_with_a_certificate() -> None:
    for name in ("localhost.pem", "localhost.key"):
        shutil.copy(ROOT / "tests" / "data" / name, name)
    encrypted = {"web.certificate": "localhost.pem", "web.key": "localhost.key"}
    settings = {"web.enabled": True, "web.port": 0, "web.admin_token": TOKEN, **encrypted}
    with ImServer(settings=settings) as server:
        port = server.web_url.rpartition(":")[2]
        Path("improto.toml").write_text(
            f'[[apps]]\nkey = "a"\nsecret = "{"s" * 32}"\n[web]\nport = {port}\n'
            f'admin_token = "{TOKEN}"\ncertificate = "localhost.pem"\nkey = "localhost.key"\n'
        )
        assert run("status").exit_code == 0
        asked = ("status", "--url", server.web_url, "--token", TOKEN)
        assert run(*asked, "--ca", "localhost.pem").exit_code == 0
        assert "CERTIFICATE_VERIFY_FAILED" in run(*asked).stderr


def test_settings_without_an_administration() -> None:
    Path("other.toml").write_text(f'[[apps]]\nkey = "a"\nsecret = "{"s" * 32}"\n')
    result = run("status", "--config", "other.toml")
    assert (result.exit_code, result.stderr) == (
        2,
        "improto: web.admin_token is empty, so there is no administration\n",
    )


def test_where_the_settings_say_that_it_is() -> None:
    assert admin._own_url(WebSettings(host="::", port=1)) == "http://[::1]:1"
    assert admin._own_url(WebSettings(host="im.example", port=2)) == "http://im.example:2"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 * 2**30, "5.0 GiB"),
        (2**50, "1024.0 TiB"),
    ],
)
def test_bytes_for_people(count: int, text: str) -> None:
    assert admin._bytes(count) == text


def test_times_for_people() -> None:
    assert admin._duration(3_725) == "1:02:05"
    assert admin._duration(2 * 86_400 + 5) == "2 d 0:00:05"
    assert admin._moment(0) == ""
