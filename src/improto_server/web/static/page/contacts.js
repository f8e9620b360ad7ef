/**
 * Friends, those who want to be, groups and whom one has blocked: lists that the server keeps.
 *
 * They are asked for after each login, and again when the server says that something has changed.
 */

import { Status } from "../improto/improto.js";
import { extraEvents, theClient } from "./im.js";
import { learn, useNotes } from "./people.js";
import { get, post } from "./session.js";
import { changed, own, state } from "./state.js";

/** Entries of one answer, and answers of one list: as many friends as one can have. */
const PAGE = 100;
const MOST_PAGES = 30;

/** Milliseconds in which several changes cause one question. */
const TOGETHER = 100;

/** Called with a group's id when something about it has changed. */
export const groupChanged = new Set();

let planned = 0;

/**
 * `{ isLoaded, friends, applications, groups, invitations, blocked }`, as docs/accounts.md has
 * them; `blocked` is a Set of user ids, `groups` a Map by id.
 */
export function contacts() {
  return own("contacts", () => ({
    isLoaded: false,
    friends: [],
    applications: [],
    groups: new Map(),
    invitations: [],
    blocked: new Set(),
  }));
}

/** The entry of a friend, or undefined. */
export function friendOf(user) {
  return contacts().friends.find((each) => each.user === user);
}

/** The newest question of this user to us, or of us to him, that waits; or undefined. */
export function waitingOf(user) {
  return contacts().applications.find((each) => each.user === user && isWaiting(each));
}

/** How many questions wait for an answer of this user. */
export function countOfRequests() {
  const { applications, invitations } = contacts();
  const asked = applications.filter((each) => isWaiting(each) && !each.isMine);
  return asked.length + invitations.filter(canAnswer).length;
}

/** Whether a question of or to a friend is unanswered. */
export function isWaiting({ status }) {
  return status === "unhandled";
}

/** Whether this user is asked: who wants to join a group of his, or wants him in one. */
export function canAnswer({ status, direction }) {
  return (
    (status === "manager_unhandled" && direction === "application_received") ||
    (status === "invitee_unhandled" && direction === "invitation_received")
  );
}

/** Ask for all of it. */
export async function loadContacts() {
  const user = state.me?.user;
  const [friends, applications, groups, invitations, black] = await Promise.all([
    pages("/friends", "friends"),
    pages("/friends/applications", "applications", 2),
    pages("/groups", "groups"),
    pages("/groups/applications", "applications", 2),
    theClient().query("getBlack", { nothing: 1 }, { repeat: true }),
  ]);
  if (user === undefined || state.me?.user !== user) return;
  for (const each of [...friends, ...applications]) learn(each);
  useNotes(friends.filter(({ note }) => note).map((each) => [each.user, each.note]));
  Object.assign(contacts(), {
    isLoaded: true,
    friends,
    applications,
    groups: new Map(groups.map((each) => [each.group, each])),
    invitations,
    blocked: new Set(black.userIds),
  });
  changed();
}

/** Make a call of the account API, and show what has become of it. */
export async function tell(path, fields) {
  const answer = await post(path, fields);
  await loadContacts();
  return answer;
}

/** Refuse what a user writes, or no longer. */
export async function block(user, isOn) {
  await theClient().query(isOn ? "addBlack" : "rmBlack", { userId: user }, { target: user });
  const { blocked } = contacts();
  if (isOn) blocked.add(user);
  else blocked.delete(user);
}

/** All pages of a list, up to a number that no honest list has. */
export async function pages(path, name, most = MOST_PAGES, fields = {}) {
  const found = [];
  let after = "";
  for (let number = 0; number < most; number += 1) {
    const page = await get(path, { ...fields, count: PAGE, ...(after && { after }) });
    found.push(...page[name]);
    after = page.next;
    if (!after) break;
  }
  return found;
}

function reload() {
  clearTimeout(planned);
  planned = setTimeout(() => loadContacts().catch(() => {}), TOGETHER);
}

extraEvents.add([
  "status",
  ({ status }) => {
    if (status === Status.CONNECTED) reload();
  },
]);
extraEvents.add([
  "change",
  ({ id }) => {
    reload();
    for (const listener of groupChanged) listener(id);
  },
]);
