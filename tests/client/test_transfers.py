"""Uploads and downloads where the far end does what it should not."""

from __future__ import annotations

import json
from functools import partial
from ssl import create_default_context
from typing import TYPE_CHECKING

import anyio
import pytest

from improto_client import (
    DiskFull,
    FileError,
    FileTooLarge,
    TransferBroken,
    TransferRefused,
    TransferStalled,
)
from improto_client._sources import opened
from improto_client._transfers import LARGEST_ANSWER, Form, Transfers, quiet
from tests.adapters.test_cancellation import sweep
from tests.client.places import answering, saying, silence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from anyio.abc import SocketStream

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]

TLS = create_default_context()
DATA = bytes(range(256)) * 1024


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status} So", f"content-length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def names(path: Path) -> list[str]:
    """What is in a directory."""
    return sorted(each.name for each in path.iterdir())


async def hear(stream: SocketStream) -> bytes:
    """A request with all of its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive()
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.lower().splitlines():
        if line.startswith(b"content-length:"):
            while len(body) < int(line.partition(b":")[2]):
                body += await stream.receive()
    return head + b"\r\n\r\n" + body


def telling(*answers: bytes) -> Callable[[SocketStream], Awaitable[None]]:
    """A script that hears requests out; each connection gets the next answer."""
    left = [*answers]

    async def script(stream: SocketStream) -> None:
        await hear(stream)
        await stream.send(left.pop(0) if len(left) > 1 else left[0])

    return script


async def upload(
    port: int, data: bytes = b"data", patience: float = 5, progress: object = quiet
) -> None:
    async with opened(data, size=None) as source:
        form = Form({"token": "T"}, source, name="n", mime="a/b", progress=progress)  # type: ignore[arg-type]
        await Transfers(tls=TLS, patience=patience).upload(f"http://127.0.0.1:{port}/", form)


async def download(port: int, path: Path, patience: float = 5, most: int = 10**9) -> None:
    transfers = Transfers(tls=TLS, patience=patience)
    await transfers.download(f"http://127.0.0.1:{port}/f", path, most=most, progress=quiet)


S3_LIMIT = b"<Error><Code>EntityTooLarge</Code><MaxSizeAllowed>1024</MaxSizeAllowed></Error>"


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (413, b'{"error":"x","limit":7}', FileTooLarge, "larger than 7 bytes"),
        (413, b'{"limit":"7"}', FileTooLarge, "than the storage takes"),
        (413, b"[", FileTooLarge, "than the storage takes"),
        (400, S3_LIMIT, FileTooLarge, "larger than 1024 bytes"),
        (400, b'{"error":"no form"}', TransferRefused, "400: no form"),
        (400, b"<Error><Message>No, never</Message></Error>", TransferRefused, "No, never"),
        (403, b'{"error":"a\\u001b[31mb\\n"}', TransferRefused, "403: a.31mb$"),
        (403, b'{"error":7}', TransferRefused, "403: no reason"),
        (403, b"[7]", TransferRefused, "403: no reason"),
        (302, b"", TransferRefused, "302"),
        (408, b'{"error":"nothing came"}', TransferStalled, "nothing came"),
        (507, b'{"error":"it is full"}', DiskFull, "at the storage: it is full"),
        (507, b"", DiskFull, "no room"),
        (500, b"x" * (LARGEST_ANSWER + 1), TransferRefused, "500"),
        (500, json.dumps({"error": "long" * 1000}).encode(), TransferRefused, "(long){75}$"),
    ],
)
async def test_refusals(status: int, body: bytes, kind: type[FileError], words: str) -> None:
    async with answering(telling(answer(status, body))) as port:
        with pytest.raises(kind, match=words) as error:
            await upload(port)
        assert error.type is kind
        assert error.value.advice.endswith(".")


async def test_who_refuses_before_it_has_heard_all(tmp_path: Path) -> None:
    """As long as it goes on listening."""

    async def script(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(answer(413, b'{"limit":7}'))
        while True:
            await stream.receive()

    async with answering(script) as port:
        with pytest.raises(FileTooLarge, match="7 bytes"):
            await upload(port, DATA * 8)


async def test_an_answer_without_an_end(tmp_path: Path) -> None:
    """It is not listened to for ever."""

    async def script(stream: SocketStream) -> None:
        await hear(stream)
        await stream.send(b"HTTP/1.1 403 No\r\n\r\n")
        while True:
            await stream.send(b"no" * 1000)

    async with answering(script) as port:
        with pytest.raises(TransferRefused):
            await upload(port)
        with pytest.raises(TransferRefused):
            await download(port, tmp_path / "f")
    assert names(tmp_path) == []


async def test_networks_that_break(free_port: int, tmp_path: Path) -> None:
    for attempt in (partial(upload, data=DATA), partial(download, path=tmp_path / "f")):
        with pytest.raises(TransferBroken):
            await attempt(free_port)
        async with answering(saying(b"what?\r\n\r\n")) as port:
            with pytest.raises(TransferBroken):
                await attempt(port)
        async with answering(silence) as port:
            with pytest.raises(TransferStalled, match=r"for 0\.05 s"):
                await attempt(port, patience=0.05)
    async with answering(telling(answer(302, b"", "location: /f"))) as port:
        with pytest.raises(TransferBroken, match="redirects"):
            await download(port, tmp_path / "f")
    transfers = Transfers(tls=TLS, patience=5)
    for url in ("http://a..b/", "http://[/", "http://127.0.0.1:99999/", "ftp://127.0.0.1/"):
        with pytest.raises(TransferBroken):
            await transfers.download(url, tmp_path / "f", most=1, progress=quiet)
    assert names(tmp_path) == []


def range_answer(begin: int, *, told: int | None = None, total: str = "") -> bytes:
    told = begin if told is None else told
    shown = f"content-range: bytes {told}-{len(DATA) - 1}/{total or len(DATA)}"
    return answer(206, DATA[begin:], shown)


async def test_a_download_that_breaks_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "f"
    async with answering(telling(answer(200, DATA)[:-1000], range_answer(len(DATA) - 1000))) as at:
        with pytest.raises(TransferBroken):
            await download(at, path)
        assert not path.exists()
        await download(at, path)
    assert path.read_bytes() == DATA
    assert names(tmp_path) == ["f"]


async def left_over(port: int, path: Path, data: bytes) -> None:
    """What an earlier download has left."""
    with pytest.raises(TransferBroken):
        await download(port, path)
    (part,) = path.parent.iterdir()
    part.write_bytes(data)


@pytest.mark.parametrize(
    "second",
    [
        (range_answer(1000),),
        (range_answer(1000, total="*"),),
        (answer(200, DATA),),
        (range_answer(500), answer(200, DATA)),
        (range_answer(1000, told=500), answer(200, DATA)),
        (answer(206, DATA), answer(200, DATA)),
        (answer(416, b"", "content-range: bytes */7"), answer(200, DATA)),
        (answer(416, b"", "content-range: what?"), answer(200, DATA)),
    ],
)
async def test_what_may_come_after_a_thousand_bytes(
    second: tuple[bytes, ...], tmp_path: Path
) -> None:
    path = tmp_path / "f"
    async with answering(telling(answer(200, DATA)[:-1000], *second)) as port:
        await left_over(port, path, DATA[:1000])
        await download(port, path)
    assert path.read_bytes() == DATA


async def test_a_part_of_what_is_missing_is_no_whole_file(tmp_path: Path) -> None:
    path = tmp_path / ("\N{GRINNING FACE}" * 60)
    shown = f"content-range: bytes 1000-1999/{len(DATA)}"
    second = answer(206, DATA[1000:2000], shown), range_answer(2000)
    async with answering(telling(answer(200, DATA)[:-1000], *second)) as port:
        await left_over(port, path, DATA[:1000])
        with pytest.raises(TransferBroken, match=f"2000 of {len(DATA)} bytes"):
            await download(port, path)
        assert not path.exists()
        await download(port, path)
    assert path.read_bytes() == DATA


async def test_a_part_that_nobody_has_asked_for(tmp_path: Path) -> None:
    async with answering(telling(range_answer(0))) as port:
        with pytest.raises(TransferRefused, match="206"):
            await download(port, tmp_path / "f")


async def test_a_file_without_an_end(tmp_path: Path) -> None:
    async def script(stream: SocketStream) -> None:
        await hear(stream)
        await stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send(DATA)

    async with answering(script) as port:
        with pytest.raises(FileTooLarge, match="1000000 bytes"):
            await download(port, tmp_path / "f", most=1_000_000)
    assert names(tmp_path) == []


class Pieces:
    """Pieces that no generator makes."""

    def __init__(self, *pieces: bytes) -> None:
        self._left = [*pieces]

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop(0)


async def test_pieces_that_no_generator_makes() -> None:
    async with opened(Pieces(b"", b"a", b"b"), size=2) as source:
        assert source.size == 2
        assert [await source.read() for _ in range(3)] == [b"a", b"b", b""]


async def test_what_comes_after_the_end_of_patience(tmp_path: Path) -> None:
    """Pieces that have arrived together with one that was too much."""
    chunks = b"4\r\nabcd\r\n" * 5
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    async with answering(telling(head + chunks + b"0\r\n\r\n")) as port:
        with pytest.raises(FileTooLarge, match="6 bytes"):
            await download(port, tmp_path / "f", most=6)
    assert names(tmp_path) == []


async def test_a_program_that_wants_no_more(tmp_path: Path) -> None:
    def stop(sent: int, total: int | None) -> None:
        if sent:
            raise KeyError(sent)

    async with answering(telling(answer(200))) as port:
        with pytest.raises(KeyError):
            await upload(port, DATA, progress=stop)


async def test_cancelled_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "f"

    async def nothing() -> None:
        """Nothing to look at: what is left open is a warning, and so an error."""

    async with answering(telling(answer(200, DATA))) as port:
        await sweep(partial(upload, port, DATA), nothing)
        await sweep(partial(download, port, path), nothing)
    await anyio.lowlevel.checkpoint()
    assert path.read_bytes() == DATA
    assert names(tmp_path) == ["f"]
