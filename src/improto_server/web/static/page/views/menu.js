/** A menu behind a button. The browser closes it with Escape and with a click elsewhere. */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { icon } from "./icons.js";

/** Pixels between the button and the menu. */
const GAP = 4;

/** `tools`: as in chat.js; `subject`: what their functions are given. One on a page. */
export function menu(label, tools, subject) {
  if (!tools.length) return nothing;
  return html`<button
      type="button"
      class="icon-button"
      popovertarget="menu"
      aria-label=${label}
      title=${label}
      aria-haspopup="menu"
    >
      ${icon("more")}
    </button>
    <div id="menu" class="menu" popover role="menu" @beforetoggle=${placed} @keydown=${move}>
      ${tools.map(
        (tool) => html`<button
          type="button"
          role="menuitem"
          popovertarget="menu"
          popovertargetaction="hide"
          @click=${() => tool.run(subject)}
        >
          ${icon(tool.icon)} <span>${tool.label(subject)}</span>
        </button>`,
      )}
    </div>`;
}

/** Below its button. */
function placed({ currentTarget: box, newState }) {
  if (newState !== "open") return;
  const { bottom, right } = box.previousElementSibling.getBoundingClientRect();
  box.style.top = `${bottom + GAP}px`;
  box.style.right = `${document.documentElement.clientWidth - right}px`;
  // It gets the keyboard when the menu is there; said earlier, it would be for the document.
  box.querySelector("button").autofocus = true;
}

function move(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const items = [...event.currentTarget.querySelectorAll("button")];
  items.at((items.indexOf(document.activeElement) + step) % items.length).focus();
}
