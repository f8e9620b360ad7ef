/**
 * improto.js: a client of the protocol for web pages. No build step, no framework, no dependency.
 *
 *     import { BrowserStorage, Client, privateChat, text } from "/static/improto/improto.js";
 *
 * This module is all that a page imports; docs/improto-js.md is its manual.
 */

export { Client } from "./client.js";
export { custom, file, image, place, quote, text, video, voice } from "./contents.js";
export { describe, ImError } from "./errors.js";
export { thumbnailOf } from "./files.js";
export { groupChat, keyOf, privateChat, roomChat } from "./messages.js";
export { BrowserStorage, MemoryStorage } from "./store.js";
export { Code, Command, ConversationType, FileType, Status } from "./tables.js";
