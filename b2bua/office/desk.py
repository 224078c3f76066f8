"""The back office as web pages and the API see it: authorised CallerIDs, their credit, callback settings, "why not?".

Money is text, `4.88` or `unlimited`; times are ISO 8601 in UTC; secrets go in and never come out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

__all__ = [
    "BlockedView", "CallerChange", "CallerList", "CallerView", "CallbackView", "CodeCallView", "FaultView", "Holder",
    "ImportView", "LadderRow", "LegView", "NewBlocked", "NewCaller", "NewRecharge", "NotDone", "Office", "Progress",
    "PublicCallerIdChange", "PublicCallerIdView", "PublicNumberView", "QuotaView", "RechargeView", "StoryView",
    "TypedCode",
]  # fmt: skip

Progress = Callable[[int, int], None]
"""Called with (done, of) while a long file is taken."""


@dataclass(frozen=True, slots=True)
class FaultView:
    """One of the things that are wrong."""

    field: str
    """Where it stands, `callnow.rules[0].do`; empty where that is no one field."""
    reason: str
    line: int | None = None


class NotDone(Exception):
    """An order that cannot be carried out; nothing was changed. The sentence is for whoever gave it."""

    def __init__(
        self, sentence: str, status: int = 422, field: str = "", line: int | None = None,
        faults: Sequence[FaultView] = (),
    ) -> None:  # fmt: skip
        """`faults`: all of them, where the sentence is of the first."""
        super().__init__(sentence)
        self.sentence, self.status, self.field, self.line, self.faults = sentence, status, field, line, faults


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose token it is; `account_id` None is the operator, who sees every account."""

    name: str
    account_id: int | None


@dataclass(frozen=True, slots=True)
class CallbackView:
    """The callback settings of one extension (SPEC 27-36, 64, A12.2).

    b2bua.plan.entries.CallbackEntry says what each means.
    """

    enabled: bool
    trigger_s: int
    final_status: int
    missed_call_s: int | None
    return_to: Literal["authorised", "caller", "fixed"]
    fixed_number: str
    dial_s: int
    digit_s: int
    has_password: bool
    ask_pin: bool
    credit_enquiry: bool
    speak_number: bool
    pay_call_back: Literal["no", "answer", "both"]
    least_credit: str
    language: str
    greeting_sound: str
    cut_sound: str
    no_credit_sound: str
    quota: int | None
    calls_a_number_a_day: int
    longest_call_s: int
    money_a_day: str | None
    highest_price_a_minute: str | None
    allowed: Sequence[str]
    forbidden: Sequence[str]
    tries: int
    lock_after: int
    lock_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCaller:
    """An authorised CallerID to add (SPEC 62)."""

    number: str
    pin: str = field(default="", repr=False)
    credit: str = "0.00"
    order_number: str = ""
    enabled: bool = True
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerChange:
    """What to change of a CallerID; None leaves it, an empty PIN removes it."""

    number: str | None = None
    pin: str | None = field(default=None, repr=False)
    enabled: bool | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class CallerView:
    """One row of "Authorized CallerIDs Management" (SPEC 54)."""

    number: str
    enabled: bool
    pin: bool
    """A PIN is asked."""
    language: str
    total_credit: str
    available_credit: str
    spent: str
    currency: str
    created: str


@dataclass(frozen=True, slots=True)
class QuotaView:
    """How many CallerIDs may be active; None: no limit (SPEC 55, 62)."""

    maximum: int | None
    active: int
    addable: int | None


@dataclass(frozen=True, slots=True)
class CallerList:
    """One page of the list."""

    callers: Sequence[CallerView]
    total: int
    """How many the search finds."""
    quota: QuotaView


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecharge:
    """Credit to add, maybe negative, or `unlimited` (SPEC 59, 60)."""

    amount: str
    order_number: str = ""


@dataclass(frozen=True, slots=True)
class RechargeView:
    """One row of the recharge history (SPEC 58)."""

    order_number: str
    credit_added: str
    credit_left: str
    added: str


@dataclass(frozen=True, slots=True)
class ImportView:
    """What a file brought, or would bring."""

    added: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class LegView:
    """One leg of a call."""

    direction: str
    caller: str
    called: str
    party: str
    status: int
    ended_by: str
    talk_s: float
    cost: str
    cost_lines: Sequence[str]
    buy: str = ""
    """What it cost us; empty where that is not known, or not for the asker."""


@dataclass(frozen=True, slots=True)
class LadderRow:
    """One row of a call ladder. Lanes: 0 the extension's side, 1 Ringback, 2 the PSTN side."""

    n: int
    at_s: float
    """Seconds since the call began."""
    kind: Literal["sip", "rtp", "dtmf", "prompt", "event"]
    source: int
    target: int
    title: str
    text: str = ""
    """The SIP message without its secrets, or its first line alone where no more was kept; or detail."""
    transport: str = ""
    """Of a SIP message: `UDP`, `TCP`, `TLS`, ..."""
    sent_from: str = ""
    """`192.0.2.1:5060`"""
    sent_to: str = ""


@dataclass(frozen=True, slots=True)
class StoryView:
    """One request, trigger or call, and its one reason (SPEC A12.5)."""

    at: str
    kind: str
    """`callnow`, `callback`, `internal`, `outbound`, `inbound`, `transfer`, `code`."""
    reason: str
    sentence: str
    extension: str
    caller: str
    called: str
    cost: str
    call_id: str
    source: str
    """Where it came from: the visitor's or the trunk's address, the trunk's name."""
    legs: Sequence[LegView]
    ladder: Sequence[LadderRow]
    buy: str = ""
    """What it cost us, and what we have of it; empty where that is not known, or not for the asker."""
    margin: str = ""
    verified: str = ""
    """What the signature of the caller's number was worth, in a sentence; empty where it was not looked at."""


@dataclass(frozen=True, slots=True)
class PublicNumberView:
    """A public number that an extension can be given to show (SPEC 45)."""

    number: str
    rings_back_to: str
    """The extension that it rings, or `-`."""
    resource: str
    """The trunk that it arrives on, or `-` for any."""
    default: Literal["Yes", "Set as default", "-"]
    """`-`: not associated, cannot be shown."""


@dataclass(frozen=True, slots=True)
class PublicCallerIdView:
    """What public calls of an extension show (SPEC 38-52)."""

    name_by: Literal["server", "user", "equipment"]
    name: str
    number_by: Literal["server", "user", "equipment"]
    number: str
    approved: bool
    numbers: Sequence[str]
    default: str
    identity_headers: bool
    anonymous: bool
    available: Sequence[PublicNumberView]
    """The account's public numbers."""


@dataclass(frozen=True, slots=True)
class PublicCallerIdChange:
    """What is to change; null leaves it. Another `number` has to be proven anew."""

    name_by: Literal["server", "user", "equipment"] | None = None
    name: str | None = None
    number_by: Literal["server", "user", "equipment"] | None = None
    number: str | None = None
    approved: bool | None = None
    numbers: Sequence[str] | None = None
    default: str | None = None
    identity_headers: bool | None = None
    anonymous: bool | None = None


@dataclass(frozen=True, slots=True)
class CodeCallView:
    """The newest call that spoke a code to the number that an extension wants to show, and what can be done now."""

    number: str
    """Whom it called."""
    reason: str
    """Its one named reason; empty while it is under way."""
    sentence: str
    at: str
    confirm_until: str
    """Until when the code can be typed; empty where none can."""
    tries_left: int


@dataclass(frozen=True, slots=True)
class TypedCode:
    """What somebody has heard."""

    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BlockedView:
    """A number that pages do not call (SPEC A12.6)."""

    number: str
    extension: str
    """Whose page; empty: no page."""
    by: Literal["owner", "visitor", "operator"]
    at: str


@dataclass(frozen=True, slots=True)
class NewBlocked:
    """A number to block, for the page of one extension or, by the operator, for all."""

    number: str
    extension: str = ""


class Office(Protocol):
    """Everything that the API can ask. An extension or CallerID that the holder may not see is not there.

    Raises: NotDone, from every verb but `holder`.
    """

    async def holder(self, token: str) -> Holder | None:
        """Whose API token this is; None for an unknown or revoked one."""

    async def callback(self, who: Holder, extension: str) -> CallbackView:
        """The callback settings of an extension."""

    async def change_callback(self, who: Holder, extension: str, changes: Mapping[str, object]) -> CallbackView:
        """Change some of them, under the rules of `ringback apply`; `password` sets it, empty removes it."""

    async def public_caller_id(self, who: Holder, extension: str) -> PublicCallerIdView:
        """What public calls of an extension show, and what they could."""

    async def change_public_caller_id(
        self, who: Holder, extension: str, change: PublicCallerIdChange
    ) -> PublicCallerIdView:  # fmt: skip
        """Change some of it, under the rules of `ringback apply`."""

    async def call_with_code(self, who: Holder, extension: str) -> CodeCallView:
        """Call the number that the user has set, and speak a code (SPEC 39)."""

    async def code_call(self, who: Holder, extension: str) -> CodeCallView:
        """The newest such call."""

    async def confirm_code(self, who: Holder, extension: str, typed: TypedCode) -> PublicCallerIdView:
        """The code that was heard: the right one approves the number."""

    async def blocked_numbers(self, who: Holder, text: str = "") -> Sequence[BlockedView]:
        """The blocked numbers that contain `text`, newest first."""

    async def block_number(self, who: Holder, new: NewBlocked) -> BlockedView:
        """No CallNow request for it is taken any more."""

    async def unblock_number(self, who: Holder, extension: str, number: str) -> None:
        """It may be called again; `extension` empty: by all pages."""

    async def callers(
        self, who: Holder, extension: str, *, text: str = "", enabled: bool | None = None, limit: int = 50,
        offset: int = 0,
    ) -> CallerList:  # fmt: skip
        """The CallerIDs whose number contains `text`."""

    async def caller(self, who: Holder, extension: str, number: str) -> CallerView:
        """One CallerID."""

    async def add_caller(self, who: Holder, extension: str, new: NewCaller) -> CallerView:
        """Add one."""

    async def edit_caller(self, who: Holder, extension: str, number: str, change: CallerChange) -> CallerView:
        """Change one."""

    async def remove_caller(self, who: Holder, extension: str, number: str) -> None:
        """Remove one; its ledger stays."""

    async def recharges(self, who: Holder, extension: str, number: str, text: str = "") -> Sequence[RechargeView]:
        """The recharges whose order number contains `text`, newest first."""

    async def recharge(self, who: Holder, extension: str, number: str, new: NewRecharge) -> RechargeView:
        """Add credit."""

    async def import_callers(
        self, who: Holder, extension: str, data: bytes, *, separator: str = ",", dry_run: bool = False,
        progress: Progress | None = None,
    ) -> ImportView:  # fmt: skip
        """Add every line of a file, or none."""

    async def export_callers(
        self, who: Holder, extension: str, kind: Literal["csv", "xlsx"], *, text: str = "",
        enabled: bool | None = None,
    ) -> bytes:  # fmt: skip
        """The list as a file."""

    async def stories(self, who: Holder, number: str, *, limit: int = 20, ladder: bool = False) -> Sequence[StoryView]:
        """Why, or why not: what became of the requests, triggers and calls of a number, newest first."""

    async def ladder(self, who: Holder, call_id: str) -> Sequence[LadderRow]:
        """What happened on the wires of a call, under way or over; secrets are masked."""

    async def pcap(self, who: Holder, call_id: str) -> bytes:
        """Its SIP messages as a file for Wireshark; secrets are masked."""
