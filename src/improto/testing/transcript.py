"""What went into connections and what came out, as lines of JSON: debug log and bug report.

The core has no clock and takes no chances, so the same inputs give the same outputs, and a
log of the inputs is enough to see a fault again. A :class:`Transcript` writes that log while a
driver works; :func:`replay` makes the same connections, gives them the same inputs and
compares what comes out. Rules:

* One line for each input, each output that gave something, and each new connection or session.
  A deadline is written when it has changed.
* Bytes are hexadecimal, members of enumerations are names, values of the protocol's classes
  are objects with the class as their only key.
* A line is written after the call and holds its outcome: ``result``, or the ``error`` by which
  the core refused it. A line with neither is a call that failed in a way nobody planned.
* Tokens are left out. The text of messages is not: it is in the bytes.

A :class:`Transcript` may hold many connections: all of a session, or both ends of a dialogue.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import partial
from inspect import ismethod, signature
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from improto import codes, config, errors, events, frames, login, messages, operations, payloads
from improto._lifecycle import State
from improto.client import ClientConnection
from improto.errors import LocalProtocolError, RemoteProtocolError
from improto.frames import Role
from improto.server import ServerConnection
from improto.session import ClientSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    AnyConnection = ClientConnection | ServerConnection
    Json = dict[str, Any]

ConnectionT = TypeVar("ConnectionT", ClientConnection, ServerConnection)

_DRAINS: Final = frozenset({"messages_to_send", "frames_to_send", "next_event"})
_DEADLINE: Final = "next_deadline"

_TYPES: Final[dict[str, Any]] = {
    name: kind
    for module in (codes, config, errors, events, frames, login, messages, operations)
    for name, kind in vars(module).items()
    if isinstance(kind, type)
}
"""Every class whose values can be an argument, by its name."""


class TranscriptMismatch(AssertionError):
    """A replay gave something else than the transcript says; the text names the line."""


# --- Writing ------------------------------------------------------------------------------


class Transcript:
    """Writes lines, each with its line feed, to ``sink``: the ``write`` of a file will do."""

    def __init__(self, sink: Callable[[str], object]) -> None:
        self._sink = sink
        self._connections = 0
        self._sessions: dict[ClientSession, int] = {}

    def record(self, connection: ConnectionT) -> ConnectionT:
        """What to use in place of ``connection``; it has the same methods and attributes.

        Raises ValueError if it is too late for a complete transcript: for a connection that has
        had an input, or a session that has handed out messages before and was not recorded.
        """
        unused = State.NEW if isinstance(connection, ClientConnection) else State.HANDSHAKE
        if connection.state is not unused:
            raise ValueError("record a connection before its first input")
        line: Json = {
            "protocol_version": _to_json(connection._protocol_version),
            "limits": _to_json(connection.limits),
            "timing": _to_json(connection._timing),
        }
        if isinstance(connection, ClientConnection):
            line |= {"role": _to_json(Role.CLIENT), "session": self._number(connection.session)}
        else:
            login = replace(connection.login, token="")
            line |= {"role": _to_json(Role.SERVER), "login": _to_json(login)}
            line["now"] = connection._now
        self._connections += 1
        self.write({"connection": self._connections, **line})
        return cast("ConnectionT", _Recorder(connection, self, self._connections))

    def write(self, line: Json) -> None:
        """Add a line."""
        self._sink(json.dumps(line) + "\n")

    def _number(self, session: ClientSession) -> int:
        known = self._sessions.get(session)
        if known is not None:
            return known
        if session._last_receipt:
            # Its state does not hold the messages that are open.
            raise ValueError("record a session from its first connection, or from its state")
        number = self._sessions[session] = len(self._sessions) + 1
        limits = _to_json(session._limits)
        self.write({"session": number, "limits": limits, "state": session.to_state()})
        return number


class _Recorder:
    """Looks like a connection and writes down what is done with it."""

    def __init__(self, connection: AnyConnection, transcript: Transcript, number: int) -> None:
        self._connection = connection
        self._transcript = transcript
        self._number = number
        self._deadline: float | None = None

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._connection, name)
        if name in _DRAINS:
            return partial(self._drain, name, member)
        if name == _DEADLINE:
            return self._next_deadline
        return partial(self._call, name, member) if ismethod(member) else member

    def _call(self, name: str, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        arguments = signature(method).bind(*args, **kwargs).arguments
        line = {
            "connection": self._number,
            "input": name,
            "arguments": {name: _to_json(value) for name, value in arguments.items()},
        }
        try:
            result = method(*args, **kwargs)
            line["result"] = _to_json(result)
        except LocalProtocolError as error:
            line["error"] = type(error).__name__
            raise
        finally:
            self._transcript.write(line)
        return result

    def _drain(self, name: str, method: Callable[[], Any]) -> Any:
        result = method()
        if result:
            self._write_output(name, result)
        return result

    def _next_deadline(self) -> float | None:
        deadline = self._connection.next_deadline()
        if deadline != self._deadline:
            self._deadline = deadline
            self._write_output(_DEADLINE, deadline)
        return deadline

    def _write_output(self, name: str, result: object) -> None:
        line = {"connection": self._number, "output": name, "result": _to_json(result)}
        self._transcript.write(line)


# --- Reading ------------------------------------------------------------------------------


def replay(lines: Iterable[str]) -> None:
    """Do again what a transcript says.

    Raises TranscriptMismatch if something else comes out, and ValueError for a line that is
    none of a transcript. Any other exception is a fault of the core; a note on it names the line.
    """
    stage = _Stage()
    for number, text in enumerate(lines, start=1):
        try:
            act = stage.prepare(json.loads(text))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"line {number} is not one of a transcript: {error}") from error
        try:
            act()
        except TranscriptMismatch as error:
            raise TranscriptMismatch(f"line {number}: {error}") from None
        except Exception as error:
            error.add_note(f"replaying line {number}: {text.strip()}")
            raise


class _Stage:
    """The connections and sessions of a transcript that is played again."""

    def __init__(self) -> None:
        self._connections: dict[int, AnyConnection] = {}
        self._sessions: dict[int, ClientSession] = {}

    def prepare(self, line: Json) -> Callable[[], None]:
        """Read a line; the function that comes back does what it says."""
        if "input" in line:
            method = getattr(self._connections[line["connection"]], line["input"])
            arguments = {name: _from_json(value) for name, value in line["arguments"].items()}
            return partial(_repeat_input, partial(method, **arguments), line)
        if "output" in line:
            method = getattr(self._connections[line["connection"]], line["output"])
            return partial(_repeat_output, method, line)
        if "connection" in line:
            self._connections[line["connection"]] = self._connection(line)
        else:
            self._sessions[line["session"]] = ClientSession.from_state(
                line["state"], limits=_from_json(line["limits"])
            )
        return _do_nothing

    def _connection(self, line: Json) -> AnyConnection:
        limits, timing = _from_json(line["limits"]), _from_json(line["timing"])
        if _from_json(line["role"]) is Role.SERVER:
            return ServerConnection(
                _from_json(line["login"]), now=line["now"], limits=limits, timing=timing
            )
        return ClientConnection(
            self._sessions[line["session"]],
            protocol_version=_from_json(line["protocol_version"]),
            limits=limits,
            timing=timing,
        )


def _repeat_input(call: Callable[[], object], line: Json) -> None:
    outcome: Json
    try:
        outcome = {"result": _to_json(call())}
    except LocalProtocolError as error:
        outcome = {"error": type(error).__name__}
    expected = {key: line[key] for key in ("result", "error") if key in line}
    if expected and outcome != expected:
        raise TranscriptMismatch(f"{line['input']} gave {outcome} instead of {expected}")


def _repeat_output(method: Callable[[], object], line: Json) -> None:
    result = _to_json(method())
    if result != line["result"]:
        raise TranscriptMismatch(f"{line['output']} gave {result} instead of {line['result']}")


def _do_nothing() -> None:
    """The line has been read, and that was all."""


# --- Values -------------------------------------------------------------------------------


def _to_json(value: object) -> Any:
    match value:
        case Enum():
            return {type(value).__name__: value.name}
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return {"bytes": value.hex()}
        case list() | tuple():
            return [_to_json(item) for item in value]
        case payloads.Message():
            return {value.DESCRIPTOR.name: payloads.encode(value).hex()}
        case RemoteProtocolError():
            return {type(value).__name__: {"text": str(value), **vars(value)}}
        case operations.Operation():
            # A row of a table that does not change.
            return {"Operation": f"{value.signal.name} {value.topic}"}
        case _ if is_dataclass(value):
            members = {field.name: _to_json(getattr(value, field.name)) for field in fields(value)}
            return {type(value).__name__: members}
        case _:
            raise TypeError(f"a transcript cannot hold a {type(value).__name__}")


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((name, content),) = value.items()
    if name == "bytes":
        return bytes.fromhex(content)
    kind = _TYPES[name]
    if issubclass(kind, Enum):
        return kind[content]
    if issubclass(kind, RemoteProtocolError):
        error = kind.__new__(kind, content["text"])
        vars(error).update({name: content[name] for name in content if name != "text"})
        return error
    return kind(**{name: _from_json(member) for name, member in content.items()})
