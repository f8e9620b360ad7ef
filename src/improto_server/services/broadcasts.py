"""Messages of the application to many at once (rest 6, 8, 9.2).

They are sent page by page, so that neither the store nor the memory has to hold all of them
together. Whoever sends one is not among those who get it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto.codes import ConversationType
from improto_server.services.accounts import is_user_id
from improto_server.steps import together

if TYPE_CHECKING:
    from collections.abc import Iterable

    from improto import payloads
    from improto_server.hub import Hub
    from improto_server.services.chatrooms import Rooms
    from improto_server.services.letters import Sent
    from improto_server.services.messages import Messages
    from improto_server.services.push_tags import Audience, PushTags
    from improto_server.services.users import Users

PAGE: Final = 500
"""Users or rooms that get a message at once. Ours."""


class Broadcasts:
    """The service. All of it raises ServiceError; what was sent before stays sent."""

    def __init__(
        self, *, messages: Messages, users: Users, rooms: Rooms, tags: PushTags, hub: Hub
    ) -> None:
        self._messages = messages
        self._users = users
        self._rooms = rooms
        self._tags = tags
        self._hub = hub

    async def tell_everybody(self, app: str, sender: str, up: payloads.UpStreamMessage) -> None:
        """Send a message to all whom the server has heard of, as a system message."""
        last = ""
        while page := await self._users.everybody(app, after=last, count=PAGE):
            await self.tell(app, sender, page, up)
            last = page[-1]

    async def tell_tagged(
        self, app: str, sender: str, audience: Audience, up: payloads.UpStreamMessage
    ) -> None:
        """The same to those who have certain tags."""
        for search in audience.searches():
            last = 0
            while page := await self._tags.find(app, search, after=last, count=PAGE):
                await self.tell(app, sender, [each.user for each in page], up)
                last = page[-1].number

    async def tell(
        self, app: str, sender: str, users: Iterable[str], up: payloads.UpStreamMessage
    ) -> None:
        """The same to these users."""
        others = (user for user in users if user != sender and is_user_id(user))
        await self._post(app, sender, ConversationType.SYSTEM, others, up)

    def show_everybody(self, app: str, sender: str, up: payloads.UpStreamMessage) -> Sent:
        """Show a message to all who are connected, as a system message, and forget it."""
        online = dict.fromkeys(device.user.key for device in self._hub.everybody())
        receivers = (name for where, name in online if where == app and name != sender)
        show = self._messages.show
        return show(app, sender, ConversationType.SYSTEM, sender, up, receivers=receivers)

    async def tell_rooms(self, app: str, sender: str, up: payloads.UpStreamMessage) -> None:
        """Send a message to all rooms of an app."""
        last = ""
        while page := await self._rooms.listed(app, after=last, count=PAGE):
            await self._post(app, sender, ConversationType.CHATROOM, page, up)
            last = page[-1]

    async def _post(
        self,
        app: str,
        sender: str,
        type: ConversationType,
        targets: Iterable[str],
        up: payloads.UpStreamMessage,
    ) -> None:
        post = self._messages.post
        await together(post(app, sender, type, target, up, in_sent_box=False) for target in targets)
