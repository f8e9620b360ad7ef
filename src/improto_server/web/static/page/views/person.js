/** Somebody's card: who he is, and what one can do about him. */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { privateChat } from "../../improto/improto.js";
import { block, contacts, friendOf, tell, waitingOf } from "../contacts.js";
import { t } from "../i18n.js";
import { nameOf, ownNameOf, personOf } from "../people.js";
import { go, hrefOf, hrefOfChat } from "../routes.js";
import { state } from "../state.js";
import { addTool } from "./chat.js";
import { icon } from "./icons.js";
import { personAvatar } from "./parts.js";
import { PANES } from "./places.js";
import { actButton, lineForm, sheet, sureButton } from "./sheets.js";

/** Characters of a request and of a note (docs/accounts.md). */
const TEXT_MOST = 128;
const NOTE_MOST = 64;

PANES.person = { place: "contacts", view: personPane };

addTool({
  name: "person",
  icon: "person",
  label: () => t("person.card"),
  canUse: ({ type, targetId }) => type === privateChat("").type && targetId !== state.config.robot,
  run: ({ targetId }) => go(hrefOf("person", targetId)),
});

function personPane() {
  const [user = ""] = state.route.args;
  const name = nameOf(user);
  return sheet({
    title: name,
    back: hrefOf("contacts"),
    content: html`<div class="me-head">
        ${personAvatar(user, "large")}
        <h3>${ownNameOf(user)}</h3>
        <p class="subtitle">${user}</p>
        ${personOf(user).isOnline ? html`<p class="subtitle good">${t("chat.online")}</p>` : nothing}
      </div>
      ${details(user)}
      ${user === state.me.user ? nothing : [actions(user, name), relation(user, name), blocking(user, name)]}`,
  });
}

function details(user) {
  const { gender, location } = personOf(user);
  if (!gender && !location) return nothing;
  return html`<dl class="settings facts">
    ${gender ? html`<dt>${t("field.gender")}</dt><dd>${t(`gender.${gender}`)}</dd>` : nothing}
    ${location ? html`<dt>${t("field.location")}</dt><dd>${location}</dd>` : nothing}
  </dl>`;
}

function actions(user) {
  return html`<a class="button wide" href=${hrefOfChat(privateChat(user))}>
    ${icon("chat")} ${t("person.write")}
  </a>`;
}

function relation(user, name) {
  const friend = friendOf(user);
  if (friend !== undefined) {
    return html`<div class="settings">
      ${lineForm({
        name: `note/${user}`,
        label: t("person.note"),
        value: friend.note,
        most: NOTE_MOST,
        run: (note) => tell("/friends/note", { user, note }),
      })}
      ${sureButton({
        name: `part/${user}`,
        label: t("person.part"),
        question: t("person.partSure", { name }),
        run: () => tell("/friends/remove", { users: [user] }),
      })}
    </div>`;
  }
  const waiting = waitingOf(user);
  if (waiting?.isMine) return html`<p class="done">${t("person.asked", { name })}</p>`;
  if (waiting) {
    return html`<div class="settings">
      <p>${t("person.asks", { name })} ${waiting.text ? html`<q>${waiting.text}</q>` : nothing}</p>
      ${answerButtons(waiting)}
    </div>`;
  }
  if (user === state.config.robot) return nothing;
  return html`<div class="settings">
    ${lineForm({
      name: `add/${user}`,
      label: t("person.addText"),
      most: TEXT_MOST,
      button: t("person.add"),
      isEmptied: true,
      run: (text) => tell("/friends/add", { user, text }),
    })}
  </div>`;
}

/** Yes and no to who wants to be a friend. */
export function answerButtons({ user }) {
  const name = `answer/${user}`;
  return html`<div class="buttons">
    ${actButton({ name, label: t("common.accept"), run: () => tell("/friends/accept", { user }) })}
    ${actButton({
      name,
      label: t("common.refuse"),
      kind: "plain",
      run: () => tell("/friends/refuse", { user }),
    })}
  </div>`;
}

function blocking(user, name) {
  const run = (isOn) => () => block(user, isOn);
  return html`<div class="settings">
    ${contacts().blocked.has(user)
      ? html`<p>${t("person.isBlocked", { name })}</p>
          ${actButton({
            name: `block/${user}`,
            label: t("person.unblock"),
            kind: "plain",
            run: run(false),
          })}`
      : sureButton({
          name: `block/${user}`,
          label: t("person.block"),
          question: t("person.blockSure", { name }),
          run: run(true),
        })}
  </div>`;
}
