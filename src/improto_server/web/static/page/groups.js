/**
 * Groups: what is known of them, who is in, and who has read a message.
 *
 * A group is `{ info, members, total }`: `info` as docs/accounts.md has it, null for one that is no
 * more; `members` the first of them, null before they have been asked for.
 */

import { ConversationType, keyOf, Status } from "../improto/improto.js";
import { chatOf } from "./chats.js";
import { contacts, groupChanged, loadContacts, pages } from "./contacts.js";
import { extraEvents, isOnline, openConversation, theClient } from "./im.js";
import { learn, useNicknames } from "./people.js";
import { keep, recall } from "./preferences.js";
import { get, post } from "./session.js";
import { changed, onChange, own, state } from "./state.js";

/** Pages of members that are shown: 500 members. */
const MOST_PAGES = 5;

/** Messages that are confirmed or asked for at once (messages 8.3). */
const AT_ONCE = 100;

/** Navigation says so where the server counts who has read (sdk5 8.2). */
const COUNTED = 4;

/** Names of groups that are kept for reading offline. */
const MOST_KEPT = 200;

/** What is known of a group; it is asked for when it is looked at first. */
export function groupOf(id) {
  const groups = own("groups", () => new Map());
  if (!groups.has(id)) {
    groups.set(id, { info: undefined, members: null, total: 0 });
    loadGroup(id);
  }
  const known = groups.get(id);
  return { ...known, info: contacts().groups.get(id) ?? known.info };
}

/** What a group is called: by this user, by its owner, or as it was known last. */
export function groupNameOf(id) {
  const { info } = groupOf(id);
  return info?.note || info?.name || keptNames().get(id) || id;
}

/** Ask for a group and its members. */
export async function loadGroup(id) {
  const group = own("groups", () => new Map()).get(id);
  try {
    group.info = await get("/groups/info", { group: id });
    remember(id, group.info.name);
    if (group.info.role) {
      const found = await pages("/groups/members", "members", MOST_PAGES, { group: id });
      group.members = found;
      group.total = group.info.memberCount;
      for (const { user, name, portrait } of found) learn({ user, name, portrait });
      const named = found.filter(({ nickname }) => nickname);
      useNicknames(
        id,
        named.map(({ user, nickname }) => [user, nickname]),
      );
    } else {
      group.members = null;
    }
  } catch (error) {
    // Without an answer it stays as it was known.
    if (error.code !== "offline") group.info ??= null;
  }
  changed();
}

/** Do something with a group, and show what has become of it. */
export async function tellGroup(path, group, fields = {}) {
  const answer = await post(path, { group, ...fields });
  await Promise.all([loadContacts(), loadGroup(group)]);
  return answer;
}

/** Make a group; its id. */
export async function createGroup(name, users) {
  const { group } = await post("/groups/create", { name, users });
  await loadContacts();
  return group;
}

/** Ask to come in: whether he is in at once. */
export async function joinGroup(group) {
  const { isDone } = await post("/groups/join", { group });
  await loadContacts();
  return isDone;
}

// -- who has read what --------------------------------------------------------------------

const receipts = () => own("receipts", () => ({ counts: new Map(), asked: new Set(), told: new Set() }));

/** `{ read, total }` of a message of this user, or undefined where nobody counts. */
export function readCountOf({ uid, isMine, wantsReceipt, conversation }) {
  const { type } = conversation;
  if (!isMine || !uid || !wantsReceipt || type !== ConversationType.GROUP) return undefined;
  return receipts().counts.get(uid);
}

/** Say that what is in front of the user was read, and ask who has read what is his. */
function lookAtReceipts() {
  const open = state.stage === "inside" && isOnline() && openConversation();
  if (!open || open.type !== ConversationType.GROUP) return;
  const client = theClient();
  if (client.settings.grpRRVer !== COUNTED || !state.chats.has(keyOf(open))) return;
  const { asked, told } = receipts();
  const wanted = chatOf(open).messages.filter(({ uid, wantsReceipt }) => uid && wantsReceipt);
  const mine = wanted.filter(({ uid, isMine }) => isMine && !asked.has(uid)).slice(-AT_ONCE);
  if (mine.length) askCounts(open, mine.map(({ uid }) => uid)).catch(() => {});
  if (document.visibilityState !== "visible") return;
  const others = wanted.filter(({ uid, isMine }) => !isMine && !told.has(uid)).slice(-AT_ONCE);
  for (const { uid } of others) told.add(uid);
  client.receipts.confirm(others).catch(() => {
    for (const { uid } of others) told.delete(uid);
  });
}

async function askCounts({ type, targetId }, uids) {
  const { asked, counts } = receipts();
  for (const uid of uids) asked.add(uid);
  const payload = { items: [{ targetId, type, msgIds: uids }] };
  const options = { target: uids[0], repeat: true };
  const reply = await theClient().query("qryReceiptBatch", payload, options);
  for (const { msg } of reply.item) {
    for (const { msgId, readCnt = 0, totalCnt = 0 } of msg) {
      counts.set(msgId, { read: Number(readCnt), total: totalCnt });
    }
  }
  changed();
}

onChange(lookAtReceipts);
document.addEventListener("visibilitychange", lookAtReceipts);

extraEvents.add([
  "receipt",
  ({ uid, read, total }) => {
    if (total === undefined) return;
    receipts().counts.set(uid, { read, total });
    changed();
  },
]);

groupChanged.add((id) => {
  if (own("groups", () => new Map()).has(id)) loadGroup(id);
});

extraEvents.add([
  "status",
  ({ status }) => {
    if (status !== Status.CONNECTED) return;
    for (const id of own("groups", () => new Map()).keys()) loadGroup(id);
  },
]);

// -- names for reading offline ------------------------------------------------------------

function keptNames() {
  return own("groupNames", () => {
    try {
      return new Map(JSON.parse(recall(keptName()) ?? "[]"));
    } catch {
      return new Map();
    }
  });
}

function remember(id, name) {
  const names = keptNames();
  names.delete(id);
  names.set(id, name);
  keep(keptName(), JSON.stringify([...names].slice(-MOST_KEPT)));
}

function keptName() {
  return `user/${state.me.user}/groups`;
}
