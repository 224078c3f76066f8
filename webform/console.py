"""Pages behind the counter: live calls, one call's ladder and recording, the demo's desk, the admin's list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from b2bua.desk import CallView, Desk, LadderRow
from webform.events import EventStream, Streams, frame
from webform.guard import SessionKeeper, is_robot, read_form
from webform.pages import Pages

__all__ = ["ConsolePages"]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_CREDIT_EVERY_S = 0.5
"""How often the demo looks for another credit: it falls while nothing else happens."""

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class ConsolePages:
    """Handlers of /calls, /demo and /admin; open in demo mode, else only with the admin's session."""

    desk: Desk
    pages: Pages
    sessions: SessionKeeper
    streams: Streams
    host: str
    """Our own host name, from the base URL."""

    def routes(self) -> list[Route]:
        """The routes; /admin/{token} is the only one that needs no session."""
        return [
            Route("/calls", self._guarded(self.calls), methods=["GET"]),
            Route("/calls/events", self._guarded(self.calls_events), methods=["GET"]),
            Route("/calls/{id}", self._guarded(self.call), methods=["GET"]),
            Route("/calls/{id}/events", self._guarded(self.call_events), methods=["GET"]),
            Route("/calls/{id}/recording.wav", self._guarded(self.recording), methods=["GET"]),
            Route("/demo", self._guarded(self.demo), methods=["GET"]),
            Route("/demo/behaviour", self._guarded(self.behaviour), methods=["POST"]),
            Route("/demo/callback", self._guarded(self.callback), methods=["POST"]),
            Route("/admin", self._guarded(self.admin), methods=["GET"]),
            Route("/admin/sign-out", self._guarded(self.sign_out), methods=["POST"]),
            Route("/admin/{token}", self.sign_in, methods=["GET", "POST"]),
        ]

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if not self._may_enter(request):
                raise HTTPException(403)
            return await handler(request)

        return guarded

    def _may_enter(self, request: Request) -> bool:
        if self.sessions.of(request):
            return True
        # a stranger's name that resolves to 127.0.0.1 (DNS rebinding) must not read the open demo pages
        host = urlsplit(f"//{request.headers.get('host', '')}")
        name = host.netloc.removesuffix(f":{host.port}") if host.port else host.netloc
        return self.desk.demo and name in LOOPBACK | {self.host}

    async def calls(self, request: Request) -> Response:
        """Live and recent calls."""
        return self._page("calls.html", {"calls": self.desk.calls()})

    async def calls_events(self, request: Request) -> Response:
        """The rows of that list at each change, and where that is asked for the credit of the demo's caller."""
        beside = [self._credit_frames()] if "credit" in request.query_params else []
        return EventStream(self.streams.merge(self._list_frames(), *beside))

    async def call(self, request: Request) -> Response:
        """One call: summary, recording, ladder."""
        call = self._call(request)
        return self._page("call.html", {"call": call, "rows": self.desk.ladder(call.id), "lanes": self._lanes(call)})

    async def call_events(self, request: Request) -> Response:
        """Each new ladder row, and the summary whenever it changes, for as long as the page is open."""
        call = self._call(request)
        seen = request.headers.get("last-event-id", request.query_params.get("after", ""))
        after = int(seen) if seen.isascii() and seen.isdigit() else -1
        return EventStream(self.streams.merge(self._call_frames(call.id), self._row_frames(call.id, after)))

    async def recording(self, request: Request) -> Response:
        """The stereo WAV; a player may ask for a part of it."""
        path = self.desk.recording(self._call(request).id)
        if path is None or not path.is_file():
            raise HTTPException(404)
        return FileResponse(path, media_type="audio/wav")

    async def demo(self, request: Request) -> Response:
        """The phone's buttons, the callback number, the simulated numbers, and the newest call as it happens."""
        state = self.desk.demo_state()
        if state is None:
            raise HTTPException(404)
        calls = self.desk.calls()
        newest = calls[0] if calls else None
        return self._page(
            "demo.html",
            {
                "state": state,
                "callback": await self.desk.demo_callback(),
                "csrf": self.sessions.csrf(request),
                "calls": calls,
                "call": newest,
                "rows": self.desk.ladder(newest.id) if newest else (),
                "lanes": self._lanes(newest),
            },
        )

    async def behaviour(self, request: Request) -> Response:
        """A button of the simulated phone."""
        fields = await self._own_form(request)
        if not await self.desk.demo_set(fields.get("behaviour", "")):
            raise HTTPException(422)
        return RedirectResponse("/demo", 303)

    async def callback(self, request: Request) -> Response:
        """A button of who rings the callback number: ring it, or recharge his credit."""
        fields = await self._own_form(request)
        match fields.get("do"):
            case "ring":
                await self.desk.demo_ring()
                return RedirectResponse("/demo#call", 303)
            case "recharge":
                await self.desk.demo_recharge()
                return RedirectResponse("/demo#callback", 303)
        raise HTTPException(422)

    async def admin(self, request: Request) -> Response:
        """Extensions and calls."""
        return self._page(
            "admin.html",
            {
                "extensions": await self.desk.extensions(),
                "calls": self.desk.calls(),
                "csrf": self.sessions.csrf(request),
                "signed_in": bool(self.sessions.of(request)),
            },
        )

    async def sign_in(self, request: Request) -> Response:
        """Spend a one-time link; a prefetch or a previewer gets a button instead, so that it spends nothing."""
        if request.method == "HEAD" or (request.method == "GET" and is_robot(request.headers)):
            return self.pages.page("sign_in.html", {})
        if not await self.desk.open_admin_link(request.path_params["token"]):
            raise HTTPException(403)
        response = RedirectResponse("/admin", 303)
        self.sessions.open(response)
        return response

    async def sign_out(self, request: Request) -> Response:
        """Forget the session in this browser."""
        await self._own_form(request)
        response = RedirectResponse("/", 303)
        self.sessions.close(response)
        return response

    async def _own_form(self, request: Request) -> dict[str, str]:
        fields = await read_form(request)
        if not self.sessions.allows(request, fields.get("csrf", "")):
            raise HTTPException(403)
        return fields

    def _call(self, request: Request) -> CallView:
        call = self.desk.call(request.path_params["id"])
        if call is None:
            raise HTTPException(404)
        return call

    async def _list_frames(self) -> AsyncIterator[str]:
        async for calls in self.desk.watch_calls():
            yield frame("calls", self.pages.text("_calls.html", {"calls": calls}), calls[0].id if calls else "")

    async def _credit_frames(self) -> AsyncIterator[str]:
        shown = ""
        while (callback := await self.desk.demo_callback()) is not None:
            if callback.credit != shown:
                shown = callback.credit
                yield frame("credit", shown)
            await asyncio.sleep(_CREDIT_EVERY_S)

    async def _row_frames(self, call_id: str, after: int) -> AsyncIterator[str]:
        async for row in self.desk.watch_ladder(call_id, after):
            yield frame("row", self._row(row), str(row.n))

    async def _call_frames(self, call_id: str) -> AsyncIterator[str]:
        shown: CallView | None = None
        async for _ in self.desk.watch_calls():
            call = self.desk.call(call_id)
            if call is not None and call != shown:
                shown = call
                yield frame("call", self.pages.text("_call.html", {"call": call}))

    def _page(self, template: str, values: dict[str, object]) -> Response:
        return self.pages.page(template, values | {"demo": self.desk.demo})

    def _lanes(self, call: CallView | None) -> tuple[str, str, str]:
        """What the three lanes are called."""
        if call is not None and call.kind in ("internal", "callback"):
            return ("Caller", "Ringback", "Called" if call.kind == "internal" else "PSTN")
        return ("John" if self.desk.demo else "Extension", "Ringback", "PSTN")

    def _row(self, row: LadderRow) -> str:
        return self.pages.text("_row.html", {"row": row})
