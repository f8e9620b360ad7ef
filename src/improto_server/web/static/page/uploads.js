/**
 * Files on their way: one after the other, in the order in which they were chosen, and then into a
 * message. What is too large is refused before a byte of it is sent.
 *
 * An upload is `{ id, conversation, file, share, error, ending }`: `share` is 0 to 1, `ending` an
 * AbortController. It is gone when its message takes its place.
 */

import { file as fileContent, image, keyOf, thumbnailOf } from "../improto/improto.js";
import { sayError } from "./errors.js";
import { sizeOf, t } from "./i18n.js";
import { send, theClient } from "./im.js";
import { isOn } from "./sealing.js";
import { changed, own, state, toast } from "./state.js";

/** Files that one gesture sends. */
const MOST_AT_ONCE = 20;

/** What every browser shows; other pictures, such as HEIC, are sent as files. */
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

let lastId = 0;
let turn = Promise.resolve();

const all = () => own("uploads", () => []);

/** Those of a conversation. */
export function uploadsOf(conversation) {
  return all().filter((each) => keyOf(each.conversation) === keyOf(conversation));
}

/** Send files of a FileList or a list. */
export function sendFiles(conversation, files) {
  if (files.length > MOST_AT_ONCE) {
    toast(t("upload.tooMany", { limit: MOST_AT_ONCE }), "error");
    return;
  }
  for (const each of files) add(conversation, each);
}

/** End one, or take one away that has failed. */
export function cancel(upload) {
  upload.ending.abort();
  forget(upload);
}

/** Try once more. */
export function tryAgain(upload) {
  Object.assign(upload, { error: null, share: 0, ending: new AbortController() });
  begin(upload);
}

/**
 * Why a file cannot be sent, in words, or null. Which limit counts, the server decides by its type.
 */
export function refusalOf({ name, size, type }, conversation) {
  // It is asked before anything is uploaded, where whoever runs the server could read it.
  if (isOn(conversation)) return t("sealing.error.files");
  if (!size) return t("upload.empty", { name });
  const { limits } = state.config;
  if (!limits) return t("upload.none");
  const limit = limits[type.split("/")[0]] ?? limits.file;
  return size > limit ? t("upload.tooLarge", { name, limit: sizeOf(limit) }) : null;
}

function add(conversation, file) {
  const refusal = refusalOf(file, conversation);
  if (refusal !== null) {
    toast(refusal, "error");
    return;
  }
  const upload = { id: ++lastId, conversation, file, share: 0, error: null };
  upload.ending = new AbortController();
  all().push(upload);
  begin(upload);
}

function begin(upload) {
  changed();
  turn = turn.then(() => run(upload));
}

async function run(upload) {
  const { conversation, file, ending } = upload;
  const client = theClient();
  const isWanted = () => client === theClient() && all().includes(upload);
  if (!isWanted() || ending.signal.aborted) return;
  try {
    const content = await contentOf(client, upload);
    if (!isWanted()) return;
    // It waits for its answer by itself; the next file need not.
    send(conversation, content);
    forget(upload);
  } catch (error) {
    if (!isWanted() || ending.signal.aborted) return;
    upload.error = sayError(error);
    console.warn(`improto: ${file.name}:`, error);
    changed();
  }
}

async function contentOf(client, upload) {
  const { file, ending } = upload;
  const thumbnail = PICTURES.has(file.type) ? await thumbnailOf(file).catch(() => null) : null;
  const { url } = await client.files.upload(file, {
    signal: ending.signal,
    onProgress: (share) => {
      upload.share = share;
      changed();
    },
  });
  const { name, size } = file;
  return thumbnail === null ? fileContent({ url, name, size }) : image({ url, thumbnail });
}

function forget(upload) {
  const list = all();
  const at = list.indexOf(upload);
  if (at >= 0) list.splice(at, 1);
  changed();
}
