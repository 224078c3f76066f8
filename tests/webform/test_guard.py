"""Guards as tables: whose address, which robots, which site, how long a session."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from tests.webform.ground import Clock
from webform.guard import COOKIE, SESSION_S, SessionKeeper, client_ip, is_cross_site, is_robot, networks, source_of


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "proxies", "address"),
    [
        pytest.param("192.0.2.7", "", (), "192.0.2.7", id="no proxy: the peer"),
        pytest.param("192.0.2.7", "198.51.100.1", (), "192.0.2.7", id="a stranger's header is not believed"),
        pytest.param("10.0.0.1", "198.51.100.1", ("10.0.0.1",), "198.51.100.1", id="our proxy is believed"),
        pytest.param("10.0.0.1", "", ("10.0.0.1",), "10.0.0.1", id="our proxy says nothing"),
        pytest.param("10.0.0.1", "6.6.6.6, 198.51.100.1", ("10.0.0.0/8",), "198.51.100.1", id="what the visitor wrote"),
        pytest.param("10.0.0.1", "198.51.100.1, 10.0.0.2", ("10.0.0.0/8",), "198.51.100.1", id="two proxies"),
        pytest.param("10.0.0.1", "junk", ("10.0.0.0/8",), "10.0.0.1", id="junk is no address"),
        pytest.param("::1", "2001:db8::5", ("::1/128",), "2001:db8::5", id="IPv6"),
        pytest.param("", "198.51.100.1", ("10.0.0.0/8",), "", id="no peer known"),
    ],
)
def test_client_ip(peer: str, forwarded_for: str, proxies: tuple[str, ...], address: str) -> None:
    assert client_ip(peer, forwarded_for, networks(proxies)) == address


@pytest.mark.parametrize(
    ("address", "source"),
    [
        pytest.param("192.0.2.7", "192.0.2.7", id="IPv4"),
        pytest.param("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", id="a host of IPv6 has a whole network"),
        pytest.param("::ffff:192.0.2.7", "192.0.2.7", id="IPv4 on a socket of both"),
        pytest.param("", "", id="no peer known"),
    ],
)
def test_source_of(address: str, source: str) -> None:
    assert source_of(address) == source


def test_a_proxy_that_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="not-an-address"):
        networks(["not-an-address"])


@pytest.mark.parametrize(
    ("headers", "robot"),
    [
        pytest.param({}, False, id="a plain client"),
        pytest.param({"user-agent": "Mozilla/5.0 Chrome/156", "sec-fetch-dest": "document"}, False, id="a browser"),
        pytest.param({"sec-purpose": "prefetch"}, True, id="prefetch"),
        pytest.param({"sec-purpose": "prefetch;prerender"}, True, id="prerender"),
        pytest.param({"purpose": "prefetch"}, True, id="the older header"),
        pytest.param({"x-moz": "prefetch"}, True, id="the oldest header"),
        pytest.param({"sec-fetch-dest": "image"}, True, id="an image on someone's page"),
        pytest.param({"sec-fetch-dest": "iframe"}, True, id="a frame on someone's page"),
        *[
            pytest.param({"user-agent": f"Mozilla/5.0 (compatible; {name}/1.0)"}, True, id=name)
            for name in (
                "Slackbot-LinkExpanding",
                "facebookexternalhit",
                "Twitterbot",
                "WhatsApp",
                "TelegramBot",
                "Discordbot",
                "LinkedInBot",
                "Googlebot",
            )
        ],
    ],
)
def test_is_robot(headers: dict[str, str], robot: bool) -> None:
    assert is_robot(Headers(headers)) is robot


@pytest.mark.parametrize(
    ("headers", "cross"),
    [
        pytest.param({}, False, id="no browser"),
        pytest.param({"sec-fetch-site": "same-origin", "origin": "http://evil"}, False, id="the browser's word counts"),
        pytest.param({"sec-fetch-site": "none"}, False, id="typed by the user"),
        pytest.param({"sec-fetch-site": "cross-site"}, True, id="another site"),
        pytest.param({"sec-fetch-site": "same-site"}, True, id="a neighbour under the same domain"),
        pytest.param({"origin": "http://a.example", "host": "a.example"}, False, id="own origin"),
        pytest.param({"origin": "http://b.example", "host": "a.example"}, True, id="another origin"),
        pytest.param({"origin": "null", "host": "a.example"}, True, id="a hidden origin"),
    ],
)
def test_is_cross_site(headers: dict[str, str], cross: bool) -> None:
    assert is_cross_site(Headers(headers)) is cross


def request_with(cookie: str = "") -> Request:
    headers = [(b"cookie", f"{COOKIE}={cookie}".encode())] if cookie else []
    return Request({"type": "http", "headers": headers})


def session_cookie(keeper: SessionKeeper) -> str:
    response = Response()
    keeper.open(response)
    return response.headers["set-cookie"]


def value_of(set_cookie: str) -> str:
    return set_cookie.split(";")[0].split("=", 1)[1]


def test_a_session_ends_after_twelve_hours() -> None:
    clock = Clock()
    keeper = SessionKeeper(b"s", https=True, clock=clock)
    request = request_with(value_of(session_cookie(keeper)))
    assert keeper.of(request)
    clock.now += SESSION_S
    assert keeper.of(request) == ""


def test_a_cookie_of_another_secret_is_no_session() -> None:
    theirs = session_cookie(SessionKeeper(b"theirs", https=False, clock=Clock()))
    assert SessionKeeper(b"ours", https=False, clock=Clock()).of(request_with(value_of(theirs))) == ""


def test_a_csrf_token_is_no_session_and_belongs_to_one() -> None:
    keeper = SessionKeeper(b"s", https=False, clock=Clock())
    mine, other = (request_with(value_of(session_cookie(keeper))) for _ in range(2))
    assert keeper.allows(mine, keeper.csrf(mine))
    assert not keeper.allows(mine, keeper.csrf(other))
    assert not keeper.allows(mine, "")
    assert not keeper.allows(request_with(), "")
    assert keeper.of(request_with(keeper.csrf(mine))) == ""


@pytest.mark.parametrize("https", [True, False])
def test_the_cookie_is_kept_from_scripts_and_from_plain_http(https: bool) -> None:
    cookie = session_cookie(SessionKeeper(b"s", https=https, clock=Clock()))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert ("Secure" in cookie) is https
