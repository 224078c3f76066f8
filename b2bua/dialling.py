"""Ringing far ends: every phone of an extension at once, or the trunks of a number in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import choice
from typing import TYPE_CHECKING

from b2bua.audio import CODECS
from b2bua.caller_id import Shown, from_header, identity_headers, numbers_to_show, shown_on_trunk
from b2bua.edge import FLOW_FAILED, by_phone, flow_is_lost, hop_of, routes_of
from b2bua.ladder import EXTENSION, PSTN, RINGBACK
from b2bua.leg import ELSEWHERE, Hearer, Leg
from b2bua.numbers import called_on_trunk
from b2bua.outcome import NoRoute, NotReached, Offline
from b2bua.routing import route, sell_rate_by
from b2bua.tariff import buy_rate
from b2bua.trunk_identity import caller_headers
from b2bua.trunk_requests import route_to, servers_of, trunk_uri
from sip_stack.core import Hop
from sip_stack.digest import Credentials
from sip_stack.headers import NameAddr
from sip_stack.registrar import Binding
from sip_stack.uri import sip_uri
from store.values import Extension, Trunk

if TYPE_CHECKING:
    from b2bua.call import Call
    from b2bua.payment import Paid

__all__ = ["Way", "dial_extension", "dial_out"]

_LOOP = "its address is our own: the call would come back"


_NEXT_FLOW_S = 4.0
"""How long a phone may be silent on one of its flows while it has another."""


async def dial_extension(
    call: Call, extension: Extension, *, shown: Shown, lane: int = EXTENSION, hear: Leg | None = None
) -> Leg:
    """Ring every phone of an extension; the first that answers.

    Raises: NotReached, Offline without phones, Congested.
    """
    is_edge = call.exchange.directory.is_edge
    registered = call.exchange.locations.of(extension.number)
    bindings = [each for each in registered if not call.core.is_ours(hop_of(each, is_edge))]
    if len(bindings) < len(registered):
        call.ladder_row("event", RINGBACK, lane, f"a phone of {extension.number}: {_LOOP}")
    if not bindings:
        raise Offline(extension.number)
    domain = call.exchange.domain
    dialling = _Dialling(hear)

    def ring(binding: Binding, others: list[Binding]) -> None:
        """Ring a phone by one of its flows; by the next where that one has failed."""
        leg = dialling.leg(call, lane, extension.number)
        leg.seen_ip = binding.seen_ip

        def failed(status: int) -> bool:
            if status == FLOW_FAILED:
                call.exchange.locations.forget(extension.number, binding)
            if others and flow_is_lost(status, leg.rang):
                ring(others[0], others[1:])
                return True
            return False

        dialling.on_failure(leg, failed)
        leg.invite(
            dialling,
            target=binding.uri,
            hop=hop_of(binding, is_edge),
            nat=not binding.direct,
            shown=NameAddr(shown.name, sip_uri(shown.number, domain)),
            to=NameAddr("", sip_uri(extension.number, domain)),
            codecs=CODECS,
            beside=hear,
            extra=routes_of(binding),
            silent_s=_NEXT_FLOW_S if others else None,
        )

    for first, *others in by_phone(bindings):
        ring(first, others)
    return await dialling.winner(extension.ring_s)


@dataclass(frozen=True, slots=True)
class Way:
    """How a public number is called: who pays, on which side of the ladder it is, and who is shown."""

    paid: Paid | None = None
    lane: int = PSTN
    hear: Leg | None = None
    """The leg that waits for it."""
    line: Extension | None = None
    """Whose CallerID rules count, where not those of the call's extension."""
    equipment: Shown | None = None
    urgent: bool = False
    """No limit of a trunk holds it up."""


async def dial_out(call: Call, number: str, way: Way) -> Leg:
    """Call a public number by its trunks in turn.  Raises: NotReached, NoRoute, Congested."""
    exchange = call.exchange
    trunks = route(exchange.directory, number, exchange.wall(), exchange.trunks.down, exchange.trunks.draw)
    if not trunks:
        raise NoRoute(f"no trunk for {number}")
    for others, trunk in zip(range(len(trunks) - 1, -1, -1), trunks, strict=True):
        try:
            return await _dial_trunk(call, trunk, number, way, more=others > 0)
        except NotReached as failed:
            if not others or failed.rang or not _of_the_trunk(failed.status, trunk):
                raise
    raise AssertionError("unreachable")


async def _dial_trunk(call: Call, trunk: Trunk, number: str, way: Way, *, more: bool) -> Leg:
    """Call by one trunk, its servers in turn; `more`: there is another trunk to try."""
    exchange = call.exchange
    if not _priced(call, trunk, number, way.paid):
        raise _passed_over(call, trunk, number, way, "its price is not known, or more than is held")
    if not exchange.trunks.admits(trunk) and not way.urgent:
        raise _passed_over(call, trunk, number, way, "has as many calls as it may")
    try:
        hops = await servers_of(trunk, exchange.locate)
    except OSError as error:
        raise _passed_over(call, trunk, number, way, f"{trunk.host} is not known: {error.strerror or error}") from error
    if not (hops := [hop for hop in hops if not call.core.is_ours(hop)]):
        raise _passed_over(call, trunk, number, way, _LOOP, 482)
    for others, hop in zip(range(len(hops) - 1, -1, -1), hops, strict=True):
        try:
            return await _dial_server(call, trunk, hop, number, way, more=more or others > 0)
        except NotReached as failed:
            # RFC 3263 4.3: the next server after a 503, or where no answer came
            if not others or failed.rang or failed.status not in (408, 503):
                raise
    raise AssertionError("unreachable")


def _passed_over(call: Call, trunk: Trunk, number: str, way: Way, why: str, status: int = 503) -> NotReached:
    """A trunk that is not called: a leg of the record, so that the story of the call has every try (SPEC A12.5)."""
    call.ladder_row("event", RINGBACK, way.lane, f"{trunk.name}: {why}")
    leg = Leg(call, way.lane, trunk.name, "none")
    call.legs.append(leg)
    leg.passed_over(status, why, number)
    return NotReached(status)


def _priced(call: Call, trunk: Trunk, number: str, paid: Paid | None) -> bool:
    """Whether what is held covers the price by this trunk, where each has its own; it counts from here on."""
    if paid is None or call.account is None or call.exchange.directory.plan_of(call.account).method == "fixed":
        return True
    rate = sell_rate_by(call.exchange.directory, call.account, number, paid.at, trunk)
    return rate is not None and paid.takes(rate)


async def _dial_server(call: Call, trunk: Trunk, hop: Hop, number: str, way: Way, *, more: bool) -> Leg:
    line = way.line or call.extension
    assert line is not None
    dialling = _Dialling(way.hear)
    leg = dialling.leg(call, way.lane, trunk.name)
    leg.buy_rate = buy_rate(call.exchange.directory, trunk, number, call.exchange.wall())
    if way.paid is not None:
        way.paid.leg = leg
    user = called_on_trunk(number, trunk)
    number_shown = choice(numbers_to_show(line, trunk, call.exchange.directory.public_numbers))
    shown = shown_on_trunk(line, trunk, number_shown, way.equipment)
    domain = trunk.host if trunk.user else call.exchange.domain  # one that knows us by name wants its own
    leg.invite(
        dialling,
        target=trunk_uri(trunk, user, trunk.port if trunk.port not in (0, 5060) else None),
        hop=hop,
        shown=from_header(line, shown, domain),
        to=NameAddr("", trunk_uri(trunk, user)),
        codecs=trunk.codecs,
        beside=way.hear,
        credentials=Credentials(trunk.user, trunk.password) if trunk.user else None,
        extra=_more_headers(trunk, line, shown, domain),
        silent_s=trunk.connect_s if more else None,
    )
    answered = await dialling.winner(trunk.ring_s)
    if call.purse is not None:
        call.purse.answered()
    return answered


def _more_headers(trunk: Trunk, line: Extension, shown: Shown, domain: str) -> list[tuple[str, str]]:
    """What an INVITE to a trunk has beside what every INVITE has."""
    identity = identity_headers(line, trunk, shown, domain)
    written = {name for name, _ in identity}
    said = [] if line.caller_id.anonymous else caller_headers(trunk, shown, domain)
    carried = [(name, value) for name, value in said if name not in written]
    return [*route_to(trunk), *identity, *carried, *trunk.headers.items()]


def _of_the_trunk(status: int, trunk: Trunk) -> bool:
    """Whether another trunk may do better."""
    return status in (408, 482) or 500 <= status < 600 or status in trunk.failover


class _Dialling:
    """Far ends rung at once: the first to answer wins, the others are given up."""

    def __init__(self, hear: Hearer | None) -> None:
        self.legs: list[Leg] = []
        self._hear = hear
        self._refusals: dict[int, int] = {}
        self._on_failure: dict[int, Callable[[int], bool]] = {}
        self._won: asyncio.Future[Leg] = asyncio.get_running_loop().create_future()

    def leg(self, call: Call, lane: int, party: str) -> Leg:
        """One more far end to ring."""
        leg = Leg(call, lane, party, "out")
        call.legs.append(leg)
        self.legs.append(leg)
        return leg

    def on_failure(self, leg: Leg, instead: Callable[[int], bool]) -> None:
        """What a failure of this leg leads to: True where another leg was rung instead of it."""
        self._on_failure[id(leg)] = instead

    async def winner(self, within_s: float) -> Leg:
        """The leg that answered.  Raises: NotReached."""
        won: Leg | None = None
        bell = asyncio.get_running_loop().call_later(within_s, self._rung_out)
        try:
            won = await self._won
            return won
        finally:
            bell.cancel()
            if self._won.done() and not self._won.cancelled():
                self._won.exception()  # looked at, also where the caller left in the same moment
            cause = ELSEWHERE if won is not None else self._hear.heard_reason if self._hear else ""
            for leg in self.legs:
                if leg is not won:
                    leg.hangup(cause=cause)

    def _rung_out(self) -> None:
        if not self._won.done():
            rang = any(leg.rang for leg in self.legs)
            self._won.set_exception(NotReached(480 if rang else 408, rang=rang))

    def progressed(self, leg: Leg, body: bytes) -> None:
        if self._hear is not None:
            self._hear.hear_ringing(leg, body)

    def answered(self, leg: Leg) -> bool:
        if self._won.done():
            return False
        self._won.set_result(leg)
        return True

    def refused(self, leg: Leg, status: int) -> None:
        instead = self._on_failure.get(id(leg))
        self._refusals[id(leg)] = status
        if not self._won.done() and instead is not None and instead(status):
            return
        everyone = len(self._refusals) == len(self.legs)
        if (everyone or status >= 600) and not self._won.done():  # 16.7 step 5: a 6xx speaks for all
            rang = any(leg.rang for leg in self.legs)
            self._won.set_exception(NotReached(_best(list(self._refusals.values())), rang=rang))


def _best(statuses: list[int]) -> int:
    """16.7 step 6: a 6xx before all, else the lowest class, busy before the rest of its class."""
    return min(statuses, key=lambda s: (s < 600, s // 100, s != 486))
