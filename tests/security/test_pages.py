"""What pages of others can do, what uploads can be made to be, and what becomes of markup."""

from __future__ import annotations

import json
import os
import socket
import time
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from anyio.to_thread import run_sync

from improto.codes import FileType
from improto.login import Login
from improto_server.files.grants import Download, Signer, Upload
from tests.security.security_tools import PATIENCE, RED, SECRETS, Far, play, token
from tests.server.api_tools import signature
from tests.server.web_tools import BOUNDARY, form

if TYPE_CHECKING:
    from pathlib import Path

MARKUP: Final = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
PNG: Final = b"\x89PNG\r\n\x1a\n"


# -- origins -------------------------------------------------------------------------------------


def upgrade(origin: str | None) -> bytes:
    target = Login(app_key=RED, token=token(RED, "alice"), sdk_version="4.6.4").target
    said = f"Origin: {origin}\r\n" if origin is not None else ""
    return (
        f"GET {target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{said}"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_only_pages_on_the_list_connect(tmp_path: Path, backend: str) -> None:
    """The frame in the answer is CONNACK; its second byte of data is the status."""

    async def scenario(far: Far) -> None:
        for origin, is_allowed in (
            ("https://chat.example", True),
            (None, True),
            ("http://chat.example", False),
            ("https://chat.example.evil.org", False),
            ("https://evil.org/https://chat.example", False),
            ("https://evilchat.example", False),
            ("https://chat.example:8443", False),
            ("null", False),
            ("", False),
        ):
            status = await run_sync(connack, far.gateway, upgrade(origin))
            assert (status == 0) == is_allowed, (origin, status)

    play(tmp_path, scenario, backend=backend, gateway__allowed_origins=["https://chat.example"])


def connack(address: tuple[str, int], request: bytes) -> int:
    with socket.create_connection(address, timeout=PATIENCE) as stream:
        stream.sendall(request)
        answer = b""
        while len(answer.partition(b"\r\n\r\n")[2]) < 6:
            data = stream.recv(65_536)
            assert data, answer
            answer += data
    frame = answer.partition(b"\r\n\r\n")[2][2:]
    assert frame[0] >> 4 == 2
    return frame[3]


def test_pages_of_others_read_nothing_of_accounts_and_the_api(tmp_path: Path) -> None:
    """Without that header, a browser shows a page no answer of another origin."""

    async def scenario(far: Far) -> None:
        def ask() -> None:
            with httpx.Client(base_url=far.url, timeout=PATIENCE) as browser:
                foreign = {"Origin": "https://evil.org"}
                for method, path in (
                    ("GET", "/account/me"),
                    ("POST", "/account/anonymous"),
                    ("OPTIONS", "/account/anonymous"),
                    ("POST", "/user/getToken.json"),
                    ("OPTIONS", "/user/getToken.json"),
                    ("GET", "/healthz"),
                    ("GET", "/metrics"),
                ):
                    answer = browser.request(method, path, headers=foreign)
                    assert "access-control-allow-origin" not in answer.headers, path
                    assert "access-control-allow-credentials" not in answer.headers, path

        await run_sync(ask)

    play(tmp_path, scenario, accounts__enabled=True, web__metrics=True)


def test_a_session_that_somebody_else_has_chosen(tmp_path: Path) -> None:
    """Who comes in gets a new one; the old text is good for nothing, before and after."""

    async def scenario(far: Far) -> None:
        def come() -> None:
            own = {"X-Improto": "1"}
            with httpx.Client(base_url=far.url, timeout=PATIENCE, headers=own) as browser:
                chosen = {"Cookie": "improto_session=chosen-by-somebody-else"}
                assert browser.get("/account/me", headers=chosen).status_code == 401
                first = browser.post("/account/anonymous", json={}, headers=chosen)
                cookie = first.headers["set-cookie"]
                assert "chosen" not in cookie
                assert {"HttpOnly", "SameSite=lax"} <= set(cookie.split("; "))
                assert browser.get("/account/me").json()["user"] == first.json()["user"]
                assert "user" not in browser.get("/account/me", headers=chosen).json()
                # Somebody who is in comes in anew: what he had before has ended.
                before = {"Cookie": cookie.partition(";")[0]}
                browser.post("/account/anonymous", json={}, headers=before)
                assert browser.get("/account/me", headers=before).status_code == 401

        await run_sync(come)

    play(tmp_path, scenario, accounts__enabled=True)


# -- uploads -------------------------------------------------------------------------------------


def upload(far: Far, key: str, name: str, kind: str, data: bytes) -> httpx.Response:
    until = int(time.time()) + 600
    ticket = Signer(SECRETS).ticket(
        Upload(app=RED, user_id="alice", kind=int(FileType.FILE), until=until)
    )
    body = form(
        [
            ("token", ticket.encode(), None, None),
            ("key", key.encode("utf-8", "surrogateescape"), None, None),
            ("file", data, name, kind),
        ]
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return httpx.post(f"{far.url}/files", content=body, headers=headers, timeout=PATIENCE)


def download(far: Far, key: str, name: str) -> httpx.Response:
    until = int(time.time()) + 600
    link = Signer(SECRETS).link(Download(app=RED, key=key, name=name, until=until))
    return httpx.get(f"{far.url}/files/{link}", timeout=PATIENCE)


def test_no_name_leads_out_of_the_directory(tmp_path: Path) -> None:
    async def scenario(far: Far) -> None:
        def carry() -> None:
            for number, key in enumerate(
                (
                    "../../escaped",
                    "..",
                    "a/../../escaped",
                    "/etc/escaped",
                    "..\\..\\escaped",
                    "C:\\escaped",
                    "%2e%2e%2fescaped",
                    "incoming/escaped",
                    "about.json",
                    "x\x00escaped",
                    "file:///escaped",
                )
            ):
                answer = upload(far, key, f"../../escaped{number}", "text/plain", b"data")
                assert answer.status_code in (200, 400), key
                if answer.status_code == 200:
                    assert download(far, key, "").content == b"data"

        await run_sync(carry)

    play(tmp_path, scenario)
    found = [path for path in tmp_path.rglob("*") if "escaped" in path.name]
    assert found == []
    assert not os.path.exists("/etc/escaped")
    outside = {path.name for path in tmp_path.iterdir()}
    assert outside == {"server"}


def test_nothing_that_was_uploaded_runs(tmp_path: Path) -> None:
    async def scenario(far: Far) -> None:
        def carry() -> None:
            page = b"<!doctype html><script>alert(1)</script>"
            for number, kind in enumerate(
                (
                    "text/html",
                    "TEXT/HTML",
                    "text/html; charset=utf-8",
                    "application/xhtml+xml",
                    "image/svg+xml",
                    "text/xml",
                    "application/javascript",
                    "application/pdf",
                    "text/plain\r\n X: y",
                    "multipart/x-mixed-replace",
                    "nonsense",
                    "",
                )
            ):
                key = f"k{number}"
                status = upload(far, key, "f.html", kind, page).status_code
                if "\n" in kind:
                    assert status == 400
                    continue
                assert status == 200, kind
                answer = download(far, key, "page.html")
                headers = answer.headers
                assert answer.content == page
                assert headers["x-content-type-options"] == "nosniff"
                is_shown = not headers["content-disposition"].startswith("attachment")
                assert not is_shown or headers["content-type"].startswith("text/plain"), kind

        await run_sync(carry)

    play(tmp_path, scenario)


def test_names_make_no_headers(tmp_path: Path) -> None:
    async def scenario(far: Far) -> None:
        def carry() -> None:
            assert upload(far, "k", "f", "text/html", b"data").status_code == 200
            for name in (
                "a\r\nSet-Cookie: improto_session=chosen",
                'a"; filename="b.exe',
                "a\nX-A: b",
                "\u202egpj.exe",
                "../../etc/passwd",
                "\x00",
            ):
                headers = download(far, "k", name).headers
                assert "set-cookie" not in headers
                assert "x-a" not in headers
                said = headers["content-disposition"]
                assert said.count("filename=") + said.count("filename*=") == 1
                assert "/" not in said.replace("*=utf-8''", "")

        await run_sync(carry)

    play(tmp_path, scenario)


# -- markup --------------------------------------------------------------------------------------


def test_markup_stays_text_in_the_api(tmp_path: Path) -> None:
    """It comes back letter for letter, as JSON, which no browser takes for a page."""

    async def scenario(far: Far) -> None:
        def call(path: str, **fields: Any) -> Any:
            headers = {
                "App-Key": RED,
                "Nonce": "n",
                "Timestamp": "1700000000",
                "Signature": signature("n", "1700000000", SECRETS[RED]),
            }
            answer = httpx.post(
                f"{far.url}{path}.json", data=fields, headers=headers, timeout=PATIENCE
            )
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["x-content-type-options"] == "nosniff"
            return answer.json()

        def converse() -> None:
            call("/user/getToken", userId="alice", name=MARKUP, portraitUri=MARKUP)
            found = call("/user/info", userId="alice")
            assert (found["userName"], found["userPortrait"]) == (MARKUP, MARKUP)
            call("/group/create", userId="alice", groupId="g", groupName=MARKUP[:60])
            (group,) = call("/user/group/query", userId="alice")["groups"]
            assert group["name"] == MARKUP[:60]
            # In ids there is no room for it, and a refusal repeats what was wrong as text.
            assert call("/user/getToken", userId=MARKUP, name="x")["code"] == 1002
            assert call(f"/{MARKUP}")["code"] == 404

        await run_sync(converse)

    play(tmp_path, scenario)


def test_markup_stays_text_in_navigation(tmp_path: Path) -> None:
    """The only answer that is a script has a name in it that a client may choose."""

    async def scenario(far: Far) -> None:
        def ask() -> None:
            host, port = far.gateway
            for callback in ("alert(1)//", "</script>", "a;b", "a b", "é", "a" * 65, ""):
                answer = httpx.get(
                    f"http://{host}:{port}/navi.js",
                    params={"appId": RED, "token": token(RED, "alice"), "callBack": callback},
                    timeout=PATIENCE,
                )
                assert answer.text.startswith("getServerEndpoint({"), callback
                assert answer.headers["content-type"].startswith("text/javascript")
            answer = httpx.get(
                f"http://{host}:{port}/navi.js",
                params={"appId": MARKUP, "token": MARKUP, "callBack": "f"},
                timeout=PATIENCE,
            )
            assert json.loads(answer.text) == {"code": 403}

        await run_sync(ask)

    play(tmp_path, scenario)
