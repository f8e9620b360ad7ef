"""``python -m improto``: frames and payloads as text, for people, scripts and tests.

Two filters. ``decode`` reads hex digits and prints JSON, ``encode`` reads that JSON and
prints hex digits, one line for one. Both understand lines of the golden vectors too: what
such a line says about itself overrides the options. A line that cannot be converted
becomes a JSON object with ``error``, and the exit status 1; the lines after it go on.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from improto import payloads
from improto._cli_fields import from_fields, to_fields
from improto.codec import FORMAT_LIMITS, decode, encode
from improto.errors import DecodeError, ImprotoError
from improto.frames import Delivery, ProtocolVersion, Publish, Query, QueryAck, Role
from improto.operations import Signal, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from improto.frames import Frame, MessageId
    from improto.operations import Operation
    from improto.payloads import Message

_NOT_CONVERTIBLE = (ImprotoError, ValueError, RecursionError, SystemError)
"""What a bad line can raise. RecursionError is JSON of absurd depth, and SystemError what the C
runtime of protobuf makes of a field name with half a surrogate pair."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status; wrong usage is SystemExit(2)."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    reading = _Reading(
        sender=options.sender,
        protocol_version=ProtocolVersion(options.protocol_version),
        message=options.message,
    )
    convert: Callable[[str], str]
    if options.command == "encode":
        convert = _Encoder(reading)
    else:
        convert = _Decoder(reading, _PayloadReader() if options.payload else None)
    status = 0
    for name in options.files or ["-"]:
        with _open(name, parser) as lines:
            status |= _convert_lines(lines, convert)
    return status


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--from",
        dest="sender",
        type=Role,
        metavar="client|server",
        help="who sends the frames",
    )
    shared.add_argument(
        "--protocol-version",
        type=int,
        choices=list(map(int, ProtocolVersion)),
        default=ProtocolVersion.V3,
        help="layout of CONNACK (default: %(default)d)",
    )
    shared.add_argument(
        "--message",
        metavar="NAME",
        type=_message_name,
        help="the lines are no frames but bare payloads of this name, as UpStreamMessage",
    )
    shared.add_argument("files", metavar="FILE", nargs="*", help="default: standard input, or -")

    parser = argparse.ArgumentParser(
        prog="python -m improto", description="Convert frames and payloads, a line for a line."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    decoding = commands.add_parser(
        "decode",
        parents=[shared],
        help="hex digits to JSON",
        description="Lines are hex digits, or golden vectors: JSON objects with `hex`.",
    )
    decoding.add_argument(
        "--payload", action="store_true", help="also decode the payload that the topic carries"
    )
    commands.add_parser(
        "encode",
        parents=[shared],
        help="JSON to hex digits",
        description="Lines are what decode prints, or golden vectors: JSON with `fields`.",
    )
    return parser


def _message_name(text: str) -> str:
    if text not in payloads.MESSAGES:
        raise argparse.ArgumentTypeError(f"no payload is called {text!r}")
    return text


def _open(name: str, parser: argparse.ArgumentParser) -> AbstractContextManager[BinaryIO]:
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return open(name, "rb")
    except OSError as error:
        parser.error(f"cannot read {name}: {error.strerror}")


def _convert_lines(lines: Iterable[bytes], convert: Callable[[str], str]) -> int:
    """Print what becomes of each line; the result is 1 if any was bad, else 0."""
    status = 0
    for number, line in enumerate(lines, start=1):
        try:
            text = line.decode("utf-8-sig").strip()
            answer = convert(text) if text else None
        except _NOT_CONVERTIBLE as error:
            status = 1
            answer = _json({"error": str(error), "line": number})
        if answer is not None:
            print(answer, flush=True)
    return status


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if isinstance(value, dict):
        return value
    raise ValueError(f"a JSON object is needed, not {value!r:.50}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """How to read a line."""

    sender: Role | None
    protocol_version: ProtocolVersion
    message: str | None
    """The payload that it is, if it is no frame."""

    def told_by(self, line: Mapping[str, Any]) -> _Reading:
        """The same, corrected by what a golden vector says about itself."""
        told = self
        if "direction" in line:
            told = replace(told, sender=_sender(line["direction"]), message=None)
        if "protocolVersion" in line:
            told = replace(told, protocol_version=ProtocolVersion(line["protocolVersion"]))
        if "message" in line:
            told = replace(told, message=str(line["message"]))
        return told


def _sender(direction: object) -> Role:
    match direction:
        case "c2s":
            return Role.CLIENT
        case "s2c":
            return Role.SERVER
        case _:
            raise ValueError(f"direction must be c2s or s2c, not {direction!r}")


def _need_sender(reading: _Reading) -> Role:
    if reading.sender is None:
        raise ValueError("the sender is not known: use --from")
    return reading.sender


def _payload_class(name: str) -> type[Message]:
    try:
        return payloads.MESSAGES[name]
    except KeyError:
        raise ValueError(f"no payload is called {name!r}") from None


class _Encoder:
    """JSON to hex digits."""

    def __init__(self, reading: _Reading) -> None:
        self._reading = reading

    def __call__(self, text: str) -> str:
        reading = self._reading
        fields = _object(text)
        if isinstance(fields.get("fields"), dict):
            reading = reading.told_by(fields)
            fields = fields["fields"]
        if reading.message is not None:
            return _encode_payload(reading.message, fields).hex()
        payload = fields.pop("payload", None)
        if payload is not None and "data" not in fields:
            match payload:
                case {"message": str(name), "fields": dict(inner)}:
                    fields["data"] = _encode_payload(name, inner).hex()
                case _:
                    raise ValueError("payload must be an object with message and fields")
        version = reading.protocol_version
        return encode(from_fields(fields, _need_sender(reading), protocol_version=version)).hex()


def _encode_payload(name: str, fields: Mapping[str, object]) -> bytes:
    return payloads.encode(payloads.from_fields(_payload_class(name), fields))


class _Decoder:
    """Hex digits to JSON."""

    def __init__(self, reading: _Reading, payload_reader: _PayloadReader | None) -> None:
        self._reading = reading
        self._payload_reader = payload_reader

    def __call__(self, text: str) -> str:
        reading = self._reading
        digits: object = text
        if text.startswith("{"):
            vector = _object(text)
            reading = reading.told_by(vector)
            digits = vector.get("hex")
        data = _bytes(digits)
        if reading.message is not None:
            return _json(payloads.to_fields(payloads.decode(_payload_class(reading.message), data)))
        frame = decode(
            data,
            _need_sender(reading),
            protocol_version=reading.protocol_version,
            limits=FORMAT_LIMITS,
        )
        fields = to_fields(frame)
        payload = None if self._payload_reader is None else self._payload_reader.read(frame)
        if payload is not None:
            fields["payload"] = payload
        return _json(fields)


def _bytes(digits: object) -> bytes:
    if isinstance(digits, str):
        with suppress(ValueError):
            return bytes.fromhex(digits)
    raise ValueError(f"hex digits are needed, not {digits!r:.50}")


class _PayloadReader:
    """Decodes what frames carry; remembers queries, because answers do not tell their topic."""

    def __init__(self) -> None:
        self._asked: dict[MessageId, Operation | None] = {}

    def read(self, frame: Frame) -> dict[str, object] | None:
        """The payload of a frame, or None if it has none or its class is not known."""
        match frame:
            case Publish() | Delivery():
                operation = find(frame.topic, Signal.PUBLISH)
            case Query():
                operation = self._asked[frame.message_id] = find(frame.topic, Signal.QUERY)
            case QueryAck():
                operation = self._asked.pop(frame.message_id, None)
            case _:
                return None
        if operation is None:
            return None
        kind, aliases = operation.request, operation.request_aliases
        if isinstance(frame, QueryAck):
            kind, aliases = operation.reply, operation.reply_aliases
            if frame.status != 0 and not frame.data:
                return None
        if kind is None:
            return None
        readings = [_describe(each, frame.data) for each in (kind, *aliases)]
        _, best = min(readings, key=lambda reading: reading[0])
        return None if "error" in best and not frame.data else best


def _describe(kind: type[Message], data: bytes) -> tuple[int, dict[str, object]]:
    """How badly ``kind`` explains the data, from 0, and what the data says then.

    1 means that the fields do not account for all bytes: another message might.
    """
    description: dict[str, object] = {"message": kind.DESCRIPTOR.name}
    try:
        message = payloads.decode(kind, data)
    except DecodeError as error:
        return 2, description | {"error": error.reason}
    fields = payloads.to_fields(message)
    again = payloads.encode(payloads.from_fields(kind, fields))
    return int(again != data), description | {"fields": fields}
