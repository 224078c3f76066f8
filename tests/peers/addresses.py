"""Addresses for peers: a network namespace on a veth pair, for programs that ignore the address they are given."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

__all__ = ["Namespace", "namespace"]

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A machine of its own, one cable away."""

    name: str
    address: str
    """The peer's own address, inside."""
    host_address: str
    """Our end of the cable: where the server must listen to be reached."""
    interface: str
    """Our end's interface, for captures."""

    def lose(self, one_in: int, port: int = 5060) -> None:
        """Lose one in so many datagrams of a port inside, in each direction: by nft, netem is not in every kernel.

        On the device, where a loss is no error to who sends.
        """
        device, drop = self.interface.replace("o", "i"), f"numgen inc mod {one_in} 0 counter drop;"
        rules = f"""table netdev lossy {{
            chain inwards {{ type filter hook ingress device {device} priority 0; udp dport {port} {drop} }}
            chain outwards {{ type filter hook egress device {device} priority 0; udp sport {port} {drop} }}
        }}"""
        _ip("netns", "exec", self.name, "nft", rules)

    def lost(self) -> int:
        """How many were lost so far."""
        told = subprocess.run([*self.prefix, "nft", "list", "ruleset"], check=True, capture_output=True, text=True)
        return sum(int(packets) for packets in re.findall(r"counter packets (\d+)", told.stdout))

    @property
    def prefix(self) -> tuple[str, ...]:
        """Words before a command that make it run inside."""
        return ("ip", "netns", "exec", self.name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=10)


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Make a namespace with one address and remove it at exit; needs root.  Raises: CalledProcessError."""
    number = next(_numbers)
    own = os.getpid() % 100_000
    name, inside, outside = f"rb{own}n{number}", f"rb{own}i{number}", f"rb{own}o{number}"
    network = f"10.{200 + own % 50}.{own // 50 % 250}"
    first = 4 * (number % 60)
    space = Namespace(name, f"{network}.{first + 2}", f"{network}.{first + 1}", outside)
    _ip("netns", "add", name)
    try:
        _ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name)
        _ip("addr", "add", f"{space.host_address}/30", "dev", outside)
        _ip("link", "set", outside, "up")
        for words in (["addr", "add", f"{space.address}/30", "dev", inside], ["link", "set", inside, "up"],
                      ["link", "set", "lo", "up"], ["route", "add", "default", "via", space.host_address]):
            _ip("-n", name, *words)
        yield space
    finally:
        _ip("netns", "del", name)
