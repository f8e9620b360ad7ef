"""Sealed conversations with the real server: who reads what, and whom is believed."""

from __future__ import annotations

import ast
import json
import sqlite3
import stat
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import anyio.lowlevel
import pytest

from improto.contents import Image, Text, Unknown
from improto.messages import Conversation
from improto_client import (
    DamagedStore,
    ForeignStore,
    LockedStore,
    Malformed,
    NewerStore,
    Refused,
    UnusableStore,
    Visibility,
)
from improto_client.sealed import ENTRY_KEY, MOST_DEVICES, OBJECT_NAME, OwnDevice
from improto_client.sealing import (
    KeyFile,
    KeysChanged,
    MemoryKeys,
    NoKeys,
    Reason,
    SealingError,
    TooManyDevices,
    Trust,
    start,
)
from tests.client.test_im import ANN, BOB, TEAM, House, following, house
from tests.samples import DOCS, programs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from improto_client import Im
    from improto_client.sealing import Opened, Sealing

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_hangs")]


class Person(NamedTuple):
    """A user's program."""

    im: Im
    sealing: Sealing

    async def next(self) -> Opened:
        """The next message, opened."""
        return await self.sealing.open(await following(self.im))


class Stage:
    """A server and programs that are devices."""

    def __init__(self, at: House, stack: AsyncExitStack) -> None:
        self.at = at
        self._stack = stack

    async def enter(self, user: str, keys: Any = None, **options: Any) -> Person:
        """A program of a user, with keys of its own."""
        im = await self._stack.enter_async_context(self.at.connect(user))
        return await self.sealing(im, keys, **options)

    async def sealing(self, im: Im, keys: Any = None, **options: Any) -> Person:
        """A device for a program that is there."""
        keys = MemoryKeys() if keys is None else keys
        return Person(im, await self._stack.enter_async_context(start(im, keys, **options)))


@asynccontextmanager
async def stage(path: Path, **more: Any) -> AsyncIterator[Stage]:
    several = {"messages.multi_device": True}
    async with house(path, **several, **more) as at, AsyncExitStack() as stack:
        yield Stage(at, stack)


@asynccontextmanager
async def talking(path: Path, **options: Any) -> AsyncIterator[tuple[Stage, Person, Person]]:
    """Ann and Bob, who have turned it on for each other."""
    async with stage(path) as on:
        ann, bob = await on.enter("ann", **options), await on.enter("bob")
        await ann.sealing.turn_on(BOB)
        await bob.sealing.turn_on(ANN)
        yield on, ann, bob


def forget_lists(*people: Person) -> None:
    """A minute has passed."""
    for person in people:
        person.sealing._lists.clear()
        person.sealing._missed.clear()


# -- messages -----------------------------------------------------------------------------------


async def test_messages(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, ann, bob):
        assert ann.sealing.is_on(BOB)
        sent = await ann.sealing.send(BOB, "the secret", push_text="a message")
        message = await following(bob.im)
        assert message.raw.object_name == OBJECT_NAME
        assert message.text is None
        assert b"secret" not in message.raw.content
        opened = await bob.sealing.open(message)
        assert (opened.text, opened.message.uid) == ("the secret", sent.uid)
        assert (opened.is_sealed, opened.trust, opened.reason) == (True, Trust.UNVERIFIED, None)
        assert abs(opened.written_at - sent.time) < 60_000
        assert not opened.is_repeated
        # What is answered is sealed as well, whatever it is.
        await bob.sealing.send(message, Image(content="x", image_uri="u"), is_silent=True)
        answer = await ann.next()
        assert answer.message.content == Image(content="x", image_uri="u")
        again = await ann.sealing.open(answer.message)
        assert again.message.content == answer.message.content
        history = [await ann.sealing.open(each) async for each in ann.im.messages.history(BOB)]
        assert [each.reason for each in history] == [None, None]
        assert history[1].text == "the secret"
        assert history[1].trust is Trust.VERIFIED
        await ann.im.messages.send(BOB, "not a secret")
        plain = await bob.next()
        assert (plain.text, plain.is_sealed, plain.trust) == ("not a secret", False, None)


def contents_of(folder: Path) -> bytes:
    """All bytes of all files."""
    return b"".join(each.read_bytes() for each in folder.iterdir())


async def test_the_server_has_nothing_but_what_is_sealed(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, ann, bob):
        await ann.sealing.send(BOB, "the-secret-words")
        assert (await bob.next()).text == "the-secret-words"
    everything = contents_of(tmp_path)
    assert OBJECT_NAME.encode() in everything
    assert b"secret-words" not in everything


async def test_what_cannot_be_sealed(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, ann, _bob):
        with pytest.raises(Malformed, match="limit is 65536"):
            await ann.sealing.send(BOB, "x" * 65_536)
        with pytest.raises(Malformed, match="content: "):
            await ann.sealing.send(BOB, Unknown(object_name="my:own", data=b"\xff"))
        with pytest.raises(Malformed, match="content: "):
            await ann.sealing.send(BOB, Text("half a pair \ud800"))
        with pytest.raises(Malformed, match="private"):
            await ann.sealing.send(TEAM, "hi")
        with pytest.raises(Malformed, match="private"):
            await ann.sealing.turn_on(TEAM)
        assert not ann.sealing.is_on(TEAM)
        await ann.sealing.turn_off(BOB)
        with pytest.raises(Malformed, match="turn_on"):
            await ann.sealing.send(BOB, "hi")
        with pytest.raises(ValueError, match="when_changed"):
            async with start(ann.im, MemoryKeys(), when_changed="trust"):  # type: ignore[arg-type]
                pass


async def test_what_cannot_be_opened(tmp_path: Path) -> None:
    async with talking(tmp_path) as (on, ann, bob):
        await ann.sealing.send(BOB, "hi")
        message = await following(bob.im)
        late = await on.sealing(bob.im)
        opened = await late.sealing.open(message)
        assert opened.message is message
        assert (opened.is_sealed, opened.trust) == (True, None)
        assert opened.reason is Reason.NOT_FOR_US
        assert opened.text is None
        raw = replace(message.raw, content=b"garbage")
        opened = await bob.sealing.open(replace(message, raw=raw))
        assert opened.reason is Reason.DAMAGED
        opened = await bob.sealing.open(replace(message, sender_id="eve"))
        assert opened.reason is Reason.UNKNOWN_SENDER


async def test_a_message_that_comes_twice(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, ann, bob):
        await ann.sealing.send(BOB, "yes")
        message = await following(bob.im)
        assert not (await bob.sealing.open(replace(message, uid=""))).is_repeated
        assert not (await bob.sealing.open(message)).is_repeated
        assert not (await bob.sealing.open(message)).is_repeated
        assert (await bob.sealing.open(replace(message, uid="other"))).is_repeated


async def test_only_so_much_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("improto_client.sealing.MOST_REMEMBERED", 1)
    async with talking(tmp_path) as (_, ann, bob):
        await ann.sealing.send(BOB, "one")
        await ann.sealing.send(BOB, "two")
        messages = [await following(bob.im), await following(bob.im)]
        for message in messages:
            await bob.sealing.open(message)
        assert len(bob.sealing._seen) == len(bob.sealing._lists) == 1


# -- trust --------------------------------------------------------------------------------------


async def test_verifying(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        ann, bob = await on.enter("ann"), await on.enter("bob")
        before = await ann.sealing.fingerprint("bob")
        assert (before.trust, len(before.new)) == (Trust.UNKNOWN, 1)
        seen = await ann.sealing.turn_on(BOB)
        assert (seen.trust, seen.new) == (Trust.UNVERIFIED, ())
        own = await bob.sealing.fingerprint()
        assert own.trust is Trust.VERIFIED
        assert own.devices[0].id == bob.sealing.device_id
        assert own.number == seen.number == before.number
        await ann.sealing.verify(seen)
        assert (await ann.sealing.turn_on(BOB)).trust is Trust.VERIFIED
        await bob.sealing.turn_on(ANN)
        await bob.sealing.send(ANN, "hi")
        assert (await ann.next()).trust is Trust.VERIFIED


async def test_who_is_not_known(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        ann, bob = await on.enter("ann"), await on.enter("bob")
        await ann.sealing.turn_on(BOB)
        await ann.sealing.send(BOB, "hi")
        assert (await bob.next()).trust is Trust.UNKNOWN


async def test_new_devices_block(tmp_path: Path) -> None:
    async with talking(tmp_path) as (on, ann, bob):
        await ann.sealing.verify(await ann.sealing.fingerprint("bob"))
        phone = await on.sealing(bob.im)
        await phone.sealing.turn_on(ANN)
        await phone.sealing.send(ANN, "from my phone")
        opened = await ann.next()
        assert (opened.text, opened.trust) == ("from my phone", Trust.CHANGED)
        with pytest.raises(KeysChanged, match="'bob' has devices that were not accepted") as error:
            await ann.sealing.send(BOB, "hi")
        assert isinstance(error.value, SealingError)
        assert error.value.user_id == "bob"
        assert "ompare" in error.value.advice
        seen = await ann.sealing.fingerprint("bob")
        assert seen.trust is Trust.CHANGED
        assert [each.id for each in seen.new] == [phone.sealing.device_id]
        # Turning it on again does not accept anything.
        assert (await ann.sealing.turn_on(BOB)).trust is Trust.CHANGED
        await ann.sealing.accept(seen)
        assert (await ann.sealing.fingerprint("bob")).trust is Trust.UNVERIFIED
        await ann.sealing.send(BOB, "hi, both")
        message = await following(bob.im)
        assert (await bob.sealing.open(message)).text == "hi, both"
        assert (await phone.sealing.open(message)).text == "hi, both"
        await bob.sealing.send(ANN, "from my desk")
        assert (await ann.next()).trust is Trust.VERIFIED


async def test_new_devices_are_left_out(tmp_path: Path) -> None:
    async with talking(tmp_path, when_changed="leave out") as (on, ann, bob):
        phone = await on.sealing(bob.im)
        forget_lists(ann)
        await ann.sealing.send(BOB, "hi")
        message = await following(bob.im)
        assert (await bob.sealing.open(message)).text == "hi"
        assert (await phone.sealing.open(message)).reason is Reason.NOT_FOR_US
        await bob.sealing.remove_device(bob.sealing.device_id)
        forget_lists(ann)
        with pytest.raises(KeysChanged):
            await ann.sealing.send(BOB, "hi")


async def test_a_device_that_comes_back_is_new(tmp_path: Path) -> None:
    async with talking(tmp_path) as (on, ann, bob):
        phone = await on.sealing(bob.im)
        await ann.sealing.verify(await ann.sealing.fingerprint("bob"))
        await phone.sealing.turn_on(ANN)
        await phone.sealing.send(ANN, "hi")
        message = await following(ann.im)
        await bob.sealing.remove_device(phone.sealing.device_id)
        assert (await ann.sealing.fingerprint("bob")).trust is Trust.VERIFIED
        # What it has said can still be read.
        opened = await ann.sealing.open(message)
        assert (opened.text, opened.trust) == ("hi", Trust.CHANGED)
        await phone.sealing.publish()
        assert (await ann.sealing.fingerprint("bob")).trust is Trust.CHANGED
        with pytest.raises(Malformed, match="there is no device 'x'"):
            await bob.sealing.remove_device("x")


async def test_without_devices(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, ann, bob):
        with pytest.raises(NoKeys, match="'carl' has no device"):
            await ann.sealing.turn_on(Conversation.private("carl"))
        await ann.sealing.verify(await ann.sealing.fingerprint("bob"))
        # He hides: what was said of his devices stays.
        await bob.im.users.set_visibility(Visibility.NOBODY)
        forget_lists(ann)
        with pytest.raises(NoKeys) as error:
            await ann.sealing.send(BOB, "hi")
        assert "start encryption" in error.value.advice
        assert (await ann.sealing.fingerprint("bob")).trust is Trust.CHANGED
        await bob.im.users.set_visibility(Visibility.EVERYBODY)
        assert (await ann.sealing.fingerprint("bob")).trust is Trust.VERIFIED


# -- own devices --------------------------------------------------------------------------------


async def test_own_devices(tmp_path: Path) -> None:
    async with talking(tmp_path) as (on, ann, _):
        phone = await on.enter("ann")
        forget_lists(ann)
        await ann.sealing.send(BOB, "one")
        assert (await phone.next()).reason is Reason.NOT_FOR_US
        own = await ann.sealing.fingerprint()
        assert own.trust is Trust.CHANGED
        assert [each.id for each in own.new] == [phone.sealing.device_id]
        await ann.sealing.verify(own)
        assert (await ann.sealing.fingerprint()).trust is Trust.VERIFIED
        await ann.sealing.send(BOB, "two")
        copy = await phone.next()
        assert (copy.text, copy.message.is_mine, copy.trust) == ("two", True, Trust.CHANGED)


async def test_too_many_devices(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        ann = await on.enter("ann")
        more = [OwnDevice.make("ann", created=1).public for _ in range(MOST_DEVICES)]
        entries = {ENTRY_KEY + each.id: each.entry for each in more[1:]}
        await ann.im.users.update(extra=entries | {"mood": "good", f"{ENTRY_KEY}x": "garbage"})
        keys = MemoryKeys()
        with pytest.raises(TooManyDevices, match="'ann' has 10 devices already"):
            await on.enter("ann", keys)
        await ann.sealing.publish()
        await ann.im.users.update(extra={ENTRY_KEY + more[0].id: more[0].entry})
        assert len((await ann.sealing.fingerprint()).devices) == MOST_DEVICES
        for each in more:
            await ann.im.users.update(extra={ENTRY_KEY + each.id: ""})
        assert len((await on.enter("ann", keys)).sealing.device_id) == 20


async def test_who_was_removed_stays_removed(tmp_path: Path) -> None:
    keys = MemoryKeys()
    async with talking(tmp_path) as (on, ann, _):
        phone = await on.sealing(ann.im, keys)
        await ann.sealing.remove_device(phone.sealing.device_id)
        again = await on.sealing(ann.im, keys)
        assert again.sealing.device_id == phone.sealing.device_id
        assert len((await ann.sealing.fingerprint()).devices) == 1


async def test_where_profiles_are_off(tmp_path: Path) -> None:
    async with house(tmp_path, **{"users.profiles": False}) as at, at.connect("ann") as im:
        with pytest.raises(Refused) as error:
            async with start(im, MemoryKeys()):
                pass
        assert error.value.code == 24369


async def test_a_server_that_does_not_tell(tmp_path: Path) -> None:
    async with talking(tmp_path) as (on, ann, bob):
        phone = await on.sealing(ann.im)
        await phone.sealing.turn_on(BOB)
        await phone.sealing.send(BOB, "hi")
        message = await following(bob.im)
        profile = bob.im.users.profile

        async def refuses(user_id: str | None = None) -> Any:
            raise Refused(20604)

        bob.im.users.profile = refuses  # type: ignore[method-assign]
        assert (await bob.sealing.open(message)).reason is Reason.UNKNOWN_SENDER
        bob.im.users.profile = profile  # type: ignore[method-assign]
        assert (await bob.sealing.open(message)).text == "hi"


async def test_strangers_cannot_have_the_server_asked_again_and_again(tmp_path: Path) -> None:
    async with talking(tmp_path) as (_, ann, bob):
        await ann.sealing.send(BOB, "hi")
        message = await following(bob.im)
        members = json.loads(message.raw.content) | {"device": "0" * 20}
        forged = replace(message, raw=replace(message.raw, content=json.dumps(members).encode()))
        profile, asked = bob.im.users.profile, []

        async def counts(user_id: str | None = None) -> Any:
            asked.append(user_id)
            return await profile(user_id)

        bob.im.users.profile = counts  # type: ignore[method-assign]
        for _ in range(3):
            assert (await bob.sealing.open(forged)).reason is Reason.UNKNOWN_SENDER
        assert asked == ["ann"]


# -- the store ----------------------------------------------------------------------------------


async def test_keys_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ann.keys"
    async with talking(tmp_path) as (on, _, bob):
        async with on.at.connect("ann") as im:
            async with start(im, path) as sealing:
                await sealing.turn_on(BOB)
                await sealing.verify(await sealing.fingerprint("bob"))
                device_id = sealing.device_id
                with pytest.raises(LockedStore):
                    async with start(im, path):
                        pass
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            async with start(im, str(path)) as sealing:
                assert sealing.device_id == device_id
                assert sealing.is_on(BOB)
                assert (await sealing.fingerprint("bob")).trust is Trust.VERIFIED
        with pytest.raises(ForeignStore, match="'ann'"):
            await on.sealing(bob.im, path)


def changed(path: Path, script: str) -> Path:
    """A file with keys, in which something was changed."""
    keys = KeyFile(path)
    keys.open()
    keys.set("peer:bob", "{}")
    keys.close()
    database = sqlite3.connect(path)
    database.executescript(script)
    database.close()
    return path


async def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no keys at all" * 100)
    with pytest.raises(DamagedStore):
        KeyFile(tmp_path / "text").open()
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE cats (name TEXT)")
    other.close()
    with pytest.raises(DamagedStore, match="no file of keys"):
        KeyFile(tmp_path / "other").open()
    with pytest.raises(NewerStore, match="version 7"):
        KeyFile(changed(tmp_path / "newer", "PRAGMA user_version = 7")).open()
    with pytest.raises(UnusableStore):
        KeyFile(tmp_path / "nowhere" / "keys").open()
    closed = KeyFile(tmp_path / "keys")
    with pytest.raises(UnusableStore, match="not open"):
        closed.set("key", "text")
    closed.close()


@pytest.mark.parametrize("text", ["[]", "{", '{"user":"ann"}', '{"user":"ann","created":[]}'])
async def test_keys_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    keys = MemoryKeys()
    keys.set("device", text)
    async with house(tmp_path) as at, at.connect("ann") as im:
        with pytest.raises(DamagedStore, match="keys of this device"):
            async with start(im, keys):
                pass


@pytest.mark.parametrize("text", ["[]", "{", '{"x":1}', '{"x":["1.A","verified"]}'])
async def test_trust_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    keys = MemoryKeys()
    keys.set("peer:bob", text)
    async with stage(tmp_path) as on:
        ann = await on.enter("ann", keys)
        with pytest.raises(DamagedStore, match="'bob'"):
            await ann.sealing.fingerprint("bob")


# -- the manual ---------------------------------------------------------------------------------


async def test_the_program_of_the_manual(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [program] = programs(DOCS / "encryption.md")
    code = compile(program, "encryption.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    async with stage(tmp_path) as on:
        bob = await on.enter("bob")
        async with on.at.connect("ann") as im, anyio.create_task_group() as tasks:

            async def run() -> None:
                await eval(code, {"im": im})

            tasks.start_soon(run)
            assert (await bob.next()).text == "for your eyes only"
            await bob.sealing.turn_on(ANN)
            await bob.sealing.send(ANN, "thank you")
            own = await bob.sealing.fingerprint()
            printed = ""
            while "thank you" not in printed:
                await anyio.lowlevel.checkpoint()
                printed += capsys.readouterr().out
            tasks.cancel_scope.cancel()
    assert f"Bob's number: {own.number}" in printed
    assert "Trust.UNVERIFIED None thank you" in printed
