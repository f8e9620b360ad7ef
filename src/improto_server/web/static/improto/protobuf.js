/**
 * Protobuf as the schema has it: plain varints and what has a length (payloads.js).
 *
 * Rules:
 *
 * - A message is a plain object with the names of the schema. An absent optional field is missing;
 *   a repeated one is always a list.
 * - int64 is a number where a number is exact, and a BigInt above that, both ways. Times are
 *   numbers; ids that others have made may be either.
 * - Unknown fields are skipped. Whatever is malformed is a `FormatError`, also a required field
 *   that is missing (wire 7, rule 9). Text that is not UTF-8 is repaired, not refused.
 */

import { MESSAGES } from "./payloads.js";

/** Bytes that cannot be read, or a value that cannot be written. */
export class FormatError extends Error {
  name = "FormatError";
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const GROUP = 3;
const END_GROUP = 4;
const FIXED32 = 5;

/** Messages in messages, or groups in groups, that are read. The schema has four. */
const DEEPEST = 50;

const utf8 = new TextEncoder();
// Without ignoreBOM the first character of some texts would vanish.
const text = new TextDecoder("utf-8", { ignoreBOM: true });
const kinds = new Map();

function fieldsOf(name) {
  let kind = kinds.get(name);
  if (kind === undefined) {
    if (MESSAGES[name] === undefined) throw new FormatError(`there is no message ${name}`);
    const fields = MESSAGES[name].split(", ").map(parseField);
    kind = { fields, byNumber: new Map(fields.map((field) => [field.number, field])) };
    kinds.set(name, kind);
  }
  return kind;
}

function parseField(spec) {
  const [, number, label, type, name] = /^(\d+)(.) (\w+) (\w+)$/.exec(spec);
  return { number: Number(number), type, name, required: label === "!", repeated: label === "*" };
}

/** Read the bytes of a message. */
export function decode(name, bytes) {
  return decodeMessage(name, new Reader(bytes), 0);
}

/** Write a message; members that are undefined or null are absent. */
export function encode(name, message) {
  const writer = new Writer();
  encodeMessage(name, message, writer);
  return writer.taken();
}

/** Text as bytes in UTF-8, for fields of type bytes. */
export function toBytes(string) {
  return utf8.encode(string);
}

/** What `toBytes` has made. */
export function toText(bytes) {
  return text.decode(bytes);
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.position = 0;
  }

  get isAtEnd() {
    return this.position >= this.bytes.length;
  }

  /** An unsigned number: a BigInt above 49 bits. */
  varint() {
    let value = 0;
    let factor = 1;
    for (let index = 0; index < 7; index++, factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    let large = BigInt(value);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      large |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, large);
    }
    throw new FormatError("a number has more than ten bytes");
  }

  byte() {
    if (this.isAtEnd) throw new FormatError("the message is cut off");
    return this.bytes[this.position++];
  }

  take(length) {
    if (!(length <= this.bytes.length - this.position)) {
      throw new FormatError("the message is cut off");
    }
    const begin = this.position;
    this.position += Number(length);
    return this.bytes.subarray(begin, this.position);
  }

  /** Leave out a field that nobody knows. */
  skip(key, depth) {
    const wire = key & 7;
    if (wire === VARINT) this.varint();
    else if (wire === FIXED64) this.take(8);
    else if (wire === BYTES) this.take(this.varint());
    else if (wire === FIXED32) this.take(4);
    else if (wire === GROUP) this.skipGroup(Math.floor(key / 8), depth + 1);
    else throw new FormatError(`there is no wire type ${wire}`);
  }

  skipGroup(number, depth) {
    if (depth > DEEPEST) throw new FormatError("groups are nested too deeply");
    for (;;) {
      const key = readKey(this);
      if ((key & 7) !== END_GROUP) this.skip(key, depth);
      else if (Math.floor(key / 8) === number) return;
      else throw new FormatError("a group ends that has not begun");
    }
  }
}

function readKey(reader) {
  const key = reader.varint();
  if (key < 8 || key > 0xffffffff) throw new FormatError("a field number is out of range");
  return key;
}

function decodeMessage(name, reader, depth, message = {}) {
  if (depth > DEEPEST) throw new FormatError("messages are nested too deeply");
  const { fields, byNumber } = fieldsOf(name);
  for (const field of fields) if (field.repeated) message[field.name] ??= [];
  while (!reader.isAtEnd) {
    const key = readKey(reader);
    const field = byNumber.get(Math.floor(key / 8));
    const wire = key & 7;
    if (field !== undefined && wire === (isNumber(field) ? VARINT : BYTES)) {
      const before = field.repeated ? undefined : message[field.name];
      const value = decodeValue(field, reader, depth, before);
      if (field.repeated) message[field.name].push(value);
      else message[field.name] = value;
    } else if (field?.repeated && isNumber(field) && wire === BYTES) {
      const packed = new Reader(reader.take(reader.varint()));
      while (!packed.isAtEnd) message[field.name].push(decodeValue(field, packed, depth));
    } else {
      reader.skip(key, depth);
    }
  }
  for (const field of fields) {
    if (field.required && message[field.name] === undefined) {
      throw new FormatError(`${name} has no ${field.name}`);
    }
  }
  return message;
}

function isNumber({ type }) {
  return type === "int32" || type === "int64" || type === "bool";
}

/** `before`: the message that there is already; the same field again adds to it. */
function decodeValue({ type }, reader, depth, before) {
  if (type === "int32") return Number(BigInt.asIntN(32, BigInt(reader.varint())));
  if (type === "int64") return exact(reader.varint());
  if (type === "bool") return Boolean(reader.varint());
  const bytes = reader.take(reader.varint());
  if (type === "string") return text.decode(bytes);
  if (type === "bytes") return bytes.slice();
  return decodeMessage(type, new Reader(bytes), depth + 1, before);
}

function exact(value) {
  if (typeof value === "number") return value;
  const signed = BigInt.asIntN(64, value);
  const number = Number(signed);
  return Number.isSafeInteger(number) ? number : signed;
}

class Writer {
  constructor() {
    this.bytes = new Uint8Array(256);
    this.length = 0;
  }

  taken() {
    return this.bytes.slice(0, this.length);
  }

  put(bytes) {
    const needed = this.length + bytes.length;
    if (needed > this.bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(bytes, this.length);
    this.length = needed;
  }

  /** A number, or a BigInt below 0 or above what a number can be. */
  varint(value) {
    const bytes = [];
    let rest = value;
    if (typeof rest === "bigint" || rest < 0) {
      let large = BigInt.asUintN(64, BigInt(rest));
      for (; large > 127n; large >>= 7n) bytes.push(Number(large & 127n) | 128);
      rest = Number(large);
    }
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
    bytes.push(rest);
    this.put(bytes);
  }

  sized(bytes) {
    this.varint(bytes.length);
    this.put(bytes);
  }
}

function encodeMessage(name, message, writer) {
  if (message === null || typeof message !== "object") {
    throw new FormatError(`${name}: an object is needed`);
  }
  const { fields } = fieldsOf(name);
  for (const key of Object.keys(message)) {
    if (!fields.some((field) => field.name === key)) throw new FormatError(`${name} has no ${key}`);
  }
  for (const field of fields) {
    const value = message[field.name] ?? undefined;
    if (value === undefined) {
      if (field.required) throw new FormatError(`${name}: ${field.name} is missing`);
      continue;
    }
    if (field.repeated && !Array.isArray(value)) throw wrong(name, field, "a list");
    for (const each of field.repeated ? value : [value]) {
      writer.varint(field.number * 8 + (isNumber(field) ? VARINT : BYTES));
      encodeValue(name, field, each, writer);
    }
  }
}

function encodeValue(name, field, value, writer) {
  const { type } = field;
  if (type === "bool") {
    if (typeof value !== "boolean") throw wrong(name, field, "true or false");
    writer.varint(Number(value));
  } else if (type === "int32") {
    if ((value | 0) !== value) throw wrong(name, field, "a number of 32 bits");
    writer.varint(value);
  } else if (type === "int64") {
    const fits = typeof value === "bigint" && BigInt.asIntN(64, value) === value;
    if (!fits && !Number.isSafeInteger(value)) throw wrong(name, field, "a number of 64 bits");
    writer.varint(value);
  } else if (type === "string") {
    if (typeof value !== "string") throw wrong(name, field, "a text");
    writer.sized(utf8.encode(value));
  } else if (type === "bytes") {
    if (!(value instanceof Uint8Array)) throw wrong(name, field, "a Uint8Array");
    writer.sized(value);
  } else {
    writer.sized(encode(type, value));
  }
}

function wrong(name, field, needed) {
  return new FormatError(`${name}: ${field.name} has to be ${needed}`);
}
