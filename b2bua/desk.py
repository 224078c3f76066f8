"""The one interface that web pages see: what they may ask of the server, and the values it answers with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Literal, Protocol

from b2bua.accounts.desk import AccountDesk, AccountRechargeView, BalanceView
from b2bua.links.desk import KeyRotation, LinkDesk, LinkView, MadeLink, NewLink, RotatedKey
from b2bua.office import desk as office_desk
from b2bua.office.desk import (
    BlockedView,
    CallbackView,
    CallerChange,
    CallerList,
    CallerView,
    CodeCallView,
    FaultView,
    Holder,
    ImportView,
    LadderRow,
    LegView,
    NewBlocked,
    NewCaller,
    NewRecharge,
    NotDone,
    Progress,
    PublicCallerIdChange,
    PublicCallerIdView,
    PublicNumberView,
    QuotaView,
    RechargeView,
    StoryView,
    TypedCode,
)
from b2bua.prices.desk import (
    AppliedView,
    MarginsBy,
    MarginView,
    PriceDesk,
    PriceView,
    RateCloneView,
    RateImportView,
    RateTableView,
    RateView,
    TrunkPriceView,
)
from b2bua.settings.desk import CALLNOW, SETTINGS, EntryList, EntryType, Money, ServerSettings, SettingsDesk
from store.errors import StoreError

__all__ = [
    "CALLNOW", "SETTINGS", "UNAVAILABLE_S", "Accepted", "AccountDesk", "AccountRechargeView", "AppliedView",
    "BalanceView",
    "BlockedView", "CallNowPage", "CallView", "CallbackView", "CallerChange", "CallerList", "CallerView",
    "CodeCallView", "DemoCallback", "DemoState", "Desk", "EntryList", "EntryType", "ExtensionView", "FaultView",
    "Holder", "ImportView", "KeyRotation", "LadderRow", "LegView", "LinkDesk", "LinkPass", "LinkView",
    "MadeLink", "MarginView", "MarginsBy", "Money", "NewBlocked", "NewCaller", "NewLink", "NewRecharge",
    "NotDone", "Office", "PriceDesk", "PriceView", "Progress", "PublicCallerIdChange", "PublicCallerIdView",
    "PublicNumberView", "QuotaView", "RateCloneView", "RateImportView", "RateTableView", "RateView",
    "RechargeView", "Refused", "RotatedKey", "ServerSettings", "SettingsDesk", "SlotChoice", "SlotDay", "Stage",
    "StoreError", "StoryView", "TrunkPriceView", "TrunkState", "TypedCode", "VisitorRequest", "VisitorStatus",
]  # fmt: skip

UNAVAILABLE_S = 2
"""After a StoreError, which changes nothing: in how many seconds it is worth while to ask again."""


class Office(office_desk.Office, AccountDesk, PriceDesk, LinkDesk, SettingsDesk, Protocol):
    """Everything that the API can ask."""


@dataclass(frozen=True, slots=True)
class CallNowPage:
    """What a visitor's page may show (SPEC 16-23). Nothing here names an owner who hides the name."""

    id: str
    owner_name: str | None
    available: bool
    opens: str
    """When it will be, in words of its time zone; empty where that is not known (SPEC H14)."""
    ask_name: bool
    image_validation: bool
    language: str
    message: str
    country: str
    """Region preselected in the country choice; empty when the tenant dials as-dialled and no choice is shown."""


@dataclass(frozen=True, slots=True)
class VisitorRequest:
    """A filled form, captcha already proven by the page unless it comes by a signed link."""

    page_id: str
    name: str
    number: str
    country: str
    source_ip: str
    one_step: bool = False
    at: float | None = None
    """One of the page's slots, Unix time; None: now."""
    link: str = field(default="", repr=False)
    """The token of a signed link: a secret."""


@dataclass(frozen=True, slots=True)
class LinkPass:
    """What a good signed link fixes of the form; empty: the visitor says it (SPEC A12.7)."""

    name: str = ""
    ends_in: str = ""
    """The last digits of the number that it is for: whoever was sent the link on is shown no more."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The call is under way; `token` is the unguessable name of its status page."""

    token: str


@dataclass(frozen=True, slots=True)
class Refused:
    """No call: `reason` is the recorded name, `sentence` what the visitor reads, `field` where it is shown."""

    reason: str
    sentence: str
    status: int = 422
    """HTTP status: 422 bad input, 429 too many requests, 409 not available now, 404 no such page, 403 and 410 a link
    that is no good, or no good any more."""
    field: Literal["name", "number", "when", ""] = ""
    retry_after_s: int | None = None


class Stage(Enum):
    """Where a visitor's request stands; the value is the word the page and the event stream use."""

    SCHEDULED = "scheduled"
    RINGING_OWNER = "ringing"
    CALLING_VISITOR = "calling-you"
    TALKING = "talking"
    ENDED = "ended"
    NOT_AVAILABLE = "not-available"
    NOT_REACHED = "not-reached"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """True when nothing follows."""
        return self in (Stage.ENDED, Stage.NOT_AVAILABLE, Stage.NOT_REACHED, Stage.CANCELLED)


@dataclass(frozen=True, slots=True)
class VisitorStatus:
    """What the visitor's page says now."""

    stage: Stage
    page_id: str
    number: str
    talk_s: int = 0
    due: float = 0.0
    """SCHEDULED: when it is called, Unix time,"""
    told: str = ""
    """and in words of the owner's time zone: `at 14:35`, `on Monday, 23 November, at 14:35`."""
    zone: str = ""
    """That zone: `Europe/Bucharest`."""


@dataclass(frozen=True, slots=True)
class SlotDay:
    """The times of one day at which a visitor may be called: (Unix time, `14:30`)."""

    label: str
    """`Monday, 23 November`."""
    times: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class SlotChoice:
    """When a visitor may be called, in words of the owner's time zone; without days only now."""

    zone: str = ""
    now: str = ""
    """What time it is there: `14:12`."""
    days: Sequence[SlotDay] = ()


@dataclass(frozen=True, slots=True)
class CallView:
    """One call as lists show it."""

    id: str
    kind: Literal["callnow", "callback", "internal", "outbound", "inbound", "transfer", "code"]
    started: float
    """Unix time."""
    state: str
    """`ringing`, `talking`, `ended`."""
    reason: str
    """Its one named reason once ended, for example `talked`, `refused`, `no-answer`; empty before."""
    from_: str
    to: str
    talk_s: int
    charge: str
    """For example `0.12 USD`; empty while unknown."""
    recorded: bool
    why: str = ""
    """The reason in a sentence; empty while the call is under way."""
    verified: str = ""
    """What the signature of the caller's number is worth, in a sentence; empty where it was not looked at."""


@dataclass(frozen=True, slots=True)
class ExtensionView:
    """One extension as lists show it."""

    number: str
    name: str
    kind: str
    public_number: str
    contacts: Sequence[str]
    """Where its phones are registered; empty when offline."""
    callnow_url: str
    account: str
    balance: str


@dataclass(frozen=True, slots=True)
class TrunkState:
    """One trunk as it stands."""

    name: str
    registration: Literal["off", "trying", "registered", "failed", "refused"]
    status: int | None
    """Of the last REGISTER; None where none was sent or nobody answered."""
    up: bool
    """It answers OPTIONS, or is not asked."""
    calls: int
    """At this moment, both directions together."""


@dataclass(frozen=True, slots=True)
class DemoState:
    """The simulated phone: how it behaves, and the PSTN numbers with what they do."""

    behaviour: str
    behaviours: Sequence[tuple[str, str]]
    """(name, what it does): accept, refuse, ignore, busy, offline."""
    numbers: Sequence[tuple[str, str]]
    """(number, what it does)."""
    page_url: str
    phone: str


@dataclass(frozen=True, slots=True)
class DemoCallback:
    """The callback number of the demo, and who rings it."""

    number: str
    caller: str
    does: Sequence[str]
    """What the caller does when he is called back, step by step."""
    credit: str
    """What he can still pay, for example `0.34 USD`; it falls while he talks."""
    recharge: str
    """What one recharge adds."""


class Desk(Protocol):
    """Everything a web page can ask. Raises nothing of its own: refusals are values."""

    @property
    def demo(self) -> bool:
        """True when the simulated phone and PSTN run."""

    def callnow_page(self, page_id: str) -> CallNowPage | None:
        """The page of one CallNow ID; None for unknown, disabled and not-permitted alike (SPEC H14)."""

    async def open_link(self, page_id: str, token: str, source_ip: str) -> LinkPass | Refused:
        """What a signed link gives on a page, or why it is no good; that is written down where `source_ip` says whose
        doing it was."""

    async def request_call(self, request: VisitorRequest) -> Accepted | Refused:
        """Place one CallNow call; the same caller and number within 30 s is one request (SPEC H10)."""

    def visitor_status(self, token: str) -> VisitorStatus | None:
        """Where the request stands; None for an unknown token."""

    def watch_visitor(self, token: str) -> AsyncIterator[VisitorStatus]:
        """The status now and at each change, ending after a final one; empty for an unknown token."""

    async def cancel_visitor(self, token: str) -> bool:
        """The visitor no longer wants the call; False when it is over or unknown."""

    def callnow_slots(self, page_id: str) -> SlotChoice:
        """When a visitor of a page may be called, other than now."""

    def calls(self) -> Sequence[CallView]:
        """Live and recent calls, newest first."""

    def call(self, call_id: str) -> CallView | None:
        """One call of `calls`."""

    def ladder(self, call_id: str) -> Sequence[LadderRow]:
        """The rows of one call so far."""

    def watch_ladder(self, call_id: str, after: int = -1) -> AsyncIterator[LadderRow]:
        """Rows with n > after, then each new one until the call ends."""

    def watch_calls(self) -> AsyncIterator[Sequence[CallView]]:
        """`calls` now and at each change."""

    def recording(self, call_id: str) -> Path | None:
        """The stereo WAV of an ended call, left the extension, right the PSTN."""

    async def extensions(self) -> Sequence[ExtensionView]:
        """Every extension with registration and balance."""

    def trunk_states(self) -> Sequence[TrunkState]:
        """Every trunk, whether it is registered and there."""

    async def open_admin_link(self, token: str) -> bool:
        """Spend a one-time admin link; False when it was used or never given."""

    def demo_state(self) -> DemoState | None:
        """None outside demo mode."""

    async def demo_set(self, behaviour: str) -> bool:
        """How the simulated phone behaves from now on; False for an unknown behaviour."""

    async def demo_callback(self) -> DemoCallback | None:
        """None outside demo mode."""

    async def demo_ring(self) -> None:
        """Let the caller ring the callback number; the call is the newest one when this returns."""

    async def demo_recharge(self) -> None:
        """Give the caller more credit."""
