/** Coming in: log in, register, come as a guest, and the links of mails. */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import { sayError } from "../errors.js";
import { t } from "../i18n.js";
import { enterAsGuest, logIn, post } from "../session.js";
import { changed, own, state } from "../state.js";
import { languageChoice, themeChoice } from "./choices.js";

const PASSWORD_LEAST = 8;
const PASSWORD_MOST = 256;

/** What is asked for, by the name of the form. `entered` is called with who has come in. */
const FORMS = {
  login: {
    fields: ["account", "password"],
    run: async ({ account, password }) => ({ me: await logIn(account, password) }),
  },
  register: {
    fields: ["name", "email", "newPassword"],
    run: async ({ name, email, newPassword }) => {
      await post("/register", { name, email, password: newPassword });
      return { form: "login", done: t("entry.mailed", { email }) };
    },
  },
  guest: {
    fields: ["guestName"],
    run: async ({ guestName }) => ({ me: await enterAsGuest(guestName.trim()) }),
  },
  forgot: {
    fields: ["email"],
    run: async ({ email }) => {
      await post("/forgot", { email });
      return { form: "login", done: t("entry.mailed", { email }) };
    },
  },
  reset: {
    fields: ["newPassword"],
    run: async ({ newPassword }, { token }) => {
      await post("/reset", { token, password: newPassword });
      return { form: "login", done: t("entry.isReset") };
    },
  },
};

const FIELDS = {
  account: { type: "text", autocomplete: "username", maxlength: 254, required: true },
  email: { type: "email", autocomplete: "username", maxlength: 254, required: true },
  name: { type: "text", autocomplete: "nickname", maxlength: 64, required: true },
  guestName: { type: "text", autocomplete: "nickname", maxlength: 64, required: false },
  password: { type: "password", autocomplete: "current-password", required: true },
  newPassword: {
    type: "password",
    autocomplete: "new-password",
    minlength: PASSWORD_LEAST,
    required: true,
  },
};

let enter = () => {};

/** `entered(me)` is called when somebody has come in; `link`: that of a mail, or null. */
export function beginEntry(entered, link) {
  enter = entered;
  const view = entry();
  if (link?.action === "reset") Object.assign(view, { form: "reset", token: link.token });
  if (link?.action === "confirm") confirm(view, link.token);
}

/** The whole page, while nobody is logged in. */
export function entryPage() {
  const view = entry();
  const { fields } = FORMS[view.form];
  return html`<main class="entry">
    <div class="entry-card">
      <img class="logo" src="/static/page/logo.svg" alt="" width="56" height="56" />
      <h1>${t("entry.welcome")}</h1>
      ${tabs(view)}
      ${view.done ? html`<p class="done" role="status">${view.done}</p>` : nothing}
      <form class="fields" @submit=${(event) => submit(event, view)} aria-busy=${view.isBusy}>
        ${view.form === "reset"
          ? html`<input class="hidden" autocomplete="username" tabindex="-1" aria-hidden="true" />`
          : nothing}
        ${repeat(fields, keyOfField, (name) => field(name, view))}
        ${view.problem ? html`<p class="problem" role="alert">${view.problem}</p>` : nothing}
        <button class="button wide" ?disabled=${view.isBusy}>${t(`entry.do.${view.form}`)}</button>
      </form>
      ${view.form === "login"
        ? html`<button type="button" class="link" @click=${() => show(view, "forgot")}>
            ${t("entry.forgot")}
          </button>`
        : nothing}
      ${view.form === "forgot" || view.form === "reset"
        ? html`<button type="button" class="link" @click=${() => show(view, "login")}>
            ${t("common.back")}
          </button>`
        : nothing}
    </div>
    <footer class="entry-foot">${languageChoice()} ${themeChoice()}</footer>
  </main>`;
}

function entry() {
  return own("entry", () => ({
    form: "login",
    problem: "",
    field: "",
    done: "",
    token: "",
    isBusy: false,
  }));
}

function tabs(view) {
  const { registration, guests } = state.config;
  const forms = ["login", registration ? "register" : "", guests ? "guest" : ""].filter(Boolean);
  if (!forms.includes(view.form)) return html`<h2>${t(`entry.tab.${view.form}`)}</h2>`;
  return html`<div class="tabs" role="group" aria-label=${t("entry.ways")}>
    ${forms.map(
      (form) => html`<button
        type="button"
        aria-pressed=${String(form === view.form)}
        @click=${() => show(view, form)}
      >
        ${t(`entry.tab.${form}`)}
      </button>`,
    )}
  </div>`;
}

/** A field never becomes another one: it would take what was typed along, passwords too. */
function keyOfField(name) {
  return name;
}

function field(name, view) {
  const { type, autocomplete, maxlength = PASSWORD_MOST, minlength, required } = FIELDS[name];
  const isWrong = view.field === name;
  return html`<label class="field">
    <span>${t(`field.${name}`)}</span>
    <input
      name=${name}
      type=${type}
      autocomplete=${autocomplete}
      maxlength=${maxlength}
      minlength=${minlength ?? nothing}
      ?required=${required}
      aria-invalid=${isWrong ? "true" : nothing}
    />
    ${name === "newPassword" ? html`<small>${t("entry.passwordHint")}</small>` : nothing}
  </label>`;
}

function show(view, form) {
  Object.assign(view, { form, problem: "", field: "", done: "" });
  changed();
}

async function submit(event, view) {
  event.preventDefault();
  const given = Object.fromEntries(new FormData(event.target));
  Object.assign(view, { problem: "", field: "", done: "", isBusy: true });
  changed();
  try {
    const { me, ...shown } = await FORMS[view.form].run(given, view);
    Object.assign(view, shown);
    event.target.reset();
    if (me) enter(me);
  } catch (error) {
    Object.assign(view, { problem: sayError(error), field: error.field ?? "" });
  }
  view.isBusy = false;
  changed();
}

async function confirm(view, token) {
  try {
    await post("/confirm", { token });
    view.done = t("entry.confirmed");
  } catch (error) {
    view.problem = sayError(error);
  }
  changed();
}
