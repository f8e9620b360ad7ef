/** One message of a chat. */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { ConversationType } from "../../improto/improto.js";
import { entryOf } from "../chats.js";
import { sayError } from "../errors.js";
import { fullTimeOf, t, timeOf } from "../i18n.js";
import { nameIn } from "../people.js";
import { actionsOf } from "./actions.js";
import { rendererOf, viewOf } from "./contents/index.js";
import { icon } from "./icons.js";
import { iconButton, personAvatar } from "./parts.js";

const MARKS = [];

/** Add what stands before the time: a function from a message to a template or `nothing`. */
export function addMark(mark) {
  MARKS.push(mark);
}

/** `isFirst`: the one before is somebody else's, or much older. */
export function bubble(message, { isFirst }) {
  const { isMine, conversation, senderId } = message;
  if (rendererOf(message).isNotice) return html`<div class="notice">${viewOf(message)}</div>`;
  const isAmongMany = conversation.type !== ConversationType.PRIVATE;
  const showsName = isAmongMany && !isMine;
  return html`<article
    class="message ${isMine ? "mine" : ""} ${isFirst ? "first" : ""} ${message.state}"
    tabindex="0"
    aria-label=${isMine ? t("chat.you") : nameIn(conversation, senderId)}
  >
    ${showsName ? html`<span class="beside">${isFirst ? personAvatar(senderId) : nothing}</span>` : nothing}
    <div class="bubble">
      ${showsName && isFirst ? html`<div class="sender">${nameIn(conversation, senderId)}</div>` : nothing}
      <div class="content">${viewOf(message)}</div>
      <div class="meta">
        ${MARKS.map((mark) => mark(message))}
        ${message.isEdited ? html`<span>${t("message.edited")}</span>` : nothing}
        ${time(message)} ${isMine ? tick(message) : nothing}
      </div>
    </div>
    <div class="actions">
      ${actionsOf(message).map((action) =>
        iconButton({ name: action.icon, label: action.label(), run: () => action.run(message) }),
      )}
    </div>
    ${message.state === "failed"
      ? html`<p class="failure" role="alert">${sayError({ code: message.error })}</p>`
      : nothing}
  </article>`;
}

function time(message) {
  const at = message.time || message.writtenAt;
  return html`<time datetime=${new Date(at).toISOString()} title=${fullTimeOf(at)}
    >${timeOf(at)}</time
  >`;
}

function tick(message) {
  const isRead = message.state === "sent" && entryOf(message.conversation).readUntil >= message.time;
  const [name, label] =
    message.state === "sending"
      ? ["clock", t("message.sending")]
      : message.state === "failed"
        ? ["exclamation", t("message.failed")]
        : isRead
          ? ["checks", t("message.read")]
          : ["check", t("message.sent")];
  return html`<span class="tick ${isRead ? "read" : ""}" role="img" aria-label=${label} title=${label}
    >${icon(name)}</span
  >`;
}
