/** Oneself: who one is here, language, colours, and leaving. */

import { html } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import { changed, own, state } from "../state.js";
import { languageChoice, themeChoice } from "./choices.js";
import { icon } from "./icons.js";
import { personAvatar } from "./parts.js";

let leave = () => {};

/** `left()` is called when somebody wants to log out. */
export function beginMe(left) {
  leave = left;
}

/** What stands below; modules add their own: functions that give a template, and are given
 * one to call when the user has left. */
export const meSections = [];

/** The left column. */
export function mePlace() {
  const { user, name, isGuest } = state.me;
  const view = own("me", () => ({ isSure: false }));
  return html`<div class="scroll me">
    <div class="me-head">
      ${personAvatar(user, "large")}
      <h2>${name || user}</h2>
      <p class="subtitle">${isGuest ? t("me.guest") : user}</p>
    </div>
    ${meSections.map((section) => section(leave))}
    <div class="settings">
      <div class="setting"><span>${t("choice.language")}</span>${languageChoice()}</div>
      <div class="setting"><span>${t("choice.theme")}</span>${themeChoice()}</div>
    </div>
    <div class="settings">
      ${view.isSure
        ? html`<p>${t(isGuest ? "me.sureGuest" : "me.sure")}</p>
            <div class="buttons">
              <button type="button" class="button danger" @click=${leave}>${t("me.leave")}</button>
              <button type="button" class="button plain" @click=${() => ask(view, false)}>
                ${t("common.cancel")}
              </button>
            </div>`
        : html`<button type="button" class="button plain wide" @click=${() => ask(view, true)}>
            ${icon("leave")} ${t("me.leave")}
          </button>`}
    </div>
  </div>`;
}

function ask(view, isSure) {
  view.isSure = isSure;
  changed();
}
