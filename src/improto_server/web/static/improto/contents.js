/**
 * Contents of messages: what is said, as data (messages 5).
 *
 * A content is `{ name, fields }`: its object name and its members as on the wire. These functions
 * make the usual ones; any other name works as well. Nothing here, and nothing that comes, is ever
 * put into HTML: texts of others are for `textContent`.
 */

import { FLAGS } from "./tables.js";

const STORED = 1;
const COUNTED = 2;

/** A text. */
export function text(content) {
  return { name: "RC:TxtMsg", fields: { content } };
}

/** A picture; `thumbnail` is a small JPEG in base64 (`thumbnailOf`), `url` the whole one. */
export function image({ url, thumbnail = "" }) {
  return { name: "RC:ImgMsg", fields: { content: thumbnail, imageUri: url } };
}

/** What was spoken, kept as a file; `duration` in seconds. */
export function voice({ url, duration, type = "aac" }) {
  return { name: "RC:HQVCMsg", fields: { remoteUrl: url, duration: Math.round(duration), type } };
}

/** A short film; `duration` in seconds, `size` in bytes, `thumbnail` as of `image`. */
export function video({ url, duration, size, name = "", thumbnail = "" }) {
  const fields = { sightUrl: url, content: thumbnail, duration: Math.round(duration), size, name };
  return { name: "RC:SightMsg", fields };
}

/** Any file; `size` in bytes, `type` the ending of its name. */
export function file({ url, name, size, type = name.split(".").pop() }) {
  return { name: "RC:FileMsg", fields: { name, size, type, fileUrl: url } };
}

/** A place; `poi` is its name. */
export function place({ latitude, longitude, poi = "", thumbnail = "" }) {
  return { name: "RC:LBSMsg", fields: { latitude, longitude, poi, content: thumbnail } };
}

/** A text that quotes a message. */
export function quote(message, content) {
  const fields = {
    content,
    referMsg: message.fields,
    referMsgUserId: message.senderId,
    objName: message.name,
  };
  return { name: "RC:ReferenceMsg", fields };
}

/** A kind of the application's own; its name may not begin with `RC:` (messages 4). */
export function custom(name, fields, { stored = true, counted = true } = {}) {
  return { name, fields, flags: (stored ? STORED : 0) | (counted ? COUNTED : 0) };
}

/** `sessionId` of a content, without what the sender adds (messages 3.1). */
export function flagsOf({ name, flags }) {
  return flags ?? FLAGS[name] ?? STORED | COUNTED;
}
