"""Files: grants, the disk, and uploads and downloads over HTTP on both event loops."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from improto.codes import FileType
from improto_server.config import Settings, load
from improto_server.files.disk import Disk, Incoming, TakenError
from improto_server.files.grants import (
    KEY_BYTES,
    NAME_CHARACTERS,
    Download,
    GrantError,
    GrantExpiredError,
    Signer,
    Upload,
    clean_name,
    is_key,
)
from improto_server.files.storage import SizeLimits
from improto_server.store import StoreError
from improto_server.web import files as files_module
from improto_server.web import site as site_module
from improto_server.web.files import MOST_UPLOADS, Files
from improto_server.web.forms import FIELD_BYTES, FIELDS, FormBody, FormError
from improto_server.web.site import Site
from tests.server.web_tools import BACKENDS, BOUNDARY, PATIENCE, Web, form, play

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.server.web_tools import Answer

NOW = 1_700_000_000
SECRETS = {"app": "s" * 32, "other": "o" * 32}
SIGNER = Signer(SECRETS)
LIMITS = SizeLimits(image=1000, audio=500, video=3000, file=2000)
KIND_LIMITS = [(1, 1000), (2, 500), (3, 3000), (4, 2000), (5, 3000), (6, 2000)]

every_backend = pytest.mark.parametrize("backend", BACKENDS)


def upload(**changes: Any) -> Upload:
    given: dict[str, Any] = {
        "app": "app",
        "user_id": "alice",
        "kind": 4,
        "key": "k.bin",
        "until": NOW + 1,
    }
    return Upload(**given | changes)


def ticket(**changes: Any) -> str:
    return SIGNER.ticket(upload(**changes))


def link(key: str = "k.bin", name: str = "", app: str = "app", until: int = NOW + 1) -> str:
    return "/files/" + SIGNER.link(Download(app=app, key=key, name=name, until=until))


# -- grants ----------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "a:b:c", "päth/ü.png"])
def test_a_ticket_comes_back(key: str) -> None:
    assert SIGNER.read_ticket(ticket(key=key), now=NOW) == upload(key=key)


def test_a_link_comes_back_and_fits_into_a_url() -> None:
    download = Download(app="app", key="a/b c.png", name="ü ?.png", until=NOW + 1)
    text = SIGNER.link(download)
    assert SIGNER.read_link(text, now=NOW) == download
    assert quote(text, safe=":=") == text


def test_upload_clients_can_read_a_ticket() -> None:
    app, _, statement = ticket().split(":")
    assert app == "app"
    seen = msgspec.json.decode(base64.urlsafe_b64decode(statement))
    assert (seen["scope"], seen["deadline"]) == ("app:k.bin", NOW + 1)


def test_grants_end() -> None:
    text = ticket()
    SIGNER.read_ticket(text, now=NOW + 0.9)
    with pytest.raises(GrantExpiredError):
        SIGNER.read_ticket(text, now=NOW + 1)
    grant = link().removeprefix("/files/")
    with pytest.raises(GrantExpiredError):
        SIGNER.read_link(grant, now=NOW + 1)


def test_a_grant_is_for_one_purpose() -> None:
    with pytest.raises(GrantError, match="not signed"):
        SIGNER.read_link(ticket(), now=NOW)
    with pytest.raises(GrantError, match="not signed"):
        SIGNER.read_ticket(link().removeprefix("/files/"), now=NOW)


def test_every_change_shows() -> None:
    text = ticket()
    for place, character in enumerate(text):
        other = "A" if character != "A" else "B"
        with pytest.raises(GrantError):
            SIGNER.read_ticket(text[:place] + other + text[place + 1 :], now=NOW)


@pytest.mark.parametrize("text", ["", "app", "app:", "app::", "nobody:x:y", "äpp:x:y", "a" * 5000])
def test_what_is_no_grant(text: str) -> None:
    with pytest.raises(GrantError):
        SIGNER.read_ticket(text, now=NOW)


def test_an_app_cannot_sign_for_another() -> None:
    _, signature, statement = Signer({"app": SECRETS["other"]}).ticket(upload()).split(":")
    with pytest.raises(GrantError):
        SIGNER.read_ticket(f"app:{signature}:{statement}", now=NOW)


@given(st.text(max_size=600))
def test_any_key_is_one_or_not(text: str) -> None:
    if is_key(text):
        assert 0 < len(text.encode()) <= KEY_BYTES
        assert SIGNER.read_ticket(ticket(key=text), now=NOW).key == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1__RC-2026-11-21_12_1700000000000abc.png", True),
        ("a", True),
        ("photos/new ü.png", True),
        ("...", True),
        ("k" * KEY_BYTES, True),
        ("ü" * (KEY_BYTES // 2), True),
        ("", False),
        ("k" * (KEY_BYTES + 1), False),
        ("ü" * (KEY_BYTES // 2) + "k", False),
        ("..", False),
        ("../../etc/passwd", False),
        ("a/./b", False),
        ("a/..", False),
        ("a\x00", False),
        ("a\n", False),
        ("a\x7f", False),
        ("\ud800", False),
    ],
)
def test_keys(text: str, expected: bool) -> None:
    assert is_key(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b.png", "a b.png"),
        ("C:\\temp\\a.png", "a.png"),
        ("/etc/passwd", "passwd"),
        ("a\r\nSet-Cookie: b", "aSet-Cookie: b"),
        ("\ud800x", "?x"),
        ("x" * 300, "x" * NAME_CHARACTERS),
        ("", ""),
    ],
)
def test_names(text: str, expected: str) -> None:
    assert clean_name(text) == expected


@pytest.mark.parametrize(("kind", "limit"), KIND_LIMITS)
def test_limits(kind: int, limit: int) -> None:
    assert LIMITS.of(kind) == limit
    assert LIMITS.largest == 3000


# -- the disk --------------------------------------------------------------------------


def stored(disk: Disk, key: str = "k", data: bytes = b"data", app: str = "app") -> str:
    incoming = disk.begin()
    try:
        incoming.write(data)
        return incoming.keep(app, key, "text/plain").hash
    finally:
        incoming.discard()


def read(disk: Disk, key: str = "k", app: str = "app") -> bytes | None:
    found = disk.find(app, key)
    return None if found is None else found[0].read_bytes()


def remains(root: Path) -> list[Path]:
    """Files and what is unfinished."""
    return [path for path in root.rglob("*") if path.is_file() or path.parent.name == "incoming"]


def test_a_file_is_kept_and_found(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "a" / "b")
    digest = stored(disk)
    expected = base64.urlsafe_b64encode(hashlib.sha256(b"data").digest()).decode().rstrip("=")
    assert digest == expected
    found = disk.find("app", "k")
    assert found is not None
    assert (found[1].hash, found[1].content_type) == (expected, "text/plain")
    assert read(disk) == b"data"
    assert read(Disk(tmp_path / "a" / "b")) == b"data"


def test_apps_have_keys_of_their_own(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    stored(disk, app="app", data=b"1")
    assert read(disk, app="other") is None
    stored(disk, app="other", data=b"2")
    assert read(disk, app="app") == b"1"


def test_a_key_is_taken_once(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    first = stored(disk)
    assert stored(disk) == first
    with pytest.raises(TakenError):
        stored(disk, data=b"other data")
    assert read(disk) == b"data"
    assert len(remains(tmp_path)) == 2


def test_what_is_discarded_is_gone(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    incoming = disk.begin()
    incoming.write(b"data")
    assert remains(tmp_path)
    incoming.discard()
    incoming.discard()
    assert not remains(tmp_path)


def test_a_start_deletes_what_was_not_finished(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    stored(disk)
    unfinished = disk.begin()
    unfinished.write(b"half")
    assert len(remains(tmp_path)) == 4
    Disk(tmp_path)
    assert len(remains(tmp_path)) == 2
    unfinished.discard()


@pytest.mark.parametrize(
    "key", ["../../../escaped", "/escaped", "a/../../b", "nul\x00l", "x" * 5000]
)
def test_no_key_leaves_the_directory(tmp_path: Path, key: str) -> None:
    root = tmp_path / "files"
    disk = Disk(root)
    stored(disk, key)
    assert disk.place("app", key).is_relative_to(root)
    assert [path.name for path in tmp_path.iterdir()] == ["files"]
    assert read(disk, key) == b"data"


def test_old_files_are_deleted(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    for key, time in (("old", 100), ("new", 200)):
        stored(disk, key)
        os.utime(disk.place("app", key) / "content", (time, time))
    assert disk.forget_before(100) == 0
    assert disk.forget_before(200) == 1
    assert (read(disk, "old"), read(disk, "new")) == (None, b"data")
    assert len(remains(tmp_path)) == 2
    stored(disk, "old", b"other data")


def test_another_failure_of_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(tmp_path)

    def fail(*_: Any) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match="broken"):
        stored(disk)
    assert not remains(tmp_path)


def test_a_file_that_goes_while_it_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path)
    stored(disk)
    monkeypatch.setattr(disk, "find", lambda *_: None)
    with pytest.raises(TakenError):
        stored(disk)


# -- forms -----------------------------------------------------------------------------

FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def parse(data: bytes, size: int) -> tuple[FormBody, bytes]:
    body = FormBody(FORM_TYPE)
    found = b""
    for start in range(0, len(data), size):
        found += b"".join(body.feed(data[start : start + size]))
    body.end()
    return body, found


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_a_form_in_pieces(size: int, order: tuple[int, ...]) -> None:
    data = f"\r\n--{BOUNDARY[:5]}\r\n\x00\xff".encode("latin-1") * 3
    parts: list[Any] = [
        ("key", b"k", None, None),
        ("file", data, "a.png", "image/png"),
        ("token", "tökén".encode(), None, None),
    ]
    body, found = parse(form(parts[place] for place in order), size)
    assert found == data
    assert body.fields == {"key": "k", "token": "tökén"}
    assert (body.name, body.content_type) == ("a.png", "image/png")


def test_a_file_without_a_type() -> None:
    body, found = parse(form([("file", b"", "", None)]), 10)
    assert (found, body.content_type, body.name) == (b"", "application/octet-stream", "")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "too early"),
        (form([("file", b"x", "x", None)])[:-10], "too early"),
        (form([("key", b"x", None, None)]), "no file"),
        (b"nonsense that is no form", "well-formed"),
        (form([("file", b"x", "x", None), ("file", b"y", "y", None)]), "more than one file"),
        (form([("key", b"x" * (FIELD_BYTES + 1), None, None)]), "key is longer than"),
        (form([(f"f{n}", b"", None, None) for n in range(FIELDS + 1)]), f"more than {FIELDS}"),
        (form([("file", b"x", "x", "t" * 100_000)]), "well-formed"),
    ],
)
def test_bad_forms(data: bytes, error: str) -> None:
    with pytest.raises(FormError, match=error):
        parse(data, 100_000)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 1000,
        "multipart/mixed; boundary=b",
    ],
)
def test_bad_types_of_forms(content_type: str) -> None:
    with pytest.raises(FormError):
        FormBody(content_type)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_a_form_or_not(data: bytes, size: int) -> None:
    body = FormBody(FORM_TYPE)
    try:
        for start in range(0, len(data), size):
            body.feed(data[start : start + size])
        body.end()
    except FormError:
        return
    pytest.fail("no 200 bytes are a form with this boundary and a file")


# -- over HTTP -------------------------------------------------------------------------


def serve(
    backend: str,
    root: Path,
    scenario: Callable[[Web], Awaitable[None]],
    *,
    now: float = NOW,
    disk: Disk | None = None,
) -> None:
    files = Files(disk or Disk(root), SIGNER, LIMITS, now=lambda: now)
    play(backend, [files.routes()], scenario)


def as_uploaders_do(
    data: bytes,
    token: str,
    key: str = "k.bin",
    name: str = "a.bin",
    kind: str | None = "application/octet-stream",
) -> list[tuple[str, bytes, str | None, str | None]]:
    """The parts in the order in which upload clients of web SDKs send them."""
    return [
        ("key", key.encode(), None, None),
        ("file", data, name, kind),
        ("token", token.encode(), None, None),
    ]


@every_backend
@pytest.mark.parametrize("path", ["/files", "/"])
def test_a_form_is_uploaded_and_the_file_downloaded(
    backend: str, path: str, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 7

    async def scenario(web: Web) -> None:
        answer = await web.post(as_uploaders_do(data, ticket(), "other key.bin"), path)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        assert answer.status == 200
        assert answer.content == {"key": "other key.bin", "hash": digest, "name": "a.bin"}
        assert answer.headers["access-control-allow-origin"] == "*"
        answer = await web.ask("GET", link("other key.bin"))
        assert (answer.status, answer.body) == (200, data)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["access-control-allow-origin"] == "*"

    serve(backend, tmp_path, scenario)


@every_backend
def test_the_token_may_come_first(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web) -> None:
        answer = await web.post(as_uploaders_do(b"x", ticket(key=""))[::-1])
        assert (answer.status, answer.content["key"]) == (200, "k.bin")

    serve(backend, tmp_path, scenario)


@every_backend
def test_a_bare_file(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web) -> None:
        answer = await web.put(ticket(), b"bare", kind="Text/Plain; charset=utf-8")
        assert (answer.status, answer.content["key"]) == (200, "k.bin")
        assert answer.content["name"] == "k.bin"
        answer = await web.put(ticket(), b"other", "/files?key=" + quote("a/ü.png"))
        assert answer.content["key"] == "a/ü.png"
        answer = await web.ask("GET", link())
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert (await web.ask("GET", link("a/ü.png"))).body == b"other"

    serve(backend, tmp_path, scenario)


@every_backend
@pytest.mark.parametrize(("kind", "limit"), KIND_LIMITS)
def test_sizes(backend: str, kind: int, limit: int, tmp_path: Path) -> None:
    async def scenario(web: Web) -> None:
        token = ticket(kind=kind)
        refusal = {
            "error": f"the file is larger than {limit} bytes",
            "field": "file",
            "limit": limit,
        }
        answer = await web.post(as_uploaders_do(b"x" * (limit + 1), token))
        assert (answer.status, answer.content) == (413, refusal)
        assert answer.headers["access-control-allow-origin"] == "*"
        answer = await web.put(token, b"x" * (limit + 1))
        assert (answer.status, answer.content) == (413, refusal)
        assert not remains(tmp_path)
        assert (await web.post(as_uploaders_do(b"x" * limit, token))).status == 200

    serve(backend, tmp_path, scenario)


@every_backend
def test_a_large_file_is_refused_while_it_comes(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web) -> None:
        data = b"x" * 5_000_000
        answer = await web.post(as_uploaders_do(data, ticket()))
        assert (answer.status, answer.content["limit"]) == (413, LIMITS.largest)
        assert not remains(tmp_path)
        assert (await web.ask("GET", "/healthz")).status == 200

    serve(backend, tmp_path, scenario)


@every_backend
@pytest.mark.parametrize(
    ("token", "status", "error"),
    [
        ("", 401, "this server has not signed that"),
        ("nonsense", 401, "this server has not signed that"),
        (ticket(until=NOW), 403, "the ticket's time is over"),
        (link().removeprefix("/files/"), 401, "this server has not signed that"),
    ],
    ids=["none", "nonsense", "expired", "a link"],
)
def test_bad_tokens(backend: str, token: str, status: int, error: str, tmp_path: Path) -> None:
    async def scenario(web: Web) -> None:
        for answer in (
            await web.post(as_uploaders_do(b"data", token)),
            await web.post([("file", b"data", "x", None), ("token", token.encode(), None, None)]),
            await web.put(token, b"data"),
            await web.ask("PUT", "/files", b"data", {"Authorization": f"Bearer {ticket()}"}),
        )[: 3 if status == 403 else 4]:
            assert (answer.status, answer.content["field"]) == (status, "token")
            assert answer.content["error"] == error
        assert not remains(tmp_path)

    serve(backend, tmp_path, scenario)


@every_backend
@pytest.mark.parametrize("key", ["..", "../../x", "a\x01", "x" * 600])
def test_bad_keys(backend: str, key: str, tmp_path: Path) -> None:
    async def scenario(web: Web) -> None:
        for answer in (
            await web.post(as_uploaders_do(b"data", ticket(), key)),
            await web.put(ticket(), b"data", "/files?key=" + quote(key)),
        ):
            assert (answer.status, answer.content["field"]) == (400, "key")
        answer = await web.put(ticket(key=""), b"data")
        assert (answer.status, answer.content["field"]) == (400, "key")
        assert not remains(tmp_path)

    serve(backend, tmp_path, scenario)


@every_backend
def test_a_key_that_is_taken(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web) -> None:
        first = await web.post(as_uploaders_do(b"data", ticket()))
        again = await web.post(as_uploaders_do(b"data", ticket()))
        assert (again.status, again.content) == (200, first.content)
        answer = await web.post(as_uploaders_do(b"other", ticket(user_id="mallory")))
        assert (answer.status, answer.content["field"]) == (409, "key")
        assert (await web.ask("GET", link())).body == b"data"
        assert (await web.ask("GET", link(app="other"))).status == 404

    serve(backend, tmp_path, scenario)


@every_backend
@pytest.mark.parametrize(
    ("kind", "said", "status"),
    [
        (FileType.IMAGE, "image/png", 200),
        (FileType.IMAGE, None, 200),
        (FileType.IMAGE, "no type at all", 200),
        (FileType.IMAGE, "text/html", 415),
        (FileType.AUDIO, "audio/amr", 200),
        (FileType.AUDIO, "video/mp4", 415),
        (FileType.VIDEO, "video/mp4", 200),
        (FileType.SIGHT, "image/png", 415),
        (FileType.FILE, "text/html", 200),
        (FileType.COMBINE_HTML, "text/html", 200),
    ],
)
def test_the_type_must_fit(
    backend: str, kind: int, said: str | None, status: int, tmp_path: Path
) -> None:
    async def scenario(web: Web) -> None:
        answer = await web.post(as_uploaders_do(b"data", ticket(kind=kind), kind=said))
        assert answer.status == status
        assert bool(remains(tmp_path)) is (status == 200)

    serve(backend, tmp_path, scenario)


@every_backend
@pytest.mark.parametrize(
    ("said", "shown", "way"),
    [
        ("image/png", "image/png", "inline"),
        ("image/svg+xml", "image/svg+xml", "attachment"),
        ("audio/mpeg", "audio/mpeg", "inline"),
        ("video/mp4", "video/mp4", "inline"),
        ("text/plain", "text/plain; charset=utf-8", "inline"),
        ("text/html", "text/html; charset=utf-8", "attachment"),
        ("application/pdf", "application/pdf", "attachment"),
        ("image/svgz", "image/svgz", "attachment"),
        ("x-evil/a\r\nb", "application/octet-stream", "attachment"),
    ],
)
def test_only_what_is_harmless_is_shown(
    backend: str, said: str, shown: str, way: str, tmp_path: Path
) -> None:
    disk = Disk(tmp_path)

    async def scenario(web: Web) -> None:
        if "\r" in said:
            answer = await web.put(ticket(), b"data", kind="x-evil/a b")
        else:
            answer = await web.put(ticket(), b"data", kind=said)
        assert answer.status == 200
        answer = await web.ask("GET", link())
        assert answer.headers["content-type"] == shown
        assert answer.headers["content-disposition"] == f'{way}; filename="k.bin"'

    serve(backend, tmp_path, scenario, disk=disk)


@every_backend
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("report.pdf", 'filename="report.pdf"'),
        ("räport 1.pdf", "filename*=utf-8''r%C3%A4port%201.pdf"),
        ('a"; b.html', "filename*=utf-8''a%22%3B%20b.html"),
    ],
)
def test_the_name_that_was_asked_for(backend: str, name: str, shown: str, tmp_path: Path) -> None:
    async def scenario(web: Web) -> None:
        await web.put(ticket(), b"data")
        answer = await web.ask("GET", link(name=name))
        assert answer.headers["content-disposition"] == f"attachment; {shown}"

    serve(backend, tmp_path, scenario)


@every_backend
def test_parts_of_a_file(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web) -> None:
        await web.put(ticket(), b"0123456789")

        async def part(text: str, **headers: str) -> Answer:
            return await web.ask("GET", link(), headers={"Range": text} | headers)

        answer = await part("bytes=2-4")
        assert (answer.status, answer.body) == (206, b"234")
        assert answer.headers["content-range"] == "bytes 2-4/10"
        assert (await part("bytes=7-")).body == b"789"
        assert (await part("bytes=-2")).body == b"89"
        assert (await part("bytes=10-")).status == 416
        tag = answer.headers["etag"]
        assert (await part("bytes=0-0", **{"If-Range": tag})).body == b"0"
        assert (await part("bytes=0-0", **{"If-Range": '"other"'})).body == b"0123456789"
        answer = await web.ask("HEAD", link())
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["content-length"] == "10"
        assert answer.headers["accept-ranges"] == "bytes"

    serve(backend, tmp_path, scenario)


@every_backend
def test_links_that_lead_nowhere(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web) -> None:
        await web.put(ticket(), b"data")
        answer = await web.ask("GET", link(until=NOW))
        assert (answer.status, answer.content) == (403, {"error": "the link's time is over"})
        answer = await web.ask("GET", link() + "x")
        assert (answer.status, answer.content) == (
            403,
            {"error": "this server has not signed that"},
        )
        answer = await web.ask("GET", link("unknown"))
        assert (answer.status, answer.content) == (404, {"error": "there is no such file"})
        assert answer.headers["access-control-allow-origin"] == "*"
        for path in ("/files/", "/files/..%2f..%2fabout.json", "/files/../../etc/passwd"):
            assert (await web.ask("GET", path)).status == 404

    serve(backend, tmp_path, scenario)


@every_backend
def test_a_file_that_goes_while_it_is_asked_for(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path)
    stored(disk, "k.bin")
    found = disk.find("app", "k.bin")
    disk.forget_before(float("inf"))
    monkeypatch.setattr(disk, "find", lambda *_: found)

    async def scenario(web: Web) -> None:
        assert (await web.ask("GET", link())).status == 404

    serve(backend, tmp_path, scenario, disk=disk)


@every_backend
def test_pages_of_other_origins_may_ask(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web) -> None:
        for path in ("/files", "/", link()):
            answer = await web.ask("OPTIONS", path)
            assert answer.status == 204
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "PUT" in answer.headers["access-control-allow-methods"]
            assert "Authorization" in answer.headers["access-control-allow-headers"]

    serve(backend, tmp_path, scenario)


@every_backend
@pytest.mark.parametrize("kind", ["text/plain", FORM_TYPE])
def test_a_body_that_is_no_form(backend: str, kind: str, tmp_path: Path) -> None:
    async def scenario(web: Web) -> None:
        answer = await web.ask("POST", "/files", b"nonsense", {"Content-Type": kind})
        assert answer.status == 400
        assert "form" in answer.content["error"]
        assert not remains(tmp_path)

    serve(backend, tmp_path, scenario)


@every_backend
@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 500)]
)
@pytest.mark.parametrize("step", ["write", "keep"])
def test_a_disk_that_fails(
    backend: str,
    number: int,
    status: int,
    step: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(number, "the disk does not want")

    async def scenario(web: Web) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Incoming, step, fail)
            answer = await web.put(ticket(), b"data")
            assert (answer.status, answer.content) == (
                status,
                {"error": "the file could not be written"},
            )
        assert "the disk does not want" in caplog.text
        assert not remains(tmp_path)
        assert (await web.put(ticket(), b"data")).status == 200

    serve(backend, tmp_path, scenario)


def test_a_flush_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(tmp_path)

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="full"):
        stored(disk)
    assert not remains(tmp_path)


@asynccontextmanager
async def half_sent(web: Web) -> AsyncIterator[anyio.abc.SocketStream]:
    """An upload whose end does not come."""
    async with await anyio.connect_tcp(*web.address) as stream:
        head = f"PUT /files HTTP/1.1\r\nHost: x\r\nAuthorization: UpToken {ticket()}\r\n"
        await stream.send(head.encode() + b"Content-Length: 100\r\n\r\nhalf")
        yield stream


@every_backend
def test_who_goes_away_leaves_nothing(backend: str, tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    gone = anyio.Event()
    begin = disk.begin

    def watched() -> Incoming:
        incoming = begin()
        discard = incoming.discard

        def discarded() -> None:
            discard()
            anyio.from_thread.run_sync(gone.set)

        incoming.discard = discarded  # type: ignore[method-assign]
        return incoming

    disk.begin = watched  # type: ignore[method-assign]

    async def scenario(web: Web) -> None:
        async with half_sent(web):
            pass
        await gone.wait()
        assert not remains(tmp_path)
        assert (await web.ask("GET", "/healthz")).status == 200

    serve(backend, tmp_path, scenario, disk=disk)


@every_backend
def test_who_sends_nothing_is_sent_away(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "PATIENCE", 0.05)

    async def scenario(web: Web) -> None:
        async with half_sent(web) as stream:
            assert (await stream.receive()).startswith(b"HTTP/1.1 408 ")
        assert not remains(tmp_path)

    serve(backend, tmp_path, scenario)


@every_backend
def test_who_goes_away_after_a_refusal(backend: str, tmp_path: Path) -> None:
    async def scenario(web: Web) -> None:
        async with await anyio.connect_tcp(*web.address) as stream:
            await stream.send(
                b"PUT /files HTTP/1.1\r\nHost: x\r\nAuthorization: UpToken x\r\n"
                b"Content-Length: 100\r\n\r\nhalf"
            )
        assert (await web.ask("GET", "/healthz")).status == 200

    serve(backend, tmp_path, scenario)


@every_backend
def test_not_too_many_at_once(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "MOST_UPLOADS", 1)
    assert MOST_UPLOADS > 1
    files = Files(Disk(tmp_path), SIGNER, LIMITS, now=lambda: NOW)

    async def scenario(web: Web) -> None:
        async with half_sent(web) as stream:
            while not remains(tmp_path):
                await anyio.lowlevel.checkpoint()
            answer = await web.put(ticket(), b"data")
            assert (answer.status, answer.content) == (503, {"error": "too many uploads at once"})
            await stream.send(b"x" * 96)
            assert (await stream.receive()).startswith(b"HTTP/1.1 200 ")
        assert (await web.put(ticket(), b"half" + b"x" * 96)).status == 200

    play(backend, [files.routes()], scenario)


# -- the site --------------------------------------------------------------------------


def settings(backend: str = "asyncio", **changes: Any) -> Settings:
    given: dict[str, Any] = {
        "apps": [{"key": key, "secret": secret} for key, secret in SECRETS.items()],
        "gateway.backend": backend,
        "web.enabled": True,
        "web.port": 0,
    }
    changes = {key.replace("__", "."): value for key, value in changes.items()}
    return load(environment={}, overrides=given | changes)


@every_backend
def test_a_site_takes_files(backend: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        site = Site(settings(backend, uploads__file_bytes=4), now=lambda: NOW)
        storage = site.storage
        assert storage is not None
        with anyio.fail_after(PATIENCE):
            async with site.listening(beside=tmp_path / "im.db"):
                provider, host = storage.provider
                assert (provider, f"http://{host}") == ("qiniu", f"{site.url}/files")
                web = Web(("127.0.0.1", int(site.url.rpartition(":")[2])))
                given = storage.ticket(upload())
                assert given.deadline == (NOW + 1) * 1000
                assert (await web.put(given.token, b"12345")).status == 413
                assert (await web.put(given.token, b"1234")).status == 200
                url = storage.link(Download(app="app", key="k.bin", until=NOW + 1))
                assert url.startswith(f"{site.url}/files/")
                assert (await web.ask("GET", url.removeprefix(site.url))).body == b"1234"
        assert remains(tmp_path / "im.db-files")

    anyio.run(scenario, backend=backend)


@pytest.mark.parametrize(
    ("host", "shown"), [("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:")]
)
def test_where_a_site_says_it_is(host: str, shown: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        site = Site(settings(web__host=host))
        async with site.listening(beside=tmp_path / "im.db"):
            assert site.url.startswith(shown)

    anyio.run(scenario)


def test_a_site_that_is_found_elsewhere(tmp_path: Path) -> None:
    async def scenario() -> None:
        site = Site(settings(web__public_url="https://example.org/im", uploads__directory="kept"))
        async with site.listening(beside=tmp_path / "im.db"):
            assert site.storage is not None
            assert site.storage.provider == ("qiniu", "example.org/im/files")
            url = site.storage.link(Download(app="app", key="k", until=1))
            assert url.startswith("https://example.org/im/files/app:")
        assert (tmp_path / "kept").is_dir()

    anyio.run(scenario)


@pytest.mark.parametrize(
    "changes", [{"web__enabled": False}, {"uploads__storage": "none", "web__enabled": True}]
)
def test_a_site_without_files(changes: dict[str, Any], tmp_path: Path) -> None:
    async def scenario() -> None:
        site = Site(settings(**changes))
        assert site.storage is None
        async with site.listening(beside=tmp_path / "im.db"):
            assert bool(site.url) is changes["web__enabled"]
            await site.forget_regularly()

    anyio.run(scenario)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    async def scenario() -> None:
        site = Site(settings(uploads__directory="taken"))
        async with site.listening(beside=tmp_path / "im.db"):
            pytest.fail("a file is no directory")

    with pytest.raises(StoreError, match="taken cannot keep files: "):
        anyio.run(scenario)


@every_backend
def test_a_site_forgets_old_files(
    backend: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="improto_server")
    looks: list[float] = []

    async def scenario() -> None:
        site = Site(settings(backend, uploads__keep_days=2), now=lambda: NOW)
        broken = False

        async def looked(seconds: float) -> None:
            nonlocal broken
            looks.append(seconds)
            if len(looks) == 2:
                # The third look meets a disk that fails.
                broken = True
            if len(looks) == 3:
                tasks.cancel_scope.cancel()
            await anyio.lowlevel.checkpoint()

        monkeypatch.setattr(site_module.anyio, "sleep", looked)
        forget_before = Disk.forget_before

        def forget(disk: Disk, time: float) -> int:
            if broken:
                raise OSError(errno.EIO, "the disk does not want")
            return forget_before(disk, time)

        monkeypatch.setattr(Disk, "forget_before", forget)
        async with site.listening(beside=tmp_path / "im.db"):
            disk = Disk(tmp_path / "im.db-files")
            for key, days in (("old", 3), ("new", 1)):
                stored(disk, key)
                time = NOW - days * 24 * 60 * 60
                os.utime(disk.place("app", key) / "content", (time, time))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(site.forget_regularly)
            assert (read(disk, "old"), read(disk, "new")) == (None, b"data")

    anyio.run(scenario, backend=backend)
    assert looks == [site_module.FORGET_EVERY] * 3
    assert [each.message for each in caplog.records if "files" in each.message] == [
        "1 files were too old and are deleted",
        "old files could not be deleted: [Errno 5] the disk does not want",
    ]


def test_a_site_that_keeps_files_for_ever(tmp_path: Path) -> None:
    async def scenario() -> None:
        site = Site(settings())
        async with site.listening(beside=tmp_path / "im.db"):
            await site.forget_regularly()

    anyio.run(scenario)
