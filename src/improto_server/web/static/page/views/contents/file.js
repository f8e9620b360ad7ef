/** RC:FileMsg: any file. It is downloaded and never opened here. */

import { html, nothing } from "../../../vendor/lit-html/lit-html.js";
import { sizeOf, t } from "../../i18n.js";
import { icon } from "../icons.js";
import { webLink } from "./links.js";

export const file = {
  view({ fields }) {
    const url = webLink(fields.fileUrl);
    const size = Number(fields.size);
    const inside = html`${icon("file")}
      <span class="grow">
        <span class="card-title">${nameOf(fields)}</span>
        <span class="card-text">${size > 0 ? sizeOf(size) : nothing}</span>
      </span>
      ${url ? icon("download") : nothing}`;
    return url === null
      ? html`<span class="card">${inside}</span>`
      : html`<a class="card" href=${url} download target="_blank" rel="noopener noreferrer nofollow"
          >${inside}</a
        >`;
  },
  summary: ({ fields }) => `[${t("content.file")}] ${nameOf(fields)}`,
};

function nameOf({ name }) {
  return typeof name === "string" && name ? name.slice(0, 200) : t("content.file");
}
