"""Pictures and other files: uploaded by one page, named in a message, loaded by another."""

from __future__ import annotations

import hashlib
import struct
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from improto.codes import FileType
from tests.interop.party import IMAGE, hears, nothing_more, online

if TYPE_CHECKING:
    from tests.interop.conftest import Door
    from tests.interop.page import Page
    from tests.interop.server import ImServer

pytestmark = pytest.mark.interop

WIDTH, HEIGHT = 37, 23

UPLOAD = """
async (host, token, name, type, data) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const form = new FormData();
  form.append("token", token);
  form.append("file", new File([bytes], name, { type }));
  const answer = await fetch(`http://${host}`, { method: "POST", body: form });
  return { status: answer.status, body: await answer.json() };
}
"""

LOAD_PICTURE = """
async (url) => {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  return [picture.naturalWidth, picture.naturalHeight];
}
"""

LOAD = """
async (url) => {
  const answer = await fetch(url);
  const bytes = await answer.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [
    answer.status,
    answer.headers.get("content-type"),
    Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""),
  ];
}
"""


def picture() -> bytes:
    """A real PNG file with every colour in it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    rows = b"".join(
        b"\0" + bytes(value for x in range(WIDTH) for value in (x * 6, y * 11, 128))
        for y in range(HEIGHT)
    )
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def upload(page: Page, kind: int, name: str, type: str, data: bytes) -> str:
    """Upload a file as a page would; its URL."""
    (ticket,) = page.ask("fileToken", kind, name)
    answer = page.script(
        UPLOAD, ticket["qiniu"], ticket["token"], name, type, b64encode(data).decode()
    )
    assert answer["status"] == 200, answer
    (link,) = page.ask("fileUrl", kind, answer["body"]["key"], name)
    return str(link["downloadUrl"])


def test_a_picture_is_seen_by_the_other(door: Door, server: ImServer) -> None:
    anna, bert = online(door.page(server)), online(door.page(server))
    url = upload(anna, 1, "photo.png", "image/png", picture())
    message = [{"content": b64encode(b"a small picture").decode(), "imageUri": url}]
    sent = anna.send_all(bert.user, message, kind=IMAGE)
    hears(bert, anna, message, sent, kind=IMAGE)
    shown = bert.script(LOAD_PICTURE, bert.heard()[0].content["imageUri"])
    assert shown == [WIDTH, HEIGHT]
    nothing_more(anna, bert)


@pytest.mark.parametrize(
    ("kind", "name", "type", "object_name", "content"),
    [
        (2, "voice.aac", "audio/aac", "RC:HQVCMsg", {"remoteUrl": "?", "duration": 3}),
        (3, "film.mp4", "video/mp4", "RC:SightMsg", {"sightUrl": "?", "duration": 3, "size": 9}),
        (4, "Bericht 你好.pdf", "application/pdf", "RC:FileMsg", {"fileUrl": "?", "size": 9}),
    ],
    ids=["voice", "video", "file"],
)
def test_a_file_comes_whole(
    door: Door,
    server: ImServer,
    kind: int,
    name: str,
    type: str,
    object_name: str,
    content: dict[str, Any],
) -> None:
    anna, bert = online(door.page(server)), online(door.page(server))
    data = bytes(range(256)) * 1024
    url = upload(anna, kind, name, type, data)
    message = [{key: url if value == "?" else value for key, value in content.items()}]
    message[0]["name"] = name
    sent = anna.send_all(bert.user, message, kind=object_name)
    (heard,) = bert.take(1)
    assert (heard.kind, heard.uid) == (object_name, sent[0].uid)
    found = next(value for value in heard.content.values() if value == url)
    digest = hashlib.sha256(data).hexdigest()
    assert bert.script(LOAD, found) == [200, type, digest]
    nothing_more(anna, bert)


def test_a_place_is_a_message_of_its_own(door: Door, server: ImServer) -> None:
    anna, bert = online(door.page(server)), online(door.program(server, "trio"))
    place = [{"latitude": 52.5, "longitude": 13.4, "poi": "Berlin", "content": "map"}]
    sent = anna.send_all(bert.user, place, kind="RC:LBSMsg")
    hears(bert, anna, place, sent, kind="RC:LBSMsg")
    nothing_more(anna, bert)


def test_a_program_gets_tickets_too(door: Door, server: ImServer) -> None:
    anna, bert = online(door.program(server)), online(door.page(server))
    files, name = anna.im.files, "from-a-program.png"
    ticket = anna.call(files.ticket, FileType.IMAGE, key=name)
    (theirs,) = bert.ask("fileToken", 1, "x.png")
    data = b64encode(picture()).decode()
    answer = bert.script(UPLOAD, theirs["qiniu"], ticket.token, name, "image/png", data)
    assert answer["status"] == 200, answer
    link = anna.call(files.link, FileType.IMAGE, answer["body"]["key"], name=name)
    assert bert.script(LOAD_PICTURE, link) == [WIDTH, HEIGHT]
