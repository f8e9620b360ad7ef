/** Choosing the language and the colours. */

import { html } from "../../vendor/lit-html/lit-html.js";
import { language, LANGUAGES, t, useLanguage } from "../i18n.js";
import { theme, useTheme } from "../preferences.js";
import { changed } from "../state.js";

/** A list of languages, each by its own name. */
export function languageChoice() {
  return html`<label class="choice">
    <span class="hidden">${t("choice.language")}</span>
    <select @change=${({ target }) => useLanguage(target.value)}>
      ${Object.entries(LANGUAGES).map(
        ([code, { name }]) =>
          html`<option value=${code} ?selected=${code === language()}>${name}</option>`,
      )}
    </select>
  </label>`;
}

/** As the system has it, light or dark. */
export function themeChoice() {
  const names = ["system", "light", "dark"];
  return html`<label class="choice">
    <span class="hidden">${t("choice.theme")}</span>
    <select @change=${({ target }) => choose(target.value)}>
      ${names.map(
        (name) =>
          html`<option value=${name} ?selected=${name === theme()}>${t(`theme.${name}`)}</option>`,
      )}
    </select>
  </label>`;
}

function choose(name) {
  useTheme(name);
  changed();
}
