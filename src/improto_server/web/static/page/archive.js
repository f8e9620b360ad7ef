/**
 * What is kept in this browser for reading without a network: conversations and their messages, in
 * IndexedDB, each user's apart.
 *
 * It is a copy. A browser that keeps nothing, or has no room, makes the page forget and nothing
 * else; so nothing here rejects. Writes that come while one is under way are one transaction, because
 * hundreds of messages may come at once; reading waits for what was written before.
 */

const NAME = "improto-page";
const VERSION = 1;

/** Greater than every time and every text. */
const END = "\uffff";

/** Conversations, and messages of each, that stay when a page begins; the newest. */
const MOST_CONVERSATIONS = 500;
const MOST_MESSAGES = 1000;

let opening = null;
let waiting = [];
let isWriting = false;

function database() {
  opening ??= new Promise((resolve) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      const messages = request.result.createObjectStore("messages", {
        keyPath: ["user", "chat", "key"],
      });
      messages.createIndex("order", ["user", "chat", "order"]);
      request.result.createObjectStore("conversations", { keyPath: ["user", "chat"] });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
  });
  return opening;
}

/** Do some work in a transaction; what it gives, or `otherwise`. */
async function transaction(stores, mode, work, otherwise) {
  try {
    const db = await database();
    if (db === null) return otherwise;
    const running = db.transaction(stores, mode);
    let result = otherwise;
    work(running, (value) => (result = value));
    await new Promise((resolve, reject) => {
      running.oncomplete = resolve;
      running.onabort = () => reject(running.error);
    });
    return result;
  } catch {
    return otherwise;
  }
}

/** Change something as soon as it can be; resolves when it is kept, or is not. */
function write(work) {
  return new Promise((resolve) => {
    waiting.push({ work, resolve });
    if (!isWriting) flush();
  });
}

async function flush() {
  isWriting = true;
  while (waiting.length) {
    const now = waiting;
    waiting = [];
    await transaction(["messages", "conversations"], "readwrite", (running) => {
      for (const { work } of now) attempt(work, running);
    });
    for (const { resolve } of now) resolve();
  }
  isWriting = false;
}

/** What cannot be kept does not take the rest along. */
function attempt(work, running) {
  try {
    work(running);
  } catch {
    // It is not kept.
  }
}

async function read(store, work) {
  await write(() => {});
  return transaction([store], "readonly", work, []);
}

/** Keep messages of one conversation; each has a `key`, which others of it are told from. */
export function putMessages(user, chat, messages) {
  return write((running) => {
    const store = running.objectStore("messages");
    for (const message of messages) {
      const order = message.time || Number.MAX_SAFE_INTEGER;
      store.put({ user, chat, key: message.key, order, message });
    }
  });
}

/** Forget a message. */
export function removeMessage(user, chat, key) {
  return write((running) => {
    running.objectStore("messages").delete([user, chat, key]);
  });
}

/** The newest messages before a time, the oldest first. */
export function messagesBefore(user, chat, before, count) {
  return read("messages", (running, give) => {
    const range = IDBKeyRange.bound([user, chat], [user, chat, before], false, true);
    const found = [];
    const cursor = running.objectStore("messages").index("order").openCursor(range, "prev");
    cursor.onsuccess = () => {
      const at = cursor.result;
      if (at) found.unshift(at.value.message);
      if (at && found.length < count) at.continue();
      else give(found);
    };
  });
}

/** Keep a conversation as the list has it. */
export function putConversation(user, chat, conversation) {
  return write((running) => {
    running.objectStore("conversations").put({ user, chat, conversation });
  });
}

/** Forget a conversation. */
export function removeConversation(user, chat) {
  return write((running) => {
    running.objectStore("conversations").delete([user, chat]);
  });
}

/** All conversations of a user that are kept. */
export async function conversations(user) {
  const found = await read("conversations", (running, give) => {
    const request = running.objectStore("conversations").getAll(ofUser(user));
    request.onsuccess = () => give(request.result);
  });
  found.sort((one, other) => other.conversation.time - one.conversation.time);
  found.forEach(({ chat }, index) => {
    if (index < MOST_CONVERSATIONS) forgetOld(user, chat);
    else forget(user, chat);
  });
  return found.slice(0, MOST_CONVERSATIONS).map((each) => each.conversation);
}

/** Forget all of a user. */
export function forgetAll(user) {
  return write((running) => {
    for (const name of ["messages", "conversations"]) running.objectStore(name).delete(ofUser(user));
  });
}

function ofUser(user) {
  return IDBKeyRange.bound([user], [user, END]);
}

function ofChat(user, chat) {
  return IDBKeyRange.bound([user, chat], [user, chat, END]);
}

function forget(user, chat) {
  return write((running) => {
    running.objectStore("messages").delete(ofChat(user, chat));
    running.objectStore("conversations").delete([user, chat]);
  });
}

function forgetOld(user, chat) {
  return write((running) => {
    const store = running.objectStore("messages");
    const cursor = store.index("order").openKeyCursor(ofChat(user, chat), "prev");
    let isFirst = true;
    cursor.onsuccess = () => {
      const at = cursor.result;
      if (!at) return;
      if (isFirst) {
        isFirst = false;
        at.advance(MOST_MESSAGES);
      } else {
        store.delete(at.primaryKey);
        at.continue();
      }
    };
  });
}
