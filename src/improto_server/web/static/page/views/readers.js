/** Who has read a message in a group: a line at the message, and a pane behind it. */

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { groupChat } from "../../improto/improto.js";
import { find } from "../chats.js";
import { attempt } from "../doing.js";
import { groupOf, readCountOf } from "../groups.js";
import { shortTimeOf, t } from "../i18n.js";
import { theClient } from "../im.js";
import { nameIn } from "../people.js";
import { hrefOf, hrefOfChat } from "../routes.js";
import { changed, own, state } from "../state.js";
import { addMark } from "./bubble.js";
import { personAvatar, spinner } from "./parts.js";
import { PANES } from "./places.js";
import { row, sheet } from "./sheets.js";

addMark((message) => {
  const count = readCountOf(message);
  if (count === undefined) return nothing;
  const { targetId } = message.conversation;
  return html`<a class="read-count" href=${hrefOf("readers", targetId, message.uid)}
    >${t("readers.count", count)}</a
  >`;
});

addMark(({ isMentioned, isMine }) =>
  isMentioned && !isMine ? html`<span class="mention">${t("mention.you")}</span>` : nothing,
);

PANES.readers = { place: "chats", view: readersPane };

function readersPane() {
  const [group = "", uid = ""] = state.route.args;
  const conversation = groupChat(group);
  const count = readCountOf(find(conversation, uid) ?? { conversation })?.read ?? 0;
  const view = own("readers", () => ({ key: "" }));
  const key = `${uid}/${count}`;
  if (view.key !== key) {
    Object.assign(view, { key, readers: view.readers ?? null });
    attempt("readers", () => ask(view, conversation, uid));
  }
  const title = t("readers.title");
  const back = hrefOfChat(conversation);
  if (view.readers === null || view.uid !== uid) return sheet({ title, back, content: spinner() });
  const read = new Set(view.readers.map(({ userId }) => userId));
  const others = (groupOf(group).members ?? [])
    .map(({ user }) => user)
    .filter((user) => user !== state.me.user && !read.has(user));
  const line = (user, text = "") =>
    row({ picture: personAvatar(user), title: nameIn(conversation, user), text });
  return sheet({
    title,
    back,
    content: html`<h3>${t("readers.read", { count: read.size })}</h3>
      <ul class="list">
        ${view.readers.map(({ userId, time }) => line(userId, shortTimeOf(Number(time))))}
      </ul>
      ${others.length
        ? html`<h3>${t("readers.unread", { count: others.length })}</h3>
            <ul class="list">
              ${others.map((user) => line(user))}
            </ul>`
        : nothing}`,
  });
}

async function ask(view, conversation, uid) {
  const { readers } = await theClient().receipts.readers({ conversation, uid });
  Object.assign(view, { readers, uid });
  changed();
}
