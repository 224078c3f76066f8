"""Every SIP message as it passes, for those who watch: a Homer server, `ringback sip-trace`.  Nobody: no cost."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from b2bua.trace.masking import masked
from sip_stack.hop import Hop

if TYPE_CHECKING:
    from b2bua.exchange import Exchange

__all__ = ["Filter", "Seen", "SipTrace"]

_REMEMBERED = 4096
_METHOD = re.compile(rb"^cseq[ \t]*:\s*\d+\s+(\w+)", re.IGNORECASE | re.MULTILINE)
_WHO = re.compile(rb"^(?:[A-Z]+ |(?:from|f|to|t|p-asserted-identity)[ \t]*:)([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_USER = re.compile(rb"(?:sips?|tel):([^@;>\s]+)", re.IGNORECASE)
_LEAST_TAIL = 6
"""Digits by which a number and its form on a trunk are one."""


@dataclass(frozen=True)
class Seen:
    """One message on the wire."""

    at: float
    """Unix time."""
    received: bool
    data: bytes
    hop: Hop
    local: tuple[str, int]
    call: CallOfWire | None

    @cached_property
    def shown(self) -> bytes:
        """The message without its secrets: all that leaves the process."""
        return masked(self.data)

    @property
    def method(self) -> str:
        """Of a request, or of what a response answers."""
        found = _METHOD.search(self.data)
        return found[1].decode().upper() if found else ""


@dataclass(frozen=True, slots=True)
class CallOfWire:
    """The call that a message belongs to."""

    id: str
    numbers: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages somebody wants; what is empty does not matter."""

    number: str = ""
    ip: str = ""
    method: str = ""

    def wants(self, seen: Seen) -> bool:
        """All that is asked for is so."""
        return (
            (not self.ip or seen.hop.host == self.ip)
            and (not self.method or seen.method == self.method.upper())
            and (not self.number or self._has_number(seen))
        )

    def _has_number(self, seen: Seen) -> bool:
        asked, head = _plain(self.number), seen.data.partition(b"\r\n\r\n")[0]
        users = [user.decode("utf-8", "replace") for who in _WHO.findall(head) for user in _USER.findall(who)]
        users += seen.call.numbers if seen.call else ()
        return any(_same(asked, _plain(user)) for user in users)


def _plain(number: str) -> str:
    return re.sub(r"[^0-9a-z*#]", "", number.lower())


def _same(asked: str, user: str) -> bool:
    """As typed, or the one with a prefix before the other."""
    least = min(len(asked), len(user))
    return asked == user or (least >= _LEAST_TAIL and (asked.endswith(user) or user.endswith(asked)))


class SipTrace:
    """Between the core and the ladders: it taps as long as somebody watches."""

    def __init__(self, exchange: Exchange, ladders: bool) -> None:
        """`ladders` False: no ladder is kept, so that without a watcher nothing is tapped."""
        self._exchange = exchange
        self._quiet = exchange.ladders.tap if ladders else None
        self._watchers: list[Callable[[Seen], None]] = []
        self._turn: list[tuple[float, bool, bytes, Hop, str]] = []
        self._calls: OrderedDict[str, CallOfWire] = OrderedDict()
        exchange.core.tap = self._quiet

    def watch(self, watcher: Callable[[Seen], None]) -> Callable[[], None]:
        """Tell `watcher` of each message until the function that this gives is called; it must not wait, nor raise."""
        self._watchers.append(watcher)
        self._exchange.core.tap = self._tap

        def stop() -> None:
            self._watchers.remove(watcher)
            if not self._watchers:
                self._exchange.core.tap = self._quiet
                self._calls.clear()

        return stop

    def _tap(self, received: bool, data: bytes, hop: Hop, call_id: str) -> None:
        if self._quiet is not None:
            self._quiet(received, data, hop, call_id)
        if not self._turn:  # an INVITE is told after the call that it began is known
            asyncio.get_running_loop().call_soon(self._tell)
        self._turn.append((self._exchange.wall(), received, data, hop, call_id))

    def _tell(self) -> None:
        turn, self._turn = self._turn, []
        for at, received, data, hop, call_id in turn:
            local = self._exchange.core.local(hop)
            seen = Seen(at, received, data, hop, local, self._call(call_id))
            for watcher in list(self._watchers):
                watcher(seen)

    def _call(self, call_id: str) -> CallOfWire | None:
        """The call of a SIP Call-ID; its last messages come when it is over."""
        leg = self._exchange.ladders.wires.get(call_id)
        if leg is None:
            return self._calls.get(call_id)
        call = leg.call
        found = self._calls[call_id] = CallOfWire(call.id, (call.from_, call.to))
        if len(self._calls) > _REMEMBERED:
            self._calls.popitem(last=False)
        return found
