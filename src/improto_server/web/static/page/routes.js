/**
 * Where we are: the part of the address behind `#`, as `#/name/argument/...`.
 *
 * So the browser's back button works, and a chat can be bookmarked. The mails' links `#confirm=`
 * and `#reset=` are read once and taken out of the address, because they are secrets.
 */

import { changed, state } from "./state.js";

/** The address of a place. */
export function hrefOf(name, ...args) {
  return `#/${[name, ...args.map(encodeURIComponent)].join("/")}`;
}

/** The address of a conversation. */
export function hrefOfChat({ type, targetId }) {
  return hrefOf("chat", type, targetId);
}

/** Go there. */
export function go(href) {
  if (location.hash === href) read();
  else location.hash = href;
}

/** Read the address, now and whenever it changes; `told` is called after each time. */
export function beginRoutes(told) {
  addEventListener("hashchange", () => {
    read();
    told();
  });
  read();
}

/** The link of a mail: `{ action, token }` or null. It is there once. */
export function takeLink() {
  const found = /^#(confirm|reset)=(.+)$/.exec(location.hash);
  if (found === null) return null;
  history.replaceState(null, "", location.pathname);
  read();
  return { action: found[1], token: found[2] };
}

function read() {
  const [name = "", ...args] = location.hash.replace(/^#\/?/, "").split("/");
  try {
    state.route = { name: name || "chats", args: args.map(decodeURIComponent) };
  } catch {
    state.route = { name: "chats", args: [] };
  }
  changed();
}
