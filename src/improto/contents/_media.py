"""Contents that people write to each other (messages 5, areas core and public)."""

from dataclasses import KW_ONLY, dataclass
from typing import Final

from improto.contents._base import BaseContent
from improto.contents._json import JSON
from improto.contents._schema import Part


@dataclass(frozen=True, slots=True)
class Text(BaseContent):
    """A text."""

    object_name = "RC:TxtMsg"
    is_persisted = True
    is_counted = True

    content: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image(BaseContent):
    """A picture: ``content`` is the thumbnail in base64, ``image_uri`` the original."""

    object_name = "RC:ImgMsg"
    is_persisted = True
    is_counted = True

    content: str | None = None
    image_uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice(BaseContent):
    """A short recording inside the message: AMR in base64; ``duration`` in seconds."""

    object_name = "RC:VcMsg"
    is_persisted = True
    is_counted = True

    content: str | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HighQualityVoice(BaseContent):
    """A recording stored elsewhere; ``type`` is the format, ``duration`` in seconds."""

    object_name = "RC:HQVCMsg"
    is_persisted = True
    is_counted = True

    type: str = "aac"
    local_path: str | None = None
    remote_url: str | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gif(BaseContent):
    """A moving picture: size in bytes, width and height in pixels."""

    object_name = "RC:GIFMsg"
    is_persisted = True
    is_counted = True

    gif_data_size: int | None = None
    local_path: str | None = None
    remote_url: str | None = None
    width: float | None = None
    height: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortVideo(BaseContent):
    """A short video: thumbnail in base64, ``duration`` in seconds, ``size`` in bytes."""

    object_name = "RC:SightMsg"
    is_persisted = True
    is_counted = True

    sight_url: str | None = None
    content: str | None = None
    duration: float | None = None
    size: int | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RichContent(BaseContent):
    """A link with title, text and picture."""

    object_name = "RC:ImgTextMsg"
    is_persisted = True
    is_counted = True

    title: str | None = None
    content: str | None = None
    image_uri: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class File(BaseContent):
    """A file: ``size`` in bytes, ``type`` usually its ending."""

    object_name = "RC:FileMsg"
    is_persisted = True
    is_counted = True

    name: str | None = None
    size: int | None = None
    type: str | None = None
    file_url: str | None = None


@dataclass(frozen=True, slots=True)
class Location(BaseContent):
    """A place in degrees, its name (``poi``) and a picture of it in base64."""

    object_name = "RC:LBSMsg"
    is_persisted = True
    is_counted = True

    latitude: float | None = None
    longitude: float | None = None
    _: KW_ONLY
    poi: str | None = None
    content: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Combine(BaseContent):
    """Several forwarded messages in one: who spoke, a preview, and where the whole is."""

    object_name = "RC:CombineMsg"
    is_persisted = True
    is_counted = True

    name_list: tuple[str, ...] | None = None
    summary_list: tuple[str, ...] | None = None
    remote_url: str | None = None
    conversation_type: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference(BaseContent):
    """An answer that quotes: the quoted content, who wrote it, its object name."""

    object_name = "RC:ReferenceMsg"
    is_persisted = True
    is_counted = True

    refer_msg: JSON | None = None
    refer_msg_user_id: str | None = None
    obj_name: str | None = None
    content: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Article(Part):
    """One article of a public account, with the members of :class:`RichContent`."""

    title: str | None = None
    content: str | None = None
    image_uri: str | None = None
    url: str | None = None
    extra: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicRichContent(BaseContent):
    """An article of a public account."""

    object_name = "RC:PSImgTxtMsg"
    is_persisted = True
    is_counted = True

    rich_content_message: Article | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicMultiRichContent(BaseContent):
    """Several articles of a public account."""

    object_name = "RC:PSMultiImgTxtMsg"
    is_persisted = True
    is_counted = True

    rich_content_messages: tuple[Article, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedPacket(BaseContent):
    """A gift of money by an outside payment service."""

    object_name = "RCJrmf:RpMsg"
    is_persisted = True
    is_counted = True

    message: JSON | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedPacketOpened(BaseContent):
    """The notice that a gift of money was opened."""

    object_name = "RCJrmf:RpOpendMsg"
    is_persisted = True
    is_counted = True

    message: JSON | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CombineV2(BaseContent):
    """Messages of a conversation, forwarded together (sdk5 10).

    ``summary_list`` says what the first ones say. The messages are in ``msg_list``, or in the file
    at ``remote_url`` if they are too long, and then ``json_msg_key`` is its name.
    """

    object_name = "RC:CombineV2Msg"
    is_persisted = True
    is_counted = True

    conversation_type: int | None = None
    summary_list: tuple[str, ...] | None = None
    name_list: tuple[str, ...] | None = None
    msg_num: int | None = None
    msg_list: JSON | None = None
    json_msg_key: str | None = None
    remote_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(BaseContent):
    """A text that grows: ``content`` is its beginning, the rest is fetched (sdk5 9, 10).

    ``complete``: nothing more comes; the reasons say why.
    """

    object_name = "RC:StreamMsg"
    is_persisted = True
    is_counted = True

    content: str | None = None
    type: str | None = None
    complete: bool | None = None
    complete_reason: int | None = None
    stop_reason: int | None = None
    refer_msg: JSON | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLocationStart(BaseContent):
    """The sender begins to show where he is (sdk5 10). Its members are not known."""

    object_name = "RC:RLStart"
    is_persisted = True
    is_counted = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLocationEnd(BaseContent):
    """Nobody shows any longer where he is (sdk5 10). Its members are not known."""

    object_name = "RC:RLEnd"
    is_persisted = True
    is_counted = True


TYPES: Final[tuple[type[BaseContent], ...]] = (
    Text,
    Image,
    Voice,
    HighQualityVoice,
    Gif,
    ShortVideo,
    RichContent,
    File,
    Location,
    Combine,
    Reference,
    PublicRichContent,
    PublicMultiRichContent,
    RedPacket,
    RedPacketOpened,
    CombineV2,
    Stream,
    LiveLocationStart,
    LiveLocationEnd,
)
