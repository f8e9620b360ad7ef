/**
 * Messages on their way: in order, none lost, none twice.
 *
 * One message is under way at a time; the next one follows its answer. A message without an answer
 * is sent again, with the same `clientUniqueId`, by which the server recognises it (session 7,
 * 9.1). So an outage costs time and nothing else. What was not answered when the page went is sent
 * by the next page of the user.
 */

import { ImError, invalid } from "./errors.js";
import { encode, FormatError, toBytes } from "./protobuf.js";
import { Code } from "./tables.js";

/** Content of one message, in bytes (wire 7). */
export const LARGEST_CONTENT = 131_072;

/** Messages that may wait. Ours. */
const MOST_WAITING = 1000;

/** Milliseconds until a server that was told too much at once is told more. */
const PAUSE = 1000;

/** Nobody knows what has become of it. */
const UNANSWERED = new Set([
  Code.TIMEOUT,
  Code.RC_SOCKET_DISCONNECTED,
  Code.RC_NET_CHANNEL_INVALID,
]);

export class Outbox {
  #tell;
  #storage = null;
  #connection = null;
  #entries = [];
  #refusal = new ImError(Code.RC_NET_CHANNEL_INVALID);
  #isSending = false;
  #lastOrder = 0;

  /** `tell(name, entry, answer)`: an entry is "sending", "sent" or has "failed". */
  constructor(tell) {
    this.#tell = tell;
  }

  /** What waits, the oldest first. */
  get entries() {
    return [...this.#entries];
  }

  /** Whether a message that has come is one whose answer is still to come. */
  has(id) {
    return this.#entries.some((entry) => entry.id === id);
  }

  /** There will be a connection: messages may come. */
  begin() {
    this.#refusal = null;
  }

  /** From now on entries are kept here; those of earlier pages come first. */
  useStorage(storage) {
    this.#storage = storage;
    const waiting = this.#entries;
    const known = new Set(waiting.map(({ key }) => key));
    const earlier = storage
      .keys("outbox/")
      .filter((key) => !known.has(key))
      .map((key) => ({ ...storage.get(key), key }))
      .filter(({ id, topic, up }) => Number.isSafeInteger(id) && topic && up);
    this.#entries = [...earlier.slice(0, MOST_WAITING), ...waiting];
    for (const entry of waiting) storage.set(entry.key, entry);
    for (const entry of earlier) this.#tell("sending", entry);
  }

  /** Send over this connection from now on; null: there is none. */
  useConnection(connection) {
    this.#connection = connection;
    this.#send();
  }

  /**
   * Send an UpStreamMessage, whose content is text here; a promise of its entry and
   * PUBACK: `{ entry, ack }`. `shown` is kept beside it, for the page.
   */
  add(topic, targetId, up, shown) {
    if (this.#refusal) throw this.#refusal;
    if (this.#entries.length >= MOST_WAITING) {
      throw new ImError(Code.SEND_FREQUENCY_TOO_FAST, `${MOST_WAITING} messages wait`);
    }
    const id = uniqueId();
    const entry = { id, key: this.#nextKey(id), topic, targetId, up, shown };
    encodeEntry(entry);
    return new Promise((resolve, reject) => {
      Object.defineProperty(entry, "promise", { value: { resolve, reject } });
      this.#entries.push(entry);
      this.#storage?.set(entry.key, entry);
      this.#tell("sending", entry);
      this.#send();
    });
  }

  /** Nothing will be sent any more, and who waits is told why. */
  fail(error) {
    this.#refusal = error;
    this.#connection = null;
    while (this.#entries.length) this.#settle("failed", error);
  }

  /** Sorts by the time of sending, also among tabs. */
  #nextKey(id) {
    this.#lastOrder = Math.max(Date.now(), this.#lastOrder + 1);
    return `outbox/${this.#lastOrder}-${id}`;
  }

  async #send() {
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#connection?.isOpen && this.#entries.length) await this.#sendFirst();
    this.#isSending = false;
  }

  async #sendFirst() {
    const [entry] = this.#entries;
    let ack;
    try {
      ack = await this.#connection.publish(entry.topic, entry.targetId, encodeEntry(entry));
    } catch (error) {
      if (entry === this.#entries[0] && !UNANSWERED.has(error.code)) {
        this.#settle("failed", error instanceof ImError ? error : invalid(error.message));
      }
      return;
    }
    // Meanwhile it may have failed, with all others.
    if (entry !== this.#entries[0]) return;
    if (ack.status === Code.SEND_FREQUENCY_TOO_FAST) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    } else if (ack.status === 0 || ack.status === Code.SENSITIVE_REPLACE) {
      // The second one was sent as well, with other words (operations 2.2).
      this.#settle("sent", ack);
    } else {
      this.#settle("failed", new ImError(ack.status));
    }
  }

  #settle(name, outcome) {
    const entry = this.#entries.shift();
    this.#storage?.remove(entry.key);
    this.#tell(name, entry, outcome);
    if (name === "sent") entry.promise?.resolve({ entry, ack: outcome });
    else entry.promise?.reject(outcome);
  }
}

/** The payload; 33003 for what cannot be sent, 30016 for too much of it. */
function encodeEntry({ id, up }) {
  const content = toBytes(up.content);
  if (content.length > LARGEST_CONTENT) {
    throw new ImError(Code.RC_MSG_CONTENT_EXCEED_LIMIT, `it has ${content.length} bytes`);
  }
  try {
    return encode("UpStreamMessage", { ...up, content, clientUniqueId: id });
  } catch (error) {
    throw error instanceof FormatError ? invalid(error.message) : error;
  }
}

/** A number that nobody has used: 53 random bits. */
function uniqueId() {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high & 0x1fffff) * 0x100000000 + low;
}
