"use strict";
// What the tests ask of an SDK, put to SDK 2. The page of another SDK defines the same `im`:
//
//   statuses, messages, typing   all that the SDK has told its listeners, in order
//   init, register               before connecting
//   connect, disconnect
//   sendAll, sendTyping
//   history, conversations
//
// A question that may be refused gives a promise of {result: [...]} or {error: code}. A message is
// {sender, conversation, kind, content, uid, time, isOffline}. All conversations are private.

const im = (() => {
  const { ConversationType, MessageTag, RongIMClient } = RongIMLib;
  const { PRIVATE } = ConversationType;
  const sdk = () => RongIMClient.getInstance();

  const statuses = [];
  const messages = [];
  const typing = [];
  const classes = {
    "RC:TxtMsg": RongIMLib.TextMessage,
    "RC:ImgMsg": RongIMLib.ImageMessage,
    "RC:ReadNtf": RongIMLib.ReadReceiptMessage,
  };

  const ask = (call) =>
    new Promise((resolve) =>
      call({
        onSuccess: (...result) => resolve({ result }),
        onError: (error) => resolve({ error }),
        onTokenIncorrect: () => resolve({ error: "token incorrect" }),
      }),
    );

  const plain = (message) => ({
    sender: message.senderUserId,
    conversation: message.targetId,
    kind: message.objectName,
    content: message.content,
    uid: message.messageUId,
    time: message.sentTime,
    isOffline: message.offLineMessage,
  });

  const send = async (to, kind, content) => {
    const message = new classes[kind](content);
    const { result, error } = await ask((answer) => sdk().sendMessage(PRIVATE, to, message, answer));
    return result ? { result: plain(result[0]) } : { error };
  };

  return {
    statuses,
    messages,
    typing,

    init(appKey, navigation) {
      RongIMClient.init(appKey, null, { navi: navigation });
      RongIMClient.setConnectionStatusListener({ onChanged: (status) => statuses.push(status) });
      RongIMClient.setOnReceiveMessageListener({
        onReceived: (message) => messages.push(plain(message)),
      });
      RongIMClient.setTypingStatusListener({
        onChanged(news) {
          for (const { targetId, list } of news) {
            for (const { userId, messageType } of list) {
              typing.push({ conversation: targetId, user: userId, kind: messageType });
            }
          }
        },
      });
    },

    register(name, kind, properties) {
      RongIMClient.registerMessageType(name, kind, new MessageTag(true, true), properties);
      classes[kind] = RongIMClient.RegisterMessage[name];
    },

    connect: (token) => ask((answer) => RongIMClient.connect(token, answer)),
    disconnect: () => sdk().disconnect(),

    // All at once: none waits for the answer to an earlier one.
    sendAll: (to, kind, contents) =>
      Promise.all(contents.map((content) => send(to, kind, content))),

    sendTyping(to) {
      sdk().sendTypingStatusMessage(PRIVATE, to, "RC:TxtMsg", { onSuccess() {}, onError() {} });
    },

    // order 0: the messages before `time`, 1: those after it. Oldest first in both cases.
    async history(user, time, count, order) {
      const { result, error } = await ask((answer) =>
        sdk().getHistoryMessages(PRIVATE, user, time, count, answer, undefined, order),
      );
      return result ? { result: [result[0].map(plain), result[1]] } : { error };
    },

    conversations: () => ask((answer) => sdk().getConversationList(answer, null, 100)),
  };
})();
