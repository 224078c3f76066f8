"""The server's own settings: a TOML file, every value with a default, wrong ones named (`ringback serve --config`)."""

from __future__ import annotations

import socket
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

import msgspec

from b2bua.admission import LimitNumbers

__all__ = ["BadConfig", "Config", "own_address", "read_config", "split_address"]


class BadConfig(Exception):
    """The file cannot be used; the sentence says where and why."""


class ServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[server]`."""

    sip: str = "127.0.0.1:5060"
    """Address and port for SIP over UDP; `0.0.0.0` listens everywhere."""
    public_address: str = ""
    """What phones and trunks are told: our address outside a NAT. Ours towards the Internet where empty."""
    database: str = "sqlite:///ringback.db"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    digest: tuple[Literal["MD5", "SHA-256"], ...] = ("MD5",)
    """What phones are challenged with, in this order; many know MD5 alone."""


class MediaConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[media]`."""

    address: str = ""
    """Where RTP is received; the SIP address where empty."""
    ports: str = "20000-29999"
    rtp_timeout_s: float = 60.0
    recordings: str = ""
    """Folder for recordings of every talk; none where empty."""


class WebConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[web]`."""

    http: str = "127.0.0.1:8080"
    base_url: str = ""
    """How visitors reach the pages, `https://call.example.org`; from `http` where empty."""
    proxies: tuple[str, ...] = ()
    """Reverse proxies whose X-Forwarded-For is believed: addresses or networks."""


class LimitsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`: see SPEC A12.3."""

    per_ip_15_min: int = 7
    per_ip_day: int = 15
    numbers_per_ip_hour: int = 3
    per_number_day: int = 10


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything."""

    server: ServerConfig = ServerConfig()
    media: MediaConfig = MediaConfig()
    web: WebConfig = WebConfig()
    limits: LimitsConfig = LimitsConfig()

    def limit_numbers(self) -> LimitNumbers:
        """As admission takes them."""
        return LimitNumbers(**msgspec.structs.asdict(self.limits))

    def media_ports(self) -> range:
        """Even ports for RTP, the next odd one for RTCP.  Raises: BadConfig."""
        low, _, high = self.media.ports.partition("-")
        if not (low.isdigit() and high.isdigit() and 1024 <= int(low) < int(high) <= 65535):
            raise BadConfig(f'media.ports = "{self.media.ports}": write a range as in "20000-29999"')
        return range(int(low), int(high) + 1)


def read_config(path: Path) -> Config:
    """Read and check a file.  Raises: BadConfig with file and, where TOML itself is broken, line."""
    try:
        config = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Config)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path}: {error}") from error
    except msgspec.ValidationError as error:
        raise BadConfig(f"{path}: {error}") from error
    for name, value in (("server.sip", config.server.sip), ("web.http", config.web.http)):
        try:
            split_address(value)
        except ValueError as error:
            raise BadConfig(f"{path}: {name}: {error}") from error
    config.media_ports()
    return config


def split_address(text: str) -> tuple[str, int]:
    """`127.0.0.1:5060` or `[::1]:5060`.  Raises: ValueError with a sentence."""
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError(f'"{text}" is not ADDRESS:PORT')
    ip_address(host)
    return host, int(port)


def own_address(bound: str) -> str:
    """The address others reach us at: the bound one, or where it is any address, the one towards the Internet."""
    if not ip_address(bound).is_unspecified:
        return bound
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1", 9))  # sends nothing
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(probe.getsockname()[0])
