"""A desk with a script: stands for the floor below the web pages, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from b2bua.desk import (
    Accepted,
    CallNowPage,
    CallView,
    DemoCallback,
    DemoState,
    ExtensionView,
    LadderRow,
    LinkPass,
    Refused,
    SlotChoice,
    SlotDay,
    Stage,
    VisitorRequest,
    VisitorStatus,
)

JOHN = CallNowPage(
    id="john_doe",
    owner_name="John Doe",
    available=True,
    opens="",
    ask_name=True,
    image_validation=False,
    language="en",
    message="",
    country="US",
)
SLOTS = SlotChoice("Europe/Bucharest", "14:12", [
    SlotDay("Friday, 20 November", [(1_795_185_000, "16:30"), (1_795_186_800, "17:00")]),
    SlotDay("Monday, 23 November", [(1_795_417_200, "09:00"), (1_795_419_000, "09:30")]),
])
BEHAVIOURS = (
    ("accept", "answers after 2 s and presses 1"),
    ("refuse", "answers and presses 2"),
    ("ignore", "never answers"),
    ("busy", "says 486"),
    ("offline", "is not registered"),
)
NUMBERS = (
    ("+12025550100", "answers and talks"),
    ("+12025550101", "is busy"),
    ("+12025550102", "never answers"),
    ("+12025550105", "early media, then 404"),
)


@dataclass
class ScriptedDesk:
    """Implements b2bua.desk.Desk from plain attributes; `tell` and `write` wake those who watch."""

    demo: bool = True
    pages: dict[str, CallNowPage] = field(default_factory=lambda: {"john_doe": JOHN})
    refusal: Refused | None = None
    asked: list[VisitorRequest] = field(default_factory=list)
    links: dict[str, LinkPass | Refused] = field(default_factory=dict)
    opened: list[tuple[str, str, str]] = field(default_factory=list)
    """Each asking what a link is worth: page, token, whose doing."""
    hold: asyncio.Event | None = None
    """When set, request_call waits for it."""
    statuses: dict[str, VisitorStatus] = field(default_factory=dict)
    slots: dict[str, SlotChoice] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    admin_links: set[str] = field(default_factory=lambda: {"once"})
    call_list: list[CallView] = field(default_factory=list)
    ladders: dict[str, list[LadderRow]] = field(default_factory=dict)
    recordings: dict[str, Path] = field(default_factory=dict)
    behaviour: str = "accept"
    page_url: str = "/callnow/john_doe"
    credit: str = "0.34 USD"
    rings: int = 0
    watchers: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def callnow_page(self, page_id: str) -> CallNowPage | None:
        return self.pages.get(page_id)

    async def open_link(self, page_id: str, token: str, source_ip: str) -> LinkPass | Refused:
        self.opened.append((page_id, token, source_ip))
        return self.links.get(token, Refused("signed-link-forged", "This link does not work.", 403))

    async def request_call(self, request: VisitorRequest) -> Accepted | Refused:
        self.asked.append(request)
        if self.hold is not None:
            await self.hold.wait()
        if self.refusal is not None:
            return self.refusal
        token = f"token-{len(self.asked)}"
        self.statuses[token] = VisitorStatus(Stage.RINGING_OWNER, request.page_id, request.number)
        return Accepted(token)

    def visitor_status(self, token: str) -> VisitorStatus | None:
        return self.statuses.get(token)

    async def watch_visitor(self, token: str) -> AsyncIterator[VisitorStatus]:
        seen: VisitorStatus | None = None
        self.watchers += 1
        try:
            while token in self.statuses:
                if self.statuses[token] != seen:
                    seen = self.statuses[token]
                    yield seen
                    if seen.stage.final:
                        return
                else:
                    await self._change()
        finally:
            self.watchers -= 1

    async def cancel_visitor(self, token: str) -> bool:
        self.cancelled.append(token)
        self.statuses[token] = replace(self.statuses[token], stage=Stage.CANCELLED)
        return True

    def callnow_slots(self, page_id: str) -> SlotChoice:
        return self.slots.get(page_id, SlotChoice())

    def calls(self) -> Sequence[CallView]:
        return tuple(self.call_list)

    def call(self, call_id: str) -> CallView | None:
        return next((call for call in self.call_list if call.id == call_id), None)

    def ladder(self, call_id: str) -> Sequence[LadderRow]:
        return tuple(self.ladders.get(call_id, ()))

    async def watch_ladder(self, call_id: str, after: int = -1) -> AsyncIterator[LadderRow]:
        while True:
            rows = [row for row in self.ladder(call_id) if row.n > after]
            for row in rows:
                after = row.n
                yield row
            if not rows:
                call = self.call(call_id)
                if call is None or call.state == "ended":
                    return
                await self._change()

    async def watch_calls(self) -> AsyncIterator[Sequence[CallView]]:
        while True:
            seen = self.calls()
            yield seen
            while self.calls() == seen:
                await self._change()

    def recording(self, call_id: str) -> Path | None:
        return self.recordings.get(call_id)

    async def extensions(self) -> Sequence[ExtensionView]:
        return (
            ExtensionView(
                "001*002",
                "John Doe",
                "phone",
                "+12025550000",
                ("sip:john@127.0.0.1:5080",),
                "http://127.0.0.1:8080/callnow/john_doe",
                "Demo Ltd",
                "24.88 USD",
            ),
            ExtensionView("001*003", "", "phone", "", (), "", "Demo Ltd", "24.88 USD"),
        )

    async def open_admin_link(self, token: str) -> bool:
        if token not in self.admin_links:
            return False
        self.admin_links.remove(token)
        return True

    def demo_state(self) -> DemoState | None:
        if not self.demo:
            return None
        return DemoState(self.behaviour, BEHAVIOURS, NUMBERS, self.page_url, "John Doe, 001*002")

    async def demo_set(self, behaviour: str) -> bool:
        if behaviour not in dict(BEHAVIOURS):
            return False
        self.behaviour = behaviour
        return True

    async def demo_callback(self) -> DemoCallback | None:
        if not self.demo:
            return None
        return DemoCallback("+12025550190", "+12025550100", ("keys his PIN", "dials"), self.credit, "0.50 USD")

    async def demo_ring(self) -> None:
        self.rings += 1

    async def demo_recharge(self) -> None:
        self.credit = "0.84 USD"

    async def tell(self, token: str, stage: Stage, talk_s: int = 0) -> None:
        """Move a visitor's request to its next stage."""
        self.statuses[token] = replace(self.statuses[token], stage=stage, talk_s=talk_s)
        await self.wake()

    async def write(self, call: CallView, *rows: LadderRow) -> None:
        """Put a call on top of the list, or change it there, and add rows to its ladder."""
        self.call_list = [call, *(other for other in self.call_list if other.id != call.id)]
        self.ladders.setdefault(call.id, []).extend(rows)
        await self.wake()

    async def wake(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def _change(self) -> None:
        async with self.changed:
            await self.changed.wait()


INVITE = (
    "INVITE sip:001*002@127.0.0.1:5080 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK7c1;rport\r\n"
    'From: "Mary" <sip:+12025550100@127.0.0.1>;tag=a1\r\nTo: <sip:001*002@127.0.0.1>\r\nCall-ID: 5f2a@127.0.0.1\r\n'
    "CSeq: 1 INVITE\r\nContact: <sip:127.0.0.1:5060>\r\nContent-Length: 0\r\n\r\n"
)
LADDER = (
    LadderRow(0, 0.0, "event", 1, 1, "Mary asks for a call"),
    LadderRow(1, 0.002, "sip", 1, 0, "INVITE", INVITE),
    LadderRow(2, 0.004, "sip", 0, 1, "180 Ringing", "SIP/2.0 180 Ringing\r\n\r\n"),
    LadderRow(3, 2.011, "sip", 0, 1, "200 OK (INVITE)", "SIP/2.0 200 OK\r\n\r\n"),
    LadderRow(4, 2.012, "sip", 1, 0, "ACK", "ACK sip:001*002@127.0.0.1:5080 SIP/2.0\r\n\r\n"),
    LadderRow(5, 2.02, "prompt", 1, 0, "Call from Mary. Press 1 to accept, 2 to refuse."),
    LadderRow(6, 4.1, "dtmf", 0, 1, "1"),
    LadderRow(7, 4.104, "sip", 1, 2, "INVITE", INVITE),
    LadderRow(8, 4.11, "sip", 2, 1, "100 Trying", "SIP/2.0 100 Trying\r\n\r\n"),
    LadderRow(9, 4.2, "sip", 2, 1, "486 Busy Here", "SIP/2.0 486 Busy Here\r\n\r\n"),
    LadderRow(10, 5.0, "rtp", 0, 2, "PCMU 412 packets, 0 lost, jitter 0.3 ms"),
    LadderRow(11, 9.0, "rtp", 2, 0, "PCMU 410 packets, 0 lost, jitter 0.2 ms"),
)
CALL = CallView("c1", "callnow", 1_795_232_400.0, "talking", "", "Mary +12025550100", "001*002 John Doe", 65, "", False)
