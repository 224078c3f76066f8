"""Who may use the API (RFC 6750), and how its requests are read and refused: everything is JSON, errors too."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from b2bua.desk import UNAVAILABLE_S, Holder, NotDone, Office

__all__ = ["Bouncer", "Json", "on_http_error", "on_unavailable", "read_body", "read_json", "read_count", "read_switch"]

T = TypeVar("T")
MOST_JSON_BYTES = 16_384
TRIES, WINDOW_S, MOST_ADDRESSES = 10, 60.0, 10_000
_SENTENCES = {
    400: "This request cannot be read.",
    404: "There is no such resource.",
    405: "This resource does not take this method.",
    413: "The body is too long.",
    500: "A fault of this server; its log says more.",
}


class Json(Response):
    """Any value of b2bua.desk as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """A body; none for None."""
        return b"" if content is None else msgspec.json.encode(content)

    @classmethod
    def refusal(cls, refusal: NotDone, headers: Mapping[str, str] | None = None) -> Json:
        """`{"error": sentence}` and, where they are known, the field and the line of a file."""
        body: dict[str, object] = {"error": refusal.sentence}
        if refusal.field:
            body["field"] = refusal.field
        if refusal.line is not None:
            body["line"] = refusal.line
        if refusal.faults:
            body["faults"] = refusal.faults
        return cls(body, refusal.status, headers)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Exception handler for HTTPException and for our own faults, which the server logs."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = error.detail if isinstance(error, HTTPException) and status not in _SENTENCES else _SENTENCES[status]
    return Json.refusal(NotDone(said, status), error.headers if isinstance(error, HTTPException) else None)


async def on_unavailable(request: Request, error: Exception) -> Response:
    """Exception handler for a transaction that failed whole, above all while another process holds the database."""
    said = "The database is not available just now; nothing was changed. Please try again."
    return Json.refusal(NotDone(said, 503), {"Retry-After": str(UNAVAILABLE_S)})


class Bouncer:
    """Reads the bearer token; an address that tried too many wrong ones waits, whoever else is behind it goes on."""

    def __init__(self, office: Office, address: Callable[[Request], str], clock: Callable[[], float]) -> None:
        self.office, self.address, self.clock = office, address, clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._good: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    async def holder(self, request: Request) -> Holder:
        """Raises: HTTPException 401 without a good token, 429 after too many bad ones."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise HTTPException(401, "Send an API token: Authorization: Bearer TOKEN", _challenge())
        source, token = self.address(request), token.strip()
        known = (source, hashlib.sha256(token.encode()).digest())
        wait_s = self._wait_s(source)
        if wait_s > 0 and known not in self._good:
            raise HTTPException(429, "Too many wrong tokens; wait a little.", {"Retry-After": str(math.ceil(wait_s))})
        who = await self.office.holder(token)
        if who is None:
            self._good.pop(known, None)
            _remember(self._failures, source, self._failures.get(source) or deque(maxlen=TRIES)).append(self.clock())
            raise HTTPException(401, "This API token is unknown or revoked.", _challenge("invalid_token"))
        _remember(self._good, known, None)
        return who

    def _wait_s(self, source: str) -> float:
        tries = self._failures.get(source)
        return tries[0] + WINDOW_S - self.clock() if tries and len(tries) == TRIES else 0.0


def _remember(kept: OrderedDict[Any, T], key: Any, value: T) -> T:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > MOST_ADDRESSES:
        kept.popitem(last=False)
    return value


def _challenge(error: str = "") -> dict[str, str]:
    """RFC 6750 3: the reason is told only where a token was sent."""
    return {"WWW-Authenticate": 'Bearer realm="ringback"' + (f', error="{error}"' if error else "")}


async def read_body(request: Request, media_type: str, most: int) -> bytes:
    """The body of this media type.  Raises: HTTPException 415, 413."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != media_type:
        raise HTTPException(415, f"Send Content-Type: {media_type}")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(413)
    return body


async def read_json(request: Request, kind: type[T], most: int = MOST_JSON_BYTES) -> T:
    """A JSON object as a value, or as it is where `kind` is dict.

    Raises: HTTPException 400, 413, 415; NotDone 422 with the field.
    """
    body = await read_body(request, "application/json", most)
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise HTTPException(400) from broken
    if not isinstance(found, dict):
        raise NotDone("Send a JSON object.")
    if is_dataclass(kind):
        names = [each.name for each in fields(kind)]
        for key in found:
            if key not in names:
                raise NotDone(f"There is no field {key}; there are {', '.join(names)}.", field=key)
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as wrong:
        raise _not_so(str(wrong)) from wrong


_PLAIN = {"`int`": "a whole number", "`str`": "text", "`bool`": "true or false", "`float`": "a number",
          "`array`": "a list", "`object`": "an object", "`null`": "null"}  # fmt: skip


def _not_so(message: str) -> NotDone:
    """msgspec's message, `Expected `str`, got `int` - at `$.amount``, in plain words."""
    sentence, _, where = message.partition(" - at `$.")
    sentence = sentence.replace(" | null`", "`")
    for word, plain in _PLAIN.items():
        sentence = sentence.replace(word, plain)
    field = where.rstrip("`") or sentence.rpartition("required field ")[2].strip("`")
    return NotDone(f"{sentence.replace('`', '')}.", field=field)


def read_count(request: Request, name: str, default: int, most: int) -> int:
    """A whole number from the query.  Raises: NotDone."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= most):
        raise NotDone(f"{name}: expected a whole number from 0 to {most}", field=name)
    return int(text)


def read_switch(request: Request, name: str) -> bool | None:
    """`true` or `false` from the query; None when it is not there.  Raises: NotDone."""
    text = request.query_params.get(name)
    if text not in (None, "true", "false"):
        raise NotDone(f"{name}: expected true or false", field=name)
    return None if text is None else text == "true"
