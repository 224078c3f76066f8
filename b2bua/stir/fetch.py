"""Certificates by their URL: over https alone, from public addresses alone, small, soon, and kept for a while."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from b2bua.stir.certificates import BadCertificate, Signer
from b2bua.stir.verdict import Finding, NotVerified, Verdict

__all__ = ["CertificateStore", "NotFetched", "fetch", "is_public"]

_WITHIN_S = 2.0
_MOST_BYTES = 65_536
_MOST_KEPT, _MOST_AT_ONCE = 1000, 16
_KEPT_S, _LONGEST_S, _REMEMBERED_S = 3600.0, 86_400.0, 30.0
"""Without Cache-Control, at most, and after a failure."""
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""NAT64 (RFC 6052): an IPv4 address is in it."""

Networks = Sequence[IPv4Network | IPv6Network]
Read = Callable[[bytes, float], Signer]
"""The signer of a chain in PEM at a moment.  Raises: BadCertificate."""


class NotFetched(Exception):
    """There is no certificate; the sentence says why."""


class _Kept(NamedTuple):
    until: float
    found: Signer | Verdict


class CertificateStore:
    """Signers by URL; the same URL is asked for once at a time, and few at once."""

    def __init__(
        self, read: Read, wall: Callable[[], float], *, networks: Networks = (), trusted: ssl.SSLContext | None = None
    ) -> None:
        """`networks`: private ones that may be asked all the same; `trusted`: whose web certificates are believed."""
        self._read, self._wall = read, wall
        self._networks = networks
        self._trusted = trusted or ssl.create_default_context()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Signer | Verdict]] = {}

    def forget(self) -> None:
        """Other roots are known now."""
        self._kept.clear()

    async def signer(self, url: str) -> Signer:
        """Whose certificate is at a URL.  Raises: NotVerified."""
        now = self._wall()
        kept = self._kept.get(url)
        if kept is not None and kept.until > now:
            return _signer(kept.found)
        task = self._asking.get(url)
        if task is None:
            if len(self._asking) >= _MOST_AT_ONCE:
                raise NotVerified(Finding.NO_CERTIFICATE, "too many certificates are being fetched")
            task = self._asking[url] = asyncio.create_task(self._ask(url))
        return _signer(await asyncio.shield(task))  # others may wait for it, when this call is over

    async def _ask(self, url: str) -> Signer | Verdict:
        """It fails by a value: nobody may be left who hears of it."""
        try:
            pem, keep_s = await fetch(url, self._networks, self._trusted)
            now = self._wall()
            signer = await asyncio.to_thread(self._read, pem, now)
            return self._keep(url, min(now + keep_s, signer.until), signer)
        except NotFetched as error:
            failed = Verdict(Finding.NO_CERTIFICATE, why=str(error))
        except BadCertificate as error:
            failed = Verdict(Finding.UNTRUSTED, why=str(error))
        finally:
            del self._asking[url]
        return self._keep(url, self._wall() + _REMEMBERED_S, failed)

    def _keep(self, url: str, until: float, found: Signer | Verdict) -> Signer | Verdict:
        self._kept[url] = _Kept(until, found)
        self._kept.move_to_end(url)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return found


def _signer(found: Signer | Verdict) -> Signer:
    if isinstance(found, Verdict):
        raise NotVerified(found.finding, found.why)
    return found


async def fetch(url: str, networks: Networks, trusted: ssl.SSLContext) -> tuple[bytes, float]:
    """What a URL has, and for how many seconds it holds.  Raises: NotFetched."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError as error:
        raise NotFetched(f"{url!r} is no URL") from error
    if parts.scheme != "https" or not host or parts.username is not None or not re.fullmatch(r"[!-~]+", url):
        raise NotFetched(f"{url!r} is no https URL")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        async with asyncio.timeout(_WITHIN_S):
            address = await _public_address(host, port, networks)
            return await _get(address, port, host, path, trusted)
    except TimeoutError as error:
        raise NotFetched(f"{host} was silent") from error
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:  # ssl.SSLError is an OSError
        raise NotFetched(f"{host}: {error}") from error


async def _public_address(host: str, port: int, networks: Networks) -> str:
    """One address of a host, and we connect to that one: a second look-up could say another.  Raises: NotFetched."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(each[4][0]) for each in found]
    for address in addresses:
        if not is_public(address, networks):
            raise NotFetched(f"{host} is at {address}, which is no public address")
    return addresses[0]


def is_public(address: str, networks: Networks = ()) -> bool:
    """Whether it is an address of the Internet, or in one of these networks; also what is wrapped into IPv6."""
    ip = ip_address(address)
    if any(ip in network for network in networks):
        return True
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _TRANSLATED:
            inner = ip_address(int(ip) & 0xFFFFFFFF)  # type: ignore[assignment]
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return ip.is_global and not ip.is_multicast


async def _get(address: str, port: int, host: str, path: str, trusted: ssl.SSLContext) -> tuple[bytes, float]:
    """One GET; a redirection is not followed.  Raises: NotFetched, OSError, ValueError."""
    reader, writer = await asyncio.open_connection(
        address, port, ssl=trusted, server_hostname=host, limit=_MOST_BYTES,
    )  # fmt: skip
    try:
        named = f"[{host}]" if ":" in host else host
        asked = f"GET {path} HTTP/1.0\r\nHost: {named}:{port}\r\nAccept: application/pem-certificate-chain\r\n\r\n"
        writer.write(asked.encode("ascii"))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = head.split(" ", 2)[1:2]
        if not head.startswith("HTTP/1.") or status != ["200"]:
            raise NotFetched(f"{host} answered {head.partition(chr(13))[0]}")
        body = b""
        while chunk := await reader.read(_MOST_BYTES):
            body += chunk
            if len(body) > _MOST_BYTES:
                raise NotFetched(f"{host} sent more than {_MOST_BYTES} bytes")
        return body, _keep_s(head)
    except (asyncio.LimitOverrunError, asyncio.IncompleteReadError) as error:
        raise NotFetched(f"{host} answered no HTTP") from error
    finally:
        writer.transport.abort()


def _keep_s(head: str) -> float:
    """For how long an answer holds (RFC 9111 5.2.2.1)."""
    control = re.search(r"^cache-control[ \t]*:(.*)$", head, re.IGNORECASE | re.MULTILINE)
    if control is None:
        return _KEPT_S
    if re.search(r"\bno-(store|cache)\b", control[1], re.IGNORECASE):
        return _REMEMBERED_S
    age = re.search(r"\bmax-age\s*=\s*\"?(\d{1,9})", control[1], re.IGNORECASE)
    return min(max(float(age[1]), _REMEMBERED_S), _LONGEST_S) if age else _KEPT_S
