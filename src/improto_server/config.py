"""Every setting of the server, typed, from four places.

Later places win: the defaults, a TOML file, the environment, the command line. A setting has
one name in all of them: what is ``gateway.port`` for the command line is ``port`` in the table
``[gateway]`` of the file and ``IMPROTO_GATEWAY_PORT`` in the environment. A setting that does
not exist and a value that is not allowed are errors wherever they come from.

``docs/configuration.md`` tells what each one means; a test compares it with this module.
"""

from __future__ import annotations

import enum
import tomllib
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.inspect import BoolType, EnumType, IntType, Metadata, type_info
from msgspec.structs import fields

from improto.config import LARGEST_WINDOW, Limits
from improto.profiles import ReceiptVersion
from improto_server.accounts.settings import AccountSettings
from improto_server.addresses import is_loopback
from improto_server.hooks.settings import HookUrls, ModerationSettings, WebhookSettings
from improto_server.navigation import is_same_place
from improto_server.services.accounts import SECRET_BYTES
from improto_server.services.room import ChatroomRules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_Table = TypeVar("_Table", bound=Struct)

_LIMITS: Final = Limits()
_MIB: Final = 1024 * 1024


class SettingsError(Exception):
    """A setting is wrong; the text is one sentence: where, which, and what is allowed."""


class Backend(enum.Enum):
    """The event loop."""

    ASYNCIO = "asyncio"
    TRIO = "trio"


class Framer(enum.Enum):
    """The library that cuts WebSocket bytes into messages."""

    WSPROTO = "wsproto"
    WEBSOCKETS = "websockets"


class GroupReceipts(enum.Enum):
    """How members of a group say what they have read (sdk5 8.2)."""

    MESSAGES = "messages"
    TOPICS = "topics"
    POSITIONS = "positions"
    RECEIPTS = "receipts"

    @property
    def version(self) -> ReceiptVersion:
        """What the services take."""
        return ReceiptVersion[self.name]


class Unread(enum.Enum):
    """Who counts what a user has not read, and how devices hear that he has (sdk5 2.2, 8.1)."""

    CLIENT = "client"
    SYNCED = "synced"
    SERVER = "server"


class AccessLog(enum.Enum):
    """How requests at the web port are logged."""

    NONE = "none"
    LOGFMT = "logfmt"
    JSON = "json"


class LogLevel(enum.Enum):
    """The least that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_Host = Annotated[str, Meta(pattern=r"^\S{1,255}\Z", description="a name or an IP address")]
_Address = Annotated[
    str, Meta(pattern=r"^(\S{1,255}:[0-9]{1,5})?\Z", description="host:port, or nothing")
]
_Origin = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9+.-]*://[^\s/]+\Z")]
_Origins = Annotated[
    tuple[_Origin, ...], Meta(description="a list, such as https://example.org, or nothing")
]


class StorageKind(enum.Enum):
    """Where uploaded files are kept."""

    LOCAL = "local"
    S3 = "s3"
    NONE = "none"


_PublicUrl = Annotated[
    str,
    Meta(
        pattern=r"^(https?://[^\s/?#]+(/[^\s/?#]+)*)?\Z",
        description="http:// or https:// and a host, no slash at the end, or nothing",
    ),
]
_Text = Annotated[str, Meta(description="any text")]
_File = Annotated[str, Meta(max_length=4096, description="a file, or nothing")]
_FileBytes = Annotated[int, Meta(ge=1, le=5 * 1024 * _MIB)]


class GatewaySettings(Struct, frozen=True, kw_only=True):
    """Where clients connect, and by what."""

    host: _Host = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    public_address: _Address = ""
    hand_over_to: _Address = ""
    allowed_origins: _Origins = ()
    protocol: Annotated[int, Meta(ge=3, le=4)] = 3
    repeats: Annotated[int, Meta(ge=0, le=1000)] = 5
    framer: Framer = Framer.WSPROTO
    long_polling: bool = True
    backend: Backend = Backend.ASYNCIO
    certificate: _File = ""
    key: _File = ""


class StoreSettings(Struct, frozen=True, kw_only=True):
    """Where messages are kept."""

    url: Annotated[str, Meta(pattern=r"^sqlite:///.", description="sqlite:/// and a file")] = (
        "sqlite:///improto.db"
    )
    durable: bool = True


class WebSettings(Struct, frozen=True, kw_only=True):
    """The second port, for browsers and application servers."""

    enabled: bool = False
    host: _Host = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8081
    public_url: _PublicUrl = ""
    api: bool = True
    api_rate: Annotated[int, Meta(ge=0, le=10_000)] = 0
    api_clock_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 0
    api_repeats: bool = True
    api_utc_hours: Annotated[int, Meta(ge=-12, le=14)] = 8
    access_log: AccessLog = AccessLog.NONE
    metrics: bool = False
    metrics_token: Annotated[
        str, Meta(pattern=r"^(\S{16,256})?\Z", description="16 to 256 characters, or nothing")
    ] = ""
    admin_token: Annotated[
        str, Meta(pattern=r"^([!-~]{32,256})?\Z", description="32 to 256 characters, or nothing")
    ] = ""
    admin_remote: bool = False
    certificate: _File = ""
    key: _File = ""

    def __repr__(self) -> str:
        """Without the tokens, because settings get logged."""
        return f"WebSettings(enabled={self.enabled!r})"


class UploadSettings(Struct, frozen=True, kw_only=True):
    """Where files go that users send each other, and how large they may be."""

    storage: StorageKind = StorageKind.LOCAL
    directory: _Text = ""
    keep_days: Annotated[int, Meta(ge=0, le=3650)] = 0
    link_days: Annotated[int, Meta(ge=1, le=3650)] = 365
    image_bytes: _FileBytes = 20 * _MIB
    audio_bytes: _FileBytes = 10 * _MIB
    video_bytes: _FileBytes = 200 * _MIB
    file_bytes: _FileBytes = 100 * _MIB
    s3_endpoint: _PublicUrl = ""
    s3_region: _Text = "us-east-1"
    s3_bucket: _Text = ""
    s3_access_key: _Text = ""
    s3_secret_key: _Text = ""

    def __repr__(self) -> str:
        """Without the secret, because settings get logged."""
        return f"UploadSettings(storage={self.storage.value!r})"


class MessageSettings(Struct, frozen=True, kw_only=True):
    """Who gets messages, and how many."""

    multi_device: bool = False
    offline_days: Annotated[int, Meta(ge=1, le=365)] = 7
    rate: Annotated[int, Meta(ge=0, le=1000)] = 5
    group_receipts: GroupReceipts = GroupReceipts.MESSAGES
    unread: Unread = Unread.CLIENT
    recall_minutes: Annotated[int, Meta(ge=0, le=525_600)] = 0
    edit_minutes: Annotated[int, Meta(ge=0, le=525_600)] = 0


class UserSettings(Struct, frozen=True, kw_only=True):
    """What users know of each other."""

    profiles: bool = True
    subscriptions: bool = True
    white_lists: bool = False


_ObjectNames = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^\S{1,64}\Z")], ...],
    Meta(description="a list of object names, or nothing"),
]


class ChatroomSettings(Struct, frozen=True, kw_only=True):
    """How chatrooms behave."""

    several_rooms: bool = True
    most_members: Annotated[int, Meta(ge=0, le=100_000)] = 0
    away_seconds: Annotated[int, Meta(ge=0, le=3600)] = 30
    idle_minutes: Annotated[int, Meta(ge=1, le=10_080)] = 60
    history: bool = True
    keys: bool = True
    most_keys: Annotated[int, Meta(ge=1, le=1000)] = 100
    member_notices: bool = False
    low_priority: _ObjectNames = ()
    busy_rate: Annotated[int, Meta(ge=1, le=10_000)] = 100

    def as_rules(self) -> ChatroomRules:
        """What the service takes."""
        return ChatroomRules(
            away_seconds=self.away_seconds,
            idle_minutes=self.idle_minutes,
            most_members=self.most_members,
            most_keys=self.most_keys,
            several_rooms=self.several_rooms,
            has_keys=self.keys,
            has_history=self.history,
            member_notices=self.member_notices,
            low_priority=frozenset(self.low_priority),
            busy_rate=self.busy_rate,
        )


class LimitSettings(Struct, frozen=True, kw_only=True):
    """Those of :class:`improto.config.Limits` that an operator may have a reason to change."""

    content_bytes: Annotated[int, Meta(ge=1024, le=4 * _MIB)] = _LIMITS.content_bytes
    message_bytes: Annotated[int, Meta(ge=4096, le=16 * _MIB)] = _LIMITS.message_bytes
    outbound_bytes: Annotated[int, Meta(ge=65_536, le=64 * _MIB)] = _LIMITS.outbound_bytes
    pull_bytes: Annotated[int, Meta(ge=4096, le=_MIB)] = _LIMITS.pull_bytes
    pull_messages: Annotated[int, Meta(ge=1, le=200)] = _LIMITS.pull_messages
    requests_in_flight: Annotated[int, Meta(ge=1, le=LARGEST_WINDOW)] = _LIMITS.requests_in_flight

    def as_limits(self) -> Limits:
        """What connections and services take; limits that are no settings have their defaults."""
        return Limits(**msgspec.structs.asdict(self))


class AppSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An app: users who can talk to each other, and the secret that tokens are signed with."""

    key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
    secret: Annotated[str, Meta(pattern=rf"^\S{{{SECRET_BYTES},256}}\Z")]
    multi_device: bool | None = None
    """None: what ``messages.multi_device`` says."""
    blocked: bool = False
    """Whether its users, and its REST calls, are turned away."""
    webhooks: HookUrls = HookUrls()

    def __repr__(self) -> str:
        """Without the secret, because settings get logged."""
        return f"AppSettings(key={self.key!r})"


_Apps = Annotated[
    tuple[AppSettings, ...],
    Meta(
        description="a list of tables with key (1 to 64 of A-Z a-z 0-9 _ -)"
        f" and secret ({SECRET_BYTES} to 256 characters, no spaces),"
        " and multi_device (true or false) if it is to differ, and blocked (true or false), and"
        " webhooks, a table with any of messages, online, chatrooms and audit, each an http:// or"
        " https:// URL"
    ),
]


class Settings(Struct, frozen=True, kw_only=True):
    """All of them. :func:`load` makes it."""

    apps: _Apps = ()
    log_level: LogLevel = LogLevel.INFO
    robot: bool = False
    token_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    gateway: GatewaySettings = GatewaySettings()
    messages: MessageSettings = MessageSettings()
    users: UserSettings = UserSettings()
    chatrooms: ChatroomSettings = ChatroomSettings()
    webhooks: WebhookSettings = WebhookSettings()
    moderation: ModerationSettings = ModerationSettings()
    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()
    uploads: UploadSettings = UploadSettings()
    accounts: AccountSettings = AccountSettings()
    limits: LimitSettings = LimitSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What there is to know about one setting."""

    key: str
    type: Any
    default: Any

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"IMPROTO_{self.key.upper().replace('.', '_')}"

    @property
    def allowed(self) -> str:
        """Its values, in words."""
        info = type_info(self.type)
        match info:
            case Metadata(extra_json_schema={"description": str(words)}):
                return words
            case IntType(ge=least, le=most):
                return f"{least} to {most}"
            case EnumType(cls=cls):
                return " or ".join(member.value for member in cls)
            case BoolType():
                return "true or false"
        raise TypeError(f"setting {self.key} has a type without words for it")


def _settings(kind: type[Struct], prefix: str = "") -> Iterator[Setting]:
    for field in fields(kind):
        key = prefix + field.name
        if isinstance(field.default, Struct):
            yield from _settings(type(field.default), f"{key}.")
        else:
            yield Setting(key=key, type=field.type, default=field.default)


SETTINGS: Final[Mapping[str, Setting]] = MappingProxyType(
    {setting.key: setting for setting in _settings(Settings)}
)
"""All settings by key."""


def load(
    path: Path | None = None,
    *,
    environment: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Put the settings together.

    ``path``: the TOML file, None for none. ``environment``: usually ``os.environ``; an empty
    variable is as good as none. ``overrides``: values of the command line by key
    (``{"gateway.port": 9000}``); None is as good as absent.

    Raises SettingsError.
    """
    values: dict[str, Any] = {}
    if path is not None:
        for key, value in _from_file(path):
            values[key] = _checked(str(path), key, value)
    for variable, key, text in _from_environment(environment):
        values[key] = _checked(variable, key, _parsed(key, text), strict=False)
    for key, value in (overrides or {}).items():
        if value is not None:
            values[key] = _checked("command line", key, value, strict=False)
    settings = _build(Settings, values)
    _check_together(settings)
    return settings


def _from_file(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from error
    for name, value in document.items():
        if isinstance(value, dict):
            for inner, inner_value in value.items():
                yield f"{name}.{inner}", inner_value
        else:
            yield name, value


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    keys = {setting.variable: key for key, setting in SETTINGS.items()}
    # Other programs' variables may begin like ours, but hardly like a table of ours.
    tables = tuple({f"IMPROTO_{key.partition('.')[0].upper()}_" for key in SETTINGS if "." in key})
    for variable, text in environment.items():
        key = keys.get(variable)
        if key is None:
            if variable.startswith(tables):
                raise SettingsError(f"the environment has {variable}, which is no setting")
        elif text:
            yield variable, key, text


def _parsed(key: str, text: str) -> Any:
    """The value that a variable stands for; lists are separated by spaces."""
    if key == "apps":
        return [
            dict(zip(("key", "secret"), app.split(":", 1), strict=False)) for app in text.split()
        ]
    return text.split() if isinstance(SETTINGS[key].default, tuple) else text


def _checked(origin: str, key: str, value: Any, *, strict: bool = True) -> Any:
    setting = SETTINGS.get(key)
    if setting is None:
        raise SettingsError(f"{origin}: there is no setting {key}")
    try:
        return msgspec.convert(value, setting.type, strict=strict)
    except msgspec.ValidationError as error:
        if key == "apps":
            # The value holds secrets, so only the place is told.
            where = str(error).partition("`$")[2].rstrip("`")
            raise SettingsError(
                f"{origin}: apps must be {setting.allowed}; the fault is in apps{where}"
            ) from None
        raise SettingsError(f"{origin}: {key} must be {setting.allowed}, not {value!r}") from None


def _build(kind: type[_Table], values: Mapping[str, Any], prefix: str = "") -> _Table:
    arguments = {}
    for field in fields(kind):
        key = prefix + field.name
        if isinstance(field.default, Struct):
            arguments[field.name] = _build(type(field.default), values, f"{key}.")
        elif key in values:
            arguments[field.name] = values[key]
    return kind(**arguments)


def _check_together(settings: Settings) -> None:
    keys = [app.key for app in settings.apps]
    for key in keys:
        if keys.count(key) > 1:
            raise SettingsError(f"apps: the key {key} is there more than once")
    gateway = settings.gateway
    for own in (f"{gateway.host}:{gateway.port}", gateway.public_address):
        if gateway.hand_over_to and is_same_place(own, gateway.hand_over_to):
            raise SettingsError(
                f"gateway.hand_over_to must be another server's address, but {own} is this one's"
            )
    if not settings.web.api_repeats and not settings.web.api_clock_seconds:
        raise SettingsError(
            "web.api_repeats can be false only if web.api_clock_seconds is above 0: used signatures"
            " are remembered for as long as they are good"
        )
    for table, port in (("gateway", gateway), ("web", settings.web)):
        if bool(port.certificate) is not bool(port.key):
            raise SettingsError(
                f"{table}.certificate and {table}.key go together, but only one is there"
            )
    _check_accounts(settings, keys)
    uploads = settings.uploads
    if uploads.storage is StorageKind.S3:
        for name in ("s3_endpoint", "s3_region", "s3_bucket", "s3_access_key", "s3_secret_key"):
            if not getattr(uploads, name):
                raise SettingsError(f"uploads.{name} must not be empty if uploads.storage is s3")
        if len(keys) > 1:
            # The SDKs choose the names in the bucket, so users would meet those of other apps.
            raise SettingsError("uploads.storage can be s3 only if there is one app")
    limits = settings.limits
    if limits.content_bytes >= limits.message_bytes:
        raise SettingsError(
            f"limits.content_bytes must be below limits.message_bytes, {limits.message_bytes},"
            f" not {limits.content_bytes}"
        )
    if limits.pull_bytes > limits.outbound_bytes:
        raise SettingsError(
            f"limits.pull_bytes must not be above limits.outbound_bytes, {limits.outbound_bytes},"
            f" but is {limits.pull_bytes}"
        )


def _check_accounts(settings: Settings, keys: Sequence[str]) -> None:
    accounts = settings.accounts
    if not accounts.enabled:
        return
    for key, is_on in (
        ("web.enabled", settings.web.enabled),
        ("users.profiles", settings.users.profiles),
    ):
        if not is_on:
            raise SettingsError(f"accounts.enabled can be true only if {key} is")
    if accounts.app and accounts.app not in keys:
        raise SettingsError(f"accounts.app must be the key of an app, not {accounts.app!r}")
    if accounts.fixed_users and not accounts.fixed_users_anywhere:
        for key, host in (("gateway", settings.gateway.host), ("web", settings.web.host)):
            if not is_loopback(host):
                raise SettingsError(
                    f"accounts.fixed_users lets everybody in who reaches the server, and {key}.host"
                    f" is {host}; listen on 127.0.0.1, or set accounts.fixed_users_anywhere"
                )
