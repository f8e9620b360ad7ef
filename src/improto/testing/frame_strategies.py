"""Hypothesis strategies for frames.

:func:`frames` makes every frame that one side may send, with values up to the edges of
their fields. Every frame encodes within the default :class:`~improto.config.Limits` and
decodes to an equal one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from improto.codec import decode_text, encode_text
from improto.frames import (
    ConnAck,
    Connect,
    Delivery,
    DeliveryAck,
    Disconnect,
    PingReq,
    PingResp,
    ProtocolVersion,
    PubAck,
    Publish,
    Qos,
    Query,
    QueryAck,
    QueryCon,
    Role,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    Will,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    from improto.frames import Frame

_u8 = st.integers(0, 0xFF)
_u16 = st.integers(0, 0xFFFF)
_u32 = st.integers(0, 0xFFFF_FFFF)
_u64 = st.integers(0, 0xFFFF_FFFF_FFFF_FFFF)


def texts() -> SearchStrategy[str]:
    """Text as it comes out of the decoder: all of Unicode, and halves of surrogate pairs.

    Never a high half before a low one: the decoder would have joined them (wire 3).
    """
    anything = st.text(st.characters(exclude_categories=()), max_size=100)
    return anything.map(lambda text: decode_text(encode_text(text)))


def _build(kind: Callable[..., Frame], **fields: SearchStrategy[object]) -> SearchStrategy[Frame]:
    flags = {
        "qos": st.sampled_from(Qos),
        "is_sync" if kind is Delivery else "dup": st.booleans(),
        "retain": st.booleans(),
    }
    return st.builds(kind, **flags, **fields)


def _connects() -> SearchStrategy[Frame]:
    wills = st.builds(
        Will,
        topic=texts(),
        message=texts(),
        qos=st.sampled_from(Qos),
        retain=st.booleans(),
    )
    return _build(
        Connect,
        client_id=texts(),
        protocol_name=texts(),
        protocol_version=_u8,
        clean_session=st.booleans(),
        keep_alive=_u16,
        will=st.none() | wills,
        app_id=st.none() | texts(),
        token=st.none() | texts(),
    )


def _connacks_v3() -> SearchStrategy[Frame]:
    build = partial(_build, ConnAck, reserved=_u8, status=_u8)
    return st.one_of(
        build(),
        build(user_id=texts()),
        build(user_id=texts(), session_id=texts()),
        build(user_id=texts(), session_id=texts(), timestamp=_u64),
    )


def _connacks_v4() -> SearchStrategy[Frame]:
    return _build(
        ConnAck,
        reserved=_u8,
        status=_u8,
        user_id=st.none() | texts(),
        session_id=st.none() | texts(),
        timestamp=st.none() | _u64,
        message_id=st.none() | _u16,
        protocol_version=st.just(ProtocolVersion.V4),
    )


_request = {"topic": texts(), "target_id": texts(), "message_id": _u16, "data": st.binary()}

_FROM_CLIENT: Final = st.one_of(
    _connects(),
    _build(Publish, **_request),
    _build(DeliveryAck, message_id=_u16),
    _build(Query, **_request),
    _build(QueryCon, message_id=_u16),
    _build(Subscribe),
    _build(Unsubscribe),
    _build(PingReq),
    _build(Disconnect, reserved=_u8, status=_u8),
)
_FROM_SERVER: Final = st.one_of(
    _build(Delivery, date=_u32, **_request),
    _build(PubAck, message_id=_u16, date=_u32, status=_u16, millisecond=_u16, uid=texts()),
    _build(QueryAck, message_id=_u16, date=_u32, status=_u16, data=st.binary()),
    _build(SubAck),
    _build(UnsubAck),
    _build(PingResp),
    _build(Disconnect, reserved=_u8, status=_u8),
)
_CONNACKS: Final = {ProtocolVersion.V3: _connacks_v3(), ProtocolVersion.V4: _connacks_v4()}


def frames(
    sender: Role, *, protocol_version: ProtocolVersion = ProtocolVersion.V3
) -> SearchStrategy[Frame]:
    """Any frame that ``sender`` may send, on a connection of that version (wire 2)."""
    if sender is Role.CLIENT:
        return _FROM_CLIENT
    return _CONNACKS[protocol_version] | _FROM_SERVER
