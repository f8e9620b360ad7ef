"""Call signalling between devices, forwarded by the server as ordinary messages (messages 10)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from improto.contents._base import BaseContent
from improto.contents._json import JSON


class MediaType(IntEnum):
    """What a call carries (messages 10)."""

    AUDIO = 1
    VIDEO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSignal(BaseContent):
    """The members known of all call signals; which signal uses which is not known.

    ``media_type`` is a :class:`MediaType`.
    """

    call_id: str | None = None
    media_type: int | None = None
    engine_type: JSON | None = None
    channel_info: JSON | None = None
    invite_user_ids: tuple[str, ...] | None = None
    observer_user_ids: tuple[str, ...] | None = None
    caller: str | None = None
    reason: JSON | None = None
    mode: JSON | None = None
    sub_info: JSON | None = None
    existed_member_status_list: JSON | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallInvite(CallSignal):
    """Invites to a call."""

    object_name = "RC:VCInvite"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRinging(CallSignal):
    """The invited device rings."""

    object_name = "RC:VCRinging"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAccept(CallSignal):
    """The invitation is accepted."""

    object_name = "RC:VCAccept"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallHangup(CallSignal):
    """Ends or refuses the call."""

    object_name = "RC:VCHangup"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallModifyMedia(CallSignal):
    """Changes what the call carries."""

    object_name = "RC:VCModifyMedia"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallModifyMembers(CallSignal):
    """Invites more people into the call."""

    object_name = "RC:VCModifyMem"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummary(CallSignal):
    """How the call went; local to a device, not sent."""

    object_name = "RC:VCSummary"


TYPES: Final[tuple[type[BaseContent], ...]] = (
    CallInvite,
    CallRinging,
    CallAccept,
    CallHangup,
    CallModifyMedia,
    CallModifyMembers,
    CallSummary,
)
