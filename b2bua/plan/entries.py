"""What the file of `ringback apply` may say; b2bua.plan.reader reads it.

    [server]      realm caller_quota edge_proxies service_route time_zone (its other keys: b2bua.config)
    [[account]]   name currency plan credit credit_limit call_api parent rate_table charging_plan
                  caller_quota
                  dial_plan = {mode, country, strip, refused, min_digits}
    [[extension]] number account kind name password public_number ring_s confirm_s redirects transfer
                  caller_id = {name_by, name, number_by, number, approved, numbers, default, identity_headers,
                  anonymous}
    [extension.callnow]  enabled id paused reject_while_on_phone confirm show_name ask_name image_validation language
                  message announce_to_visitor calls_a_day longest_call_s money_a_day highest_price_a_minute allowed
                  forbidden interval rules = [{do, number, prefix, name, no_name}]
                  later_s slot_min slot_days most_waiting grace_s tries try_after_s quarantine_after quarantine_s
    [extension.callback]  what store.values.CallbackSettings has, with `password` for its hash
    [[caller]]    extension number pin enabled credit order_number language
    [[trunk]]     what store.values.Trunk has
    [[did]]       number extension account trunk
    [[route]]     prefix trunk priority weight interval
    [[charging_plan]]  what store.values.ChargingPlan has
    [[rate]]      table prefix description connection_fee first_interval_s first_cost increment_s increment_cost
                  minimum maximum interval valid_from valid_until
    [[interval]]  name account zone algorithm without limits = [{hours, weekdays, days, month}]

Money is written as text, "0.12", because 0.12 is no exact binary number. A kind of table that the file does not mention
at all is left alone; of a kind that it mentions, what is not in the file is removed (of rates: in the tables that it
names, as others come from files of their own).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from b2bua.plan.toml_lines import Path, line_of
from store.values import (
    AcceptRule,
    CallerHeader,
    CallerId,
    DialPlan,
    ExtensionKind,
    NumberFormat,
    Period,
    Redirects,
    TrunkTransport,
)

__all__ = [
    "AccountEntry", "BadPlan", "CallNowEntry", "CallbackEntry", "CallerEntry", "ChargingPlanEntry", "DidEntry",
    "ExtensionEntry", "Fault", "IntervalEntry", "Kept", "LimitEntry", "Money", "Plan", "RateEntry", "RouteEntry",
    "TrunkEntry", "field_of",
]  # fmt: skip

Seconds = Annotated[int, Meta(ge=1, le=86400)]
SessionSeconds = Annotated[int, Meta(ge=0, le=86400)]
Interval = Annotated[int, Meta(ge=1, le=86400)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
AtLeastOne = Annotated[int, Meta(ge=1, le=1_000_000)]
Priority = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
Tries = Annotated[int, Meta(ge=1, le=100)]


class Money(int):
    """Micros, written in the file as text."""


class Kept(str):
    """A secret in the form in which it is kept already: a hash, or digests."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class AccountEntry:
    name: str
    currency: str = "USD"
    plan: Literal["prepaid", "postpaid"] = "prepaid"
    credit: Money | None = None
    """Opening balance, posted once."""
    credit_limit: Money | None = None
    call_api: bool = True
    parent: str = ""
    dial_plan: DialPlan = field(default_factory=DialPlan)
    rate_table: str = "default"
    charging_plan: str = ""
    caller_quota: Count | None = None


@dataclass(frozen=True, kw_only=True)
class CallNowEntry:
    enabled: bool = True
    id: str = ""
    paused: bool = False
    reject_while_on_phone: bool = True
    confirm: bool = True
    show_name: bool = True
    ask_name: bool = True
    image_validation: bool = True
    language: str = "en"
    message: str = ""
    announce_to_visitor: bool = True
    calls_a_day: Count = 100
    longest_call_s: Seconds = 3600
    money_a_day: Money | None = None
    highest_price_a_minute: Money | None = None
    allowed: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    rules: tuple[AcceptRule, ...] = ()
    interval: str = ""
    later_s: Seconds = 900
    slot_min: Annotated[int, Meta(ge=0, le=720)] = 0
    slot_days: Annotated[int, Meta(ge=0, le=31)] = 7
    most_waiting: Annotated[int, Meta(ge=0, le=1000)] = 20
    grace_s: Seconds = 900
    tries: Annotated[int, Meta(ge=0, le=100)] = 0
    try_after_s: Seconds = 600
    quarantine_after: Annotated[int, Meta(ge=0, le=100)] = 0
    quarantine_s: Annotated[int, Meta(ge=1, le=31 * 86400)] = 86400


@dataclass(frozen=True, kw_only=True)
class CallbackEntry:
    enabled: bool = True
    trigger_s: Annotated[int, Meta(ge=1, le=180)] = 5
    final_status: Literal[480, 486, 603] = 486
    missed_call_s: Annotated[int, Meta(ge=0, le=180)] | None = None
    return_to: Literal["authorised", "caller", "fixed"] = "authorised"
    fixed_number: str = ""
    dial_s: Seconds = 10
    digit_s: Seconds = 4
    password: str = field(default="", repr=False)
    ask_pin: bool = False
    credit_enquiry: bool = False
    speak_number: bool = False
    pay_call_back: Literal["no", "answer", "both"] = "answer"
    least_credit: Money = field(default_factory=Money)
    language: str = "en"
    greeting_sound: str = ""
    cut_sound: str = ""
    no_credit_sound: str = ""
    quota: Count | None = None
    calls_a_number_a_day: Count = 10
    longest_call_s: Seconds = 7200
    money_a_day: Money | None = None
    highest_price_a_minute: Money | None = None
    allowed: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    tries: Tries = 3
    lock_after: Tries = 5
    lock_s: Seconds = 3600


@dataclass(frozen=True, kw_only=True)
class ExtensionEntry:
    number: str
    account: str
    kind: ExtensionKind = "phone"
    name: str = ""
    password: str = field(default="", repr=False)
    public_number: str = ""
    ring_s: Seconds = 30
    confirm_s: Seconds = 10
    redirects: Redirects = "refuse"
    prack: bool = False
    session_expires_s: SessionSeconds = 1800
    min_se_s: Annotated[int, Meta(ge=90, le=86400)] = 90
    caller_id: CallerId = field(default_factory=CallerId)
    callnow: CallNowEntry | None = None
    callback: CallbackEntry | None = None
    transfer: bool = True


@dataclass(frozen=True, kw_only=True)
class CallerEntry:
    extension: str
    number: str
    pin: str = field(default="", repr=False)
    enabled: bool = True
    credit: str = "0.00"
    """Opening credit, posted once; or `unlimited`."""
    order_number: str = ""
    language: str = ""


@dataclass(frozen=True, kw_only=True)
class TrunkEntry:
    name: str
    host: str
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    transport: TrunkTransport = ""
    stay_on_udp: bool = False
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    trusted: bool = False
    sources: tuple[str, ...] = ()
    number_format: NumberFormat = "+e164"
    country: str = "US"
    codecs: tuple[Literal["PCMU", "PCMA"], ...] = ("PCMU", "PCMA")
    ring_s: Seconds = 60
    media: Literal["relay", "direct"] = "relay"
    pai: Literal["number", "extension"] = "number"
    proxy: str = ""
    register: bool = False
    register_expires_s: Annotated[int, Meta(ge=60, le=86400)] = 3600
    qualify_s: Annotated[int, Meta(ge=0, le=86400)] = 0
    down_after: Tries = 3
    up_after: Tries = 2
    connect_s: Annotated[int, Meta(ge=1, le=32)] = 5
    out_strip: str = ""
    out_prefix: str = ""
    in_strip: str = ""
    in_prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    send_caller: CallerHeader = "from"
    read_caller: CallerHeader = "pai"
    channels: AtLeastOne | None = None
    calls_per_s: AtLeastOne | None = None
    rate_table: str = ""
    failover: tuple[Annotated[int, Meta(ge=400, le=699)], ...] = ()
    prack: bool = False
    session_expires_s: SessionSeconds = 1800
    min_se_s: Annotated[int, Meta(ge=90, le=86400)] = 90
    sign: bool = True
    verify: Literal["off", "note", "require"] = "note"


@dataclass(frozen=True, kw_only=True)
class DidEntry:
    number: str
    extension: str = ""
    """Rung by it; empty: nobody is."""
    account: str = ""
    """Empty: the extension's."""
    trunk: str = ""


@dataclass(frozen=True, kw_only=True)
class RouteEntry:
    trunk: str
    prefix: str = ""
    priority: Priority = 0
    weight: Count = 0
    interval: str = ""


@dataclass(frozen=True, kw_only=True)
class ChargingPlanEntry:
    name: str
    method: Literal["fixed", "relative"] = "fixed"
    rate_table: str = "default"
    factor: str = "1"
    adjustment: Money = field(default_factory=Money)
    free_minutes: Count = 0
    free_prefixes: tuple[str, ...] = ()
    free_period: Period = "month"
    zone: str = ""
    monthly_fee: Money = field(default_factory=Money)


@dataclass(frozen=True, kw_only=True)
class LimitEntry:
    """One line of an interval (SPEC 68)."""

    hours: str = "00:00-24:00"
    weekdays: str = ""
    days: str = ""
    month: Annotated[int, Meta(ge=1, le=12)] | None = None


@dataclass(frozen=True, kw_only=True)
class IntervalEntry:
    name: str
    account: str = ""
    zone: str = ""
    algorithm: Literal["days", "interval"] = "days"
    limits: tuple[LimitEntry, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RateEntry:
    table: str = "default"
    prefix: str = ""
    description: str = ""
    connection_fee: Money = field(default_factory=Money)
    first_interval_s: Annotated[int, Meta(ge=0, le=86400)] = 60
    first_cost: Money = field(default_factory=Money)
    increment_s: Interval = 60
    increment_cost: Money = field(default_factory=Money)
    minimum: Money = field(default_factory=Money)
    maximum: Money | None = None
    interval: str = ""
    valid_from: str = ""
    valid_until: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong, its line, and where it stands."""

    line: int
    sentence: str
    path: Path = ()


def field_of(path: Path) -> str:
    """A path as people write it: `extension[0].callnow.id`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


class BadPlan(Exception):
    """The file cannot be applied; nothing was. `str()` is one `file:LINE: sentence` a line."""

    def __init__(self, filename: str, faults: Sequence[Fault]) -> None:
        self.faults = sorted(faults, key=lambda fault: fault.line)
        super().__init__("\n".join(f"{filename}:{fault.line}: {fault.sentence}" for fault in self.faults))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The checked file; None stands for a kind of table that it does not mention."""

    filename: str
    lines: dict[Path, int]
    whole: bool = True
    """What a mentioned kind has beside these entries is removed; else it stays."""
    realm: str | None = None
    caller_quota: int | None = None
    edge_proxies: str | None = None
    service_route: str | None = None
    time_zone: str | None = None
    account: tuple[AccountEntry, ...] | None = None
    extension: tuple[ExtensionEntry, ...] | None = None
    caller: tuple[CallerEntry, ...] | None = None
    trunk: tuple[TrunkEntry, ...] | None = None
    did: tuple[DidEntry, ...] | None = None
    route: tuple[RouteEntry, ...] | None = None
    rate: tuple[RateEntry, ...] | None = None
    charging_plan: tuple[ChargingPlanEntry, ...] | None = None
    interval: tuple[IntervalEntry, ...] | None = None

    def fault(self, sentence: str, *path: str | int) -> Fault:
        """A fault at the line of this table or key."""
        return Fault(line_of(self.lines, path), sentence, path)
