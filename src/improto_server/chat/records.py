"""Messages for programs: one JSON object per line."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, NoReturn

from improto_server.chat.printable import escaped
from improto_server.chat.targets import target_text
from improto_server.chat.wording import content_text

if TYPE_CHECKING:
    from improto_client import Message, Sent


def message_record(message: Message) -> dict[str, Any]:
    """All that is known of a message.

    ``content`` is what its bytes say if they are JSON; otherwise it is null and ``data`` has
    them as base64.
    """
    record: dict[str, Any] = {
        "conversation": target_text(message.conversation),
        "type": int(message.conversation.type),
        "target": message.conversation.target_id,
        "sender": message.sender_id,
        "uid": message.uid,
        "time": message.time,
        "mine": message.is_mine,
        "offline": message.is_offline,
        "mentioned": message.is_mentioned,
        "object": message.raw.object_name,
        "text": content_text(message.content),
        "content": None,
    }
    try:
        record["content"] = json.loads(message.raw.content, parse_constant=_refuse)
    except (ValueError, RecursionError):
        record["data"] = base64.b64encode(message.raw.content).decode("ascii")
    return record


def sent_record(sent: Sent) -> dict[str, Any]:
    """What the server says of a message that it has stored."""
    return {"conversation": target_text(sent.conversation), "uid": sent.uid, "time": sent.time}


def json_line(record: dict[str, Any]) -> str:
    """A line without its end; harmless in a terminal too."""
    return escaped(json.dumps(record, ensure_ascii=False))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
