"""Run one SIPp scenario by name and say whether it passed: `python sipp_scenarios/run.py --list`."""
# ruff: noqa: T201

from __future__ import annotations

import argparse
import csv
import os
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # started as a file: the other modules of this folder are found from its parent
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sipp_scenarios.scenario import Options, Scenario, command, load, scenarios
from sipp_scenarios.trace import Message, digest_is_right, read_trace

__all__ = ["Counts", "Message", "Options", "Scenario", "Sipp", "Verdict", "load", "scenarios"]

SETTLE_S = 5.0
"""How long SIPp may take to bind, or to leave after a signal."""


@dataclass(frozen=True, slots=True)
class Counts:
    """SIPp's final counters."""

    successful: int = 0
    failed: int = 0
    unexpected: int = 0
    retransmissions: int = 0
    timeouts: int = 0
    current: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a scenario ended."""

    passed: bool
    sentence: str
    counts: Counts
    messages: Path
    errors: str


class Sipp:
    """One SIPp process: start it, wait until it is bound, wait for its verdict or stop it."""

    def __init__(self, scenario: Scenario, options: Options, folder: Path | None = None) -> None:
        self.scenario = scenario
        self.options = options
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"sipp-{scenario.name}-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.words = command(scenario, options, self.folder)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id.  Raises: RuntimeError before start."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    @property
    def messages(self) -> list[Message]:
        """What it sent and received so far."""
        return read_trace(self.folder / "messages.log")

    def start(self) -> None:
        """Register when it is a phone, start, and return once its SIP port is bound.  Raises: RuntimeError."""
        if self.scenario.registers:
            self.register()
        with (self.folder / "screen.log").open("wb") as screen:
            self._process = subprocess.Popen(self.words, cwd=self.folder, stdout=screen, stderr=screen)
        end = time.monotonic() + SETTLE_S
        while self.scenario.answers and not self._bound():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{self.scenario.name} did not bind {self.options.local}: {self._said()}")
            time.sleep(0.005)

    def register(self, expires_s: int = 300) -> None:
        """REGISTER this phone from its own address; 0 removes the binding.  Raises: RuntimeError when refused."""
        own = {name: value for name, value in self.options.keys.items() if name in ("user", "password")}
        options = Options(
            self.options.local, self.options.remote, self.options.media_port, timeout_s=10,
            keys=own | {"expires": str(expires_s)}, tcp=self.options.tcp, prefix=self.options.prefix,
        )
        registration = Sipp(load("phone_register"), options, self.folder / f"register-{expires_s}")
        registration.start()
        verdict = registration.wait()
        if not verdict.passed:
            raise RuntimeError(f"{self.options.local} could not register: {verdict.sentence} {verdict.errors}")

    def wait(self, timeout_s: float | None = None) -> Verdict:
        """Wait for the end and judge it.  Raises: TimeoutError."""
        assert self._process is not None
        try:
            self._process.wait(timeout_s if timeout_s is not None else self.options.timeout_s + SETTLE_S)
        except subprocess.TimeoutExpired as late:
            raise TimeoutError(f"{self.scenario.name} is still running; messages: {self.folder}/messages.log") from late
        return self._verdict(self._process.returncode)

    def stop(self) -> Verdict:
        """End it by its pid: softly (calls may finish), then not. Harmless when it has ended."""
        assert self._process is not None
        for number, patience_s in ((signal.SIGUSR1, 1.0), (signal.SIGTERM, 1.0), (signal.SIGKILL, SETTLE_S)):
            if self._process.poll() is not None:
                break
            self._process.send_signal(number)
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
        return self._verdict(self._process.returncode)

    def counts(self) -> Counts:
        """The last line of its counters."""
        path = self.folder / "counts.csv"
        rows = list(csv.DictReader(path.read_text().splitlines(), delimiter=";")) if path.is_file() else []
        last = rows[-1] if rows else {}

        def count(column: str) -> int:
            return int(last.get(column) or 0)

        return Counts(
            count("SuccessfulCall(C)"), count("FailedCall(C)"), count("FailedUnexpectedMessage(C)"),
            count("Retransmissions(C)"), count("FailedTimeoutOnRecv(C)") + count("FailedMaxUDPRetrans(C)"),
            count("CurrentCall"),
        )

    def _verdict(self, code: int) -> Verdict:
        counts, errors = self.counts(), self._said()
        path = self.folder / "messages.log"
        passed = code == 0 and counts.failed == 0
        sentence = f"{counts.successful} call(s) as described"
        if not passed:
            sentence = f"exit {code}, {counts.failed} call(s) failed, {counts.successful} as described"
        for fact, proven in self._proofs(counts) if passed else ():
            sentence += f"; {fact}"
            passed = passed and proven
        return Verdict(passed, sentence, counts, path, errors)

    def _proofs(self, counts: Counts) -> Iterator[tuple[str, bool]]:
        """What the message log must show beyond SIPp's own verdict: (sentence, whether it is so)."""
        proof = self.scenario.proof
        if proof is not None:
            seen = sum(1 for message in self.messages if message.sent == proof.sent and message.is_(proof.words))
            yield f"{proof.words} seen {seen} times", seen >= proof.at_least * max(1, counts.successful)
        if self.scenario.digest:
            values = self.scenario.values(self.options.keys)
            user, password = values["trunk_user"], values["trunk_password"]
            given = [message.header("Proxy-Authorization") for message in self.messages if not message.sent]
            right = sum(digest_is_right(words, "INVITE", user, password) for words in given if words)
            yield f"{right} right digests", right >= max(1, counts.successful)

    def _said(self) -> str:
        path = self.folder / "errors.log"
        screen = self.folder / "screen.log"
        if path.is_file():
            return path.read_text(errors="replace").strip()
        return "\n".join(screen.read_text(errors="replace").splitlines()[-3:]) if screen.is_file() else ""

    def _bound(self) -> bool:
        """True when a socket of this very process has the local address (also inside a namespace)."""
        host, _, port = self.options.local.rpartition(":")
        six = ":" in host
        words = struct.iter_unpack("=I", socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, host.strip("[]")))
        wanted = "".join(f"{word:08X}" for (word,) in words) + f":{int(port):04X}"
        table = Path(f"/proc/{self.pid}/net/{'tcp' if self.options.tcp else 'udp'}{'6' if six else ''}")
        try:
            rows = [row.split() for row in table.read_text().splitlines()[1:]]
            held = {os.readlink(fd) for fd in Path(f"/proc/{self.pid}/fd").iterdir()}
        except OSError:
            return False
        return any(row[1] == wanted and f"socket:[{row[9]}]" in held for row in rows)


def _default_local(scenario: Scenario) -> str:
    return "127.0.0.2:5060" if scenario.name.startswith(("trunk_", "uas_")) else "127.0.0.5:5060"


def _describe() -> None:
    for scenario in scenarios():
        print(f"{scenario.name}\n    {scenario.summary}")
        for name, (default, meaning) in scenario.keys.items():
            print(f"    --key {name}={default}  {meaning}")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line: 0 when the scenario passed, 1 when it failed, 2 for a wrong command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", help="scenario, without .xml")
    parser.add_argument("--list", action="store_true", help="describe every scenario and its keys")
    parser.add_argument("--show", action="store_true", help="print the plain sipp command line and stop")
    parser.add_argument("--local", help="its own address (else trunk 127.0.0.2:5060, phone 127.0.0.5:5060)")
    parser.add_argument("--remote", default="127.0.0.1:5060", help="the server under test")
    parser.add_argument("--tcp", action="store_true", help="over one TCP connection instead of UDP")
    parser.add_argument("--media-port", type=int, default=6000)
    parser.add_argument("--calls", type=int, default=1, help="end after so many calls")
    parser.add_argument("--timeout", type=int, default=60, help="seconds after which the scenario fails")
    parser.add_argument("--key", action="append", default=[], metavar="NAME=VALUE")
    said = parser.parse_args(argv)
    if said.list:
        _describe()
        return 0
    try:
        scenario = load(said.name or "")
        keys = dict(word.split("=", 1) for word in said.key)
        local = said.local or _default_local(scenario)
        options = Options(
            local, said.remote, said.media_port, said.calls, timeout_s=said.timeout, keys=keys, tcp=said.tcp
        )
        sipp = Sipp(scenario, options)
    except (KeyError, ValueError) as wrong:
        print(wrong.args[0] if wrong.args else wrong, file=sys.stderr)
        return 2
    if said.show:
        print(shlex.join(sipp.words))
        return 0
    return _run(sipp)


def _run(sipp: Sipp) -> int:
    print(f"{sipp.scenario.name}: {sipp.scenario.summary}")
    try:
        sipp.start()
        if sipp.scenario.answers:
            print(f"waiting for a call at {sipp.options.local}")
        verdict = sipp.wait()
    except (RuntimeError, TimeoutError) as wrong:
        print(f"FAILED  {wrong}")
        return 1
    except KeyboardInterrupt:
        verdict = sipp.stop()
    print(f"{'PASSED' if verdict.passed else 'FAILED'}  {verdict.sentence}")
    if not verdict.passed:
        print(f"messages  {verdict.messages}\n{verdict.errors}")
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
