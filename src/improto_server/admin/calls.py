"""What an operator may ask and do, and what each call takes.

Users, rooms and messages belong to apps. A call that says no app means the only one there is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from heapq import nsmallest
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from improto import payloads
from improto.codes import ConversationType, DisconnectStatus
from improto.contents import Text, UpFlag
from improto_server.accounts.bodies import Count, Id, Line, Nothing
from improto_server.accounts.refusals import RefusedError, invalid
from improto_server.api.common import MOST_MINUTES
from improto_server.errors import ServiceError
from improto_server.services.accounts import is_user_id
from improto_server.steps import start
from improto_server.store import overview
from improto_server.store.overview import FoundUser

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from improto_server.admin.traffic import Traffic
    from improto_server.clock import UserKey
    from improto_server.system import System

    Storage = Callable[[], Mapping[str, int]]

SENDER: Final = "system"
"""Who sends broadcasts, unless told otherwise."""

TEXT_CHARACTERS: Final = 4096
"""The longest broadcast."""

MOST_DEVICES: Final = 10
"""Of a user, that are shown; how many he has is said."""

_MINUTE: Final = 60_000


class OfApp(Struct, forbid_unknown_fields=True, kw_only=True):
    """Something of an app."""

    app: Line = ""
    """Empty: the only one."""


class Page(OfApp, forbid_unknown_fields=True, kw_only=True):
    """The next of a list."""

    after: Line = ""
    """The last one of the page before; empty: from the first on."""
    count: Count = 50


class Wanted(Page, forbid_unknown_fields=True, kw_only=True):
    """Users whose ids, or whose accounts' names, begin so."""

    query: Line = ""
    online: bool = False
    """Only those who are, by their ids."""


class OfUser(OfApp, forbid_unknown_fields=True, kw_only=True):
    """A user."""

    user: Id


class Block(OfUser, forbid_unknown_fields=True, kw_only=True):
    """A user who may not connect."""

    minutes: Annotated[int, Meta(ge=1, le=MOST_MINUTES)]


class OfRoom(OfApp, forbid_unknown_fields=True, kw_only=True):
    """A chatroom."""

    room: Id


class Broadcast(OfApp, forbid_unknown_fields=True, kw_only=True):
    """A text for many."""

    text: Annotated[str, Meta(min_length=1, max_length=TEXT_CHARACTERS)]
    to: Literal["everybody", "online", "rooms"]
    sender: Id = SENDER


class Call(NamedTuple):
    """One of them."""

    method: str
    """GET changes nothing; its fields are in the query. Those of POST are in a JSON body."""
    path: str
    kind: type[Struct]
    handler: Callable[[Any], Coroutine[Any, Any, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminCalls:
    """The calls. They await nothing but the store, as services do.

    All raise RefusedError for what cannot be done, ServiceError likewise.
    """

    apps: Sequence[str]
    """Keys of all apps."""
    system: System
    traffic: Traffic
    storage: Storage
    """How large things are, in bytes."""
    version: str
    on_failure: Callable[[Exception], None]
    """Called with what a broadcast has failed with after it was answered."""

    def all(self) -> list[Call]:
        """The table, in the order of the manual."""
        return [
            Call("GET", "/status", Nothing, self.status),
            Call("GET", "/users", Wanted, self.users),
            Call("POST", "/kick", OfUser, self.kick),
            Call("POST", "/block", Block, self.block),
            Call("POST", "/unblock", OfUser, self.unblock),
            Call("GET", "/blocked", Page, self.blocked),
            Call("GET", "/rooms", Page, self.rooms),
            Call("POST", "/rooms/destroy", OfRoom, self.destroy),
            Call("POST", "/broadcast", Broadcast, self.broadcast),
        ]

    async def status(self, body: Nothing) -> Mapping[str, Any]:
        """How the server is."""
        system, traffic = self.system, self.traffic
        online = Counter[str]()
        connections = Counter[str]()
        for user in system.hub.users:
            online[user.key[0]] += 1
            connections[user.key[0]] += len(user.devices)
        now = system.clock.now()
        return {
            "version": self.version,
            "time": now,
            "uptime": int(traffic.uptime),
            "users": online.total(),
            "connections": system.hub.connections,
            "rooms": system.rooms.count.total(),
            "messages": {
                "perSecond": round(traffic.per_second, 2),
                "lastMinute": traffic.last_minute,
                "total": traffic.total,
            },
            "storage": self.storage(),
            "apps": [
                {
                    "app": app,
                    "users": online[app],
                    "connections": connections[app],
                    "rooms": system.rooms.count[app],
                    "blocked": len(system.standings.banned(app, now=now)),
                }
                for app in self.apps
            ],
        }

    async def users(self, body: Wanted) -> Mapping[str, Any]:
        """Whom the server has heard of and who is online, in the order of their ids.

        Accounts that are found by their names are before them, on the first page.
        """
        app = self._app(body)
        read = self.system.data.read
        more = body.count + 1
        online = nsmallest(
            more,
            (
                name
                for where, name in self.system.hub.keys
                if where == app and name > body.after and name.startswith(body.query)
            ),
        )
        named: list[FoundUser] = []
        if body.online:
            found = await read(partial(overview.these_users, app=app, names=online))
        else:
            query = partial(overview.users_by_id, app=app, start=body.query, after=body.after)
            found = await read(partial(query, count=more))
            # Who has only connected so far is not in the store.
            known = {each.user for each in found}
            found = sorted([*found, *(FoundUser(name, "") for name in online if name not in known)])
            if body.query and not body.after:
                query = partial(overview.users_by_name, app=app, start=body.query)
                named = await read(partial(query, count=body.count))
        page = found[: body.count]
        return {
            "users": [self._shown(app, each) for each in dict.fromkeys([*named, *page])],
            "next": page[-1].user if len(found) > len(page) else "",
        }

    async def kick(self, body: OfUser) -> Mapping[str, Any]:
        """Send a user's connections away; his SDKs do not come back by themselves (codes 3)."""
        key = self._key(body)
        user = self.system.hub.find(key)
        count = len(user.devices) if user is not None else 0
        self.system.hub.dismiss(key, DisconnectStatus.REMOTE_CLOSE)
        return {"connections": count}

    async def block(self, body: Block) -> Mapping[str, Any]:
        """Let a user not connect for some time, and send him away if he is here."""
        key = self._key(body)
        until = self.system.clock.now() + body.minutes * _MINUTE
        await self.system.standings.ban(key, until=until)
        return {"blockedUntil": until}

    async def unblock(self, body: OfUser) -> Mapping[str, Any]:
        """He may again."""
        await self.system.standings.ban(self._key(body), until=0)
        return {}

    async def blocked(self, body: Page) -> Mapping[str, Any]:
        """Who may not connect, in the order of their ids."""
        banned = self.system.standings.banned(self._app(body), now=self.system.clock.now())
        found = nsmallest(body.count + 1, (user for user in banned if user > body.after))
        page = found[: body.count]
        return {
            "users": [{"user": user, "blockedUntil": banned[user]} for user in page],
            "next": page[-1] if len(found) > len(page) else "",
        }

    async def rooms(self, body: Page) -> Mapping[str, Any]:
        """Chatrooms, in the order of their ids."""
        app = self._app(body)
        query = partial(overview.rooms, app=app, after=body.after, count=body.count + 1)
        found = await self.system.data.read(query)
        page = found[: body.count]
        rooms = []
        for each in page:
            known = self.system.rooms.get(app, each.room)
            rooms.append(
                {
                    "room": each.room,
                    "name": each.name,
                    "created": each.created,
                    # A room that nobody has asked for since the start has nobody in it.
                    "members": len(known.members) if known is not None else 0,
                    "isMuted": each.is_muted,
                    "isKept": each.is_kept,
                }
            )
        return {"rooms": rooms, "next": page[-1].room if len(found) > len(page) else ""}

    async def destroy(self, body: OfRoom) -> Mapping[str, Any]:
        """Destroy a chatroom; who is in it is told."""
        app = self._app(body)
        if not is_user_id(body.room):
            raise invalid("room", "that cannot be the id of a room")
        room = await self.system.rooms.load(app, body.room)
        if not room.exists:
            raise RefusedError(
                HTTPStatus.NOT_FOUND, "no_such_room", "there is no such room", field="room"
            )
        members = len(room.members)
        await self.system.rooms.destroy(app, body.room)
        return {"members": members}

    async def broadcast(self, body: Broadcast) -> Mapping[str, Any]:
        """Send a text to many, in a conversation of type 6, or to all rooms.

        To who is online it is shown at once and kept nowhere. Otherwise it is answered at once
        and takes a while.
        """
        app = self._app(body)
        if not is_user_id(body.sender):
            raise invalid("sender", "that cannot be the id of a user")
        system, is_shown = self.system, body.to == "online"
        up = payloads.UpStreamMessage(
            sessionId=0 if is_shown else UpFlag.STORED | UpFlag.COUNTED,
            classname=Text.object_name,
            content=msgspec.json.encode({"content": body.text}),
        )
        fault = system.messages.fault(ConversationType.SYSTEM, body.sender, up)
        if fault is not None:
            raise ServiceError(fault)
        if is_shown:
            system.broadcasts.show_everybody(app, body.sender, up)
        elif body.to == "rooms":
            start(system.broadcasts.tell_rooms(app, body.sender, up), self._ended)
        else:
            start(system.broadcasts.tell_everybody(app, body.sender, up), self._ended)
        return {}

    def _app(self, body: OfApp) -> str:
        if body.app in self.apps:
            return body.app
        if not body.app and len(self.apps) == 1:
            return self.apps[0]
        raise invalid("app", f"app must be one of {', '.join(self.apps)}"[:500])

    def _key(self, body: OfUser) -> UserKey:
        if not is_user_id(body.user):
            raise invalid("user", "that cannot be the id of a user")
        return self._app(body), body.user

    def _shown(self, app: str, found: FoundUser) -> Mapping[str, Any]:
        key = app, found.user
        user = self.system.hub.find(key)
        devices = user.devices if user is not None else []
        now = self.system.clock.now()
        return {
            "user": found.user,
            "name": found.name,
            "connections": len(devices),
            "devices": [
                {
                    "address": device.peer.address,
                    "sdk": device.peer.login.sdk_version,
                    "isPolling": device.peer.login.is_polling,
                }
                for device in devices[:MOST_DEVICES]
            ],
            "blockedUntil": self.system.standings.banned_until(key, now=now),
        }

    def _ended(self, result: Exception | None) -> None:
        if result is not None:
            self.on_failure(result)
