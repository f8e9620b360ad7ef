/**
 * One login over one WebSocket: its heartbeat, requests and answers, and its end.
 *
 * Rules:
 *
 * - An answer is matched to a request of its kind only; what nobody has asked for is ignored
 *   (session 15, rule 6).
 * - Every request ends: with its answer, after 30 s, or with the connection.
 * - The connection ends once. Then `closed` is settled, and nothing is told any more.
 */

import { ImError } from "./errors.js";
import { FormatError } from "./protobuf.js";
import { Code, ConnAck } from "./tables.js";
import { decodeFrame, encodeFrame, Signal } from "./wire.js";

/** Milliseconds to wait for each (session 13, newer SDKs). */
const WAIT = Object.freeze({ login: 5000, heartbeat: 15_000, pong: 15_000, answer: 30_000 });

const MOST_MISSED_PONGS = 2;
const MOST_BAD_FRAMES = 10;
const MOST_COPIES = 64;
const LARGEST_ID = 0xffff;

export class Connection {
  #socket;
  #on;
  #pending = new Map();
  #copies = new Map();
  #lastId = 0;
  #timer = 0;
  #missedPongs = 0;
  #badFrames = 0;
  #accept;
  #end;

  /**
   * Connect; `url` is that of http 4. `on.publish(frame)` is told what the server sends by itself,
   * `on.copy(frame, ack)` what the user has sent from another device.
   */
  constructor(url, on) {
    this.#on = on;
    /** Gives the CONNACK; rejects with an ImError, which has a `status` if the server refuses. */
    this.accepted = new Promise((resolve, reject) => (this.#accept = { resolve, reject }));
    /** Gives why it has ended: `{ code, status }`, a status if the server has sent us away. */
    this.closed = new Promise((resolve) => (this.#end = resolve));
    this.isOpen = false;
    this.#socket = new WebSocket(url);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onclose = () => this.#over(Code.RC_SOCKET_DISCONNECTED);
    this.#timer = setTimeout(() => this.#over(Code.RC_CONN_ACK_TIMEOUT), WAIT.login);
    // Who opens a connection may look at one of the two only.
    this.accepted.catch(() => {});
  }

  /** Send a PUBLISH; its PUBACK, whatever its status. */
  publish(topic, targetId, data, qos = 1) {
    return this.#request({ type: Signal.PUBLISH, topic, targetId, data, qos });
  }

  /** Send a QUERY; its QUERYACK, whatever its status. */
  query(topic, targetId, data) {
    return this.#request({ type: Signal.QUERY, topic, targetId, data, qos: 0 });
  }

  /** Look now whether the other end is there; for a page that has slept. */
  check() {
    if (this.isOpen) this.#ping();
  }

  /** End it. There is no frame for it (wire 4.10). */
  close() {
    this.#over(Code.RC_SOCKET_DISCONNECTED);
  }

  #request(frame) {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) throw new ImError(Code.RC_NET_CHANNEL_INVALID);
      const messageId = this.#nextId();
      this.#send({ ...frame, messageId });
      const timer = setTimeout(() => {
        this.#pending.delete(messageId);
        reject(new ImError(Code.TIMEOUT, frame.topic));
      }, WAIT.answer);
      this.#pending.set(messageId, { type: frame.type, resolve, reject, timer });
    });
  }

  #nextId() {
    if (this.#pending.size + this.#copies.size >= LARGEST_ID) {
      throw new ImError(Code.SEND_FREQUENCY_TOO_FAST, "too many requests wait for an answer");
    }
    do {
      this.#lastId = (this.#lastId % LARGEST_ID) + 1;
    } while (this.#pending.has(this.#lastId) || this.#copies.has(this.#lastId));
    return this.#lastId;
  }

  #send(frame) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodeFrame(frame));
  }

  #receive(data) {
    let frame;
    try {
      if (!(data instanceof ArrayBuffer)) throw new FormatError("text is no frame");
      frame = decodeFrame(new Uint8Array(data));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#badFrames += 1;
      if (this.#badFrames >= MOST_BAD_FRAMES) this.#over(Code.UNKNOWN);
      return;
    }
    this.#badFrames = 0;
    if (this.isOpen) this.#take(frame);
    else if (frame.type === Signal.CONNACK) this.#loggedIn(frame);
  }

  #loggedIn(frame) {
    if (frame.status !== ConnAck.ACCEPTED) {
      // Errors of the login have the status in them (sdk5 3).
      const error = new ImError(frame.status + (frame.status < 10 ? 31000 : 31010));
      error.status = frame.status;
      this.#accept.reject(error);
      this.#over(error.code);
      return;
    }
    this.isOpen = true;
    this.#accept.resolve(frame);
    this.#ping();
  }

  #take(frame) {
    switch (frame.type) {
      case Signal.PUBLISH:
        if (frame.dup) this.#keepCopy(frame);
        else {
          if (frame.qos) this.#send({ type: Signal.PUBACK, messageId: frame.messageId });
          this.#on.publish(frame);
        }
        break;
      case Signal.PUBACK:
        if (!this.#answered(Signal.PUBLISH, frame)) this.#completeCopy(frame);
        break;
      case Signal.QUERYACK:
        if (frame.qos) this.#send({ type: Signal.QUERYCON, messageId: frame.messageId });
        this.#answered(Signal.QUERY, frame);
        break;
      case Signal.PINGRESP:
        this.#missedPongs = 0;
        this.#after(WAIT.heartbeat, () => this.#ping());
        break;
      case Signal.DISCONNECT:
        this.#over(Code.RC_DISCONN_KICK, frame.status);
        break;
    }
  }

  #answered(type, frame) {
    const request = this.#pending.get(frame.messageId);
    if (request?.type !== type) return false;
    this.#pending.delete(frame.messageId);
    clearTimeout(request.timer);
    request.resolve(frame);
    return true;
  }

  /** What was sent elsewhere is shown when its PUBACK has come (session 9.3). */
  #keepCopy(frame) {
    this.#copies.set(frame.messageId, frame);
    if (this.#copies.size > MOST_COPIES) this.#copies.delete(this.#copies.keys().next().value);
  }

  #completeCopy(ack) {
    const copy = this.#copies.get(ack.messageId);
    if (copy === undefined) return;
    this.#copies.delete(ack.messageId);
    this.#on.copy(copy, ack);
  }

  #ping() {
    this.#send({ type: Signal.PINGREQ });
    this.#after(WAIT.pong, () => {
      this.#missedPongs += 1;
      if (this.#missedPongs >= MOST_MISSED_PONGS) this.#over(Code.RC_PONG_RECV_FAIL);
      else this.#ping();
    });
  }

  #after(milliseconds, call) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(call, milliseconds);
  }

  #over(code, status = null) {
    clearTimeout(this.#timer);
    this.isOpen = false;
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new ImError(Code.RC_SOCKET_DISCONNECTED));
    }
    this.#pending.clear();
    this.#accept.reject(new ImError(code));
    this.#end({ code, status });
  }
}
