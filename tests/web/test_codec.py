"""The codec of improto.js in the browser: golden vectors, and whatever Python can think of."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from improto import payloads
from improto.payloads import to_fields
from tools import make_js_payloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from improto_server.testing import ImServer
    from tests.web.tabs import Chromium, Tab

pytestmark = pytest.mark.interop

VECTORS = Path(__file__).parent.parent / "vectors"

CODEC = """
const wire = await import(`${base}wire.js`);
const protobuf = await import(`${base}protobuf.js`);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const bytesOf = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
// As protobuf's own JSON: 64-bit numbers and bytes are text, empty lists are left out.
const asJson = (name, message) => Object.fromEntries(
  fieldsOf(name)
    .map(({ type, key }) => {
      const one = (each) => type === "int64" ? String(each) : type === "bytes" ? base64(each)
        : typeof each === "object" ? asJson(type, each) : each;
      const value = message[key];
      if (Array.isArray(value)) return [key, value.map(one)];
      return [key, value === undefined ? value : one(value)];
    })
    .filter(([, value]) => value !== undefined && !(Array.isArray(value) && !value.length)));
const fieldsOf = (name) => MESSAGES[name].split(", ").map((field) => {
  const [, type, key] = field.split(" ");
  return { type, key };
});
const { MESSAGES } = await import(`${base}payloads.js`);
const attempt = (call) => {
  try {
    return call();
  } catch (error) {
    const isOurs = error instanceof protobuf.FormatError;
    return isOurs ? { error: error.message } : { crash: String(error) };
  }
};
"""


def vectors(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]


@pytest.fixture(scope="module")
def tab(chromium: Chromium, shared_server: ImServer) -> Iterator[Tab]:
    """A page without a client."""
    with chromium.tabs(shared_server) as open_tab:
        yield open_tab()


def test_the_tables_are_those_of_the_schema() -> None:
    assert make_js_payloads.main(["--check"]) == 0


def test_frames_of_clients(tab: Tab) -> None:
    chosen = [
        vector
        for vector in vectors("frames.jsonl")
        # CONNECT is a URL here (wire 4.1).
        if vector["direction"] == "c2s" and vector["fields"]["type"] != "CONNECT"
    ]
    assert len(chosen) > 300
    found = tab.run(
        CODEC
        + """
        return a.map(({ fields: { type, data, ...rest } }) => attempt(() => hex(wire.encodeFrame(
          { ...rest, type: wire.Signal[type], data: data === undefined ? data : bytesOf(data) }))));
        """,
        chosen,
    )
    assert found == [vector["hex"] for vector in chosen]


def test_frames_of_servers(tab: Tab) -> None:
    chosen = [vector for vector in vectors("frames.jsonl") if vector["direction"] == "s2c"]
    # SDKs take it for a PINGRESP; a decoder refuses it (wire 7, rule 2).
    chosen = [vector for vector in chosen if vector["fields"]["type"] != "SUBACK"]
    assert len(chosen) > 100
    found = tab.run(
        CODEC
        + """
        const names = Object.keys(wire.Signal);
        return a.map(({ hex: text, protocolVersion: version }) => attempt(() => {
          const { data, timestamp, ...frame } = wire.decodeFrame(bytesOf(text), version);
          return { ...frame, type: names[frame.type - 1], ...(data && { data: hex(data) }),
            ...(timestamp !== undefined && { timestamp: String(timestamp) }) };
        }));
        """,
        chosen,
    )
    for vector, frame in zip(chosen, found, strict=True):
        wanted = {**vector["fields"]}
        for ignored in ("reserved", "flags"):
            wanted.pop(ignored, None)
        if "timestamp" in wanted:
            wanted["timestamp"] = str(wanted["timestamp"])
        if wanted.get("data") == "":
            frame.setdefault("data", "")
        assert frame == wanted, vector["name"]


def test_recorded_dialogues_of_sdk_5(tab: Tab) -> None:
    chosen = [each for each in vectors("sdk5.jsonl") if each.get("payload") and each.get("hex")]
    assert len(chosen) > 200
    found = tab.run(
        CODEC
        + """
        return a.map(({ fields, payload: { message } }) => attempt(() =>
          hex(protobuf.encode(message, protobuf.decode(message, bytesOf(fields.data))))));
        """,
        chosen,
    )
    assert found == [vector["fields"]["data"] for vector in chosen]


def test_payloads(tab: Tab) -> None:
    chosen = vectors("payloads.jsonl")
    found = tab.run(
        CODEC
        + """
        return a.map(({ message, hex: text }) => attempt(() => {
          const decoded = protobuf.decode(message, bytesOf(text));
          return { fields: asJson(message, decoded), hex: hex(protobuf.encode(message, decoded)) };
        }));
        """,
        chosen,
    )
    assert len(chosen) > 500
    for vector, result in zip(chosen, found, strict=True):
        if vector.get("reject"):
            assert list(result) == ["error"], vector["name"]
            continue
        assert result["fields"] == vector["fields"], vector["name"]
        if not vector.get("decodeOnly"):
            assert result["hex"] == vector["hex"], vector["name"]


NUMBERS = (0, 1, 127, 128, 2**28, 2**49 - 1, 2**49, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1)
TEXTS = ("", "plain", "\ufeffBOM", "é中😀", "\x00", "a" * 300)


def fill(chance: random.Random, message: Any, depth: int = 0) -> None:
    """Put something into every field, or leave it out."""
    for field in message.DESCRIPTOR.fields:
        if not field.is_required and chance.random() < 0.4:
            continue
        count = chance.randint(1, 3) if field.is_repeated else 1
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if depth > 3 and not field.is_required:
                continue
            for _ in range(count):
                inner = getattr(message, field.name)
                inner = inner.add() if field.is_repeated else inner
                inner.SetInParent()
                fill(chance, inner, depth + 1)
            continue
        values = [_value(chance, field.type) for _ in range(count)]
        if field.is_repeated:
            getattr(message, field.name).extend(values)
        else:
            setattr(message, field.name, values[0])


def _value(chance: random.Random, kind: int) -> Any:
    if kind == FieldDescriptor.TYPE_INT32:
        return chance.choice((0, 1, -1, 2**31 - 1, -(2**31), chance.randint(-(2**31), 2**31 - 1)))
    if kind == FieldDescriptor.TYPE_INT64:
        return chance.choice((*NUMBERS, *(-each for each in NUMBERS), -(2**63)))
    if kind == FieldDescriptor.TYPE_BOOL:
        return chance.random() < 0.5
    if kind == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.randint(0, 20))
    return chance.choice(TEXTS)


def test_it_agrees_with_the_runtime_of_python(tab: Tab) -> None:
    chance = random.Random(7)
    messages = []
    for kind in payloads.MESSAGES.values():
        for _ in range(3):
            message = kind()
            fill(chance, message)
            messages.append(message)
    found = tab.run(
        CODEC
        + """
        return a.map(([name, text]) => attempt(() => {
          const decoded = protobuf.decode(name, bytesOf(text));
          return [asJson(name, decoded), hex(protobuf.encode(name, decoded))];
        }));
        """,
        [[each.DESCRIPTOR.name, payloads.encode(each).hex()] for each in messages],
    )
    for message, result in zip(messages, found, strict=True):
        assert result == [to_fields(message), payloads.encode(message).hex()]


def test_garbage_is_an_error_or_a_message(tab: Tab) -> None:
    chance = random.Random(8)
    good = [bytes.fromhex(each["hex"]) for each in vectors("payloads.jsonl")]
    bad = [chance.randbytes(chance.randint(0, 40)) for _ in range(500)]
    for data in good:
        broken = bytearray(data)
        for _ in range(3):
            if broken:
                broken[chance.randrange(len(broken))] = chance.randrange(256)
        bad += [bytes(broken), data[: len(data) // 2]]
    names = [chance.choice(list(payloads.MESSAGES)) for _ in bad]
    found = tab.run(
        CODEC
        + """
        const results = a.map(([name, text]) => [
          attempt(() => (protobuf.decode(name, bytesOf(text)), null)),
          attempt(() => (wire.decodeFrame(bytesOf(text)), null)),
        ]);
        return results.flat().filter((each) => each !== null);
        """,
        [[name, data.hex()] for name, data in zip(names, bad, strict=True)],
    )
    assert found
    assert all(list(each) == ["error"] for each in found)


@pytest.mark.parametrize(
    ("name", "hex", "problem"),
    [
        ("NotifyMsg", "08" + "80" * 10 + "01", "more than ten bytes"),
        ("NotifyMsg", "0801" + "0b" * 60 + "0c" * 60, "nested too deeply"),
        ("NotifyMsg", "08010b14", "a group ends that has not begun"),
        ("NotifyMsg", "08010c", "no wire type 4"),
        ("NotifyMsg", "080107", "out of range"),
        ("NotifyMsg", "0801faffffff7f", "out of range"),
        ("NotifyMsg", "0801" + "1aff" * 3, "cut off"),
        ("NotifyMsg", "", "NotifyMsg has no type"),
        ("Nothing", "", "there is no message Nothing"),
    ],
)
def test_what_is_malformed(tab: Tab, name: str, hex: str, problem: str) -> None:
    (error,) = tab.run(CODEC + "return [attempt(() => protobuf.decode(a, bytesOf(b)))]", name, hex)
    assert problem in error["error"]


@pytest.mark.parametrize(
    ("name", "message", "problem"),
    [
        ("NotifyMsg", "{}", "NotifyMsg: type is missing"),
        ("NotifyMsg", "{ type: 1.5 }", "type has to be a number of 32 bits"),
        ("NotifyMsg", "{ type: 2 ** 31 }", "type has to be a number of 32 bits"),
        ("NotifyMsg", "{ type: 1, time: 2 ** 53 }", "time has to be a number of 64 bits"),
        ("NotifyMsg", "{ type: 1, time: 2n ** 63n }", "time has to be a number of 64 bits"),
        ("NotifyMsg", "{ type: 1, chrmId: 5 }", "chrmId has to be a text"),
        ("NotifyMsg", "{ type: 1, nonsense: 5 }", "NotifyMsg has no nonsense"),
        ("NotifyMsg", "null", "an object is needed"),
        ("EventChange", "{ isAdmin: 1 }", "isAdmin has to be true or false"),
        ("EventChange", "{ eventData: 'text' }", "eventData has to be a Uint8Array"),
        ("EventChange", "{ extIds: 'text' }", "extIds has to be a list"),
    ],
)
def test_what_cannot_be_written(tab: Tab, name: str, message: str, problem: str) -> None:
    script = f"return [attempt(() => protobuf.encode(a, {message}))]"
    (error,) = tab.run(CODEC + script, name)
    assert problem in error["error"]


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (
            "{ type: 3, topic: 't', targetId: 'x'.repeat(65536), messageId: 1 }",
            "targetId is longer",
        ),
        ("{ type: 3, topic: 5, targetId: '', messageId: 1 }", "topic has to be a text"),
        ("{ type: 4, messageId: 65536 }", "messageId: 65536 is not 0 to 65535"),
        ("{ type: 2 }", "a client does not send signal 2"),
    ],
)
def test_frames_that_cannot_be_sent(tab: Tab, frame: str, problem: str) -> None:
    (error,) = tab.run(CODEC + f"return [attempt(() => wire.encodeFrame({frame}))]")
    assert problem in error["error"]


@pytest.mark.parametrize(
    ("hex", "problem"),
    [
        ("", "the frame is empty"),
        ("90", "a server does not send signal 9"),
        ("4000", "the frame is cut off"),
        ("3000000000000561", "the frame is cut off"),
    ],
)
def test_frames_that_cannot_be_read(tab: Tab, hex: str, problem: str) -> None:
    (error,) = tab.run(CODEC + "return [attempt(() => wire.decodeFrame(bytesOf(a)))]", hex)
    assert problem in error["error"]


def test_a_frame_that_is_too_large(tab: Tab) -> None:
    script = "return [attempt(() => wire.decodeFrame(new Uint8Array(2 ** 24 + 1)))]"
    assert tab.run(CODEC + script) == [{"error": "the frame is too large"}]
