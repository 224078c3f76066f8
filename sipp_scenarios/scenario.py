"""What a scenario's first comment says, and the SIPp command line that runs it. Pure but for reading the XML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Options", "Proof", "Scenario", "command", "load", "scenarios"]

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Proof:
    """What the message log must show beyond SIPp's own verdict, for example `received ACK >= 3`."""

    sent: bool
    words: str
    at_least: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """One XML file and what its first comment says about it."""

    name: str
    path: Path
    summary: str
    answers: bool
    """True for a user agent server: it waits for calls."""
    registers: bool
    """A phone: REGISTER first, from the same address, so that calls find it."""
    echo: bool
    keys: Mapping[str, tuple[str, str]]
    """name -> (default, meaning); `d`, `service`, `user` and `password` also set SIPp's -d, -s, -au and -ap."""
    flags: tuple[str, ...]
    proof: Proof | None
    digest: bool
    """True when the caller must have proven `trunk_user` and `trunk_password` (SIPp cannot check it)."""

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """Every key with its value.  Raises: KeyError for a key this scenario does not have."""
        unknown = set(given) - set(self.keys)
        if unknown:
            raise KeyError(f"{self.name} has no key {', '.join(sorted(unknown))}")
        return {name: default for name, (default, _) in self.keys.items()} | dict(given)


@dataclass(frozen=True, slots=True)
class Options:
    """How to run a scenario. Addresses are `host:port`."""

    local: str
    remote: str
    media_port: int = 6000
    calls: int | None = 1
    """None: until stopped."""
    rate: int = 10
    """Calls a second, for scenarios that place calls."""
    timeout_s: int = 60
    keys: Mapping[str, str] = field(default_factory=dict)
    tcp: bool = False
    """One TCP connection for all, instead of UDP."""
    prefix: tuple[str, ...] = ()
    """Words before the command, for example `ip netns exec NAME`."""


def load(name: str) -> Scenario:
    """Read one scenario's description.  Raises: KeyError for a name that does not exist."""
    path = HERE / f"{name}.xml"
    if not path.is_file():
        raise KeyError(f"no scenario {name!r}; see --list")
    comment = path.read_text().split("<!--", 1)[1].split("-->", 1)[0]
    lines = [line.strip() for line in comment.strip().splitlines()]
    said = dict(line.split(": ", 1) for line in lines[1:] if not line.startswith("key "))
    keys = {found[1]: (found[2], found[3]) for line in lines if (found := re.match(r"key (\w+)=(\S*): (.*)", line))}
    proof = None
    if "proof" in said:
        words, _, least = said["proof"].partition(" >= ")
        who, _, what = words.partition(" ")
        proof = Proof(who == "sent", what, int(least))
    return Scenario(
        name, path, lines[0], said["role"] == "uas", said.get("register") == "first", said.get("rtp") == "echo", keys,
        tuple(said.get("flags", "").split()), proof, said.get("check") == "digest",
    )


def scenarios() -> list[Scenario]:
    """Every scenario of this folder by name."""
    return [load(path.stem) for path in sorted(HERE.glob("*.xml"))]


def command(scenario: Scenario, options: Options, folder: Path) -> list[str]:
    """The SIPp command line.  Raises: KeyError for a key the scenario does not have."""
    values = scenario.values(options.keys)
    host, _, port = options.local.rpartition(":")
    host = host.strip("[]")
    words = [*options.prefix, "sipp", options.remote, "-sf", str(scenario.path), "-i", host, "-p", port, "-bind_local"]
    words += ["-mi", host, "-mp", str(options.media_port), "-ci", host]
    short = {"d": "-d", "service": "-s", "user": "-au", "password": "-ap"}
    for name, value in values.items():
        words += [short[name], value] if name in short else ["-key", name, value]
        words += ["-key", "user", value] if name == "user" else []
    words += ["-t", "t1"] if options.tcp else []
    words += [] if options.calls is None else ["-m", str(options.calls)]
    words += [] if scenario.answers else ["-r", str(options.rate)]
    words += ["-rtp_echo"] if scenario.echo else []
    words += [*scenario.flags, "-nostdin", "-timeout", str(options.timeout_s), "-timeout_error", "-timer_resol", "1"]
    words += ["-trace_msg", "-message_file", str(folder / "messages.log")]
    words += ["-trace_err", "-error_file", str(folder / "errors.log")]
    words += ["-trace_stat", "-stf", str(folder / "counts.csv"), "-fd", "1"]
    return words
