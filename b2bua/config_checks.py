"""What the server's own settings cannot be beyond their types, each in a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from b2bua.places import Places, listed, port_range, split_address, split_host

if TYPE_CHECKING:
    from b2bua.config import Config, ServerConfig, StirConfig

__all__ = ["config_faults"]

_MOST_PLACES = 8


def config_faults(config: Config) -> Iterator[tuple[str, str, str]]:
    """Table, key and sentence of each value that has the right type and makes no sense."""
    server, media, web = config.server, config.media, config.web
    checks: list[tuple[str, str, Callable[[], object]]] = [
        ("server", "sip", lambda: _places(server.sip, least=1)),
        ("server", "tcp", lambda: _places(server.tcp)),
        ("server", "tls", lambda: _places(server.tls)),
        ("server", "ws", lambda: _places(server.ws)),
        ("server", "wss", lambda: _places(server.wss)),
        ("server", "wss" if server.wss else "tls", lambda: _with_certificate(server)),
        ("server", "ws_origins", lambda: [_origin(origin) for origin in server.ws_origins]),
        ("server", "tls_client_ca", lambda: _with_tls(server)),
        ("server", "public_address", lambda: _public(server)),
        ("server", "database", lambda: _database(server.database)),
        ("server", "hep", lambda: server.hep and split_host(server.hep)),
        ("stir", "key", lambda: _whole_stir(config.stir)),
        ("stir", "x5u", lambda: config.stir.x5u and _https(config.stir.x5u)),
        ("stir", "x5u_networks", lambda: [ip_network(network) for network in config.stir.x5u_networks]),
        ("stir", "mark", lambda: _mark(config.stir.mark)),
        ("media", "address", lambda: _one_a_family(listed(media.address))),
        ("media", "ports", lambda: port_range(media.ports)),
        ("web", "http", lambda: split_address(web.http)),
        ("web", "base_url", lambda: web.base_url and _web_address(web.base_url)),
        ("web", "proxies", lambda: [ip_network(proxy) for proxy in web.proxies]),
    ]
    for table, key, check in checks:
        try:
            check()
        except ValueError as error:
            yield table, key, str(error)


def _with_certificate(server: ServerConfig) -> None:
    if (server.tls or server.wss) and not (server.tls_certificate and server.tls_key):
        raise ValueError("TLS needs tls_certificate and tls_key, PEM files")


def _with_tls(server: ServerConfig) -> None:
    if server.tls_client_ca and not server.tls:
        raise ValueError("certificates of trunks come by TLS: set `tls` too")


def _places(text: Places, least: int = 0) -> list[tuple[str, int]]:
    """Raises: ValueError with a sentence."""
    places = [split_address(each) for each in listed(text)]
    if len(places) < least:
        raise ValueError("name an address and port, as in \"0.0.0.0:5060\"")
    if len(set(places)) < len(places):
        raise ValueError("the same address twice")
    if len(places) > _MOST_PLACES:
        raise ValueError(f"more than {_MOST_PLACES} addresses")
    return places


def _public(server: ServerConfig) -> None:
    public = server.public_address
    if isinstance(public, str):
        if public:
            _told(public)
        return
    bound = {str(ip_address(split_address(each)[0])) for place in _ways(server) for each in listed(place)}
    for host, told in public.items():
        if str(ip_address(host)) not in bound:
            raise ValueError(f'"{host}" is none of the addresses that are listened at')
        if ip_address(_told(told)).version != ip_address(host).version:
            raise ValueError(f'"{told}" is of another family than "{host}"')


def _ways(server: ServerConfig) -> list[Places]:
    return [server.sip, server.tcp, server.tls, server.ws, server.wss]


def _one_a_family(addresses: Sequence[str]) -> None:
    versions = [ip_address(each).version for each in addresses]
    if len(set(versions)) < len(versions):
        raise ValueError("one address of each family, IPv4 and IPv6, at most")


def _origin(text: str) -> str:
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]+)?", text):  # RFC 6454 6.2: as browsers write it
        raise ValueError(f'"{text}" is not as in "https://call.example.org", in small letters and without a path')
    return text


def _whole_stir(stir: StirConfig) -> None:
    if any((stir.key, stir.certificate, stir.x5u)) and not all((stir.key, stir.certificate, stir.x5u)):
        raise ValueError("signing needs key, certificate and x5u")


def _https(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or not re.fullmatch(r"[!#-;=?-~]+", url):
        raise ValueError(f'"{url}" is not as in "https://cert.example.org/shaken.pem"')
    return url


def _mark(text: str) -> None:
    if not text.isprintable() or len(text) > 16:
        raise ValueError("expected up to 16 printable characters")


def _told(address: str) -> str:
    if ip_address(address).is_unspecified:
        raise ValueError(f'"{address}" is no address that anybody could send to')
    return address


def _database(url: str) -> str:
    if not re.fullmatch("sqlite:///.+", url):
        raise ValueError(f'"{url}" is not as in "sqlite:///ringback.db" or "sqlite:////var/lib/ringback.db"')
    return url


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f'"{url}" is not as in "https://call.example.org"')
    return url
