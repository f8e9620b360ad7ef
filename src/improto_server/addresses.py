"""Addresses that stand for all of a machine's: good to listen on, not to connect to."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Each with the one where the same machine finds what listens there."""


def is_loopback(host: str) -> bool:
    """Whether a name or an address leads to this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
