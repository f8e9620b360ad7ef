"""Hours of messages over the REST API (rest 6)."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from improto import payloads
from improto.codes import ConversationType
from improto.operations import Topic
from improto_server.files.grants import Fetch, GrantError, Signer
from improto_server.store.archives import Cursor
from improto_server.testing import ImServer
from tests.server.api_tools import SECRET, ApiRig, signature, signed
from tests.server.rig import APP

if TYPE_CHECKING:
    from pathlib import Path

HOUR = "2023111422"
START = 1_699_999_200_000
"""When that hour begins; the rig's clock says 22:13:20."""

MESSAGE = {"fromUserId": "boss", "objectName": "RC:TxtMsg"}


@pytest.fixture
def rig(tmp_path: Path) -> ApiRig:
    return ApiRig(tmp_path)


def url(rig: ApiRig, date: str = HOUR) -> str:
    """Where an hour is; empty if nowhere."""
    reply = rig.ask("/message/history", date=date)
    assert reply["date"] == date
    found: str = reply["url"]
    return found


def lines(rig: ApiRig, start: int = START) -> list[dict[str, Any]]:
    """All messages of an hour."""
    found = b""
    cursor: Cursor | None = Cursor(start)
    while cursor is not None:
        more, cursor = rig.do(
            rig.system.archives.lines(APP, start, cursor, written=lambda time: "then")
        )
        found += more
    return [json.loads(line) for line in found.splitlines()]


def say(rig: ApiRig, content: str = '{"content":"x"}', **changes: Any) -> str:
    """Send a message to alice; returns its uid."""
    message = {**MESSAGE, "toUserId": "alice", "content": content, **changes}
    (sent,) = rig.ask("/message/private/publish", **message)["messageUIDs"]
    uid: str = sent["messageUID"]
    return uid


def test_when_an_hour_can_be_fetched(rig: ApiRig) -> None:
    assert url(rig) == ""
    say(rig)
    assert url(rig) == ""
    rig.advance(3600)
    assert url(rig).startswith("http://here/history/")
    assert url(rig).endswith(f"/{HOUR}.zip")
    assert url(rig, "2023111421") == ""
    rig.advance(72 * 3600)
    assert url(rig) == ""


def test_what_it_has(rig: ApiRig) -> None:
    uid = say(rig, '{"content":"\u4f60"}')
    rig.ask("/group/create", userId=["alice", "bob"], groupId="g", groupName="G")
    bob = rig.online("bob")
    bob.publish("g", "no JSON", topic=Topic.PG_MSG_P, name="app:note")
    say(rig, isPersisted=0)
    rig.settle()
    recalled = say(rig)
    rig.ask(
        "/message/recall",
        fromUserId="boss",
        conversationType=1,
        targetId="alice",
        messageUID=recalled,
        sentTime=1,
    )
    found = [line for line in lines(rig) if line["classname"] != "RC:RcCmd"]
    assert found[0] == {
        "appId": APP,
        "fromUserId": "boss",
        "targetId": "alice",
        "targetType": 1,
        "GroupId": "",
        "classname": "RC:TxtMsg",
        "content": {"content": "\u4f60"},
        "dateTime": "then.000",
        "timestamp": 1_700_000_000_000,
        "msgUID": uid,
        "source": "",
        "isSensitiveWord": False,
    }
    assert len(found) == 2
    assert (found[1]["targetId"], found[1]["GroupId"]) == ("g", "g")
    assert found[1]["content"] == "no JSON"


def test_page_by_page(rig: ApiRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """By number or by size, nothing is lost or doubled; other hours are not looked at."""
    uids = [say(rig) for _ in range(5)]
    rig.advance(3600)
    say(rig)
    for limit, value in (("PAGE_MESSAGES", 2), ("PAGE_MESSAGES", 5), ("PAGE_BYTES", 1)):
        with monkeypatch.context() as patch:
            patch.setattr(f"improto_server.store.archives.{limit}", value)
            assert [line["msgUID"] for line in lines(rig)] == uids


def test_what_other_apps_say_is_passed_over_page_by_page(
    rig: ApiRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("improto_server.store.archives.PAGE_MESSAGES", 2)
    up = payloads.UpStreamMessage(sessionId=3, classname="RC:TxtMsg", content=b"{}")
    post = rig.system.messages.post
    uids = []
    for count in (5, 2):
        for _ in range(count):
            rig.do(post("other", "boss", ConversationType.PRIVATE, "alice", up))
        rig.advance(1)
        uids.append(say(rig))
    rig.advance(3600)
    assert [line["msgUID"] for line in lines(rig)] == uids
    before = rig.store.reads
    assert url(rig)
    # Whether it is deleted, and three pages: somebody else's question comes in between.
    assert rig.store.reads - before == 4


def test_an_hour_of_recalled_messages(rig: ApiRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("improto_server.store.archives.PAGE_MESSAGES", 1)
    first, second = say(rig), say(rig)
    rig.advance(3600)
    recall = {"fromUserId": "boss", "conversationType": 1, "targetId": "alice", "sentTime": 1}
    rig.ask("/message/recall", **recall, messageUID=first)
    assert url(rig)
    rig.ask("/message/recall", **recall, messageUID=second)
    assert url(rig) == ""


def test_deleted(rig: ApiRig, tmp_path: Path) -> None:
    say(rig)
    rig.advance(3600)
    rig.ask("/message/history/delete", date=HOUR)
    rig.ask("/message/history/delete", date=HOUR)
    assert url(rig) == ""
    rig.store.store.close()
    again = ApiRig(tmp_path)
    again.advance(3600)
    assert url(again) == ""
    # Nobody can ask for it any more, so that need not be known.
    again.advance(80 * 3600)
    again.ask("/message/history/delete", date="2023111800")
    assert not again.do(again.system.archives.is_there(APP, START))


@pytest.mark.parametrize("date", ["", "2023", "2023111424", "2023139900", "0001010100", "x" * 10])
def test_hours_that_there_are_not(rig: ApiRig, date: str) -> None:
    code = 200 if date == "0001010100" else 1002
    assert rig.code("/message/history", date=date) == code
    assert rig.code("/message/history/delete", date=date) == code


def test_links_of_others() -> None:
    """A link is good for one hour of one app, for a while, and is no link to a file."""
    signer = Signer({APP: SECRET})
    text = signer.fetch(Fetch(app=APP, date=HOUR, until=100))
    assert signer.read_fetch(text, now=99).date == HOUR
    for forged, now in ((text, 100), (text[:-4] + "AAAA", 99), ("x", 99)):
        with pytest.raises(GrantError):
            signer.read_fetch(forged, now=now)


def call(server: ImServer, path: str, **fields: str) -> dict[str, Any]:
    """Call an endpoint of a running server."""
    headers = signed(app=server.app_key)
    headers["Signature"] = signature(headers["Nonce"], headers["Timestamp"], server.app_secret)
    answer = httpx.post(f"{server.web_url}{path}.json", data=fields, headers=headers)
    found: dict[str, Any] = answer.json()
    assert found["code"] == 200, found
    return found


def test_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is made while it is sent, in several pieces."""
    monkeypatch.setattr("improto_server.store.archives.PAGE_MESSAGES", 2)
    settings = {"web.enabled": True, "web.port": 0, "web.api_utc_hours": 0}
    with ImServer(settings=settings) as server:
        # No hour shall end meanwhile.
        later = timedelta(minutes=(30 - datetime.now(UTC).minute) % 60)
        server.step_clock(later.total_seconds())
        hour = (datetime.now(UTC) + later).strftime("%Y%m%d%H")
        sent = [
            call(
                server, "/message/private/publish", **MESSAGE, toUserId="alice", content=f"{number}"
            )["messageUIDs"][0]["messageUID"]
            for number in range(5)
        ]
        server.step_clock(3600)
        link = call(server, "/message/history", date=hour)["url"]
        answer = httpx.get(link)
        assert answer.headers["content-type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
            lines = archive.read(f"{hour}.log").splitlines()
        assert [json.loads(line)["msgUID"] for line in lines] == sent
        assert httpx.get(link.replace("/history/", "/history/x")).status_code == 403
        call(server, "/message/history/delete", date=hour)
        assert httpx.get(link).status_code == 404
        server.step_clock(3600)
        assert httpx.get(link).status_code == 403
