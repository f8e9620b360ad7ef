/**
 * Sealed messages as bytes: devices, contents that only they can read, numbers to compare.
 *
 * docs/encryption.md has the format. libsodium does the cryptography; it is loaded when it is
 * needed first, by `ready()`, before which nothing else here may be called. Whatever is signed or
 * authenticated is a row of fields, each after its length, and the first says what the row is for.
 */

/** The object name of a message that is sealed. */
export const OBJECT_NAME = "Improto:Sealed";

/** What keys of a profile begin with that name a device; its id follows. */
export const ENTRY_KEY = "sealed:";

/** Devices of a user. */
export const MOST_DEVICES = 10;

/** Bytes of what is sealed. With its keys it fits into a content (wire 7). */
export const LARGEST_INNER = 65_536;

/** Why a sealed message cannot be read. */
export const Reason = {
  NOT_FOR_US: "notforus",
  NEWER: "newer",
  UNKNOWN_SENDER: "unknownsender",
  DAMAGED: "damaged",
};

const VERSION = 1;
const PADDING = 256;
const KEY_BYTES = 32;
const NONCE_BYTES = 24;
const SIGNATURE_BYTES = 64;
const DIGITS = 5;
const GROUPS = 6;

const ID = /^[0-9a-f]{20}$/;
const TEXT = /^[A-Za-z0-9_-]*$/;
const TIME = /^[0-9]{1,15}$/;

let sodium = null;

/** Load libsodium. */
export async function ready() {
  if (sodium) return;
  const { default: loaded } = await import("../vendor/libsodium/libsodium-wrappers.js");
  await loaded.ready;
  sodium = loaded;
}

/** A sealed message cannot be read; `reason` is one of `Reason`. */
export class Unopened extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/** A new device of a user: the secrets in base64, as they are kept. */
export function makeSecrets(created) {
  const [seed, secret] = [randomBytes(KEY_BYTES), randomBytes(KEY_BYTES)];
  return { seed: written(seed), secret: written(secret), created };
}

/** The device that has these secrets: `public`, and the keys to sign and to open with. */
export function ownDevice(userId, { seed, secret, created }) {
  const sign = sodium.crypto_sign_seed_keypair(bytes(seed, KEY_BYTES));
  const opening = bytes(secret, KEY_BYTES);
  const [signing, sealing] = [sign.publicKey, sodium.crypto_scalarmult_base(opening)];
  const claim = claimOf(userId, signing, sealing, created);
  const signature = sodium.crypto_sign_detached(claim, sign.privateKey);
  return {
    public: { id: idOf(signing, sealing), signing, sealing, created, signature },
    signKey: sign.privateKey,
    opening,
  };
}

/** A device as its user publishes it. */
export function entryOf({ signing, sealing, created, signature }) {
  return [VERSION, written(signing), written(sealing), created, written(signature)].join(".");
}

/** A device as a user has published it; null if it is none, or another user's. */
export function readDevice(userId, id, entry) {
  const [version, ...parts] = String(entry).split(".");
  if (version !== String(VERSION) || parts.length !== 4 || !TIME.test(parts[2])) return null;
  try {
    const [signing, sealing] = parts.slice(0, 2).map((part) => bytes(part, KEY_BYTES));
    const signature = bytes(parts[3], SIGNATURE_BYTES);
    const created = Number(parts[2]);
    const claim = claimOf(userId, signing, sealing, created);
    if (!sodium.crypto_sign_verify_detached(signature, claim, signing)) return null;
    // There are points that nothing can be sealed for.
    sodium.crypto_box_seal(new Uint8Array(), sealing);
    return idOf(signing, sealing) === id ? { id, signing, sealing, created, signature } : null;
  } catch {
    return null;
  }
}

/**
 * The members of a sealed message that these devices can read. `place`: `{ type, senderId,
 * receiverId }`, where `receiverId` is the other user, or the target of the conversation; `inner`:
 * `{ name, content, time }`. RangeError: it is more than `LARGEST_INNER` bytes.
 */
export function seal(own, place, { name, content, time }, receivers) {
  const data = utf8(JSON.stringify({ name, content, time }));
  if (data.length > LARGEST_INNER) {
    throw new RangeError(`content: ${data.length} bytes, the limit is ${LARGEST_INNER}`);
  }
  const [key, nonce] = [randomBytes(KEY_BYTES), randomBytes(NONCE_BYTES)];
  const row = rowOf(place, own.public.id);
  const padded = sodium.pad(data, PADDING);
  const body = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(padded, row, null, nonce, key);
  const keys = {};
  for (const { id, sealing } of receivers) keys[id] = sodium.crypto_box_seal(key, sealing);
  const statement = statementOf(row, nonce, body, keys);
  const signature = sodium.crypto_sign_detached(statement, own.signKey);
  return {
    v: VERSION,
    device: own.public.id,
    keys: Object.fromEntries(Object.entries(keys).map(([id, sealed]) => [id, written(sealed)])),
    nonce: written(nonce),
    body: written(body),
    signature: written(signature),
  };
}

/** Read the content of a sealed message, a text. Throws Unopened: NEWER, DAMAGED. */
export function readSealed(content) {
  try {
    const { v, device, keys, nonce, body, signature } = JSON.parse(content);
    if (Number.isInteger(v) && v > VERSION) throw new Unopened(Reason.NEWER);
    const isObject = typeof keys === "object" && !Array.isArray(keys);
    if (v !== VERSION || !isId(device) || !isObject || !Object.keys(keys).every(isId)) {
      throw new Unopened(Reason.DAMAGED);
    }
    return {
      device,
      keys: Object.fromEntries(Object.entries(keys).map(([id, key]) => [id, bytes(key)])),
      nonce: bytes(nonce, NONCE_BYTES),
      body: bytes(body),
      signature: bytes(signature, SIGNATURE_BYTES),
    };
  } catch (error) {
    throw error instanceof Unopened ? error : new Unopened(Reason.DAMAGED);
  }
}

/**
 * What a device of the sender has sealed for us, `{ name, content, time }`. Throws Unopened:
 * NOT_FOR_US, DAMAGED.
 */
export function openSealed(own, place, sealed, sender) {
  const { nonce, body, keys, signature } = sealed;
  const row = rowOf(place, sender.id);
  try {
    const statement = statementOf(row, nonce, body, keys);
    if (!sodium.crypto_sign_verify_detached(signature, statement, sender.signing)) {
      throw new Unopened(Reason.DAMAGED);
    }
    const mine = keys[own.public.id];
    if (!mine) throw new Unopened(Reason.NOT_FOR_US);
    const key = sodium.crypto_box_seal_open(mine, own.public.sealing, own.opening);
    const open = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt;
    const data = sodium.unpad(open(null, body, row, nonce, key), PADDING);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(data);
    const { name, content, time } = JSON.parse(text);
    const isWhole = typeof name === "string" && typeof content === "string";
    if (!isWhole || !Number.isSafeInteger(time) || time < 0) throw new Unopened(Reason.DAMAGED);
    return { name, content, time };
  } catch (error) {
    throw error instanceof Unopened ? error : new Unopened(Reason.DAMAGED);
  }
}

/** The fingerprint of a user with these devices: six groups of five digits. */
export function numberOf(userId, devices) {
  const sorted = [...devices].sort((one, other) => (one.id < other.id ? -1 : 1));
  const rows = sorted.flatMap(({ signing, sealing }) => [signing, sealing]);
  const digest = hash(rowOfParts("number", userId, ...rows));
  const groups = Array.from({ length: GROUPS }, (_, index) => {
    const part = digest.subarray(index * DIGITS, (index + 1) * DIGITS);
    const value = part.reduce((sum, byte) => sum * 256 + byte, 0);
    return String(value % 10 ** DIGITS).padStart(DIGITS, "0");
  });
  return groups.join(" ");
}

/** A text that is the same for the same message, whatever the server calls it. */
export function nameOf({ nonce }) {
  return written(nonce);
}

function idOf(signing, sealing) {
  return sodium.to_hex(hash(rowOfParts("id", signing, sealing))).slice(0, 20);
}

/** What a device signs about itself. */
function claimOf(userId, signing, sealing, created) {
  return rowOfParts("device", userId, signing, sealing, String(created));
}

/** What the body is bound to. */
function rowOf({ type, senderId, receiverId }, device) {
  return rowOfParts("message", String(type), senderId, receiverId, device);
}

/** What the sender signs. */
function statementOf(row, nonce, body, keys) {
  const pairs = Object.keys(keys)
    .sort()
    .flatMap((id) => [id, keys[id]]);
  return rowOfParts("signature", row, nonce, body, ...pairs);
}

function rowOfParts(purpose, ...parts) {
  const fields = [`improto/sealed/${VERSION}/${purpose}`, ...parts].map((part) =>
    typeof part === "string" ? utf8(part) : part,
  );
  const row = new Uint8Array(fields.reduce((sum, { length }) => sum + 4 + length, 0));
  let at = 0;
  for (const field of fields) {
    new DataView(row.buffer).setUint32(at, field.length);
    row.set(field, at + 4);
    at += 4 + field.length;
  }
  return row;
}

function hash(data) {
  return sodium.crypto_generichash(32, data);
}

function randomBytes(length) {
  return sodium.randombytes_buf(length);
}

function isId(value) {
  return typeof value === "string" && ID.test(value);
}

function utf8(text) {
  return new TextEncoder().encode(text);
}

function written(data) {
  return sodium.to_base64(data, sodium.base64_variants.URLSAFE_NO_PADDING);
}

/** Read base64 as of URLs, without padding. TypeError: it is none, or of another length. */
function bytes(text, length) {
  if (typeof text !== "string" || !TEXT.test(text)) throw new TypeError("this is no base64");
  const data = sodium.from_base64(text, sodium.base64_variants.URLSAFE_NO_PADDING);
  const isWhole = written(data) === text && (length === undefined || length === data.length);
  if (!isWhole) throw new TypeError("this is no base64 of that length");
  return data;
}
