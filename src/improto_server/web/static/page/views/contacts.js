/** Friends and groups: the left column, and the pane with those who ask. */

import { html, nothing, svg } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { groupChat } from "../../improto/improto.js";
import { canAnswer, contacts, countOfRequests, isWaiting, tell } from "../contacts.js";
import { sayError } from "../errors.js";
import { shortTimeOf, t } from "../i18n.js";
import { findPeople, nameOf, personOf } from "../people.js";
import { hrefOf, hrefOfChat } from "../routes.js";
import { changed, own } from "../state.js";
import { addIcons, icon } from "./icons.js";
import { empty, personAvatar, spinner } from "./parts.js";
import { answerButtons } from "./person.js";
import { PANES, PLACES } from "./places.js";
import { actButton, row, sheet } from "./sheets.js";
import { pictureOf, titleOf } from "./titles.js";

/** Milliseconds after the last key before the server is asked. */
const PATIENCE = 250;

addIcons({
  people: svg`<circle cx="9" cy="8" r="3.5" /><path d="M3 20c.6-4 3-6 6-6s5.4 2 6 6M15 4.8a3.5 3.5 0 0 1 0 6.4M17 14.3c2.2.8 3.6 2.7 4 5.7" />`,
  plus: svg`<path d="M12 5v14M5 12h14" />`,
});

// "Me" stays the last one.
const { me } = PLACES;
delete PLACES.me;
PLACES.contacts = {
  icon: "people",
  label: () => t("contacts.title"),
  view: contactsPlace,
  badge: countOfRequests,
};
PLACES.me = me;

PANES.requests = { place: "contacts", view: requestsPane };

function contactsPlace() {
  const view = own("contactsSearch", () => ({ query: "", found: [], isAsking: false, problem: "" }));
  return html`<div class="search" role="search">
      ${icon("search")}
      <input
        type="search"
        id="people-search"
        maxlength="64"
        autocomplete="off"
        placeholder=${t("contacts.search")}
        aria-label=${t("contacts.search")}
        .value=${live(view.query)}
        @input=${({ target }) => look(view, target.value)}
      />
    </div>
    <div class="scroll">${view.query.trim() ? results(view) : lists()}</div>`;
}

function lists() {
  const { friends, groups, isLoaded } = contacts();
  const count = countOfRequests();
  const mark = count ? html`<span class="badge">${count}</span>` : nothing;
  return html`<ul class="list" aria-label=${t("contacts.more")}>
      ${row({ picture: icon("bell"), title: t("requests.title"), href: hrefOf("requests"), mark })}
      ${row({ picture: icon("plus"), title: t("group.new"), href: hrefOf("newgroup") })}
    </ul>
    ${groups.size
      ? html`<h3>${t("group.title")}</h3>
          <ul class="list" aria-label=${t("group.title")}>
            ${[...groups.keys()].map((id) => groupRow(groupChat(id)))}
          </ul>`
      : nothing}
    <h3>${t("contacts.friends")}</h3>
    ${friends.length
      ? html`<ul class="list" aria-label=${t("contacts.friends")}>
          ${byName(friends.map(({ user }) => user)).map(personRow)}
        </ul>`
      : isLoaded
        ? empty("people", t("contacts.none"), t("contacts.noneText"))
        : spinner()}`;
}

function groupRow(conversation) {
  const title = titleOf(conversation);
  return row({ picture: pictureOf(conversation), title, href: hrefOfChat(conversation) });
}

function personRow(user) {
  const text = personOf(user).isOnline ? t("chat.online") : "";
  return row({ picture: personAvatar(user), title: nameOf(user), text, href: hrefOf("person", user) });
}

function byName(users) {
  return users.sort((one, other) => nameOf(one).localeCompare(nameOf(other)));
}

function results(view) {
  const wanted = view.query.trim().toLowerCase();
  const friends = contacts().friends.map(({ user }) => user);
  const here = friends.filter((user) => nameOf(user).toLowerCase().includes(wanted));
  const users = [...new Set([...byName(here), ...view.found])];
  return html`${users.length
    ? html`<ul class="list" aria-label=${t("people.title")}>${users.map(personRow)}</ul>`
    : nothing}
  ${view.isAsking ? spinner() : nothing}
  ${view.problem ? html`<p class="problem" role="alert">${view.problem}</p>` : nothing}
  ${!users.length && !view.isAsking && !view.problem
    ? empty("search", t("search.nothing"), t("search.nothingText"))
    : nothing}`;
}

function look(view, query) {
  clearTimeout(view.timer);
  const isAsking = Boolean(query.trim());
  Object.assign(view, { query, isAsking, problem: "", found: isAsking ? view.found : [] });
  if (isAsking) view.timer = setTimeout(() => ask(view, query), PATIENCE);
  changed();
}

async function ask(view, query) {
  const outcome = { found: [], problem: "", isAsking: false };
  try {
    outcome.found = await findPeople(query.trim());
  } catch (error) {
    outcome.problem = sayError(error);
  }
  if (view.query === query) Object.assign(view, outcome);
  changed();
}

// -- who asks -----------------------------------------------------------------------------

function requestsPane() {
  const { applications, invitations } = contacts();
  const isNothing = !applications.length && !invitations.length;
  return sheet({
    title: t("requests.title"),
    back: hrefOf("contacts"),
    content: isNothing
      ? empty("bell", t("requests.none"), t("requests.noneText"))
      : html`<ul class="list" aria-label=${t("requests.title")}>
          ${applications.map(friendRequest)} ${invitations.map(groupRequest)}
        </ul>`,
  });
}

function friendRequest(one) {
  const { user, isMine, status, text, time } = one;
  const said = t(isMine ? "requests.sent" : "requests.got", { time: shortTimeOf(time) });
  return row({
    picture: personAvatar(user),
    title: nameOf(user),
    text: text ? `${said} · ${text}` : said,
    href: hrefOf("person", user),
    end: isWaiting(one) && !isMine ? answerButtons(one) : html`<small>${t(`requests.${status}`)}</small>`,
  });
}

function groupRequest(one) {
  const { group, joiner, inviter, status, direction, text } = one;
  const conversation = groupChat(group);
  const values = { name: nameOf(joiner.user), inviter: inviter ? nameOf(inviter.user) : "" };
  const said = t(`requests.${direction}`, values);
  const isMine = direction === "invitation_received";
  const respond = (accept) => () =>
    tell("/groups/respond", {
      group,
      accept,
      ...(isMine ? {} : { user: joiner.user }),
      ...(inviter ? { inviter: inviter.user } : {}),
    });
  const name = `respond/${group}/${joiner.user}`;
  const isOpen = status.endsWith("_unhandled");
  const end = canAnswer(one)
    ? html`<div class="buttons">
        ${actButton({ name, label: t("common.accept"), run: respond(true) })}
        ${actButton({ name, label: t("common.refuse"), kind: "plain", run: respond(false) })}
      </div>`
    : html`<small>${t(isOpen ? "requests.unhandled" : `requests.${status}`)}</small>`;
  return row({
    picture: pictureOf(conversation),
    title: titleOf(conversation),
    text: text ? `${said} · ${text}` : said,
    end,
  });
}
