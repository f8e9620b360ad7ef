/** RC:TxtMsg: a text. Links in it can be followed. */

import { textWithLinks } from "./links.js";
import { withMentions } from "./mentions.js";

export const text = {
  view: (message) => withMentions(message, textWithLinks(said(message.fields))),
  summary: ({ fields }) => said(fields),
};

function said({ content }) {
  return typeof content === "string" ? content : "";
}
