"""The server without sockets: all services, put together.

The application gives it a real store, real clocks and real connections; tests give it
clocks of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_bytes
from types import MappingProxyType
from typing import TYPE_CHECKING

from improto.profiles import ReceiptVersion
from improto_server.breaker import Breaker
from improto_server.clock import MessageClock
from improto_server.gateway import Gateway, LoginRules
from improto_server.hub import DevicePolicy, Hub
from improto_server.router import Router
from improto_server.services.archives import Archives
from improto_server.services.audit import Audit, AuditRules
from improto_server.services.bots import Bots
from improto_server.services.broadcasts import Broadcasts
from improto_server.services.charters import Charters
from improto_server.services.chatrooms import ChatroomRules, Rooms
from improto_server.services.conversation_settings import ConversationSettings
from improto_server.services.conversations import Conversations
from improto_server.services.customer_service import CustomerServices
from improto_server.services.data import Data
from improto_server.services.deletions import Deletions
from improto_server.services.delivery import Delivery
from improto_server.services.discussions import Discussions
from improto_server.services.edits import Edits
from improto_server.services.entries import Entries
from improto_server.services.events import Events
from improto_server.services.expansions import Expansions
from improto_server.services.friends import Friends
from improto_server.services.group_receipts import GroupReceipts
from improto_server.services.groups import Groups
from improto_server.services.history import History
from improto_server.services.inboxes import Inboxes
from improto_server.services.managed_applications import ManagedApplications
from improto_server.services.managed_groups import ManagedGroups
from improto_server.services.managed_members import ManagedMembers
from improto_server.services.messages import Messages
from improto_server.services.outbox import Outbox
from improto_server.services.presence import Presence
from improto_server.services.priorities import Priorities
from improto_server.services.public_services import PublicServices
from improto_server.services.push_tags import PushTags
from improto_server.services.recall import Recalls
from improto_server.services.receipts import Receipts
from improto_server.services.receipts_positions import ReadPositions
from improto_server.services.relations import Relations
from improto_server.services.remarks import Remarks
from improto_server.services.roomnotices import RoomNotices
from improto_server.services.rosters import Rosters
from improto_server.services.routing import Routing
from improto_server.services.rtc import RtcRooms
from improto_server.services.rtc_data import RtcData
from improto_server.services.rtc_invites import RtcInvites
from improto_server.services.settings import UserSettings
from improto_server.services.silences import Silences
from improto_server.services.standings import Standings
from improto_server.services.subscriptions import Subscriptions
from improto_server.services.tags import Tags
from improto_server.services.token_ends import TokenEnds
from improto_server.services.unread import Unread
from improto_server.services.uploads import Uploads
from improto_server.services.user_profiles import UserProfiles
from improto_server.services.users import Users
from improto_server.services.webhooks import HookRules, Webhooks
from improto_server.services.words import Words
from improto_server.store import outbox, priorities, public_services, silences, words
from improto_server.store.chatrooms import left as left_rooms
from improto_server.store.friends import friends_among, friends_of
from improto_server.store.relations import bans as stored_bans
from improto_server.store.settings import windows as own_days
from improto_server.store.token_ends import everything as stored_token_ends

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from improto.config import Limits
    from improto_server.files.storage import Storage
    from improto_server.navigation import Navigation
    from improto_server.services.accounts import Accounts
    from improto_server.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRules:
    """What the operator decides about messages."""

    offline_days: int = 7
    """How far back a device without a cursor reads (session 8.3)."""
    recall_minutes: int = 0
    """How long a message can be taken back; 0: for ever (messages 7)."""
    edit_minutes: int = 0
    """How long a message can be edited; 0: for ever (sdk5 8.1)."""
    receipts: ReceiptVersion = ReceiptVersion.MESSAGES
    """How members of a group say what they have read (sdk5 8.2)."""
    unread_on_server: bool = False
    """Unread counts are the server's and not each client's own (sdk5 2.2)."""


_AUDIT_RULES = AuditRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationRules:
    """What the operator decides about what may be said (rest 9.1, 10.4)."""

    most_words: int = 50
    """Sensitive words of each app."""
    screens_posts: bool = False
    """They count for messages of the REST API as well."""
    audit: AuditRules = _AUDIT_RULES
    """Which messages the application is asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRules:
    """What the operator decides about what users know of each other (sdk5 2.2)."""

    profiles: bool = True
    """Users have profiles and friends, and manage groups."""
    subscriptions: bool = True
    """Users may follow the status and the profiles of others."""
    white_lists: bool = False
    """Users get private messages only from those on their white lists (rest 9.1)."""


_CHATROOM_RULES = ChatroomRules()
_NO_ROBOTS: Mapping[str, str] = MappingProxyType({})
_USER_RULES = UserRules()
_MODERATION_RULES = ModerationRules()
_HOOK_RULES = HookRules()


class System:
    """The object graph. ``wall_clock`` is milliseconds since 1970, ``monotonic`` seconds.

    ``storage`` is where files go, None for nowhere; links to them are good for ``link_days``.
    ``robots``: names of the users of every app that are programs, by user id.
    """

    def __init__(
        self,
        *,
        store: Store,
        accounts: Accounts,
        navigation: Navigation,
        limits: Limits,
        login_rules: LoginRules,
        message_rules: MessageRules,
        devices: DevicePolicy,
        wall_clock: Callable[[], int],
        monotonic: Callable[[], float],
        chatroom_rules: ChatroomRules = _CHATROOM_RULES,
        user_rules: UserRules = _USER_RULES,
        moderation_rules: ModerationRules = _MODERATION_RULES,
        hook_rules: HookRules = _HOOK_RULES,
        storage: Storage | None = None,
        link_days: int = 365,
        robots: Mapping[str, str] = _NO_ROBOTS,
    ) -> None:
        rules = message_rules
        self.clock = MessageClock(wall_clock, floor=store.latest_time)
        self.hub = Hub(lambda key: self.delivery.open_inbox(key))
        self.data = Data(store, self.clock)
        self.delivery = Delivery(clock=self.clock, hub=self.hub)
        self.events = Events(data=self.data, clock=self.clock, hub=self.hub)
        self.standings = Standings(self.data, self.hub, bans=store.ask(stored_bans))
        self.token_ends = TokenEnds(self.data, self.hub, ends=store.ask(stored_token_ends))
        self.silences = Silences(self.data, rows=store.ask(silences.everything))
        self.rosters = Rosters(self.data, self.clock)
        self.rosters.on_left.append(self.delivery.forget)
        self.priorities = Priorities(
            self.data, low=chatroom_rules.low_priority, rows=store.ask(priorities.everything)
        )
        self.rooms = Rooms(
            data=self.data,
            clock=self.clock,
            hub=self.hub,
            limits=limits,
            rules=chatroom_rules,
            priorities=self.priorities,
            left=store.ask(left_rooms),
            monotonic=monotonic,
        )
        self.routing = Routing(
            clock=self.clock,
            standings=self.standings,
            silences=self.silences,
            rosters=self.rosters,
            rooms=self.rooms,
            has_white_lists=user_rules.white_lists,
        )
        self.words = Words(
            self.data,
            rows=store.ask(words.everything),
            most=moderation_rules.most_words,
            screens_posts=moderation_rules.screens_posts,
            content_bytes=limits.content_bytes,
        )
        self.audit = Audit(
            moderation_rules.audit, clock=self.clock, content_bytes=limits.content_bytes
        )
        self.messages = Messages(
            store=store,
            data=self.data,
            clock=self.clock,
            hub=self.hub,
            delivery=self.delivery,
            routing=self.routing,
            rosters=self.rosters,
            rooms=self.rooms,
            words=self.words,
            audit=self.audit,
            limits=limits,
            devices=devices,
            monotonic=monotonic,
        )
        self.outbox = Outbox(
            self.data,
            self.clock,
            counts=store.ask(outbox.counts),
            most=hook_rules.most_waiting,
            days=hook_rules.keep_days,
        )
        self.webhooks = Webhooks(
            outbox=self.outbox,
            data=self.data,
            clock=self.clock,
            hub=self.hub,
            messages=self.messages,
            rooms=self.rooms,
            rules=hook_rules,
            interrupted=store.ask(outbox.interrupted),
            random=token_bytes,
        )
        self.room_notices = RoomNotices(self.rooms, self.messages)
        self.entries = Entries(
            data=self.data, clock=self.clock, rooms=self.rooms, messages=self.messages
        )
        self.user_settings = UserSettings(
            self.data, clock=self.clock, hub=self.hub, days=store.ask(own_days)
        )
        self.inboxes = Inboxes(
            store=store,
            clock=self.clock,
            limits=limits,
            devices=devices,
            offline_days=rules.offline_days,
            own_days=self.user_settings.days,
        )
        self.groups = Groups(self.rosters)
        self.charters = Charters(
            data=self.data,
            clock=self.clock,
            rosters=self.rosters,
            events=self.events,
            is_on=user_rules.profiles,
        )
        self.managed_applications = ManagedApplications(
            charters=self.charters, rosters=self.rosters
        )
        self.managed_groups = ManagedGroups(
            charters=self.charters, rosters=self.rosters, applications=self.managed_applications
        )
        self.managed_members = ManagedMembers(
            charters=self.charters, rosters=self.rosters, robots=robots
        )
        self.discussions = Discussions(
            rosters=self.rosters, messages=self.messages, random=token_bytes
        )
        self.group_receipts = GroupReceipts(
            data=self.data,
            clock=self.clock,
            rosters=self.rosters,
            is_on=rules.receipts is ReceiptVersion.TOPICS,
        )
        self.read_positions = ReadPositions(
            data=self.data,
            clock=self.clock,
            rosters=self.rosters,
            is_on=rules.receipts is ReceiptVersion.POSITIONS,
        )
        self.receipts = Receipts(
            data=self.data,
            clock=self.clock,
            rosters=self.rosters,
            events=self.events,
            is_on=rules.receipts is ReceiptVersion.RECEIPTS,
        )
        self.archives = Archives(self.data, self.clock)
        self.history = History(self.data, self.rosters, self.rooms)
        self.deletions = Deletions(self.data, self.clock)
        self.conversations = Conversations(self.data, self.clock)
        self.unread = Unread(
            data=self.data,
            clock=self.clock,
            hub=self.hub,
            messages=self.messages,
            rosters=self.rosters,
            conversations=self.conversations,
            deletions=self.deletions,
            is_on=rules.unread_on_server,
        )
        self.conversation_settings = ConversationSettings(
            data=self.data, clock=self.clock, hub=self.hub
        )
        self.remarks = Remarks(self.data)
        self.tags = Tags(data=self.data, clock=self.clock, hub=self.hub)
        self.expansions = Expansions(
            data=self.data, hub=self.hub, messages=self.messages, rosters=self.rosters
        )
        self.relations = Relations(self.standings)
        self.presence = Presence(self.data, self.hub)
        self.users = Users(self.data, self.clock)
        self.user_profiles = UserProfiles(
            data=self.data,
            clock=self.clock,
            hub=self.hub,
            is_on=user_rules.profiles,
            friends_among=friends_among,
        )
        self.users.on_change.append(self.user_profiles.tell)
        self.push_tags = PushTags(self.data)
        self.broadcasts = Broadcasts(
            messages=self.messages,
            users=self.users,
            rooms=self.rooms,
            tags=self.push_tags,
            hub=self.hub,
        )
        self.subscriptions = Subscriptions(
            data=self.data,
            clock=self.clock,
            hub=self.hub,
            is_on=user_rules.subscriptions,
            friends_of=friends_of,
        )
        self.user_profiles.on_change.append(self.subscriptions.profile_changed)
        self.friends = Friends(
            data=self.data,
            clock=self.clock,
            events=self.events,
            is_on=user_rules.profiles,
            robots=robots,
        )
        self.friends.on_befriended.append(self.subscriptions.befriended)
        self.friends.on_parted.append(self.subscriptions.parted)
        services = store.ask(public_services.everything)
        self.public_services = PublicServices(
            self.data, self.clock, accounts=self.routing.accounts, rows=services
        )
        self.customer_services = CustomerServices(
            self.data,
            self.clock,
            self.messages,
            accounts=self.routing.accounts,
            rows=services,
            random=token_bytes,
        )
        navigation.has_services = self.public_services.exist
        self.rtc = RtcRooms(
            clock=self.clock,
            hub=self.hub,
            messages=self.messages,
            standings=self.standings,
            chatrooms=self.rooms,
            monotonic=monotonic,
            random=token_bytes,
        )
        self.rtc_data = RtcData(self.rtc, clock=self.clock, hub=self.hub)
        self.rtc_invites = RtcInvites(self.rtc)
        self.recalls = Recalls(
            data=self.data,
            clock=self.clock,
            hub=self.hub,
            messages=self.messages,
            rosters=self.rosters,
            rooms=self.rooms,
            within_minutes=rules.recall_minutes,
        )
        self.edits = Edits(
            data=self.data,
            clock=self.clock,
            hub=self.hub,
            messages=self.messages,
            routing=self.routing,
            words=self.words,
            audit=self.audit,
            content_bytes=limits.content_bytes,
            within_minutes=rules.edit_minutes,
        )
        self.bots = Bots(robots)
        self.uploads = Uploads(storage, link_days=link_days, now=self.clock.now)
        self.breaker = Breaker(login_rules.repeats_per_second, monotonic=monotonic)
        self.router = Router(
            breaker=self.breaker,
            messages=self.messages,
            inboxes=self.inboxes,
            pull_room=self.rooms.pull,
            queries=[
                self.events.operations(),
                self.edits.operations(),
                self.bots.operations(),
                self.history.operations(),
                self.deletions.operations(),
                self.conversations.operations(),
                self.unread.operations(),
                self.user_settings.operations(),
                self.conversation_settings.operations(),
                self.tags.operations(),
                self.relations.operations(),
                self.presence.operations(),
                self.users.operations(),
                self.user_profiles.operations(),
                self.subscriptions.operations(),
                self.friends.operations(),
                self.uploads.operations(),
                self.public_services.operations(),
                self.rtc.operations(),
                self.rtc_data.operations(),
                self.rtc_invites.operations(),
                self.rooms.operations(),
                self.entries.operations(),
                self.discussions.operations(),
                self.managed_groups.operations(),
                self.managed_members.operations(),
                self.managed_applications.operations(),
                self.group_receipts.operations(),
                self.read_positions.operations(),
                self.receipts.operations(),
            ],
            publishes=[
                self.recalls.publishes(),
                self.conversations.publishes(),
                self.read_positions.publishes(),
                self.unread.publishes(),
                self.rtc.publishes(),
                self.rtc_data.publishes(),
            ],
            clock=self.clock,
        )
        self.gateway = Gateway(
            accounts=accounts,
            clock=self.clock,
            hub=self.hub,
            navigation=navigation,
            router=self.router,
            rules=login_rules,
            devices=devices,
            standings=self.standings,
            token_ends=self.token_ends,
            monotonic=monotonic,
        )

    def settle(self) -> None:
        """To be called after each batch of the store's answers: tell the devices."""
        self.messages.report()
        self.delivery.deliver()
        self.rooms.cast.deliver()
        self.unread.tell()

    def tick(self) -> None:
        """To be called every second: what time alone brings about."""
        self.breaker.tick()
        self.rooms.tick()
        self.rtc.tick()
        self.room_notices.tick()
