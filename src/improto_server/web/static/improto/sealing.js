/**
 * End-to-end encryption for the conversations that a user wants it for.
 *
 * docs/encryption.md says what it protects from, and what not: in a page, not from who serves the
 * page. Every browser of a user is a device with keys of its own, published in the user's profile.
 * A device that the user has not accepted gets nothing; one that appears later stops sending until
 * it is accepted. What cannot be opened comes out as it is, with the reason.
 */

import { flagsOf } from "./contents.js";
import { ImError, invalid } from "./errors.js";
import {
  ENTRY_KEY,
  entryOf,
  makeSecrets,
  MOST_DEVICES,
  nameOf,
  numberOf,
  OBJECT_NAME,
  openSealed,
  ownDevice,
  readDevice,
  readSealed,
  ready,
  Reason,
  seal,
  Unopened,
} from "./sealed.js";
import { UserStorage } from "./store.js";
import { Code, ConversationType, Status } from "./tables.js";

export { OBJECT_NAME, Reason };

/** What this user has said about the devices of a user, or about one of them. */
export const Trust = {
  VERIFIED: "verified",
  UNVERIFIED: "unverified",
  CHANGED: "changed",
  UNKNOWN: "unknown",
};

/** Milliseconds for which a list of devices is believed to be the newest. */
const FRESH = 60_000;

/** Lists of devices, and messages that were opened: the newest ones. */
const MOST_REMEMBERED = 1000;

const GONE = "gone";
const DEVICE = "sealed/device";

/**
 * Nothing was sent. `kind`: "nokeys", the other one has no device; "changed", he has devices that
 * were not accepted; "toomany", this user has too many. `userId`: whose devices it is about.
 */
export class SealingError extends ImError {
  constructor(kind, userId) {
    super(Code.BIZ_ERROR_INVALID_PARAMETER, `devices of ${userId}: ${kind}`);
    this.name = "SealingError";
    this.kind = kind;
    this.userId = userId;
  }
}

export class Sealing {
  #client;
  #userId;
  #storage;
  #whenChanged;
  #own = null;
  #lists = new Map();
  #missed = new Map();
  #seen = new Map();

  /**
   * `client`: one that has been connected, or `userId` says whose it is; `storage` and `appKey`: as
   * it was given. `whenChanged`: "block", or "leaveout" to send to the accepted devices only. Call
   * `start` first.
   */
  constructor(client, { storage, appKey, userId = client.userId, whenChanged = "block" }) {
    this.#client = client;
    this.#userId = userId;
    this.#storage = new UserStorage(storage, appKey, userId);
    this.#whenChanged = whenChanged;
  }

  /** Whether this browser is a device of the user already. */
  get isDevice() {
    return this.#storage.get(DEVICE) !== null;
  }

  /** The id of this device. */
  get deviceId() {
    return this.#own.public.id;
  }

  /** Load what is needed. The first time, keys are made and published. */
  async start() {
    await ready();
    // Tabs of a user are one device.
    await exclusively(`improto/${this.#userId}`, async () => {
      const kept = this.#storage.get(DEVICE);
      const secrets = kept ?? { ...makeSecrets(this.#client.now()), isPublished: false };
      try {
        this.#own = ownDevice(this.#userId, secrets);
      } catch {
        throw new ImError(Code.BIZ_ERROR_DATABASE_ERROR, "the keys of this device are damaged");
      }
      if (!kept) this.#keep(DEVICE, secrets);
      // Whoever was removed on purpose does not come back by himself.
      if (!secrets.isPublished) {
        await this.publish();
        this.#keep(DEVICE, { ...secrets, isPublished: true });
      }
    });
    return this;
  }

  // -- conversations -----------------------------------------------------------------

  /** Have messages to a user sealed from now on; his fingerprint, to be compared. */
  async turnOn(conversation) {
    const userId = partner(conversation);
    const fingerprint = await this.fingerprint(userId);
    if (!fingerprint.devices.length) throw new SealingError("nokeys", userId);
    if (fingerprint.trust === Trust.UNKNOWN) await this.accept(fingerprint);
    this.#keep(onKey(userId), true);
    return await this.fingerprint(userId);
  }

  /** Have messages to a user sealed no longer. What is known of his devices stays. */
  turnOff(conversation) {
    this.#keep(onKey(partner(conversation)), false);
  }

  /** Whether messages of this conversation are sealed; may be asked before `start`. */
  isOn({ type, targetId }) {
    return type === ConversationType.PRIVATE && this.#storage.get(onKey(targetId)) === true;
  }

  // -- messages ----------------------------------------------------------------------

  /** Seal a content and send it; never anything that is not sealed. As `client.messages.send`. */
  async send(conversation, content, { isSilent = false, pushText } = {}) {
    const userId = partner(conversation);
    if (!this.isOn(conversation)) throw invalid(`messages to ${userId} are not sealed`);
    const receivers = [...(await this.#receivers(userId)), ...(await this.#ownDevices())];
    const place = { type: conversation.type, senderId: this.#userId, receiverId: userId };
    const inner = {
      name: content.name,
      content: JSON.stringify(content.fields),
      time: this.#client.now(),
    };
    let fields;
    try {
      fields = seal(this.#own, place, inner, receivers);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new ImError(Code.RC_MSG_CONTENT_EXCEED_LIMIT, error.message);
    }
    const sealed = { name: OBJECT_NAME, fields, flags: flagsOf(content) };
    return await this.#client.messages.send(conversation, sealed, { isSilent, pushText });
  }

  /**
   * Open a message: `{ message, isSealed, trust, reason, writtenAt, isRepeated }`. `message` has
   * the name and fields that were sealed, or is as it came: if it was not sealed, or if `reason`
   * says why it could not be opened. Never rejects because of what is in it.
   */
  async open(message) {
    if (message.name !== OBJECT_NAME) return opened(message, { isSealed: false });
    try {
      const sealed = readSealed(message.raw);
      const sender = await this.#sender(message.senderId, sealed.device);
      const inner = openSealed(this.#own, this.#place(message), sealed, sender);
      const { name, content: raw, time } = inner;
      return opened(
        { ...message, name, raw, fields: objectOf(raw) },
        {
          trust: this.#trustIn(message.senderId, sender.id),
          writtenAt: time,
          isRepeated: this.#isRepeated(nameOf(sealed), message.uid),
        },
      );
    } catch (error) {
      if (!(error instanceof Unopened)) throw error;
      return opened(message, { reason: error.reason });
    }
  }

  // -- trust -------------------------------------------------------------------------

  /**
   * The devices that a user has now, by default this one's own: `{ userId, number, trust, devices,
   * fresh }`, where `fresh` are those that were not accepted.
   */
  async fingerprint(userId = this.#userId) {
    const listed = await this.#listed(userId, { isFresh: false });
    const devices = [...listed.values()];
    const pins = this.#pins(userId);
    const fresh = devices.filter(({ id }) => !isAccepted(pins[id]));
    let trust = Trust.UNVERIFIED;
    if (!Object.keys(pins).length) trust = Trust.UNKNOWN;
    else if (fresh.length || !devices.length) trust = Trust.CHANGED;
    else if (devices.every(({ id }) => pins[id].state === Trust.VERIFIED)) trust = Trust.VERIFIED;
    return { userId, number: numberOf(userId, devices), trust, devices, fresh };
  }

  /** The numbers were compared and are the same: trust exactly these devices. */
  verify(fingerprint) {
    this.#pin(fingerprint, () => Trust.VERIFIED);
  }

  /** Seal for exactly these devices, although nobody has compared the number. */
  accept(fingerprint) {
    const pins = this.#pins(fingerprint.userId);
    const isVerified = (id) => pins[id]?.state === Trust.VERIFIED;
    this.#pin(fingerprint, (id) => (isVerified(id) ? Trust.VERIFIED : Trust.UNVERIFIED));
  }

  // -- own devices -------------------------------------------------------------------

  /** Put this device on the user's list, after it was removed. */
  async publish() {
    const userId = this.#userId;
    const listed = await this.#listed(userId, { isFresh: false });
    const own = this.#own.public;
    if (!listed.has(own.id) && listed.size >= MOST_DEVICES) {
      throw new SealingError("toomany", userId);
    }
    await this.#client.people.update({}, { [ENTRY_KEY + own.id]: entryOf(own) });
    this.#lists.delete(userId);
  }

  /** Take a device of this user off the list: nothing is sealed for it from now on. */
  async removeDevice(id) {
    const userId = this.#userId;
    const listed = await this.#listed(userId, { isFresh: false });
    if (!listed.has(id)) throw invalid(`there is no device ${id}`);
    await this.#client.people.update({}, { [ENTRY_KEY + id]: "" });
    this.#lists.delete(userId);
  }

  /** Be a device no longer: the secrets are gone, and what was sealed for it with them. */
  async forget() {
    const listed = await this.#listed(this.#userId, { isFresh: false });
    if (listed.has(this.deviceId)) await this.removeDevice(this.deviceId);
    this.#storage.remove(DEVICE);
    for (const key of this.#storage.keys("sealed/on/")) this.#storage.remove(key);
  }

  // -- inside ------------------------------------------------------------------------

  async #receivers(userId) {
    const known = this.#knownOffline(userId);
    if (known.length) return known;
    const listed = await this.#listed(userId);
    if (!listed.size) throw new SealingError("nokeys", userId);
    const accepted = this.#accepted(userId, listed);
    const isBlocked = this.#whenChanged === "block" && accepted.length < listed.size;
    if (isBlocked || !accepted.length) throw new SealingError("changed", userId);
    return accepted;
  }

  /** All that this user has accepted of his own; this one too, for what history brings. */
  async #ownDevices() {
    const userId = this.#userId;
    const known = this.#knownOffline(userId);
    if (known.length) return known;
    const accepted = this.#accepted(userId, await this.#listed(userId));
    return [this.#own.public, ...accepted.filter(({ id }) => id !== this.deviceId)];
  }

  /** What is written without a connection is sealed at once, for those that are accepted. */
  #knownOffline(userId) {
    if (this.#client.status === Status.CONNECTED) return [];
    const pins = Object.values(this.#pins(userId));
    return pins.filter(isAccepted).map(({ device }) => device);
  }

  #accepted(userId, listed) {
    const pins = this.#pins(userId);
    return [...listed.values()].filter(({ id }) => isAccepted(pins[id]));
  }

  async #sender(userId, id) {
    const pin = this.#pins(userId)[id];
    if (pin) return pin.device;
    const name = `${id} ${userId}`;
    try {
      let listed = await this.#listed(userId);
      const missed = this.#missed.get(name) ?? -Infinity;
      if (!listed.has(id) && performance.now() - missed >= FRESH) {
        listed = await this.#listed(userId, { isFresh: false });
        remember(this.#missed, name, performance.now());
      }
      if (listed.has(id)) return listed.get(id);
    } catch (error) {
      if (!(error instanceof ImError)) throw error;
    }
    throw new Unopened(Reason.UNKNOWN_SENDER);
  }

  #trustIn(userId, id) {
    const pins = this.#pins(userId);
    if (!Object.keys(pins).length) return Trust.UNKNOWN;
    return isAccepted(pins[id]) ? pins[id].state : Trust.CHANGED;
  }

  #place({ conversation: { type, targetId }, senderId, isMine }) {
    const isTarget = isMine || type !== ConversationType.PRIVATE;
    return { type, senderId, receiverId: isTarget ? targetId : this.#userId };
  }

  #isRepeated(name, uid) {
    if (!uid) return false;
    const known = this.#seen.get(name);
    if (known === undefined) remember(this.#seen, name, uid);
    return known !== undefined && known !== uid;
  }

  /** What was said of the devices of a user: `{ device, state }` by id. */
  #pins(userId) {
    const pins = {};
    for (const [id, row] of Object.entries(this.#storage.get(peerKey(userId)) ?? {})) {
      const [entry, state] = Array.isArray(row) ? row : [];
      const device = readDevice(userId, id, entry);
      // What cannot be read was not accepted.
      if (device) pins[id] = { device, state };
    }
    if (userId === this.#userId) {
      pins[this.deviceId] = { device: this.#own.public, state: Trust.VERIFIED };
    }
    return pins;
  }

  #pin({ userId, devices }, stateOf) {
    const there = devices.map((device) => [device.id, { device, state: stateOf(device.id) }]);
    this.#keepPins(userId, { ...gone(this.#pins(userId)), ...Object.fromEntries(there) });
  }

  #keepPins(userId, pins) {
    const rows = Object.entries(pins).map(([id, pin]) => [id, [entryOf(pin.device), pin.state]]);
    this.#keep(peerKey(userId), Object.fromEntries(rows));
  }

  async #listed(userId, { isFresh = true } = {}) {
    const known = this.#lists.get(userId);
    if (isFresh && known && performance.now() - known.time < FRESH) return known.devices;
    const profiles = await this.#client.people.profiles([userId]);
    const devices = devicesIn(userId, profiles.get(userId)?.extra ?? {});
    remember(this.#lists, userId, { devices, time: performance.now() });
    const pins = this.#pins(userId);
    const missing = Object.keys(pins).filter((id) => !devices.has(id) && isAccepted(pins[id]));
    // Who publishes nothing at all may just hide his profile; and we are not gone ourselves.
    if (devices.size && missing.some((id) => id !== this.#own.public.id)) {
      const absent = Object.fromEntries(missing.map((id) => [id, pins[id]]));
      this.#keepPins(userId, { ...pins, ...gone(absent) });
    }
    return devices;
  }

  /** A storage may be full; keys that are lost are lost for good. */
  #keep(key, value) {
    this.#storage.set(key, value);
    if (JSON.stringify(this.#storage.get(key)) !== JSON.stringify(value)) {
      throw new ImError(Code.BIZ_ERROR_DATABASE_ERROR, "the storage does not keep the keys");
    }
  }
}

/** The other user; there has to be exactly one. */
function partner({ type, targetId }) {
  if (type !== ConversationType.PRIVATE) throw invalid("only private conversations can be sealed");
  return targetId;
}

function opened(message, { isSealed = true, ...rest }) {
  const usual = { trust: null, reason: null, writtenAt: 0, isRepeated: false };
  return { message, isSealed, ...usual, ...rest };
}

/** The devices of a profile, by their ids; everything else in it is passed over. */
function devicesIn(userId, extra) {
  const devices = new Map();
  for (const key of Object.keys(extra).sort()) {
    if (!key.startsWith(ENTRY_KEY) || devices.size >= MOST_DEVICES) continue;
    const id = key.slice(ENTRY_KEY.length);
    const device = readDevice(userId, id, extra[key]);
    if (device) devices.set(id, device);
  }
  return devices;
}

function isAccepted(pin) {
  return pin?.state === Trust.VERIFIED || pin?.state === Trust.UNVERIFIED;
}

function gone(pins) {
  const rows = Object.entries(pins).map(([id, { device }]) => [id, { device, state: GONE }]);
  return Object.fromEntries(rows);
}

/** The members of a content; of what is no JSON object there are none. */
function objectOf(json) {
  try {
    const value = JSON.parse(json);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

/** Keep it as the newest; what is oldest goes. */
function remember(known, key, value) {
  known.delete(key);
  known.set(key, value);
  if (known.size > MOST_REMEMBERED) known.delete(known.keys().next().value);
}

function peerKey(userId) {
  return `sealed/peer/${userId}`;
}

function onKey(userId) {
  return `sealed/on/${userId}`;
}

/** One tab at a time; where browsers have no locks, pages without TLS, we hope. */
async function exclusively(name, work) {
  return await (navigator.locks ? navigator.locks.request(name, work) : work());
}
