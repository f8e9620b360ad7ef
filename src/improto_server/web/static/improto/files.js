/**
 * Files: a ticket over the connection, the bytes over plain HTTP, a link for the message
 * (operations 17, http 7).
 */

import { ImError, invalid } from "./errors.js";
import { randomName } from "./link.js";
import { Code, FileType } from "./tables.js";

/** The longer side of a thumbnail in pixels, and its quality: a few KiB inside a message. */
const THUMBNAIL_SIDE = 240;
const THUMBNAIL_QUALITY = 0.6;

export class Files {
  #client;

  constructor(client) {
    this.#client = client;
  }

  /**
   * Upload a Blob or File; `{ url, key, name, size }`, for the functions of contents.js. `type`: a
   * number of `FileType`, by default that of the Blob. `onProgress(share)` is told 0 to 1; an
   * AbortSignal `signal` ends it. Rejects with 41002 if the server keeps no files, 26106 for one
   * that is too large, 30004 for all other troubles.
   */
  async upload(blob, { type = typeOf(blob), name = blob.name ?? "", onProgress, signal } = {}) {
    const { uploadServer } = this.#client.settings;
    if (!uploadServer) throw new ImError(Code.QNTKN_GET_ERROR);
    const asked = { type, key: randomName() };
    const ticket = await this.#client.query("qnTkn", asked, { repeat: true });
    const form = new FormData();
    form.append("token", ticket.token);
    form.append("key", asked.key);
    form.append("file", blob, name || "file");
    const url = `${globalThis.location.protocol}//${uploadServer}`;
    const { key } = await post(url, form, onProgress, signal);
    return { url: await this.link(type, key, name), key, name, size: blob.size };
  }

  /** The URL under which a file can be downloaded, to be saved as `name`. */
  async link(type, key, name = "") {
    const payload = { type, key, fileName: name };
    const reply = await this.#client.query("qnUrl", payload, { repeat: true });
    return reply.downloadUrl;
  }
}

/** A kind of file by what the browser says it is. */
function typeOf(blob) {
  if (!(blob instanceof Blob)) throw invalid("a Blob or a File is needed");
  const families = { image: FileType.IMAGE, audio: FileType.AUDIO, video: FileType.VIDEO };
  return families[blob.type.split("/")[0]] ?? FileType.FILE;
}

/** XMLHttpRequest, because nothing else tells how far an upload has come. */
function post(url, form, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const fail = (details, code = Code.RC_HTTP_SEND_FAIL) => reject(new ImError(code, details));
    request.responseType = "json";
    request.onload = () => {
      if (request.status === 200 && typeof request.response?.key === "string") {
        resolve(request.response);
      } else {
        const code = request.status === 413 ? Code.RC_FILE_SIZE_EXCEED_LIMIT : undefined;
        fail(String(request.response?.error ?? request.status), code);
      }
    };
    request.onerror = () => fail("the server is not there");
    request.onabort = () => fail("it was ended");
    request.upload.onprogress = ({ loaded, total }) => onProgress?.(total ? loaded / total : 0);
    if (signal?.aborted) {
      fail("it was ended");
      return;
    }
    signal?.addEventListener("abort", () => request.abort());
    request.open("POST", url);
    request.send(form);
  });
}

/** A small JPEG of a picture in base64, for `image`. Rejects with 33003 for what is no picture. */
export async function thumbnailOf(blob) {
  let picture;
  try {
    picture = await createImageBitmap(blob);
  } catch (error) {
    throw invalid(`this is no picture: ${error.message}`);
  }
  const scale = Math.min(1, THUMBNAIL_SIDE / Math.max(picture.width, picture.height));
  const [width, height] = [picture.width, picture.height].map((side) =>
    Math.max(1, Math.round(side * scale)),
  );
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").drawImage(picture, 0, 0, width, height);
  picture.close();
  return canvas.toDataURL("image/jpeg", THUMBNAIL_QUALITY).split(",")[1];
}
