/**
 * What can be sent besides texts: the "+" of the composer with pictures, files, voice and place, and
 * files that are dropped on a chat or pasted.
 */

import { html, nothing, svg } from "../../vendor/lit-html/lit-html.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import { place as placeContent } from "../../improto/improto.js";
import { durationOf, sizeOf, t } from "../i18n.js";
import { openConversation, send } from "../im.js";
import { canRecord, discard, finish, LONGEST, record, recording } from "../recorder.js";
import { changed, own, state, toast } from "../state.js";
import { cancel, sendFiles, tryAgain, uploadsOf } from "../uploads.js";
import { addComposerTool, composerHeads } from "./composer.js";
import { addIcons, icon } from "./icons.js";
import { iconButton } from "./parts.js";

/** Characters of the name of a place. */
const MOST_POI = 100;

/** Milliseconds until a position must be known. */
const FIND_WITHIN = 15_000;

addIcons({
  download: svg`<path d="M12 4v11M7 10l5 5 5-5M5 20h14" />`,
  file: svg`<path d="M6 3h8l4 4v14H6zM14 3v4h4" />`,
  image: svg`<path d="M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9h.01" />`,
  mic: svg`<path d="M12 4a3 3 0 0 1 3 3v4a3 3 0 0 1-6 0V7a3 3 0 0 1 3-3zM6 11a6 6 0 0 0 12 0M12 17v3" />`,
  pause: svg`<path d="M8 5v14M16 5v14" />`,
  place: svg`<path d="M12 21s7-6.5 7-11.5a7 7 0 0 0-14 0C5 14.5 12 21 12 21zM12 12a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z" />`,
  play: svg`<path d="M8 5l11 7-11 7z" />`,
  plus: svg`<path d="M12 5v14M5 12h14" />`,
});

const view = () => own("attachments", () => ({ isPlacing: false, isFinding: false }));

addComposerTool({
  name: "attach",
  icon: "plus",
  label: () => t("attach.title"),
  panel: (place) => (view().isPlacing ? placeForm(place) : choices(place)),
});

composerHeads.add(recorderBar);
composerHeads.add(uploadBars);

function choices({ conversation, close }) {
  const choose = (accept) => () => {
    close();
    pick(conversation, accept);
  };
  const speak = () => {
    close();
    record(conversation);
  };
  const point = () => {
    view().isPlacing = true;
    changed();
  };
  return html`<div class="attach" role="group" aria-label=${t("attach.title")}>
    ${choice("image", t("attach.picture"), choose("image/*"))}
    ${choice("file", t("attach.file"), choose(""))}
    ${canRecord() ? choice("mic", t("attach.voice"), speak) : nothing}
    ${choice("place", t("attach.place"), point)}
  </div>`;
}

function choice(picture, label, run) {
  return html`<button type="button" class="attach-choice" @click=${run}>
    ${icon(picture)}<span>${label}</span>
  </button>`;
}

/** Ask the browser for files. */
function pick(conversation, accept) {
  const input = document.createElement("input");
  Object.assign(input, { type: "file", multiple: true, accept });
  input.addEventListener("change", () => sendFiles(conversation, [...input.files]));
  input.click();
}

// -- files on their way ----------------------------------------------------------------

function uploadBars(conversation) {
  const uploads = uploadsOf(conversation);
  if (!uploads.length) return nothing;
  return html`<ul class="uploads" aria-label=${t("upload.title")}>
    ${repeat(uploads, ({ id }) => id, uploadBar)}
  </ul>`;
}

function uploadBar(upload) {
  const { file, share, error } = upload;
  return html`<li class="upload">
    ${icon(file.type.startsWith("image/") ? "image" : "file")}
    <span class="grow">
      <span class="card-title">${file.name}</span>
      ${error === null
        ? html`<progress max="1" .value=${share} aria-label=${file.name}></progress>`
        : html`<span class="problem" role="alert">${error}</span>`}
    </span>
    <span class="card-text">${sizeOf(file.size)}</span>
    ${error === null
      ? nothing
      : iconButton({ name: "again", label: t("message.again"), run: () => tryAgain(upload) })}
    ${iconButton({ name: "close", label: t("upload.cancel"), run: () => cancel(upload) })}
  </li>`;
}

// -- voice -----------------------------------------------------------------------------

function recorderBar() {
  const current = recording();
  if (current === null) return nothing;
  const seconds = current.begun ? (Date.now() - current.begun) / 1000 : 0;
  return html`<div class="recorder" role="group" aria-label=${t("attach.voice")}>
    <span class="recorder-dot ${current.begun ? "is-on" : ""}" aria-hidden="true"></span>
    <span class="grow" role="status"
      >${current.begun
        ? t("voice.recording", { time: durationOf(seconds), most: durationOf(LONGEST) })
        : t("voice.waiting")}</span
    >
    <button type="button" class="button plain" @click=${discard}>${t("common.cancel")}</button>
    <button type="button" class="button" ?disabled=${!current.begun} @click=${finish}>
      ${t("composer.send")}
    </button>
  </div>`;
}

// -- place -----------------------------------------------------------------------------

function placeForm({ conversation, close }) {
  const end = () => {
    view().isPlacing = false;
    close();
  };
  const number = (name, most) => html`<label class="field">
    <span>${t(`place.${name}`)}</span>
    <input name=${name} type="number" step="any" min=${-most} max=${most} />
  </label>`;
  // It stands in the composer's form, so it cannot be one itself.
  const submit = ({ currentTarget }) => {
    const fields = fieldsOf(currentTarget);
    const { latitude, longitude } = fields;
    for (const each of [latitude, longitude]) {
      each.required = true;
      const isRight = each.reportValidity();
      each.required = false;
      if (!isRight) return;
    }
    const poi = fields.poi.value.trim();
    const where = { latitude: latitude.valueAsNumber, longitude: longitude.valueAsNumber, poi };
    send(conversation, placeContent(where));
    end();
  };
  return html`<fieldset class="place-form">
    <legend>${t("content.place")}</legend>
    ${number("latitude", 90)} ${number("longitude", 180)}
    <label class="field">
      <span>${t("place.poi")}</span>
      <input name="poi" maxlength=${MOST_POI} autocomplete="off" />
    </label>
    <div class="place-buttons">
      <button type="button" class="button plain" ?disabled=${view().isFinding} @click=${locate}>
        ${t("place.here")}
      </button>
      <button type="button" class="button plain" @click=${end}>${t("common.cancel")}</button>
      <button type="button" class="button" @click=${submit}>${t("composer.send")}</button>
    </div>
  </fieldset>`;
}

function fieldsOf(button) {
  return button.closest("fieldset").elements;
}

async function locate({ currentTarget }) {
  const fields = fieldsOf(currentTarget);
  view().isFinding = true;
  changed();
  try {
    const { coords } = await new Promise((resolve, reject) => {
      const options = { timeout: FIND_WITHIN, enableHighAccuracy: true };
      navigator.geolocation.getCurrentPosition(resolve, reject, options);
    });
    fields.latitude.value = coords.latitude.toFixed(6);
    fields.longitude.value = coords.longitude.toFixed(6);
  } catch (error) {
    const isRefused = error.code === GeolocationPositionError.PERMISSION_DENIED;
    toast(t(isRefused ? "place.refused" : "place.unknown"), "error");
  } finally {
    view().isFinding = false;
    changed();
  }
}

// -- dropping and pasting --------------------------------------------------------------

/** The chat that files would go to. */
function target() {
  return state.stage === "inside" ? openConversation() : null;
}

function dropping(isOn) {
  document.documentElement.classList.toggle("is-dropping", isOn);
}

document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  // Otherwise the browser would leave the page for the file.
  event.preventDefault();
  event.dataTransfer.dropEffect = target() ? "copy" : "none";
  dropping(target() !== null);
});
document.addEventListener("dragleave", ({ relatedTarget }) => {
  if (relatedTarget === null) dropping(false);
});
document.addEventListener("drop", (event) => {
  const conversation = target();
  dropping(false);
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  if (conversation) sendFiles(conversation, [...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => {
  const conversation = target();
  const files = [...(event.clipboardData?.files ?? [])];
  if (!conversation || !files.length) return;
  event.preventDefault();
  sendFiles(conversation, files);
});
