"""Certificates: those that the server shows, read again when they have been renewed."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING

from improto_server.config import SettingsError

if TYPE_CHECKING:
    from improto_server.config import GatewaySettings, WebSettings

_logger = logging.getLogger(__name__)


class Certificate:
    """A certificate with its key, for one port.

    ``table`` is where the settings name the files, for what is said when they are no good. Raises
    SettingsError then.
    """

    def __init__(self, table: str, certificate: str, key: str) -> None:
        self._table = table
        self._files = certificate, key
        self.context = _context()
        """For the port; it shows what was read last."""
        self._load(self.context)

    @classmethod
    def of(cls, table: str, settings: GatewaySettings | WebSettings) -> Certificate | None:
        """That of a port; None if it has none."""
        if not settings.certificate:
            return None
        return cls(table, settings.certificate, settings.key)

    def reload(self) -> None:
        """Read the files again, for new connections. If they are no good, what was read stays."""
        try:
            # A certificate without its key must not get into use.
            self._load(_context())
            self._load(self.context)
        except SettingsError as error:
            _logger.error("%s; the old one stays", error)
        else:
            _logger.info("%s.certificate is read again", self._table)

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            # Nobody is there to be asked for a password.
            context.load_cert_chain(*self._files, password=_refuse)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SettingsError(
                f"{self._table}.certificate and {self._table}.key cannot be used: {reason}"
            ) from error


def own_client(certificate: str) -> ssl.SSLContext:
    """For a client on this machine of a server that has this certificate.

    It believes this one alone, whoever has signed it, and whatever name it is for. Raises OSError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _refuse() -> str:
    raise ValueError("the key has a password")
