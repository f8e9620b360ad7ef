/** A content that this page has no renderer for: it says so, and which one it is. */

import { html } from "../../../vendor/lit-html/lit-html.js";
import { t } from "../../i18n.js";

export const unknown = {
  view: ({ name }) => html`<span class="unknown">${t("content.unknown", { name })}</span>`,
  summary: ({ name }) => t("content.unknown", { name }),
};
