"""What `improto demo` has to show: people with accounts, friends, a group, and what they have said.

They are put in once, when the server is listening; a file beside the database says that they are
there. Each step may be done twice, in case the first attempt was interrupted.
"""

from __future__ import annotations

import hmac
from base64 import b32encode
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from improto import payloads
from improto.codes import ConversationType
from improto.contents import Text, UpFlag, encode
from improto_server.accounts.people import PORTRAITS
from improto_server.accounts.settings import FIXED_USERS
from improto_server.errors import ServiceError
from improto_server.pictures import portrait
from improto_server.services.callers import caller_of
from improto_server.services.managed_rules import NAME
from improto_server.services.user_profiles import PORTRAIT
from improto_server.store import app_accounts
from improto_server.waiting import finished

if TYPE_CHECKING:
    from improto_server.accounts.server import AccountServer
    from improto_server.app import Application

APP: Final = "demo"
ROOMS: Final = ("lobby:Lobby",)
"""What ``accounts.rooms`` is for it."""


class Person(NamedTuple):
    """Somebody with an account."""

    user: str
    name: str

    @property
    def email(self) -> str:
        """What one logs in with; nobody's mailbox."""
        return f"{self.user}@example.org"


PEOPLE: Final = (Person("alice", "Alice"), Person("bob", "Bob"), Person("carol", "卡萝 Carol"))
"""Who can log in with an address. The terminal's examples are about the first two."""

FIXED: Final = tuple(Person(user, user.capitalize()) for user in FIXED_USERS.values())
"""Who is there by opening a page."""

EVERYBODY: Final = (*PEOPLE, *FIXED)
"""All are friends of each other."""

GROUP: Final = "hiking"
GROUP_NAME: Final = "Sunday hike"
_GROUP_SETTINGS: Final = (
    (NAME, GROUP_NAME),
    ("announcement", "Bring water and good shoes."),
)

_PRIVATE, _GROUP = ConversationType.PRIVATE, ConversationType.GROUP
_SAID: Final = (
    ("bob", _PRIVATE, "alice", "Hi Alice, is this the new messenger?"),
    ("alice", _PRIVATE, "bob", "It is. It runs on this machine, all of it."),
    ("bob", _PRIVATE, "alice", "Nice! Have you seen the robot? Ask it for dice 2d6."),
    ("carol", _PRIVATE, "alice", "你好, 周末有空吗?"),
    ("test", _PRIVATE, "root", "Open /test.html in another tab: that is me."),
    ("alice", _PRIVATE, "root", "Welcome! Write to me, or to the robot."),
    ("alice", _GROUP, GROUP, "Who comes along on Sunday?"),
    ("carol", _GROUP, GROUP, "Me! 我来了 🥾"),
    ("bob", _GROUP, GROUP, "Count me in. Shall we take the 9:12 train?"),
)


def password(secret: str) -> str:
    """What everybody in a demo logs in with, made from its app's secret: no two have the same."""
    digest = hmac.digest(secret.encode(), b"the password of the demo", "sha256")
    text = b32encode(digest)[:10].decode().lower()
    return f"{text[:5]}-{text[5:]}"


async def furnish(application: Application, secret: str) -> None:
    """Put everything in, if that was not done yet. ``secret``: the app's.

    The settings must have ``accounts.enabled``.
    """
    database = application.store.path
    marker = database.with_name(f"{database.name}-furnished")
    if marker.exists():
        return
    server, system = application.account_server, application.system
    assert server is not None
    hashed = await server.house.passwords.hash(password(secret))
    for person in EVERYBODY:
        await _enter(server, person, hashed)
    for number, one in enumerate(EVERYBODY):
        for other in EVERYBODY[:number]:
            await finished(system.friends.befriend(APP, one.user, other.user))
    owner, *members = (person.user for person in EVERYBODY)
    settings = [payloads.ProfileInfo(key=key, value=value) for key, value in _GROUP_SETTINGS]
    request = payloads.ChannelsInput(settingProfile=settings, users=members)
    with suppress(ServiceError):  # There it is already.
        await finished(system.managed_groups.create(caller_of(APP, owner), GROUP, request))
    for sender, kind, target, said in _SAID:
        up = payloads.UpStreamMessage(
            sessionId=UpFlag.STORED | UpFlag.COUNTED,
            classname=Text.object_name,
            content=encode(Text(said)),
        )
        await finished(system.messages.post(APP, sender, kind, target, up))
    marker.touch()


async def _enter(server: AccountServer, person: Person, hashed: str) -> None:
    """Make an account with a portrait, if there is none."""
    house, user = server.house, person.user
    if await house.records.read(partial(app_accounts.account, app=APP, user=user)) is None:
        opened = partial(
            app_accounts.open_account,
            app=APP,
            user=user,
            name=person.name,
            now=house.now(),
            email=person.email,
            password=hashed,
        )
        await house.records.write(opened)
    account = await house.records.read(partial(app_accounts.account, app=APP, user=user))
    assert account is not None
    if account.portrait:
        return
    name = await server.portraits.keep(portrait(user))
    change = partial(app_accounts.set_portrait, number=account.number, portrait=name)
    await house.records.write(change)
    # Without a host: the next run may have another port.
    basic = {PORTRAIT: f"{PORTRAITS}/{name}"}
    await finished(house.system.user_profiles.change(APP, user, basic=basic, extra={}))
