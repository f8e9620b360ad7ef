"""What all contents have in common, and the content we cannot read."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar, TypeAlias

from improto.contents._json import parse
from improto.contents._schema import Part, Wire, struct_of


class MentionType(IntEnum):
    """Who is mentioned (messages 5)."""

    ALL = 1
    SOME = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfo(Part):
    """The sender as the receivers shall see him (messages 5).

    SDKs copy ``portrait`` and ``portrait_uri`` to each other: the address of a picture.
    """

    id: str | None = None
    name: str | None = None
    portrait_uri: str | None = None
    portrait: str | None = None
    extra: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MentionedInfo(Part):
    """Whom a message mentions (messages 5).

    ``type`` is a :class:`MentionType`; ``user_id_list`` counts for SOME only.
    """

    type: int | None = None
    user_id_list: tuple[str, ...] | None = None
    mentioned_content: str | None = None

    def concerns(self, user_id: str) -> bool:
        """Whether this user is mentioned. The caller leaves out the sender (messages 3.3)."""
        if self.type == MentionType.SOME:
            return user_id in (self.user_id_list or ())
        return self.type == MentionType.ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseContent(Part):
    """Base of every typed content, the application's own included.

    ``object_name`` is the type on the wire. ``is_persisted`` (kept in history and in the
    conversation list) and ``is_counted`` (as unread) are what a sender asks for by
    default (messages 4); a server obeys the flags of the message instead.
    """

    object_name: ClassVar[str]
    is_persisted: ClassVar[bool] = False
    is_counted: ClassVar[bool] = False

    extra: Annotated[str | None, Wire(is_common=True)] = None
    user: Annotated[UserInfo | None, Wire(is_common=True)] = None
    mentions: Annotated[MentionedInfo | None, Wire("mentionedInfo", is_common=True)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A content of no known type, or one that is malformed: the bytes as they came.

    ``reason`` says why it could not be read; None if the application made it, to send
    bytes of its own. The flags are those of the type if that is known.
    """

    object_name: str
    data: bytes
    reason: str | None = None
    is_persisted: bool = True
    is_counted: bool = True

    @property
    def mentions(self) -> MentionedInfo | None:
        """Whom the bytes mention, as :func:`mentions` finds it."""
        return mentions(self.data)


Content: TypeAlias = BaseContent | Unknown
"""What a message says."""


def mentions(data: bytes) -> MentionedInfo | None:
    """The mention info of a content in wire form; None if it has none that can be read.

    Cheap for the many contents without: they are searched but not parsed. For servers,
    which may set the mention flag only if this is not None (messages 3.3).
    """
    # A member's name may be written with escapes.
    if b"mentionedInfo" not in data and b"\\u" not in data:
        return None
    try:
        members = parse(data)
        if not isinstance(members, dict):
            return None
        found: MentionedInfo = struct_of(MentionedInfo).read(members.get("mentionedInfo"))
    except ValueError:
        return None
    return found
