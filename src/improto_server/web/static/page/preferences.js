/**
 * What somebody has chosen for this browser: language and colours. Kept in localStorage.
 */

const THEMES = ["system", "light", "dark"];

/** What the browser did not take, for as long as this page is there. */
const unkept = new Map();

/** A text that is kept, or null. */
export function recall(name) {
  if (unkept.has(name)) return unkept.get(name);
  try {
    return localStorage.getItem(`page/${name}`);
  } catch {
    return null;
  }
}

/** Keep a text; null: forget it. What does not fit is forgotten with the page. */
export function keep(name, text) {
  unkept.delete(name);
  try {
    if (text === null) localStorage.removeItem(`page/${name}`);
    else localStorage.setItem(`page/${name}`, text);
  } catch {
    if (text !== null) unkept.set(name, text);
  }
}

/** Forget everything whose name begins so. */
export function forget(beginning) {
  for (const name of unkept.keys()) if (name.startsWith(beginning)) unkept.delete(name);
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(`page/${beginning}`)) localStorage.removeItem(key);
    }
  } catch {
    // Nothing was kept.
  }
}

/** "system", "light" or "dark". */
export function theme() {
  const kept = recall("theme");
  return THEMES.includes(kept) ? kept : "system";
}

/** Choose the colours; style.css does the rest. */
export function useTheme(name) {
  keep("theme", name);
  document.documentElement.dataset.theme = name;
}
