/**
 * What can be done with a message: the buttons beside it.
 *
 * An action is `{ name, icon, label(), canUse(message), run(message) }`. To add one: a line in the
 * list, or `addAction`.
 */

import { recall, sendAgain } from "../im.js";
import { discard } from "../chats.js";
import { toast } from "../state.js";
import { t } from "../i18n.js";
import { rendererOf, summaryOf } from "./contents/index.js";

const isSent = (message) => message.state === "sent" && !rendererOf(message).isNotice;

const ACTIONS = [
  {
    name: "again",
    icon: "again",
    label: () => t("message.again"),
    canUse: ({ state }) => state === "failed",
    run: sendAgain,
  },
  {
    name: "discard",
    icon: "bin",
    label: () => t("message.discard"),
    canUse: ({ state }) => state === "failed",
    run: discard,
  },
  {
    name: "copy",
    icon: "copy",
    label: () => t("message.copy"),
    canUse: (message) => isSent(message) && message.name === "RC:TxtMsg",
    run: copy,
  },
  {
    name: "recall",
    icon: "undo",
    label: () => t("message.recall"),
    canUse: (message) => isSent(message) && message.isMine,
    run: recall,
  },
];

/** Add an action behind the others. */
export function addAction(action) {
  ACTIONS.push(action);
}

/** Those that fit a message. */
export function actionsOf(message) {
  return ACTIONS.filter(({ canUse }) => canUse(message));
}

async function copy(message) {
  try {
    await navigator.clipboard.writeText(message.fields.content ?? summaryOf(message));
    toast(t("message.copied"));
  } catch {
    toast(t("message.notCopied"), "error");
  }
}
