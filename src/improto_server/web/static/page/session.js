/**
 * The account API (docs/accounts.md): who somebody is, coming in and going out.
 *
 * The session is a cookie that no script can read. What is kept here is only whom to show while
 * the server cannot be asked, and the token with which a guest comes back.
 */

import { forget, keep, recall } from "./preferences.js";

/** Of this tab alone: one of the two fixed users, and his session. Empty: the cookie says who. */
let fixedUser = "";
let bearer = "";

/** A refusal: its `code`, and `field`, `limit`, `number` and `wait` where they make sense. */
export class AccountError extends Error {
  constructor({ code, message, ...details }) {
    super(message);
    this.name = "AccountError";
    this.code = code;
    Object.assign(this, details);
  }
}

/** Milliseconds that an answer may take. */
const PATIENCE = 20_000;

/**
 * Make a call; the answer as an object. AccountError: it was refused, or with the code "offline",
 * nobody has answered.
 */
export async function call(method, path, fields = {}) {
  let url = `/account${path}`;
  const headers = bearer ? { Authorization: `Bearer ${bearer}` } : {};
  const options = { method, headers, signal: AbortSignal.timeout(PATIENCE) };
  if (method === "GET") {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(fields)) {
      for (const each of [value].flat()) query.append(name, each);
    }
    if (query.size) url += `?${query}`;
  } else if (fields instanceof Blob) {
    options.body = fields;
  } else {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(fields);
  }
  let answer;
  let content;
  try {
    answer = await fetch(url, options);
    content = await answer.json();
  } catch (error) {
    throw new AccountError({ code: "offline", message: String(error) });
  }
  if (answer.ok) return content;
  throw new AccountError(content.error ?? { code: "offline", message: `HTTP ${answer.status}` });
}

/** Ask. */
export function get(path, fields) {
  return call("GET", path, fields);
}

/** Change something. */
export function post(path, fields) {
  return call("POST", path, fields);
}

/** Who is at this address without logging in: a user id, or empty. */
export function fixedUserOf({ fixedUsers = {} }) {
  return Object.hasOwn(fixedUsers, location.pathname) ? fixedUsers[location.pathname] : "";
}

/** Be one of the fixed users, in this tab. Without an answer, read what is kept. */
export async function enterFixed(user) {
  fixedUser = user;
  bearer = sessionStorage.getItem(sessionName()) ?? "";
  try {
    if (bearer) return remembered(await get("/me"));
  } catch (error) {
    if (error.code === "offline") return lastKnown();
    if (error.code !== "login_needed") throw error;
    bearer = "";
  }
  const { session } = await post("/fixed", { user });
  bearer = session;
  sessionStorage.setItem(sessionName(), session);
  return remembered(await get("/me"));
}

/**
 * Who is logged in, or null. A guest whose session has ended comes back with his token. Without
 * an answer it is who was here last, so that he can read what is kept.
 */
export async function whoIsHere() {
  try {
    return remembered(await get("/me"));
  } catch (error) {
    if (error.code === "offline") return lastKnown();
    if (error.code !== "login_needed") throw error;
  }
  const token = recall("guest");
  if (token === null) return null;
  try {
    const guest = await post("/anonymous/resume", { token });
    keep("guest", guest.token);
    return remembered(await get("/me"));
  } catch (error) {
    if (error.code === "offline") return lastKnown();
    keep("guest", null);
    return null;
  }
}

/** Everything about who is logged in (docs/accounts.md). */
export async function ownDetails() {
  return remembered(await get("/me"), true);
}

/** Change what others see; gives everything, as it is then. */
export async function changeSelf(fields) {
  return remembered(await post("/me", fields), true);
}

/** Show a picture, a Blob; null: show none. */
export async function changePortrait(picture) {
  await (picture ? call("PUT", "/portrait", picture) : call("DELETE", "/portrait"));
  return ownDetails();
}

/** End all sessions, in other browsers, too. */
export async function logOutEverywhere() {
  await post("/logout", { everywhere: true });
}

/** Delete the account; guests have no password and just leave. */
export async function deleteAccount(password) {
  await post("/delete", { password });
}

/** Log in; gives who it is. */
export async function logIn(account, password) {
  await post("/login", { account, password });
  return remembered(await get("/me"));
}

/** Come as a guest, under a name or none. */
export async function enterAsGuest(name) {
  const guest = await post("/anonymous", name ? { name } : {});
  keep("guest", guest.token);
  return remembered(await get("/me"));
}

/**
 * End the session. A guest who leaves is gone. Rejects if nobody has heard it: then it goes on, as
 * its cookie cannot be deleted from here.
 */
export async function logOut() {
  const isGuest = !fixedUser && recall("guest") !== null;
  try {
    await post("/logout", { everywhere: isGuest });
  } catch (error) {
    if (error.code !== "login_needed") throw error;
  }
}

/** Forget here who it was, and what is his. */
export function forgetHere(user) {
  if (fixedUser) sessionStorage.removeItem(sessionName());
  else keep("guest", null);
  keep(lastName(), null);
  forget(`user/${user}/`);
}

function remembered(details, isAll = false) {
  const { user, name, portrait, isGuest } = details;
  const me = { user, name, portrait, isGuest };
  keep(lastName(), JSON.stringify(me));
  return isAll ? details : me;
}

function lastKnown() {
  return JSON.parse(recall(lastName()) ?? "null");
}

function lastName() {
  return fixedUser ? `fixed/${fixedUser}` : "me";
}

function sessionName() {
  return `page/fixed/${fixedUser}`;
}
