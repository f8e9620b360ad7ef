/**
 * Following those whom this user sees: friends, and with whom he talks. So their coming and going,
 * and their new names, are told at once.
 */

import { ConversationType, Status } from "../improto/improto.js";
import { listed } from "./chats.js";
import { contacts } from "./contacts.js";
import { extraEvents, isOnline, theClient } from "./im.js";
import { setOnline } from "./people.js";
import { onChange, state } from "./state.js";

/** Users of one question, and of all (docs/improto-js.md, docs/relations.md). */
const AT_ONCE = 100;
const MOST = 500;

/** Milliseconds in which those who appear are asked for together. */
const TOGETHER = 200;

const followed = new Set();
let planned = 0;

/** Whom we see and do not follow yet. */
function missing() {
  const partners = listed()
    .filter(({ conversation }) => conversation.type === ConversationType.PRIVATE)
    .map(({ conversation }) => conversation.targetId);
  const users = [...partners, ...contacts().friends.map(({ user }) => user)];
  return users.filter((user) => !followed.has(user)).slice(0, Math.max(0, MOST - followed.size));
}

function look() {
  if (planned || state.stage !== "inside" || !isOnline() || !missing().length) return;
  planned = setTimeout(follow, TOGETHER);
}

/** Presence is a setting of the server; without it nobody is shown as online. */
async function follow() {
  planned = 0;
  if (state.stage !== "inside" || !isOnline()) return;
  const users = [...new Set(missing())].slice(0, AT_ONCE);
  for (const user of users) followed.add(user);
  try {
    const online = new Set(await theClient().people.follow(users));
    for (const user of users) setOnline(user, online.has(user));
    await theClient().people.followProfiles(users);
  } catch {
    // They are asked for again after the next login.
  }
  look();
}

onChange(look);

extraEvents.add([
  "status",
  ({ status }) => {
    if (status === Status.CONNECTED) followed.clear();
  },
]);
