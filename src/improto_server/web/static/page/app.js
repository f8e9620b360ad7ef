/**
 * The page begins here: who is logged in decides what is shown, and every change is drawn.
 */

import { render } from "../vendor/lit-html/lit-html.js";
import { totalUnread } from "./chats.js";
import { sayError } from "./errors.js";
import { begin as beginLanguage, t } from "./i18n.js";
import * as im from "./im.js";
import { silence } from "./player.js";
import { theme, useTheme } from "./preferences.js";
import { beginRoutes, go, hrefOf, takeLink } from "./routes.js";
import * as session from "./session.js";
import { changed, forgetUser, onChange, state, toast } from "./state.js";
import { focusComposer, grow } from "./views/composer.js";
import { endSearch } from "./views/conversations.js";
import { beginEntry } from "./views/entry.js";
import { beginMe } from "./views/me.js";
import { hold } from "./views/scrolling.js";
import { page } from "./views/shell.js";
import "./views/account.js";
import "./views/attachments.js";
import "./views/contacts.js";
import "./views/emoji.js";
import "./views/group.js";
import "./views/mentions.js";
import "./views/quoting.js";
import "./views/robot.js";
import "./views/readers.js";
import "./views/rooms.js";
import "./views/sealing.js";

const root = document.querySelector("#page");

function draw() {
  const settle = hold(() => root.querySelector(".log"));
  render(page(), root);
  grow(root);
  settle();
  const unread = state.stage === "inside" ? totalUnread() : 0;
  document.title = unread ? `(${unread}) improto` : "improto";
}

function routed() {
  const open = state.stage === "inside" && im.openConversation();
  if (!open) return;
  endSearch();
  im.load(open);
  im.seen(open);
  queueMicrotask(() => focusComposer(root));
}

function enter(me) {
  state.me = me;
  state.stage = "inside";
  changed();
  im.begin().then(routed);
}

async function leave() {
  const { user } = state.me;
  try {
    await session.logOut();
  } catch (error) {
    // Who comes next would be in.
    toast(sayError(error), "error");
    return;
  }
  await im.end();
  session.forgetHere(user);
  silence();
  forgetUser();
  state.stage = "entry";
  if (session.fixedUserOf(state.config)) location.assign(state.config.entry);
  else go(hrefOf("chats"));
}

function pressed(event) {
  if (event.key !== "k" || !(event.ctrlKey || event.metaKey) || state.stage !== "inside") return;
  event.preventDefault();
  if (state.route.name !== "chats" && state.route.name !== "chat") go(hrefOf("chats"));
  queueMicrotask(() => root.querySelector("#search")?.focus());
}

async function begin() {
  useTheme(theme());
  beginLanguage();
  onChange(draw);
  beginRoutes(routed);
  beginMe(leave);
  addEventListener("keydown", pressed);
  document.addEventListener("visibilitychange", () => {
    const open = state.stage === "inside" && im.openConversation();
    if (open) im.seen(open);
  });
  const link = takeLink();
  beginEntry(enter, link);
  try {
    state.config = await (await fetch("/page/config.json")).json();
    const fixed = session.fixedUserOf(state.config);
    if (fixed && link) {
      // Here nobody logs in.
      location.assign(`${state.config.entry}#${link.action}=${link.token}`);
      return;
    }
    const isReset = link?.action === "reset";
    const me = fixed ? await session.enterFixed(fixed) : isReset ? null : await session.whoIsHere();
    if (me !== null) {
      enter(me);
      return;
    }
  } catch (error) {
    toast(sayError(error), "error");
  }
  state.config ??= { registration: false, guests: false, robot: null };
  state.stage = "entry";
  changed();
}

begin().catch((error) => toast(error.message || t("error.offline"), "error"));
