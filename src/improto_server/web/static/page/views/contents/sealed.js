/** Improto:Sealed: a message that only its receivers' devices can read (docs/encryption.md). */

import { html, nothing } from "../../../vendor/lit-html/lit-html.js";
import { OBJECT_NAME } from "../../../improto/sealing.js";
import { t } from "../../i18n.js";
import { openedOf } from "../../sealing.js";
import { icon } from "../icons.js";
import { summaryOf, viewOf } from "./index.js";

export const sealed = {
  view(message) {
    const opened = openedOf(message);
    const inner = innerOf(opened);
    if (inner === null) return html`<span class="unknown seal">${icon("lock")} ${closed(opened)}</span>`;
    const { trust, isRepeated } = opened;
    const isBad = isRepeated || trust === "changed";
    const isChecked = !isBad && !message.isMine && trust === "verified";
    const note = isRepeated ? t("sealing.repeated") : t(`sealing.trust.${trust}`);
    // Nobody compares a number with himself.
    const said = message.isMine && !isBad ? t("sealing.opening") : note;
    // Spaces in a bubble are shown.
    return html`${viewOf(inner)} <span
        class="seal ${isBad ? "bad" : ""}"
        role="img"
        aria-label=${said}
        title=${said}
        >${icon(isChecked ? "lockChecked" : "lock")}</span
      >${isBad ? html`<span class="seal-note">${note}</span>` : nothing}`;
  },
  summary(message) {
    const opened = openedOf(message);
    const inner = innerOf(opened);
    return inner === null ? closed(opened) : summaryOf(inner);
  },
};

/** The message that was sealed, or null. What was sealed twice is not opened twice. */
function innerOf(opened) {
  const isOpen = opened !== null && !opened.isOpening && opened.reason === null;
  return isOpen && opened.message.name !== OBJECT_NAME ? opened.message : null;
}

function closed(opened) {
  if (opened === null) return t("sealing.noDevice");
  if (opened.isOpening) return t("sealing.opening");
  return t(`sealing.reason.${opened.reason ?? "damaged"}`);
}
