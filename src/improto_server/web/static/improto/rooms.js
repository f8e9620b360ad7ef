/**
 * Chatrooms: a stream of messages each, who is in, and keys (session 11, operations 14).
 *
 * A room that was joined stays joined over reconnects, until the server does not want the user any
 * more; then the client tells "roomleft".
 */

import { ImError, invalid } from "./errors.js";
import { Stream } from "./stream.js";
import { Code } from "./tables.js";

const AUTO_DELETE = 1;
const OVERWRITE = 2;
const DELETED = 4;

/** Members told in one answer, and rooms that one page is in. */
const MOST_MEMBERS = 20;
const MOST_ROOMS = 256;

/** The user is out. */
const LEFT = new Set([
  Code.NOT_IN_CHATROOM,
  Code.RC_CHATROOM_USER_KICKED,
  Code.RC_CHATROOM_NOT_EXIST,
  Code.RC_CHATROOM_IS_FULL,
]);

export class Rooms {
  #client;
  #take;
  #streams = new Map();

  /** `take(list)`: messages that have come. */
  constructor(client, take) {
    this.#client = client;
    this.#take = take;
  }

  /** The ids of the rooms that this client is in. */
  get joined() {
    return [...this.#streams.keys()];
  }

  /**
   * Go into a room and get its messages, beginning with up to `count` old ones. It is made if need
   * be; with `mustExist` that is refused with 23410. Other refusals: 23409, 23411, 23412.
   */
  async join(room, { count = 10, mustExist = false } = {}) {
    if (!(Number.isInteger(count) && count >= 0)) throw invalid("count: 0 or more");
    if (this.#streams.size >= MOST_ROOMS) throw invalid(`more than ${MOST_ROOMS} rooms`);
    const topic = mustExist ? "joinChrmR" : "joinChrm";
    await this.#client.query(topic, { nothing: 1 }, { target: room, repeat: true });
    if (this.#streams.has(room)) return;
    const stream = new Stream({
      // On the wire 0 is "as many as usual", and -1 none (session 11).
      ask: (syncTime) => this.#client.ask("chrmPull", { syncTime, count: count || -1 }, room),
      take: this.#take,
      fail: (error) => this.#failed(room, error),
    });
    this.#streams.set(room, stream);
    await stream.pull();
  }

  /** Leave a room. */
  async quit(room) {
    this.#streams.delete(room);
    await this.#client.query("exitChrm", { nothing: 1 }, { target: room });
  }

  /** `{ total, members }`, where up to 20 members are `{ userId, time }` (operations 14). */
  async info(room, { count = MOST_MEMBERS, newestFirst = false } = {}) {
    if (!(count >= 0 && count <= MOST_MEMBERS)) throw invalid(`count: 0 to ${MOST_MEMBERS}`);
    const order = count === 0 ? 0 : newestFirst ? 2 : 1;
    const options = { target: room, repeat: true };
    const reply = await this.#client.query("queryChrmI", { count, order }, options);
    const members = reply.userInfos.map(({ id, time }) => ({ userId: id, time }));
    return { total: reply.userTotalNums, members };
  }

  /** All keys: a map of `{ value, userId, time }`, where the user is the one who has set it. */
  async entries(room) {
    const options = { target: room, repeat: true };
    const reply = await this.#client.query("pullKV", { timestamp: 0 }, options);
    return new Map(
      reply.entries
        .filter(({ status }) => !(status & DELETED))
        .map(({ key, value, uid, timestamp }) => [key, { value, userId: uid, time: timestamp }]),
    );
  }

  /** Set a key (operations 14.2); `force`: also another user's, `autoDelete`: until he leaves. */
  async setEntry(room, key, value, { force = false, autoDelete = false } = {}) {
    const status = (autoDelete ? AUTO_DELETE : 0) | (force ? OVERWRITE : 0);
    await this.#change("setKV", room, { key, value, status });
  }

  /** Remove a key. */
  async removeEntry(room, key, { force = false } = {}) {
    const status = DELETED | (force ? OVERWRITE : 0);
    await this.#change("delKV", room, { key, value: "", status });
  }

  async #change(topic, room, entry) {
    const payload = { entry: { ...entry, uid: this.#client.userId } };
    await this.#client.query(topic, payload, { target: room });
  }

  // -- for the client ----------------------------------------------------------------

  /** There is something new in a room. */
  announce(room, time) {
    this.#streams.get(room)?.announce(time);
  }

  /** Ask all rooms whether there is something new. */
  pull() {
    for (const stream of this.#streams.values()) stream.pull();
  }

  /** Go back into all rooms after a login. */
  async rejoin() {
    for (const [room, stream] of [...this.#streams]) {
      try {
        await this.#client.ask("joinChrmR", { nothing: 1 }, room);
        stream.pull();
      } catch (error) {
        if (!(error instanceof ImError)) throw error;
        this.#failed(room, error);
      }
    }
  }

  /** A room is no more, or not for this user. */
  left(room, code) {
    if (this.#streams.delete(room)) this.#client.tell("roomleft", { room, code });
  }

  /** Be in no room, for another user is. */
  forget() {
    this.#streams.clear();
  }

  #failed(room, error) {
    if (LEFT.has(error.code)) this.left(room, error.code);
    else this.#client.trouble(error);
  }
}
