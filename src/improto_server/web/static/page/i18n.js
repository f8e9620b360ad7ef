/**
 * What the page says, in the language of who reads it: `t("chat.typing", { name })`.
 *
 * A text is a string with `{names}` in it, or an object of such strings by plural form ("one",
 * "other"), chosen by `count`. Languages are modules in i18n/ with the same keys; a test compares
 * them, and finds keys that nobody uses.
 */

import { changed } from "./state.js";
import { keep, recall } from "./preferences.js";
import { en } from "./i18n/en.js";
import { zh } from "./i18n/zh.js";

/** By code; the names are in the languages themselves. */
export const LANGUAGES = {
  en: { name: "English", locale: "en", texts: en },
  zh: { name: "简体中文", locale: "zh-CN", texts: zh },
};

let current = "en";
let plurals;
let formats;

/** The code of the language in use. */
export function language() {
  return current;
}

/** Use the language that was chosen, or the browser's. */
export function begin() {
  const wanted = [recall("language"), ...navigator.languages.map((each) => each.split("-")[0])];
  use(wanted.find((each) => Object.hasOwn(LANGUAGES, each ?? "")) ?? "en");
}

/** Choose a language. */
export function useLanguage(code) {
  keep("language", code);
  use(code);
  changed();
}

function use(code) {
  current = code;
  const { locale } = LANGUAGES[code];
  document.documentElement.lang = locale;
  plurals = new Intl.PluralRules(locale);
  const format = (options) => new Intl.DateTimeFormat(locale, options);
  formats = {
    time: format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
    weekday: format({ weekday: "long" }),
    day: format({ month: "long", day: "numeric" }),
    date: format({ year: "numeric", month: "short", day: "numeric" }),
    full: format({ dateStyle: "full", timeStyle: "short" }),
  };
}

/** A text. */
export function t(key, values = {}) {
  const text = LANGUAGES[current].texts[key];
  const chosen = typeof text === "object" ? text[plurals.select(values.count)] ?? text.other : text;
  return chosen.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** Whether there is such a text: for keys that are made from what others say. */
export function has(key) {
  return Object.hasOwn(LANGUAGES[current].texts, key);
}

/** The time of day. */
export function timeOf(ms) {
  return formats.time.format(ms);
}

/** Day and time, in full. */
export function fullTimeOf(ms) {
  return formats.full.format(ms);
}

/** A number of bytes, as one says it. */
export function sizeOf(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = Math.min(Math.floor(Math.log2(Math.max(1, bytes)) / 10), units.length - 1);
  const maximumFractionDigits = step > 1 ? 1 : 0;
  const options = { style: "unit", unit: units[step], unitDisplay: "short", maximumFractionDigits };
  return new Intl.NumberFormat(LANGUAGES[current].locale, options).format(bytes / 1024 ** step);
}

/** Seconds as minutes and seconds. */
export function durationOf(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** The day, as one says it: today, Monday, 3 May, ... */
export function dayOf(ms, now = Date.now()) {
  const days = Math.round((midnight(now) - midnight(ms)) / 86_400_000);
  if (days === 0) return t("time.today");
  if (days === 1) return t("time.yesterday");
  if (days > 1 && days < 7) return formats.weekday.format(ms);
  const isThisYear = new Date(ms).getFullYear() === new Date(now).getFullYear();
  return (isThisYear ? formats.day : formats.date).format(ms);
}

/** Time or day, whichever says more in little space. */
export function shortTimeOf(ms, now = Date.now()) {
  return midnight(ms) === midnight(now) ? timeOf(ms) : dayOf(ms, now);
}

/** Begin of the day of a time, where the reader is. */
export function midnight(ms) {
  return new Date(ms).setHours(0, 0, 0, 0);
}
