/** Links that others have written: which of them may be followed. */

import { html } from "../../../vendor/lit-html/lit-html.js";

const LINK = /https?:\/\/[^\s<>"'“”。，、！？）】]+/g;

/** An http or https URL as it was meant, or null. */
export function webLink(written) {
  if (typeof written !== "string") return null;
  try {
    const url = new URL(written);
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** A thumbnail as contents have it, a small JPEG in base64, as an URL; null if it is none. */
export function thumbnailUrl(base64) {
  const isOne = typeof base64 === "string" && /^[A-Za-z0-9+/]+={0,2}$/.test(base64);
  return isOne ? `data:image/jpeg;base64,${base64}` : null;
}

/** A text, with links where URLs are. */
export function textWithLinks(written) {
  const parts = [];
  let end = 0;
  for (const { 0: found, index } of written.matchAll(LINK)) {
    const shown = withoutEnd(found);
    const href = webLink(shown);
    if (href === null) continue;
    parts.push(written.slice(end, index), link(href, shown));
    end = index + shown.length;
  }
  return [...parts, written.slice(end)];
}

/** What ends a sentence is not part of a link in it. A pattern would be slow where there is much. */
function withoutEnd(found) {
  let end = found.length;
  while (".,;:!?)]".includes(found[end - 1])) end -= 1;
  return found.slice(0, end);
}

/** A link that tells its target nothing of us. */
export function link(href, shown) {
  return html`<a href=${href} target="_blank" rel="noopener noreferrer nofollow">${shown}</a>`;
}
