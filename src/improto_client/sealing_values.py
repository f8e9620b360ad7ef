"""What programs get from :mod:`.sealing`: fingerprints, opened messages, and what it raises."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from improto.codes import ErrorCode
from improto_client.errors import ImError
from improto_client.sealed import MOST_DEVICES

if TYPE_CHECKING:
    from improto_client.sealed import Device, Reason
    from improto_client.values import Message


class Trust(enum.Enum):
    """What this user has said about the devices of a user, or about one of them."""

    VERIFIED = "verified"
    """Their number was compared."""
    UNVERIFIED = "unverified"
    """Accepted, and nobody has compared their number."""
    CHANGED = "changed"
    """There is a device that was not accepted, although others were."""
    UNKNOWN = "unknown"
    """No device of this user was ever accepted."""


class SealingError(ImError):
    """Nothing was sent, because there is nobody to seal it for. ``user_id``: whose devices it is
    about."""

    def __init__(self, user_id: str, text: str) -> None:
        super().__init__(ErrorCode.PARAMETER_ERROR, f"{user_id!r} {text}")
        self.user_id = user_id

    @property
    def advice(self) -> str:
        """What to do about it, for a person."""
        return self.advice_by_default


class NoKeys(SealingError):
    """The other one has no device that could open a sealed message."""

    advice_by_default = "Have the other user start encryption, and try again."

    def __init__(self, user_id: str) -> None:
        super().__init__(user_id, "has no device that could open it")


class KeysChanged(SealingError):
    """The other one has devices that were not accepted."""

    advice_by_default = "Compare the fingerprint with the other user; then verify or accept it."

    def __init__(self, user_id: str) -> None:
        super().__init__(user_id, "has devices that were not accepted")


class TooManyDevices(SealingError):
    """This user has as many devices as there can be."""

    advice_by_default = "Remove a device that is not used any more."

    def __init__(self, user_id: str) -> None:
        super().__init__(user_id, f"has {MOST_DEVICES} devices already, which is the limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """The devices of a user as they are published, to be compared, verified, accepted."""

    user_id: str
    number: str
    """Six groups of five digits: the same on every device that sees the same keys."""
    trust: Trust
    devices: tuple[Device, ...]
    """By their ids."""
    new: tuple[Device, ...]
    """Those of them that were not accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A message, opened if it was sealed and could be."""

    message: Message
    """With the content that was sealed. Otherwise as it came."""
    is_sealed: bool
    """False: it was never sealed, so the server may have read, changed or made it."""
    trust: Trust | None
    """What is known of the device that has sealed it; None if it was not opened."""
    reason: Reason | None
    """Why it could not be opened."""
    written_at: int
    """When its sender has sealed it, in ms, as he says; 0 if it was not opened."""
    is_repeated: bool
    """Another message had the very same seal: somebody has sent it twice, not its sender."""

    @property
    def text(self) -> str | None:
        """What a text message says; None for every other kind, and for what is still sealed."""
        return self.message.text
