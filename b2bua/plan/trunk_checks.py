"""What the settings of one trunk must be together; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from b2bua.plan.entries import TrunkEntry
from b2bua.plan.texts import country_fault
from sip_stack.transports import Trust
from store.directory import split_source

__all__ = ["session_faults", "split_host", "trunk_faults"]

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9.])?")
_DIGITS = re.compile(r"\+?[0-9*#]{0,24}")
_FIELD_NAME = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")  # a token (RFC 3261 25.1)
_OURS = frozenset(
    "accept accept-encoding alert-info allow authorization call-id contact content-disposition content-encoding"
    " content-length content-type cseq date event expires from identity max-forwards min-se mime-version"
    " p-asserted-identity p-charge-info p-preferred-identity path privacy proxy-authorization proxy-require rack reason"
    " record-route refer-to referred-by remote-party-id replaces require route rseq session-expires supported to"
    " user-agent via a b c d e f i j k l m o r s t u v x y".split()
)
"""What we write ourselves, or what would change what an INVITE means; the compact forms too (RFC 3261 7.3.3)."""


def trunk_faults(entry: TrunkEntry) -> Iterator[tuple[str, str]]:
    """Key and sentence of each value that has the right type and makes no sense."""
    if not _is_host(entry.host):
        yield "host", f'"{entry.host}" is no host name or address; write a port as `port`'
    if entry.proxy:
        try:
            split_host(entry.proxy)
        except ValueError as error:
            yield "proxy", str(error)
    yield from _tls_faults(entry)
    if not entry.name:
        yield "name", "a trunk needs one"
    if entry.tls_client and not _NAME.fullmatch(entry.tls_client):
        yield "tls_client", f'"{entry.tls_client}" is no name as certificates have'
    if fault := country_fault(entry.country):
        yield "country", fault
    if not entry.codecs or len(set(entry.codecs)) < len(entry.codecs):
        yield "codecs", "expected each codec once, and one at least"
    if entry.stay_on_udp and entry.transport not in ("", "udp"):
        yield "stay_on_udp", f'is for transport "udp", not "{entry.transport}"'
    if entry.register and not (entry.user and entry.password):
        yield "register", "needs `user` and `password`"
    for source in entry.sources:
        try:
            split_source(source)
        except ValueError:
            yield "sources", f'"{source}" is no network, address or address:port'
    for key in ("out_strip", "out_prefix", "in_strip", "in_prefix"):
        if not _DIGITS.fullmatch(getattr(entry, key)):
            yield key, "expected up to 24 digits, * and #, with or without + before them"
    yield from session_faults(entry.session_expires_s, entry.min_se_s)
    for name, value in entry.headers.items():
        if fault := header_fault(name, value):
            yield "headers", fault


def session_faults(session_expires_s: int, min_se_s: int) -> Iterator[tuple[str, str]]:
    """The same for the session timers of a trunk or extension."""
    if 0 < session_expires_s < 90:
        yield "session_expires_s", "expected 0 for none, or 90 to 86400 (RFC 4028 5)"
    elif session_expires_s and min_se_s > session_expires_s:
        yield "min_se_s", f"is more than session_expires_s, {session_expires_s}"


def _tls_faults(entry: TrunkEntry) -> Iterator[tuple[str, str]]:
    files = {key: getattr(entry, key) for key in ("tls_ca", "tls_certificate", "tls_key") if getattr(entry, key)}
    if files and entry.transport not in ("", "tls", "sips"):
        yield next(iter(files)), f'is for transport "tls" or "sips", not "{entry.transport}"'
        return
    if bool(entry.tls_certificate) != bool(entry.tls_key):
        yield "tls_certificate" if entry.tls_certificate else "tls_key", "tls_certificate and tls_key go together"
        return
    for key, file in files.items():
        if not file.startswith("/"):
            yield key, f'"{file}": write the whole path, from / on'
            return
        trust = Trust(file) if key == "tls_ca" else Trust("", entry.tls_certificate, entry.tls_key)
        try:
            trust.changed_at()
            trust.context()
        except OSError as error:  # ssl.SSLError too
            yield key, f'"{error.filename or file}": {error.strerror or error}'
            return


def header_fault(name: str, value: str) -> str:
    """Why this header field cannot be added; empty where it can."""
    if not _FIELD_NAME.fullmatch(name):
        return f'"{name}" is no name of a header field'
    if name.lower() in _OURS:
        return f"{name} is written by Ringback itself"
    if not value.strip() or not value.isprintable():  # a line break would begin another field
        return f"{name}: expected one line of text"
    return ""


def split_host(text: str) -> tuple[str, int | None]:
    """Read `HOST`, `HOST:PORT` or `[IPv6]:PORT`.  Raises: ValueError with a sentence."""
    if _is_host(text):
        return text.strip("[]"), None
    host, _, port = text.rpartition(":")
    if not _is_host(host) or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f'"{text}" is not as in "sip.example.net" or "192.0.2.1:5060"')
    return host.strip("[]"), int(port)


def _is_host(text: str) -> bool:
    if _NAME.fullmatch(text):
        return True
    try:
        return ip_address(text[1:-1] if text[:1] + text[-1:] == "[]" else text).version == 6
    except ValueError:
        return False
