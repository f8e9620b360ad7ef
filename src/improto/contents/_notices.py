"""Notices: stored in the conversation but not counted as unread (messages 4 to 7)."""

from dataclasses import KW_ONLY, dataclass
from enum import IntEnum, StrEnum
from typing import Annotated, Final

from improto.contents._base import BaseContent
from improto.contents._json import JSON
from improto.contents._schema import Wire


class ContactOperation(StrEnum):
    """What happens to a friendship (messages 5)."""

    REQUEST = "Request"
    ACCEPT_RESPONSE = "AcceptResponse"
    REJECT_RESPONSE = "RejectResponse"


class GroupOperation(StrEnum):
    """What happened to a group (messages 5)."""

    CREATE = "Create"
    ADD = "Add"
    QUIT = "Quit"
    KICKED = "Kicked"
    RENAME = "Rename"
    BULLETIN = "Bulletin"
    DISMISS = "Dismiss"


class DiscussionChange(IntEnum):
    """What happened to a discussion (messages 6)."""

    JOINED = 1
    LEFT = 2
    RENAMED = 3
    REMOVED = 4
    OPENNESS_CHANGED = 5


@dataclass(frozen=True, slots=True)
class InformationNotification(BaseContent):
    """A grey line of text in the conversation."""

    object_name = "RC:InfoNtf"
    is_persisted = True

    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactNotification(BaseContent):
    """A friend request or its answer; ``operation`` is a :class:`ContactOperation`."""

    object_name = "RC:ContactNtf"
    is_persisted = True

    operation: str | None = None
    source_user_id: str | None = None
    target_user_id: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileNotification(BaseContent):
    """Someone's profile changed; ``data`` is JSON or JSON text."""

    object_name = "RC:ProfileNtf"
    is_persisted = True

    operation: str | None = None
    data: JSON | None = None


@dataclass(frozen=True, slots=True)
class CommandNotification(BaseContent):
    """A command of the application, stored; ``data`` is JSON or JSON text."""

    object_name = "RC:CmdNtf"
    is_persisted = True

    name: str | None = None
    data: JSON | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNotification(BaseContent):
    """A group changed; ``operation`` is a :class:`GroupOperation`, ``data`` JSON text."""

    object_name = "RC:GrpNtf"
    is_persisted = True

    operator_user_id: str | None = None
    operation: str | None = None
    data: JSON | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscussionNotification(BaseContent):
    """A discussion changed (messages 6); ``type`` is a :class:`DiscussionChange`.

    ``extension``: the users concerned, joined by commas, or the new name, or 0 or 1.
    ``operation``: who did it.
    """

    object_name = "RC:DizNtf"
    is_persisted = True

    type: int | None = None
    extension: JSON | None = None
    operation: str | None = None
    is_has_received: bool | None = None


@dataclass(frozen=True, slots=True)
class RecallCommand(BaseContent):
    """Takes a message back (messages 7).

    ``conversation_type``, ``target_id`` and ``message_uid`` name the message,
    ``sent_time`` is its time in ms.
    """

    object_name = "RC:RcCmd"
    is_persisted = True

    message_uid: Annotated[str | None, Wire("messageUId")] = None
    _: KW_ONLY
    conversation_type: int | None = None
    target_id: str | None = None
    sent_time: int | None = None
    is_admin: bool | None = None
    is_delete: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallNotification(BaseContent):
    """Stands in lists and histories where a message was taken back (sdk5 2.2, 10).

    ``recall_time`` is the time of that message, ``recall_action_time`` when it was taken back.
    """

    object_name = "RC:RcNtf"
    is_persisted = True

    operator_id: str | None = None
    recall_time: int | None = None
    original_object_name: str | None = None
    original_message_content: JSON | None = None
    recall_content: str | None = None
    recall_action_time: int | None = None
    admin: bool | None = None
    delete: bool | None = None


TYPES: Final[tuple[type[BaseContent], ...]] = (
    InformationNotification,
    ContactNotification,
    ProfileNotification,
    CommandNotification,
    GroupNotification,
    DiscussionNotification,
    RecallCommand,
    RecallNotification,
)
