/** Plays voice messages, one at a time. */

import { changed, toast } from "./state.js";
import { t } from "./i18n.js";

const audio = new Audio();
let playing = null;

/** Of the message that was played last: `{ node, isPlaying, at }`, or null; `at` in seconds. */
export function playback() {
  return playing;
}

/** Play a message, or hold it; from where it was held. */
export function toggle(node, url) {
  if (playing?.node !== node) {
    audio.src = url;
    playing = { node, isPlaying: false, at: 0 };
  }
  if (playing.isPlaying) audio.pause();
  else audio.play().catch(failed);
}

/** Go on at another second. */
export function seek(node, url, second) {
  if (playing?.node !== node) toggle(node, url);
  audio.currentTime = second;
}

/** Say nothing more. */
export function silence() {
  audio.pause();
  audio.removeAttribute("src");
  playing = null;
}

function failed(error) {
  // Another one was begun meanwhile.
  if (error.name === "AbortError") return;
  playing = null;
  changed();
  toast(t("voice.broken"), "error");
}

function show(values) {
  if (playing === null) return;
  Object.assign(playing, values);
  changed();
}

audio.addEventListener("play", () => show({ isPlaying: true }));
audio.addEventListener("pause", () => show({ isPlaying: false }));
audio.addEventListener("timeupdate", () => show({ at: audio.currentTime }));
audio.addEventListener("ended", () => show({ isPlaying: false, at: 0 }));
