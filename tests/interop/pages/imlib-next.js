// SDK 5, with the same `im` as in imlib-v2.js, which says what that is, and besides:
//
//   call(name, ...arguments)  any function that the SDK exports, by its name
//   events                    all that the SDK has told its listeners, in order: [event, data]
//
// `call` gives a promise of {result: [data]}, {result: []} if there is no data, or
// {error: code, data}. Where a function wants a message that the SDK has given out, or one to be
// sent, or one of the constants of the SDK, its arguments name it, at any depth:
//
//   {$message: uid}           the message with this uid, as the SDK has given it out
//   {$new: [name, content]}   a new message of an exported class, or of a registered kind
//   {$file: [name, type, data]}  a File; the data is in base64
//
// In Python that is `page.call("getTags")` and `page.wait_event("TAG")`.

import * as RongIMLib from "@rongcloud/imlib-next";

const { Events, MessageDirection } = RongIMLib;

const events = [];
const statuses = [];
const messages = [];
const typing = [];
const expansions = [];
const receipts = [];
// What the SDK has given out, by uid: some of its functions want it back.
const originals = {};
// Who has asked for receipts in a group, and of which messages.
const asked = {};
// How many have read which message of a group.
const readers = {};
const classes = {
  "RC:TxtMsg": RongIMLib.TextMessage,
  "RC:ImgMsg": RongIMLib.ImageMessage,
  "RC:FileMsg": RongIMLib.FileMessage,
  "RC:HQVCMsg": RongIMLib.HQVoiceMessage,
  "RC:SightMsg": RongIMLib.SightMessage,
  "RC:LBSMsg": RongIMLib.LocationMessage,
};

const json = (value) => (value === undefined ? null : JSON.parse(JSON.stringify(value)));

const place = ([conversationType, targetId]) => ({ conversationType, targetId });

// What the SDK gives out may hold messages at any depth.
const remember = (value) => {
  if (value && typeof value === "object") {
    if (value.messageUId && value.messageType) {
      originals[value.messageUId] = value;
    }
    Object.values(value).forEach(remember);
  }
};

const meant = (value) => {
  if (!value || typeof value !== "object") {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map(meant);
  }
  if (value.$message) {
    return originals[value.$message];
  }
  if (value.$new) {
    const [name, content] = value.$new;
    return new (RongIMLib[name] ?? classes[name])(content);
  }
  if (value.$file) {
    const [name, type, data] = value.$file;
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    return new File([bytes], name, { type });
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, meant(each)]));
};

// Most functions give a promise of {code, data}; the rest, of what the answer is.
const ask = async (name, ...all) => {
  const answer = await RongIMLib[name](...all);
  const { code, data } = Number.isInteger(answer?.code) ? answer : { code: 0, data: answer };
  remember(data);
  if (code !== 0) {
    return { error: code, data: json(data) };
  }
  return { result: data === undefined ? [] : [data] };
};

// The same with an answer made of the data.
const asking = async (make, name, ...all) => {
  const { result, error } = await ask(name, ...all);
  return result ? { result: make(result[0]) } : { error };
};

const plain = (message) => ({
  sender: message.senderUserId,
  type: message.conversationType,
  conversation: message.targetId,
  kind: message.messageType,
  content: message.content,
  uid: message.messageUId,
  time: message.sentTime,
  isOffline: message.isOffLineMessage,
  isMine: message.messageDirection === MessageDirection.SEND,
  expansion: message.expansion ?? {},
});

const send = (to, kind, content, how) => {
  const message = new classes[kind](content);
  const options = {
    canIncludeExpansion: how.isExpandable,
    isStatusMessage: how.isStatus,
    isMentioned: how.isMentioning,
  };
  if (how.userIds.length) {
    options.directionalUserIdList = how.userIds;
  }
  return asking((sent) => [plain(sent)], "sendMessage", place(to), message, options);
};

const listeners = {
  CONNECTING: () => statuses.push("CONNECTING"),
  CONNECTED: () => statuses.push("CONNECTED"),
  SUSPEND: (code) => statuses.push(`SUSPEND ${code}`),
  DISCONNECT: (code) => statuses.push(`DISCONNECT ${code}`),
  MESSAGES: (news) => messages.push(...news.messages.map(plain)),
  MESSAGE_RECEIPT_REQUEST({ conversation, messageUId, senderUserId }) {
    const group = (asked[conversation.targetId] ??= {});
    (group[senderUserId] ??= []).push(messageUId);
  },
  MESSAGE_RECEIPT_RESPONSE({ messageUIdList }) {
    for (const uid of messageUIdList) {
      readers[uid] = (readers[uid] ?? 0) + 1;
    }
    receipts.push(Object.fromEntries(messageUIdList.map((uid) => [uid, readers[uid]])));
  },
  TYPING_STATUS({ status }) {
    for (const { targetId, list } of status) {
      for (const { userId, messageType } of list) {
        typing.push([userId, targetId, messageType]);
      }
    }
  },
  EXPANSION({ updatedExpansion, deletedExpansion }) {
    if (updatedExpansion) {
      expansions.push([updatedExpansion.messageUId, updatedExpansion.expansion]);
    }
    if (deletedExpansion) {
      expansions.push([deletedExpansion.messageUId, deletedExpansion.deletedKeys]);
    }
  },
};

window.im = {
  events,
  statuses,
  messages,
  typing,
  expansions,
  receipts,

  async call(name, ...all) {
    const answer = await ask(name, ...all.map(meant));
    return answer.result ? { result: json(answer.result) } : answer;
  },

  init(appKey, navigation) {
    RongIMLib.init({ appkey: appKey, navigators: [navigation] });
    for (const event of new Set(Object.values(Events))) {
      RongIMLib.addEventListener(event, (...data) => {
        remember(data);
        events.push([event, json(data[0])]);
        listeners[event]?.(...data);
      });
    }
  },

  register(name, kind, properties, isKept) {
    classes[kind] = RongIMLib.registerMessageType(kind, isKept, isKept, properties);
  },

  connect: (token) => asking(({ userId }) => [userId], "connect", token),
  disconnect: () => RongIMLib.disconnect(),

  // All at once: none waits for the answer to an earlier one.
  sendAll: (to, kind, contents, how) =>
    Promise.all(contents.map((content) => send(to, kind, content, how))),

  recall(uid) {
    const { conversationType, targetId, sentTime } = originals[uid];
    const options = { messageUId: uid, sentTime };
    return asking(
      (notice) => [plain(notice)],
      "recallMessage",
      { conversationType, targetId },
      options,
    );
  },

  // Nothing is said about it before a time-out: its sending is not acknowledged.
  sendTyping(to) {
    ask("sendTypingStatusMessage", place(to), "RC:TxtMsg");
  },

  expand: (uid, pairs) => ask("updateMessageExpansion", pairs, originals[uid]),
  removeExpansion: (uid, keys) => ask("removeMessageExpansionForKey", keys, originals[uid]),

  answerReceipts: ([, target]) => ask("sendReadReceiptResponseV2", target, asked[target]),
  reportRead: (group, uids) => ask("sendReadReceiptResponseV2", group, { [group]: uids }),
  readers: (group, uid) => ask("getMessageReader", group, uid),

  // order 0: the messages before `time`, 1: those after it. Oldest first in both cases.
  history: (of, timestamp, count, order) =>
    asking(
      ({ list, hasMore }) => [list.map(plain), hasMore],
      "getHistoryMessages",
      place(of),
      { timestamp, count, order },
    ),

  delete(of, uids) {
    const messages = uids.map((uid) => ({
      messageUId: uid,
      sentTime: originals[uid].sentTime,
      messageDirection: originals[uid].messageDirection,
    }));
    return ask("deleteMessages", place(of), messages);
  },

  clear: (of, timestamp) => ask("clearHistoryMessages", place(of), timestamp),

  conversations: (count) =>
    asking(
      (list) => [
        list.map(({ conversationType, targetId, latestMessage }) => ({
          type: conversationType,
          id: targetId,
          uid: latestMessage.messageUId,
          content: latestMessage.content,
        })),
      ],
      "getConversationList",
      { count, startTime: 0, order: 0 },
    ),

  unread: (of) => ask("getUnreadCount", place(of)),
  totalUnread: () => ask("getTotalUnreadCount"),
  removeConversation: (of) => ask("removeConversation", place(of)),

  async setStatus(of, isMuted, isTop) {
    const level = isMuted
      ? RongIMLib.NotificationLevel.NOT_MESSAGE_NOTIFICATION
      : RongIMLib.NotificationLevel.NOT_SET;
    const answer = await ask("setConversationNotificationLevel", place(of), level);
    return answer.result ? ask("setConversationToTop", place(of), isTop) : answer;
  },

  status: (of) =>
    asking(
      ({ isTop, notificationLevel }) => [
        { isTop: Boolean(isTop), isMuted: notificationLevel > 0 },
      ],
      "getConversation",
      place(of),
    ),

  async isShown(of, { isTop, isMuted }) {
    const { result } = await this.status(of);
    return result !== undefined && result[0].isTop === isTop && result[0].isMuted === isMuted;
  },

  makeTag: (tagId, tagName) => ask("addTag", { tagId, tagName }),
  removeTag: (tag) => ask("removeTag", tag),
  tag: (tag, places) => ask("addConversationsToTag", tag, places.map(place)),

  tagged: (tag) =>
    asking(
      (list) => [list.map(({ conversationType, targetId }) => [conversationType, targetId])],
      "getConversationsFromTagByPage",
      tag,
      100,
      0,
    ),

  async isTagged(tag, places) {
    const { result } = await this.tagged(tag);
    return result !== undefined && String(result[0]) === String(places);
  },

  join: (room, count) => ask("joinChatRoom", room, { count }),
  quit: (room) => ask("quitChatRoom", room),

  roomInfo: (room, count) =>
    asking(
      ({ userCount, userInfos }) => [{ total: userCount, members: userInfos.map(({ id }) => id) }],
      "getChatRoomInfo",
      room,
      { count, order: 1 },
    ),

  roomHistory: (room, timestamp, count, order) =>
    asking(
      ({ list, hasMore }) => [list.map(plain), hasMore],
      "getChatroomHistoryMessages",
      room,
      { timestamp, count, order },
    ),

  setEntry(room, key, value, force, isAutoDelete, isTold) {
    const entry = { key, value, isAutoDelete, isSendNotification: isTold };
    return ask(force ? "forceSetChatRoomEntry" : "setChatRoomEntry", room, entry);
  },

  removeEntry: (room, key, force) =>
    ask(force ? "forceRemoveChatRoomEntry" : "removeChatRoomEntry", room, { key }),

  entries: (room) => ask("getAllChatRoomEntries", room),

  // Functions that an SDK has only in name: what they say.
  missing: (name, ...details) => ask(name, ...details),

  fileToken: (type, name) => ask("getFileToken", type, name),
  fileUrl: (type, key, name) => ask("getFileUrl", type, key, name),
};
