"""The server's own settings: a TOML file, every value with a default, wrong ones named (`ringback serve --config`)."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from b2bua.config_checks import config_faults
from b2bua.places import Places, listed, own_address, port_range, split_address
from b2bua.plan.toml_lines import key_lines, line_of
from b2bua.rules.code_admission import CodeLimits
from b2bua.rules.limits import LimitNumbers
from b2bua.stir.service import StirFiles
from b2bua.trace.ladder import LadderLimits

__all__ = ["BadConfig", "Config", "read_config"]


class BadConfig(Exception):
    """The file cannot be used; the sentence says where and why."""


Count = Annotated[int, Meta(ge=0)]


class ServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[server]`."""

    sip: Places = "127.0.0.1:5060"
    """Address and port for SIP over UDP, or several of them; `0.0.0.0` listens everywhere, `[::]` by IPv6."""
    tcp: Places = ""
    """Address and port for SIP over TCP, usually those of `sip`; none where empty."""
    tls: Places = ""
    """Address and port for SIP over TLS, usually with port 5061; none where empty."""
    ws: Places = ""
    """Address and port for SIP over WebSocket; none where empty."""
    wss: Places = ""
    """The same over TLS, with the certificate of `tls`; none where empty."""
    ws_origins: tuple[str, ...] = ()
    """Pages whose scripts may connect by WebSocket, `https://call.example.org`; all where there are none."""
    tls_certificate: str = ""
    """PEM file: the certificate of the server's name, and those above it."""
    tls_key: str = ""
    tls_client_ca: str = ""
    """PEM file: who vouches for the certificates of trunks that connect to us; none is asked for where empty."""
    public_address: str | dict[str, str] = ""
    """What phones and trunks are told: our address outside a NAT. Ours towards the Internet where empty.

    Of the addresses of its family; or a table, by the address that is listened at.
    """
    database: str = "sqlite:///ringback.db"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    digest: tuple[Literal["MD5", "SHA-256"], ...] = ("MD5",)
    """What phones are challenged with, in this order; many know MD5 alone."""
    recent_calls: Annotated[int, Meta(ge=0, le=10_000)] = 200
    """Ended calls that stay on the pages and in memory, with their ladders."""
    ladder_messages: Annotated[int, Meta(ge=0, le=10_000)] = 400
    ladder_plain: Annotated[int, Meta(ge=0, le=100_000)] = 250
    ladder_mb: Annotated[int, Meta(ge=0, le=1024)] = 16
    hep: str = ""
    """A Homer server that is sent every SIP message, `192.0.2.5:9060` or `homer.example:9060`; none where empty."""
    hep_id: Annotated[int, Meta(ge=0, le=0xFFFFFFFF)] = 2001
    hep_password: str = ""


class StirConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[stir]`: signed numbers (RFC 8224, 8588)."""

    key: str = ""
    """PEM file: the key that signs calls; none is signed where empty."""
    certificate: str = ""
    x5u: str = ""
    """Where others fetch the certificate."""
    roots: str = ""
    """PEM file: the authorities whose certificates are believed; no signature is looked at where empty."""
    x5u_networks: tuple[str, ...] = ()
    """Private networks from which certificates may be fetched."""
    mark: str = ""
    """What stands before a caller's name where the number is verified with attestation A."""

    def files(self) -> StirFiles:
        """As the service takes them."""
        return StirFiles(self.key, self.certificate, self.x5u, self.roots, self.x5u_networks)


class MediaConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[media]`."""

    address: Places = ""
    """Where RTP is received, one address for each family; the SIP addresses where empty."""
    ports: str = "20000-29999"
    rtp_timeout_s: Annotated[float, Meta(gt=0, le=86400)] = 60.0
    recordings: str = ""
    """Folder for recordings of every talk; none where empty."""
    sounds: str = "sounds"
    """Folder of the accounts' own sounds, a folder each (SPEC 66); none where empty."""


class WebConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[web]`."""

    http: str = "127.0.0.1:8080"
    base_url: str = ""
    """How visitors reach the pages, `https://call.example.org`; from `http` where empty."""
    proxies: tuple[str, ...] = ()
    """Reverse proxies whose X-Forwarded-For is believed: addresses or networks."""


class LimitsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`: see SPEC A12.3."""

    per_ip_15_min: Count = 7
    per_ip_day: Count = 15
    numbers_per_ip_hour: Count = 3
    per_number_day: Count = 10
    code_calls_per_number_day: Count = 3
    code_calls_per_account_hour: Count = 5
    code_calls_per_account_day: Count = 15
    waiting_per_number: Count = 1


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything."""

    server: ServerConfig = ServerConfig()
    media: MediaConfig = MediaConfig()
    stir: StirConfig = StirConfig()
    web: WebConfig = WebConfig()
    limits: LimitsConfig = LimitsConfig()

    def ladders(self) -> LadderLimits:
        """How much of calls is kept in memory."""
        server = self.server
        return LadderLimits(server.ladder_messages, server.ladder_plain, server.ladder_mb)

    def limit_numbers(self) -> LimitNumbers:
        """As admission takes them."""
        limits = self.limits
        return LimitNumbers(
            limits.per_ip_15_min, limits.per_ip_day, limits.numbers_per_ip_hour, limits.per_number_day,
            limits.waiting_per_number,
        )  # fmt: skip

    def code_limits(self) -> CodeLimits:
        """As calls that speak a code take them."""
        limits = self.limits
        return CodeLimits(
            limits.code_calls_per_number_day, limits.code_calls_per_account_hour, limits.code_calls_per_account_day
        )

    def media_ports(self) -> range:
        """Even ports for RTP, the next odd one for RTCP."""
        return port_range(self.media.ports)

    def sounds(self) -> Path | None:
        """The root of the accounts' own sounds."""
        return Path(self.media.sounds) if self.media.sounds else None

    def base_url(self) -> str:
        """How visitors reach the pages."""
        if self.web.base_url:
            return self.web.base_url.rstrip("/")
        host, port = split_address(self.web.http)
        host = own_address(host)
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def addresses(self, bound: str) -> Addresses:
        """What is told and where RTP is received, for SIP that is bound to `bound`."""
        public = self._public_address(bound)
        told = public or own_address(bound)
        media = next((each for each in listed(self.media.address) if (":" in each) == (":" in bound)), "")
        if not media:
            return Addresses(told, bound, told)
        # behind a NAT an inside address is no use to anybody; else RTP has an address of its own
        inside = ip_address(media).is_unspecified or (ip_address(told).is_global and not ip_address(media).is_global)
        return Addresses(told, media, told if public and inside else own_address(media))

    def _public_address(self, bound: str) -> str:
        public = self.server.public_address
        if isinstance(public, str):
            return public if (":" in public) == (":" in bound) else ""
        return next((told for host, told in public.items() if ip_address(host) == ip_address(bound)), "")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where far ends send to, and where RTP is bound."""

    sip_told: str
    media: str
    media_told: str


def read_config(path: Path) -> Config:
    """Read and check a file.  Raises: BadConfig, with file and line."""
    try:
        text = path.read_text("utf-8").replace("\r\n", "\n")
        document = tomllib.loads(text)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadConfig(f"{path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        raise BadConfig(f"{path}:{found[1] if found else text.count(chr(10)) + 1}: {error}") from error
    lines = key_lines(text)
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        sentence, _, where = str(error).partition(" - at `$.")
        unknown = re.search(r"unknown field `(.+)`", sentence)
        key = [*re.findall(r"\w+", where.split("[")[0]), *([unknown[1]] if unknown else [])]
        raise BadConfig(f"{path}:{line_of(lines, tuple(key))}: {'.'.join(key)}: {sentence}") from error
    for table, key_name, sentence in config_faults(config):
        raise BadConfig(f"{path}:{line_of(lines, (table, key_name))}: {table}.{key_name}: {sentence}")
    return config
