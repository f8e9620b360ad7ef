"""Protocol values in words: what a message says, and what went wrong."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Final

from improto.contents import (
    Combine,
    Command,
    ContactNotification,
    ExpansionChange,
    File,
    Gif,
    GroupNotification,
    GroupReadReceipt,
    HighQualityVoice,
    Image,
    InformationNotification,
    Location,
    LogCommand,
    ReadReceipt,
    ReadReceiptRequest,
    ReadReceiptResponse,
    RecallCommand,
    RecallNotification,
    Reference,
    RichContent,
    ShortVideo,
    SyncReadStatus,
    Text,
    Typing,
    Unknown,
    Voice,
)
from improto_client import Banned, Kicked, LoginFailed, NoServer

if TYPE_CHECKING:
    from improto.contents import Content

_SILENT: Final = (
    Command,
    ExpansionChange,
    GroupReadReceipt,
    LogCommand,
    ReadReceipt,
    ReadReceiptRequest,
    ReadReceiptResponse,
    SyncReadStatus,
    Typing,
)
"""Contents for programs, not for people."""

_LARGEST_NUMBER: Final = 1e12
"""No duration in seconds and no size in bytes that is meant seriously is above it."""

_UNITS: Final = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def content_text(content: Content) -> str | None:
    """What to show for a content; None if it is nothing to be shown."""
    match content:
        case Text():
            return content.content
        case Image():
            return _tagged("image", content.image_uri)
        case Gif():
            return _tagged("gif", content.remote_url)
        case Voice():
            return _tagged(_long("voice", content.duration))
        case HighQualityVoice():
            return _tagged(_long("voice", content.duration), content.remote_url)
        case ShortVideo():
            return _tagged(_long("video", content.duration), content.name, content.sight_url)
        case File():
            return _tagged("file", content.name, _size(content.size), content.file_url)
        case RichContent():
            return _tagged("link", content.title, content.content, content.url)
        case Location():
            return _tagged("location", content.poi, _place(content.latitude, content.longitude))
        case Combine():
            return "\n".join((_tagged("forwarded"), *(content.summary_list or ())))
        case Reference():
            return _tagged(f"answer to {content.refer_msg_user_id or '?'}", content.content)
        case RecallCommand() | RecallNotification():
            return _tagged("message recalled")
        case InformationNotification() | ContactNotification() | GroupNotification():
            return _tagged(content.object_name, content.message)
        case Unknown():
            return _tagged(content.object_name)
    return None if isinstance(content, _SILENT) else _tagged(content.object_name)


def download_of(content: Content) -> tuple[str, str] | None:
    """The URL of the file that a message is about, and its name or an empty text; None: no file."""
    match content:
        case File():
            url, name = content.file_url, content.name
        case Image():
            url, name = content.image_uri, ""
        case Gif() | HighQualityVoice():
            url, name = content.remote_url, ""
        case ShortVideo():
            url, name = content.sight_url, content.name
        case _:
            return None
    return (url, name or "") if url else None


def error_text(error: Exception) -> str:
    """What went wrong, in one sentence for people."""
    match error:
        case Kicked():
            return "you have signed in somewhere else, which ends this"
        case Banned():
            return "the server has blocked you"
        case NoServer(__cause__=OSError() as cause):
            return f"the server cannot be reached: {system_text(cause)}"
        case LoginFailed():
            # Here the advice is for whoever has written the command.
            return f"{error}. {error.advice.removesuffix('.')}"
        case OSError():
            name = f"{error.filename}: " if error.filename else ""
            return f"{name}{system_text(error)}"
    return str(error) or type(error).__name__


def system_text(error: OSError) -> str:
    """What the system, or its TLS, says, in a few words."""
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not good: {error.verify_message}"
    # The numbers of TLS and of the resolver are not those of the system.
    if error.errno is not None and error.errno > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno).lower()
    return (error.strerror or str(error) or type(error).__name__).lower()


def counted(count: int, noun: str) -> str:
    """``1 message``, ``2 messages``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _tagged(tag: str, *details: str | None) -> str:
    return " ".join((f"[{tag}]", *filter(None, details)))


def _long(tag: str, seconds: float | None) -> str:
    if seconds is None or not 0 <= seconds <= _LARGEST_NUMBER:
        return tag
    minutes, rest = divmod(round(seconds), 60)
    return f"{tag} {minutes}:{rest:02} min" if minutes else f"{tag} {rest} s"


def _size(count: int | None) -> str | None:
    if count is None or not 0 <= count <= _LARGEST_NUMBER:
        return None
    for unit, name in _UNITS:
        if count >= unit:
            return f"({count / unit:.1f} {name})"
    return f"({count} bytes)"


def _place(latitude: float | None, longitude: float | None) -> str | None:
    if latitude is None or longitude is None:
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return f"({latitude:.5f}, {longitude:.5f})"
