/**
 * Records what is spoken, with the browser's MediaRecorder: one recording at a time.
 *
 * `recording()` is null or `{ conversation, begun, levels }`; `begun` is a time of `Date.now()`.
 * A recording that reaches its longest is ended as if by the button.
 */

import { keyOf, voice } from "../improto/improto.js";
import { sayError } from "./errors.js";
import { t } from "./i18n.js";
import { openConversation, send, theClient } from "./im.js";
import { refusalOf } from "./uploads.js";
import { changed, onChange, state, toast } from "./state.js";

/** Seconds; the SDKs of phones end at a minute (messages 5). */
export const LONGEST = 60;

/** Milliseconds: what is shorter was a mistake. */
const SHORTEST = 500;

const TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];

let current = null;

/** What is being recorded, or null. */
export function recording() {
  return current;
}

/** Whether this browser can do it. */
export function canRecord() {
  return Boolean(globalThis.MediaRecorder && navigator.mediaDevices?.getUserMedia);
}

/** Begin, if it is allowed; a toast says so if not. */
export async function record(conversation) {
  if (current !== null) return;
  const mine = { conversation, begun: 0, isSent: false };
  current = mine;
  changed();
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    mine.stop = () => stream.getTracks().forEach((each) => each.stop());
    if (current !== mine) {
      mine.stop();
      return;
    }
    start(mine, stream);
  } catch (error) {
    drop(mine);
    const isRefused = ["NotAllowedError", "SecurityError"].includes(error.name);
    toast(t(isRefused ? "voice.refused" : "voice.none"), "error");
  }
}

/** End it and send it. */
export function finish() {
  if (!current?.recorder) return;
  current.isSent = true;
  current.recorder.stop();
}

/** End it and forget it. */
export function discard() {
  if (current === null) return;
  current.recorder?.stop();
  drop(current);
}

function start(mine, stream) {
  const mimeType = TYPES.find((each) => MediaRecorder.isTypeSupported(each));
  const recorder = new MediaRecorder(stream, { mimeType });
  const pieces = [];
  recorder.ondataavailable = ({ data }) => pieces.push(data);
  recorder.onstop = () => {
    const milliseconds = Date.now() - mine.begun;
    drop(mine);
    const type = recorder.mimeType.split(";")[0];
    if (mine.isSent) deliver(mine.conversation, new Blob(pieces, { type }), milliseconds);
  };
  Object.assign(mine, { recorder, begun: Date.now(), ticking: setInterval(tick, 250) });
  recorder.start();
  changed();
}

function tick() {
  if (Date.now() - current.begun >= LONGEST * 1000) finish();
  changed();
}

function drop(mine) {
  clearInterval(mine.ticking);
  mine.stop?.();
  if (current === mine) current = null;
  changed();
}

async function deliver(conversation, blob, milliseconds) {
  if (milliseconds < SHORTEST) {
    toast(t("voice.short"));
    return;
  }
  const name = t("content.voice");
  const refusal = refusalOf({ name, size: blob.size, type: blob.type }, conversation);
  if (refusal !== null) {
    toast(refusal, "error");
    return;
  }
  const client = theClient();
  try {
    const { url } = await client.files.upload(blob);
    const type = blob.type === "audio/mp4" ? "aac" : blob.type.split("/")[1];
    const duration = Math.max(1, milliseconds / 1000);
    if (client === theClient()) send(conversation, voice({ url, duration, type }));
  } catch (error) {
    toast(sayError(error), "error");
  }
}

// Nobody records for a chat that he has left.
onChange(() => {
  if (current === null) return;
  const open = openConversation();
  if (state.stage !== "inside" || !open || keyOf(open) !== keyOf(current.conversation)) discard();
});
