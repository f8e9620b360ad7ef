/**
 * The emoji of the composer. Arrow keys go from one to the next, Enter takes one, Escape goes back
 * to the text. Those that were taken last come first.
 */

import { html, nothing, svg } from "../../vendor/lit-html/lit-html.js";
import { GROUPS } from "../emoji.js";
import { t } from "../i18n.js";
import { keep, recall } from "../preferences.js";
import { addComposerTool } from "./composer.js";
import { addIcons } from "./icons.js";

/** How many of the last ones are remembered. */
const MOST_RECENT = 16;

const NAME = "emoji";
const KNOWN = new Set(GROUPS.flatMap(([, each]) => each));

addIcons({
  smile: svg`<circle cx="12" cy="12" r="8" /><path d="M9 10h.01M15 10h.01M8.5 14a4.5 4.5 0 0 0 7 0" />`,
});

addComposerTool({ name: "emoji", icon: "smile", label: () => t("emoji.title"), panel });

function panel({ insert, close }) {
  const groups = [["recent", recent()], ...GROUPS].filter(([, each]) => each.length);
  const choose = (emoji) => {
    const others = recent().filter((each) => each !== emoji);
    keep(NAME, [emoji, ...others].slice(0, MOST_RECENT).join(" "));
    insert(emoji);
  };
  return html`<div class="emoji" @keydown=${(event) => moved(event, close)}>
    ${groups.map(
      ([name, all], index) => html`<h3 id="emoji-${name}">${t(`emoji.${name}`)}</h3>
        <div class="emoji-group" role="group" aria-labelledby="emoji-${name}">
          ${all.map(
            (each, at) => html`<button
              type="button"
              tabindex=${index || at ? "-1" : nothing}
              @click=${() => choose(each)}
            >
              ${each}
            </button>`,
          )}
        </div>`,
    )}
  </div>`;
}

function recent() {
  return (recall(NAME) ?? "").split(" ").filter((each) => KNOWN.has(each));
}

function moved(event, close) {
  const { key, currentTarget: box } = event;
  if (key === "Escape") {
    event.preventDefault();
    close();
    document.querySelector(".composer textarea").focus();
    return;
  }
  const buttons = [...box.querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[key];
  const target = next === undefined ? vertical(buttons, at, key) : buttons[next];
  if (!target) return;
  event.preventDefault();
  target.focus();
}

/** The one that stands above or below, in the nearest line there is. */
function vertical(buttons, at, key) {
  if (at < 0 || !["ArrowDown", "ArrowUp"].includes(key)) return undefined;
  const from = buttons[at].getBoundingClientRect();
  const isDown = key === "ArrowDown";
  const there = buttons
    .map((button) => ({ button, place: button.getBoundingClientRect() }))
    .filter(({ place }) => (isDown ? place.top > from.top + 1 : place.top < from.top - 1));
  const nearest = (one, other) =>
    Math.abs(one.place.top - from.top) - Math.abs(other.place.top - from.top) ||
    Math.abs(one.place.left - from.left) - Math.abs(other.place.left - from.left);
  return there.sort(nearest)[0]?.button;
}
