/** Names in a text of those whom it mentions. */

import { html } from "../../../vendor/lit-html/lit-html.js";
import { LANGUAGES } from "../../i18n.js";
import { publicNameIn } from "../../people.js";

/** Users whom one message mentions by name, as far as they are shown. */
const MOST = 100;

/** What `mentionedInfo.type` is for everybody (messages 4). */
const ALL = 1;

/** `parts`: texts and templates; in the texts, names are marked. */
export function withMentions({ conversation, fields }, parts) {
  const names = namesIn(conversation, fields.mentionedInfo);
  if (!names.length) return parts;
  const found = new RegExp(`(${names.map(escaped).join("|")})`);
  return parts.map((part) =>
    typeof part === "string"
      ? part.split(found).map((each) => (names.includes(each) ? marked(each) : each))
      : part,
  );
}

function marked(name) {
  return html`<strong class="mention">${name}</strong>`;
}

function namesIn(conversation, mentioned) {
  if (typeof mentioned !== "object" || mentioned === null) return [];
  if (mentioned.type === ALL) {
    return Object.values(LANGUAGES).map(({ texts }) => `@${texts["mention.all"]}`);
  }
  const users = Array.isArray(mentioned.userIdList) ? mentioned.userIdList : [];
  return users
    .filter((user) => typeof user === "string")
    .slice(0, MOST)
    .map((user) => `@${publicNameIn(conversation, user)}`)
    .sort((one, other) => other.length - one.length);
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}
