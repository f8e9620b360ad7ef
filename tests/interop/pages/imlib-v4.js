"use strict";
// SDK 4, with as much of the `im` of imlib-v2.js as the scenarios that it takes part in want.

const im = (() => {
  const sdk = () => RongIMLib.getInstance();
  const connectType = location.search === "?comet" ? "comet" : "websocket";
  const statuses = [];
  const messages = [];
  const typing = [];
  const expansions = [];
  const receipts = [];
  // What the SDK has given out, by uid: some of its functions want it back.
  const originals = {};

  // It gives promises, and rejects them with codes.
  const ask = async (call) => {
    try {
      const answer = await call();
      return { result: answer === undefined ? [] : [answer] };
    } catch (error) {
      return { error: error?.code ?? error };
    }
  };

  const asking = async (make, call) => {
    const { result, error } = await ask(call);
    return result ? { result: make(result[0]) } : { error };
  };

  const talk = ([type, targetId]) => sdk().Conversation.get({ type, targetId });
  const room = (id) => sdk().ChatRoom.get({ id });

  const plain = (message) => {
    originals[message.messageUId] = message;
    return {
      sender: message.senderUserId,
      type: message.type,
      conversation: message.targetId,
      kind: message.messageType,
      content: message.content,
      uid: message.messageUId,
      time: message.sentTime,
      isOffline: message.isOffLineMessage,
      isMine: message.messageDirection === RongIMLib.MESSAGE_DIRECTION.SEND,
      expansion: message.expansion ?? {},
    };
  };

  const send = ([type, target], messageType, content, how) => {
    const options = {
      messageType,
      content,
      canIncludeExpansion: how.isExpandable,
      isMentioned: how.isMentioning,
    };
    if (how.userIds.length) {
      options.directionalUserIdList = how.userIds;
    }
    const place = type === RongIMLib.CONVERSATION_TYPE.CHATROOM ? room(target) : talk([type, target]);
    return asking((sent) => [plain(sent)], () => place.send(options));
  };

  return {
    statuses,
    messages,
    typing,
    expansions,
    receipts,
    events: [],

    init(appkey, navigation) {
      RongIMLib.init({ appkey, navigators: [navigation], connectType }).watch({
        status: ({ status }) => statuses.push(status),
        message: ({ message }) => messages.push(plain(message)),
        typingStatus(news) {
          for (const { targetId, list } of news) {
            for (const { userId, messageType } of list) {
              typing.push([userId, targetId, messageType]);
            }
          }
        },
        expansion({ updatedExpansion, deletedExpansion }) {
          if (updatedExpansion) {
            expansions.push([updatedExpansion.messageUId, updatedExpansion.expansion]);
          }
          if (deletedExpansion) {
            expansions.push([deletedExpansion.messageUId, deletedExpansion.deletedKeys]);
          }
        },
      });
    },

    register(_, kind, properties, isKept) {
      sdk().registerMessageType(kind, isKept, isKept, properties);
    },

    connect: (token) => asking(({ id }) => [id], () => sdk().connect({ token })),
    disconnect: () => sdk().disconnect(),

    // All at once: none waits for the answer to an earlier one.
    async sendAll(place, kind, contents, how) {
      if (connectType !== "comet") {
        return Promise.all(contents.map((content) => send(place, kind, content, how)));
      }
      // Requests that are under way together may overtake each other (http 5.3).
      const answers = [];
      for (const content of contents) {
        answers.push(await send(place, kind, content, how));
      }
      return answers;
    },

    sendTyping(place) {
      ask(() => talk(place).sendTypingStatusMessage("RC:TxtMsg"));
    },

    recall(uid) {
      const { type, targetId, sentTime } = originals[uid];
      return asking(
        (notice) => [plain(notice)],
        () => talk([type, targetId]).recall({ messageUId: uid, sentTime }),
      );
    },

    expand(uid, pairs) {
      const { type, targetId } = originals[uid];
      return ask(() => talk([type, targetId]).updateMessageExpansion(pairs, originals[uid]));
    },

    removeExpansion(uid, keys) {
      const { type, targetId } = originals[uid];
      return ask(() => talk([type, targetId]).removeMessageExpansion(keys, originals[uid]));
    },

    // order 0: the messages before `time`, 1: those after it. Oldest first in both cases.
    history: (place, timestamp, count, order) =>
      asking(
        ({ list, hasMore }) => [list.map(plain), hasMore],
        () => talk(place).getMessages({ timestamp, count, order }),
      ),

    join: (id, count) => ask(() => room(id).join({ count })),
    quit: (id) => ask(() => room(id).quit()),

    roomInfo: (id, count) =>
      asking(
        ({ userCount, userInfos }) => [
          { total: userCount, members: userInfos.map((user) => user.id) },
        ],
        () => room(id).getInfo({ count, order: 1 }),
      ),
  };
})();
