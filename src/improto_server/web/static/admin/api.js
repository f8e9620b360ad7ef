/**
 * Calls of the administration. The token is kept for as long as the tab is open, in
 * `sessionStorage`: no other tab and no other site sees it, and browsers do not send it by themselves.
 */

const KEY = "improto-admin-token";

export const token = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => sessionStorage.setItem(KEY, text),
  forget: () => sessionStorage.removeItem(KEY),
};

/** A call that was refused: `code` for programs, `message` for people. */
export class Refused extends Error {
  constructor({ code, message }) {
    super(message);
    this.code = code;
  }

  /** Whether another token is needed. */
  get isOutside() {
    return this.code === "token_needed" || this.code === "wrong_token";
  }
}

/** Ask; `fields` that are empty are left out. */
export function ask(path, fields = {}) {
  const given = Object.entries(fields).filter(([, value]) => value !== "" && value !== false);
  const query = new URLSearchParams(given);
  return call(given.length ? `${path}?${query}` : path);
}

/** Have something done. */
export function act(path, fields) {
  return call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(fields),
  });
}

async function call(path, options = {}) {
  const headers = { ...options.headers, Authorization: `Bearer ${token.get()}` };
  let answer;
  try {
    answer = await fetch(`admin/${path}`, { ...options, headers, cache: "no-store" });
  } catch {
    throw new Refused({ code: "unreachable", message: "The server cannot be reached." });
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    throw new Refused(content.error ?? { code: "", message: `The server said ${answer.status}.` });
  }
  return content;
}
