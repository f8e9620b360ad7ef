/**
 * What conversations are called and look like, by their type. A module that brings another type
 * adds it with `addTitles`.
 */

import { ConversationType } from "../../improto/improto.js";
import { nameOf, personOf } from "../people.js";
import { avatar, personAvatar } from "./parts.js";
import { t } from "../i18n.js";

const TITLES = {
  [ConversationType.PRIVATE]: {
    title: (id) => nameOf(id),
    subtitle: (id) => (personOf(id).isOnline ? t("chat.online") : ""),
    avatar: (id, size) => personAvatar(id, size),
  },
};

const OTHERS = {
  title: (id) => id,
  subtitle: () => "",
  avatar: (id, size) => avatar(id, id, { size }),
};

/** `type`: a number of `ConversationType`; `functions`: as above. */
export function addTitles(type, functions) {
  TITLES[type] = { ...OTHERS, ...functions };
}

/** What a conversation is called. */
export function titleOf({ type, targetId }) {
  return (TITLES[type] ?? OTHERS).title(targetId);
}

/** What else there is to say, perhaps nothing. */
export function subtitleOf({ type, targetId }) {
  return (TITLES[type] ?? OTHERS).subtitle(targetId);
}

/** Who is typing there, in words; empty: nobody. */
export function typingIn({ type }, { typing }) {
  const [first] = typing.keys();
  if (first === undefined) return "";
  const isPrivate = type === ConversationType.PRIVATE;
  return isPrivate ? t("chat.isTyping") : t("chat.typing", { name: nameOf(first) });
}

/** Its picture. */
export function pictureOf({ type, targetId }, size = "") {
  return (TITLES[type] ?? OTHERS).avatar(targetId, size);
}
