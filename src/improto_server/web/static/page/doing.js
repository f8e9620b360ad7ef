/** Doing something that can fail: one thing at a time of each name, and errors are told. */

import { sayError } from "./errors.js";
import { changed, own, toast } from "./state.js";

const underWay = () => own("doing", () => new Set());

/** Whether something of this name goes on: its buttons are switched off. */
export function isDoing(name) {
  return underWay().has(name);
}

/** Run an async function; whether it was done. A toast says why not. */
export async function attempt(name, work) {
  const names = underWay();
  if (names.has(name)) return false;
  names.add(name);
  changed();
  try {
    await work();
    return true;
  } catch (error) {
    toast(sayError(error), "error");
    return false;
  } finally {
    names.delete(name);
    changed();
  }
}
