"""A person's own data, and what is shown of others.

Name, portrait and what else is shown are the message server's profiles, so a change reaches
whoever follows them there. Address, number and password are known here only.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct
from starlette.responses import FileResponse, JSONResponse

from improto import payloads
from improto_server.accounts import letters
from improto_server.accounts.bodies import (
    Email,
    Entry,
    Id,
    Line,
    Nothing,
    Password,
    Phone,
    Typed,
    read_bytes,
    read_email,
    read_name,
    read_phone,
)
from improto_server.accounts.entry import MOST_PENDING
from improto_server.accounts.house import CONFIRM_HOURS, HOUR
from improto_server.accounts.refusals import RefusedError
from improto_server.accounts.signatures import Purpose
from improto_server.accounts.visits import Reply, Visit, bad_session
from improto_server.services.user_profiles import NAME, PORTRAIT, UNIQUE_ID
from improto_server.store import app_accounts as table
from improto_server.store.app_accounts import Pending
from improto_server.waiting import finished

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from improto_server.accounts.house import House
    from improto_server.accounts.portraits import Portraits
    from improto_server.store.app_accounts import Account

PORTRAITS: Final = "/account/portraits"

FOUND_MOST: Final = 50
"""People who are found by one question."""

_KEY_BYTES: Final = 20
_SHOWN: Final = ("gender", "birthday", "location")
"""What people may say of themselves besides name and portrait; other keys of profiles are for
SDKs."""

_PORTRAIT_HEADERS: Final = {
    # The name is that of the content for ever.
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}


class Change(Struct, forbid_unknown_fields=True, kw_only=True):
    """What is named changes; an empty text takes it away."""

    name: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    gender: Annotated[int, Meta(ge=0, le=2)] | None = None
    birthday: Annotated[str, Meta(max_length=32)] | None = None
    location: Line | None = None


class ChangePhone(Struct, forbid_unknown_fields=True, kw_only=True):
    """Another number to log in by; empty: none."""

    phone: Phone
    password: Typed


class ChangeEmail(Struct, forbid_unknown_fields=True, kw_only=True):
    """Another address."""

    email: Email
    password: Typed


class ChangePassword(Entry, forbid_unknown_fields=True, kw_only=True):
    """Another password."""

    password: Typed
    newPassword: Password


class Wanted(Struct, forbid_unknown_fields=True, kw_only=True):
    """People by the beginning of their names, or by their ids."""

    query: Line = ""
    user: tuple[Id, ...] = ()


class PeopleCalls:
    """The calls."""

    def __init__(self, house: House, portraits: Portraits) -> None:
        self._house = house
        self._portraits = portraits

    async def me(self, visit: Visit, body: Nothing) -> Reply:
        """Everything about who is logged in."""
        account = visit.owner
        request = payloads.UserProfileInput(nothing=1)
        profiles = self._house.system.user_profiles
        profile = await finished(profiles.pull_own(visit.caller, "", request))
        return Reply(
            {
                "user": account.user_id,
                "isGuest": account.is_guest,
                "email": account.email,
                "phone": account.phone,
                "created": account.created,
                **_shown(profile),
            }
        )

    async def change(self, visit: Visit, body: Change) -> Reply:
        """Change what is shown; whoever follows the profile is told."""
        given = {"name": None if body.name is None else read_name(body.name)}
        given |= {"birthday": body.birthday, "location": body.location}
        given["gender"] = None if body.gender is None else str(body.gender)
        await self._put(visit, {key: text for key, text in given.items() if text is not None})
        # Wait for what a change of the profile begins: he is found by his new name when we answer.
        await self._house.records.write(lambda _: None)
        return await self.me(visit, Nothing())

    async def change_phone(self, visit: Visit, body: ChangePhone) -> Reply:
        """Who is first keeps a number; it is not confirmed, because we send no text messages."""
        house = self._house
        phone = read_phone(body.phone)
        house.check_entries(visit.address)
        account = await house.check_password(visit, body.password)
        change = partial(table.set_phone, app=house.app, number=account.number, phone=phone)
        if not await house.records.write(change):
            raise RefusedError(
                HTTPStatus.CONFLICT, "taken", "the number is another account's", field="phone"
            )
        return Reply({"phone": phone})

    async def change_email(self, visit: Visit, body: ChangeEmail) -> Reply:
        """Mail a link to the new address, and a word to the old one."""
        house = self._house
        email = read_email(body.email)
        house.check_entries(visit.address)
        account = await house.check_password(visit, body.password)
        if house.may_write_to(email):
            await house.records.write(partial(self._ask, account=account, email=email))
            house.outbox.look()
        return Reply({})

    async def change_password(self, visit: Visit, body: ChangePassword) -> Reply:
        """All sessions and tokens end, and a new session begins."""
        house = self._house
        account = await house.check_password(visit, body.password)
        password = await house.passwords.hash(body.newPassword)
        change = partial(
            table.set_password, number=account.number, epoch=account.epoch, password=password
        )
        if not await house.records.write(change):
            # Somebody was faster, and it is his password now.
            raise bad_session()
        await house.end_tokens(account.user_id)
        changed = account._replace(epoch=account.epoch + 1, password=password)
        return await house.sessions.enter(visit, changed, is_bearer=body.bearer)

    async def token(self, visit: Visit, body: Nothing) -> Reply:
        """What an SDK needs to connect. The app's secret stays here."""
        house, user = self._house, visit.owner.user_id
        # Who calls slowly, while his session ends, gets one that has ended with it.
        lifetime, now = house.settings.token_hours * HOUR, visit.time
        token = house.accounts.issue(house.app, user, now=now / 1000, lifetime=lifetime)
        return Reply(
            {
                "user": user,
                "appKey": house.app,
                "token": token,
                "expires": now + lifetime * 1000,
                "navigation": house.navigation(visit.request.url.hostname or ""),
            }
        )

    async def people(self, visit: Visit, body: Wanted) -> Reply:
        """Who is called so and wants to be found, or what is shown of users."""
        caller, users = visit.caller, [*body.user]
        query = body.query.strip()
        if query:
            search = partial(table.find, app=caller.app, name=query, most=FOUND_MOST)
            users = await self._house.records.read(search)
        if len(users) > FOUND_MOST:
            raise RefusedError(
                HTTPStatus.BAD_REQUEST,
                "too_long",
                f"user must be there at most {FOUND_MOST} times",
                field="user",
                limit=FOUND_MOST,
            )
        if not users:
            return Reply({"people": []})
        request = payloads.PullUserProfileReq(userId=users)
        profiles = self._house.system.user_profiles
        pulled = await finished(profiles.pull(caller, "", request))
        hub = self._house.system.hub
        return Reply(
            {
                "people": [
                    {
                        "user": profile.userId,
                        "isOnline": hub.find((caller.app, profile.userId)) is not None,
                        **_shown(profile),
                    }
                    for profile in pulled.UserProfile
                    # Of who hides, only the name is told, and that only to who has the id.
                    if not query or UNIQUE_ID in _texts(profile)
                ]
            }
        )

    async def rooms(self, visit: Visit, body: Nothing) -> Reply:
        """The chatrooms that everybody may join."""
        app, rooms = visit.app, self._house.system.rooms
        offered = []
        for text in self._house.settings.rooms:
            id, _, name = text.partition(":")
            room = rooms.get(app, id)
            count = len(room.members) if room is not None else 0
            offered.append({"room": id, "name": name or id, "memberCount": count})
        return Reply({"rooms": offered})

    # -- portraits ------------------------------------------------------------------------------

    async def upload(self, visit: Visit, request: Request) -> Reply:
        """The body is the picture."""
        owner = visit.owner
        data = await read_bytes(request, most=self._house.settings.portrait_bytes)
        name = await self._portraits.keep(data)
        url = f"{self._house.base_url()}{PORTRAITS}/{name}"
        await self._show(visit, owner, name, url)
        return Reply({"portrait": url})

    async def remove_portrait(self, visit: Visit, request: Request) -> Reply:
        """Show none."""
        await self._show(visit, visit.owner, "", "")
        return Reply({"portrait": ""})

    async def download(self, request: Request) -> Response:
        """Everybody may who has the link."""
        found = await self._portraits.find(request.path_params["name"])
        if found is None:
            error = RefusedError(HTTPStatus.NOT_FOUND, "not_found", "there is no such picture")
            return JSONResponse(error.content, status_code=error.status)
        path, kind = found
        return FileResponse(path, media_type=kind, headers=_PORTRAIT_HEADERS)

    async def _show(self, visit: Visit, owner: Account, name: str, url: str) -> None:
        change = partial(table.set_portrait, number=owner.number, portrait=name)
        before = await self._house.records.write(change)
        if before is None:
            # The account has been deleted meanwhile.
            await self._portraits.remove(name)
            raise bad_session()
        await self._portraits.remove(before)
        await self._put(visit, {PORTRAIT: url})

    async def _put(self, visit: Visit, basic: dict[str, str]) -> None:
        app, user = visit.app, visit.owner.user_id
        profiles = self._house.system.user_profiles
        await finished(profiles.change(app, user, basic=basic, extra={}))

    def _ask(self, connection: Connection, *, account: Account, email: str) -> None:
        house = self._house
        house.post(connection, letters.changing(account.email, link=house.link()))
        if table.by_email(connection, app=house.app, email=email) is not None:
            house.post(connection, letters.already(email, link=house.link()))
            return
        until = house.now() + CONFIRM_HOURS * HOUR * 1000
        pending = Pending(house.random(_KEY_BYTES).hex(), email, until, user=account.number)
        table.put_pending(connection, app=house.app, pending=pending, most=MOST_PENDING)
        token = house.sign(Purpose.CONFIRM, pending.key, seconds=CONFIRM_HOURS * HOUR)
        link = house.link("confirm", token)
        house.post(connection, letters.change(email, link=link, hours=CONFIRM_HOURS))


def _texts(profile: payloads.UserProfile) -> dict[str, str]:
    return {info.key: info.value for info in profile.userProfile}


def _shown(profile: payloads.UserProfile) -> dict[str, Any]:
    """What is shown of a user."""
    texts = _texts(profile)
    shown: dict[str, Any] = {"name": texts.get(NAME, ""), "portrait": texts.get(PORTRAIT, "")}
    shown |= {key: texts.get(key, "") for key in _SHOWN}
    shown["gender"] = int(shown["gender"] or 0)
    return shown
