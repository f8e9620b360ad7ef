/** "Me": what others see of one, how one gets in, what one is told of, and leaving for good. */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { attempt, isDoing } from "../doing.js";
import { t } from "../i18n.js";
import { askPermission, isTold, KINDS, permission, tellOf } from "../notices.js";
import {
  changePortrait,
  changeSelf,
  deleteAccount,
  logOutEverywhere,
  ownDetails,
  post,
} from "../session.js";
import { changed, own, state, toast } from "../state.js";
import { meSections } from "./me.js";
import { actButton, lineForm, sureButton, switchLine } from "./sheets.js";

/** Characters (docs/accounts.md). */
const NAME_MOST = 64;
const PASSWORD_LEAST = 8;
const PASSWORD_MOST = 256;

const GENDERS = [0, 1, 2];

meSections.push(profile, notices, entrance, ending);

/** What only the server knows; asked for when "Me" is looked at. */
function details() {
  const view = own("account", () => ({ details: null, isAsked: false }));
  if (!view.isAsked) {
    view.isAsked = true;
    attempt("account", async () => use(await ownDetails()));
  }
  return view.details;
}

function use(found) {
  const { user, name, portrait, isGuest } = found;
  state.me = { user, name, portrait, isGuest };
  own("account", () => ({ isAsked: true })).details = found;
  changed();
}

const change = (fields) => changeSelf(fields).then(use);

function profile() {
  const me = details();
  const { name, portrait } = state.me;
  return html`<div class="settings">
    ${lineForm({
      name: "rename",
      label: t("field.name"),
      value: name,
      most: NAME_MOST,
      run: (text) => change({ name: text }),
    })}
    <div class="buttons">
      <label class="button plain">
        ${t("account.portrait")}
        <input
          class="hidden"
          type="file"
          name="portrait"
          accept="image/png,image/jpeg,image/gif,image/webp"
          @change=${picked}
        />
      </label>
      ${portrait
        ? actButton({
            name: "portrait",
            label: t("account.noPortrait"),
            kind: "plain",
            run: () => changePortrait(null).then(use),
          })
        : nothing}
    </div>
    ${me === null
      ? nothing
      : html`<label class="setting choice">
            <span>${t("field.gender")}</span>
            <select @change=${({ target }) => attempt("gender", () => change({ gender: Number(target.value) }))}>
              ${GENDERS.map(
                (each) => html`<option value=${each} ?selected=${each === me.gender}>${t(`gender.${each}`)}</option>`,
              )}
            </select>
          </label>
          ${lineForm({
            name: "location",
            label: t("field.location"),
            value: me.location,
            run: (location) => change({ location }),
          })}`}
  </div>`;
}

function picked({ target }) {
  const [picture] = target.files;
  target.value = "";
  if (picture) attempt("portrait", () => changePortrait(picture).then(use));
}

function notices() {
  const permitted = permission();
  return html`<div class="settings">
    ${KINDS.map((kind) =>
      switchLine({
        name: `notices/${kind}`,
        label: t(`notices.${kind}`),
        isOn: isTold(kind),
        run: async (isOn) => tellOf(kind, isOn),
      }),
    )}
    ${permitted === "default"
      ? actButton({ name: "permission", label: t("notices.ask"), kind: "plain", run: askPermission })
      : nothing}
    ${permitted === "denied" ? html`<p class="subtitle">${t("notices.denied")}</p>` : nothing}
  </div>`;
}

/** Address, number and password: all of them need the password. */
function entrance() {
  const me = details();
  if (me === null || !me.email) return nothing;
  const submit = async (event) => {
    event.preventDefault();
    const { target } = event;
    const given = Object.fromEntries(new FormData(target));
    if (await attempt("entrance", () => changeEntrance(me, given))) target.reset();
  };
  const field = (name, attributes) => html`<label class="field">
    <span>${t(`field.${name}`)}</span>
    <input
      name=${name}
      type=${attributes.type}
      autocomplete=${attributes.autocomplete}
      .defaultValue=${attributes.value ?? ""}
      minlength=${attributes.least ?? nothing}
      maxlength=${attributes.most}
      ?required=${attributes.isNeeded}
    />
  </label>`;
  return html`<details class="settings">
    <summary>${t("account.entrance")}</summary>
    <form class="fields" data-name="entrance" @submit=${submit}>
      ${field("email", { type: "email", autocomplete: "email", value: me.email, most: 254, isNeeded: true })}
      ${field("phone", { type: "tel", autocomplete: "tel", value: me.phone, most: 32 })}
      ${field("newPassword", {
        type: "password",
        autocomplete: "new-password",
        least: PASSWORD_LEAST,
        most: PASSWORD_MOST,
      })}
      ${field("password", {
        type: "password",
        autocomplete: "current-password",
        most: PASSWORD_MOST,
        isNeeded: true,
      })}
      <button class="button" ?disabled=${isDoing("entrance")}>${t("common.save")}</button>
    </form>
  </details>`;
}

async function changeEntrance(me, { email, phone, newPassword, password }) {
  if (email.trim().toLowerCase() !== me.email) {
    await post("/email", { email, password });
    toast(t("entry.mailed", { email }));
  }
  if (phone.trim() !== me.phone) await post("/phone", { phone, password });
  if (newPassword) await post("/password", { password, newPassword });
  use(await ownDetails());
  toast(t("account.saved"));
}

function ending(leave) {
  const { isGuest } = state.me;
  const me = details();
  return html`<details class="settings">
    <summary>${t("account.more")}</summary>
    ${isGuest
      ? nothing
      : sureButton({
          name: "everywhere",
          label: t("account.everywhere"),
          question: t("account.everywhereSure"),
          run: async () => {
            await logOutEverywhere();
            await leave();
          },
        })}
    ${me?.email
      ? html`<p>${t("account.deleteText")}</p>
          ${lineForm({
            name: "delete",
            label: t("field.password"),
            type: "password",
            most: PASSWORD_MOST,
            button: t("account.delete"),
            run: async (password) => {
              await deleteAccount(password);
              await leave();
            },
          })}`
      : nothing}
  </details>`;
}
