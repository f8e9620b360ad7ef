"""What calls that send messages have in common (rest 6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from improto import payloads
from improto.contents import UpFlag
from improto_server.api.parameters import Flag, Pairs, Text, user_id
from improto_server.services.expansions import MOST_KEYS, VALUE_CHARACTERS

if TYPE_CHECKING:
    from improto_server.api.endpoints import Call

CONTENT_BYTES: Final = 131_072
"""The longest content (rest 5); a lower limit of the server's own is kept as well."""

FROM: Final = user_id("fromUserId")
OBJECT_NAME: Final = Text("objectName", most_characters=32, is_required=True)
CONTENT: Final = Text("content", most_bytes=CONTENT_BYTES, is_required=True)
PUSH_CONTENT: Final = Text("pushContent", most_bytes=4096)
PUSH_DATA: Final = Text("pushData", most_bytes=4096)
COUNTED: Final = Flag("isCounted", default=True)
WITH_SENDER: Final = Flag("isIncludeSender")
NO_PUSH: Final = Flag("disablePush")
BODY: Final = (OBJECT_NAME, CONTENT)

_PERSISTED: Final = Flag("isPersisted", default=True)
_EXPANSION: Final = Flag("expansion")
_EXTRA: Final = Pairs("extraContent", most=MOST_KEYS, most_characters=VALUE_CHARACTERS)

OPTIONS: Final = (
    _PERSISTED,
    COUNTED,
    WITH_SENDER,
    NO_PUSH,
    _EXPANSION,
    _EXTRA,
    PUSH_CONTENT,
    PUSH_DATA,
)


def flags(call: Call) -> UpFlag:
    """What :data:`COUNTED` and :data:`NO_PUSH` say."""
    found = UpFlag(0)
    if call[COUNTED]:
        found |= UpFlag.COUNTED
    if call[NO_PUSH]:
        found |= UpFlag.DISABLE_NOTIFICATION
    return found


def message(call: Call) -> payloads.UpStreamMessage:
    """The message of a call that has :data:`BODY` and :data:`OPTIONS`."""
    found = flags(call)
    if call[_PERSISTED]:
        found |= UpFlag.STORED
    if call[_EXPANSION]:
        found |= UpFlag.EXPANDABLE
    up = payloads.UpStreamMessage(
        sessionId=found,
        classname=call[OBJECT_NAME],
        content=call[CONTENT].encode(),
        pushText=call[PUSH_CONTENT],
        appData=call[PUSH_DATA],
    )
    if call[_EXPANSION] and call[_EXTRA]:
        pairs = {key: {"v": value} for key, value in call[_EXTRA].items()}
        up.extraContent = msgspec.json.encode(pairs).decode()
    return up


def stored(call: Call) -> payloads.UpStreamMessage:
    """The message of a call that has :data:`BODY` only, and perhaps texts for a push."""
    return payloads.UpStreamMessage(
        sessionId=UpFlag.STORED | UpFlag.COUNTED,
        classname=call[OBJECT_NAME],
        content=call[CONTENT].encode(),
        pushText=call.get(PUSH_CONTENT, ""),
        appData=call.get(PUSH_DATA, ""),
    )


def shown(call: Call) -> payloads.UpStreamMessage:
    """The same as a status message."""
    return payloads.UpStreamMessage(
        sessionId=0, classname=call[OBJECT_NAME], content=call[CONTENT].encode()
    )
