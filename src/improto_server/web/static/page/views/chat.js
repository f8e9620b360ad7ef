/** A conversation: its head, what was said, and where one writes. */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import { keyOf } from "../../improto/improto.js";
import { chatOf, entryOf, isListed, MOST_LOADED, placeOf } from "../chats.js";
import { dayOf, midnight, t } from "../i18n.js";
import { isOnline, loadOlder, mute, openConversation, pin, remove } from "../im.js";
import { go, hrefOf } from "../routes.js";
import { bubble } from "./bubble.js";
import { composer } from "./composer.js";
import { rendererOf } from "./contents/index.js";
import { menu } from "./menu.js";
import { empty, iconButton, spinner } from "./parts.js";
import { isAtEnd, toEnd } from "./scrolling.js";
import { pictureOf, subtitleOf, titleOf, typingIn } from "./titles.js";

/** Messages of one sender within so many milliseconds stand together. */
const TOGETHER = 3 * 60_000;

/** Pixels from the begin at which older messages are fetched. */
const NEAR = 120;

/**
 * What can be done with a conversation, in the menu of its head: `{ name, icon, label(conversation),
 * isOn(conversation), canUse(conversation), run(conversation), isInSight }`. `isOn` and `canUse` may
 * be missing; what is `isInSight` has a button beside the menu, for which there is little space.
 */
const TOOLS = [
  {
    name: "pin",
    canUse: isListed,
    icon: "pin",
    label: (each) => t(entryOf(each).isPinned ? "chat.unpin" : "chat.pin"),
    isOn: (each) => entryOf(each).isPinned,
    run: (each) => pin(each, !entryOf(each).isPinned),
  },
  {
    name: "mute",
    canUse: isListed,
    icon: "bell",
    label: (each) => t(entryOf(each).isMuted ? "chat.unmute" : "chat.mute"),
    isOn: (each) => entryOf(each).isMuted,
    run: (each) => mute(each, !entryOf(each).isMuted),
  },
  {
    name: "remove",
    canUse: isListed,
    icon: "bin",
    label: () => t("chat.remove"),
    run: async (each) => {
      await remove(each);
      if (isOnline()) go(hrefOf("chats"));
    },
  },
];

/** Add one for every conversation for which it can be used. */
export function addTool(tool) {
  TOOLS.push(tool);
}

const BARS = [];

/** Add what stands below the head: a function from a conversation to a template or `nothing`. */
export function addBar(bar) {
  BARS.push(bar);
}

/** The right column. */
export function chatPane() {
  const conversation = openConversation();
  if (conversation === null) return empty("chat", t("chat.none"), t("chat.noneText"));
  const chat = chatOf(conversation);
  return html`<section class="chat" aria-label=${titleOf(conversation)}>
    ${head(conversation, chat)} ${BARS.map((bar) => bar(conversation))} ${log(conversation, chat)} ${composer(conversation)}
  </section>`;
}

function head(conversation, chat) {
  const title = titleOf(conversation);
  const tools = TOOLS.filter(({ canUse }) => canUse?.(conversation) ?? true);
  const typing = typingIn(conversation, chat);
  return html`<header class="pane-head">
    <a class="icon-button back" href=${hrefOf(placeOf(conversation))} aria-label=${t("common.back")}>‹</a>
    ${pictureOf(conversation)}
    <div class="grow">
      <h2>${title}</h2>
      <p class="subtitle ${typing ? "typing" : ""}" aria-live="polite">${typing || subtitleOf(conversation)}</p>
    </div>
    ${tools.filter(({ isInSight }) => isInSight).map((tool) =>
      iconButton({
        name: tool.icon,
        label: tool.label(conversation),
        isOn: tool.isOn?.(conversation),
        run: () => tool.run(conversation),
      }),
    )}
    ${menu(
      t("chat.menu"),
      tools.filter(({ isInSight }) => !isInSight),
      conversation,
    )}
  </header>`;
}

function log(conversation, chat) {
  const { messages, isLoading, hasMore } = chat;
  const rows = messages.map((message, index) => ({ message, before: messages[index - 1] }));
  return html`<div
      class="log"
      role="log"
      aria-live="polite"
      aria-label=${t("chat.log")}
      tabindex="0"
      data-name=${keyOf(conversation)}
      @scroll=${(event) => scrolled(event, conversation)}
    >
      <div class="messages">
        ${isLoading ? spinner() : nothing}
        ${!isLoading && !messages.length
          ? empty("chat", t("chat.empty"), t("chat.emptyText", { name: titleOf(conversation) }))
          : nothing}
        ${messages.length && !hasMore && !isLoading
          ? html`<div class="notice">${t("chat.begin")}</div>`
          : nothing}
        ${hasMore && messages.length >= MOST_LOADED
          ? html`<div class="notice">${t("chat.tooMany", { count: MOST_LOADED })}</div>`
          : nothing}
        ${repeat(
          rows,
          ({ message }) => message.node,
          (row) => html`<div class="row" data-node=${row.message.node}>
            ${isNewDay(row) ? html`<div class="day">${dayOf(timeOf(row.message))}</div>` : nothing}
            ${bubble(row.message, { isFirst: isFirst(row) })}
          </div>`,
        )}
      </div>
    </div>
    <button type="button" class="to-end" aria-label=${t("chat.toEnd")} @click=${jump}>⌄</button>`;
}

function scrolled({ target }, conversation) {
  target.classList.toggle("is-back", !isAtEnd(target));
  if (target.scrollTop < NEAR) loadOlder(conversation);
}

function jump({ currentTarget }) {
  toEnd(currentTarget.previousElementSibling);
}

function timeOf({ time, writtenAt }) {
  return time || writtenAt;
}

function isNewDay({ message, before }) {
  return before === undefined || midnight(timeOf(before)) !== midnight(timeOf(message));
}

function isFirst({ message, before }) {
  return (
    before === undefined ||
    rendererOf(before).isNotice ||
    before.senderId !== message.senderId ||
    timeOf(message) - timeOf(before) > TOGETHER
  );
}
