/** RC:ImgMsg: a picture; its thumbnail is in the message, the original opens in full size. */

import { html } from "../../../vendor/lit-html/lit-html.js";
import { t } from "../../i18n.js";
import { openViewer } from "../viewer.js";
import { link, thumbnailUrl, webLink } from "./links.js";

export const image = {
  view({ fields }) {
    const url = webLink(fields.imageUri);
    const thumbnail = thumbnailUrl(fields.content);
    const name = t("content.image");
    const shown = thumbnail ?? url;
    if (shown === null) return html`<span class="unknown">${name}</span>`;
    if (url === null) return html`<img class="picture" src=${shown} alt=${name} />`;
    return html`<button
      type="button"
      class="picture-button"
      aria-label=${t("picture.open")}
      @click=${() => openViewer(url)}
    >
      <img class="picture" src=${shown} alt=${name} loading="lazy" />
    </button>`;
  },
  summary: () => `[${t("content.image")}]`,
};

/** RC:SightMsg: a short film. */
export const video = {
  view({ fields }) {
    const url = webLink(fields.sightUrl);
    const poster = thumbnailUrl(fields.content) ?? "";
    const name = t("content.video");
    return url === null
      ? html`<span class="unknown">${name}</span>`
      : html`<video class="film" controls preload="none" src=${url} poster=${poster} aria-label=${name}></video
          ><br />${link(url, t("file.download"))}`;
  },
  summary: () => `[${t("content.video")}]`,
};
