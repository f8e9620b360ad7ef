/**
 * Who has read what in groups. Servers have four ways, and navigation says which one is on
 * (`grpRRVer`: messages 8.2, 8.3, sdk5 8.2); a page need not know.
 */

import { ImError, invalid } from "./errors.js";
import { keyOf } from "./messages.js";
import { Code, ConversationType } from "./tables.js";

const Way = Object.freeze({ MESSAGES: 0, TOPICS: 1, POSITIONS: 3, RECEIPTS: 4 });

/** What is asked of `qryReceipt`: a page of those who have read. */
const PAGED = 1;
const READ = 1;

/** Readers told in one answer. */
const PAGE = 100;

export class Receipts {
  #client;

  constructor(client) {
    this.#client = client;
  }

  get #way() {
    return this.#client.settings.grpRRVer ?? Way.MESSAGES;
  }

  /**
   * Ask who will have read a message of this user. Only the oldest way needs it; in the newest one
   * the message is sent with `wantsReceipt`.
   */
  async ask({ conversation, uid }) {
    if (this.#way !== Way.MESSAGES) return;
    await this.#say(conversation, "RC:RRReqMsg", { messageUId: uid });
  }

  /** Say that this user has read messages of one group. */
  async confirm(messages) {
    if (!messages.length) return;
    const [{ conversation }] = messages;
    if (!messages.every((each) => keyOf(each.conversation) === keyOf(conversation))) {
      throw invalid("messages of one group are confirmed at a time");
    }
    const { type, targetId } = groupOf(conversation);
    const uids = messages.map(({ uid }) => uid);
    switch (this.#way) {
      case Way.MESSAGES:
        await this.#respond(conversation, messages);
        break;
      case Way.TOPICS:
        await this.#client.query("rrMsg", { msgId: uids }, { target: targetId, repeat: true });
        break;
      case Way.POSITIONS: {
        const last = messages.reduce((one, other) => (other.time > one.time ? other : one));
        const payload = { targetId, type, endMsgId: last.uid };
        await this.#client.publish("sendMsgRead", payload, { target: targetId });
        break;
      }
      case Way.RECEIPTS: {
        const payload = { targetId, type, readType: 0, msgIds: uids };
        await this.#client.query("readReceipt", payload, { target: uids[0], repeat: true });
        break;
      }
    }
  }

  /**
   * Who has read a message of this user: `{ readers: [{ userId, time }], total }`, where `total`
   * counts all who could, or is null. In the oldest way nobody can be asked: 35003; there, and in
   * the newest one, "receipt" tells.
   */
  async readers({ conversation, uid }) {
    const { type, targetId } = groupOf(conversation);
    const ask = (topic, payload, target) =>
      this.#client.query(topic, payload, { target, repeat: true });
    switch (this.#way) {
      case Way.TOPICS: {
        const reply = await ask("rrList", { msgId: [uid] }, targetId);
        const readers = reply.list.map(({ userId, readTime: time }) => ({ userId, time }));
        return { readers, total: reply.totalMemberNum };
      }
      case Way.POSITIONS: {
        const reply = await ask("qryMsgRead", { msgId: uid, targetId }, targetId);
        return { readers: reply.list.map(readerOf), total: reply.num ?? null };
      }
      case Way.RECEIPTS: {
        const which = { qryType: PAGED, readType: READ, pageSize: PAGE };
        const reply = await ask("qryReceipt", { targetId, type, msgIds: [uid], ...which }, uid);
        const [item] = reply.resp;
        return { readers: (item?.readUser ?? []).map(readerOf), total: item?.totalCnt ?? null };
      }
      default:
        throw new ImError(Code.READ_RECEIPT_ERROR);
    }
  }

  /** The senders are told, each of his own messages (messages 8.2). */
  async #respond(conversation, messages) {
    const bySender = Object.groupBy(messages, ({ senderId }) => senderId);
    const dictionary = Object.entries(bySender).map(([sender, own]) => [
      sender,
      own.map(({ uid }) => uid),
    ]);
    const fields = { receiptMessageDic: Object.fromEntries(dictionary) };
    await this.#say(conversation, "RC:RRRspMsg", fields, { only: Object.keys(bySender) });
  }

  #say(conversation, name, fields, options) {
    groupOf(conversation);
    return this.#client.messages.send(conversation, { name, fields, flags: 0 }, options);
  }
}

function readerOf({ userId, receiptTime }) {
  return { userId, time: receiptTime };
}

function groupOf(conversation) {
  if (conversation.type === ConversationType.GROUP) return conversation;
  throw invalid("only groups have receipts of this kind");
}
