"""Templates into responses: every page, the error pages among them, is made here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import jinja2
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from b2bua.desk import UNAVAILABLE_S
from webform.guard import secure

__all__ = ["STATIC", "Pages", "talk_time"]

HERE = Path(__file__).parent
STATIC = HERE / "static"

ERRORS = {
    400: ("This request is not complete", "Go back, check what you entered and try again."),
    403: ("You need to sign in", "Open the one-time link that the server printed, or ask for a new one."),
    404: ("There is no such page", "Check the address, or ask the person who gave it to you for a new one."),
    405: ("This cannot be done here", "The page exists, but does not take this kind of request."),
    413: ("That is too much text", "Go back and shorten what you entered."),
    415: ("This is not a form", "The page takes ordinary web forms only."),
    422: ("Something is not right", "Go back, check what you entered and try again."),
    429: ("Too many requests", "Wait a little, then try again."),
    500: ("Something went wrong on our side", "It has been noted. Please try again in a moment."),
    503: ("This cannot be done just now", "Nothing was changed. Please try again in a moment."),
}


def talk_time(seconds: int) -> str:
    """Say a length of talk: `12 s`, `3 min 05 s`."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _utc(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _fingerprint(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


class Pages:
    """Renders templates by name; escaping is on for all of them."""

    def __init__(self, *, https: bool) -> None:
        self._https = https
        self._env = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self._env.filters.update(utc=_utc, talk_time=talk_time)
        urls = {path.name: f"/static/{path.name}?v={_fingerprint(path.name)}" for path in STATIC.iterdir()}
        self._env.globals["static"] = urls.__getitem__

    def text(self, template: str, values: Mapping[str, object]) -> str:
        """Render a template or a fragment of one."""
        return self._env.get_template(template).render(values)

    def page(
        self, template: str, values: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None
    ) -> HTMLResponse:
        """Render a whole page as a response."""
        return HTMLResponse(self.text(template, values), status, headers)

    def error(self, status: int, headers: Mapping[str, str] | None = None) -> HTMLResponse:
        """The page of an error status; one body for one status, so that a 404 never tells why (SPEC H14)."""
        title, sentence = ERRORS.get(status, ERRORS[500 if status >= 500 else 400])
        return self.page("error.html", {"title": title, "sentence": sentence}, status, headers)

    async def on_http_error(self, request: Request, error: Exception) -> Response:
        """Exception handler for HTTPException."""
        assert isinstance(error, HTTPException)
        return self.error(error.status_code, error.headers)

    async def on_unavailable(self, request: Request, error: Exception) -> Response:
        """Exception handler for a transaction that failed as a whole."""
        return self.error(503, {"Retry-After": str(UNAVAILABLE_S)})

    async def on_crash(self, request: Request, error: Exception) -> Response:
        """Exception handler for our own faults; the server logs the traceback, the page tells nothing."""
        response = self.error(500)
        secure(response.headers, https=self._https)  # this answer is made outside of the middleware
        return response
