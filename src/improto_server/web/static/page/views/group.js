/** A group's card: who is in, what they may do, its notice; and how a new one is made. */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { ConversationType, groupChat } from "../../improto/improto.js";
import { contacts } from "../contacts.js";
import { createGroup, groupNameOf, groupOf, joinGroup, tellGroup } from "../groups.js";
import { t } from "../i18n.js";
import { nameIn, nameOf, publicNameIn } from "../people.js";
import { go, hrefOf, hrefOfChat } from "../routes.js";
import { changed, own, state, toast } from "../state.js";
import { attempt, isDoing } from "../doing.js";
import { addBar, addTool } from "./chat.js";
import { icon } from "./icons.js";
import { avatar, empty, personAvatar, spinner } from "./parts.js";
import { PANES } from "./places.js";
import { lineForm, row, sheet, sureButton } from "./sheets.js";
import { addTitles } from "./titles.js";

/** Characters (docs/accounts.md). */
const NAME_MOST = 64;
const NOTICE_MOST = 1024;

/** Users of one call (docs/accounts.md). */
const MOST_AT_ONCE = 30;

addTitles(ConversationType.GROUP, {
  title: groupNameOf,
  subtitle: (id) => {
    const count = groupOf(id).info?.memberCount;
    return count ? t("group.members", { count }) : "";
  },
  avatar: (id, size) =>
    avatar(id, groupNameOf(id), { portrait: groupOf(id).info?.portrait ?? "", size }),
});

addTool({
  name: "group",
  icon: "people",
  isInSight: true,
  label: () => t("group.card"),
  canUse: ({ type }) => type === ConversationType.GROUP,
  run: ({ targetId }) => go(hrefOf("group", targetId)),
});

addBar(({ type, targetId }) => {
  const notice = type === ConversationType.GROUP && groupOf(targetId).info?.notice;
  if (!notice) return nothing;
  return html`<p class="bar">${icon("bell")} <span class="grow">${notice}</span></p>`;
});

PANES.group = { place: "chats", view: groupPane };
PANES.newgroup = { place: "contacts", view: newPane };

// -- a new one ----------------------------------------------------------------------------

function newPane() {
  const view = own("newGroup", () => ({ chosen: new Set() }));
  const { friends } = contacts();
  const submit = async (event) => {
    event.preventDefault();
    const name = event.target.elements.name.value.trim();
    await attempt("newgroup", async () => {
      const group = await createGroup(name, [...view.chosen]);
      view.chosen.clear();
      go(hrefOfChat(groupChat(group)));
    });
  };
  return sheet({
    title: t("group.new"),
    back: hrefOf("contacts"),
    content: html`<form class="settings fields" @submit=${submit}>
        <label class="field">
          <span>${t("field.name")}</span>
          <input name="name" required maxlength=${NAME_MOST} autocomplete="off" />
        </label>
        ${choice(friends.map(({ user }) => user), view.chosen)}
        <button class="button" ?disabled=${isDoing("newgroup")}>${t("group.create")}</button>
      </form>
      <div class="settings">
        ${lineForm({
          name: "joingroup",
          label: t("group.id"),
          button: t("group.join"),
          isEmptied: true,
          run: join,
        })}
      </div>`,
  });
}

async function join(group) {
  if (await joinGroup(group)) go(hrefOfChat(groupChat(group)));
  else toast(t("group.waits"));
}

/** Boxes to tick; `chosen` is a Set of user ids. */
function choice(users, chosen) {
  if (!users.length) return html`<p class="subtitle">${t("group.noFriends")}</p>`;
  const tick = (user) => {
    if (!chosen.delete(user) && chosen.size < MOST_AT_ONCE) chosen.add(user);
    changed();
  };
  return html`<fieldset class="choices">
    <legend>${t("group.choose")}</legend>
    ${users.map(
      (user) => html`<label class="item">
        ${personAvatar(user)} <span class="grow item-title">${nameOf(user)}</span>
        <input type="checkbox" name="user" value=${user} .checked=${chosen.has(user)} @change=${() => tick(user)} />
      </label>`,
    )}
  </fieldset>`;
}

// -- its card -----------------------------------------------------------------------------

function groupPane() {
  const [id = ""] = state.route.args;
  const { info, members, total } = groupOf(id);
  const back = hrefOfChat(groupChat(id));
  const title = groupNameOf(id);
  if (info === undefined) return sheet({ title, back, content: spinner() });
  if (info === null) {
    return sheet({ title, back, content: empty("people", t("group.gone"), t("group.goneText")) });
  }
  return sheet({
    title,
    back,
    content: html`<div class="me-head">
        ${avatar(id, title, { portrait: info.portrait, size: "large" })}
        <h3>${info.name}</h3>
        <p class="subtitle">${t("group.idIs", { id })}</p>
        ${info.introduction ? html`<p>${info.introduction}</p>` : nothing}
      </div>
      ${info.role ? [settings(id, info), inviting(id, members), list(id, info, members, total), leaving(id, info)] : joining(id)}`,
  });
}

function joining(id) {
  return html`<div class="settings">
    <p>${t("group.notIn")}</p>
    <button
      type="button"
      class="button"
      ?disabled=${isDoing("joingroup")}
      @click=${() => attempt("joingroup", () => join(id))}
    >
      ${t("group.join")}
    </button>
  </div>`;
}

/** What one may change: `profilePerm` says who may name the group (docs/groups.md). */
function settings(id, info) {
  const mayChange =
    info.role === "owner" || info.profilePerm === 2 || (info.profilePerm === 1 && info.role === "manager");
  const line = (key, most, fields) =>
    lineForm({ name: `${key}/${id}`, label: t(`group.${key}`), most, ...fields });
  return html`<div class="settings">
    ${mayChange
      ? [
          line("name", NAME_MOST, {
            value: info.name,
            run: (name) => tellGroup("/groups/update", id, { name }),
          }),
          line("notice", NOTICE_MOST, {
            value: info.notice,
            run: (notice) => tellGroup("/groups/update", id, { notice }),
          }),
        ]
      : info.notice
        ? html`<p>${info.notice}</p>`
        : nothing}
    ${line("nickname", NAME_MOST, {
      value: nicknameOf(id, state.me.user),
      run: (nickname) => tellGroup("/groups/nickname", id, { user: state.me.user, nickname }),
    })}
    ${line("note", NAME_MOST, {
      value: info.note,
      run: (note) => tellGroup("/groups/note", id, { note }),
    })}
  </div>`;
}

function nicknameOf(id, user) {
  return groupOf(id).members?.find((each) => each.user === user)?.nickname ?? "";
}

function inviting(id, members) {
  const view = own("inviting", () => ({ chosen: new Set(), isOpen: false }));
  const inside = new Set(members?.map(({ user }) => user));
  const others = contacts().friends.map(({ user }) => user).filter((user) => !inside.has(user));
  if (!others.length || members === null) return nothing;
  const invite = async () => {
    const { isDone } = await tellGroup("/groups/invite", id, { users: [...view.chosen] });
    view.chosen.clear();
    if (!isDone) toast(t("group.waits"));
  };
  return html`<details class="settings">
    <summary>${t("group.invite")}</summary>
    ${choice(others, view.chosen)}
    <button
      type="button"
      class="button"
      ?disabled=${!view.chosen.size || isDoing("invite")}
      @click=${() => attempt("invite", invite)}
    >
      ${t("group.invite")}
    </button>
  </details>`;
}

function list(id, info, members, total) {
  if (members === null) return spinner();
  return html`<h3>${t("group.members", { count: total })}</h3>
    <ul class="list" aria-label=${t("group.members", { count: total })}>
      ${members.map((each) => memberRow(id, info, each))}
    </ul>`;
}

function memberRow(id, { role: ours }, { user, role }) {
  const isMe = user === state.me.user;
  const isOwner = ours === "owner";
  const mayRemove = !isMe && (isOwner || (ours === "manager" && role === "normal"));
  const name = nameIn(groupChat(id), user);
  const button = (key, run) =>
    sureButton({
      name: `${key}/${id}/${user}`,
      label: t(`group.${key}`),
      question: t("group.sure", { what: t(`group.${key}`), name }),
      kind: "plain small",
      run,
    });
  const isManager = role === "manager";
  const buttons = [
    isOwner && !isMe
      ? button(isManager ? "unmanage" : "manage", () =>
          tellGroup("/groups/managers", id, { users: [user], isManager: !isManager }),
        )
      : nothing,
    isOwner && !isMe
      ? button("transfer", () => tellGroup("/groups/transfer", id, { user }))
      : nothing,
    mayRemove ? button("kick", () => tellGroup("/groups/remove", id, { users: [user] })) : nothing,
  ].filter((each) => each !== nothing);
  return row({
    picture: personAvatar(user),
    title: name,
    text: role === "normal" ? "" : t(`role.${role}`),
    href: hrefOf("person", user),
    end: buttons.length
      ? html`<details class="more">
          <summary aria-label=${t("group.manageMember", { name: publicNameIn(groupChat(id), user) })}>
            ${icon("more")}
          </summary>
          <div class="buttons">${buttons}</div>
        </details>`
      : nothing,
  });
}

function leaving(id, { role, name }) {
  const isOwner = role === "owner";
  const key = isOwner ? "dismiss" : "leave";
  return html`<div class="settings">
    ${sureButton({
      name: `leave/${id}`,
      label: t(`group.${key}`),
      question: t(`group.${key}Sure`, { name }),
      run: async () => {
        await tellGroup(`/groups/${key}`, id);
        go(hrefOf("contacts"));
      },
    })}
  </div>`;
}
