"""Every number we chose, with its reason.

:class:`Limits` bounds what a peer can make us hold; there is no "unlimited".
:class:`Timing` holds every duration, in seconds. Both are values: make one, pass it
to as many connections as you like.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

CONTENT_BYTES: Final = 131_072
"""The content of one chat message: the SDKs' own limit (wire 7)."""

LARGEST_WINDOW: Final = 32_767
"""With more requests in flight a server could run out of ids for its copies (session 6)."""


def _require_positive(value: Limits | Timing) -> None:
    for field in fields(value):
        number = getattr(value, field.name)
        if not 0 < number < float("inf"):
            kind = type(value).__name__
            raise ValueError(f"{kind}.{field.name} must be above 0 and finite, not {number!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes and counts; all finite and above 0, else ValueError.

    The defaults suit a server. :meth:`for_client` accepts the larger frames that a
    server may send.
    """

    message_bytes: int = 256 * 1024
    """One frame. SDKs stop at 131072 bytes of content, so nothing is lost (wire 7)."""
    string_bytes: int = 1024
    """One topic, id or token inside a frame. The format ends at 65535; ids of 64 to 256
    characters are the custom of the trade and a token stays below 512."""
    content_bytes: int = CONTENT_BYTES
    """The content of one chat message."""
    requests_in_flight: int = 1024
    """Requests of one connection that wait for an answer, each way. SDKs do not pipeline
    beyond what a person causes; a bot's window of 32 to 256 fits."""
    events_queued: int = 4096
    """Events not yet taken by the program. A page of 200 messages is 200 events."""
    outbound_bytes: int = 4 * 1024 * 1024
    """Bytes queued for a peer that does not read: four full pull replies (session 8.3)."""
    pull_messages: int = 200
    """Messages in one pull reply; SDK 2.5.3 hints at 200 (session 8.3, 17)."""
    pull_bytes: int = 1024 * 1024
    """Bytes of one pull reply (session 8.3)."""
    duplicate_window: int = 512
    """Message uids remembered to recognise repeats; more than two pull pages."""
    outbox_messages: int = 1024
    """Messages a session keeps for sending again; as many as can be in flight."""
    sync_frames_held: int = 64
    """Copies that wait for the PUBACK that completes them (session 15)."""
    bad_frames_in_a_row: int = 10
    """Undecodable frames after which a client gives up (wire 7)."""
    rooms: int = 256
    """Chatrooms whose cursor a session remembers."""
    http_head_bytes: int = 16 * 1024
    """Request line and headers; the customary server limit is 8 to 16 KiB."""
    http_body_bytes: int = 256 * 1024
    """Body of a plain HTTP request or response: as large as a frame."""
    polling_sessions: int = 20_000
    """Long polling sessions of one server. Each keeps a TCP connection busy, of which a machine
    has 65535 for one address."""

    def __post_init__(self) -> None:
        _require_positive(self)
        if self.requests_in_flight > LARGEST_WINDOW:
            raise ValueError(
                f"Limits.requests_in_flight must be at most {LARGEST_WINDOW},"
                f" not {self.requests_in_flight!r}"
            )

    @classmethod
    def for_client(cls) -> Limits:
        """Limits of a client: frames up to 16 MiB (wire 7, rule 5)."""
        return cls(message_bytes=16 * 1024 * 1024, outbound_bytes=32 * 1024 * 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Durations in seconds; all finite and above 0, else ValueError."""

    login: float = 10.0
    """Server: from the opened transport to CONNACK, the HTTP request included. Newer SDKs
    give up after 5 s (session 13), so nobody waits longer."""
    connack: float = 5.0
    """Client: from the opened transport to CONNACK (session 13)."""
    first_pong: float = 5.0
    """Client: answer to the PINGREQ sent right after CONNACK. SDK 2.5.3 waits 1.6 s, which
    is too short for a slow mobile network (session 2.1)."""
    heartbeat: float = 15.0
    """Client: from PINGRESP to the next PINGREQ (session 5, newer SDKs)."""
    pong: float = 15.0
    """Client: wait for PINGRESP; the second one missed in a row ends it (session 5)."""
    request: float = 30.0
    """Client: wait for PUBACK or QUERYACK (session 7)."""
    pull: float = 180.0
    """Client: from the last pull to the safety pull (session 5)."""
    pull_retry: float = 5.0
    """Client: from a failed pull to the next try; SDK 2.9.2 would wait three minutes
    (interop 7, rule 8)."""
    idle: float = 75.0
    """Server: a client without any frame for this long is dead: 2.5 x 30 s (session 5)."""
    renotify: float = 20.0
    """Server: a notification not followed by a pull is sent again; "every few seconds to
    half a minute" (interop 7, rule 8)."""
    close: float = 1.0
    """Both: after the last frame, wait this long for the peer to close (session 4.1)."""
    linger: float = 5.0
    """Drivers: bytes that cannot be written for this long after the end are dropped."""
    keep_alive: float = 15.0
    """Server: a plain HTTP connection without a request is closed."""
    poll: float = 30.0
    """Server: a poll, or a POST, that there is nothing to answer with is answered with nothing
    (http 5.2). SDKs give up after 45 s."""
    poll_reply: float = 45.0
    """Client: a poll without an answer for this long means that the server is gone, as it does for
    SDKs (http 5.2)."""
    poll_absence: float = 60.0
    """Server: a long polling session without a poll for this long is over (http 5.5)."""

    def __post_init__(self) -> None:
        _require_positive(self)
