/**
 * The one kind of error that this library makes: a number of the protocol, and what it means.
 *
 * Numbers are those of codes 5, so that a page shows the same text for what the server has refused
 * and for what never left the page.
 */

import { Code, MEANINGS } from "./tables.js";

/** What a number means, in a line for a person. */
export function describe(code) {
  return MEANINGS[code] ?? `error ${code}`;
}

/** `code`: a number of `Code`; `details`: what else there is to say, for a log. */
export class ImError extends Error {
  constructor(code, details = "") {
    super(details ? `${describe(code)} (${details})` : describe(code));
    this.name = "ImError";
    this.code = code;
  }
}

/** An argument that cannot be: 33003. */
export function invalid(details) {
  return new ImError(Code.BIZ_ERROR_INVALID_PARAMETER, details);
}
