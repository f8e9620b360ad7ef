"""Keys and values of chatrooms (rest 8).

The application may overwrite them, whoever has set them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto import payloads
from improto.codes import ConversationType, ErrorCode
from improto.contents import UpFlag
from improto_server.api.common import CHATROOM, USER
from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.parameters import Flag, Ids, Pairs, Text, user_id
from improto_server.api.replies import Code, RefusedError
from improto_server.errors import ServiceError
from improto_server.services.entries import DELETED, VALUE_CHARACTERS
from improto_server.store.chatrooms import AUTO_DELETE

if TYPE_CHECKING:
    from improto_server.services.entries import Entries
    from improto_server.services.messages import Messages

MOST_KEYS: Final = 100
"""That one call sets, or asks for (rest 8)."""

_KEY: Final = Text("key", most_bytes=128, is_required=True)
_VALUE: Final = Text("value", most_characters=VALUE_CHARACTERS, is_required=True)
_AUTO_DELETE: Final = Flag("autoDelete")
_OBJECT_NAME: Final = Text("objectName", most_characters=32)
_CONTENT: Final = Text("content", most_bytes=131_072)
_ASKED_FOR: Final = Ids(
    "keys", most=MOST_KEYS, fits=lambda key: True, is_required=False, most_bytes=128
)
_OWNER: Final = user_id("entryOwnerId")
SEVERAL: Final = Pairs("entryInfo", most=MOST_KEYS, most_characters=VALUE_CHARACTERS)


class EntryCalls:
    """Calls about keys."""

    def __init__(self, *, entries: Entries, messages: Messages) -> None:
        self._entries = entries
        self._messages = messages

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/chatroom/entry/set",
                mark=Mark.CHATROOM,
                about="Set a key of a room, and send a message about it if objectName is there.",
                parameters=(
                    CHATROOM,
                    USER,
                    _KEY,
                    _VALUE,
                    _AUTO_DELETE,
                    _OBJECT_NAME,
                    _CONTENT,
                ),
                call=self.set,
            ),
            Endpoint(
                path="/chatroom/entry/batch/set",
                mark=Mark.CHATROOM,
                about="Set several keys of a room.",
                parameters=(CHATROOM, _OWNER, SEVERAL, _AUTO_DELETE),
                call=self.set_several,
            ),
            Endpoint(
                path="/chatroom/entry/remove",
                mark=Mark.CHATROOM,
                about="Delete a key of a room; harmless if there is none.",
                parameters=(CHATROOM, USER, _KEY, _OBJECT_NAME, _CONTENT),
                call=self.remove,
            ),
            Endpoint(
                path="/chatroom/entry/query",
                mark=Mark.CHATROOM,
                about="These keys of a room, or all.",
                parameters=(CHATROOM, _ASKED_FOR),
                call=self.query,
                reply="keys: [{key, value, userId, autoDelete, lastSetTime}]",
            ),
        ]

    async def set(self, call: Call) -> Reply:
        """INVALID: no such room, or no key; OUT_OF_RANGE: too many keys."""
        status = AUTO_DELETE if call[_AUTO_DELETE] else 0
        entry = payloads.ChrmKVEntity(key=call[_KEY], value=call[_VALUE], status=status)
        await self._entries.change(call.app, call[CHATROOM], call[USER], [entry])
        await self._tell(call)
        return None

    async def set_several(self, call: Call) -> Reply:
        """As for one; those before the first that is refused are set."""
        if not call[SEVERAL]:
            raise RefusedError(Code.INVALID, "entryInfo is missing")
        status = AUTO_DELETE if call[_AUTO_DELETE] else 0
        entries = [
            payloads.ChrmKVEntity(key=key, value=value, status=status)
            for key, value in call[SEVERAL].items()
        ]
        await self._entries.change(call.app, call[CHATROOM], call[_OWNER], entries)
        return None

    async def remove(self, call: Call) -> Reply:
        """INVALID: no such room, or no key."""
        entry = payloads.ChrmKVEntity(key=call[_KEY], value="", status=DELETED)
        try:
            await self._entries.change(call.app, call[CHATROOM], call[USER], [entry])
        except ServiceError as error:
            if error.code is ErrorCode.CHATROOM_KEY_NOT_EXIST:
                return None
            raise
        await self._tell(call)
        return None

    async def query(self, call: Call) -> Reply:
        """All of it is text (rest 8). None, if there is no such room."""
        wanted = call[_ASKED_FOR]
        return {
            "keys": [
                {
                    "key": row.key,
                    "value": row.value,
                    "userId": row.owner,
                    "autoDelete": str(row.status & AUTO_DELETE),
                    "lastSetTime": str(row.time),
                }
                for row in await self._entries.list(call.app, call[CHATROOM])
                if not wanted or row.key in wanted
            ]
        }

    async def _tell(self, call: Call) -> None:
        """Send the message that came with a change."""
        if not call[_OBJECT_NAME]:
            return
        up = payloads.UpStreamMessage(
            sessionId=UpFlag.STORED,
            classname=call[_OBJECT_NAME],
            content=call[_CONTENT].encode(),
        )
        await self._messages.post(
            call.app, call[USER], ConversationType.CHATROOM, call[CHATROOM], up, in_sent_box=False
        )
