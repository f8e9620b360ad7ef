/**
 * What has gone wrong, for who reads it: refusals of the account API and numbers of the protocol.
 */

import { describe, ImError } from "../improto/improto.js";
import { has, t } from "./i18n.js";

/** A line in the language of the page; where there is none, what the server said. */
export function sayError(error) {
  const { code, message, field, limit, wait } = error;
  const key = `error.${code}`;
  if (has(key)) {
    const name = has(`field.${field}`) ? t(`field.${field}`) : field ?? "";
    return t(key, { field: name, limit, wait: wait ?? "" });
  }
  return error instanceof ImError ? describe(code) : message || describe(code);
}
