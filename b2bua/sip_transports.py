"""The transports of one server: UDP, TCP, TLS and WebSocket as configured; out by TCP and TLS in any case."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from ipaddress import ip_address, ip_network
from pathlib import Path

from b2bua.config import BadConfig, Config
from b2bua.exchange import Exchange
from b2bua.places import Places, listed, split_address
from b2bua.rules.edge import behind_proxies
from b2bua.trunks.tls import TrunkContexts
from sip_stack.core import SipCore
from sip_stack.framing import Framer
from sip_stack.hop import WEBSOCKET, Hop
from sip_stack.listening import Listener, Listening
from sip_stack.locating import default_port
from sip_stack.resolver import Resolver
from sip_stack.streams import StreamLimits, StreamTransport
from sip_stack.transport import UdpGroup, UdpTransport
from sip_stack.transports import Certificate, by_transport
from sip_stack.websocket import websocket_framing

__all__ = ["SipTransports", "media_places", "resolver"]

log = logging.getLogger(__name__)

_RENEW_S = 60.0
_LIMITS = {
    "TCP": StreamLimits(connect_s=3.0),  # what is too big for UDP goes by UDP after it (18.1.1)
    "TLS": StreamLimits(),
    # a page that is gone without a word is noticed in a minute; NATs and proxies forget sooner than phones speak
    "WS": StreamLimits(idle_s=60.0, ping_s=25.0),
    "WSS": StreamLimits(idle_s=60.0, ping_s=25.0),
}
_SECURE = ("TLS", "WSS")


def resolver(config: Config, udp: UdpTransport | UdpGroup) -> Resolver:
    """Names to servers that we can reach: of the families and by the transports that we listen at."""
    server = config.server
    named = [("UDP", True), ("TCP", bool(server.tcp)), ("TLS", bool(server.tls))]
    six = {":" in host for host, _ in udp.places}
    return Resolver([name for name, there in named if there], ipv6=True in six, ipv4=False in six)


def media_places(config: Config, udp: UdpTransport | UdpGroup) -> dict[str, tuple[str, str]]:
    """For each address that SIP is listened at, where its calls' sound is received and what far ends are told."""
    named = [place for _, places in _configured(config) for place in listed(places)]
    hosts = [host for host, _ in udp.places] + [split_address(place)[0] for place in named]
    found = [(host, config.addresses(host)) for host in hosts]
    return {host: (addresses.media, addresses.media_told) for host, addresses in found}


class SipTransports:
    """All of them, bound; `start` lets messages in."""

    def __init__(
        self, udp: UdpTransport | UdpGroup, streams: dict[str, StreamTransport], listening: Listening,
        exchange: Exchange, is_proxy: Callable[[str], bool],
    ) -> None:
        self._udp, self._streams, self._exchange, self._is_proxy = udp, streams, exchange, is_proxy
        self._tcp = any(each.transport == "TCP" and each.listens for each in listening.listeners)
        self.listening = listening
        self.send = by_transport({"UDP": udp.send, **{name: each.send for name, each in streams.items()}})

    @classmethod
    async def bind(
        cls, config: Config, exchange: Exchange, udp: UdpTransport | UdpGroup, stack: AsyncExitStack
    ) -> SipTransports:
        """Take every address; `stack` gives them back.  Raises: BadConfig."""
        listeners = [Listener("UDP", host, port, config.addresses(host).sip_told) for host, port in udp.places]
        streams: dict[str, StreamTransport] = {}
        for name, places in _configured(config):
            streams[name] = stream = _stream(config, exchange, name, bool(places))
            stack.push_async_callback(stream.close)
            for place in listed(places):
                try:
                    host, port = await stream.listen(*split_address(place), len(listeners) + 1)
                except OSError as error:
                    raise BadConfig(f"SIP over {name} at {place}: {error.strerror or error}") from error
                listeners.append(Listener(name, host, port, config.addresses(host).sip_told))
            if not listed(places):  # only out: what is answered comes back by the same connection
                listeners += [
                    Listener(name, each.host, each.port if name == "TCP" else default_port(name), each.told, False)
                    for each in listeners if each.transport == "UDP"
                ]
        ways = cls(udp, streams, Listening(listeners), exchange, _web_proxy(config))
        exchange.certified, exchange.drop_connections = ways.certified, ways.drop
        exchange.page_at = ways.page_at
        media = media_places(config, udp)
        if len(numbers := {place: number for number, place in enumerate(dict.fromkeys(media.values()))}) > 1:
            exchange.place_of = lambda hop: numbers[media[ways.listening.of(hop).host]]
        exchange.backlog = lambda: udp.waiting
        return ways

    def attach(self, core: SipCore) -> None:
        """Let us go out: trunks are registered at before anybody can come in."""
        core.oversize.stays = self._stays_on_udp
        for stream in self._streams.values():
            stream.hand_to(core.receive)

    async def start(self, core: SipCore) -> None:
        """Let others in."""
        self._udp.start(core)
        for stream in self._streams.values():
            await stream.start(core.receive)

    def certified(self, hop: Hop) -> frozenset[str]:
        """Whom the certificate of a far end is for."""
        stream = self._streams.get(hop.transport)
        return stream.names(hop) if stream is not None else frozenset()

    def page_at(self, hop: Hop) -> str:
        """The address of a page that a web proxy of ours speaks for; empty where none is between."""
        if hop.transport not in WEBSOCKET or not self._is_proxy(hop.host):
            return ""
        return behind_proxies(hop.host, self._streams[hop.transport].forwarded_for(hop), self._is_proxy)

    def drop(self, trunk: str) -> None:
        """Close what was opened for a trunk."""
        for stream in self._streams.values():
            stream.drop(trunk)

    def _stays_on_udp(self, hop: Hop) -> bool:
        """18.1.1 wants the answer's way too: without TCP of our own nobody could open a connection to us."""
        return not self._tcp or self._exchange.stays_on_udp(hop)


def _configured(config: Config) -> Iterator[tuple[str, Places]]:
    """Each transport with connections and where it is listened at; trunks are reached by TCP and TLS in any case."""
    server = config.server
    yield from (("TCP", server.tcp), ("TLS", server.tls))
    yield from ((name, places) for name, places in (("WS", server.ws), ("WSS", server.wss)) if places)


def _stream(config: Config, exchange: Exchange, name: str, listens: bool) -> StreamTransport:
    """One transport that is not yet bound.  Raises: BadConfig."""
    server, web = config.server, name in WEBSOCKET
    certificate = None
    if listens and name in _SECURE:
        asked = server.tls_client_ca and name == "TLS"  # a browser would ask its user for a certificate
        clients_ca = Path(server.tls_client_ca) if asked else None
        try:
            certificate = Certificate(Path(server.tls_certificate), Path(server.tls_key), clients_ca)
        except OSError as error:  # ssl.SSLError too
            raise BadConfig(f"SIP over {name}, certificate: {error.strerror or error}") from error
        exchange.keep(_renewing(certificate))
    return StreamTransport(
        asyncio.get_running_loop(), name, lost=lambda hop: exchange.core.lost(hop),  # the core comes after these
        served=certificate.context if certificate else None,
        trusted=TrunkContexts(lambda: exchange.directory) if name == "TLS" else None,
        limits=_LIMITS[name], framing=websocket_framing(server.ws_origins) if web else Framer, opens=not web,
        gone=exchange.connection_gone, many=_web_proxy(config),
    )  # fmt: skip


def _web_proxy(config: Config) -> Callable[[str], bool]:
    """Whether a proxy of `[web] proxies` is at an address."""
    networks = [ip_network(proxy) for proxy in config.web.proxies]
    return lambda host: any(ip_address(host) in network for network in networks)


async def _renewing(certificate: Certificate) -> None:
    """A renewed certificate is used without a restart, for connections from then on."""
    while True:
        await asyncio.sleep(_RENEW_S)
        try:
            if certificate.renew():
                log.info("event=certificate-renewed")
        except OSError as error:
            log.error("event=certificate-not-renewed error=%s", error)
