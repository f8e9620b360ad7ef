/**
 * Where one can be: what the left and the right column show, by the name in the address.
 *
 * A place is `{ icon, label(), view(), badge() }` and has a button below the left column; a pane
 * is `{ place, view() }`, fills the right column and belongs to a place. To add one: a module in
 * this folder, and a line here.
 */

import { t } from "../i18n.js";
import { placeOf, totalUnread } from "../chats.js";
import { openConversation } from "../im.js";
import { chatPane } from "./chat.js";
import { conversationsPlace } from "./conversations.js";
import { mePlace } from "./me.js";

export const PLACES = {
  __proto__: null,
  chats: {
    icon: "chat",
    label: () => t("chats.title"),
    view: conversationsPlace,
    badge: totalUnread,
  },
  me: { icon: "person", label: () => t("me.title"), view: mePlace, badge: () => 0 },
};

export const PANES = {
  __proto__: null,
  chat: {
    get place() {
      return placeOf(openConversation() ?? {});
    },
    view: chatPane,
  },
};
