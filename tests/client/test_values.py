"""Messages as programs see them."""

from __future__ import annotations

from typing import Any

import pytest

from improto.contents import DownFlag, MentionedInfo, MentionType, Text, Unknown
from improto.frames import MessageUid, TimeMs
from improto.messages import ChatMessage, Conversation, MessageDirection
from improto_client.values import EVERYBODY, Message, mentioning, read_message


def read(**members: Any) -> Message:
    raw: dict[str, Any] = {
        "conversation": Conversation.private("bob"),
        "sender_id": "bob",
        "direction": MessageDirection.RECEIVED,
        "object_name": Text.object_name,
        "content": b'{"content":"hi"}',
        "uid": MessageUid("U1"),
        "time": TimeMs(7),
    }
    return read_message(ChatMessage(**raw | members), registry=None)


def test_a_message() -> None:
    message = read(status=DownFlag.MENTIONED, extra_content='{"k":{"v":"1"}}')
    assert (message.text, message.uid, message.time) == ("hi", "U1", 7)
    assert message.is_mentioned
    assert not message.is_mine
    assert message.expansion == {"k": "1"}
    assert message.raw.content == b'{"content":"hi"}'


def test_one_that_is_no_text_and_was_sent() -> None:
    message = read(object_name="my:own", uid=None, direction=MessageDirection.SENT)
    assert isinstance(message.content, Unknown)
    assert message.text is None
    assert message.uid == ""
    assert message.is_mine


@pytest.mark.parametrize(
    ("extra", "expansion"),
    [
        ("", {}),
        ("no json", {}),
        ("[1]", {}),
        ("[" * 100_000, {}),
        ('{"a":1,"b":{"v":2},"c":{},"d":{"v":"x"}}', {"d": "x"}),
    ],
)
def test_expansion_that_is_none_is_passed_over(extra: str, expansion: dict[str, str]) -> None:
    assert read(extra_content=extra).expansion == expansion


def test_whom_a_message_mentions() -> None:
    assert mentioning(EVERYBODY) == MentionedInfo(type=MentionType.ALL)
    assert mentioning("bob") == mentioning(["bob"])
    assert mentioning(["bob", "carol"]).user_id_list == ("bob", "carol")
