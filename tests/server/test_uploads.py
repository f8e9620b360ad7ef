"""Tickets for uploads and links to files, as clients ask for them (operations 17)."""

from __future__ import annotations

import hmac
import json
import re
import socket
import sys
from base64 import b64decode
from datetime import UTC, datetime
from email.message import Message as Mail
from email.parser import BytesParser
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import anyio
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from typer.testing import CliRunner

from improto import payloads
from improto.codes import ErrorCode, FileType
from improto.http import HttpRequest
from improto.operations import Topic
from improto_server.app import Application
from improto_server.commands import application
from improto_server.config import SettingsError, load
from improto_server.files.grants import Download, Signer, Upload
from improto_server.files.local import LocalStorage
from improto_server.files.s3 import LONGEST_LINK, S3Account, S3Storage
from improto_server.files.storage import SizeLimits
from improto_server.web.site import Site
from tests.server.rig import APP, START, Rig
from tests.server.web_tools import BACKENDS, BOUNDARY, Web, form, play

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

HOUR = 60 * 60
DAY = 24 * HOUR
SIGNER = Signer({APP: "s" * 32, "other": "o" * 32})
KINDS = [int(kind) for kind in FileType]
KEY = "1__RC-2026-11-21_12_1700000000000abc.png"

LINKS: list[tuple[str, Any, Any]] = [
    (Topic.QN_URL, payloads.GetQNdownloadUrlInput, payloads.GetQNdownloadUrlOutput),
    (Topic.ALI_URL, payloads.GetDownloadUrlInput, payloads.GetDownloadUrlOutput),
    (Topic.S3_URL, payloads.GetDownloadUrlInput, payloads.GetDownloadUrlOutput),
    (Topic.STC_URL, payloads.GetDownloadUrlInput, payloads.GetDownloadUrlOutput),
]
TOPICS: list[tuple[str, Any]] = [
    (Topic.QN_TKN, payloads.GetQNupTokenInput),
    *((topic, request) for topic, request, _ in LINKS),
]


def rig_with_files(path: Path) -> Rig:
    return Rig(path, storage=LocalStorage(SIGNER, "http://files.example.org"))


def refusal(rig: Rig, topic: str, request: Any) -> int:
    alice = rig.online("alice")
    message_id = alice.query(topic, request)
    rig.settle()
    (answer,) = alice.answers(message_id)
    assert answer.data == b""
    return answer.status


# -- tickets ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sdk", ["2.5.3", "2.9.2", "4.6.4"])
def test_a_ticket(sdk: str, kind: int, tmp_path: Path) -> None:
    rig = rig_with_files(tmp_path)
    alice = rig.online("alice", sdk)
    more = {} if sdk == "2.5.3" else {"key": KEY, "httpMethod": "", "queryString": ""}
    reply = alice.ask(
        Topic.QN_TKN, payloads.GetQNupTokenInput(type=kind, **more), payloads.GetQNupTokenOutput
    )
    until = rig.clock.now() // 1000 + HOUR
    assert reply.deadline == until * 1000
    assert SIGNER.read_ticket(reply.token, now=START / 1000) == Upload(
        app=APP, user_id="alice", kind=kind, key=more.get("key", ""), until=until
    )


@pytest.mark.parametrize(("topic", "request_type", "reply_type"), LINKS)
@pytest.mark.parametrize("name", ["", "report ü.pdf"])
def test_a_link(topic: str, request_type: Any, reply_type: Any, name: str, tmp_path: Path) -> None:
    rig = rig_with_files(tmp_path)
    request = request_type(type=4, key=KEY, fileName=name)
    url = rig.online("alice").ask(topic, request, reply_type).downloadUrl
    start = "http://files.example.org/files/"
    assert url.startswith(start)
    assert SIGNER.read_link(url.removeprefix(start), now=START / 1000) == Download(
        app=APP, key=KEY, name=name, until=rig.clock.now() // 1000 + 365 * DAY
    )


def test_a_name_is_cleaned(tmp_path: Path) -> None:
    rig = rig_with_files(tmp_path)
    request = payloads.GetQNdownloadUrlInput(type=4, key=KEY, fileName="../a\r\nb")
    reply = rig.online("alice").ask(Topic.QN_URL, request, payloads.GetQNdownloadUrlOutput)
    link = reply.downloadUrl.rpartition("/")[2]
    assert SIGNER.read_link(link, now=START / 1000).name == "ab"


@pytest.mark.parametrize(("topic", "request_type"), TOPICS)
@pytest.mark.parametrize("kind", [-1, 0, 7, 1000])
def test_kinds_that_do_not_exist(topic: str, request_type: Any, kind: int, tmp_path: Path) -> None:
    request = request_type(type=kind, key=KEY)
    assert refusal(rig_with_files(tmp_path), topic, request) == ErrorCode.QNTKN_FILETYPE_ERROR


@pytest.mark.parametrize(("topic", "request_type"), TOPICS)
@pytest.mark.parametrize("key", ["..", "a/../b", "a\x00", "k" * 513])
def test_what_cannot_be_a_key(topic: str, request_type: Any, key: str, tmp_path: Path) -> None:
    request = request_type(type=1, key=key)
    status = refusal(rig_with_files(tmp_path), topic, request)
    assert status == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


@pytest.mark.parametrize(("topic", "request_type", "reply_type"), LINKS)
def test_a_link_needs_a_key(topic: str, request_type: Any, reply_type: Any, tmp_path: Path) -> None:
    status = refusal(rig_with_files(tmp_path), topic, request_type(type=1, key=""))
    assert status == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


@pytest.mark.parametrize(("topic", "request_type"), TOPICS)
def test_without_storage(topic: str, request_type: Any, tmp_path: Path) -> None:
    assert refusal(Rig(tmp_path), topic, request_type(type=1, key=KEY)) == (
        ErrorCode.QNTKN_GET_ERROR
    )


@pytest.mark.parametrize(("topic", "request_type"), TOPICS)
@pytest.mark.parametrize("data", [b"", b"\x08", b"\xff\xff", b"\x12\x01k"])
def test_what_is_no_request(topic: str, request_type: Any, data: bytes, tmp_path: Path) -> None:
    status = refusal(rig_with_files(tmp_path), topic, data)
    assert status == ErrorCode.BIZ_ERROR_INVALID_PARAMETER


# -- a store that speaks S3 ------------------------------------------------------------

REGION = "eu-test-1"
ACCOUNT = S3Account(
    endpoint="http://s3.example.org:9000",
    region=REGION,
    bucket="files",
    access_key="who",
    secret_key="very secret",
)
LIMITS = SizeLimits(image=100)
PAYLOAD = "UNSIGNED-PAYLOAD"
"""What a link signs in place of a body."""


def signed(text: str, date: str) -> str:
    """A signature as the store makes it, version 4: by hand, from the published description."""
    key = b"AWS4very secret"
    for part in (date[:8], REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def form_fields(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a form, by the standard library's mail parser."""
    mail = BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    fields = {}
    for part in mail.get_payload():
        assert isinstance(part, Mail)
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        name = part.get_param("name", header="content-disposition")
        assert isinstance(name, str)
        fields[name] = data
    return fields


class FakeStore:
    """A bucket that checks signatures itself. Its host names are taken as they come."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/", self.post, methods=["POST"]),
            Route("/{key:path}", self.get, methods=["GET"]),
        ]

    async def post(self, request: Request) -> Response:
        fields = form_fields(request.headers["content-type"], await request.body())
        texts = {name: data.decode() for name, data in fields.items() if name != "file"}
        date = texts["x-amz-date"]
        if texts["x-amz-signature"] != signed(texts["policy"], date):
            return PlainTextResponse("signature", status_code=403)
        if texts["x-amz-credential"] != f"who/{date[:8]}/{REGION}/s3/aws4_request":
            return PlainTextResponse("credential", status_code=403)
        policy = json.loads(b64decode(texts["policy"]))
        assert datetime.fromisoformat(policy["expiration"]) > datetime.now(UTC)
        bucket = request.headers["host"].partition(".")[0]
        texts["bucket"] = bucket
        covered = {"policy", "x-amz-signature"}
        for condition in policy["conditions"]:
            match condition:
                case ["content-length-range", least, most]:
                    if not least <= len(fields["file"]) <= most:
                        return PlainTextResponse("size", status_code=400)
                case ["starts-with", name, start]:
                    assert texts[name[1:]].startswith(start)
                    covered.add(name[1:])
                case dict():
                    ((name, value),) = condition.items()
                    if texts[name] != value:
                        return PlainTextResponse(name, status_code=403)
                    covered.add(name)
        assert covered == set(texts)
        self.objects[texts["key"]] = fields["file"]
        return PlainTextResponse(status_code=204)

    async def get(self, request: Request) -> Response:
        parameters = parse_qsl(request.url.query, keep_blank_values=True)
        given = dict(parameters)
        signature = given.pop("X-Amz-Signature")
        query = "&".join(
            f"{quote(name, safe='')}={quote(value, safe='')}"
            for name, value in sorted(given.items())
        )
        host = request.headers["host"]
        canonical = "\n".join(
            ("GET", quote(unquote(request.url.path)), query, f"host:{host}\n", "host", PAYLOAD)
        )
        date, digest = given["X-Amz-Date"], sha256(canonical.encode()).hexdigest()
        text = "\n".join(("AWS4-HMAC-SHA256", date, f"{date[:8]}/{REGION}/s3/aws4_request", digest))
        data = self.objects.get(request.path_params["key"])
        if signature != signed(text, date) or data is None:
            return PlainTextResponse("signature", status_code=403)
        shown = given["response-content-disposition"]
        return PlainTextResponse(data, headers={"Content-Disposition": shown})


def s3(now: float) -> S3Storage:
    return S3Storage(ACCOUNT, LIMITS, now=lambda: now)


def s3_ticket(storage: S3Storage, now: float, **changes: Any) -> payloads.GetQNupTokenOutput:
    given: dict[str, Any] = {
        "app": APP,
        "user_id": "alice",
        "kind": 1,
        "key": KEY,
        "until": int(now) + HOUR,
    }
    return storage.ticket(Upload(**given | changes))


def s3_form(
    ticket: payloads.GetQNupTokenOutput, data: bytes, key: str = KEY
) -> list[tuple[str, bytes, str | None, str | None]]:
    """The form that upload clients of the newer SDKs make of a ticket."""
    fields = {
        "Content-Disposition": "attachment;",
        "Content-Type": "image/png",
        "x-amz-credential": ticket.s3Credential,
        "x-amz-algorithm": ticket.s3Algorithm,
        "x-amz-date": ticket.s3Date,
        "policy": ticket.s3Policy,
        "x-amz-signature": ticket.s3Signature,
        "key": key,
    }
    texts = [(name, value.encode(), None, None) for name, value in fields.items()]
    return [*texts, ("file", data, "a.png", "image/png")]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_store_takes_what_we_have_signed(backend: str) -> None:
    store = FakeStore()
    now = datetime.now(UTC).timestamp()
    storage = s3(now)

    async def scenario(web: Web) -> None:
        ticket = s3_ticket(storage, now)
        assert ticket.deadline == (int(now) + HOUR) * 1000
        assert ticket.token == ticket.s3Policy
        kind, host = storage.provider
        assert (kind, host) == ("s3", "s3.example.org:9000")
        headers = {
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Host": f"{ticket.s3BucketName}.{host}",
        }

        async def post(data: bytes, key: str = KEY) -> int:
            return (await web.ask("POST", "/", form(s3_form(ticket, data, key)), headers)).status

        assert await post(b"x" * 101) == 400
        assert await post(b"x", "another key") == 403
        assert not store.objects
        assert await post(b"picture") == 204
        assert store.objects == {KEY: b"picture"}
        headers["Host"] = f"other.{host}"
        assert await post(b"picture") == 403

    play(backend, [store.routes()], scenario)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("key", [KEY, "a b/ü+&=.png"])
def test_a_store_gives_what_we_have_signed(backend: str, key: str) -> None:
    store = FakeStore()
    store.objects[key] = b"picture"
    now = datetime.now(UTC).timestamp()

    async def scenario(web: Web) -> None:
        link = Download(app=APP, key=key, name="my ü.png", until=int(now) + 60)
        url = urlsplit(s3(now).link(link))
        assert url.netloc == "files.s3.example.org:9000"
        assert "X-Amz-Expires=60" in url.query
        answer = await web.ask("GET", f"{url.path}?{url.query}", headers={"Host": url.netloc})
        assert (answer.status, answer.body) == (200, b"picture")
        shown = answer.headers["content-disposition"]
        assert shown == "attachment; filename*=UTF-8''my%20%C3%BC.png"
        forged = url.query.replace("my%2520", "your%2520")
        assert forged != url.query
        answer = await web.ask("GET", f"{url.path}?{forged}", headers={"Host": url.netloc})
        assert answer.status == 403

    play(backend, [store.routes()], scenario)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(60, 60), (LONGEST_LINK + 1, LONGEST_LINK), (-5, 1)]
)
def test_how_long_a_store_gives_it(seconds: int, shown: int) -> None:
    link = Download(app=APP, key=KEY, until=START // 1000 + seconds)
    url = s3(START / 1000).link(link)
    assert re.findall("X-Amz-Expires=([0-9]+)", url) == [str(shown)]
    assert "response-content-disposition=attachment&" in url


def test_a_store_needs_a_key(tmp_path: Path) -> None:
    rig = Rig(tmp_path, storage=s3(START / 1000))
    status = refusal(rig, Topic.QN_TKN, payloads.GetQNupTokenInput(type=1))
    assert status == ErrorCode.QNTKN_GET_ERROR


def test_an_account_does_not_tell_its_secret() -> None:
    assert "secret" not in repr(ACCOUNT)


# -- in the application ----------------------------------------------------------------

S3_SETTINGS = {
    "uploads.storage": "s3",
    "uploads.s3_endpoint": "https://s3.example.org",
    "uploads.s3_bucket": "files",
    "uploads.s3_access_key": "who",
    "uploads.s3_secret_key": "very secret",
}


def application_settings(path: Path, backend: str = "asyncio", **changes: Any) -> Any:
    given = {
        "apps": [{"key": APP, "secret": "s" * 32}],
        "gateway.backend": backend,
        "gateway.port": 0,
        "store.durable": False,
        "store.url": f"sqlite:///{path / 'messages.db'}",
        "web.port": 0,
    }
    return load(environment={}, overrides=given | changes)


def navigation(application: Application) -> tuple[str, Any]:
    provider, host = application.navigation.upload_provider
    return provider, host


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_application_opens_the_web_port(backend: str, tmp_path: Path) -> None:
    settings = application_settings(tmp_path, backend, **{"web.enabled": True})

    async def scenario() -> None:
        application = Application(settings)
        async with application.listening():
            url = urlsplit(application.site.url)
            assert navigation(application) == ("qiniu", f"{url.netloc}/files")
            answer = await Web((str(url.hostname), url.port or 0)).ask("GET", "/healthz")
            assert answer.status == 200

    anyio.run(scenario, backend=backend)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, ("", "")), (S3_SETTINGS, ("s3", "s3.example.org"))],
    ids=["no storage", "s3"],
)
def test_the_application_without_a_web_port(
    changes: dict[str, Any], expected: tuple[str, str], tmp_path: Path
) -> None:
    async def scenario() -> None:
        application = Application(application_settings(tmp_path, **changes))
        async with application.listening():
            assert navigation(application) == expected
            assert application.site.url == ""

    anyio.run(scenario)


def test_s3_without_its_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = application_settings(tmp_path, **S3_SETTINGS)
    monkeypatch.setitem(sys.modules, "improto_server.files.s3", None)
    with pytest.raises(ImportError, match=r"needs boto3; try: pip install 'improto\[s3\]'"):
        Site(settings)


def refused_settings(**changes: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environment={}, overrides=S3_SETTINGS | changes)
    return str(caught.value)


@pytest.mark.parametrize("name", ["endpoint", "region", "bucket", "access_key", "secret_key"])
def test_s3_needs_all_its_settings(name: str) -> None:
    assert refused_settings(**{f"uploads.s3_{name}": ""}) == (
        f"uploads.s3_{name} must not be empty if uploads.storage is s3"
    )


def test_s3_is_for_one_app() -> None:
    apps = [{"key": key, "secret": "s" * 32} for key in ("one", "two")]
    assert refused_settings(apps=apps) == "uploads.storage can be s3 only if there is one app"
    load(environment={}, overrides=S3_SETTINGS | {"apps": apps[:1]})


@pytest.mark.parametrize(
    "url", ["example.org", "ftp://example.org", "https://example.org/", "http://"]
)
def test_urls_that_are_none(url: str) -> None:
    for key in ("web.public_url", "uploads.s3_endpoint"):
        assert refused_settings(**{key: url}).startswith(f"command line: {key} must be http:// ")


def test_settings_do_not_tell_secrets() -> None:
    settings = load(environment={}, overrides=S3_SETTINGS)
    assert "UploadSettings(storage='s3')" in repr(settings)
    assert "very secret" not in repr(settings)


@pytest.mark.parametrize(
    ("provider", "server", "config"),
    [
        (("", ""), "", []),
        (("qiniu", "a:1/files"), "a:1/files", [{"qiniu": "a:1/files", "p": "1"}]),
        (("s3", "s3.org"), "s3.org", [{"s3": "s3.org", "p": "1"}]),
    ],
)
def test_navigation_says_where_files_go(
    provider: tuple[str, str], server: str, config: Any, tmp_path: Path
) -> None:
    rig = Rig(tmp_path)
    rig.navigation.upload_provider = provider
    target = f"/navi.js?appId={APP}&token=alice"
    response = rig.navigation.respond(HttpRequest(method="GET", target=target))
    reply = json.loads(response.body)
    assert (reply["uploadServer"], json.loads(reply["ossConfig"])) == (server, config)


def test_a_web_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        secret = "s" * 32
        result = CliRunner().invoke(
            application,
            [
                "serve",
                "--app",
                f"a:{secret}",
                "--port",
                "0",
                "--store",
                f"sqlite:///{tmp_path}/x.db",
            ],
            env={"IMPROTO_WEB_ENABLED": "true", "IMPROTO_WEB_PORT": str(port)},
        )
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1 port {port}: another program listens" in result.output
