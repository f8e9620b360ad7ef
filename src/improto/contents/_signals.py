"""Contents for programs, not for people: commands, receipts, typing, expansion, chatrooms.

Neither stored nor counted (messages 4, 5, 8). Times are in ms.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from enum import IntEnum
from typing import Annotated, Final

from improto.contents._base import BaseContent
from improto.contents._json import JSON
from improto.contents._schema import Part, Wire


class KeyOperation(IntEnum):
    """What happened to a key of a chatroom (messages 5)."""

    SET = 1
    DELETE = 2


class MemberStatus(IntEnum):
    """What a chatroom member did (messages 5)."""

    QUIT = 0
    JOIN = 1


@dataclass(frozen=True, slots=True)
class Command(BaseContent):
    """A command of the application; ``data`` is JSON or JSON text."""

    object_name = "RC:CmdMsg"

    name: str | None = None
    data: JSON | None = None


@dataclass(frozen=True, slots=True)
class Typing(BaseContent):
    """The sender is typing a content of this object name, or of this class in SDK 2.9.2."""

    object_name = "RC:TypSts"

    typing_content_type: str | None = None
    data: JSON | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadReceipt(BaseContent):
    """Everything of the peer up to this time has been read (messages 8.1)."""

    object_name = "RC:ReadNtf"

    last_message_send_time: int | None = None
    message_uid: Annotated[str | None, Wire("messageUId")] = None
    type: int = 1


@dataclass(frozen=True, slots=True)
class SyncReadStatus(BaseContent):
    """To the sender's other devices: I have read this conversation up to (messages 8.4)."""

    object_name = "RC:SRSMsg"

    last_message_send_time: int | None = None


@dataclass(frozen=True, slots=True)
class ReadReceiptRequest(BaseContent):
    """Into a group: who has read this message of mine? (messages 8.2)"""

    object_name = "RC:RRReqMsg"

    message_uid: Annotated[str | None, Wire("messageUId")] = None


@dataclass(frozen=True, slots=True)
class ReadReceiptResponse(BaseContent):
    """I have read these messages: sender's user id -> message uids (messages 8.2)."""

    object_name = "RC:RRRspMsg"

    receipt_message_dic: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReadReceipt(BaseContent):
    """Tells a sender of new readers (messages 8.3). Its members are not known."""

    object_name = "RC:RRMsg"


@dataclass(frozen=True, slots=True)
class ExpansionChange(BaseContent):
    """Changes the key-value pairs attached to the message ``mid`` (messages 8.6).

    ``put`` sets pairs, ``delete`` removes keys, ``remove_all`` removes every key.
    """

    object_name = "RC:MsgExMsg"

    mid: str | None = None
    _: KW_ONLY
    put: Mapping[str, JSON] | None = None
    delete: Annotated[tuple[str, ...] | None, Wire("del")] = None
    remove_all: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatroomKeyChange(BaseContent):
    """A key of the chatroom changed; ``type`` is a :class:`KeyOperation`."""

    object_name = "RC:chrmKVNotiMsg"

    key: str | None = None
    value: str | None = None
    type: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatroomJoin(BaseContent):
    """Someone joined the chatroom. Its members are not known."""

    object_name = "RC:ChrmJoinNtf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatroomQuit(BaseContent):
    """Someone left the chatroom. Its members are not known."""

    object_name = "RC:ChrmQuitNtf"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChange(Part):
    """What one chatroom member did; ``status`` is a :class:`MemberStatus`."""

    user_id: str | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class ChatroomMemberChange(BaseContent):
    """Who joined and who left the chatroom."""

    object_name = "RC:ChrmMemChange"

    user_list: tuple[MemberChange, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intercept(BaseContent):
    """The server did not let a message pass.

    ``message_uid`` is ``msg_uid`` again in the spelling that SDK 4.6.4 reads; send both.
    """

    object_name = "RC:InterceptMsg"

    intercept_type: int | None = None
    msg_uid: Annotated[str | None, Wire("msgUID")] = None
    message_uid: Annotated[str | None, Wire("msgUId")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCommand(BaseContent):
    """Orders a client to upload its log of a time span."""

    object_name = "RC:LogCmdMsg"

    start_time: int | None = None
    end_time: int | None = None
    platform: str | None = None
    log_id: str | None = None
    uri: str | None = None
    package_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicServiceCommand(BaseContent):
    """A user chose from the menu of a public account."""

    object_name = "RC:PSCmd"

    content: str | None = None
    menu_item: JSON | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLocationJoin(BaseContent):
    """The sender shows where he is as well (sdk5 10). Its members are not known."""

    object_name = "RC:RLJoin"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLocationQuit(BaseContent):
    """The sender shows no longer where he is (sdk5 10). Its members are not known."""

    object_name = "RC:RLQuit"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLocation(BaseContent):
    """Where the sender is now (sdk5 10). Its members are not known."""

    object_name = "RC:RL"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadState(BaseContent):
    """Up to where a group was read, receipts of version 4 (sdk5 8.2). Its members are not known."""

    object_name = "RC:RSMsg"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReceipt(BaseContent):
    """Messages have arrived; SDK 5 drops it (sdk5 10). Its members are not known."""

    object_name = "RC:DRMsg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered(BaseContent):
    """A message has arrived; SDK 5 drops it (sdk5 10). Its members are not known."""

    object_name = "RC:Delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatroomBan(BaseContent):
    """Who may not speak in a chatroom any more, or again (sdk5 10). Only servers send it.

    ``operate_type``: 1 users, 3 the room, 5 those who may speak all the same, 7 users in all
    rooms; one less takes it back.
    """

    object_name = "RC:ChrmBanMsg"

    chatroom_id: str | None = None
    operate_type: int | None = None
    duration_time: int | None = None
    operate_time: int | None = None
    user_list: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatroomBlock(BaseContent):
    """Who was sent out of a chatroom, or may come back (sdk5 10). Only servers send it.

    ``operate_type``: 1 sent out, 0 may come back. A client that finds its user in ``user_list``
    leaves the room.
    """

    object_name = "RC:ChrmBlockMsg"

    chatroom_id: str | None = None
    operate_type: int | None = None
    duration_time: int | None = None
    operate_time: int | None = None
    user_list: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatroomSync(BaseContent):
    """What another device of the same user did in a chatroom (sdk5 10). Only servers send it."""

    object_name = "RC:ChrmSyncMsg"

    chatroom_id: str | None = None
    status: int | None = None
    reason: int | None = None
    time: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChangeRequest(BaseContent):
    """Makes a client fetch its vendor's configuration (sdk5 10). Only servers send it."""

    object_name = "RC:CCConfigChangeRequestMsg"


TYPES: Final[tuple[type[BaseContent], ...]] = (
    Command,
    Typing,
    ReadReceipt,
    SyncReadStatus,
    ReadReceiptRequest,
    ReadReceiptResponse,
    GroupReadReceipt,
    ExpansionChange,
    ChatroomKeyChange,
    ChatroomJoin,
    ChatroomQuit,
    ChatroomMemberChange,
    Intercept,
    LogCommand,
    PublicServiceCommand,
    LiveLocationJoin,
    LiveLocationQuit,
    LiveLocation,
    ReadState,
    DeliveryReceipt,
    Delivered,
    ChatroomBan,
    ChatroomBlock,
    ChatroomSync,
    ConfigChangeRequest,
)
