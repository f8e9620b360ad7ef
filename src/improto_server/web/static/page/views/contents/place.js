/** RC:LBSMsg: a place. Nothing is loaded from a map before somebody follows the link. */

import { html } from "../../../vendor/lit-html/lit-html.js";
import { t } from "../../i18n.js";
import { icon } from "../icons.js";

/** How near the map is. */
const ZOOM = 16;

export const place = {
  view({ fields }) {
    const [latitude, longitude] = [Number(fields.latitude), Number(fields.longitude)];
    const isThere = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
    const where = isThere ? `${latitude.toFixed(5)}, ${longitude.toFixed(5)}` : "";
    const inside = html`${icon("place")}
      <span class="grow">
        <span class="card-title">${nameOf(fields) || t("content.place")}</span>
        <span class="card-text">${where}</span>
        ${isThere ? html`<span class="card-text card-link">${t("place.map")}</span>` : ""}
      </span>`;
    if (!isThere) return html`<span class="card">${inside}</span>`;
    const marked = `mlat=${latitude}&mlon=${longitude}`;
    const href = `https://www.openstreetmap.org/?${marked}#map=${ZOOM}/${latitude}/${longitude}`;
    return html`<a class="card" href=${href} target="_blank" rel="noopener noreferrer nofollow"
      >${inside}</a
    >`;
  },
  summary: ({ fields }) => `[${t("content.place")}] ${nameOf(fields)}`,
};

function nameOf({ poi }) {
  return typeof poi === "string" ? poi.slice(0, 200) : "";
}
