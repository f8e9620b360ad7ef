/**
 * A user, connected: what a page works with. docs/improto-js.md is its manual.
 */

import { ImError, invalid } from "./errors.js";
import { Conversations } from "./conversations.js";
import { Files } from "./files.js";
import { Link } from "./link.js";
import { conversationOfCopy, Messages, readDown, readUp } from "./messages.js";
import { Outbox } from "./outbox.js";
import { isOnline, People } from "./people.js";
import { decode, encode, FormatError } from "./protobuf.js";
import { Receipts } from "./receipts.js";
import { Rooms } from "./rooms.js";
import { MemoryStorage, UserStorage } from "./store.js";
import { Stream } from "./stream.js";
import { Code, Command, ConversationType, PUBLISHES, QUERIES } from "./tables.js";

/** Milliseconds between pulls that nobody has asked for (session 13). */
const SAFETY = 180_000;

/** Message uids that are remembered, so that none is shown twice: some pages of a pull. */
const MOST_KNOWN = 1000;

/** Which message an event carries, by `changeType` and for friends by `subChangeType` (sdk5 7). */
const EVENTS = {
  __proto__: null,
  11: "ChannelEventData",
  12: "ChannelEventData",
  13: "ChannelApplyInfo",
  36: "MsgReadEvent",
};
const FRIEND_EVENT = 31;
const FRIEND_EVENTS = [
  "FriendApplyEvent",
  "FriendApplyEvent",
  "FriendUserInfo",
  "FriendsInput",
  undefined,
  "FriendTypeChangeEvent",
  "FriendUpdateEvent",
];
const RECEIPT_EVENT = 36;

export class Client extends EventTarget {
  #appKey;
  #storage;
  #fromNow;
  #link;
  #outbox;
  #own = null;
  #inbox = null;
  #events;
  #edits;
  #known = new Set();
  #waiting = [];
  #safety = 0;
  #clockOffset = 0;
  #wake = () => this.#link.wake();

  /**
   * `appKey`; `navigator`, the URL of the server or a list of them, or `address`, a `ws:` URL;
   * `token`, an async function that gives one; `storage`, see store.js; `fromNow`, true to leave
   * out what came before a user was first here. Nothing happens before `connect`.
   */
  constructor({ storage = new MemoryStorage(), fromNow = false, ...options }) {
    super();
    this.#appKey = options.appKey;
    this.#storage = storage;
    this.#fromNow = fromNow;
    this.#link = new Link(options, {
      status: (status) => this.tell("status", { status }),
      online: (connection, connack) => this.#online(connection, connack),
      offline: () => this.#offline(),
      ended: (error) => this.#ended(error),
      publish: (frame) => this.#guard(() => this.#told(frame)),
      copy: (frame, ack) => this.#guard(() => this.#copied(frame, ack)),
    });
    this.#outbox = new Outbox((name, entry, outcome) => this.#outboxTold(name, entry, outcome));
    /** Who we are; empty before the first login. */
    this.userId = "";
    /** The server's time at the last login. */
    this.loginTime = 0;
    this.messages = new Messages(this, this.#outbox);
    this.conversations = new Conversations(this);
    this.rooms = new Rooms(this, (list) => this.#take(list));
    this.receipts = new Receipts(this);
    this.files = new Files(this);
    this.people = new People(this);
  }

  // -- the connection ----------------------------------------------------------------

  /** A number of `Status`. */
  get status() {
    return this.#link.status;
  }

  /** What navigation has said about the server (http 2.3); empty with `address`. */
  get settings() {
    return this.#link.settings;
  }

  /** Connect and stay so; a promise of the user id. Rejects if the first attempt fails. */
  async connect() {
    const connected = this.#link.connect();
    this.#outbox.begin();
    globalThis.addEventListener?.("online", this.#wake);
    globalThis.document?.addEventListener("visibilitychange", this.#wake);
    return await connected;
  }

  /** Be connected no longer; what was not sent fails. Harmless if we are not. */
  disconnect() {
    this.#link.disconnect();
  }

  /** The server's time, in ms since 1970. */
  now() {
    return Date.now() + this.#clockOffset;
  }

  // -- requests ----------------------------------------------------------------------

  /**
   * Ask anything: a topic of operations 4 to 19 and its request as an object; the reply, or null
   * if there is none. `target`: whose id goes with it, by default one's own. It waits for a
   * connection; `repeat` asks again if it breaks, for what may be asked twice.
   */
  async query(topic, payload, { target, repeat = false } = {}) {
    for (;;) {
      const connection = await this.#connection();
      try {
        return await this.#ask(connection, topic, payload, target);
      } catch (error) {
        const isLost = error.code === Code.RC_SOCKET_DISCONNECTED && this.#link.isLiving;
        if (!(repeat && isLost)) throw error;
      }
    }
  }

  /** Like `query`, over the connection that there is, or not at all. */
  async ask(topic, payload, target) {
    return await this.#ask(this.#link.connection, topic, payload, target);
  }

  /** Tell anything that is no message: a topic of PUBLISHES. Dropped without a connection. */
  async publish(topic, payload, { target, type, qos = 1 } = {}) {
    const [usual, request, usualQos] = PUBLISHES[topic] ?? ["", type, qos];
    if (!request) throw invalid(`nobody tells ${topic}`);
    const data = written(request, payload);
    const to = targetOf(topic, target, usual, this.userId);
    if (!this.#link.connection) return;
    const { status } = await this.#link.connection.publish(topic, to, data, usualQos);
    if (status !== 0) throw new ImError(status);
  }

  async #ask(connection, topic, payload, target) {
    const row = QUERIES[topic];
    if (row === undefined) throw invalid(`nobody asks ${topic}`);
    const [usual, request, reply] = row;
    const data = request ? written(request, payload) : new Uint8Array();
    const to = targetOf(topic, target, usual, this.userId);
    if (!connection) throw new ImError(Code.RC_SOCKET_DISCONNECTED);
    const answer = await connection.query(topic, to, data);
    if (answer.status !== 0) throw new ImError(answer.status, topic);
    if (!reply) return null;
    try {
      return decode(reply, answer.data);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      if (!answer.data.length) return null;
      throw new ImError(Code.UNKNOWN, `${topic}: ${error.message}`);
    }
  }

  async #connection() {
    while (!this.#link.connection) {
      if (!this.#link.isLiving) throw new ImError(Code.RC_NET_CHANNEL_INVALID);
      await new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    }
    return this.#link.connection;
  }

  // -- the life of a connection ------------------------------------------------------

  #online(connection, { userId, timestamp }) {
    // A server of version 3 may leave it out (wire 4.2).
    this.loginTime = Number.isSafeInteger(timestamp) ? timestamp : Date.now();
    this.#clockOffset = this.loginTime - Date.now();
    if (userId !== this.userId) this.#become(userId);
    this.#safety = setInterval(() => this.#pullAll(), SAFETY);
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    // What is new is asked for when everybody knows that we are online.
    queueMicrotask(() => {
      this.#outbox.useConnection(connection);
      this.rooms.rejoin();
      for (const stream of [this.#inbox, this.#events, this.#edits]) stream.pull();
    });
  }

  /** Another user than before, or the first one. */
  #become(userId) {
    this.userId = userId;
    this.#own = new UserStorage(this.#storage, this.#appKey, userId);
    this.#known.clear();
    this.rooms.forget();
    const fail = (error) => this.trouble(error);
    const beginning = this.#fromNow ? this.loginTime : 0;
    this.#inbox = new Stream({
      cursor: this.#keptCursor() || beginning,
      ask: (cursor) => this.#pullInbox(cursor),
      take: (list, cursor) => {
        this.#take(list);
        // Another tab of the user may be further.
        this.#own.set("inbox", Math.max(cursor, this.#keptCursor()));
      },
      fail,
    });
    this.#events = new Stream({
      ask: async (syncTime) => {
        const page = await this.ask("pullEventChange", { syncTime });
        return { ...page, finished: !page.hasNext };
      },
      take: (list) => list.forEach((event) => this.#guard(() => this.#happened(event))),
      fail,
    });
    this.#edits = new Stream({
      cursor: this.loginTime,
      ask: async (pullVersion) => {
        const page = await this.ask("pullModifyMsg", { pullVersion, modifyType: [1] });
        return { list: page.msg, syncTime: page.nextVersion ?? pullVersion, finished: page.finished };
      },
      take: (list) => this.#edited(list),
      fail,
    });
    this.#outbox.useStorage(this.#own);
  }

  /** Whatever is in the storage, it may be somebody else's. */
  #keptCursor() {
    const cursor = this.#own.get("inbox");
    return Number.isSafeInteger(cursor) && cursor >= 0 ? cursor : 0;
  }

  #offline() {
    clearInterval(this.#safety);
    this.#outbox.useConnection(null);
  }

  #ended(error) {
    this.#offline();
    globalThis.removeEventListener?.("online", this.#wake);
    globalThis.document?.removeEventListener("visibilitychange", this.#wake);
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#outbox.fail(error);
    this.tell("ended", { error });
  }

  #pullAll() {
    for (const stream of [this.#inbox, this.#events, this.#edits]) stream.pull();
    this.rooms.pull();
  }

  #pullInbox(cursor) {
    const request = {
      syncTime: cursor,
      ispolling: false,
      isPullSend: true,
      // Both are in one order, so one cursor serves them.
      sendBoxSyncTime: cursor,
    };
    return this.ask("pullMsg", request);
  }

  // -- what comes --------------------------------------------------------------------

  #told({ topic, data }) {
    switch (topic) {
      case "s_ntf": {
        const { type, time = 0, chrmId } = decode("NotifyMsg", data);
        if (type === 2) this.rooms.announce(chrmId, time);
        else this.#inbox.announce(time);
        break;
      }
      case "s_msg":
        this.#pushed(decode("DownStreamMessage", data));
        break;
      case "s_cmd":
        this.#commanded(decode("NotifyMsg", data));
        break;
      case "s_stat": {
        const told = decode("SubDataDetail", data);
        if (told.data.length) {
          this.tell("presence", { userId: told.subUserId, isOnline: isOnline(told) });
        } else {
          this.tell("profile", { userId: told.subUserId });
        }
        break;
      }
      case "s_us":
        this.tell("settings", {});
        break;
    }
  }

  /** The cursor stays: the next pull brings it again, and then it is known. */
  #pushed(down) {
    if (this.#inbox.isIdle) this.#take([down]);
    else this.#inbox.announce(down.dataTime);
  }

  #commanded({ type, time = 0, chrmId: room }) {
    switch (type) {
      case Command.CHATROOM_KV:
        this.tell("entries", { room, time });
        break;
      case Command.CONVERSATION_SETTINGS:
        this.tell("settings", {});
        break;
      case Command.CHATROOM_DESTROYED:
        this.rooms.left(room, Code.RC_CHATROOM_NOT_EXIST);
        break;
      case Command.EVENTS:
        this.#events.announce(time);
        break;
      case Command.EDITS:
        this.#edits.announce(time);
        break;
      case Command.UNREAD:
        this.tell("unread", {});
        break;
    }
  }

  /** What the user has sent from another device (session 9.3). */
  #copied({ topic, targetId, data }, { messageUId: uid, timestamp: time }) {
    if (PUBLISHES[topic] || QUERIES[topic]) {
      this.tell("settings", {});
      return;
    }
    const up = decode("UpStreamMessage", data);
    const conversation = conversationOfCopy(topic, targetId, up);
    const isOfRoom = conversation.type === ConversationType.CHATROOM;
    if (up.classname === "RC:TypSts" || (isOfRoom && !this.rooms.joined.includes(targetId))) return;
    if (isOfRoom || this.#inbox.isIdle) {
      this.#show(readUp(up, this.userId, conversation, { uid, time }));
    } else {
      this.#inbox.announce(time);
    }
  }

  #take(list) {
    for (const down of list) this.#show(readDown(down, this.userId, this.loginTime));
  }

  #show(message) {
    const { uid, isMine, id } = message;
    if (uid && this.#known.has(uid)) return;
    if (isMine && id !== null && this.#outbox.has(id)) return;
    this.#remember(uid);
    const [name, ...details] = eventsOf(message, this.userId);
    for (const detail of details) this.tell(name, detail);
  }

  #remember(uid) {
    if (!uid) return;
    this.#known.add(uid);
    if (this.#known.size > MOST_KNOWN) this.#known.delete(this.#known.values().next().value);
  }

  #edited(list) {
    for (const { msg } of list) {
      if (msg) this.tell("edit", { message: readDown(msg, this.userId, this.loginTime) });
    }
  }

  #happened(event) {
    const { changeType, subChangeType = 0, businessId = "", operatorId = "", time } = event;
    const kind = changeType === FRIEND_EVENT ? FRIEND_EVENTS[subChangeType] : EVENTS[changeType];
    const data = kind && event.eventData ? decode(kind, event.eventData) : {};
    if (changeType === RECEIPT_EVENT) {
      const { msgId: uid, readCnt: read = 0, totalCnt: total = 0, readList = [] } = data;
      this.tell("receipt", { uid, read, total, userIds: readList.map(({ userId }) => userId) });
    } else {
      const shown = { changeType, subChangeType, id: businessId, by: operatorId, time, data };
      this.tell("change", shown);
    }
  }

  #outboxTold(name, entry, outcome) {
    if (name === "sent") this.#remember(outcome.messageUId);
    const message = this.messages.shown(entry, name === "sent" ? outcome : undefined);
    this.tell(name, name === "failed" ? { message, error: outcome } : { message });
  }

  // -- for the parts of the client ---------------------------------------------------

  /** Dispatch an event; what has to be told is its `detail`. */
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Something has failed that nobody waits for. */
  trouble(error) {
    if (error.code !== Code.RC_SOCKET_DISCONNECTED) this.tell("trouble", { error });
  }

  /** Bytes of others may be anything. */
  #guard(work) {
    try {
      work();
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.trouble(new ImError(Code.UNKNOWN, error.message));
    }
  }
}

/** Which event a message is, and what it tells, once or several times. */
function eventsOf(message, me) {
  const { name, fields, conversation, senderId: userId, isMine } = message;
  switch (name) {
    case "RC:TypSts":
      return ["typing", { conversation, userId, name: textOf(fields.typingContentType) }];
    case "RC:ReadNtf":
    case "RC:SRSMsg": {
      const until = Number(textOf(fields.lastMessageSendTime)) || 0;
      if (isMine) return ["readelsewhere", { conversation, until }];
      return ["read", { conversation, userId, until }];
    }
    case "RC:RcCmd":
      return ["recall", { conversation, userId, uid: textOf(fields.messageUId), message }];
    case "RC:MsgExMsg":
      return [
        "expansion",
        {
          conversation,
          userId,
          uid: textOf(fields.mid),
          put: fields.put ?? {},
          remove: fields.del ?? [],
          removeAll: Boolean(fields.removeAll),
        },
      ];
    case "RC:RRReqMsg":
      return ["receiptrequest", { conversation, userId, uid: textOf(fields.messageUId) }];
    case "RC:RRRspMsg": {
      const bySender = new Map(Object.entries(fields.receiptMessageDic ?? {}));
      const uids = [bySender.get(me) ?? []].flat();
      const receipt = { conversation, userIds: [userId] };
      return ["receipt", ...uids.map((uid) => ({ ...receipt, uid: textOf(uid) }))];
    }
    default:
      return ["message", { message }];
  }
}

/** A member that should be a text or a number; others have written it, so it may be anything. */
function textOf(value) {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function targetOf(topic, target, usual, me) {
  if (target !== undefined) return target;
  if (usual === "self") return me;
  throw invalid(`${topic} needs a target`);
}

function written(name, payload) {
  try {
    return encode(name, payload);
  } catch (error) {
    throw error instanceof FormatError ? invalid(error.message) : error;
  }
}
