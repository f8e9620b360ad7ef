"""Hours of messages: where they can be fetched, and fetching them (rest 6).

The link is signed, so whoever has it needs nothing else. What it leads to is made while it is
sent, a page at a time: as a whole it is never in memory.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final
from zipfile import ZIP_DEFLATED, ZipFile

from anyio.to_thread import run_sync
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.parameters import Formed
from improto_server.api.replies import Code, RefusedError
from improto_server.files.grants import Fetch, GrantError
from improto_server.services.archives import Cursor
from improto_server.waiting import finished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from improto_server.api.replies import Calendar
    from improto_server.files.grants import Signer
    from improto_server.services.archives import Archives

LINK_SECONDS: Final = 3600
"""How long a link is good. Ours."""

_DATE: Final = Formed(
    "date", pattern="[0-9]{10}", limit="ten digits, YYYYMMDDHH, an hour of the API's time zone"
)


class ArchiveCalls:
    """Calls about hours, and the route to them.

    ``url``: where the web port is found; ``now``: seconds since 1970.
    """

    def __init__(
        self,
        *,
        archives: Archives,
        calendar: Calendar,
        signer: Signer,
        url: Callable[[], str],
        now: Callable[[], float],
    ) -> None:
        self._archives = archives
        self._calendar = calendar
        self._signer = signer
        self._url = url
        self._now = now

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/message/history",
                mark=Mark.CORE,
                about="Where the messages of an hour can be fetched for an hour from now on, as"
                " lines of JSON in a zip file. The hour must be over, for three days at most.",
                parameters=(_DATE,),
                call=self.find,
                reply="url: text, empty if there is none, date",
            ),
            Endpoint(
                path="/message/history/delete",
                mark=Mark.CORE,
                about="Let nobody fetch the messages of an hour. Clients go on reading them.",
                parameters=(_DATE,),
                call=self.delete,
            ),
        ]

    def routes(self) -> list[Route]:
        """Where the links lead."""
        return [Route("/history/{grant}/{name}", self.fetch, methods=["GET"])]

    async def find(self, call: Call) -> Reply:
        """INVALID: there is no such hour."""
        date = call[_DATE]
        if not await self._archives.is_there(call.app, self._start(date)):
            return {"url": "", "date": date}
        until = int(self._now()) + LINK_SECONDS
        grant = self._signer.fetch(Fetch(app=call.app, date=date, until=until))
        return {"url": f"{self._url()}/history/{grant}/{date}.zip", "date": date}

    async def delete(self, call: Call) -> Reply:
        """INVALID: there is no such hour."""
        await self._archives.delete(call.app, self._start(call[_DATE]))
        return None

    async def fetch(self, request: Request) -> Response:
        """The file of a link."""
        try:
            grant = self._signer.read_fetch(request.path_params["grant"], now=self._now())
        except GrantError as error:
            return Response(f"{error}\n", status_code=403, media_type="text/plain")
        start = self._start(grant.date)
        if not await finished(self._archives.is_there(grant.app, start)):
            return Response("it is not there any more\n", status_code=404, media_type="text/plain")
        return StreamingResponse(
            self._zipped(grant.app, grant.date, start),
            media_type="application/zip",
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        )

    async def _zipped(self, app: str, date: str, start: int) -> AsyncIterator[bytes]:
        sink = _Sink()
        cursor: Cursor | None = Cursor(start)
        # Nobody knows yet how large it gets.
        with (
            ZipFile(sink, "w", ZIP_DEFLATED) as archive,
            archive.open(f"{date}.log", "w", force_zip64=True) as file,
        ):
            while cursor is not None:
                lines, cursor = await finished(
                    self._archives.lines(app, start, cursor, written=self._calendar.text)
                )
                await run_sync(partial(file.write, lines))
                yield sink.take()
        yield sink.take()

    def _start(self, date: str) -> int:
        start = self._calendar.hour(date)
        if start is None:
            raise RefusedError(Code.INVALID, "date is no hour")
        return start


class _Sink:
    """What a zip file is written to: it cannot be read or gone back in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is left open."""

    def take(self) -> bytes:
        """What has been written since the last look."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
