/** A picture in full size, above the page; Escape and a click beside it close it. */

import { html, render } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import { icon } from "./icons.js";

/** `url` must have gone through `webLink`. */
export function openViewer(url) {
  const dialog = document.createElement("dialog");
  dialog.className = "viewer";
  dialog.setAttribute("aria-label", t("content.image"));
  const close = () => dialog.close();
  const failed = ({ target }) => target.replaceWith(t("picture.broken"));
  render(
    html`<img src=${url} alt=${t("content.image")} @click=${close} @error=${failed} />
      <div class="viewer-tools">
        <a
          class="icon-button"
          href=${url}
          download
          target="_blank"
          rel="noopener noreferrer nofollow"
          aria-label=${t("file.download")}
          title=${t("file.download")}
          >${icon("download")}</a
        >
        <button type="button" class="icon-button" aria-label=${t("common.close")} @click=${close}>
          ${icon("close")}
        </button>
      </div>`,
    dialog,
  );
  dialog.addEventListener("click", ({ target }) => target === dialog && close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
