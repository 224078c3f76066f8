"""Two or more cores on an in-memory wire, with a virtual clock that jumps from event to event."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import count

import pytest

from sip_stack.core import Hop, Incoming, SipCore
from sip_stack.digest import Credentials
from sip_stack.headers import NameAddr
from sip_stack.incoming_invite import IncomingInvite
from sip_stack.message import Request, Response, parse
from sip_stack.options import PLAIN
from sip_stack.outgoing_invite import OutgoingInvite
from sip_stack.timers import RFC, TimerSettings
from sip_stack.uri import sip_uri


class Agent:
    """A far end: a core and its user, who writes down what it is told and does what `on` says."""

    def __init__(self, wire: Wire, host: str, timers: TimerSettings) -> None:
        self.wire = wire
        self.hop = Hop("UDP", host, 5060)
        self.told: list[tuple[object, ...]] = []
        self.on: dict[str, Callable[..., None]] = {}
        self.calls: list[IncomingInvite] = []
        self.requests: list[Incoming] = []
        self.bugs: list[Exception] = []
        self.options = PLAIN
        self.core = SipCore(
            self,
            send=lambda data, hop: wire.carry(data, self.hop, hop),
            local={"UDP": (host, 5060), "TCP": (host, 5060), "WS": (host, 5080)},
            new_id=wire.new_id,
            clock=lambda: wire.now,
            alarm=lambda when: wire.at(when, self.core.wake),
            bug=self.bugs.append,
            timers=timers,
        )

    # CoreUser

    def on_invite(self, incoming: Incoming) -> None:
        if "invite" in self.on:
            self.on["invite"](incoming)
            return
        call = IncomingInvite(self.core, incoming, self.options)
        call.owner = self
        self.calls.append(call)
        self.told.append(("invite", incoming.request.uri.user))

    def on_request(self, incoming: Incoming) -> None:
        self.requests.append(incoming)
        self.told.append((incoming.request.method.lower(),))
        self.on.get("request", lambda incoming: incoming.respond(200))(incoming)

    # InviteUser

    def _note(self, *words: object) -> None:
        self.told.append(words)
        react = self.on.get(str(words[0]))
        if react is not None:
            react()

    def on_progress(self, response: Response) -> None:
        self._note("progress", response.status)

    def on_answer(self, response: Response) -> None:
        self._note("answer", response.body)

    def on_refused(self, status: int, response: Response | None) -> None:
        self._note("refused", status)

    def on_cancel(self) -> None:
        self._note("cancel")

    def on_ack(self, request: Request) -> None:
        self._note("ack", request.body)

    def on_gone(self, why: str) -> None:
        self._note("gone", why)

    # Verbs

    def dial(self, other: Agent, **options: object) -> OutgoingInvite:
        arguments = {
            "target": sip_uri("bob", other.hop.host, 5060), "hop": other.hop, "body": b"offer",
            "from_": NameAddr("Alice", sip_uri("alice", self.hop.host)), "to": NameAddr("", sip_uri("bob",
            "example.org")),
        }  # fmt: skip
        return OutgoingInvite(self.core, self, **(arguments | options))  # type: ignore[arg-type]

    @property
    def call(self) -> IncomingInvite:
        return self.calls[-1]


class Wire:
    """Carries datagrams with a delay of 10 ms, and loses, repeats and reorders what it is asked to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.agents: dict[str, Agent] = {}
        self.ladder: list[tuple[str, str, str]] = []
        self.messages: list[Request | Response] = []
        self.drop: Callable[[str, str, str], bool] = lambda source, target, what: False
        self.dice = random.Random(0)
        self.loss = self.repeats = self.shuffle_s = 0.0
        self._serial = count(1)
        self._ids = count(1)
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def new_id(self) -> str:
        return f"{next(self._ids):06x}"

    def agent(self, host: str, timers: TimerSettings = RFC) -> Agent:
        self.agents[host] = agent = Agent(self, host, timers)
        return agent

    def at(self, when: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._serial), do))

    def carry(self, data: bytes, source: Hop, target: Hop) -> None:
        message = parse(data)
        assert isinstance(message, Request | Response)
        of = (message.get("CSeq") or "").rpartition(" ")[2]
        what = message.method if isinstance(message, Request) else f"{message.status} {of}"
        row = (source.host, target.host, what)
        self.ladder.append(row)
        self.messages.append(message)
        if self.drop(*row) or self.dice.random() < self.loss:
            return
        for _ in range(2 if self.dice.random() < self.repeats else 1):
            delay = 0.01 + self.dice.random() * self.shuffle_s
            self.at(self.now + delay, lambda: self._deliver(data, source, target))

    def _deliver(self, data: bytes, source: Hop, target: Hop) -> None:
        agent = self.agents.get(target.host)
        if agent is not None:
            agent.core.receive(data, source)

    def run(self, seconds: float = 1.0) -> None:
        """Let so much time pass."""
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            when, _, do = heapq.heappop(self._due)
            self.now = max(self.now, when)
            do()
        self.now = end

    @property
    def rows(self) -> list[str]:
        """What went over the wire, each as `a>b INVITE` by the last part of the hosts, since the last look."""
        rows = [f"{s.rpartition('.')[2]}>{t.rpartition('.')[2]} {what}" for s, t, what in self.ladder]
        self.ladder.clear()
        return rows

    def last(self, what: str) -> Request | Response:
        """The last message of that method or status."""
        for message in reversed(self.messages):
            if what == (message.method if isinstance(message, Request) else str(message.status)):
                return message
        raise AssertionError(f"no {what} on the wire")

    def count(self, what: str) -> int:
        return sum(1 for row in self.ladder if row[2] == what)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def a(wire: Wire) -> Agent:
    """The side that dials in most tests, 10.0.0.1."""
    return wire.agent("10.0.0.1")


@pytest.fixture
def b(wire: Wire) -> Agent:
    """The side that is dialled, 10.0.0.2."""
    return wire.agent("10.0.0.2")


@pytest.fixture
def quiet(wire: Wire) -> Callable[[], None]:
    """Asserts that nothing is left 100 s later: no transaction, no dialog, no bug."""

    def check() -> None:
        wire.run(100.0)
        for agent in wire.agents.values():
            assert agent.bugs == []
            assert agent.core.load == {"clients": 0, "servers": 0, "dialogs": 0}

    return check


@pytest.fixture
def who() -> Credentials:
    return Credentials("alice", "secret")
