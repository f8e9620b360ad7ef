/** Pictures of one colour, drawn on 24 by 24 units. They say nothing: what has one has a name. */

import { svg, html } from "../../vendor/lit-html/lit-html.js";

const PATHS = {
  again: svg`<path d="M20 11a8 8 0 1 0-2.3 6.3M20 4v7h-7" />`,
  back: svg`<path d="M15 5l-7 7 7 7" />`,
  bell: svg`<path d="M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15zM10 20a2 2 0 0 0 4 0" />`,
  bellOff: svg`<path d="M6 16V11c0-1 .2-2 .7-2.8M9 5.8A6 6 0 0 1 18 11v3M19.5 18h-15L6 16M10 20a2 2 0 0 0 4 0M4 4l16 16" />`,
  bin: svg`<path d="M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5M14 11v5" />`,
  chat: svg`<path d="M4 5h16v11H10l-4 4v-4H4z" />`,
  check: svg`<path d="M6 12.5l4 4 8-9" />`,
  checks: svg`<path d="M2.5 12.5l4 4 8-9M11.5 15l1.5 1.5 8-9" />`,
  clock: svg`<circle cx="12" cy="12" r="8" /><path d="M12 7.5V12l3 2" />`,
  close: svg`<path d="M6 6l12 12M18 6L6 18" />`,
  copy: svg`<path d="M9 9h11v11H9zM15 9V4H4v11h5" />`,
  down: svg`<path d="M5 9l7 7 7-7" />`,
  exclamation: svg`<circle cx="12" cy="12" r="8" /><path d="M12 8v5M12 15.5v.5" />`,
  language: svg`<circle cx="12" cy="12" r="8" /><path d="M4 12h16M12 4c-5 5-5 11 0 16M12 4c5 5 5 11 0 16" />`,
  leave: svg`<path d="M13 4H5v16h8M10 12h10M16 8l4 4-4 4" />`,
  moon: svg`<path d="M19 14.5A8 8 0 0 1 9.5 5 8 8 0 1 0 19 14.5z" />`,
  more: svg`<path d="M5 12h.01M12 12h.01M19 12h.01" />`,
  offline: svg`<path d="M4 4l16 16M5 12a10 10 0 0 1 4-2.5M2 8.5A15 15 0 0 1 6 6M12.5 9a10 10 0 0 1 6.5 3M11 5c4 0 8 1 11 3.5M8.5 15.5a5 5 0 0 1 6 0M12 19h.01" />`,
  person: svg`<circle cx="12" cy="8" r="4" /><path d="M4.5 20c1-4 4-6 7.5-6s6.5 2 7.5 6" />`,
  pin: svg`<path d="M9 4h6l-1 6 4 4H6l4-4zM12 14v6" />`,
  search: svg`<circle cx="11" cy="11" r="6.5" /><path d="M16 16l4.5 4.5" />`,
  send: svg`<path d="M4 12l16-8-5 16-3.5-6.5z" />`,
  undo: svg`<path d="M9 6L4 11l5 5M4 11h10a5 5 0 0 1 0 10h-3" />`,
};

/** A picture by its name. */
export function icon(name) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    ${PATHS[name]}
  </svg>`;
}

/** Another module's own pictures: paths by name. */
export function addIcons(paths) {
  Object.assign(PATHS, paths);
}
