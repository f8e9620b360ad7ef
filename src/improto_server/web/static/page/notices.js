/**
 * Telling people who do not look: who comes, new names, desktop notifications, and how much is
 * unread, in the title and on the page's picture.
 */

import { keyOf } from "../improto/improto.js";
import { entryOf, isListed, totalUnread } from "./chats.js";
import { t } from "./i18n.js";
import { extraEvents, incoming } from "./im.js";
import { nameIn, nameOf, renamed } from "./people.js";
import { keep, recall } from "./preferences.js";
import "./presence.js";
import { go, hrefOfChat } from "./routes.js";
import { onChange, state, toast } from "./state.js";
import { summaryOf } from "./views/contents/index.js";
import { titleOf } from "./views/titles.js";

/** What can be switched off, by its name; all of it is on at first. */
export const KINDS = ["presence", "desktop"];

/** Characters of a message in a notification. */
const LONGEST = 120;

const online = new Map();
let drawn = "";

/** Whether something of this kind is told. */
export function isTold(kind) {
  return recall(`notices/${kind}`) !== "off";
}

/** Tell it, or do not. */
export function tellOf(kind, isOn) {
  keep(`notices/${kind}`, isOn ? null : "off");
}

/** "granted", "denied", "default" (it was not asked for yet) or "none": the browser has none. */
export function permission() {
  return globalThis.Notification?.permission ?? "none";
}

/** Let the browser ask. */
export async function askPermission() {
  await Notification.requestPermission();
}

/** Who is a friend and followed is told of twice. */
function came({ userId, isOnline }) {
  const before = online.get(userId);
  online.set(userId, isOnline);
  if (before === isOnline || !isTold("presence") || userId === state.me?.user) return;
  toast(t(isOnline ? "notice.online" : "notice.offline", { name: nameOf(userId) }));
}

function notify(message) {
  const { conversation, senderId, isSilent, isMentioned } = message;
  const { isMuted } = entryOf(conversation);
  const isWanted = isMentioned || (isListed(conversation) && !isMuted && !isSilent);
  if (!isWanted || document.visibilityState === "visible") return;
  if (!isTold("desktop") || permission() !== "granted") return;
  const name = nameIn(conversation, senderId);
  const title = titleOf(conversation);
  const said = summaryOf(message).slice(0, LONGEST);
  const shown = new Notification(isMentioned ? t("notice.mentioned", { name }) : title, {
    body: title === name ? said : `${name}: ${said}`,
    tag: keyOf(conversation),
    icon: "/static/page/logo.svg",
  });
  shown.onclick = () => {
    globalThis.focus();
    go(hrefOfChat(conversation));
    shown.close();
  };
}

/** The page's picture, with a number on it. */
function drawBadge() {
  const count = state.stage === "inside" ? totalUnread() : 0;
  const shown = count > 9 ? "9+" : String(count || "");
  if (shown === drawn) return;
  drawn = shown;
  document.querySelector("link[rel=icon]").href = shown
    ? `data:image/svg+xml,${encodeURIComponent(picture(shown))}`
    : "/static/page/logo.svg";
}

function picture(text) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">
    <rect width="64" height="64" rx="16" fill="#3553e0"/>
    <path d="M14 18h36v24H30l-10 9v-9h-6z" fill="#fff"/>
    <circle cx="44" cy="44" r="20" fill="#d3261a"/>
    <text x="44" y="53" font-family="sans-serif" font-size="26" font-weight="700" fill="#fff"
      text-anchor="middle">${text}</text></svg>`;
}

extraEvents.add(["presence", came]);
extraEvents.add(["status", () => online.clear()]);
incoming.add(notify);
renamed.add((user, before, name) => toast(t("notice.renamed", { before, name })));
onChange(drawBadge);
