"""Sealed messages as bytes: what opens, and everything that does not."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import Any

import pytest
from nacl.bindings import sodium_pad

from improto_client.sealed import (
    LARGEST_INNER,
    Device,
    Inner,
    OwnDevice,
    Place,
    Reason,
    Unopened,
    number,
    open_sealed,
    read_device,
    read_sealed,
    seal,
)


def made(user: str, first: int) -> OwnDevice:
    """A device with keys that are always the same."""
    return OwnDevice.make(
        user, created=1_700_000_000_000, seed=bytes([first]) * 32, secret=bytes([first + 1]) * 32
    )


ANN, BOB, EVE = made("ann", 1), made("bob", 3), made("eve", 5)
PLACE = Place(conversation_type=1, sender_id="ann", receiver_id="bob")
INNER = Inner(object_name="RC:TxtMsg", content='{"content":"héllo"}', time=1_700_000_000_001)


def opened(data: bytes, own: OwnDevice = BOB, sender: Device = ANN.public) -> Inner:
    return open_sealed(own, PLACE, read_sealed(data), sender)


def reason(data: bytes, own: OwnDevice = BOB, sender: Device = ANN.public) -> Reason:
    with pytest.raises(Unopened) as error:
        opened(data, own, sender)
    assert str(error.value) == error.value.reason.value
    return error.value.reason


def sealed() -> bytes:
    return seal(ANN, PLACE, INNER, [BOB.public, ANN.public])


def test_who_opens_it() -> None:
    data = sealed()
    assert b"llo" not in data
    assert opened(data) == opened(data, ANN) == INNER
    assert reason(data, EVE) is Reason.NOT_FOR_US
    assert sealed() != data


def test_lengths_do_not_tell_much() -> None:
    lengths = {
        len(seal(ANN, PLACE, replace(INNER, content="x" * size), [BOB.public]))
        for size in range(150)
    }
    assert len(lengths) == 1


def test_the_largest() -> None:
    around = len(b'{"name":"RC:TxtMsg","content":"","time":1700000000001}')
    most = replace(INNER, content="x" * (LARGEST_INNER - around))
    assert opened(seal(ANN, PLACE, most, [BOB.public])) == most
    with pytest.raises(ValueError, match="content: 65537 bytes, the limit is 65536"):
        seal(ANN, PLACE, replace(most, content=most.content + "x"), [BOB.public])


@pytest.mark.parametrize(
    "place",
    [
        replace(PLACE, conversation_type=3),
        replace(PLACE, sender_id="eve"),
        replace(PLACE, receiver_id="carl"),
        # Fields are told apart.
        replace(PLACE, sender_id="annb", receiver_id="ob"),
    ],
)
def test_in_another_place_it_does_not_open(place: Place) -> None:
    with pytest.raises(Unopened) as error:
        open_sealed(BOB, place, read_sealed(sealed()), ANN.public)
    assert error.value.reason is Reason.DAMAGED


def test_a_receiver_cannot_say_something_else_in_it() -> None:
    theirs = read_sealed(seal(EVE, PLACE, INNER, [BOB.public]))
    forged = replace(theirs, device_id=ANN.public.id)
    assert reason(forged.written()) is Reason.DAMAGED
    other = read_sealed(seal(ANN, PLACE, INNER, [EVE.public]))
    mixed = replace(read_sealed(sealed()), keys=other.keys)
    assert reason(mixed.written(), EVE) is Reason.DAMAGED


def test_every_part_counts() -> None:
    members = json.loads(sealed())
    for name in ("nonce", "body", "signature"):
        text = members[name]
        changed = members | {name: ("B" if text[0] == "A" else "A") + text[1:]}
        assert reason(json.dumps(changed).encode()) is Reason.DAMAGED


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 0},
        {"v": "1"},
        {"v": None},
        {"v": True},
        {"device": "ann"},
        {"device": 7},
        {"keys": []},
        {"keys": {"x": "AAAA"}},
        {"keys": {"0" * 20: 7}},
        {"keys": {"0" * 20: "A"}},
        {"nonce": "AAAA"},
        {"nonce": "?"},
        {"body": "AB"},
        {"body": ["AA"]},
        {"signature": ""},
    ],
)
def test_what_is_no_sealed_message(changes: dict[str, Any]) -> None:
    assert reason(json.dumps(json.loads(sealed()) | changes).encode()) is Reason.DAMAGED


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"{}", b"null", b"[" * 100_000])
def test_garbage(data: bytes) -> None:
    assert reason(data) is Reason.DAMAGED


def test_a_newer_format() -> None:
    assert reason(json.dumps({"v": 2}).encode()) is Reason.NEWER


@pytest.mark.parametrize(
    "members",
    [
        {"name": 1},
        {"content": None},
        {"content": {}},
        {"time": True},
        {"time": -1},
        {"time": 2**53},
        {"time": 1.5},
    ],
)
def test_what_a_sender_seals_may_be_anything(
    members: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = {"name": "RC:TxtMsg", "content": "{}", "time": 1}
    data = json.dumps(usual | members).encode()
    # What is sealed is what a dishonest program would seal.
    monkeypatch.setattr(
        "improto_client.sealed.sodium_pad", lambda _, block: sodium_pad(data, block)
    )
    assert reason(sealed()) is Reason.DAMAGED


def test_devices() -> None:
    entry = ANN.public.entry
    assert read_device("ann", ANN.public.id, entry) == ANN.public
    assert len(entry) < 1024
    assert read_device("bob", ANN.public.id, entry) is None
    assert read_device("ann", BOB.public.id, entry) is None


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (0, "2"),
        (1, "AAAA"),
        (2, urlsafe_b64encode(bytes(32)).decode().rstrip("=")),
        (3, "x"),
        (3, "1" * 16),
        (3, "1700000000001"),
        (4, "A" * 86),
        (4, "A" * 86 + ".A"),
    ],
)
def test_what_is_no_device(place: int, text: str) -> None:
    parts = ANN.public.entry.split(".")
    parts[place] = text
    assert read_device("ann", ANN.public.id, ".".join(parts)) is None


def test_a_device_that_nothing_can_be_sealed_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It signs as it should, but with such a key everybody could read."""

    class Secret:
        public_key = bytes(32)

    monkeypatch.setattr("improto_client.sealed.PrivateKey", lambda _: Secret())
    weak = OwnDevice.make("ann", created=1, seed=bytes(32), secret=bytes(32)).public
    assert read_device("ann", weak.id, weak.entry) is None


def test_numbers() -> None:
    both = [ANN.public, EVE.public]
    told = number("ann", both)
    assert told == number("ann", both[::-1])
    assert [len(group) for group in told.split(" ")] == [5] * 6
    assert told.replace(" ", "").isdecimal()
    assert len({told, number("bob", both), number("ann", both[:1]), number("ann", [])}) == 4


def test_keys_are_secrets() -> None:
    new, other = (OwnDevice.make("ann", created=1) for _ in range(2))
    assert new.public.id != other.public.id
    assert opened(seal(ANN, PLACE, INNER, [new.public]), new) == INNER
