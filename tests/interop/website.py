"""The web site with the pages: this folder, on loopback, as it is."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

from tests.interop.sdk import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Files(SimpleHTTPRequestHandler):
    # Browsers keep their connections then.
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what matters is in the page's own report."""


@contextmanager
def serve_pages() -> Iterator[str]:
    """Serve them for as long as the block lasts; it gets the site's address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(HERE))) as site:
        thread = Thread(target=site.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{site.server_port}"
        finally:
            site.shutdown()
            thread.join()
