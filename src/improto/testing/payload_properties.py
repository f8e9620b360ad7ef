"""What must hold for the bytes of every payload, as a function that asserts it.

Hypothesis calls it with its examples and the fuzzer with its own, so both search for the same
faults.
"""

from __future__ import annotations

from improto import contents
from improto.errors import DecodeError
from improto.payloads import (
    DownStreamMessage,
    Message,
    UpStreamMessage,
    decode,
    encode,
    from_fields,
    to_fields,
)


def check_payload(kind: type[Message], data: bytes) -> None:
    """Any bytes are a payload or a DecodeError, and a payload stays the same in every form."""
    message = _read(kind, data)
    if isinstance(message, DecodeError):
        assert message.reason
        assert 0 <= message.offset <= len(data)
        return
    assert decode(kind, encode(message)) == message
    fields = to_fields(message)
    known = from_fields(kind, fields)
    assert to_fields(known) == fields
    message.DiscardUnknownFields()
    assert known == message
    if isinstance(message, UpStreamMessage | DownStreamMessage):
        _check_content(message.classname, message.content)


def _read(kind: type[Message], data: bytes) -> Message | DecodeError:
    try:
        return decode(kind, data)
    except DecodeError as error:
        return error


def _check_content(object_name: str, data: bytes) -> None:
    """Any content can be read, if only as unknown, and is the same when it is read again."""
    content = contents.decode(object_name, data)
    assert content.object_name == object_name
    assert contents.decode(object_name, contents.encode(content)) == content
