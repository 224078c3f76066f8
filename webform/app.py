"""The web application: puts pages, guards and static files together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from b2bua.desk import Desk, Office, StoreError
from webform.api import Api
from webform.captcha import Challenges
from webform.console import ConsolePages
from webform.events import Streams
from webform.guard import SecurityHeaders, SessionKeeper, client_ip, networks
from webform.pages import STATIC, Pages
from webform.status import StatusPages
from webform.visitor import VisitorPages

__all__ = ["create_app"]


class _Static(StaticFiles):
    """Files whose URLs carry a fingerprint, so that they may be kept for a year."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def create_app(
    desk: Desk,
    *,
    secret: bytes,
    base_url: str,
    speak_digits: Callable[[str], bytes],
    office: Office | None = None,
    admin: bool = True,
    proxies: Sequence[str] = (),
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """Build the ASGI application.

    `secret` signs sessions; `speak_digits` gives one digit's clip as 16-bit mono WAV; `proxies` are the addresses or
    networks whose X-Forwarded-For is believed; `admin=False` leaves only the public pages; without `office` there is
    no API.
    A server that stops calls `app.state.close_streams()` first, else it waits for every open page.
    Raises: ValueError for a bad proxy.
    """
    own = urlsplit(base_url)
    https, trusted = own.scheme == "https", networks(proxies)
    pages, streams = Pages(https=https), Streams()

    def address(request: Request) -> str:
        peer = request.client.host if request.client else ""
        return client_ip(peer, request.headers.get("x-forwarded-for", ""), trusted)

    async def index(request: Request) -> Response:
        return pages.page("index.html", {"demo": desk.demo_state() if admin else None})

    routes: list[BaseRoute] = [
        Route("/", index, methods=["GET"]),
        Mount("/static", _Static(directory=STATIC)),
        *StatusPages(desk, pages, streams).routes(),
        *VisitorPages(desk, pages, Challenges(clock), address, speak_digits).routes(),
    ]
    if office is not None:
        routes.append(Mount("/api/v1", Api(office, address, clock).app()))
    if admin:
        routes += ConsolePages(desk, pages, SessionKeeper(secret, https, clock), streams, own.hostname or "").routes()
    app = Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders, https=https)],
        exception_handlers={
            HTTPException: pages.on_http_error, StoreError: pages.on_unavailable, Exception: pages.on_crash,
        },
    )
    app.state.close_streams = streams.close
    return app
