/**
 * Where a client keeps what has to survive its page: cursors, and messages that were not sent.
 *
 * A storage is any object with `get(key)`, `set(key, text)`, `remove(key)` and `keys()`. All of
 * them answer at once. Several tabs may share one: every key is written whole.
 */

/** Forgets everything with the page. */
export class MemoryStorage {
  #items = new Map();

  get(key) {
    return this.#items.get(key) ?? null;
  }

  set(key, text) {
    this.#items.set(key, text);
  }

  remove(key) {
    this.#items.delete(key);
  }

  keys() {
    return [...this.#items.keys()];
  }
}

/** The browser's own, or its `sessionStorage`. What does not fit is kept for this page only. */
export class BrowserStorage {
  #items;

  constructor(items = globalThis.localStorage) {
    this.#items = items;
  }

  get(key) {
    return this.#items.getItem(key);
  }

  set(key, text) {
    try {
      this.#items.setItem(key, text);
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
    }
  }

  remove(key) {
    this.#items.removeItem(key);
  }

  keys() {
    return Object.keys(this.#items);
  }
}

/** The part of a storage that belongs to one user of one app. */
export class UserStorage {
  #storage;
  #prefix;

  constructor(storage, appKey, userId) {
    this.#storage = storage;
    this.#prefix = `improto/${appKey}/${encodeURIComponent(userId)}/`;
  }

  /** What was set, as JSON; null if there is nothing, or nothing that can be read. */
  get(key) {
    try {
      return JSON.parse(this.#storage.get(this.#prefix + key) ?? "null");
    } catch {
      return null;
    }
  }

  set(key, value) {
    this.#storage.set(this.#prefix + key, JSON.stringify(value));
  }

  remove(key) {
    this.#storage.remove(this.#prefix + key);
  }

  /** The keys that begin so, in order. */
  keys(beginning) {
    const whole = this.#prefix + beginning;
    return [...this.#storage.keys()]
      .filter((key) => key.startsWith(whole))
      .map((key) => key.slice(this.#prefix.length))
      .sort();
  }
}
