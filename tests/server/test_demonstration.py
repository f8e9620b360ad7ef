"""What the demo has to show: put in once, whatever happens, on both event loops."""

from __future__ import annotations

import signal
import struct
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from sqlalchemy import func, select

from improto_server import demonstration, pictures
from improto_server.accounts import server as account_server
from improto_server.accounts.passwords import Passwords
from improto_server.app import Application
from improto_server.app import run as run_server
from improto_server.config import load
from improto_server.demonstration import APP, EVERYBODY
from improto_server.store import app_accounts
from improto_server.store.friends import friends_of
from improto_server.store.schema import messages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from improto_server.config import Settings

SECRET = "s" * 32


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_server, "Passwords", partial(Passwords, memory=8, rounds=1))


def run(
    tmp_path: Path, scenario: Callable[[Application], Awaitable[None]], backend: str = "asyncio"
) -> None:
    settings = settings_for(tmp_path, backend)

    async def bounded() -> None:
        with anyio.fail_after(30):
            application = Application(settings)
            async with application.listening():
                await scenario(application)

    anyio.run(bounded, backend=backend)


def settings_for(tmp_path: Path, backend: str) -> Settings:
    return load(
        environment={},
        overrides={
            "accounts.enabled": True,
            "apps": [{"key": APP, "secret": SECRET}],
            "gateway.backend": backend,
            "gateway.port": 0,
            "store.durable": False,
            "store.url": f"sqlite:///{tmp_path / 'messages.db'}",
            "web.enabled": True,
            "web.port": 0,
        },
    )


async def read(application: Application, query: Callable[[Connection], Any]) -> Any:
    server = application.account_server
    assert server is not None
    return await server.house.records.read(query)


def how_many(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(messages)) or 0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_it_is_put_in_once(tmp_path: Path, backend: str) -> None:
    counts = []

    async def scenario(application: Application) -> None:
        await demonstration.furnish(application, SECRET)
        counts.append(await read(application, how_many))
        server = application.account_server
        assert server is not None
        for person in EVERYBODY:
            by_email = partial(app_accounts.by_email, app=APP, email=person.email)
            account = await read(application, by_email)
            assert account.user_id == person.user
            assert await server.house.passwords.fits(
                demonstration.password(SECRET), account.password
            )
            found = await server.portraits.find(account.portrait)
            assert found is not None
            assert found[0].read_bytes() == pictures.portrait(person.user)
            friends = await read(application, partial(friends_of, app=APP, user=person.user))
            assert sorted([*friends, person.user]) == sorted(each.user for each in EVERYBODY)

    run(tmp_path, scenario, backend)
    run(tmp_path, scenario, backend)
    assert counts[0] == counts[1] > len(EVERYBODY)


def test_it_is_there_before_anybody_hears_of_the_server(tmp_path: Path) -> None:
    marker = tmp_path / "messages.db-furnished"
    heard = []

    def announce(url: str) -> None:
        heard.append(marker.exists())
        signal.raise_signal(signal.SIGINT)

    async def furnish(application: Application) -> None:
        await demonstration.furnish(application, SECRET)

    run_server(settings_for(tmp_path, "asyncio"), announce, furnish)
    assert heard == [True]


def test_it_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    async def scenario(application: Application) -> None:
        await demonstration.furnish(application, SECRET)
        (tmp_path / "messages.db-furnished").unlink()
        await demonstration.furnish(application, SECRET)
        query = partial(app_accounts.by_email, app=APP, email=EVERYBODY[0].email)
        assert (await read(application, query)).user_id == EVERYBODY[0].user

    run(tmp_path, scenario)
    assert (tmp_path / "messages.db-furnished").exists()


def test_a_portrait_is_a_picture_of_its_owner() -> None:
    data = pictures.portrait("alice")
    assert data == pictures.portrait("alice") != pictures.portrait("bob")
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, rest = {}, data[8:]
    while rest:
        (length,), kind = struct.unpack(">I", rest[:4]), rest[4:8]
        body, checksum = rest[8 : 8 + length], rest[8 + length : 12 + length]
        assert struct.unpack(">I", checksum) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        rest = rest[12 + length :]
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colours = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (width, height, depth, colours) == (pictures.SIDE, pictures.SIDE, 8, 2)
    rows = zlib.decompress(chunks[b"IDAT"])
    assert len(rows) == height * (1 + 3 * width)
    middle = height // 2 * (1 + 3 * width) + 1 + 3 * (width // 2)
    assert rows[middle] > 220 > rows[1]
