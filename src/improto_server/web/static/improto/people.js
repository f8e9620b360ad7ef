/**
 * Other users: who is there, what they are called, and lists of friends, groups and members
 * (sdk5 8.4, 8.5). Everything else about them is `client.query`.
 */

import { ImError } from "./errors.js";
import { decode, FormatError } from "./protobuf.js";
import { Code } from "./tables.js";

const STATUS = 1;
const PROFILE = 2;
const BEGIN = 0;
const END = 1;

/** Seconds and users, as SDK 5.38.0 has it. */
const LONGEST_FOLLOWING = 30 * 24 * 60 * 60;
const AT_ONCE = 100;

/** What a list is made of, by its `listType`. */
const LISTS = {
  __proto__: null,
  1: "ChannelsUserInfos",
  2: "ChannelsInviteStatusInfos",
  3: "ChannelsJoinedInfos",
  11: "FriendUserInfos",
  12: "FriendInviteInfos",
};

export class People {
  #client;

  constructor(client) {
    this.#client = client;
  }

  /**
   * Be told by "presence" when users come and go, for 60 seconds to 30 days, and as things stand
   * now: the ids of those who are online. At most 100 users.
   */
  async follow(userIds, { seconds = LONGEST_FOLLOWING } = {}) {
    const subUsers = userIds.map((subUserId) => ({ subUserId }));
    const payload = { subType: STATUS, subUsers, opType: BEGIN, expiry: seconds };
    await this.#client.query("updUserSub", payload, { repeat: true });
    const asked = { subType: STATUS, subUsers };
    const reply = await this.#client.query("qrySubData", asked, { repeat: true });
    return reply.list.filter(isOnline).map(({ subUserId }) => subUserId);
  }

  /** Be told by "profile" when users change their profiles; of friends that is told anyhow. */
  async followProfiles(userIds, { seconds = LONGEST_FOLLOWING } = {}) {
    const subUsers = userIds.map((subUserId) => ({ subUserId }));
    const payload = { subType: PROFILE, subUsers, opType: BEGIN, expiry: seconds };
    await this.#client.query("updUserSub", payload, { repeat: true });
  }

  /** Follow users no longer. */
  async unfollow(userIds) {
    const subUsers = userIds.map((subUserId) => ({ subUserId }));
    const payload = { subType: STATUS, subUsers, opType: END, expiry: 0 };
    await this.#client.query("updUserSub", payload, { repeat: true });
  }

  /**
   * What users say about themselves: a map of `{ name, portrait, values, extra }` by user id, where
   * `values` and `extra` are objects.
   */
  async profiles(userIds) {
    const found = new Map();
    const wanted = [...new Set(userIds)];
    for (let begin = 0; begin < wanted.length; begin += AT_ONCE) {
      const userId = wanted.slice(begin, begin + AT_ONCE);
      const reply = await this.#client.query("pullUserProfile", { userId }, { repeat: true });
      for (const each of reply.UserProfile) found.set(each.userId, profileOf(each));
    }
    return found;
  }

  /** Change this user's profile; an empty text takes a key away. */
  async update(values, extra = {}) {
    const pairs = (from) => Object.entries(from).map(([key, value]) => ({ key, value }));
    const payload = { userProfile: pairs(values), userExtProfile: pairs(extra) };
    await this.#client.query("updUserProfile", payload, { repeat: true });
  }

  /** Ask for a list: `friendsQuery`, `qChannelMem`, ...; `{ items, page }`, as in the schema. */
  async list(topic, payload, { target } = {}) {
    const reply = await this.#client.query(topic, payload, { target, repeat: true });
    const kind = LISTS[reply.listType];
    try {
      if (kind === undefined) throw new FormatError(`there is no list ${reply.listType}`);
      const { list } = decode(kind, reply.result ?? new Uint8Array());
      return { items: list, page: reply.page ?? {} };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw new ImError(Code.UNKNOWN, `${topic}: ${error.message}`);
    }
  }
}

/** Whether a SubDataDetail says that its user is online, on one platform or another. */
export function isOnline({ data }) {
  return data.some(({ value }) => value > 0);
}

function profileOf({ userProfile, userExtProfile }) {
  const [values, extra] = [userProfile, userExtProfile].map((pairs) =>
    Object.fromEntries(pairs.map(({ key, value }) => [key, value])),
  );
  return { name: values.name ?? "", portrait: values.portraitUri ?? "", values, extra };
}
