"""End-to-end encryption for the conversations that a user wants it for: ``sealing.start``.

docs/encryption.md says what it protects from, and what not. The rules here:

* Every program of a user is a device with keys of its own, which it publishes in the user's
  profile. A message is sealed for all devices of the other one, and for the user's own.
* A device that the user has not accepted gets nothing. One that appears later stops sending, until
  it is accepted or, if the program wants that, just gets nothing.
* What cannot be opened comes out as it is, with the reason.

Needs PyNaCl: ``pip install improto[sealed]``.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, TypeVar

import anyio
import anyio.to_thread

from improto import contents
from improto.codes import ConversationType
from improto.contents import Text, Unknown
from improto.errors import EncodeError
from improto_client.errors import ImError, Malformed
from improto_client.sealed import (
    ENTRY_KEY,
    MOST_DEVICES,
    OBJECT_NAME,
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
from improto_client.sealing_keys import Kept, KeyFile, KeyStore, MemoryKeys, Pin, without
from improto_client.sealing_values import (
    Fingerprint,
    KeysChanged,
    NoKeys,
    Opened,
    SealingError,
    TooManyDevices,
    Trust,
)
from improto_client.values import Message, Sent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping

    from improto.contents import Content, Registry
    from improto.messages import Conversation
    from improto_client.im import Im
    from improto_client.sealed import Sealed
    from improto_client.sealing_keys import State

__all__ = [
    "Device",
    "Fingerprint",
    "KeyFile",
    "KeyStore",
    "KeysChanged",
    "MemoryKeys",
    "NoKeys",
    "Opened",
    "Reason",
    "Sealing",
    "SealingError",
    "TooManyDevices",
    "Trust",
    "start",
]

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")

WhenChanged: TypeAlias = Literal["block", "leave out"]

FRESH: Final = 60.0
"""Seconds for which a list of devices is believed to be the newest. Ours."""

MOST_REMEMBERED: Final = 1000
"""Lists of devices, and messages that were opened: the newest ones. Ours."""


class _List(NamedTuple):
    devices: Mapping[str, Device]
    time: float


@asynccontextmanager
async def start(
    im: Im,
    keys: KeyStore | str | PathLike[str],
    *,
    registry: Registry | None = None,
    when_changed: WhenChanged = "block",
) -> AsyncIterator[Sealing]:
    """Be a device that can open sealed messages, and send them, for the rest of the block.

    ``keys`` is the path of a file for this user and app, or an object like those of
    :mod:`.sealing_keys`. The first time, keys are made and published. ``registry`` knows the
    application's own contents. ``when_changed`` says what becomes of a message to somebody who has
    new devices: "block" raises KeysChanged, "leave out" sends it to the accepted ones only.

    Raises StoreError if the keys cannot be kept, ForeignStore if they are another user's,
    TooManyDevices, Refused with 24369 where the server has no profiles, and what every request
    raises.
    """
    if when_changed not in ("block", "leave out"):
        raise ValueError(f"when_changed: block or leave out, not {when_changed!r}")
    store = KeyFile(keys) if isinstance(keys, str | PathLike) else keys
    in_thread = anyio.CapacityLimiter(1)
    texts = await anyio.to_thread.run_sync(store.open, limiter=in_thread)
    try:
        sealing = Sealing(
            im,
            Kept(store, texts, in_thread, user_id=im.user_id),
            registry=registry,
            when_changed=when_changed,
        )
        await sealing._begin()
        yield sealing
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(store.close, limiter=in_thread)


class Sealing:
    """What :func:`start` gives. All methods raise what every request raises, and StoreError."""

    def __init__(
        self, im: Im, kept: Kept, *, registry: Registry | None, when_changed: WhenChanged
    ) -> None:
        self._im = im
        self._kept = kept
        self._own: OwnDevice
        self._registry = registry
        self._when_changed = when_changed
        self._lists: dict[str, _List] = {}
        self._missed: dict[tuple[str, str], float] = {}
        self._seen: dict[bytes, str] = {}

    # -- conversations ---------------------------------------------------------------

    async def turn_on(self, conversation: Conversation) -> Fingerprint:
        """Have messages to a user sealed from now on; returns his fingerprint, to be compared.

        The devices he has when that is done for the first time are accepted, unverified.
        Raises NoKeys, or Malformed for what is no private conversation.
        """
        user_id = _partner(conversation)
        fingerprint = await self.fingerprint(user_id)
        if not fingerprint.devices:
            raise NoKeys(user_id)
        if fingerprint.trust is Trust.UNKNOWN:
            await self.accept(fingerprint)
        await self._kept.turn(user_id, is_on=True)
        return await self.fingerprint(user_id)

    async def turn_off(self, conversation: Conversation) -> None:
        """Have messages to a user sealed no longer. What is known of his devices stays."""
        await self._kept.turn(_partner(conversation), is_on=False)

    def is_on(self, conversation: Conversation) -> bool:
        """Whether messages of this conversation are sealed."""
        is_private = conversation.type == ConversationType.PRIVATE
        return is_private and self._kept.is_on(conversation.target_id)

    # -- messages --------------------------------------------------------------------

    async def send(
        self,
        to: Conversation | Message,
        content: str | Content,
        *,
        is_silent: bool = False,
        push_text: str | None = None,
    ) -> Sent:
        """Seal a text or any content, and send it; never anything that is not sealed.

        Like :meth:`.messages.Messages.send`. ``push_text`` is not sealed. Raises NoKeys,
        KeysChanged, or Malformed: the conversation is not turned on, or the content is no text or
        longer than 65536 bytes with what is around it.
        """
        conversation = to.conversation if isinstance(to, Message) else to
        user_id = _partner(conversation)
        if not self._kept.is_on(user_id):
            raise Malformed(f"messages to {user_id!r} are not sealed: turn_on() was not called")
        content = Text(content) if isinstance(content, str) else content
        inner = Inner(
            object_name=content.object_name,
            content=_text_of(content),
            time=self._now(),
        )
        receivers = [*await self._receivers(user_id), *await self._own_devices()]
        place = Place(
            conversation_type=conversation.type,
            sender_id=self._im.user_id,
            receiver_id=user_id,
        )
        try:
            data = seal(self._own, place, inner, receivers)
        except ValueError as error:
            raise Malformed(str(error)) from error
        outer = Unknown(
            object_name=OBJECT_NAME,
            data=data,
            is_persisted=content.is_persisted,
            is_counted=content.is_counted,
        )
        return await self._im.messages.send(
            conversation, outer, is_silent=is_silent, push_text=push_text
        )

    async def open(self, message: Message) -> Opened:
        """Open a message that was received, or read from history or the local store.

        Never raises because of what is in it. If its sender's device is not known yet, the
        server is asked; where that fails, it is the reason, and opening may be tried again.
        """
        if message.raw.object_name != OBJECT_NAME:
            return _opened(message, is_sealed=False)
        try:
            sealed = read_sealed(message.raw.content)
            sender = await self._sender(message.sender_id, sealed.device_id)
            inner = open_sealed(self._own, self._place(message), sealed, sender)
        except Unopened as error:
            return _opened(message, reason=error.reason)
        content = contents.decode(
            inner.object_name, inner.content.encode(), registry=self._registry
        )
        return Opened(
            message=replace(message, content=content),
            is_sealed=True,
            trust=self._trust_in(message.sender_id, sender),
            reason=None,
            written_at=inner.time,
            is_repeated=self._is_repeated(sealed, message.uid),
        )

    # -- trust -----------------------------------------------------------------------

    async def fingerprint(self, user_id: str | None = None) -> Fingerprint:
        """The devices that a user has now, by default this one's own, and what was said of them."""
        user_id = self._im.user_id if user_id is None else user_id
        listed = await self._listed(user_id, is_fresh=False)
        pins = self._pins(user_id)
        devices = tuple(listed[each] for each in sorted(listed))
        accepted = _accepted(devices, pins)
        new = tuple(each for each in devices if each not in accepted)
        if not pins:
            trust = Trust.UNKNOWN
        elif new or not devices:
            trust = Trust.CHANGED
        elif all(pins[each.id].state == "verified" for each in devices):
            trust = Trust.VERIFIED
        else:
            trust = Trust.UNVERIFIED
        return Fingerprint(
            user_id=user_id,
            number=number(user_id, devices),
            trust=trust,
            devices=devices,
            new=new,
        )

    async def verify(self, fingerprint: Fingerprint) -> None:
        """The numbers were compared, and are the same: trust exactly these devices."""
        await self._pin(fingerprint, lambda _: "verified")

    async def accept(self, fingerprint: Fingerprint) -> None:
        """Seal for exactly these devices, although nobody has compared the number.

        What was verified before stays so.
        """
        pins = self._pins(fingerprint.user_id)
        await self._pin(
            fingerprint,
            lambda device_id: (
                "verified"
                if device_id in pins and pins[device_id].state == "verified"
                else "unverified"
            ),
        )

    # -- own devices -----------------------------------------------------------------

    @property
    def device_id(self) -> str:
        """The id of this device."""
        return self._own.public.id

    async def publish(self) -> None:
        """Put this device on the user's list, after it was removed. Raises TooManyDevices."""
        listed = await self._listed(self._im.user_id, is_fresh=False)
        own = self._own.public
        if own.id not in listed and len(listed) >= MOST_DEVICES:
            raise TooManyDevices(self._im.user_id)
        await self._im.users.update(extra={ENTRY_KEY + own.id: own.entry})
        self._lists.pop(self._im.user_id, None)

    async def remove_device(self, device_id: str) -> None:
        """Take a device of this user off the list: nothing is sealed for it from now on.

        It still reads what was sealed for it. Malformed: there is no such device.
        """
        if device_id not in await self._listed(self._im.user_id, is_fresh=False):
            raise Malformed(f"device_id: there is no device {device_id!r}")
        await self._im.users.update(extra={ENTRY_KEY + device_id: ""})
        self._lists.pop(self._im.user_id, None)

    # -- inside ----------------------------------------------------------------------

    async def _begin(self) -> None:
        self._own, is_published = await self._kept.device(made_at=self._now())
        # Whoever was removed on purpose does not come back by himself.
        if not is_published:
            await self.publish()
            await self._kept.set_published()

    async def _receivers(self, user_id: str) -> list[Device]:
        listed = await self._listed(user_id)
        if not listed:
            raise NoKeys(user_id)
        accepted = _accepted(listed.values(), self._pins(user_id))
        is_blocked = self._when_changed == "block" and len(accepted) < len(listed)
        if is_blocked or not accepted:
            raise KeysChanged(user_id)
        return accepted

    async def _own_devices(self) -> list[Device]:
        """All that this user has accepted of his own; this one too, for what history brings."""
        listed = await self._listed(self._im.user_id)
        accepted = _accepted(listed.values(), self._pins(self._im.user_id))
        return [self._own.public, *(each for each in accepted if each.id != self.device_id)]

    async def _sender(self, user_id: str, device_id: str) -> Device:
        pins = self._pins(user_id)
        if device_id in pins:
            return pins[device_id].device
        try:
            listed = await self._listed(user_id)
            name = (user_id, device_id)
            now = anyio.current_time()
            if device_id not in listed and now - self._missed.get(name, -FRESH) >= FRESH:
                listed = await self._listed(user_id, is_fresh=False)
                _remember(self._missed, name, now)
        except ImError as error:
            raise Unopened(Reason.UNKNOWN_SENDER) from error
        if device_id not in listed:
            raise Unopened(Reason.UNKNOWN_SENDER)
        return listed[device_id]

    def _trust_in(self, user_id: str, device: Device) -> Trust:
        pins = self._pins(user_id)
        if not pins:
            return Trust.UNKNOWN
        pin = pins.get(device.id)
        if pin is None or pin.state == "gone":
            return Trust.CHANGED
        return Trust(pin.state)

    def _place(self, message: Message) -> Place:
        conversation = message.conversation
        is_ours = message.is_mine or conversation.type != ConversationType.PRIVATE
        return Place(
            conversation_type=conversation.type,
            sender_id=message.sender_id,
            receiver_id=conversation.target_id if is_ours else self._im.user_id,
        )

    def _is_repeated(self, sealed: Sealed, uid: str) -> bool:
        if not uid:
            return False
        known = self._seen.get(sealed.nonce)
        if known is None:
            _remember(self._seen, sealed.nonce, uid)
        return known not in (None, uid)

    def _pins(self, user_id: str) -> dict[str, Pin]:
        pins = self._kept.pins(user_id)
        if user_id == self._im.user_id:
            pins[self.device_id] = Pin(self._own.public, "verified")
        return pins

    async def _pin(self, fingerprint: Fingerprint, state: Callable[[str], State]) -> None:
        user_id = fingerprint.user_id
        new = {each.id: Pin(each, state(each.id)) for each in fingerprint.devices}
        await self._kept.set_pins(user_id, without(self._kept.pins(user_id), but=new) | new)

    async def _listed(self, user_id: str, *, is_fresh: bool = True) -> Mapping[str, Device]:
        """The devices that a user publishes; ``is_fresh``: a list of the last minute is enough."""
        known = self._lists.get(user_id)
        if is_fresh and known is not None and anyio.current_time() - known.time < FRESH:
            return known.devices
        is_own = user_id == self._im.user_id
        profile = await self._im.users.profile(None if is_own else user_id)
        devices = _devices_in(user_id, profile.extra)
        _remember(self._lists, user_id, _List(devices, anyio.current_time()))
        pins = self._kept.pins(user_id)
        # Who publishes nothing at all may just hide his profile.
        if devices and any(pins[each].is_accepted for each in pins.keys() - devices.keys()):
            await self._kept.set_pins(user_id, without(pins, but=devices))
        return devices

    def _now(self) -> int:
        return time.time_ns() // 1_000_000 + self._im.clock_offset


def _partner(conversation: Conversation) -> str:
    """The other user. Malformed: there is not exactly one."""
    if conversation.type != ConversationType.PRIVATE:
        raise Malformed("only private conversations can be sealed")
    return conversation.target_id


def _text_of(content: Content) -> str:
    """The content as it would be sent, for what is sealed is JSON."""
    try:
        return contents.encode(content).decode()
    except (EncodeError, UnicodeDecodeError) as error:
        raise Malformed(f"content: {error}") from error


def _opened(message: Message, *, is_sealed: bool = True, reason: Reason | None = None) -> Opened:
    return Opened(
        message=message,
        is_sealed=is_sealed,
        trust=None,
        reason=reason,
        written_at=0,
        is_repeated=False,
    )


def _devices_in(user_id: str, extra: Mapping[str, str]) -> dict[str, Device]:
    """The devices of a profile, by their ids; everything else in it is passed over."""
    devices: dict[str, Device] = {}
    for key in sorted(extra):
        if key.startswith(ENTRY_KEY) and len(devices) < MOST_DEVICES:
            device_id = key.removeprefix(ENTRY_KEY)
            device = read_device(user_id, device_id, extra[key])
            if device is not None:
                devices[device_id] = device
    return devices


def _accepted(devices: Iterable[Device], pins: Mapping[str, Pin]) -> list[Device]:
    """Those that something may be sealed for."""
    return [each for each in devices if each.id in pins and pins[each.id].is_accepted]


def _remember(known: dict[K, V], key: K, value: V) -> None:
    """Keep it as the newest; what is oldest goes."""
    known.pop(key, None)
    known[key] = value
    if len(known) > MOST_REMEMBERED:
        del known[next(iter(known))]
