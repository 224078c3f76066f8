"""Who asks, from where and with what right: headers, client address, prefetch, session, CSRF token, body limit."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import parse_qsl, urlsplit

from itsdangerous import BadData, URLSafeSerializer
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = [
    "SessionKeeper",
    "SecurityHeaders",
    "client_ip",
    "is_cross_site",
    "is_robot",
    "networks",
    "read_form",
    "secure",
    "source_of",
]

MAX_BODY_BYTES = 16_384
MAX_FIELDS = 20
SESSION_S = 12 * 3600
COOKIE = "ringback_session"

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)

PREVIEWERS = (
    "slackbot",
    "facebookexternalhit",
    "facebot",
    "twitterbot",
    "whatsapp",
    "telegrambot",
    "discordbot",
    "linkedinbot",
    "googlebot",
    "google-inspectiontool",
    "bingbot",
    "bingpreview",
    "skypeuripreview",
    "microsoftpreview",
    "applebot",
    "duckduckbot",
    "yandex",
    "baiduspider",
    "pinterest",
    "redditbot",
    "mastodon",
    "embedly",
    "viber",
    "vkshare",
    "iframely",
    "snapchat",
    "crawler",
    "spider",
)


def secure(headers: MutableHeaders, *, https: bool) -> None:
    """Add the headers that every answer carries; a handler's own Cache-Control and Referrer-Policy stay."""
    headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["X-Robots-Tag"] = "noindex, nofollow"
    # not `no-referrer`: browsers would then send `Origin: null` with our own forms
    headers.setdefault("Referrer-Policy", "same-origin")
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    headers.setdefault("Cache-Control", "no-store")
    if https:
        headers["Strict-Transport-Security"] = "max-age=31536000"


class SecurityHeaders:
    """ASGI middleware: `secure` on every response."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app, self.https = app, https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                secure(MutableHeaders(scope=message), https=self.https)
            await send(message)

        await self.app(scope, receive, send_secured)


def networks(proxies: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Parse the configured proxies, addresses or CIDR networks.  Raises: ValueError for anything else."""
    return tuple(ip_network(proxy) for proxy in proxies)


def client_ip(peer: str, forwarded_for: str, proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    """The visitor's address: the peer's, or the last X-Forwarded-For entry that no proxy of ours wrote."""
    seen = peer
    for hop in reversed(forwarded_for.split(",")):
        if not _within(seen, proxies) or not _is_ip(hop.strip()):
            break
        seen = hop.strip()
    return seen


def source_of(address: str) -> str:
    """What counts as one visitor: an IPv4 address, or the /64 in which an IPv6 host picks its own."""
    ip = ip_address(address) if _is_ip(address) else None
    if not isinstance(ip, IPv6Address):
        return address
    return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _within(address: str, proxies: Sequence[IPv4Network | IPv6Network]) -> bool:
    return _is_ip(address) and any(ip_address(address) in network for network in proxies)


def is_robot(headers: Headers) -> bool:
    """True for a prefetch, a link previewer or an embedded load: nobody asked yet (SPEC H10)."""
    purposes = headers.get("sec-purpose", "") + headers.get("purpose", "") + headers.get("x-moz", "")
    agent = headers.get("user-agent", "").lower()
    # an <img> or <iframe> on someone's page says so in Sec-Fetch-Dest; only a followed link is `document`
    embedded = headers.get("sec-fetch-dest", "document") != "document"
    return "prefetch" in purposes.lower() or embedded or any(name in agent for name in PREVIEWERS)


def is_cross_site(headers: Headers) -> bool:
    """True when another site's page made the browser send this request."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


async def read_form(request: Request) -> dict[str, str]:
    """Read a urlencoded body; the last of equal names wins.

    Raises: HTTPException 413 (too long), 415 (not a form), 400 (too many fields).
    """
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413)
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise HTTPException(400) from None


@dataclass(frozen=True, slots=True)
class SessionKeeper:
    """Signs and reads the admin's cookie and the CSRF token that goes with it."""

    secret: bytes
    https: bool
    clock: Callable[[], float]

    def open(self, response: Response) -> None:
        """Give the browser a new session of twelve hours."""
        cookie = self._dump("session", secrets.token_urlsafe(16))
        response.set_cookie(COOKIE, cookie, max_age=SESSION_S, httponly=True, samesite="lax", secure=self.https)

    def close(self, response: Response) -> None:
        """Take the cookie back."""
        response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=self.https)

    def of(self, request: Request) -> str:
        """The session's id; empty when there is none or it is over."""
        return self._load("session", request.cookies.get(COOKIE, ""))

    def csrf(self, request: Request) -> str:
        """A token for the forms of this browser's pages."""
        return self._dump("csrf", self.of(request))

    def allows(self, request: Request, token: str) -> bool:
        """True when our own page sent this POST: same site, and a token of the same session."""
        return not is_cross_site(request.headers) and self._load("csrf", token, absent="-") == self.of(request)

    def _dump(self, salt: str, value: str) -> str:
        text = URLSafeSerializer(self.secret, salt=salt).dumps([int(self.clock()) + SESSION_S, value])
        return text if isinstance(text, str) else text.decode()

    def _load(self, salt: str, text: str, absent: str = "") -> str:
        try:
            until, value = URLSafeSerializer(self.secret, salt=salt).loads(text)
        except BadData:
            return absent
        return str(value) if self.clock() < until else absent
