"""Ringing far ends: every phone of an extension at once, or the trunks of a number in turn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import choice
from typing import TYPE_CHECKING

from b2bua.audio import CODECS
from b2bua.caller_proof import signature
from b2bua.extras import options_of
from b2bua.leg import Leg
from b2bua.outcome import NoRoute, NotReached, Offline
from b2bua.redirect import MOST_REDIRECTS, first_reached, read_target
from b2bua.ringing import Ringing
from b2bua.rules.caller_id import Shown, from_header, identity_headers, numbers_to_show, shown_on_trunk
from b2bua.rules.edge import FLOW_FAILED, by_phone, flow_is_lost, hop_of, routes_of
from b2bua.rules.numbers import called_on_trunk
from b2bua.rules.routing import route, sell_rate_by
from b2bua.rules.tariff import buy_rate
from b2bua.trace.ladder import EXTENSION, PSTN, RINGBACK
from b2bua.trunks.identity import caller_headers
from b2bua.trunks.requests import route_to, servers_of, trunk_uri
from sip_stack.core import Hop
from sip_stack.digest import Credentials
from sip_stack.headers import NameAddr
from sip_stack.registrar import Binding
from sip_stack.uri import sip_uri
from store.values import Extension, Trunk

if TYPE_CHECKING:

    from b2bua.call import Call
    from b2bua.payment import Paid
    from sip_stack.uri import Uri

__all__ = ["Way", "dial_extension", "dial_out"]

_LOOP = "its address is our own: the call would come back"


_NEXT_FLOW_S = 4.0
"""How long a phone may be silent on one of its flows while it has another."""


async def dial_extension(
    call: Call, extension: Extension, *, shown: Shown, lane: int = EXTENSION, hear: Leg | None = None,
    numbers: bool = False, trail: frozenset[str] = frozenset(),
) -> Leg:
    """Ring every phone of an extension; the first that answers.

    Where one says by 3xx that it is elsewhere, and its extension allows it, that is tried instead: with `numbers` also
    a public number, at the expense of the extension.  `trail`: the extensions that led here.
    Raises: NotReached, Offline without phones, Congested.
    """
    phones = _Phones(call, extension, shown, lane, hear, numbers, trail)
    for first, *others in by_phone(call.exchange.locations.of(extension.number)):
        phones.ring(first, others)
    if not phones.legs:
        raise Offline(extension.number)
    return await phones.winner(extension.ring_s)


class _Phones(Ringing):
    """The phones of one extension while they ring."""

    def __init__(
        self, call: Call, extension: Extension, shown: Shown, lane: int, hear: Leg | None, numbers: bool,
        trail: frozenset[str],
    ) -> None:
        super().__init__(call, lane, hear)
        self._extension, self._shown, self._numbers, self._trail = extension, shown, numbers, trail
        self._by: dict[int, tuple[Binding, list[Binding]]] = {}
        """By the leg's id: by which flow its phone is rung, and by which others it could be."""

    def ring(self, binding: Binding, others: list[Binding]) -> bool:
        """Ring a phone by one of its flows; by the next of the `others` where that one has failed.

        False where none of them leads there.
        """
        call, extension, shown = self._call, self._extension, self._shown
        exchange = call.exchange
        hop, domain = hop_of(binding, exchange.directory.is_edge), exchange.domain
        if exchange.core.is_ours(hop):
            call.ladder_row("event", RINGBACK, self._lane, f"a phone of {extension.number}: {_LOOP}")
            return bool(others) and self.ring(others[0], others[1:])
        leg = self.leg(extension.number)
        leg.extension = extension
        if binding.seen_ip:
            leg.seen_ip = binding.seen_ip
        self._by[id(leg)] = binding, others
        leg.invite(
            self,
            target=binding.uri,
            hop=hop,
            nat=not binding.direct or binding.outbound.reg_id > 0,
            shown=_who(shown.name, shown.number, domain),
            to=_who("", extension.number, domain),
            codecs=CODECS,
            beside=self._hear,
            extra=(*routes_of(binding), *call.to_phones),
            silent_s=_NEXT_FLOW_S if others else None,
            options=options_of(extension),
        )
        return True

    def instead(self, leg: Leg, status: int) -> bool:
        """Another flow, or where the phone says that it is."""
        call, (binding, others) = self._call, self._by[id(leg)]
        if status == FLOW_FAILED:
            call.exchange.locations.forget(self._extension.number, binding)
        if others and flow_is_lost(status, leg.rang) and self.ring(others[0], others[1:]):
            return True
        if not leg.moved_to or self._extension.redirects == "refuse" or call.redirects >= MOST_REDIRECTS:
            return False
        call.redirects += 1
        self.follow(leg, first_reached(leg.moved_to, self._reach, status), self._extension.ring_s)
        return True

    async def _reach(self, target: Uri) -> Leg | None:
        """Who answers at a target of a 3xx; None for what this extension may not lead to."""
        call, owner = self._call, self._extension
        found = read_target(target, owner, call.exchange.directory)
        call.ladder_row("event", self._lane, RINGBACK, f"{owner.number} is at {target.user[:40]}, {found.word}")
        if found.extension is not None and found.extension.number not in self._trail | {owner.number}:
            return await dial_extension(
                call, found.extension, shown=self._shown, lane=self._lane, hear=self._hear, numbers=self._numbers,
                trail=self._trail | {owner.number},
            )
        if found.number and self._numbers and owner.redirects == "numbers":
            paid = await call.hold_for(owner, found.number)
            return await dial_out(call, found.number, Way(paid, self._lane, self._hear, owner))
        return None


@lru_cache(1024)
def _who(name: str, number: str, domain: str) -> NameAddr:
    """One value for all calls of one number."""
    return NameAddr(name, sip_uri(number, domain))


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
    dialling = Ringing(call, way.lane, way.hear)
    leg = dialling.leg(trunk.name)
    leg.buy_rate = buy_rate(call.exchange.directory, trunk, number, call.exchange.wall())
    if way.paid is not None:
        way.paid.leg = leg
    user = called_on_trunk(number, trunk)
    number_shown = choice(numbers_to_show(line, trunk, call.exchange.directory.public_numbers))
    shown = shown_on_trunk(line, trunk, number_shown, way.equipment)
    domain = trunk.host if trunk.user else call.exchange.domain  # one that knows us by name wants its own
    from_, more_headers = from_header(line, shown, domain), _more_headers(trunk, line, shown, domain)
    leg.invite(
        dialling,
        target=trunk_uri(trunk, user, trunk.port if trunk.port not in (0, 5060) else None),
        hop=hop,
        shown=from_,
        to=NameAddr("", trunk_uri(trunk, user)),
        codecs=trunk.codecs,
        beside=way.hear,
        credentials=Credentials(trunk.user, trunk.password) if trunk.user else None,
        extra=[*more_headers, *signature(call, trunk, line, number, from_, more_headers)],
        silent_s=trunk.connect_s if more else None,
        options=options_of(trunk),
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
    # 401, 407: it does not take our password, whatever the number
    return status in (401, 407, 408, 482) or 500 <= status < 600 or status in trunk.failover
