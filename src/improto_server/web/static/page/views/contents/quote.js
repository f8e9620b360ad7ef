/** RC:ReferenceMsg: a text about another message, of which a line is shown. */

import { html } from "../../../vendor/lit-html/lit-html.js";
import { nameOf } from "../../people.js";
import { summaryOf } from "./index.js";
import { textWithLinks } from "./links.js";

export const quote = {
  view: ({ fields }) => html`<blockquote class="quote">
      <span class="quote-name">${whose(fields)}</span>
      <span class="quote-text">${quoted(fields)}</span>
    </blockquote>${textWithLinks(said(fields))}`,
  summary: ({ fields }) => said(fields),
};

function said({ content }) {
  return typeof content === "string" ? content : "";
}

function whose({ referMsgUserId }) {
  return typeof referMsgUserId === "string" && referMsgUserId ? nameOf(referMsgUserId) : "";
}

function quoted({ objName, referMsg }) {
  const fields = referMsg !== null && typeof referMsg === "object" ? referMsg : {};
  return summaryOf({ name: String(objName ?? ""), fields, isMine: false, senderId: "" });
}
