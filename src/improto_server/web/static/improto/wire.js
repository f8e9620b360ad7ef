/**
 * The binary frames (wire 1 to 7). One frame is one WebSocket message.
 *
 * A frame is a plain object with the names of the specification. `encodeFrame` writes what clients
 * send, `decodeFrame` reads what servers send; CONNECT is not here, for the URL of the connection
 * takes its place (wire 4.1). Whatever is malformed is a `FormatError`.
 */

import { FormatError } from "./protobuf.js";

/** The signals (wire 2). */
export const Signal = Object.freeze({
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  QUERY: 5,
  QUERYACK: 6,
  QUERYCON: 7,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  UNSUBACK: 11,
  PINGREQ: 12,
  PINGRESP: 13,
  DISCONNECT: 14,
});

/** What a client takes at most: 16 MiB (wire 7, rule 5). */
export const LARGEST_FRAME = 16 * 1024 * 1024;

const LONGEST_TEXT = 0xffff;
const REPLACEMENT = "\ufffd";

/** Write a frame of a client. */
export function encodeFrame(frame) {
  const bytes = [(frame.type << 4) | (frame.dup << 3) | (frame.qos << 1) | frame.retain];
  switch (frame.type) {
    case Signal.PUBLISH:
    case Signal.QUERY: {
      putText(bytes, frame.topic, "topic");
      putText(bytes, frame.targetId, "targetId");
      putShort(bytes, frame.messageId);
      const whole = new Uint8Array(bytes.length + frame.data.length);
      whole.set(bytes);
      whole.set(frame.data, bytes.length);
      return whole;
    }
    case Signal.PUBACK:
    case Signal.QUERYCON:
      putShort(bytes, frame.messageId);
      break;
    case Signal.PINGREQ:
      break;
    case Signal.DISCONNECT:
      bytes.push(0, frame.status);
      break;
    default:
      throw new FormatError(`a client does not send signal ${frame.type}`);
  }
  return Uint8Array.from(bytes);
}

function putShort(bytes, value) {
  if (!(Number.isInteger(value) && value >= 0 && value <= 0xffff)) {
    throw new FormatError(`messageId: ${value} is not 0 to 65535`);
  }
  bytes.push(value >> 8, value & 255);
}

/** Each UTF-16 unit by itself, so that half of an emoji is three bytes (wire 3). */
function putText(bytes, value, name) {
  if (typeof value !== "string") throw new FormatError(`${name} has to be a text`);
  const begin = bytes.length;
  bytes.push(0, 0);
  for (let index = 0; index < value.length; index++) {
    const unit = value.charCodeAt(index);
    if (unit < 0x80) bytes.push(unit);
    else if (unit < 0x800) bytes.push(0xc0 | (unit >> 6), 0x80 | (unit & 63));
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 63), 0x80 | (unit & 63));
  }
  const length = bytes.length - begin - 2;
  if (length > LONGEST_TEXT) throw new FormatError(`${name} is longer than ${LONGEST_TEXT} bytes`);
  bytes[begin] = length >> 8;
  bytes[begin + 1] = length & 255;
}

/** Read a frame of a server; `protocolVersion`: what the URL has said, 3 or 4. */
export function decodeFrame(bytes, protocolVersion = 3) {
  if (bytes.length === 0) throw new FormatError("the frame is empty");
  if (bytes.length > LARGEST_FRAME) throw new FormatError("the frame is too large");
  const source = new Source(bytes);
  const header = source.byte();
  const frame = {
    type: header >> 4,
    dup: (header & 8) !== 0,
    qos: (header >> 1) & 3,
    retain: (header & 1) !== 0,
  };
  const read = READERS[frame.type];
  if (read === undefined) throw new FormatError(`a server does not send signal ${frame.type}`);
  read(frame, source, protocolVersion);
  return frame;
}

const READERS = {
  [Signal.CONNACK](frame, source, protocolVersion) {
    source.byte();
    frame.status = source.byte();
    // A refusal ends here, and version 3 may end after the user (wire 4.2).
    if (source.isAtEnd) return;
    const present = protocolVersion === 4 ? source.byte() : 7;
    if (present & 1) frame.userId = source.text();
    if (protocolVersion !== 4 && source.isAtEnd) return;
    if (present & 2) frame.sessionId = source.text();
    if (present & 4) frame.timestamp = source.long();
    if (present & 8) frame.messageId = source.short();
  },
  [Signal.PUBLISH](frame, source) {
    frame.date = source.int();
    frame.topic = source.text();
    frame.targetId = source.text();
    frame.messageId = source.short();
    frame.data = source.rest();
  },
  [Signal.PUBACK](frame, source) {
    frame.messageId = source.short();
    frame.date = source.int();
    frame.status = source.short();
    frame.millisecond = source.short();
    frame.messageUId = source.text();
    frame.timestamp = frame.date * 1000 + frame.millisecond;
  },
  [Signal.QUERYACK](frame, source) {
    frame.messageId = source.short();
    frame.date = source.int();
    frame.status = source.short();
    frame.data = source.rest();
  },
  [Signal.PINGRESP]() {},
  [Signal.DISCONNECT](frame, source) {
    source.byte();
    frame.status = source.byte();
  },
};

class Source {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = 0;
  }

  get isAtEnd() {
    return this.position >= this.bytes.length;
  }

  advance(length) {
    const begin = this.position;
    if (length > this.bytes.length - begin) throw new FormatError("the frame is cut off");
    this.position += length;
    return begin;
  }

  byte() {
    return this.bytes[this.advance(1)];
  }

  short() {
    return this.view.getUint16(this.advance(2));
  }

  int() {
    return this.view.getUint32(this.advance(4));
  }

  /** A BigInt where a number is not exact. */
  long() {
    const value = this.view.getBigUint64(this.advance(8));
    return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  }

  text() {
    const length = this.short();
    const begin = this.advance(length);
    return readText(this.bytes.subarray(begin, begin + length));
  }

  rest() {
    return this.bytes.slice(this.position);
  }
}

/** Read UTF-8 as well as halves of characters; what is neither is replaced (wire 3, 7). */
function readText(bytes) {
  let value = "";
  for (let index = 0; index < bytes.length; ) {
    const [point, length] = readCharacter(bytes, index);
    value += point === null ? REPLACEMENT : String.fromCodePoint(point);
    index += length;
  }
  return value;
}

function readCharacter(bytes, index) {
  const first = bytes[index];
  if (first < 0x80) return [first, 1];
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || index + length > bytes.length) return [null, 1];
  let point = first & (0x7f >> length);
  for (let next = index + 1; next < index + length; next++) {
    if (bytes[next] >> 6 !== 2) return [null, 1];
    point = (point << 6) | (bytes[next] & 63);
  }
  const smallest = [0, 0, 0x80, 0x800, 0x10000][length];
  return point < smallest || point > 0x10ffff ? [null, 1] : [point, length];
}
