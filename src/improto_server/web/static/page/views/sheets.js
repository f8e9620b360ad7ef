/** What the right columns are made of that are no chats: a head, sections, forms, questions. */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { attempt, isDoing } from "../doing.js";
import { t } from "../i18n.js";
import { changed, own } from "../state.js";
import { icon } from "./icons.js";

/** A right column. `back`: the address of what was there before. */
export function sheet({ title, back, content }) {
  return html`<section class="chat" aria-label=${title}>
    <header class="pane-head">
      <a class="icon-button" href=${back} aria-label=${t("common.back")} title=${t("common.back")}
        >${icon("back")}</a
      >
      <div class="grow"><h2>${title}</h2></div>
    </header>
    <div class="scroll sheet">${content}</div>
  </section>`;
}

/** A button that does something which can fail. `name`: only one of it is done at a time. */
export function actButton({ name, label, run, kind = "" }) {
  return html`<button
    type="button"
    class="button ${kind}"
    ?disabled=${isDoing(name)}
    @click=${() => attempt(name, run)}
  >
    ${label}
  </button>`;
}

/** A button that asks first whether it is meant; `question` says what will happen. */
export function sureButton({ name, label, question, run, kind = "plain" }) {
  const view = own("sheets", () => ({ asked: null }));
  const ask = (what) => {
    view.asked = what;
    changed();
  };
  if (view.asked !== name) {
    return html`<button type="button" class="button ${kind}" @click=${() => ask(name)}>
      ${label}
    </button>`;
  }
  const act = async () => {
    await attempt(name, run);
    ask(null);
  };
  return html`<div class="sure" role="group" aria-label=${label}>
    <p>${question}</p>
    <div class="buttons">
      <button type="button" class="button danger" ?disabled=${isDoing(name)} @click=${act}>${label}</button>
      <button type="button" class="button plain" @click=${() => ask(null)}>${t("common.cancel")}</button>
    </div>
  </div>`;
}

/**
 * One line to write into and a button. `run(text)` gets it without spaces around it; the line is
 * empty afterwards if `isEmptied`. `value`: what is there at first.
 */
export function lineForm({ name, label, value = "", most = 64, button, run, isEmptied, type = "text" }) {
  const submit = async (event) => {
    event.preventDefault();
    const { target } = event;
    const text = target.elements.line.value.trim();
    if ((await attempt(name, () => run(text))) && isEmptied) target.reset();
  };
  return html`<form class="line-form" data-name=${name} @submit=${submit}>
    <label class="field grow">
      <span>${label}</span>
      <input name="line" type=${type} maxlength=${most} autocomplete="off" .defaultValue=${value} />
    </label>
    <button class="button plain" ?disabled=${isDoing(name)}>${button ?? t("common.save")}</button>
  </form>`;
}

/** A line with a switch: `isOn`, `run(isOn)`. */
export function switchLine({ name, label, isOn, run }) {
  return html`<label class="setting switch">
    <span>${label}</span>
    <input
      type="checkbox"
      role="switch"
      .checked=${isOn}
      ?disabled=${isDoing(name)}
      @change=${({ target }) => attempt(name, () => run(target.checked))}
    />
  </label>`;
}

/** A line of a list: a picture, a title, a second line, and what stands at the end. */
export function row({ picture, title, text = "", href, end = nothing, mark = nothing }) {
  const inside = html`${picture}
    <span class="grow">
      <span class="item-line"><span class="item-title">${title}</span>${mark}</span>
      ${text ? html`<span class="item-text">${text}</span>` : nothing}
    </span>`;
  return html`<li class="row-line">
    ${href
      ? html`<a class="item grow" href=${href}>${inside}</a>`
      : html`<span class="item grow">${inside}</span>`}
    ${end}
  </li>`;
}
