"""A message between the one who sends it and the store: what is said about it on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from msgspec import Struct

from improto.codes import ErrorCode
from improto.contents import (
    ChatroomBan,
    ChatroomBlock,
    ChatroomMemberChange,
    ChatroomSync,
    ConfigChangeRequest,
)
from improto.frames import TimeMs
from improto_server.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from improto import payloads
    from improto.codes import ConversationType
    from improto.operations import Operation
    from improto_server.clock import UserKey
    from improto_server.hub import Device
    from improto_server.services.chatrooms import Room
    from improto_server.services.rosters import Roster


SERVER_ONLY: Final = tuple(
    kind.object_name
    for kind in (
        ChatroomBan,
        ChatroomBlock,
        ChatroomMemberChange,
        ChatroomSync,
        ConfigChangeRequest,
    )
)
"""SDK 5 obeys these, or believes them: it leaves a room, or tells who has (sdk5 9, 10)."""


class Sent(Struct, frozen=True, kw_only=True, gc=False):
    """What became of a message."""

    uid: str
    time: TimeMs
    has_replaced_words: bool = False
    """Others read it with words replaced, which its sender is told (codes 4)."""


class Letter(NamedTuple):
    """What is sent, and by whom; where to is known already."""

    sender: UserKey
    type: ConversationType
    target: str
    up: payloads.UpStreamMessage
    is_status: bool
    """It is shown to those who are there, and forgotten (operations 2.1)."""
    unique_id: int | None
    """If it comes again, by this number it is known to be the same."""
    device: Device | None
    """Where it was sent; it needs no copy."""
    copied_as: tuple[Operation, bytes] | None
    """The operation and the payload by which the sender's other devices are shown it."""
    in_sent_box: bool = True
    """Whether the sender finds it among what he has sent, if he may have many devices."""
    has_replaced_words: bool = False
    """Sensitive words in it were replaced (rest 9.1)."""


Done: TypeAlias = "Callable[[Sent | ErrorCode], None]"

Check: TypeAlias = "Callable[[Letter], Coroutine[Any, Any, None]]"
"""Looks at a letter before it is sent and does what else it means; refuses by ServiceError."""


async def refuse(letter: Letter) -> None:
    """The check of what only the server says: 20406."""
    raise ServiceError(ErrorCode.RC_MSG_UNAUTHORIZED)


class Route(NamedTuple):
    """To whom a letter goes."""

    inboxes: Sequence[UserKey]
    """Whose inboxes get it, the sender's not counted in."""
    roster: Roster | None = None
    """All its members get it."""
    room: Room | None = None
