"""The trunks as they live: registered, asked whether they are there, and loaded no more than they allow."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from b2bua.desk import TrunkState
from b2bua.trunks.requests import TrunkClient
from b2bua.trunks.rules import Health, Registration, after_cut, after_register, contact_user, is_alive
from sip_stack.hop import Hop
from sip_stack.message import Request, Response
from store.values import Trunk

if TYPE_CHECKING:
    from b2bua.exchange import Exchange

__all__ = ["Trunks"]

log = logging.getLogger(__name__)

_FAREWELL_S = 2.0
"""How long a trunk may take to hear that we stop."""
_MOST_SILENCE_S = 32.0


@dataclass(slots=True)
class _Line:
    """One trunk and what goes on with it."""

    trunk: Trunk
    client: TrunkClient
    health: Health
    registration: Registration = "off"
    status: int | None = None
    """Of the last REGISTER; None where nobody answered, or none was sent."""
    cut: asyncio.Event = field(default_factory=asyncio.Event)
    """A connection to it has ended."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    begun: deque[float] = field(default_factory=deque)
    """When the calls of the last second began."""


class Trunks:
    """Every trunk of the configuration; `sync` takes a new one."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._lines: dict[int, _Line] = {}
        self._by_contact: dict[str, int] = {}
        self._by_address_alone = True
        """No trunk proves to be the caller by a certificate or by our Contact."""
        self.draw = random.random

    # Life

    def sync(self) -> None:
        """Live by the configuration as it is now: only a trunk that is another than before begins anew."""
        wanted = self._exchange.directory.trunks
        changed = [line for line in self._lines.values() if wanted.get(line.trunk.id) != line.trunk]
        for line in changed:
            del self._lines[line.trunk.id]
            self._exchange.keep(self._end(line, wanted.get(line.trunk.id)))
        for trunk in wanted.values():
            if trunk.id not in self._lines:
                self._begin(trunk)
        self._by_contact = {contact_user(trunk): trunk.id for trunk in wanted.values() if trunk.register}
        self._by_address_alone = not self._by_contact and not any(trunk.tls_client for trunk in wanted.values())

    async def close(self) -> None:
        """Tell the registrars that we are gone."""
        lines = list(self._lines.values())
        self._lines.clear()
        await asyncio.gather(*(self._end(line, None) for line in lines))

    def _begin(self, trunk: Trunk) -> None:
        exchange = self._exchange
        client = TrunkClient(exchange.core, exchange.locate, exchange.domain, trunk)
        line = self._lines[trunk.id] = _Line(trunk, client, Health(trunk.down_after, trunk.up_after))
        if trunk.register:
            line.registration = "trying"
            self._keep(line, self._stay_registered(line))
        if trunk.qualify_s:
            self._keep(line, self._stay_qualified(line))

    def _keep(self, line: _Line, work: Coroutine[Any, Any, None]) -> None:
        line.tasks.append(self._exchange.keep(work))

    async def _end(self, line: _Line, after: Trunk | None) -> None:
        """Stop, and where nothing else will speak for the same binding, take it back."""
        for task in line.tasks:
            task.cancel()
        await asyncio.gather(*line.tasks, return_exceptions=True)
        await self._unregister(line, after)
        if after is None or _way(line.trunk) != _way(after):
            self._exchange.drop_connections(line.trunk.name)

    async def _unregister(self, line: _Line, after: Trunk | None) -> None:
        if line.registration == "registered" and not _same_binding(line.trunk, after):
            try:
                async with asyncio.timeout(_FAREWELL_S):
                    response = await line.client.register(0)
            except (OSError, TimeoutError):
                return  # it expires by itself
            log.info("trunk=%s event=unregistered status=%s", line.trunk.name, response.status if response else "none")

    # Registration and qualification

    async def _stay_registered(self, line: _Line) -> None:
        """REGISTER, wait, and again: before it expires, or later and later where it fails."""
        asked, failures, contact = line.trunk.register_expires_s, 0, contact_user(line.trunk)
        cuts = 0
        while True:
            line.cut.clear()
            response = await _answer(line, line.client.register(asked))
            step = after_register(response, contact, asked, failures, self.draw)
            asked, failures = step.expires_s, step.failures
            line.status = response.status if response else None
            if step.state != "registered" or line.registration != "registered":
                level = {"refused": logging.ERROR, "failed": logging.WARNING}.get(step.state, logging.INFO)
                reason = response.reason if response else ""
                log.log(level, "trunk=%s event=registration-%s status=%s reason=%r next_s=%.0f", line.trunk.name,
                        step.state, line.status or "none", reason, step.wait_s)  # fmt: skip
            line.registration, since = step.state, self._exchange.now()
            if step.state != "registered":
                await asyncio.sleep(step.wait_s)
            elif await _is_cut(line, step.wait_s):  # calls came by that connection: there must be another soon
                wait_s, cuts = after_cut(self._exchange.now() - since, cuts, self.draw)
                log.warning("trunk=%s event=connection-lost next_s=%.0f", line.trunk.name, wait_s)
                line.registration = "trying"
                await asyncio.sleep(wait_s)

    async def _stay_qualified(self, line: _Line) -> None:
        """OPTIONS at its beat; one that takes long takes of the pause after it."""
        loop, every = asyncio.get_running_loop(), line.trunk.qualify_s
        while True:
            began = loop.time()
            response = await _answer(line, line.client.options(min(every, _MOST_SILENCE_S)))
            if line.health.heard(is_alive(response.status if response else None)):
                log.warning("trunk=%s event=%s", line.trunk.name, "up" if line.health.up else "down")
            await asyncio.sleep(max(0.0, began + every - loop.time()))

    # What calls ask

    @property
    def down(self) -> set[int]:
        """The ids of trunks that do not answer: tried last."""
        return {line.trunk.id for line in self._lines.values() if not line.health.up}

    def cut(self, hop: Hop) -> None:
        """A connection has ended."""
        for line in self._lines.values():
            if line.trunk.name == hop.line:
                line.cut.set()

    def calling(self, request: Request, source: Hop) -> Trunk | None:
        """The trunk that proves to be the caller: by connection, certificate, or the Contact we registered there."""
        if not source.line and self._by_address_alone:
            return None
        directory = self._exchange.directory
        if source.line and (found := directory.trunk_by_name(source.line)) is not None:
            return found  # by the connection that we opened to it
        certified = directory.trunk_for_names(names) if (names := self._exchange.certified(source)) else None
        if certified is not None or not self._by_contact:
            return certified
        called = directory.trunk(self._by_contact.get(request.uri.user, 0))
        return None if called is not None and called.tls_client else called

    def number_called(self, request: Request) -> str:
        """Whom an INVITE of a trunk is for: a registrar puts our Contact in its Request-URI, the number is in To."""
        uri = request.uri
        return request.to.uri.number if self._by_contact and uri.user in self._by_contact else uri.number

    def admits(self, trunk: Trunk) -> bool:
        """Whether one more call may begin there now; it counts as begun."""
        if trunk.channels is not None and self._calls(trunk) >= trunk.channels:
            return False
        if trunk.calls_per_s is None:
            return True
        line = self._lines.get(trunk.id)
        if line is None:  # taken out of the configuration in this moment
            return True
        begun, now = line.begun, self._exchange.now()
        while begun and now - begun[0] >= 1.0:
            begun.popleft()
        if len(begun) >= trunk.calls_per_s:
            return False
        begun.append(now)
        return True

    def states(self) -> list[TrunkState]:
        """Every trunk as it stands."""
        return [
            TrunkState(line.trunk.name, line.registration, line.status, line.health.up, self._calls(line.trunk))
            for line in self._lines.values()
        ]

    def _calls(self, trunk: Trunk) -> int:
        return sum(
            leg.party == trunk.name and leg.ended_at is None
            for call in self._exchange.live.values()
            for leg in call.legs
        )


async def _is_cut(line: _Line, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            return await line.cut.wait()
    except TimeoutError:
        return False


async def _answer(line: _Line, asked: Coroutine[Any, Any, Response | None]) -> Response | None:
    """A host that nobody knows does not answer either."""
    try:
        return await asked
    except OSError as error:
        log.warning("trunk=%s event=not-found host=%s error=%s", line.trunk.name, line.trunk.host, error)
        return None


def _same_binding(before: Trunk, after: Trunk | None) -> bool:
    """A REGISTER of the one replaces what the other has bound."""
    if after is None or not after.register:
        return False
    return _way(before) == _way(after) and (before.user, before.password) == (after.user, after.password)


def _way(trunk: Trunk) -> tuple[object, ...]:
    """What decides where a connection for it leads, and what is proven there."""
    return (
        trunk.name, trunk.host, trunk.port, trunk.proxy, trunk.transport, trunk.tls_ca, trunk.tls_certificate,
        trunk.tls_key,
    )  # fmt: skip
