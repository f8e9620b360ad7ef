/**
 * Binds improto.js to the state: what comes is put into its place, and what people do is sent.
 *
 * Nothing here draws. What a view may do is exported; each function that can fail tells so by a
 * toast or by the state of a message, and rejects only where it says so.
 */

import {
  BrowserStorage,
  Client,
  Code,
  ConversationType,
  ImError,
  keyOf,
  Status,
  text,
} from "../improto/improto.js";
import * as archive from "./archive.js";
import * as chats from "./chats.js";
import { sayError } from "./errors.js";
import { keep, recall as recallText } from "./preferences.js";
import { askAgain, beginPeople, refresh, setOnline } from "./people.js";
import { post } from "./session.js";
import { changed, state, toast } from "./state.js";

/** Messages on a page of history. */
const PAGE = 30;

/** Conversations that are asked for. */
const MOST_LISTED = 200;

/** Milliseconds: between two notes that we type, and how long a note of others holds. */
const TYPING_EVERY = 4000;
const TYPING_HOLDS = 6000;

/** Milliseconds before the first attempt is repeated, at first and at most. */
const FIRST_DELAY = 1000;
const LONGEST_DELAY = 30_000;

/** The end, until somebody says otherwise. */
const ENDS = new Set([
  Status.KICKED_OFFLINE_BY_OTHER_CLIENT,
  Status.BLOCKED,
  Status.DISCONNECT_BY_SERVER,
  Status.DOMAIN_INCORRECT,
  Status.APPKEY_IS_FAKE,
]);

/** Called with each message of somebody else that has just come; notifications listen here. */
export const incoming = new Set();

let transmit = (...message) => client.messages.send(...message);

/** Send in another way: `wrap` gets the function that sends until now, and gives the next one. */
export function sendBy(wrap) {
  transmit = wrap(transmit);
}

/** Called with a conversation and waited for, before its messages are asked for. */
export const beforeLoading = new Set();

/** Functions by the name of an event of improto.js, for modules that need more than is here. */
export const extraEvents = new Set();

let client = null;
let retry = 0;
let retryDelay = FIRST_DELAY;
let lastTyping = 0;
let begun = 0;

/** The client of who is logged in, for what no function here does; null before. */
export function theClient() {
  return client;
}

/** Whether the server can be asked now. */
export function isOnline() {
  return state.link.status === Status.CONNECTED;
}

// -- coming and going ------------------------------------------------------------------

/** Connect as who is logged in, and show what an earlier page has kept. */
export async function begin() {
  beginPeople();
  await chats.readArchive();
  connect();
}

/** Leave; what is kept here of the user is forgotten. */
export async function end() {
  const { user } = state.me;
  clearTimeout(retry);
  client?.disconnect();
  client = null;
  await archive.forgetAll(user);
}

/** Connect again now: somebody does not want to wait, or wants to be here after all. */
export function reconnect() {
  clearTimeout(retry);
  retryDelay = FIRST_DELAY;
  // improto.js waits for the browser to say this, too.
  globalThis.dispatchEvent(new Event("online"));
  if (client === null || state.link.isFinal || state.link.status === Status.DISCONNECTED) connect();
}

async function connect() {
  clearTimeout(retry);
  try {
    client ??= await makeClient();
    await client.connect();
    retryDelay = FIRST_DELAY;
  } catch (error) {
    failed(error);
  }
}

async function makeClient() {
  const { appKey, navigation } = await askServer();
  const made = new Client({
    appKey,
    navigator: navigation,
    token: async () => (await post("/token")).token,
    storage: new BrowserStorage(),
    fromNow: true,
  });
  for (const [name, handler] of [...Object.entries(HANDLERS), ...extraEvents]) {
    made.addEventListener(name, ({ detail }) => {
      if (made === client) handler(detail);
    });
  }
  return made;
}

/** Where to connect to: as it was last time, or what the server says. */
async function askServer() {
  const name = `user/${state.me.user}/server`;
  try {
    const { appKey, navigation } = await post("/token");
    keep(name, JSON.stringify({ appKey, navigation }));
    return { appKey, navigation };
  } catch (error) {
    const kept = error.code === "offline" ? recallText(name) : null;
    if (kept === null) throw error;
    return JSON.parse(kept);
  }
}

function failed(error) {
  if (error.code === Code.CAN_NOT_RECONNECT || state.me === null) return;
  const isFinal = ENDS.has(state.link.status) || error.code === "login_needed";
  state.link = { ...state.link, error, isFinal };
  if (state.link.status === null) state.link.status = Status.NETWORK_UNAVAILABLE;
  changed();
  if (isFinal) return;
  retry = setTimeout(connect, retryDelay);
  retryDelay = Math.min(retryDelay * 2, LONGEST_DELAY);
}

async function connected() {
  askAgain();
  failLost();
  const open = openConversation();
  if (open) load(open);
  try {
    await Promise.all([list(), settings()]);
  } catch (error) {
    // It is asked for again after the next login.
    if (isOnline()) console.warn("the list of conversations:", error);
  }
}

/** What an earlier page was about to send and nobody sends any more. */
function failLost() {
  const waiting = new Set(client.messages.waiting.map(({ id }) => id));
  for (const { messages } of state.chats.values()) {
    for (const each of messages.filter((one) => one.state === "sending" && !waiting.has(one.id))) {
      chats.put(each.conversation, [each], "failed", new ImError(Code.RC_SOCKET_DISCONNECTED));
    }
  }
}

async function list() {
  for (const each of await client.conversations.list({ count: MOST_LISTED })) {
    const { conversation, last, unread, mentions, time } = each;
    chats.change(conversation, { unread, mentions, time, countedUntil: last?.time ?? 0 });
    if (last && chats.isShown(last)) chats.put(conversation, [last]);
  }
  const open = openConversation();
  if (open) seen(open);
}

async function settings() {
  for (const { conversation, isMuted, isPinned } of await client.conversations.settings()) {
    const values = { isMuted: Boolean(isMuted), isPinned: Boolean(isPinned) };
    chats.change(conversation, values);
  }
}

// -- what comes ------------------------------------------------------------------------

const HANDLERS = {
  status({ status }) {
    state.link = { status, error: null, isFinal: false };
    changed();
    if (status === Status.CONNECTED) connected();
  },

  ended({ error }) {
    failed(error);
  },

  message({ message }) {
    if (!chats.isShown(message)) return;
    const { conversation, senderId, isMine, isCounted, time } = message;
    const [placed] = chats.put(conversation, [message]);
    chats.chatOf(conversation).typing.delete(senderId);
    const entry = chats.entryOf(conversation);
    if (isMine) {
      chats.change(conversation, { unread: 0, mentions: 0 });
    } else if (isCounted && time > entry.countedUntil) {
      const mentions = entry.mentions + (message.isMentioned ? 1 : 0);
      chats.change(conversation, { unread: entry.unread + 1, mentions });
    }
    if (!isMine) for (const listener of incoming) listener(placed);
    seen(conversation);
  },

  sending({ message }) {
    begun += 1;
    if (chats.isShown(message) && message.isStored) {
      chats.put(message.conversation, [message], "sending");
    }
  },

  sent({ message }) {
    if (chats.isShown(message) && message.isStored) chats.put(message.conversation, [message]);
  },

  failed({ message, error }) {
    if (message.name === "RC:RcCmd" || !chats.isShown(message) || !message.isStored) return;
    chats.put(message.conversation, [message], "failed", error);
  },

  typing({ conversation, userId }) {
    const { typing } = chats.chatOf(conversation);
    clearTimeout(typing.get(userId));
    const forget = () => typing.delete(userId) && changed();
    typing.set(userId, setTimeout(forget, TYPING_HOLDS));
    changed();
  },

  read({ conversation, until }) {
    const { readUntil } = chats.entryOf(conversation);
    if (until > readUntil) chats.change(conversation, { readUntil: until });
  },

  readelsewhere({ conversation, until }) {
    const { last, countedUntil } = chats.entryOf(conversation);
    if (until >= (last?.time ?? 0)) {
      const values = { unread: 0, mentions: 0, countedUntil: Math.max(countedUntil, until) };
      chats.change(conversation, values);
    }
  },

  recall({ conversation, message }) {
    chats.put(conversation, [message]);
  },

  edit({ message }) {
    if (chats.find(message.conversation, message.uid)) chats.put(message.conversation, [message]);
  },

  presence({ userId, isOnline: isThere }) {
    setOnline(userId, isThere);
    refresh(userId);
  },

  profile({ userId }) {
    refresh(userId);
  },

  settings() {
    settings().catch(() => {});
  },

  trouble({ error }) {
    console.warn("improto:", error);
  },
};

// -- what people do --------------------------------------------------------------------

/** The conversation that is in front of somebody, or null. */
export function openConversation() {
  const { name, args } = state.route;
  const type = Number(args[0]);
  return name === "chat" && type && args[1] ? { type, targetId: args[1] } : null;
}

/** Load the newest messages: at once what is kept here, then what the server has. */
export async function load(conversation) {
  const chat = chats.chatOf(conversation);
  if (chat.source === null) {
    chat.source = "archive";
    await busy(chat, async () => {
      const key = keyOf(conversation);
      restore(conversation, await archive.messagesBefore(state.me.user, key, Infinity, PAGE));
    });
    if (isOnline()) failLost();
  }
  if (chat.source === "server" || chat.isLoading || !isOnline()) return;
  await busy(chat, async () => {
    for (const prepare of beforeLoading) await prepare(conversation);
    const before = new Set(chat.messages);
    const page = await client.messages.history(conversation, { count: PAGE });
    const oldest = page.messages[0]?.time ?? Infinity;
    // Between what is kept here and the newest page there may be a gap.
    chat.messages = chat.messages.filter(
      (each) => !before.has(each) || each.state !== "sent" || each.time >= oldest,
    );
    took(conversation, chat, page);
    chat.source = "server";
  });
  seen(conversation);
}

/** Load the page before the oldest message. */
export async function loadOlder(conversation) {
  const chat = chats.chatOf(conversation);
  if (chat.isLoading || !chat.hasMore || chat.source === null) return;
  if (chat.messages.length >= chats.MOST_LOADED) return;
  if ((chat.source === "server") !== isOnline()) {
    // The newest come first.
    await load(conversation);
    return;
  }
  await busy(chat, async () => {
    if (chat.source === "server") {
      const options = { before: chat.next, count: PAGE };
      took(conversation, chat, await client.messages.history(conversation, options));
      return;
    }
    const before = chat.messages[0]?.time ?? Infinity;
    const key = keyOf(conversation);
    const kept = await archive.messagesBefore(state.me.user, key, before, PAGE);
    chat.hasMore = kept.length === PAGE;
    restore(conversation, kept);
  });
}

function took(conversation, chat, { messages, hasMore, next }) {
  chats.put(conversation, messages.filter(chats.isShown));
  Object.assign(chat, { hasMore, next });
}

/** What is kept says itself whether it was sent. */
function restore(conversation, kept) {
  for (const each of kept) {
    const error = each.error === null ? null : { code: each.error };
    if (!chats.find(conversation, each.uid || null)) {
      chats.put(conversation, [each], each.state, error);
    }
  }
}

async function busy(chat, work) {
  chat.isLoading = true;
  changed();
  try {
    await work();
  } catch (error) {
    if (isOnline()) toast(sayError(error), "error");
    chat.hasMore = false;
  } finally {
    chat.isLoading = false;
    changed();
  }
}

/** Send a content of improto.js; options as there. What fails is shown at the message. */
export async function send(conversation, content, given) {
  const before = begun;
  // Where the server counts who has read; elsewhere it means nothing.
  const wantsReceipt = conversation.type === ConversationType.GROUP;
  const options = { wantsReceipt, ...given };
  try {
    if (client === null) checkOnline();
    const sending = transmit(conversation, content, options);
    chats.change(conversation, { unread: 0, mentions: 0 });
    return await sending;
  } catch (error) {
    // What was refused before it was on its way has no message to show it at.
    if (begun === before) toast(sayError(error), "error");
    return null;
  }
}

/** Send a text. */
export function sendText(conversation, content, options) {
  // The next key begins something new.
  lastTyping = 0;
  return send(conversation, text(content), options);
}

/** Send once more what has failed. */
export function sendAgain(message) {
  chats.discard(message);
  return send(message.conversation, { name: message.name, fields: message.fields });
}

/** Take a message back. */
export async function recall(message) {
  try {
    const notice = await client.messages.recall(message);
    chats.put(message.conversation, [notice]);
  } catch (error) {
    toast(sayError(error), "error");
  }
}

/** Somebody is typing here. */
export function typing(conversation) {
  if (conversation.type !== ConversationType.PRIVATE || !isOnline()) return;
  if (Date.now() - lastTyping < TYPING_EVERY) return;
  lastTyping = Date.now();
  client.messages.typing(conversation).catch(() => {});
}

/** What is in front of somebody has been read, if somebody is there. */
export function seen(conversation) {
  const open = openConversation();
  if (!open || keyOf(open) !== keyOf(conversation) || !isOnline()) return;
  if (document.visibilityState !== "visible") return;
  const entry = chats.entryOf(conversation);
  if (!entry.unread) return;
  const newest = chats.chatOf(conversation).messages.findLast((each) => !each.isMine && each.uid);
  if (newest === undefined) return;
  const countedUntil = Math.max(entry.countedUntil, newest.time);
  chats.change(conversation, { unread: 0, mentions: 0, countedUntil });
  // Nobody counts in rooms.
  if (!chats.isListed(conversation)) return;
  const isPrivate = conversation.type === ConversationType.PRIVATE;
  const told = isPrivate
    ? client.messages.confirm(newest)
    : client.conversations.markRead(conversation, newest.time);
  told.catch(() => {});
}

/** All conversations have been read. */
export async function readAll() {
  for (const { conversation, unread, last } of chats.listed()) {
    if (!unread || !last?.time) continue;
    const values = { unread: 0, mentions: 0, countedUntil: last.time };
    await set(conversation, values, () => client.conversations.markRead(conversation, last.time));
  }
}

/** Keep a conversation on top, or no longer. */
export function pin(conversation, isOn) {
  return set(conversation, { isPinned: isOn }, () => client.conversations.pin(conversation, isOn));
}

/** Make no noise for a conversation, or again. */
export function mute(conversation, isOn) {
  return set(conversation, { isMuted: isOn }, () => client.conversations.mute(conversation, isOn));
}

/** Take a conversation off the list, until its next message. */
export async function remove(conversation) {
  try {
    checkOnline();
    await client.conversations.remove(conversation);
    chats.drop(conversation);
  } catch (error) {
    toast(sayError(error), "error");
  }
}

function checkOnline() {
  if (!isOnline()) throw new ImError(Code.RC_NET_CHANNEL_INVALID);
}

async function set(conversation, values, tell) {
  try {
    checkOnline();
    await tell();
    chats.change(conversation, values);
  } catch (error) {
    toast(sayError(error), "error");
  }
}
