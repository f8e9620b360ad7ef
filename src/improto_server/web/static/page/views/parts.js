/** Small things that several views are made of. */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { icon } from "./icons.js";
import { nameOf, personOf } from "../people.js";
import { t } from "../i18n.js";

/** As many as style.css has. */
const TONES = 8;

/** A button that is a picture; `label` is what it does. */
export function iconButton({ name, label, run, isOn, kind = "" }) {
  return html`<button
    type="button"
    class="icon-button ${kind}"
    aria-label=${label}
    title=${label}
    aria-pressed=${isOn === undefined ? nothing : String(isOn)}
    @click=${run}
  >
    ${icon(name)}
  </button>`;
}

/** Somebody's picture, or the beginning of the name on a colour of his own. */
export function avatar(id, name, { portrait = "", isOnline = false, size = "" } = {}) {
  const isLink = /^(https?:|\/)/.test(portrait);
  return html`<span class="avatar tone-${toneOf(id)} ${size}" aria-hidden="true">
    ${isLink ? html`<img src=${portrait} alt="" loading="lazy" />` : initialOf(name)}
    ${isOnline ? html`<span class="online"></span>` : nothing}
  </span>`;
}

/** The picture of a user. */
export function personAvatar(user, size) {
  const { portrait, isOnline } = personOf(user);
  return avatar(user, nameOf(user), { portrait, isOnline, size });
}

/** What is shown where nothing is. */
export function empty(picture, title, text, action = nothing) {
  return html`<div class="empty">
    ${icon(picture)}
    <p class="empty-title">${title}</p>
    <p>${text}</p>
    ${action}
  </div>`;
}

/** Something goes on. */
export function spinner() {
  return html`<div class="spinner" role="status" aria-label=${t("common.loading")}></div>`;
}

function initialOf(name) {
  return [...name.trim()][0]?.toUpperCase() ?? "?";
}

function toneOf(id) {
  let sum = 0;
  for (const each of id) sum = (sum * 31 + each.codePointAt(0)) % 65_521;
  return sum % TONES;
}
