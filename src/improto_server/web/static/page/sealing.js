/**
 * Sealed conversations of the page: who may be sealed for, what was opened, and sending it.
 *
 * libsodium is loaded when this browser is a device of the user, or becomes one: when encryption
 * is turned on for the first conversation. Views ask `openedOf`, which opens in the background.
 */

import { BrowserStorage, keyOf, Status } from "../improto/improto.js";
import { OBJECT_NAME, Sealing, SealingError } from "../improto/sealing.js";
import { draftOf, setDraft } from "./chats.js";
import { t } from "./i18n.js";
import { extraEvents, sendBy, theClient } from "./im.js";
import { changed, own, state, toast } from "./state.js";

/** Opened messages that are remembered. */
const MOST_OPENED = 1000;

/** Contents whose file is kept elsewhere, where nobody seals it. */
const FILES = new Set(["RC:ImgMsg", "RC:GIFMsg", "RC:HQVCMsg", "RC:SightMsg", "RC:FileMsg"]);

/** Pages are served by one server, for one app. */
const APP = "page";

const WAITING = { isOpening: true };

function view() {
  return own("sealing", () => ({ sealing: null, starting: null, opened: new Map() }));
}

function sealing() {
  const mine = view();
  const client = theClient();
  if (client === null) return null;
  const options = { storage: new BrowserStorage(), appKey: APP, userId: state.me.user };
  mine.sealing ??= new Sealing(client, options);
  return mine.sealing;
}

/** The Sealing of who is logged in, started; it makes this browser a device. */
export async function started() {
  const mine = view();
  if (sealing() === null) throw new SealingError("offline", state.me.user);
  mine.starting ??= sealing().start();
  try {
    return await mine.starting;
  } catch (error) {
    mine.starting = null;
    throw error;
  }
}

/** Whether this browser can open sealed messages. */
export function isDevice() {
  return sealing()?.isDevice ?? false;
}

/** Whether what is written in a conversation is sealed. */
export function isOn(conversation) {
  return sealing()?.isOn(conversation) ?? false;
}

/** This browser opens nothing any more. */
export async function forget() {
  await (await started()).forget();
  delete state.views.sealing;
  changed();
}

/**
 * A sealed message as `Sealing.open` gives it; null if this browser is no device, and
 * `{ isOpening: true }` for the moment that it takes.
 */
export function openedOf(message) {
  if (!isDevice()) return null;
  const { opened } = view();
  const key = `${keyOf(message.conversation)} ${message.uid || message.id} ${message.raw.length}`;
  const known = opened.get(key);
  if (known) return known;
  opened.set(key, WAITING);
  if (opened.size > MOST_OPENED) opened.delete(opened.keys().next().value);
  open(message, opened, key);
  return WAITING;
}

async function open(message, opened, key) {
  try {
    opened.set(key, await (await started()).open(message));
  } catch (error) {
    opened.set(key, { message, isSealed: true, reason: "unavailable" });
    console.warn("improto: a sealed message:", error.message);
  }
  changed();
}

/** Whoever was not known may be known now. */
export function openAgain() {
  const { opened } = view();
  for (const [key, { reason }] of opened) if (reason) opened.delete(key);
  changed();
}

extraEvents.add(["status", ({ status }) => status === Status.CONNECTED && openAgain()]);

async function seal(conversation, content, options) {
  try {
    if (FILES.has(content.name)) throw new SealingError("files", conversation.targetId);
    return await (await started()).send(conversation, content, options);
  } catch (error) {
    // What was written is not lost.
    const isText = typeof content.fields.content === "string" && !FILES.has(content.name);
    if (isText && !draftOf(conversation)) setDraft(conversation, content.fields.content);
    if (!(error instanceof SealingError)) throw error;
    toast(t(`sealing.error.${error.kind}`), "error");
    return null;
  }
}

// What has failed and is sent again is sealed already.
sendBy((send) => (conversation, content, options) =>
  isOn(conversation) && content.name !== OBJECT_NAME
    ? seal(conversation, content, options)
    : send(conversation, content, options),
);
