/**
 * Chatrooms: which there are, which this user is in, and who else is.
 *
 * Opening a room is entering it. One stays in until one leaves: also in the next page of this
 * browser, which enters again.
 */

import { ConversationType, roomChat, Status } from "../improto/improto.js";
import { chatOf, drop, notices } from "./chats.js";
import { beforeLoading, extraEvents, isOnline, openConversation, theClient } from "./im.js";
import { sayError } from "./errors.js";
import { keep, recall } from "./preferences.js";
import { get } from "./session.js";
import { changed, own, state, toast } from "./state.js";

/** The notice of who has come and gone. */
export const MEMBER_CHANGE = "RC:ChrmMemChange";

/** Messages that one sees of what was said before. */
const BEFORE = 20;

/** Rooms that are entered again. */
const MOST_KEPT = 50;

/** Milliseconds after which the count of an open room is asked for again. */
const COUNT_EVERY = 10_000;

notices.add(MEMBER_CHANGE);

/**
 * `{ offered, members }`: rooms for everybody, as docs/accounts.md has them, or null; and by room
 * `{ total, users }`.
 */
export function rooms() {
  return own("rooms", () => ({ offered: null, members: new Map() }));
}

/** The rooms that this user is in. */
export function joinedRooms() {
  try {
    const kept = JSON.parse(recall(keptName()) ?? "[]");
    return kept.filter((room) => typeof room === "string");
  } catch {
    return [];
  }
}

/** What a room is called: the server has names for those that it offers. */
export function roomNameOf(room) {
  return rooms().offered?.find((each) => each.room === room)?.name ?? room;
}

/** Ask which rooms there are. */
export async function loadRooms() {
  const { rooms: offered } = await get("/rooms");
  rooms().offered = offered;
  changed();
}

/** Ask who is in a room. */
export async function loadMembers(room) {
  const { total, members } = await theClient().rooms.info(room, { newestFirst: true });
  const users = members.map(({ userId }) => userId);
  rooms().members.set(room, { total, users });
  changed();
  const others = users.filter((user) => user !== state.me.user);
  if (others.length) await theClient().people.followProfiles(others);
}

/** Leave a room. Rejects if the server does not hear it. */
export async function leaveRoom(room) {
  await theClient().rooms.quit(room);
  forgetRoom(room);
}

async function enter(room) {
  if (theClient().rooms.joined.includes(room)) return;
  await theClient().rooms.join(room, { count: BEFORE });
  keep(keptName(), JSON.stringify([...new Set([...joinedRooms(), room])].slice(-MOST_KEPT)));
  loadMembers(room).catch(() => {});
}

function forgetRoom(room) {
  keep(keptName(), JSON.stringify(joinedRooms().filter((each) => each !== room)));
  rooms().members.delete(room);
  chatOf(roomChat(room)).source = null;
  drop(roomChat(room));
}

async function enterAgain() {
  for (const room of joinedRooms()) {
    try {
      await enter(room);
    } catch (error) {
      if (!isOnline()) return;
      forgetRoom(room);
      toast(`${roomNameOf(room)}: ${sayError(error)}`, "error");
    }
  }
}

function lookAgain() {
  const open = state.stage === "inside" && isOnline() && openConversation();
  const isSeen = open?.type === ConversationType.CHATROOM && document.visibilityState === "visible";
  if (isSeen) loadMembers(open.targetId).catch(() => {});
}

function keptName() {
  return `user/${state.me.user}/rooms`;
}

setInterval(lookAgain, COUNT_EVERY);

beforeLoading.add(async ({ type, targetId }) => {
  if (type === ConversationType.CHATROOM) await enter(targetId);
});

extraEvents.add([
  "status",
  ({ status }) => {
    if (status !== Status.CONNECTED) return;
    loadRooms().catch(() => {});
    enterAgain();
  },
]);

extraEvents.add([
  "message",
  ({ message: { name, conversation } }) => {
    if (name === MEMBER_CHANGE) loadMembers(conversation.targetId).catch(() => {});
  },
]);

extraEvents.add([
  "roomleft",
  ({ room, code }) => {
    toast(`${roomNameOf(room)}: ${sayError({ code })}`, "error");
    forgetRoom(room);
  },
]);
