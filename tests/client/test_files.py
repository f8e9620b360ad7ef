"""Files with the real server: up, down, and as messages, on both loops."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest
from anyio.from_thread import start_blocking_portal
from sniffio import current_async_library

from improto.codes import FileType
from improto.contents import File, HighQualityVoice, Image, ShortVideo
from improto.messages import Conversation
from improto_client import (
    DiskFull,
    FileTooLarge,
    FileUnusable,
    Malformed,
    NoStorage,
    TransferRefused,
    _transfers,
    sync,
)
from improto_client._sources import PIECE
from improto_client.files import NAME_CHARACTERS
from improto_server.config import Backend
from improto_server.web.app import web_app
from improto_server.web.serving import serving
from tests.client.places import Post, connected
from tests.client.places import serving as serving_post
from tests.client.test_im import ann_and_bob, following
from tests.server.test_uploads import REGION, FakeStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

BOB = Conversation.private("bob")
NO_API = {"web.api": False}
WEB = NO_API | {"web.enabled": True, "web.port": 0}
BIG = bytes(range(256)) * (3 * PIECE // 256) + b"the end"


class Meter:
    """A program that watches."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int | None]] = []

    def __call__(self, sent: int, total: int | None) -> None:
        self.seen.append((sent, total))


def unfinished(path: Path) -> list[Path]:
    """Files that are not complete."""
    return [*path.glob(".*.part")]


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


async def test_a_file_there_and_back(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **WEB) as (_, ann, bob):
        source = tmp_path / "big file.bin"
        source.write_bytes(BIG)
        up, down = Meter(), Meter()
        uploaded = await ann.files.upload(source, progress=up)
        assert (uploaded.name, uploaded.size) == ("big file.bin", len(BIG))
        assert (uploaded.kind, uploaded.mime) == (FileType.FILE, "application/octet-stream")
        assert uploaded.key.endswith(".bin")
        assert up.seen[0] == (0, len(BIG))
        assert up.seen[-1] == (len(BIG), len(BIG))
        assert [sent for sent, _ in up.seen] == sorted({sent for sent, _ in up.seen})
        target = tmp_path / "copy.bin"
        target.write_bytes(b"something older")
        assert await bob.files.download(uploaded.url, str(target), progress=down) == target
        assert target.read_bytes() == BIG
        assert down.seen[0] == (0, len(BIG))
        assert down.seen[-1] == (len(BIG), len(BIG))
        assert unfinished(tmp_path) == []


@pytest.mark.parametrize("data", [b"", b"a picture"])
async def test_bytes_and_pieces(data: bytes, tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **WEB) as (_, ann, _):
        target = tmp_path / "copy.png"
        meter = Meter()
        uploads = [
            await ann.files.upload(data, name="a.png"),
            await ann.files.upload(pieces(data[:3], b"", data[3:]), name="a.png", progress=meter),
            await ann.files.upload(pieces(data), name="a.png", size=len(data)),
        ]
        assert meter.seen[-1] == (len(data), None)
        assert len({each.key for each in uploads}) == len(uploads)
        for uploaded in uploads:
            assert (uploaded.kind, uploaded.mime) == (FileType.IMAGE, "image/png")
            assert uploaded.size == len(data)
            await ann.files.download(uploaded.url, target)
            assert target.read_bytes() == data


async def test_files_as_messages(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **WEB) as (_, ann, bob):

        async def arrives(name: str, **more: Any) -> Any:
            await ann.files.send(BOB, b"data", name=name, **more)
            return (await following(bob)).content

        picture = await arrives("a.jpg", thumbnail=b"small")
        assert picture == Image(content="c21hbGw=", image_uri=picture.image_uri)
        await bob.files.download(picture.image_uri, tmp_path / "a.jpg")
        sound = await arrives("a.mp3", duration=2.5)
        assert sound == HighQualityVoice(type="mp3", remote_url=sound.remote_url, duration=2.5)
        video = await arrives("a.mp4", duration=7, thumbnail=b"small", kind=FileType.SIGHT)
        assert isinstance(video, ShortVideo)
        assert (video.name, video.size, video.duration) == ("a.mp4", 4, 7)
        for name in ("a.jpg", "a.mp3", "a.mp4", "REPORT.PDF", "noending"):
            file = await arrives(name)
            ending = name.lower().rpartition(".")[2] if "." in name else ""
            assert file == File(name=name, size=4, type=ending, file_url=file.file_url)
        unnamed = await ann.files.upload(b"data")
        assert (unnamed.name, unnamed.key.count(".")) == ("file", 0)


async def test_what_the_storage_refuses(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **WEB, **{"uploads.image_bytes": 1024}) as (_, ann, _):
        with pytest.raises(FileTooLarge, match="1024 bytes") as large:
            await ann.files.upload(BIG, name="a.png")
        assert large.value.limit == 1024
        with pytest.raises(TransferRefused, match="image") as refused:
            await ann.files.upload(b"x", name="a.txt", kind=FileType.IMAGE)
        assert refused.value.status == 415
        assert refused.value.advice.endswith(".")
        url = (await ann.files.upload(b"x", name='quo"te\r\n.png')).url
        for bad, status in [(url[:-2], 403), (await ann.files.link(FileType.FILE, "none"), 404)]:
            with pytest.raises(TransferRefused) as refused:
                await ann.files.download(bad, tmp_path / "copy")
            assert refused.value.status == status
        with pytest.raises(FileTooLarge, match="larger than 0 bytes"):
            await ann.files.download(url, tmp_path / "copy", largest=0)
        assert not (tmp_path / "copy").exists()
        assert unfinished(tmp_path) == []


async def test_what_cannot_be(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **WEB) as (_, ann, _):
        for wrong in (
            {"name": "n" * (NAME_CHARACTERS + 1)},
            {"mime": "no mime\r\n"},
            {"storage": "ftp://there"},
            {"storage": "http://"},
        ):
            with pytest.raises(Malformed, match=next(iter(wrong))):
                await ann.files.upload(b"x", **wrong)  # type: ignore[arg-type]
        with pytest.raises(Malformed, match="http"):
            await ann.files.download("file:///etc/hostname", tmp_path / "copy")
        with pytest.raises(Malformed, match="url"):
            await ann.files.download("http://127.0.0.1/\ud800", tmp_path / "copy")
        for path in ("/", tmp_path / "a\0b"):
            with pytest.raises(Malformed, match="path"):
                await ann.files.download("http://127.0.0.1/", path)
        with pytest.raises(FileUnusable, match="zero in its name"):
            await ann.files.upload(tmp_path / "a\0b")
        for source in (tmp_path / "missing", tmp_path):
            with pytest.raises(FileUnusable, match=str(source)):
                await ann.files.upload(source)
        for announced in (2, 4):
            with pytest.raises(FileUnusable, match=f"{announced} bytes were announced"):
                await ann.files.upload(pieces(b"abc"), size=announced)
        url = (await ann.files.upload(b"x")).url
        with pytest.raises(FileUnusable, match="missing"):
            await ann.files.download(url, tmp_path / "missing" / "copy")


def full(path: Path) -> BinaryIO:
    """A file that is there, but every write to it fails, as on a disk that is full."""
    path.touch()
    return open("/dev/full", "ab")


async def test_a_disk_that_is_full_or_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with ann_and_bob(tmp_path, **WEB) as (_, ann, _):
        url = (await ann.files.upload(BIG)).url
        target = tmp_path / "copy"
        part = await _part_of(ann, url, target)
        part.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(FileUnusable, match=str(target)):
            await ann.files.download(url, target)
        assert not (tmp_path / "elsewhere").exists()
        part.unlink()
        monkeypatch.setattr(_transfers, "_open", full)
        with pytest.raises(DiskFull, match=str(part.name)):
            await ann.files.download(url, target)
        assert not target.exists()
        assert not part.exists()
        source = tmp_path / "source"
        source.write_bytes(BIG)
        with pytest.raises(FileUnusable, match="announced"):
            await ann.files.upload(source, progress=lambda *_: os.truncate(source, 1))
        # It looks like a file, and cannot be read at its beginning.
        with pytest.raises(FileUnusable, match="/proc/self/mem"):
            await ann.files.upload("/proc/self/mem")


async def _part_of(im: Any, url: str, target: Path) -> Path:
    """What a download that was interrupted has left, emptied of it."""

    def stop(received: int, total: int | None) -> None:
        if received:
            raise InterruptedDownload

    with pytest.raises(InterruptedDownload):
        await im.files.download(url, target, progress=stop)
    (part,) = unfinished(target.parent)
    assert part.read_bytes() == BIG[: part.stat().st_size]
    part.unlink()
    return part


class InterruptedDownload(Exception):
    """The program wants no more."""


async def test_a_download_goes_on_where_it_was(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **WEB) as (_, ann, _):
        url = (await ann.files.upload(BIG)).url
        target = tmp_path / "copy"
        part = await _part_of(ann, url, target)
        part.write_bytes(BIG[:1000])
        meter = Meter()
        await ann.files.download(url, target, progress=meter)
        assert target.read_bytes() == BIG
        assert meter.seen[0] == (1000, len(BIG))
        # All of it is there, but for the name.
        part.write_bytes(BIG)
        target.unlink()
        await ann.files.download(url, target)
        assert target.read_bytes() == BIG
        # More of it is there than there is.
        part.write_bytes(BIG + b"more")
        await ann.files.download(url, target)
        assert target.read_bytes() == BIG
        assert not part.exists()


async def test_a_store_that_speaks_s3(tmp_path: Path) -> None:
    store = FakeStore()
    backend = Backend(current_async_library())
    async with serving(web_app(store.routes()), "127.0.0.1", 0, backend=backend) as address:
        # Bucket and host, joined by a dot, are an address that needs no name server.
        more = NO_API | {
            "uploads.storage": "s3",
            "uploads.s3_endpoint": f"http://0.0.1:{address[1]}",
            "uploads.s3_region": REGION,
            "uploads.s3_bucket": "127",
            "uploads.s3_access_key": "who",
            "uploads.s3_secret_key": "very secret",
            "uploads.image_bytes": 1024,
        }
        async with ann_and_bob(tmp_path, **more) as (_, ann, _):
            uploaded = await ann.files.upload(b"a picture", name="ü.png")
            assert store.objects == {uploaded.key: b"a picture"}
            await ann.files.download(uploaded.url, tmp_path / "copy.png")
            assert (tmp_path / "copy.png").read_bytes() == b"a picture"
            with pytest.raises(TransferRefused) as refused:
                await ann.files.upload(b"x" * 1025, name="a.png")
            assert refused.value.status == 400


async def test_no_storage(tmp_path: Path) -> None:
    async with ann_and_bob(tmp_path, **NO_API) as (_, ann, _):
        with pytest.raises(NoStorage, match="has no storage") as error:
            await ann.files.upload(b"x")
        assert (error.value.code, error.value.name) == (41002, "QNTKN_GET_ERROR")
        with pytest.raises(NoStorage, match="no tickets"):
            await ann.files.upload(b"x", storage="http://127.0.0.1:1")


async def test_other_refusals_of_tickets_are_as_they_are() -> None:
    post = Post()
    async with serving_post(post) as port, connected(port, "ann") as im:
        with pytest.raises(NoStorage, match="navigator"):
            await im.files.upload(b"x")
        post.status = 41001
        with pytest.raises(Exception, match="file type"):
            await im.files.upload(b"x", storage="http://127.0.0.1:1")


def test_without_an_event_loop(tmp_path: Path) -> None:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(ann_and_bob(tmp_path, **WEB)) as (at, _, _),
        sync.connect(at.url, app_key="demo", token=at.token("eve")) as im,
    ):
        uploaded = im.files.upload(b"abc", name="a.txt")
        im.files.download(uploaded.url, tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_bytes() == b"abc"
