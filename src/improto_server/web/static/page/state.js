/**
 * Everything that the page shows, in one object, and who is told when it has changed.
 *
 * Views read it and never write it. Whoever changes something (im.js, chats.js, people.js,
 * session.js, routes.js) calls `changed()` afterwards; however often that happens in one turn of
 * the event loop, the page is drawn once.
 */

export const state = {
  /** What `/page/config.json` says. */
  config: null,
  /** "starting", "entry" (nobody is logged in) or "inside". */
  stage: "starting",
  /** Who is logged in: `{ user, name, portrait, isGuest }`. */
  me: null,
  /** `{ status, error, isFinal }`: a number of `Status`, and why it is not coming back. */
  link: { status: null, error: null, isFinal: false },
  /** Where we are, see routes.js. */
  route: { name: "chats", args: [] },
  /** Conversations by their key, see chats.js. */
  conversations: new Map(),
  /** What is loaded of conversations, by their key. */
  chats: new Map(),
  /** What is known of users, by id: `{ name, portrait, isOnline }`. */
  people: new Map(),
  /** Lines that go away by themselves: `{ id, text, kind }`. */
  toasts: [],
  /** What views keep for themselves, by a name that begins with the module's. */
  views: {},
};

const listeners = new Set();
let isPlanned = false;

/** Be told after changes; gives a function that ends it. */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The state is another one. */
export function changed() {
  if (isPlanned) return;
  isPlanned = true;
  queueMicrotask(() => {
    isPlanned = false;
    for (const listener of listeners) listener();
  });
}

/** What a view keeps for itself; made by `first` when it is asked for at first. */
export function own(name, first) {
  state.views[name] ??= first();
  return state.views[name];
}

/** Nobody is logged in any more: only what is no user's stays. */
export function forgetUser() {
  state.me = null;
  state.link = { status: null, error: null, isFinal: false };
  for (const each of [state.conversations, state.chats, state.people]) each.clear();
  state.views = {};
  changed();
}

const SHOWN_FOR = 6000;
let lastToast = 0;

/** Say something for some seconds. `kind`: "info" or "error". */
export function toast(text, kind = "info") {
  const id = ++lastToast;
  state.toasts = [...state.toasts.slice(-2), { id, text, kind }];
  changed();
  setTimeout(() => dismiss(id), SHOWN_FOR);
}

/** Take a line away. */
export function dismiss(id) {
  state.toasts = state.toasts.filter((each) => each.id !== id);
  changed();
}
