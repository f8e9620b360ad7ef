/** The list of conversations, and the search: in what is here, and for people. */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import { keyOf, privateChat } from "../../improto/improto.js";
import { draftOf, listed } from "../chats.js";
import { sayError } from "../errors.js";
import { shortTimeOf, t } from "../i18n.js";
import { openConversation, readAll } from "../im.js";
import { findPeople, nameOf } from "../people.js";
import { go, hrefOfChat } from "../routes.js";
import { changed, own, state } from "../state.js";
import { summaryOf } from "./contents/index.js";
import { icon } from "./icons.js";
import { empty, personAvatar, spinner } from "./parts.js";
import { pictureOf, titleOf, typingIn } from "./titles.js";

/** Milliseconds after the last key before the server is asked. */
const PATIENCE = 250;

/** Somebody has found what he was looking for. */
export function endSearch() {
  look(search(), "");
}

/** The left column. */
export function conversationsPlace() {
  const view = search();
  return html`<div class="search" role="search">
      ${icon("search")}
      <input
        type="search"
        id="search"
        maxlength="64"
        autocomplete="off"
        placeholder=${t("search.placeholder")}
        aria-label=${t("search.placeholder")}
        .value=${live(view.query)}
        @input=${({ target }) => look(view, target.value)}
        @keydown=${(event) => searchKey(event, view)}
      />
    </div>
    <div class="scroll" @keydown=${move}>
      ${view.query.trim() ? results(view) : conversations()}
    </div>`;
}

function search() {
  return own("conversations", () => ({
    query: "",
    found: [],
    isAsking: false,
    problem: "",
    timer: 0,
  }));
}

function conversations() {
  const entries = listed();
  if (!entries.length) {
    const { robot } = state.config;
    const hello = html`<a class="button" href=${hrefOfChat(privateChat(robot ?? ""))}>
      ${t("chats.robot")}
    </a>`;
    return empty("chat", t("chats.empty"), t("chats.emptyText"), robot ? hello : nothing);
  }
  const isUnread = entries.some(({ unread }) => unread);
  return html`${isUnread
    ? html`<button type="button" class="link" @click=${readAll}>${t("chats.readAll")}</button>`
    : nothing}
  ${list(t("chats.title"), entries)}`;
}

function results(view) {
  const wanted = view.query.trim().toLowerCase();
  const here = listed().filter(({ conversation, last }) =>
    [titleOf(conversation), last ? summaryOf(last) : ""].some((each) =>
      each.toLowerCase().includes(wanted),
    ),
  );
  const { robot } = state.config;
  const isRobot = robot && nameOf(robot).toLowerCase().startsWith(wanted);
  const listedHere = new Set(here.map(({ conversation }) => keyOf(conversation)));
  const people = [...new Set([...(isRobot ? [robot] : []), ...view.found])].filter(
    (user) => !listedHere.has(keyOf(privateChat(user))),
  );
  const isNothing = !here.length && !people.length && !view.isAsking && !view.problem;
  return html`${here.length ? html`<h3>${t("chats.title")}</h3>${list(t("chats.title"), here)}` : nothing}
    ${people.length ? html`<h3>${t("people.title")}</h3>${peopleList(people)}` : nothing}
    ${view.isAsking ? spinner() : nothing}
    ${view.problem ? html`<p class="problem" role="alert">${view.problem}</p>` : nothing}
    ${isNothing ? empty("search", t("search.nothing"), t("search.nothingText")) : nothing}`;
}

function list(label, entries) {
  return html`<ul class="list" aria-label=${label}>
    ${repeat(entries, ({ conversation }) => keyOf(conversation), item)}
  </ul>`;
}

function item(entry) {
  const { conversation, unread, mentions, isMuted, isPinned, time } = entry;
  const open = openConversation();
  const isOpen = open !== null && keyOf(open) === keyOf(conversation);
  const title = titleOf(conversation);
  return html`<li>
    <a
      class="item ${isPinned ? "pinned" : ""}"
      href=${hrefOfChat(conversation)}
      aria-current=${isOpen ? "true" : nothing}
    >
      ${pictureOf(conversation)}
      <span class="grow">
        <span class="item-line">
          <span class="item-title">${title}</span>
          ${isMuted ? html`<span class="muted" title=${t("chat.muted")}>${icon("bellOff")}</span>` : nothing}
          <time>${time ? shortTimeOf(time) : ""}</time>
        </span>
        <span class="item-line">
          <span class="item-text">${line(entry)}</span>
          ${unread
            ? html`<span
                class="badge ${isMuted ? "quiet" : ""}"
                aria-label=${t("chats.unread", { count: unread })}
                >${mentions ? "@" : ""}${unread > 99 ? "99+" : unread}</span
              >`
            : nothing}
        </span>
      </span>
    </a>
  </li>`;
}

function line({ conversation, last }) {
  const chat = state.chats.get(keyOf(conversation));
  const typing = chat ? typingIn(conversation, chat) : "";
  if (typing) return html`<span class="typing">${typing}</span>`;
  const draft = draftOf(conversation);
  if (draft) return html`<span class="draft">${t("chats.draft")}</span> ${draft}`;
  if (last === null) return "";
  if (last.state === "failed") return html`<span class="failed">${t("message.failed")}</span>`;
  const isOfMany = conversation.type !== 1 && !last.isMine;
  return `${isOfMany ? `${nameOf(last.senderId)}: ` : ""}${summaryOf(last)}`;
}

function peopleList(users) {
  return html`<ul class="list" aria-label=${t("people.title")}>
    ${users.map(
      (user) => html`<li>
        <a class="item" href=${hrefOfChat(privateChat(user))}>
          ${personAvatar(user)}
          <span class="grow">
            <span class="item-title">${nameOf(user)}</span>
            <span class="item-text">${user}</span>
          </span>
        </a>
      </li>`,
    )}
  </ul>`;
}

function look(view, query) {
  Object.assign(view, { query, problem: "", found: query.trim() ? view.found : [] });
  clearTimeout(view.timer);
  view.isAsking = Boolean(query.trim());
  if (view.isAsking) view.timer = setTimeout(() => ask(view, query), PATIENCE);
  changed();
}

async function ask(view, query) {
  let found = [];
  let problem = "";
  try {
    found = await findPeople(query.trim());
  } catch (error) {
    problem = sayError(error);
  }
  if (view.query !== query) return;
  Object.assign(view, { found, problem, isAsking: false });
  changed();
}

function searchKey(event, view) {
  if (event.key === "Escape") {
    look(view, "");
  } else if (event.key === "Enter" && !event.isComposing) {
    const first = document.querySelector(".scroll a.item");
    if (first) go(first.hash);
  } else if (event.key === "ArrowDown") {
    event.preventDefault();
    document.querySelector(".scroll a.item")?.focus();
  }
}

/** Up and down in the list. */
function move(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const items = [...event.currentTarget.querySelectorAll("a.item")];
  const next = items[items.indexOf(document.activeElement) + step];
  event.preventDefault();
  (next ?? (step < 0 ? document.querySelector("#search") : items.at(-1)))?.focus();
}
