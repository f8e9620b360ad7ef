/** Mentioning members of a group: a button, or `@` where one writes. */

import { html, svg } from "../../vendor/lit-html/lit-html.js";
import { ConversationType, keyOf } from "../../improto/improto.js";
import { draftOf } from "../chats.js";
import { groupOf } from "../groups.js";
import { t } from "../i18n.js";
import { openConversation } from "../im.js";
import { publicNameIn } from "../people.js";
import { changed, own, state } from "../state.js";
import { addComposerTool, sendOptions } from "./composer.js";
import { addIcons } from "./icons.js";
import { personAvatar } from "./parts.js";

const NAME = "mention";

/** Members that are offered at a time. */
const MOST = 8;

/** What is being written after an @, as far as it has come. */
const BEGUN = /@([^\s@]{0,32})$/;

addIcons({
  at: svg`<circle cx="12" cy="12" r="3.5" /><path d="M15.5 8.5v5a2.5 2.5 0 0 0 5 0V12a8.5 8.5 0 1 0-4 7.2" />`,
});

addComposerTool({
  name: NAME,
  icon: "at",
  label: () => t("mention.label"),
  canUse: isGroup,
  panel: (place) => html`<ul class="options" role="listbox" aria-label=${t("mention.label")}>
    ${offered(place.conversation).map(
      (each) => html`<li>
        <button type="button" role="option" aria-selected="false" class="item" @click=${() => choose(place, each)}>
          ${each.user ? personAvatar(each.user) : ""} <span class="item-title">${each.name}</span>
        </button>
      </li>`,
    )}
  </ul>`,
});

sendOptions.add((conversation) => {
  if (!isGroup(conversation)) return {};
  const text = draftOf(conversation);
  const kept = chosen(conversation);
  const meant = [...kept].filter(([, name]) => text.includes(`@${name}`)).map(([user]) => user);
  kept.clear();
  if (meant.includes("")) return { mention: "all" };
  return meant.length ? { mention: meant } : {};
});

function isGroup({ type }) {
  return type === ConversationType.GROUP;
}

/** Names by user id, those who were chosen for the text that is being written; "" is everybody. */
function chosen(conversation) {
  const all = own("mentions", () => new Map());
  const key = keyOf(conversation);
  if (!all.has(key)) all.set(key, new Map());
  return all.get(key);
}

function offered(conversation) {
  const [, begun = ""] = BEGUN.exec(beforeCursor()) ?? [];
  const members = (groupOf(conversation.targetId).members ?? [])
    .filter(({ user }) => user !== state.me.user)
    .map(({ user }) => ({ user, name: publicNameIn(conversation, user) }));
  return [...members, { user: "", name: t("mention.all") }]
    .filter(({ name }) => name.toLowerCase().startsWith(begun.toLowerCase()))
    .slice(0, MOST);
}

function choose({ conversation, insert, close }, { user, name }) {
  const box = document.querySelector(".composer textarea");
  const [begun = ""] = BEGUN.exec(beforeCursor()) ?? [];
  box.setSelectionRange(box.selectionStart - begun.length, box.selectionEnd);
  chosen(conversation).set(user, name);
  insert(`@${name} `);
  close();
}

function beforeCursor() {
  const box = document.querySelector(".composer textarea");
  return box?.value.slice(0, box.selectionStart) ?? "";
}

/** The panel opens at an @, and closes when what follows cannot be a name any more. */
function wrote({ target }) {
  const open = openConversation();
  if (!open || !isGroup(open) || !target.matches(".composer textarea")) return;
  const { composer } = state.views;
  const isBegun = BEGUN.test(beforeCursor()) && offered(open).length > 0;
  if (isBegun && composer.panel === null) composer.panel = NAME;
  else if (!isBegun && composer.panel === NAME) composer.panel = null;
  changed();
}

/** Enter takes the first, arrows go into the list. */
function pressed(event) {
  if (state.views.composer?.panel !== NAME || event.isComposing) return;
  const options = [...document.querySelectorAll(".options button")];
  const isBox = event.target.matches(".composer textarea");
  const at = options.indexOf(document.activeElement);
  if (!isBox && at < 0) return;
  if (event.key === "Enter" && isBox && options.length) {
    options[0].click();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const step = event.key === "ArrowDown" ? 1 : -1;
    options.at((at + (isBox && step < 0 ? 0 : step)) % options.length)?.focus();
  } else if (event.key === "Escape" && !isBox) {
    state.views.composer.panel = null;
    document.querySelector(".composer textarea").focus();
    changed();
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

addEventListener("input", wrote);
addEventListener("keydown", pressed, { capture: true });
