"use strict";
// What the tests ask of an SDK, put to SDK 2. The page of another SDK defines the same `im`:
//
//   statuses, messages, typing,  all that the SDK has told its listeners, in order
//   expansions, receipts
//   init, register               before connecting
//   connect, disconnect
//   sendAll, sendTyping, recall
//   history, delete, clear
//   expand, removeExpansion
//   answerReceipts, reportRead, readers
//   conversations, unread, totalUnread, removeConversation, setStatus, status, isShown
//   makeTag, removeTag, tag, tagged, isTagged
//   join, quit, roomInfo, roomHistory, setEntry, removeEntry, entries
//   fileToken, fileUrl
//   missing
//
// A question that may be refused gives a promise of {result: [...]} or {error: code}. A message is
// {sender, type, conversation, kind, content, uid, time, isOffline, isMine, expansion}. A
// conversation is named by [type, target]. What sendAll is told about its messages is
// {userIds, isMentioning, isExpandable, isStatus}.

const im = (() => {
  const { MessageTag, RongIMClient } = RongIMLib;
  const sdk = () => RongIMClient.getInstance();

  const connectionType = location.search === "?comet" ? "comet" : "websocket";
  const statuses = [];
  const messages = [];
  const typing = [];
  const expansions = [];
  const receipts = [];
  // What the SDK has given out, by uid: some of its functions want it back.
  const originals = {};
  const classes = {
    "RC:TxtMsg": RongIMLib.TextMessage,
    "RC:ImgMsg": RongIMLib.ImageMessage,
    "RC:FileMsg": RongIMLib.FileMessage,
    "RC:HQVCMsg": RongIMLib.HQVoiceMessage,
    "RC:SightMsg": RongIMLib.SightMessage,
    "RC:LBSMsg": RongIMLib.LocationMessage,
    "RC:TypSts": RongIMLib.TypingStatusMessage,
    "RC:ReadNtf": RongIMLib.ReadReceiptMessage,
    "RC:SRSMsg": RongIMLib.SyncReadStatusMessage,
    "RC:RRReqMsg": RongIMLib.ReadReceiptRequestMessage,
    "RC:RRRspMsg": RongIMLib.ReadReceiptResponseMessage,
  };

  const ask = (call) =>
    new Promise((resolve) =>
      call({
        // Some callbacks are called with more than there is to say.
        onSuccess: (...all) => resolve({ result: all.filter((each) => each !== undefined) }),
        onError: (error) => resolve({ error }),
        onTokenIncorrect: () => resolve({ error: "token incorrect" }),
      }),
    );

  const plain = (message) => {
    originals[message.messageUId] = message;
    return {
      sender: message.senderUserId,
      type: message.conversationType,
      conversation: message.targetId,
      kind: message.objectName,
      content: message.content,
      uid: message.messageUId,
      time: message.sentTime,
      isOffline: message.offLineMessage,
      isMine: message.messageDirection === 1,
      expansion: message.expansion ?? {},
    };
  };

  const send = async ([type, target], kind, content, how) => {
    const message = new classes[kind](content);
    const options = { canIncludeExpansion: how.isExpandable, isStatusMessage: how.isStatus };
    if (how.userIds.length) {
      options.userIds = how.userIds;
    }
    const { result, error } = await ask((answer) =>
      sdk().sendMessage(type, target, message, answer, how.isMentioning, "", "", 0, options),
    );
    return result ? { result: [plain(result[0])] } : { error };
  };

  return {
    statuses,
    messages,
    typing,
    expansions,
    receipts,

    init(appKey, navigation) {
      RongIMClient.init(appKey, null, { navi: navigation, connectionType });
      RongIMClient.setConnectionStatusListener({ onChanged: (status) => statuses.push(status) });
      RongIMClient.setOnReceiveMessageListener({
        onReceived(message) {
          messages.push(plain(message));
          if (message.receiptResponse) {
            receipts.push({ ...message.receiptResponse });
          }
        },
      });
      RongIMClient.setMessageExpansionListener({
        onUpdated: ({ messageUId, expansion }) => expansions.push([messageUId, expansion]),
        onDeleted: ({ messageUId, deletedKeys }) => expansions.push([messageUId, deletedKeys]),
      });
      RongIMClient.setTypingStatusListener({
        onChanged(news) {
          for (const { targetId, list } of news) {
            for (const { userId, messageType } of list) {
              typing.push([userId, targetId, messageType]);
            }
          }
        },
      });
    },

    register(name, kind, properties, isKept) {
      RongIMClient.registerMessageType(name, kind, new MessageTag(isKept, isKept), properties);
      classes[kind] = RongIMClient.RegisterMessage[name];
    },

    connect: (token) => ask((answer) => RongIMClient.connect(token, answer)),
    disconnect: () => sdk().disconnect(),

    // All at once: none waits for the answer to an earlier one.
    async sendAll(place, kind, contents, how) {
      if (connectionType !== "comet") {
        return Promise.all(contents.map((content) => send(place, kind, content, how)));
      }
      // Requests that are under way together may overtake each other (http 5.3).
      const answers = [];
      for (const content of contents) {
        answers.push(await send(place, kind, content, how));
      }
      return answers;
    },

    async recall(uid) {
      const { result, error } = await ask((answer) =>
        sdk().sendRecallMessage(originals[uid], answer),
      );
      return result ? { result: result.map(plain) } : { error };
    },

    sendTyping([type, target]) {
      const answer = { onSuccess() {}, onError() {} };
      sdk().sendTypingStatusMessage(type, target, "RC:TxtMsg", answer);
    },

    expand: (uid, pairs) =>
      ask((answer) => sdk().updateMessageExpansion(pairs, originals[uid], answer)),
    removeExpansion: (uid, keys) =>
      ask((answer) => sdk().removeMessageExpansionForKey(keys, originals[uid], answer)),

    answerReceipts: ([type, target]) =>
      ask((answer) => sdk().sendReceiptResponse(type, target, answer)),
    reportRead: (group, uids) =>
      ask((answer) => sdk().sendReadReceiptMessage(uids, group, answer)),
    readers: (group, uid) => ask((answer) => sdk().getMessageReader(uid, group, answer)),

    // order 0: the messages before `time`, 1: those after it. Oldest first in both cases.
    async history([type, target], time, count, order) {
      const { result, error } = await ask((answer) =>
        sdk().getHistoryMessages(type, target, time, count, answer, undefined, order),
      );
      return result ? { result: [result[0].map(plain), result[1]] } : { error };
    },

    delete([type, target], uids) {
      const messages = uids.map((uid) => ({
        messageUId: uid,
        sentTime: originals[uid].sentTime,
        messageDirection: originals[uid].messageDirection,
      }));
      return ask((answer) => sdk().deleteRemoteMessages(type, target, messages, answer));
    },

    clear: ([conversationType, targetId], timestamp) =>
      ask((answer) =>
        sdk().clearRemoteHistoryMessages({ conversationType, targetId, timestamp }, answer),
      ),

    async conversations(count) {
      const { result, error } = await ask((answer) =>
        sdk().getConversationList(answer, null, count),
      );
      const entry = ({ conversationType, targetId, latestMessage }) => ({
        type: conversationType,
        id: targetId,
        uid: latestMessage.messageUId,
        content: latestMessage.content,
      });
      return result ? { result: [result[0].map(entry)] } : { error };
    },

    unread: ([type, target]) => ask((answer) => sdk().getUnreadCount(type, target, answer)),

    totalUnread: () => ask((answer) => sdk().getTotalUnreadCount(answer)),

    removeConversation: ([type, target]) =>
      ask((answer) => sdk().removeConversation(type, target, answer)),

    setStatus([type, target], isMuted, isTop) {
      const status = { notificationStatus: isMuted ? 1 : 2, isTop };
      return ask((answer) => sdk().setConversationStatus(type, target, status, answer));
    },

    async status([type, target]) {
      const { result, error } = await ask((answer) =>
        sdk().getConversation(type, target, answer),
      );
      const shown = ({ isTop, notificationStatus }) => ({
        isTop: Boolean(isTop),
        isMuted: notificationStatus === 1,
      });
      return result ? { result: result.map(shown) } : { error };
    },

    async isShown(place, { isTop, isMuted }) {
      const { result } = await this.status(place);
      return result !== undefined && result[0].isTop === isTop && result[0].isMuted === isMuted;
    },

    makeTag: (tagId, tagName) => ask((answer) => sdk().createTag({ tagId, tagName }, answer)),
    removeTag: (tag) => ask((answer) => sdk().removeTag(tag, answer)),

    tag(tag, places) {
      const conversations = places.map(([type, targetId]) => ({ type, targetId }));
      return ask((answer) => sdk().addTagForConversations(tag, conversations, answer));
    },

    async tagged(tag) {
      const { result, error } = await ask((answer) =>
        sdk().getConversationListByTag(tag, 100, 0, answer),
      );
      const place = ({ conversationType, targetId }) => [conversationType, targetId];
      return result ? { result: [result[0].map(place)] } : { error };
    },

    async isTagged(tag, places) {
      const { result } = await this.tagged(tag);
      return result !== undefined && String(result[0]) === String(places);
    },

    join: (room, count) => ask((answer) => sdk().joinChatRoom(room, count, answer)),
    quit: (room) => ask((answer) => sdk().quitChatRoom(room, answer)),

    async roomInfo(room, count) {
      const { result, error } = await ask((answer) => sdk().getChatRoomInfo(room, count, 1, answer));
      if (!result) {
        return { error };
      }
      const { userTotalNums, userInfos } = result[0];
      return { result: [{ total: userTotalNums, members: userInfos.map(({ id }) => id) }] };
    },

    async roomHistory(room, time, count, order) {
      const { result, error } = await ask((answer) =>
        sdk().getChatRoomHistoryMessages(room, count, order, answer, time),
      );
      return result ? { result: [result[0].map(plain), result[1]] } : { error };
    },

    setEntry(room, key, value, force, isAutoDelete, isTold) {
      const set = force ? "forceSetChatroomEntry" : "setChatroomEntry";
      const entry = { key, value, isAutoDelete, isSendNotification: isTold };
      return ask((answer) => sdk()[set](room, entry, answer));
    },

    removeEntry(room, key, force) {
      const remove = force ? "forceRemoveChatroomEntry" : "removeChatroomEntry";
      return ask((answer) => sdk()[remove](room, { key }, answer));
    },

    entries: (room) => ask((answer) => sdk().getAllChatroomEntries(room, answer)),

    // Functions that an SDK has only in name: what they say.
    missing: (name, ...details) => ask((answer) => sdk()[name](...details, answer)),

    fileToken: (type, name) => ask((answer) => sdk().getFileToken(type, answer, name)),
    fileUrl: (type, key, name) => ask((answer) => sdk().getFileUrl(type, key, name, answer)),
  };
})();
