/**
 * The page of whoever runs the server. It asks the same calls as `improto admin`, again every few
 * seconds while it is seen, and asks its reader before it does anything.
 */

import { act, ask, Refused, token } from "./api.js";
import { bytes, confirm, duration, h, moment, table } from "./dom.js";

const EVERY = 5000;
const PAGE = 50;
const MINUTES = [
  [10, "10 minutes"], [60, "1 hour"], [1440, "1 day"], [10080, "7 days"], [43200, "30 days"],
];
const TARGETS = [
  ["online", "who is online; it is kept nowhere"],
  ["everybody", "everybody the server has heard of"],
  ["rooms", "all chatrooms"],
];

const root = document.getElementById("root");

const VIEWS = [
  { title: "Users", show: users },
  { title: "Blocked", show: blocked },
  { title: "Rooms", show: rooms },
  { title: "Broadcast", show: broadcast },
];

// What the reader has chosen.
const chosen = { app: "", view: VIEWS[0], query: "", online: true, after: [] };
let timer = 0;
// Of several answers under way only the newest is shown.
let round = 0;
let parts = null;

// -- getting in -----------------------------------------------------------------------

function enter(fault = "") {
  clearTimeout(timer);
  parts = null;
  const input = h("input", {
    id: "token", type: "password", autocomplete: "off", required: true, maxlength: 256,
    "aria-describedby": "fault",
  });
  const submit = async (event) => {
    event.preventDefault();
    token.set(input.value.trim());
    await begin();
  };
  root.replaceChildren(
    h(
      "main",
      { class: "entry" },
      h("h1", {}, "Administration"),
      h(
        "form",
        { onsubmit: submit },
        h("label", { for: "token" }, "Token"),
        input,
        h("p", { class: "hint" }, "It is web.admin_token in the settings of the server."),
        h("p", { id: "fault", class: "fault", role: "alert" }, fault),
        h("button", { type: "submit" }, "Enter"),
      ),
    ),
  );
  input.focus();
}

async function begin() {
  try {
    const status = await ask("status");
    chosen.app = status.apps.some(({ app }) => app === chosen.app) ? chosen.app : status.apps[0]?.app;
    frame();
    paintStatus(status);
    await chosen.view.show();
    again();
  } catch (error) {
    failed(error);
  }
}

function leave() {
  token.forget();
  enter();
}

// -- the frame ------------------------------------------------------------------------

function frame() {
  parts = {
    facts: h("dl", { class: "facts", "aria-label": "Status" }),
    app: h("select", { "aria-label": "App", onchange: () => choose({ app: parts.app.value, view: chosen.view }) }),
    fault: h("p", { class: "banner", role: "alert", hidden: true }),
    done: h("p", { class: "done", role: "status", hidden: true }),
    version: h("span", { class: "version" }),
    views: h("nav", { "aria-label": "Views" }),
    body: h("section", { class: "view" }),
  };
  root.replaceChildren(
    h(
      "header",
      {},
      h("h1", {}, "Administration"),
      parts.version,
      h("span", { class: "space" }),
      parts.app,
      h("button", { class: "plain", onclick: leave }, "Leave"),
    ),
    h("main", {}, parts.fault, parts.done, parts.facts, parts.views, parts.body),
  );
  paintViews();
}

function paintViews() {
  parts.views.replaceChildren(
    ...VIEWS.map((view) =>
      h(
        "button",
        {
          class: "tab",
          "aria-current": view === chosen.view ? "page" : null,
          onclick: () => choose({ view }),
        },
        view.title,
      ),
    ),
  );
}

function paintStatus(status) {
  const { messages, storage } = status;
  const facts = [
    ["Users online", status.users],
    ["Connections", status.connections],
    ["Rooms", status.rooms],
    ["Messages per second", messages.perSecond],
    ["Messages in all", messages.total],
    ["Store", bytes(storage.database)],
    ["Free", bytes(storage.free)],
    ["Running for", duration(status.uptime)],
  ];
  parts.version.textContent = `version ${status.version}`;
  parts.facts.replaceChildren(
    ...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value)))),
  );
  parts.app.hidden = status.apps.length < 2;
  if (parts.app.length !== status.apps.length) {
    parts.app.replaceChildren(...status.apps.map(({ app }) => h("option", { value: app }, app)));
    parts.app.value = chosen.app;
  }
}

async function choose(changes) {
  Object.assign(chosen, { query: "", after: [] }, changes);
  if (changes.view) {
    parts.body.replaceChildren();
  }
  say("");
  paintViews();
  await look(() => chosen.view.show());
}

// -- again and again ------------------------------------------------------------------

function again() {
  clearTimeout(timer);
  timer = setTimeout(refresh, EVERY);
}

async function refresh() {
  if (parts && !document.hidden) {
    await look(async () => {
      paintStatus(await ask("status"));
      await chosen.view.show();
    });
  }
  if (parts) {
    again();
  }
}

async function look(show) {
  try {
    await show();
    fault("");
  } catch (error) {
    failed(error);
  }
}

function failed(error) {
  if (!(error instanceof Refused)) {
    throw error;
  }
  if (error.isOutside || !parts) {
    if (error.isOutside) {
      token.forget();
    }
    enter(error.message);
  } else {
    fault(error.message);
  }
}

function fault(text) {
  if (parts) {
    parts.fault.textContent = text;
    parts.fault.hidden = !text;
  }
}

function say(text) {
  parts.done.textContent = text;
  parts.done.hidden = !text;
}

/** Do something that was confirmed, tell what has become of it, and look again. */
async function perform(path, fields, told) {
  await look(async () => {
    const reply = await act(path, { app: chosen.app, ...fields });
    say(told(reply));
    await chosen.view.show();
  });
}

// -- views ----------------------------------------------------------------------------

/** Where a view shows its list; `above` makes what stands over it. */
function list(above = () => []) {
  const found = parts.body.querySelector(".list");
  if (found) {
    return found;
  }
  const made = h("div", { class: "list" });
  parts.body.replaceChildren(...above(), made);
  return made;
}

/** Show what an answer becomes, if it is the newest and another one than what is shown. */
async function paint(place, question, content) {
  round += 1;
  const mine = round;
  const answer = await question;
  const said = JSON.stringify(answer);
  if (mine !== round || !place.isConnected || place.said === said) {
    return;
  }
  place.said = said;
  const key = document.activeElement?.dataset?.key;
  place.replaceChildren(...content(answer));
  if (key) {
    place.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }
}

function pages(next) {
  const go = (after) => choose({ query: chosen.query, after });
  const { after } = chosen;
  return h(
    "div",
    { class: "pages" },
    after.length
      ? h("button", { class: "plain", "data-key": "back", onclick: () => go(after.slice(0, -1)) }, "Back")
      : null,
    next
      ? h("button", { class: "plain", "data-key": "more", onclick: () => go([...after, next]) }, "More")
      : null,
  );
}

const here = () => ({ app: chosen.app, after: chosen.after.at(-1) ?? "", count: PAGE });

function button(key, title, danger, onclick) {
  return h("button", { class: danger ? "plain warning" : "plain", "data-key": key, onclick }, title);
}

function users() {
  const place = list(() => [searchBar()]);
  const question = ask("users", { ...here(), query: chosen.query, online: chosen.online });
  return paint(place, question, (answer) => [
    table(
      ["User", "Name", "Connections", "State", ""],
      answer.users.map(userRow),
      chosen.query ? "Nobody is found." : chosen.online ? "Nobody is online." : "There are no users yet.",
    ),
    pages(answer.next),
  ]);
}

function searchBar() {
  const look = () => choose({ query: query.value.trim(), online: online.checked });
  const query = h("input", {
    type: "search", maxlength: 64, placeholder: "Beginning of an id or a name",
    "aria-label": "Search", oninput: look,
  });
  const online = h("input", { type: "checkbox", checked: chosen.online, onchange: look });
  return h("div", { class: "search" }, query, h("label", {}, online, "online only"));
}

function userRow({ user, name, connections, devices, blockedUntil }) {
  const where = devices.map(({ address, sdk }) => `${address}, SDK ${sdk}`).join("\n");
  const state = blockedUntil ? `blocked until ${moment(blockedUntil)}` : connections ? "online" : "offline";
  return [
    h("code", {}, user),
    name,
    h("span", { title: where || null }, String(connections)),
    h("span", { class: `state ${blockedUntil ? "bad" : connections ? "good" : ""}` }, state),
    h(
      "div",
      { class: "row" },
      connections ? button(`kick ${user}`, "Kick", true, () => kick(user)) : null,
      blockedUntil
        ? button(`unblock ${user}`, "Unblock", false, () => unblock(user))
        : button(`block ${user}`, "Block", true, () => block(user)),
    ),
  ];
}

async function kick(user) {
  const text = h("p", {}, "All connections end. The user may come back at once.");
  if (await confirm(`Kick ${user}?`, text, "Kick")) {
    await perform("kick", { user }, ({ connections }) =>
      connections ? `${user} was kicked.` : `${user} was not online.`,
    );
  }
}

async function block(user) {
  const minutes = h(
    "select",
    { id: "minutes" },
    MINUTES.map(([count, words]) => h("option", { value: count, selected: count === 60 }, words)),
  );
  const content = h("p", {}, h("label", { for: "minutes" }, "Nobody gets in with that id for "), minutes);
  if (await confirm(`Block ${user}?`, content, "Block")) {
    await perform("block", { user, minutes: Number(minutes.value) }, ({ blockedUntil }) =>
      `${user} is blocked until ${moment(blockedUntil)}.`,
    );
  }
}

async function unblock(user) {
  if (await confirm(`Unblock ${user}?`, h("p", {}, "The user may connect again."), "Unblock")) {
    await perform("unblock", { user }, () => `${user} may connect again.`);
  }
}

function blocked() {
  return paint(list(), ask("blocked", here()), (answer) => [
    table(
      ["User", "Until", ""],
      answer.users.map(({ user, blockedUntil }) => [
        h("code", {}, user),
        moment(blockedUntil),
        button(`unblock ${user}`, "Unblock", false, () => unblock(user)),
      ]),
      "Nobody is blocked.",
    ),
    pages(answer.next),
  ]);
}

function rooms() {
  return paint(list(), ask("rooms", here()), (answer) => [
    table(
      ["Room", "Name", "Members", "Since", ""],
      answer.rooms.map(({ room, name, members, created }) => [
        h("code", {}, room),
        name,
        String(members),
        moment(created),
        button(`destroy ${room}`, "Destroy", true, () => destroy(room, members)),
      ]),
      "There are no rooms.",
    ),
    pages(answer.next),
  ]);
}

async function destroy(room, members) {
  const text = h("p", {}, `Its keys and bans go with it. ${members} are in it now.`);
  if (await confirm(`Destroy ${room}?`, text, "Destroy")) {
    await perform("rooms/destroy", { room }, () => `${room} is no more.`);
  }
}

async function broadcast() {
  if (parts.body.firstChild) {
    // What is being written stays.
    return;
  }
  const text = h("textarea", { id: "text", rows: 5, maxlength: 4096, required: true });
  const to = h(
    "select",
    { id: "to" },
    TARGETS.map(([value, words]) => h("option", { value }, words)),
  );
  const send = async (event) => {
    event.preventDefault();
    const words = TARGETS.find(([value]) => value === to.value)[1];
    const content = [h("p", {}, `To ${words}:`), h("blockquote", {}, text.value)];
    if (await confirm("Send this?", h("div", {}, content), "Send")) {
      await perform("broadcast", { text: text.value, to: to.value }, () => "It is on its way.");
    }
  };
  parts.body.replaceChildren(
    h(
      "form",
      { class: "broadcast", onsubmit: send },
      h("label", { for: "to" }, "To"),
      to,
      h("label", { for: "text" }, "Text"),
      text,
      h("button", { type: "submit" }, "Send…"),
    ),
  );
}

document.addEventListener("visibilitychange", () => {
  if (parts && !document.hidden) {
    refresh();
  }
});

if (token.get()) {
  begin();
} else {
  enter();
}
