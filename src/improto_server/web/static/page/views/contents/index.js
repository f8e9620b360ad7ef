/**
 * How contents look, by their object name (docs/contents.md).
 *
 * A renderer is `{ view(message), summary(message), isNotice }`: `view` gives what is in the bubble;
 * `summary` a line of text for lists and notifications; a notice has no bubble. Fields are what
 * their senders have written and may be anything: look at their type, give texts to lit-html,
 * which never takes them for HTML, and links to `webLink` of links.js first.
 *
 * To add one: a module in this folder, and a line here.
 */

import { file } from "./file.js";
import { image, video } from "./image.js";
import { place } from "./place.js";
import { quote } from "./quote.js";
import { recalled } from "./recalled.js";
import { text } from "./text.js";
import { unknown } from "./unknown.js";
import { voice } from "./voice.js";

const RENDERERS = {
  __proto__: null,
  "RC:FileMsg": file,
  "RC:HQVCMsg": voice,
  "RC:ImgMsg": image,
  "RC:LBSMsg": place,
  "RC:ReferenceMsg": quote,
  "RC:SightMsg": video,
  "RC:TxtMsg": text,
  "RC:RcCmd": recalled,
};

/** Add a renderer for an object name. */
export function addRenderer(name, renderer) {
  RENDERERS[name] = renderer;
}

/** The renderer of a message; there is always one. */
export function rendererOf({ name }) {
  return RENDERERS[name] ?? unknown;
}

/** What is in the bubble of a message. */
export function viewOf(message) {
  return shown("view", message);
}

/** A line for lists and notifications. */
export function summaryOf(message) {
  return shown("summary", message).slice(0, 200);
}

/** Fields that a renderer does not expect must not take the other messages away. */
function shown(how, message) {
  try {
    return rendererOf(message)[how](message);
  } catch {
    return unknown[how](message);
  }
}
