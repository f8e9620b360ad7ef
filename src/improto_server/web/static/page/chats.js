/**
 * Conversations and what is loaded of them: how messages find their places.
 *
 * A conversation of the list is `{ conversation, last, unread, mentions, time, isMuted, isPinned,
 * countedUntil, readUntil }`: `readUntil`, up to which time the other has read; `countedUntil`, up
 * to which the server has counted what is unread.
 *
 * A chat is `{ messages, hasMore, next, source, isLoading, typing }`. Its messages are those of
 * improto.js and `state` ("sending", "sent", "failed"), `error`, `node` (the same as long as it is
 * shown) and `key` (its name in the archive). The notice of a recall has the place of the message
 * that it took back, live and in history. `source` says where they are from: null, "archive" or
 * "server".
 */

import { ConversationType, keyOf } from "../improto/improto.js";
import * as archive from "./archive.js";
import { keep, recall as recallText } from "./preferences.js";
import { changed, state } from "./state.js";

const RECALL = "RC:RcCmd";

/** Contents that the server does not keep and that are shown as notices all the same. */
export const notices = new Set([RECALL]);

/** Chats whose messages are kept in memory; of others they are loaded again. */
const MOST_CHATS = 20;

/** Messages of one chat that are shown: a page with many more of them is slow. */
export const MOST_LOADED = 2000;

/** More than that may come before the oldest go. */
const SLACK = 100;

let lastNode = 0;

/** Whether people should see a message: commands of the protocol and of applications they do not. */
export function isShown({ name, isStored, isCounted }) {
  return notices.has(name) || isStored || isCounted || !name.startsWith("RC:");
}

/** The entry of the list, made if there is none. */
export function entryOf(conversation) {
  const key = keyOf(conversation);
  if (!state.conversations.has(key)) {
    state.conversations.set(key, {
      conversation,
      last: null,
      unread: 0,
      mentions: 0,
      time: 0,
      isMuted: false,
      isPinned: false,
      countedUntil: 0,
      readUntil: 0,
    });
  }
  return state.conversations.get(key);
}

/** Change an entry of the list, and keep it. */
export function change(conversation, values) {
  const entry = Object.assign(entryOf(conversation), values);
  archive.putConversation(state.me.user, keyOf(conversation), entry);
  changed();
  return entry;
}

/** Take a conversation off the list. */
export function drop(conversation) {
  state.conversations.delete(keyOf(conversation));
  archive.removeConversation(state.me.user, keyOf(conversation));
  changed();
}

/** What is loaded of a conversation; the one that was asked for last is the last of the map. */
export function chatOf(conversation) {
  const key = keyOf(conversation);
  const chat = state.chats.get(key) ?? {
    messages: [],
    hasMore: true,
    next: 0,
    source: null,
    isLoading: false,
    typing: new Map(),
  };
  state.chats.delete(key);
  state.chats.set(key, chat);
  for (const [oldest, { messages, isLoading }] of state.chats) {
    if (state.chats.size <= MOST_CHATS) break;
    if (!isLoading && messages.every((each) => each.state === "sent")) state.chats.delete(oldest);
  }
  return chat;
}

/** Whether there is a place on the list for such a conversation: there is none for rooms. */
export function isListed({ type }) {
  return type !== ConversationType.CHATROOM;
}

/** Where one finds it: the name of a place. */
export function placeOf(conversation) {
  return isListed(conversation) ? "chats" : "rooms";
}

/** The list as it is shown: what is on top first, then the newest. Those without a message and
 * without a draft are not on it. */
export function listed() {
  return [...state.conversations.values()]
    .filter(({ conversation }) => isListed(conversation))
    .filter(({ last, conversation }) => last !== null || draftOf(conversation))
    .sort((one, other) => other.isPinned - one.isPinned || other.time - one.time);
}

/** All that is unread and not muted. */
export function totalUnread() {
  const all = [...state.conversations.values()];
  const entries = all.filter(({ conversation }) => isListed(conversation));
  return entries.reduce((sum, { unread, isMuted }) => sum + (isMuted ? 0 : unread), 0);
}

/** Find places for messages of one conversation, and keep them. */
export function put(conversation, messages, sendState = "sent", error = null) {
  const chat = chatOf(conversation);
  // Nobody looks at it: the archive has them when somebody does.
  const shown = chat.source === null ? { messages: [] } : chat;
  const placed = messages.map((each) => place(shown, each, sendState, error));
  shown.messages.sort(inOrder);
  if (shown.messages.length > MOST_LOADED + SLACK) {
    shown.messages = shown.messages.slice(-MOST_LOADED);
    Object.assign(shown, { hasMore: true, next: shown.messages[0].time });
  }
  archive.putMessages(state.me.user, keyOf(conversation), placed);
  const newest = placed.reduce((one, other) => (inOrder(one, other) > 0 ? one : other), placed[0]);
  if (newest) showLast(conversation, newest);
  changed();
  return placed;
}

/** A message that was not sent is not wanted any more. */
export function discard({ conversation, key }) {
  const chat = chatOf(conversation);
  chat.messages = chat.messages.filter((each) => each.key !== key);
  archive.removeMessage(state.me.user, keyOf(conversation), key);
  const entry = entryOf(conversation);
  if (entry.last?.key === key) change(conversation, { last: chat.messages.at(-1) ?? null });
  changed();
}

/** The message that has this uid, as far as it is loaded. */
export function find(conversation, uid) {
  return chatOf(conversation).messages.find((each) => each.uid === uid);
}

/** The list as an earlier page has left it. */
export async function readArchive() {
  const user = state.me.user;
  const entries = await archive.conversations(user);
  if (state.me?.user !== user) return;
  // The open conversation may have been drawn already; nothing has come yet.
  for (const entry of entries) Object.assign(entryOf(entry.conversation), entry);
  changed();
}

/** What was written and not sent. */
export function draftOf(conversation) {
  return recallText(draftName(conversation)) ?? "";
}

/** Keep what was written; empty: nothing was. */
export function setDraft(conversation, text) {
  if (text && !entryOf(conversation).time) change(conversation, { time: Date.now() });
  keep(draftName(conversation), text || null);
  changed();
}

function draftName(conversation) {
  return `user/${state.me.user}/draft/${keyOf(conversation)}`;
}

function place(chat, message, sendState, error) {
  const { name, fields, id, isMine } = message;
  const isRecall = name === RECALL;
  // Others have written the fields.
  const { messageUId, sentTime } = isRecall ? fields : {};
  const uid = typeof messageUId === "string" && messageUId ? messageUId : message.uid;
  const sentAt = ["number", "string"].includes(typeof sentTime) ? Number(sentTime) : 0;
  const time = sentAt > 0 && sentAt <= message.time ? sentAt : message.time;
  const index = chat.messages.findIndex(
    (each) => (uid && each.uid === uid) || (isMine && !each.uid && id !== null && each.id === id),
  );
  const known = chat.messages[index];
  const placed = {
    ...message,
    uid,
    time,
    state: sendState,
    error: error === null ? null : error.code,
    key: uid || waitingKey(id),
    node: known?.node ?? ++lastNode,
    writtenAt: known?.writtenAt ?? Date.now(),
  };
  if (known === undefined) {
    chat.messages.push(placed);
    if (isMine && uid && id !== null) {
      archive.removeMessage(state.me.user, keyOf(placed.conversation), waitingKey(id));
    }
  } else {
    // Of a page and a recall, whichever comes first, the recall stays.
    if (known.name === RECALL && !isRecall) return known;
    chat.messages[index] = placed;
    if (known.key !== placed.key) {
      archive.removeMessage(state.me.user, keyOf(placed.conversation), known.key);
    }
  }
  return placed;
}

function waitingKey(id) {
  return `id:${id}`;
}

/** By time; what waits is last, in the order in which it was written. */
function inOrder(one, other) {
  const [first, second] = [one, other].map(({ time }) => time || Number.MAX_SAFE_INTEGER);
  return first - second || one.writtenAt - other.writtenAt;
}

function showLast(conversation, message) {
  const { last } = entryOf(conversation);
  const isNewer = last === null || last.uid === message.uid || last.key === message.key;
  const isOwnNow = isMineSent(last, message);
  if (isNewer || isOwnNow || inOrder(last, message) <= 0) {
    const time = message.time || message.writtenAt;
    change(conversation, { last: message, time });
  }
}

/** Whether the last one was waiting and this is how it was sent. */
function isMineSent(last, message) {
  return last !== null && !last.uid && message.isMine && last.id === message.id;
}
