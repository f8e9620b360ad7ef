"""Sealed messages as bytes: devices, contents that only they can read, numbers to compare.

Nothing here waits, asks the server or decides whom to trust; :mod:`.sealing` does. The format is
docs/encryption.md, and the web page's ``sealing.js`` speaks the same. Its rules:

* libsodium does the cryptography, by way of PyNaCl. Here its parts are only put together.
* Whatever is signed or authenticated is a row of fields, each after its length, and the first
  says what the row is for. So no row can be taken for another one.
* What comes is from anybody: it opens, or :class:`Unopened` says why not.
"""

from __future__ import annotations

import enum
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from nacl.bindings import sodium_pad, sodium_unpad
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import Aead
from nacl.signing import SigningKey, VerifyKey
from nacl.utils import random

if TYPE_CHECKING:
    from collections.abc import Iterable

OBJECT_NAME: Final = "Improto:Sealed"
"""The object name of a message that is sealed."""

VERSION: Final = 1
"""Of the format. The numbers below belong to it, and are ours."""

ENTRY_KEY: Final = "sealed:"
"""What keys of a profile begin with that name a device; its id follows."""

MOST_DEVICES: Final = 10
"""Devices of a user. A profile has room for 20 keys in all (sdk5 8.4)."""

LARGEST_INNER: Final = 65_536
"""Bytes of what is sealed. With its keys it fits into the 131072 of a content (wire 7)."""

PADDING: Final = 256
"""What is sealed is as long as a multiple of so many bytes."""

_ID: Final = re.compile(r"[0-9a-f]{20}", re.ASCII)
_TEXT: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{1,15}", re.ASCII)

_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_DIGITS: Final = 5
_GROUPS: Final = 6


class Reason(enum.Enum):
    """Why a sealed message cannot be read."""

    NOT_FOR_US = "it was not sealed for this device"
    NEWER = "a newer program has sealed it"
    UNKNOWN_SENDER = "nobody knows the device that has sealed it"
    DAMAGED = "it is damaged, or not what its sender has sealed"


class Unopened(Exception):
    """A sealed message cannot be read."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A program that can open sealed messages: its public keys."""

    id: str
    """20 hexadecimal digits, made from the keys."""
    signing: bytes
    """Ed25519, 32 bytes."""
    sealing: bytes
    """X25519, 32 bytes."""
    created: int
    """When it made its keys, in ms, as it says itself."""
    signature: bytes
    """By ``signing``, over all of this and the id of its user."""

    @property
    def entry(self) -> str:
        """The device as its user publishes it; :func:`read_device` reads it."""
        parts = (_written(self.signing), _written(self.sealing), str(self.created))
        return ".".join((str(VERSION), *parts, _written(self.signature)))


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDevice:
    """This program's device: the public keys and the secrets."""

    public: Device
    signing: SigningKey
    sealing: PrivateKey

    @classmethod
    def make(
        cls, user_id: str, *, created: int, seed: bytes | None = None, secret: bytes | None = None
    ) -> OwnDevice:
        """The device of a user with these secrets of 32 bytes, by default new ones."""
        signing = SigningKey.generate() if seed is None else SigningKey(seed)
        sealing = PrivateKey.generate() if secret is None else PrivateKey(secret)
        keys = (bytes(signing.verify_key), bytes(sealing.public_key))
        signature = signing.sign(_claim(user_id, *keys, created)).signature
        device_id = _id_of(*keys)
        public = Device(
            id=device_id, signing=keys[0], sealing=keys[1], created=created, signature=signature
        )
        return cls(public=public, signing=signing, sealing=sealing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a sealed message belongs to, and cannot be taken away from."""

    conversation_type: int
    sender_id: str
    receiver_id: str
    """The other user of a private conversation, else the target of the conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """What is sealed."""

    object_name: str
    content: str
    """The content as its bytes would be, UTF-8."""
    time: int
    """When the sender says that it was sealed, in ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A sealed message, read but not opened."""

    device_id: str
    """Which device of the sender has sealed it."""
    keys: dict[str, bytes]
    """The content's key, sealed for each device."""
    nonce: bytes
    """Never used twice, so it names the message, whatever the server calls it."""
    body: bytes
    signature: bytes

    def written(self) -> bytes:
        """The content of the message."""
        members = {
            "v": VERSION,
            "device": self.device_id,
            "keys": {device_id: _written(key) for device_id, key in self.keys.items()},
            "nonce": _written(self.nonce),
            "body": _written(self.body),
            "signature": _written(self.signature),
        }
        return json.dumps(members, separators=(",", ":")).encode()


def read_device(user_id: str, device_id: str, entry: str) -> Device | None:
    """A device as a user has published it; None if it is none, or another user's."""
    version, *parts = entry.split(".")
    if version != str(VERSION) or len(parts) != 4 or not _TIME.fullmatch(parts[2]):
        return None
    try:
        signing, sealing = _bytes(parts[0], _KEY_BYTES), _bytes(parts[1], _KEY_BYTES)
        signature = _bytes(parts[3], _SIGNATURE_BYTES)
        created = int(parts[2])
        VerifyKey(signing).verify(_claim(user_id, signing, sealing, created), signature)
        # There are points that nothing can be sealed for.
        SealedBox(PublicKey(sealing)).encrypt(b"")
    except (ValueError, CryptoError):
        return None
    if _id_of(signing, sealing) != device_id:
        return None
    return Device(
        id=device_id, signing=signing, sealing=sealing, created=created, signature=signature
    )


def seal(own: OwnDevice, place: Place, inner: Inner, receivers: Iterable[Device]) -> bytes:
    """The content of a sealed message that these devices can read.

    ValueError: there is more to be sealed than :data:`LARGEST_INNER`.
    """
    members = {"name": inner.object_name, "content": inner.content, "time": inner.time}
    data = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
    if len(data) > LARGEST_INNER:
        raise ValueError(f"content: {len(data)} bytes, the limit is {LARGEST_INNER}")
    key, nonce = random(Aead.KEY_SIZE), random(Aead.NONCE_SIZE)
    row = _row_of(place, own.public.id)
    body = Aead(key).encrypt(sodium_pad(data, PADDING), row, nonce).ciphertext
    keys = {each.id: SealedBox(PublicKey(each.sealing)).encrypt(key) for each in receivers}
    signature = own.signing.sign(_statement(row, nonce, body, keys)).signature
    return Sealed(
        device_id=own.public.id, keys=keys, nonce=nonce, body=body, signature=signature
    ).written()


def read_sealed(data: bytes) -> Sealed:
    """Read the content of a sealed message. Raises Unopened: NEWER, DAMAGED."""
    members = _members(data)
    version = members.get("v")
    if type(version) is not int or version < VERSION:
        raise Unopened(Reason.DAMAGED)
    if version > VERSION:
        raise Unopened(Reason.NEWER)
    try:
        device_id, keys = members["device"], members["keys"]
        is_whole = _is_id(device_id) and isinstance(keys, dict) and all(map(_is_id, keys))
        if not is_whole:
            raise Unopened(Reason.DAMAGED)
        return Sealed(
            device_id=device_id,
            keys={each: _bytes(keys[each]) for each in keys},
            nonce=_bytes(members["nonce"], Aead.NONCE_SIZE),
            body=_bytes(members["body"]),
            signature=_bytes(members["signature"], _SIGNATURE_BYTES),
        )
    except (KeyError, ValueError) as error:
        raise Unopened(Reason.DAMAGED) from error


def open_sealed(own: OwnDevice, place: Place, sealed: Sealed, sender: Device) -> Inner:
    """What a device of the sender has sealed for us. Raises Unopened: NOT_FOR_US, DAMAGED."""
    row = _row_of(place, sender.id)
    try:
        statement = _statement(row, sealed.nonce, sealed.body, sealed.keys)
        VerifyKey(sender.signing).verify(statement, sealed.signature)
        if own.public.id not in sealed.keys:
            raise Unopened(Reason.NOT_FOR_US)
        key = SealedBox(own.sealing).decrypt(sealed.keys[own.public.id])
        data = sodium_unpad(Aead(key).decrypt(sealed.body, row, sealed.nonce), PADDING)
    except (ValueError, CryptoError) as error:
        raise Unopened(Reason.DAMAGED) from error
    members = _members(data)
    name, content, time = (members.get(each) for each in ("name", "content", "time"))
    if not (isinstance(name, str) and isinstance(content, str) and type(time) is int):
        raise Unopened(Reason.DAMAGED)
    # Numbers of a browser are exact so far.
    if not 0 <= time < 2**53:
        raise Unopened(Reason.DAMAGED)
    return Inner(object_name=name, content=content, time=time)


def number(user_id: str, devices: Iterable[Device]) -> str:
    """The fingerprint of a user with these devices: six groups of five digits.

    The same wherever it is made; another one if any key is another one.
    """
    rows = [
        row for device in sorted(devices, key=_by_id) for row in (device.signing, device.sealing)
    ]
    digest = blake2b(_row("number", user_id, *rows), digest_size=32).digest()
    parts = (digest[_DIGITS * each :][:_DIGITS] for each in range(_GROUPS))
    return " ".join(f"{int.from_bytes(part) % 10**_DIGITS:0{_DIGITS}}" for part in parts)


def _by_id(device: Device) -> str:
    return device.id


def _id_of(signing: bytes, sealing: bytes) -> str:
    return blake2b(_row("id", signing, sealing), digest_size=32).hexdigest()[:20]


def _claim(user_id: str, signing: bytes, sealing: bytes, created: int) -> bytes:
    """What a device signs about itself."""
    return _row("device", user_id, signing, sealing, str(created))


def _row_of(place: Place, device_id: str) -> bytes:
    """What the body is bound to."""
    kind = str(int(place.conversation_type))
    return _row("message", kind, place.sender_id, place.receiver_id, device_id)


def _statement(row: bytes, nonce: bytes, body: bytes, keys: dict[str, bytes]) -> bytes:
    """What the sender signs."""
    pairs = [part for each in sorted(keys) for part in (each, keys[each])]
    return _row("signature", row, nonce, body, *pairs)


def _row(purpose: str, *parts: str | bytes) -> bytes:
    row = bytearray()
    for part in (f"improto/sealed/{VERSION}/{purpose}", *parts):
        data = part.encode() if isinstance(part, str) else part
        row += len(data).to_bytes(4) + data
    return bytes(row)


def _members(data: bytes) -> dict[str, Any]:
    try:
        members = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unopened(Reason.DAMAGED) from error
    if not isinstance(members, dict):
        raise Unopened(Reason.DAMAGED)
    return members


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _written(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: object, length: int | None = None) -> bytes:
    """Read base64 as of URLs, without padding. ValueError: it is none, or of another length."""
    if not isinstance(text, str) or not _TEXT.fullmatch(text):
        raise ValueError("this is no base64")
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _written(data) != text or length not in (None, len(data)):
        raise ValueError("this is no base64 of that length")
    return data
