/**
 * The list of conversations, which the server keeps, and what the user has set for them.
 */

import { invalid } from "./errors.js";
import { readDown } from "./messages.js";

const SILENT = 1;
const TOP = 2;

/** Conversations on one page (operations 7). */
const LARGEST_PAGE = 1000;

export class Conversations {
  #client;

  constructor(client) {
    this.#client = client;
  }

  /**
   * The newest conversations, the newest first: `{ conversation, last, unread, mentions, time }`
   * each (operations 7). `before`: only those whose last message is older; the `time` of the last
   * one is where the next page begins.
   */
  async list({ count = 100, before = 0 } = {}) {
    if (!(count >= 1 && count <= LARGEST_PAGE)) throw invalid(`count: 1 to ${LARGEST_PAGE}`);
    const reply = await this.#client.query(
      "qryRelationR",
      { type: 1, count, startTime: before, order: 0 },
      { repeat: true },
    );
    const { userId, loginTime } = this.#client;
    return reply.info.map(({ msg, ...info }) => {
      const conversation = { type: info.type, targetId: info.userId };
      return {
        conversation,
        last: msg ? { ...readDown(msg, userId, loginTime), conversation } : null,
        unread: info.unreadCount ?? 0,
        mentions: info.remindMeCount ?? 0,
        time: info.versionTime ?? msg?.dataTime ?? 0,
      };
    });
  }

  /** Take a conversation off the list, until its next message. */
  async remove({ type, targetId }) {
    await this.#client.query("delRelation", { type }, { target: targetId, repeat: true });
  }

  /** The user has read everything up to a time; tells his other devices (messages 8.4). */
  markRead(conversation, until) {
    return this.#client.messages.send(
      conversation,
      { name: "RC:SRSMsg", fields: { lastMessageSendTime: until }, flags: 0 },
      { only: [this.#client.userId] },
    );
  }

  /** Make no noise for a conversation, or again. */
  mute(conversation, isOn = true) {
    return this.#set(conversation, SILENT, isOn);
  }

  /** Keep a conversation on top, or no longer. */
  pin(conversation, isOn = true) {
    return this.#set(conversation, TOP, isOn);
  }

  async #set({ type, targetId }, sessionStateType, isOn) {
    const stateItem = [{ sessionStateType, value: isOn ? "1" : "0" }];
    const state = [{ type, channelId: targetId, time: 0, stateItem }];
    const payload = { version: 0, ignoreVersion: true, state };
    await this.#client.query("setSeAtt", payload, { repeat: true });
  }

  /**
   * What was set: `{ conversation, isMuted, isPinned, tags }` each, undefined for what was not
   * (operations 8). `since`: only what has changed after this time.
   */
  async settings({ since = 0 } = {}) {
    const reply = await this.#client.query("pullSeAtts", { time: since }, { repeat: true });
    return reply.state
      .filter(({ channelId }) => channelId)
      .map(({ type, channelId, stateItem }) => {
        const found = new Map(stateItem.map((item) => [item.sessionStateType, item]));
        const [silent, top, tagged] = [SILENT, TOP, 3].map((kind) => found.get(kind));
        return {
          conversation: { type, targetId: channelId },
          isMuted: silent && !["0", "-1"].includes(silent.value),
          isPinned: top && top.value === "1",
          tags: tagged?.tags.map(({ tagId }) => tagId),
        };
      });
  }
}
