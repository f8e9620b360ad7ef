/**
 * Where one writes. Enter sends, Shift+Enter begins a new line, Escape goes back to the list.
 *
 * A tool is a button before the text: `{ name, icon, label(), canUse(conversation), run(place) }`,
 * and may have a `panel(place)`, which is then shown above the text until the button is pressed
 * again. `place` is `{ conversation, insert(text), close() }`. To add one: `addComposerTool`.
 */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { keyOf } from "../../improto/improto.js";
import { draftOf, placeOf, setDraft } from "../chats.js";
import { t } from "../i18n.js";
import { openConversation, sendText, typing } from "../im.js";
import { go, hrefOf } from "../routes.js";
import { changed, own, state } from "../state.js";
import { icon } from "./icons.js";
import { iconButton } from "./parts.js";
import { titleOf } from "./titles.js";

/** Bytes of a content (wire 7), less what stands around the text. */
const MOST_BYTES = 131_072 - 1024;

/** Pixels up to which the box grows. */
const HIGHEST = 160;

const TOOLS = [];

/** Called with `(conversation)`; each gives what stands above the text, or nothing. */
export const composerHeads = new Set();

/**
 * Called with `(conversation, text, options)` before a text is sent; the first that gives true has
 * done something else with it.
 */
export const takers = new Set();

/** Called with `(conversation)`; gives the options of `send` for the next text. */
export const sendOptions = new Set();

/** Add a button. */
export function addComposerTool(tool) {
  TOOLS.push(tool);
}

/** The end of a chat. */
export function composer(conversation) {
  const view = own("composer", () => ({ panel: null, problem: "" }));
  const place = handleOf(conversation, view);
  const tools = TOOLS.filter(({ canUse }) => canUse?.(conversation) ?? true);
  const open = tools.find(({ name }) => name === view.panel);
  return html`<form class="composer" @submit=${(event) => submit(event, conversation, view)}>
    ${open ? html`<div class="composer-panel">${open.panel(place)}</div>` : nothing}
    ${[...composerHeads].map((each) => each(conversation))}
    ${view.problem
      ? html`<p class="problem" id="composer-problem" role="alert">${view.problem}</p>`
      : nothing}
    <div class="composer-line">
      ${tools.map((tool) =>
        iconButton({
          name: tool.icon,
          label: tool.label(),
          isOn: tool.panel ? open === tool : undefined,
          run: () => use(tool, place, view),
        }),
      )}
      <textarea
        name="text"
        rows="1"
        enterkeyhint="send"
        autocomplete="off"
        aria-label=${t("composer.label", { name: titleOf(conversation) })}
        aria-describedby=${view.problem ? "composer-problem" : nothing}
        aria-invalid=${view.problem ? "true" : nothing}
        placeholder=${t("composer.placeholder")}
        data-name=${keyOf(conversation)}
        .value=${live(draftOf(conversation))}
        @input=${(event) => wrote(event, conversation, view)}
        @keydown=${(event) => pressed(event)}
      ></textarea>
      <button type="submit" class="icon-button send" aria-label=${t("composer.send")} title=${t("composer.send")}>
        ${icon("send")}
      </button>
    </div>
  </form>`;
}

/** Let the box be as high as its text. To be called after drawing. */
export function grow(root) {
  const box = root.querySelector(".composer textarea");
  if (!box) return;
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight + 2, HIGHEST)}px`;
}

/** Write here next, where there is a keyboard that does not take half of the screen. */
export function focusComposer(root) {
  if (matchMedia("(pointer: fine)").matches) root.querySelector(".composer textarea")?.focus();
}

function handleOf(conversation, view) {
  return {
    conversation,
    insert(text) {
      const box = document.querySelector(".composer textarea");
      const [begin, end] = [box.selectionStart, box.selectionEnd];
      box.setRangeText(text, begin, end, "end");
      setDraft(conversation, box.value);
      box.focus();
    },
    close() {
      view.panel = null;
      changed();
    },
  };
}

function use(tool, place, view) {
  if (!tool.panel) {
    tool.run(place);
    return;
  }
  view.panel = view.panel === tool.name ? null : tool.name;
  changed();
}

function wrote({ target }, conversation, view) {
  view.problem = "";
  setDraft(conversation, target.value);
  if (target.value) typing(conversation);
}

function pressed(event) {
  // Enter ends a word that is being composed, such as Pinyin.
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    event.target.form.requestSubmit();
  } else if (event.key === "Escape") {
    if (state.views.composer.panel) state.views.composer.panel = null;
    else go(hrefOf(placeOf(openConversation())));
    changed();
  }
}

function submit(event, conversation, view) {
  event.preventDefault();
  const written = draftOf(conversation).trim();
  if (!written) return;
  const size = new TextEncoder().encode(JSON.stringify(written)).length;
  if (size > MOST_BYTES) {
    view.problem = t("composer.tooLong", { size, limit: MOST_BYTES });
    changed();
    return;
  }
  const options = Object.assign({}, ...[...sendOptions].map((each) => each(conversation)));
  setDraft(conversation, "");
  if ([...takers].some((take) => take(conversation, written, options))) return;
  sendText(conversation, written, options);
}
