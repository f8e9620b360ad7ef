/**
 * Encryption of a conversation: the lock in its head, and the pane behind it, with the switch, the
 * numbers to compare, and the user's own devices.
 */

import { html, nothing, svg } from "../../vendor/lit-html/lit-html.js";
import { ConversationType } from "../../improto/improto.js";
import { OBJECT_NAME, SealingError } from "../../improto/sealing.js";
import { sayError } from "../errors.js";
import { fullTimeOf, t } from "../i18n.js";
import { openConversation } from "../im.js";
import { nameOf } from "../people.js";
import { go, hrefOf, hrefOfChat } from "../routes.js";
import { forget, isDevice, isOn, openAgain, started } from "../sealing.js";
import { changed, own, state, toast } from "../state.js";
import { addTool } from "./chat.js";
import { addRenderer } from "./contents/index.js";
import { sealed } from "./contents/sealed.js";
import { addIcons, icon } from "./icons.js";
import { spinner } from "./parts.js";
import { PANES } from "./places.js";

addIcons({
  lock: svg`<path d="M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3" />`,
  lockChecked: svg`<path d="M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3M9 15.5l2 2 4-4" />`,
  lockOpen: svg`<path d="M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 6.6-1.6" />`,
});

addTool({
  name: "sealing",
  isInSight: true,
  get icon() {
    return isOn(openConversation()) ? "lock" : "lockOpen";
  },
  label: (each) => t(isOn(each) ? "sealing.isOn" : "sealing.isOff"),
  isOn,
  canUse: ({ type }) => type === ConversationType.PRIVATE,
  run: ({ type, targetId }) => go(hrefOf("sealing", type, targetId)),
});

addRenderer(OBJECT_NAME, sealed);

PANES.sealing = { place: "chats", view: sealingPane };

/** `{ route, own, other, thisId, isBusy }`: fingerprints of the conversation that is shown. */
function shown(conversation) {
  const view = own("sealingPane", () => ({ route: null }));
  // Whoever comes here sees how things are now.
  if (view.route !== state.route) {
    Object.assign(view, { route: state.route, own: null, other: null, isBusy: false });
    if (isDevice()) act(view, conversation, () => {});
  }
  return view;
}

/** Do something, and look how things are then, whether it was done or not. */
async function act(view, conversation, work) {
  const { route } = view;
  view.isBusy = true;
  changed();
  await attempt(async () => work(await started()));
  await attempt(async () => {
    const sealing = await started();
    const mine = await sealing.fingerprint();
    const other = await sealing.fingerprint(conversation.targetId);
    if (view.route === route) Object.assign(view, { own: mine, other, thisId: sealing.deviceId });
    openAgain();
  });
  view.isBusy = false;
  changed();
}

/** Whether it was done; if not, why is said. */
async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    const isOurs = error instanceof SealingError;
    toast(isOurs ? t(`sealing.error.${error.kind}`) : sayError(error), "error");
    return false;
  }
}

/** The right column. */
function sealingPane() {
  const [type, targetId = ""] = state.route.args;
  const conversation = { type: Number(type), targetId };
  const view = shown(conversation);
  const name = nameOf(targetId);
  const on = isOn(conversation);
  const turn = (sealing) => (on ? sealing.turnOff(conversation) : sealing.turnOn(conversation));
  return html`<section class="chat" aria-label=${t("sealing.title", { name })}>
    <header class="pane-head">
      <a class="icon-button" href=${hrefOfChat(conversation)} aria-label=${t("common.back")}
        >${icon("back")}</a
      >
      <div class="grow"><h2>${t("sealing.title", { name })}</h2></div>
    </header>
    <div class="scroll sealing">
      <div class="settings">
        <div class="setting">
          <span id="sealing-switch">${t("sealing.switch", { name })}</span>
          <button
            type="button"
            class="button ${on ? "" : "plain"}"
            role="switch"
            aria-checked=${String(on)}
            aria-labelledby="sealing-switch"
            ?disabled=${view.isBusy}
            @click=${() => act(view, conversation, turn)}
          >
            ${t(on ? "sealing.on" : "sealing.off")}
          </button>
        </div>
        <p class="subtitle">${t("sealing.what")}</p>
      </div>
      ${view.isBusy && !view.other ? spinner() : nothing}
      ${view.other ? [numbers(view, conversation, name), devices(view, conversation)] : nothing}
    </div>
  </section>`;
}

function numbers(view, conversation, name) {
  const { own: mine, other } = view;
  if (!other.devices.length) return html`<p class="problem">${t("sealing.error.nokeys")}</p>`;
  const isNew = other.trust === "changed";
  const verify = (sealing) => sealing.verify(other);
  const accept = (sealing) => sealing.accept(other);
  return html`<div class="settings">
    <p class=${isNew ? "problem" : "subtitle"} role=${isNew ? "alert" : nothing}>
      ${icon(other.trust === "verified" ? "lockChecked" : "lock")} ${t(`sealing.trust.${other.trust}`)}
    </p>
    <h3>${t("sealing.theirs", { name })}</h3>
    <p class="number" data-whose="other">${other.number}</p>
    <h3>${t("sealing.yours")}</h3>
    <p class="number" data-whose="own">${mine.number}</p>
    <p class="subtitle">${t("sealing.compare", { name })}</p>
    <div class="buttons">
      ${other.trust === "verified"
        ? nothing
        : html`<button
            type="button"
            class="button"
            ?disabled=${view.isBusy}
            @click=${() => act(view, conversation, verify)}
          >
            ${t("sealing.verify")}
          </button>`}
      ${isNew
        ? html`<button
            type="button"
            class="button plain"
            ?disabled=${view.isBusy}
            @click=${() => act(view, conversation, accept)}
          >
            ${t("sealing.accept")}
          </button>`
        : nothing}
    </div>
  </div>`;
}

function devices(view, conversation) {
  const { own: mine } = view;
  const verify = (sealing) => sealing.verify(mine);
  return html`<div class="settings">
    <h3>${t("sealing.devices")}</h3>
    ${mine.devices.map((device) => deviceLine(view, conversation, device))}
    ${mine.fresh.length
      ? html`<p class="problem">${t("sealing.newDevices")}</p>
          <button
            type="button"
            class="button plain"
            ?disabled=${view.isBusy}
            @click=${() => act(view, conversation, verify)}
          >
            ${t("sealing.acceptOwn")}
          </button>`
      : nothing}
    <button type="button" class="button plain" ?disabled=${view.isBusy} @click=${() => end(view)}>
      ${t("sealing.forget")}
    </button>
    <p class="subtitle">${t("sealing.forgetText")}</p>
  </div>`;
}

function deviceLine(view, conversation, { id, created }) {
  const remove = (sealing) => sealing.removeDevice(id);
  const isThis = view.thisId === id;
  return html`<div class="setting">
    <span>${id.slice(0, 8)} <small>${fullTimeOf(created)}</small></span>
    ${isThis
      ? html`<small>${t("sealing.thisDevice")}</small>`
      : html`<button
          type="button"
          class="button plain small"
          ?disabled=${view.isBusy}
          @click=${() => act(view, conversation, remove)}
        >
          ${t("sealing.removeDevice")}
        </button>`}
  </div>`;
}

async function end(view) {
  view.isBusy = true;
  changed();
  if (await attempt(forget)) delete state.views.sealingPane;
  view.isBusy = false;
  changed();
}
