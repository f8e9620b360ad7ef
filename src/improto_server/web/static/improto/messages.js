/**
 * Messages: reading them, sending them, and what can be done to them.
 */

import { flagsOf } from "./contents.js";
import { invalid } from "./errors.js";
import { toText } from "./protobuf.js";
import {
  CLEAN_TOPICS,
  CONVERSATION_OF,
  ConversationType,
  HISTORY_TOPICS,
  MESSAGE_TOPICS,
  QUERIES,
} from "./tables.js";

/** Bits of `sessionId` (messages 3.1), `status` (3.3), `optionBits` and `extStatus` (sdk5 5). */
const UP = { MENTION: 4, SILENT: 0x20, EXPANDABLE: 0x40 };
const DOWN = { STORED: 0x10, COUNTED: 0x20, MENTION: 0x40, SILENT: 0x200, EXPANDABLE: 0x400 };
const WANTS_RECEIPT = 2;
const EDITED = 4;

const SENT = 1;
const RECEIVED = 2;

/** Messages of history on one page (operations 5). */
const LARGEST_PAGE = 100;

/** Types whose target is `groupId`; of the others it is `fromUserId` (messages 1). */
const IN_GROUP_ID = new Set([
  ConversationType.DISCUSSION,
  ConversationType.GROUP,
  ConversationType.CHATROOM,
  ConversationType.ULTRA_GROUP,
  ConversationType.RTC_ROOM,
]);

/** The conversation with a user. */
export function privateChat(targetId) {
  return { type: ConversationType.PRIVATE, targetId };
}

/** The conversation in a group. */
export function groupChat(targetId) {
  return { type: ConversationType.GROUP, targetId };
}

/** The conversation in a chatroom. */
export function roomChat(targetId) {
  return { type: ConversationType.CHATROOM, targetId };
}

/** A text that is the same for equal conversations, for keys of maps. */
export function keyOf({ type, targetId }) {
  return `${type}:${targetId}`;
}

/** Read a DownStreamMessage as user `me`; `since`: what is older came while he was away. */
export function readDown(down, me, since) {
  const { type, fromUserId, groupId, msgId = "", dataTime } = down;
  const isMine =
    down.direction === SENT || (type === ConversationType.CHATROOM && fromUserId === me);
  const targetId = IN_GROUP_ID.has(type) && groupId ? groupId : fromUserId;
  return {
    ...readContent(down, Number(down.status)),
    conversation: { type, targetId },
    senderId: isMine ? me : fromUserId,
    isMine,
    uid: msgId,
    time: Number(dataTime),
    isOffline: dataTime < since,
  };
}

/** Read an UpStreamMessage of the user, as it is sent or was sent from another device. */
export function readUp(up, me, conversation, { uid = "", time = 0 } = {}) {
  return {
    // The bits are the same, four places higher; nobody mentions himself (messages 3.3).
    ...readContent(up, (up.sessionId & ~UP.MENTION) << 4),
    conversation,
    senderId: me,
    isMine: true,
    uid,
    time,
    isOffline: false,
  };
}

function readContent(message, status) {
  const { classname, content, clientUniqueId, extraContent, extStatus, optionBits } = message;
  const raw = typeof content === "string" ? content : toText(content);
  return {
    id: clientUniqueId ?? null,
    name: classname,
    fields: parseObject(raw),
    raw,
    expansion: readExpansion(extraContent),
    isStored: Boolean(status & DOWN.STORED),
    isCounted: Boolean(status & DOWN.COUNTED),
    isMentioned: Boolean(status & DOWN.MENTION),
    isSilent: Boolean(status & DOWN.SILENT),
    isExpandable: Boolean(status & DOWN.EXPANDABLE),
    isEdited: Boolean(Number(extStatus ?? 0) & EDITED),
    wantsReceipt: Boolean(Number(optionBits ?? 0) & WANTS_RECEIPT),
  };
}

/** Pairs are `{"key": {"v": value}}` on the wire (messages 8.6). */
function readExpansion(json) {
  const pairs = Object.entries(parseObject(json ?? ""));
  return Object.fromEntries(pairs.map(([key, value]) => [key, value?.v]));
}

/** Of what is no JSON object there are no members. */
function parseObject(json) {
  try {
    const value = JSON.parse(json);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

/** The conversation of a copy (session 9.3); a recall names it itself (messages 7). */
export function conversationOfCopy(topic, targetId, { content }) {
  const type = CONVERSATION_OF[topic];
  if (type !== undefined) return { type, targetId };
  const fields = parseObject(toText(content));
  return { type: fields.conversationType, targetId: fields.targetId };
}

export class Messages {
  #client;
  #outbox;

  constructor(client, outbox) {
    this.#client = client;
    this.#outbox = outbox;
  }

  /** What waits to be sent, the oldest first. */
  get waiting() {
    return this.#outbox.entries.map((entry) => this.shown(entry));
  }

  /**
   * Send a content; a promise of the message as the server has it. Options: `mention`, a list of
   * user ids or "all"; `only`, the members of a group who shall get it; `isSilent`;
   * `isExpandable`; `wantsReceipt`; `pushText`; `user`, what the sender is called; `extra`, a text.
   */
  send(conversation, content, options = {}) {
    const { mention, only = [], isSilent, isExpandable, wantsReceipt, pushText } = options;
    const fields = { ...content.fields };
    if (options.user) fields.user = options.user;
    if (options.extra !== undefined) fields.extra = options.extra;
    let flags = flagsOf(content);
    if (mention) {
      flags |= UP.MENTION;
      const userIdList = mention === "all" ? [] : mention;
      fields.mentionedInfo = { type: mention === "all" ? 1 : 2, userIdList, mentionedContent: "" };
    }
    if (isSilent) flags |= UP.SILENT;
    if (isExpandable) flags |= UP.EXPANDABLE;
    const topic = MESSAGE_TOPICS[conversation.type]?.stored;
    if (topic === undefined) throw invalid(`nobody writes to type ${conversation.type}`);
    const up = {
      sessionId: flags,
      classname: content.name,
      content: JSON.stringify(fields),
      userId: only,
      configFlag: 0,
    };
    if (pushText !== undefined) up.pushText = pushText;
    if (wantsReceipt) up.optionBits = WANTS_RECEIPT;
    return this.#add(topic, conversation.targetId, up, conversation);
  }

  async #add(topic, targetId, up, conversation) {
    const { entry, ack } = await this.#outbox.add(topic, targetId, up, conversation);
    return this.shown(entry, ack);
  }

  /** An entry of the outbox as a message; `ack` is its PUBACK, if it has come. */
  shown({ id, up, shown }, ack) {
    const identity = { uid: ack?.messageUId, time: ack?.timestamp };
    return { ...readUp(up, this.#client.userId, shown, identity), id };
  }

  /** Show the others that this user is typing (messages 8.5). Offline it is dropped. */
  async typing(conversation, name = "RC:TxtMsg") {
    const topic = MESSAGE_TOPICS[conversation.type]?.status;
    if (topic === undefined) throw invalid("in this conversation nobody sees typing");
    const content = new TextEncoder().encode(JSON.stringify({ typingContentType: name, data: "" }));
    const up = { sessionId: 0, classname: "RC:TypSts", content, configFlag: 0 };
    const options = { target: conversation.targetId, type: "UpStreamMessage" };
    await this.#client.publish(topic, up, options);
  }

  /** The user has read up to this message: tells its sender (messages 8.1). Private ones only. */
  confirm(message) {
    if (message.conversation.type !== ConversationType.PRIVATE) {
      throw invalid("of groups, receipts.confirm() is told");
    }
    const fields = { lastMessageSendTime: message.time, messageUId: message.uid, type: 1 };
    return this.send(message.conversation, { name: "RC:ReadNtf", fields, flags: 0 });
  }

  /** Take a message back (messages 7). Refused with 25101: not his own, too old, or not there. */
  recall(message, { isAdmin = false } = {}) {
    const { conversation, uid, time } = message;
    const fields = {
      messageUId: uid,
      conversationType: conversation.type,
      targetId: conversation.targetId,
      sentTime: time,
      isAdmin,
    };
    const up = {
      sessionId: 1,
      classname: "RC:RcCmd",
      content: JSON.stringify(fields),
      configFlag: 0,
    };
    return this.#add("recallMsg", this.#client.userId, up, conversation);
  }

  /** Attach pairs to an expandable message, or take keys away (messages 8.6). */
  expand(message, { put = {}, remove = [] }) {
    const change = (fields) =>
      this.send(message.conversation, {
        name: "RC:MsgExMsg",
        fields: { mid: message.uid, ...fields },
        flags: 0,
      });
    if (remove.length) return change({ del: remove });
    return change({ put });
  }

  /** Say something else in a message of this user; the others get "edit" (sdk5 8.1). */
  async edit({ conversation, uid }, content) {
    await this.#client.query("modifyMsg", {
      fromUserId: "",
      targetId: conversation.targetId,
      type: conversation.type,
      msgUID: uid,
      msgTime: 0,
      content: JSON.stringify(content.fields),
    });
  }

  /**
   * A page of what was said, the oldest first: `{ messages, hasMore, next }` (operations 5). It
   * ends before the time `before`, 0 for now, or begins after `after`; `next` is the time for the
   * next page in the same direction.
   */
  async history(conversation, { before = 0, after, count = 20 } = {}) {
    if (!(count >= 1 && count <= LARGEST_PAGE)) throw invalid(`count: 1 to ${LARGEST_PAGE}`);
    const topic = HISTORY_TOPICS[conversation.type];
    if (topic === undefined) throw invalid("this conversation has no history");
    const time = after ?? before;
    const reply = await this.#client.query(
      topic,
      { targetId: conversation.targetId, time, count, order: after === undefined ? 0 : 1 },
      { target: targetOf(topic, conversation), repeat: true },
    );
    const { userId, loginTime } = this.#client;
    const messages = reply.list
      .map((down) => ({ ...readDown(down, userId, loginTime), conversation }))
      .sort((one, other) => one.time - other.time);
    // A server that does not go on is not asked for ever.
    const hasMore = reply.hasMsg !== 0 && reply.syncTime !== time;
    return { messages, hasMore, next: reply.syncTime };
  }

  /** Hide messages of one conversation from this user (operations 6). */
  async remove(messages) {
    const [{ conversation } = {}] = messages;
    if (!messages.every((each) => keyOf(each.conversation) === keyOf(conversation))) {
      throw invalid("messages of one conversation are removed at a time");
    }
    if (!conversation) return;
    const msgs = messages.map(({ uid, time, isMine }) => ({
      msgId: uid,
      msgDataTime: time,
      direct: isMine ? SENT : RECEIVED,
    }));
    const { type, targetId } = conversation;
    await this.#client.query("delMsg", { type, conversationId: targetId, msgs }, { repeat: true });
  }

  /** Hide everything up to and including a time from this user; 0 is now (operations 6). */
  async clear(conversation, until = 0) {
    const topic = CLEAN_TOPICS[conversation.type];
    if (topic === undefined) throw invalid("this conversation cannot be cleared");
    await this.#client.query(
      topic,
      { targetId: conversation.targetId, dataTime: until },
      { target: targetOf(topic, conversation), repeat: true },
    );
  }
}

function targetOf(topic, { targetId }) {
  return QUERIES[topic][0] === "self" ? undefined : targetId;
}
