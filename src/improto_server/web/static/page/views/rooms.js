/** Rooms: the left column, who is in one, and the notices of coming and going. */

import { html, nothing, svg } from "../../vendor/lit-html/lit-html.js";
import { ConversationType, keyOf, roomChat } from "../../improto/improto.js";
import { entryOf } from "../chats.js";
import { attempt } from "../doing.js";
import { t } from "../i18n.js";
import { nameOf } from "../people.js";
import {
  joinedRooms,
  leaveRoom,
  loadMembers,
  loadRooms,
  MEMBER_CHANGE,
  roomNameOf,
  rooms,
} from "../rooms.js";
import { go, hrefOf, hrefOfChat } from "../routes.js";
import { changed, own, state } from "../state.js";
import { addTool } from "./chat.js";
import { addRenderer } from "./contents/index.js";
import { addIcons } from "./icons.js";
import { avatar, empty, personAvatar, spinner } from "./parts.js";
import { PANES, PLACES } from "./places.js";
import { lineForm, row, sheet } from "./sheets.js";
import { addTitles } from "./titles.js";

/** Names in one notice. */
const MOST_NAMED = 5;

const ENTERED = 1;

addIcons({
  room: svg`<path d="M4 20V9l8-5 8 5v11M9 20v-6h6v6M2.5 20h19" />`,
});

const { me } = PLACES;
delete PLACES.me;
PLACES.rooms = { icon: "room", label: () => t("rooms.title"), view: roomsPlace, badge: () => 0 };
PLACES.me = me;

PANES.room = { place: "rooms", view: roomPane };

addTitles(ConversationType.CHATROOM, {
  title: roomNameOf,
  subtitle: (room) => {
    const total = rooms().members.get(room)?.total;
    return total === undefined ? "" : t("rooms.here", { count: total });
  },
  avatar: (room, size) => avatar(room, roomNameOf(room), { size }),
});

const isRoom = ({ type }) => type === ConversationType.CHATROOM;

addTool({
  name: "room",
  icon: "people",
  isInSight: true,
  label: () => t("rooms.members"),
  canUse: isRoom,
  run: ({ targetId }) => go(hrefOf("room", targetId)),
});

addTool({
  name: "leaveRoom",
  icon: "leave",
  label: () => t("rooms.leave"),
  canUse: isRoom,
  run: ({ targetId }) =>
    attempt("leaveRoom", async () => {
      await leaveRoom(targetId);
      go(hrefOf("rooms"));
    }),
});

addRenderer(MEMBER_CHANGE, { isNotice: true, view: said, summary: said });

function said({ fields }) {
  const changes = Array.isArray(fields.userList) ? fields.userList : [];
  const lines = [true, false].map((isIn) => {
    const users = changes
      .filter((each) => typeof each?.userId === "string" && (each.status === ENTERED) === isIn)
      .map(({ userId }) => nameOf(userId));
    if (!users.length) return "";
    const names = users.slice(0, MOST_NAMED).join(", ");
    const more = users.length > MOST_NAMED ? ` +${users.length - MOST_NAMED}` : "";
    return t(isIn ? "rooms.entered" : "rooms.left", { names: names + more });
  });
  return lines.filter(Boolean).join(" · ");
}

function roomsPlace() {
  const view = own("roomsPlace", () => ({ isAsked: false }));
  if (!view.isAsked) {
    view.isAsked = true;
    attempt("rooms", loadRooms);
  }
  const { offered } = rooms();
  const known = new Set(offered?.map(({ room }) => room));
  const others = joinedRooms().filter((room) => !known.has(room));
  const all = [...(offered ?? []), ...others.map((room) => ({ room }))];
  return html`<div class="scroll">
    ${offered === null
      ? spinner()
      : all.length
        ? html`<ul class="list" aria-label=${t("rooms.title")}>
            ${all.map(roomRow)}
          </ul>`
        : empty("room", t("rooms.none"), t("rooms.noneText"))}
    <div class="settings">
      ${lineForm({
        name: "openroom",
        label: t("rooms.id"),
        button: t("rooms.open"),
        isEmptied: true,
        run: async (room) => {
          if (room) go(hrefOfChat(roomChat(room)));
        },
      })}
    </div>
  </div>`;
}

function roomRow({ room, memberCount }) {
  const conversation = roomChat(room);
  const isIn = joinedRooms().includes(room);
  const count = rooms().members.get(room)?.total ?? memberCount;
  const known = state.conversations.has(keyOf(conversation));
  const unread = known ? entryOf(conversation).unread : 0;
  const place = t(isIn ? "rooms.isIn" : "rooms.isOut");
  return row({
    picture: avatar(room, roomNameOf(room)),
    title: roomNameOf(room),
    text: count === undefined ? place : `${t("rooms.here", { count })} · ${place}`,
    href: hrefOfChat(conversation),
    mark: unread
      ? html`<span class="badge quiet" aria-label=${t("chats.unread", { count: unread })}>${unread}</span>`
      : nothing,
  });
}

function roomPane() {
  const [room = ""] = state.route.args;
  const view = own("roomPane", () => ({ room: "" }));
  if (view.room !== room) {
    view.room = room;
    attempt("room", () => loadMembers(room)).then(changed);
  }
  const known = rooms().members.get(room);
  const title = roomNameOf(room);
  const back = hrefOfChat(roomChat(room));
  if (known === undefined) return sheet({ title, back, content: spinner() });
  const { total, users } = known;
  return sheet({
    title,
    back,
    content: html`<h3>${t("rooms.here", { count: total })}</h3>
      <ul class="list" aria-label=${t("rooms.members")}>
        ${users.map((user) =>
          row({ picture: personAvatar(user), title: nameOf(user), href: hrefOf("person", user) }),
        )}
      </ul>
      ${total > users.length
        ? html`<p class="subtitle">${t("rooms.andMore", { count: total - users.length })}</p>`
        : nothing}`,
  });
}
