/**
 * Answering a message, saying something else in one's own, and passing one on. The first two show
 * above the text what it will be about; the next text that is sent is it.
 */

import { html, nothing, render, svg } from "../../vendor/lit-html/lit-html.js";
import { keyOf, quote, text } from "../../improto/improto.js";
import { OBJECT_NAME } from "../../improto/sealing.js";
import { draftOf, find, listed, put, setDraft } from "../chats.js";
import { sayError } from "../errors.js";
import { t } from "../i18n.js";
import { openConversation, send, theClient } from "../im.js";
import { nameOf } from "../people.js";
import { isOn } from "../sealing.js";
import { changed, onChange, own, state, toast } from "../state.js";
import { addAction } from "./actions.js";
import { composerHeads, focusComposer, takers } from "./composer.js";
import { rendererOf, summaryOf } from "./contents/index.js";
import { addIcons, icon } from "./icons.js";
import { iconButton } from "./parts.js";
import { pictureOf, titleOf } from "./titles.js";

const TEXT = "RC:TxtMsg";

addIcons({
  edit: svg`<path d="M4 20l1-4L16 5l3 3L8 19zM14 7l3 3" />`,
  forward: svg`<path d="M14 6l5 5-5 5M19 11H9a5 5 0 0 0-5 5v2" />`,
  reply: svg`<path d="M10 7H5v6h5M10 7v7a3 3 0 0 1-3 3M19 7h-5v6h5M19 7v7a3 3 0 0 1-3 3" />`,
});

/** `{ message, kind, draft }`: "reply" or "edit", and what stood there before; or null. */
const view = () => own("quoting", () => ({ about: null }));

/** What was sealed for some is not for others, nor for a quotation that anybody could read. */
const isSent = (message) =>
  message.state === "sent" &&
  message.uid !== "" &&
  message.name !== OBJECT_NAME &&
  !rendererOf(message).isNotice;

addAction({
  name: "reply",
  icon: "reply",
  label: () => t("message.reply"),
  canUse: isSent,
  run: (message) => take(message, "reply"),
});
addAction({
  name: "edit",
  icon: "edit",
  label: () => t("message.edit"),
  // Its new text would not be sealed.
  canUse: (message) => isSent(message) && isOwnText(message) && !isOn(message.conversation),
  run: (message) => take(message, "edit"),
});
addAction({
  name: "forward",
  icon: "forward",
  label: () => t("message.forward"),
  canUse: (message) => isSent(message) && message.isStored,
  run: choose,
});

function isOwnText({ isMine, name, fields }) {
  return isMine && name === TEXT && typeof fields.content === "string";
}

composerHeads.add(bar);
takers.add(taken);

function take(message, kind) {
  const { conversation } = message;
  leave();
  view().about = { message, kind, draft: draftOf(conversation) };
  if (kind === "edit") setDraft(conversation, message.fields.content);
  changed();
  queueMicrotask(() => focusComposer(document));
}

/** It is not about a message any more. */
function leave() {
  const { about } = view();
  if (about === null) return;
  view().about = null;
  if (about.kind === "edit") setDraft(about.message.conversation, about.draft);
  changed();
}

function isAbout(about, conversation) {
  return about !== null && keyOf(about.message.conversation) === keyOf(conversation);
}

function bar(conversation) {
  const { about } = view();
  if (!isAbout(about, conversation)) return nothing;
  const { message, kind } = about;
  return html`<div class="about" role="status">
    ${icon(kind)}
    <span class="grow">
      <span class="card-title"
        >${kind === "edit" ? t("message.edit") : t("message.replyTo", { name: whose(message) })}</span
      >
      <span class="card-text">${summaryOf(message)}</span>
    </span>
    ${iconButton({ name: "close", label: t("common.cancel"), run: leave })}
  </div>`;
}

function whose({ isMine, senderId }) {
  return isMine ? t("chat.you") : nameOf(senderId);
}

function taken(conversation, written, options) {
  const { about } = view();
  if (!isAbout(about, conversation)) return false;
  view().about = null;
  if (about.kind === "reply") {
    send(conversation, quote(about.message, written), options);
  } else {
    setDraft(conversation, about.draft);
    edit(about.message, written);
  }
  return true;
}

async function edit(message, written) {
  const content = text(written);
  try {
    await theClient().messages.edit(message, content);
    const known = find(message.conversation, message.uid) ?? message;
    put(message.conversation, [{ ...known, fields: content.fields, isEdited: true }]);
  } catch (error) {
    toast(sayError(error), "error");
  }
}

/** Who leaves a chat does not answer there any more. */
onChange(() => {
  if (state.stage !== "inside") return;
  const open = openConversation();
  const { about } = view();
  if (about !== null && !(open && isAbout(about, open))) leave();
});

// -- passing on ------------------------------------------------------------------------

/** Ask to which conversation a message shall go. */
function choose(message) {
  const dialog = document.createElement("dialog");
  const id = "forward-title";
  dialog.className = "chooser";
  dialog.setAttribute("aria-labelledby", id);
  const forward = ({ conversation }) => {
    const { name, fields } = message;
    dialog.close();
    send(conversation, { name, fields });
    toast(t("message.forwarded", { name: titleOf(conversation) }));
  };
  render(
    html`<header>
        <h2 id=${id} class="grow">${t("message.forwardTo")}</h2>
        ${iconButton({ name: "close", label: t("common.close"), run: () => dialog.close() })}
      </header>
      <ul>
        ${listed().map(
          (entry) => html`<li>
            <button type="button" class="item" @click=${() => forward(entry)}>
              ${pictureOf(entry.conversation)}
              <span class="item-title">${titleOf(entry.conversation)}</span>
            </button>
          </li>`,
        )}
      </ul>`,
    dialog,
  );
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
