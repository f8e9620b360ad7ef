"""A page with SDK 5, which tells by events what SDK 2 shows as messages, and can do more."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from tests.interop.page import Page
from tests.interop.party import GROUP, PRIVATE, Place

if TYPE_CHECKING:
    from tests.interop.party import Heard, Sent

READ_BY: Final = "READ_RECEIPT_RECEIVED"
ASKED: Final = "MESSAGE_RECEIPT_REQUEST"


class NextPage(Page):
    """Whatever SDK 5 exports is reached by :meth:`call`, whatever it tells by
    :meth:`wait_event`; ``pages/imlib-next.js`` says how."""

    def open(self) -> None:
        self._events_taken = Counter[str]()
        super().open()

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function that SDK 5 exports; its data, or None, or Refused with the code."""
        data = self.ask("call", name, *arguments)
        return data[0] if data else None

    def events(self, name: str) -> list[Any]:
        """What SDK 5 has told the listeners of an event so far."""
        told = "wanted => im.events.filter(([name]) => name === wanted).map(([, data]) => data)"
        events: list[Any] = self.script(told, name)
        return events

    def wait_event(self, name: str, *, count: int = 1) -> Any:
        """Wait until SDK 5 has told the listeners of an event so many times; the last of them."""
        self.wait_for(f"events.filter(([name]) => name === '{name}').length >= {count}")
        return self.events(name)[count - 1]

    def tell_read(self, message: Heard) -> None:
        self.call("sendReadReceiptMessage", message.conversation, message.uid, message.time)

    def take_read(self) -> tuple[str, str, int]:
        receipt = self._take_event(READ_BY)
        return receipt["sendUserId"], receipt["messageUId"], receipt["sentTime"]

    def ask_receipts(self, group: Place, message: Sent) -> None:
        self.call("sendReadReceiptRequest", group.id, message.uid)

    def take_request(self) -> tuple[str, str]:
        request = self._take_event(ASKED)
        assert request["conversation"]["conversationType"] == GROUP
        return request["senderUserId"], request["messageUId"]

    def read_elsewhere(self, message: Heard) -> None:
        place = {"conversationType": PRIVATE, "targetId": message.conversation}
        self.call("sendSyncReadStatusMessage", place, message.time)

    def take_read_elsewhere(self, message: Heard) -> None:
        super().take_read_elsewhere(message)
        place = Place(PRIVATE, message.conversation)
        self._wait_until("async ([of]) => (await im.unread(of)).result[0] === 0", place)

    def left_over(self) -> list[Heard]:
        messages = super().left_over()
        for name in (READ_BY, ASKED):
            assert len(self.events(name)) == self._events_taken[name]
        return messages

    def _take_event(self, name: str) -> Any:
        self._events_taken[name] += 1
        return self.wait_event(name, count=self._events_taken[name])
