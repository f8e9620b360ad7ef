/**
 * What is known of users, and asking for what is not.
 */

import { keep, recall } from "./preferences.js";
import { get } from "./session.js";
import { changed, state } from "./state.js";
import { t } from "./i18n.js";

/** Users of one question (docs/accounts.md). */
const AT_ONCE = 50;

/** Names that are kept for reading offline. */
const MOST_KEPT = 500;

/** How this user calls others: his notes, and nicknames in groups by group and user. */
let notes = new Map();
const nicknames = new Map();

/** Called with `(user, before, now)` when somebody has another name. */
export const renamed = new Set();

const wanted = new Set();
const asked = new Set();
let isPlanned = false;

/** How a user is called: a text in any case. One who is not known yet is asked for. */
export function nameOf(user) {
  if (user !== state.me?.user && !state.people.has(user)) want(user);
  return notes.get(user) ?? ownNameOf(user);
}

/** How he calls himself, whatever we call him. */
export function ownNameOf(user) {
  if (user === state.me?.user) return state.me.name || user;
  if (user === state.config?.robot) return t("people.robot");
  return state.people.get(user)?.name || user;
}

/** How a user is called in a conversation: in groups, members may have nicknames. */
export function nameIn({ targetId }, user) {
  return notes.get(user) || nicknames.get(targetId)?.get(user) || nameOf(user);
}

/** The same without this user's note, which is nobody else's business. */
export function publicNameIn({ targetId }, user) {
  return nicknames.get(targetId)?.get(user) || ownNameOf(user);
}

/** Pairs of user and note: how this user calls his friends. Kept for reading offline. */
export function useNotes(pairs) {
  notes = new Map(pairs);
  keep(notesName(), JSON.stringify(pairs.slice(0, MOST_KEPT)));
}

/** Pairs of user and nickname, of the members of a group. */
export function useNicknames(group, pairs) {
  nicknames.set(group, new Map(pairs));
}

/** What is known of a user, perhaps nothing. */
export function personOf(user) {
  if (user === state.me?.user) return state.me;
  if (!state.people.has(user)) want(user);
  return state.people.get(user) ?? { name: "", portrait: "", isOnline: false };
}

/** People whose names begin so. */
export async function findPeople(query) {
  const { people } = await get("/people", { query });
  people.forEach(learn);
  return people.map(({ user }) => user).filter((user) => user !== state.me.user);
}

/** Read the names that an earlier page has learned. */
export function beginPeople() {
  nicknames.clear();
  notes = new Map();
  try {
    notes = new Map(JSON.parse(recall(notesName()) ?? "[]"));
    const kept = JSON.parse(recall(`user/${state.me.user}/people`) ?? "[]");
    for (const [user, name, portrait] of kept) {
      state.people.set(user, { name, portrait, isOnline: false });
    }
  } catch {
    // It was not ours.
  }
  askAgain();
}

/** Everybody who is seen from now on is asked for again: we are connected. */
export function askAgain() {
  asked.clear();
  for (const user of state.people.keys()) want(user);
}

/** Ask anew for a user whose profile has changed. */
export function refresh(user) {
  asked.delete(user);
  want(user);
}

/** A user has come or gone. */
export function setOnline(user, isOnline) {
  const known = state.people.get(user);
  if (known === undefined || known.isOnline === isOnline) return;
  state.people.set(user, { ...known, isOnline });
  changed();
}

function want(user) {
  if (asked.has(user) || !state.me) return;
  asked.add(user);
  wanted.add(user);
  if (isPlanned) return;
  isPlanned = true;
  queueMicrotask(ask);
}

async function ask() {
  isPlanned = false;
  const users = [...wanted].slice(0, AT_ONCE);
  for (const user of users) wanted.delete(user);
  if (wanted.size) queueMicrotask(ask);
  try {
    const { people } = await get("/people", { user: users });
    people.forEach(learn);
    remember();
    changed();
  } catch {
    // Names stay ids until `askAgain`.
  }
}

/** Somebody was told of; what is not said stays as it was. */
export function learn({ user, ...told }) {
  const { name, portrait, isOnline, gender = 0, location = "" } = {
    isOnline: false,
    ...state.people.get(user),
    ...told,
  };
  const before = state.people.get(user)?.name;
  if (before && before !== name) for (const listener of renamed) listener(user, before, name);
  if ("isOnline" in told) asked.add(user);
  state.people.set(user, { name, portrait, isOnline, gender, location });
}

function notesName() {
  return `user/${state.me.user}/notes`;
}

function remember() {
  const rows = [...state.people].slice(-MOST_KEPT);
  const kept = rows.map(([user, { name, portrait }]) => [user, name, portrait]);
  if (state.me) keep(`user/${state.me.user}/people`, JSON.stringify(kept));
}
