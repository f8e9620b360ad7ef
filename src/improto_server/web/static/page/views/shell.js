/** The frame of the page: banner, two columns or one, the places, and passing notes. */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import { hrefOf } from "../routes.js";
import { dismiss, state } from "../state.js";
import { banner } from "./banner.js";
import { entryPage } from "./entry.js";
import { icon } from "./icons.js";
import { empty, spinner } from "./parts.js";
import { PANES, PLACES } from "./places.js";

/** All there is to see. */
export function page() {
  return html`${state.stage === "starting" ? html`<main class="starting">${spinner()}</main>` : nothing}
    ${state.stage === "entry" ? entryPage() : nothing} ${state.stage === "inside" ? inside() : nothing}
    <div class="toasts" aria-live="polite">${state.toasts.map(toastLine)}</div>`;
}

function inside() {
  const pane = PANES[state.route.name];
  const place = pane?.place ?? (PLACES[state.route.name] ? state.route.name : "chats");
  return html`<div class="frame">
    <button type="button" class="button skip" @click=${skip}>${t("common.skip")}</button>
    ${banner()}
    <div class="columns ${pane ? "has-pane" : ""}">
      <aside class="side">
        <header class="side-head"><h1>${PLACES[place].label()}</h1></header>
        ${PLACES[place].view()}
        <nav class="places" aria-label=${t("common.places")}>
          ${Object.entries(PLACES).map(([name, each]) => placeLink(name, each, name === place))}
        </nav>
      </aside>
      <main class="pane" tabindex="-1">
        ${pane ? pane.view() : empty("chat", t("chat.none"), t("chat.noneText"))}
      </main>
    </div>
  </div>`;
}

/** Past the left column, for who has no mouse. */
function skip() {
  (document.querySelector(".composer textarea") ?? document.querySelector(".pane")).focus();
}

function placeLink(name, { icon: picture, label, badge }, isHere) {
  const count = badge();
  return html`<a href=${hrefOf(name)} aria-current=${isHere ? "page" : nothing}>
    ${icon(picture)}
    <span>${label()}</span>
    ${count ? html`<span class="badge">${count > 99 ? "99+" : count}</span>` : nothing}
  </a>`;
}

function toastLine({ id, text, kind }) {
  return html`<div class="toast ${kind}" role=${kind === "error" ? "alert" : "status"}>
    <span class="grow">${text}</span>
    <button type="button" class="icon-button" aria-label=${t("common.close")} @click=${() => dismiss(id)}>
      ${icon("close")}
    </button>
  </div>`;
}
