/**
 * Pull-on-notify: a cursor, and everything after it (session 8 and 11).
 *
 * The inbox, each chatroom, the events and the edits are such streams. A cursor only moves past
 * what was taken. While a pull is under way, whatever is announced makes one more pull of it.
 */

import { ImError } from "./errors.js";
import { Code } from "./tables.js";

export class Stream {
  #ask;
  #take;
  #fail;
  #announced = 0;
  #isPulling = false;
  #again = false;

  /**
   * `ask(cursor)` gives a page: `{ list, syncTime, finished }`. `take(list, cursor)` is told it
   * with the new cursor, and `fail(error)` that there was none.
   */
  constructor({ cursor = 0, ask, take, fail }) {
    this.cursor = cursor;
    this.#ask = ask;
    this.#take = take;
    this.#fail = fail;
  }

  /** Nothing is under way: what the server pushes now is next in the order (session 8.5). */
  get isIdle() {
    return !this.#isPulling;
  }

  /** The server says that there is something with this time. */
  announce(time) {
    // It is a BigInt if the server errs by some millions of years.
    this.#announced = Math.max(this.#announced, Number(time));
    if (time > this.cursor) this.pull();
  }

  /** Get what there is; once more if that is under way already. Never rejects. */
  async pull() {
    if (this.#isPulling) {
      this.#again = true;
      return;
    }
    this.#isPulling = true;
    try {
      await this.#pullAll();
    } catch (error) {
      if (!(error instanceof ImError)) throw error;
      this.#fail(error);
    } finally {
      this.#isPulling = false;
    }
  }

  async #pullAll() {
    do {
      this.#again = false;
      while (await this.#pullPage());
    } while (this.#again && this.#announced > this.cursor);
  }

  /** Whether there is more. A server that does not go on is not asked for ever. */
  async #pullPage() {
    const before = this.cursor;
    const { list, syncTime, finished } = await this.#ask(before);
    if (!Number.isSafeInteger(syncTime)) throw new ImError(Code.UNKNOWN, `syncTime ${syncTime}`);
    this.cursor = Math.max(before, syncTime);
    this.#take(list, this.cursor);
    return finished === false && this.cursor > before;
  }
}
