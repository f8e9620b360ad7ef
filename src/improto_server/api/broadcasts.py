"""Messages to many, and the tags by which many are found (rest 6, 8, 9.2).

There is no push service behind the server. What is to be pushed is looked at and answered like
anywhere else, and the message that may come with it is sent.
"""

from __future__ import annotations

import logging
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from improto import payloads
from improto.codes import ConversationType
from improto.contents import UpFlag
from improto_server.api.common import USER
from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.message_parts import (
    BODY,
    CONTENT_BYTES,
    FROM,
    PUSH_CONTENT,
    PUSH_DATA,
    shown,
    stored,
)
from improto_server.api.parameters import Ids, Object, user_id, user_ids
from improto_server.api.replies import Code, RefusedError
from improto_server.errors import ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.services.push_tags import Audience
from improto_server.steps import start

if TYPE_CHECKING:
    from improto_server.services.broadcasts import Broadcasts
    from improto_server.services.messages import Messages
    from improto_server.services.push_tags import PushTags

TAG_BYTES: Final = 40
"""The longest tag (rest 9.2)."""

MOST_TAGS: Final = 20
"""Of a user, and in one search (rest 9.2)."""

_Tag = Annotated[str, Meta(min_length=1, max_length=TAG_BYTES)]
_Tags = Annotated[list[_Tag], Meta(max_length=MOST_TAGS)]
_UserIds = Annotated[list[str], Meta(max_length=1000)]


class _Audience(Struct):
    """Whom a push is for: everybody, these users, or those with certain tags."""

    tag: _Tags | None = None
    tag_or: _Tags | None = None
    userid: _UserIds | None = None
    packageName: Annotated[str, Meta(max_length=255)] = ""
    is_to_all: bool = False


class _Notification(Struct):
    """What would be shown."""

    alert: Annotated[str, Meta(max_length=4096)] | None = None
    title: Annotated[str, Meta(max_length=4096)] | None = None
    pushContent: Annotated[str, Meta(max_length=4096)] | None = None
    ios: dict[str, Any] | UnsetType = UNSET
    android: dict[str, Any] | UnsetType = UNSET


class _Message(Struct):
    """What is sent."""

    content: str | dict[str, Any] = ""
    objectName: Annotated[str, Meta(max_length=32)] = ""


_PLATFORMS: Final = Ids(
    "platform", most=2, fits=lambda name: name.lower() in ("ios", "android"), most_bytes=7
)
_SENDER: Final = user_id("fromuserid", is_required=False)
_AUDIENCE: Final = Object(
    "audience",
    _Audience,
    limit=f"object of is_to_all; or userid, up to 1000; or tag and tag_or, each up to {MOST_TAGS}"
    f" tags of up to {TAG_BYTES} characters",
)
_NOTIFICATION: Final = Object(
    "notification", _Notification, is_required=False, limit="object of alert, ios, android"
)
_TO_BE_SHOWN: Final = Object(
    "notification", _Notification, limit="object of title, pushContent, ios, android"
)
_MESSAGE: Final = Object(
    "message", _Message, is_required=False, limit="object of content and objectName"
)
_TAGS: Final = Ids("tags", most=MOST_TAGS, fits=bool, may_be_empty=True, most_bytes=TAG_BYTES)
_USERS_1000: Final = user_ids("userIds", most=1000)
_USERS_100: Final = user_ids("userIds", most=100)
_USERS_50: Final = user_ids("userIds", most=50)
_PUSH: Final = (_PLATFORMS, _SENDER, _AUDIENCE, _MESSAGE, _NOTIFICATION)

_logger = logging.getLogger(__name__)


class BroadcastCalls:
    """Calls about messages to many."""

    def __init__(self, *, messages: Messages, broadcasts: Broadcasts, tags: PushTags) -> None:
        self._messages = messages
        self._broadcasts = broadcasts
        self._tags = tags

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/message/broadcast",
                mark=Mark.CORE,
                about="Send a message to everybody whom the server has heard of, in a conversation"
                " of type 6. It is answered at once and takes a while.",
                parameters=(FROM, *BODY, PUSH_CONTENT, PUSH_DATA),
                call=self.tell_everybody,
            ),
            Endpoint(
                path="/message/online/broadcast",
                mark=Mark.OPTIONAL,
                about="Show a message to everybody who is connected, in a conversation of type 6;"
                " it is kept nowhere.",
                parameters=(FROM, *BODY),
                call=self.show_everybody,
                reply="messageUID",
            ),
            Endpoint(
                path="/message/chatroom/broadcast",
                mark=Mark.CHATROOM,
                about="Send a message to all rooms. It is answered at once and takes a while.",
                parameters=(FROM, *BODY),
                call=self.tell_rooms,
            ),
            Endpoint(
                path="/user/tag/set",
                mark=Mark.SETTINGS,
                about="Say which tags a user has.",
                parameters=(USER, _TAGS),
                call=self.set_tags,
                is_json=True,
            ),
            Endpoint(
                path="/user/tag/batch/set",
                mark=Mark.SETTINGS,
                about="Say which tags each of these users has.",
                parameters=(_USERS_1000, _TAGS),
                call=self.set_tags_of_many,
                is_json=True,
            ),
            Endpoint(
                path="/user/tags/get",
                mark=Mark.SETTINGS,
                about="The tags of users, in the order of the tags.",
                parameters=(_USERS_50,),
                call=self.tags,
                reply="result: {userId: [tag]}",
            ),
            Endpoint(
                path="/push",
                mark=Mark.SETTINGS,
                about="With fromuserid and message, send that message to those who are meant, in a"
                " conversation of type 6; it takes a while. Nothing is pushed.",
                parameters=_PUSH,
                call=self.push,
                reply="id",
                is_json=True,
            ),
            Endpoint(
                path="/push/custom",
                mark=Mark.OPTIONAL,
                about="The same.",
                parameters=_PUSH,
                call=self.push,
                reply="id",
                is_json=True,
            ),
            Endpoint(
                path="/push/user",
                mark=Mark.OPTIONAL,
                about="Looked at and answered; nothing is pushed.",
                parameters=(_USERS_100, _TO_BE_SHOWN),
                call=self.push_to_users,
                reply="id",
                is_json=True,
            ),
        ]

    async def tell_everybody(self, call: Call) -> Reply:
        """What is wrong with the message is said; whether it can be stored shows later."""
        up = stored(call)
        self._check(call[FROM], up)
        start(self._broadcasts.tell_everybody(call.app, call[FROM], up), _log)
        return None

    async def show_everybody(self, call: Call) -> Reply:
        """Whoever comes a moment later has missed it."""
        sent = self._broadcasts.show_everybody(call.app, call[FROM], shown(call))
        return {"messageUID": sent.uid}

    async def tell_rooms(self, call: Call) -> Reply:
        """What is wrong with the message is said; whether it can be stored shows later."""
        up = stored(call)
        self._check(call[FROM], up)
        start(self._broadcasts.tell_rooms(call.app, call[FROM], up), _log)
        return None

    async def set_tags(self, call: Call) -> Reply:
        """None, for an empty list."""
        await self._tags.set(call.app, [call[USER]], call[_TAGS])
        return None

    async def set_tags_of_many(self, call: Call) -> Reply:
        """All of them get the same."""
        await self._tags.set(call.app, call[_USERS_1000], call[_TAGS])
        return None

    async def tags(self, call: Call) -> Reply:
        """Users without any have an empty list."""
        return {"result": await self._tags.of(call.app, call[_USERS_50])}

    async def push(self, call: Call) -> Reply:
        """INVALID: nobody is meant, or the message is none."""
        audience, sender, sent = call[_AUDIENCE], call[_SENDER], call[_MESSAGE]
        tags = Audience(_once(audience.tag), _once(audience.tag_or))
        users = [*_once(audience.userid)]
        if not (audience.is_to_all or audience.packageName or users or any(tags)):
            raise RefusedError(Code.INVALID, "audience names nobody")
        if not all(map(is_user_id, users)):
            raise RefusedError(Code.INVALID, "audience.userid cannot be such an id")
        if sent.objectName:
            if not sender:
                raise RefusedError(Code.INVALID, "fromuserid is missing")
            up = _sent(sent)
            self._check(sender, up)
            if audience.is_to_all:
                start(self._broadcasts.tell_everybody(call.app, sender, up), _log)
            elif users:
                start(self._broadcasts.tell(call.app, sender, users, up), _log)
            elif any(tags):
                start(self._broadcasts.tell_tagged(call.app, sender, tags, up), _log)
        return {"id": token_hex(8)}

    async def push_to_users(self, call: Call) -> Reply:
        """Nothing else happens."""
        return {"id": token_hex(8)}

    def _check(self, sender: str, up: payloads.UpStreamMessage) -> None:
        fault = self._messages.fault(ConversationType.SYSTEM, sender, up)
        if fault is not None:
            raise ServiceError(fault)


def _once(names: list[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names or ()))


def _sent(message: _Message) -> payloads.UpStreamMessage:
    """TOO_LONG: its content is."""
    content = message.content
    if isinstance(content, str):
        # One SDK writes it as if it stood in a form. No JSON begins like that.
        encoded = (unquote(content) if content.startswith("%") else content).encode()
    else:
        encoded = msgspec.json.encode(content)
    if len(encoded) > CONTENT_BYTES:
        raise RefusedError(Code.TOO_LONG, f"message.content is longer than {CONTENT_BYTES} bytes")
    return payloads.UpStreamMessage(
        sessionId=UpFlag.STORED | UpFlag.COUNTED, classname=message.objectName, content=encoded
    )


def _log(result: object) -> None:
    if isinstance(result, Exception):
        _logger.error("a broadcast was not sent to everybody: %s", result)
