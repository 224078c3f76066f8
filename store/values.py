"""The vocabulary of kept things: frozen values, read from the database as one snapshot (see store.directory)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NewType

__all__ = [
    "UNIT", "AcceptRule", "Account", "AuthorisedCaller", "CallNowSettings", "CallbackSettings", "CallerHeader",
    "CallerId", "ChargingPlan", "Did", "DialPlan", "Extension", "Limit", "Micros", "Period", "Rate", "Redirects",
    "Route", "TimeInterval", "Trunk",
]

Micros = NewType("Micros", int)
"""Money in millionths of the currency's unit: 0.12 USD is 120_000."""

UNIT = 1_000_000
"""Micros in one unit of money; factors are counted in millionths too."""

ExtensionKind = Literal["phone", "callback", "fax", "conference", "queue"]
Redirects = Literal["refuse", "extensions", "numbers"]
NumberFormat = Literal["+e164", "e164", "national", "as-is"]
CallerHeader = Literal["from", "pai", "rpid", "charge"]
"""From, P-Asserted-Identity, Remote-Party-ID, P-Charge-Info."""


@dataclass(frozen=True, slots=True)
class DialPlan:
    """How a typed number becomes the number that rates and trunks see (SPEC H17)."""

    mode: Literal["e164", "as-dialled"] = "e164"
    country: str = "US"
    """Region (ISO 3166) of a number typed without its country code."""
    strip: tuple[str, ...] = ()
    """`as-dialled`: prefixes removed where at least 10 digits stay, for example `+1`."""
    refused: tuple[str, ...] = ()
    """Numbers refused when they begin so, `+40` in E.164, or else: `as-dialled` the digits, `112`, `1900`, `e164` the
    national digits of `country`, `809`."""
    min_digits: int = 6
    premium: tuple[str, ...] = ()
    """Of the premium-rate numbers those that phones of the account may call, written as `refused` is."""


@dataclass(frozen=True, slots=True)
class Account:
    """A client: who pays (SPEC H19)."""

    id: int
    name: str
    currency: str = "USD"
    plan: Literal["prepaid", "postpaid"] = "prepaid"
    call_api: bool = True
    """CallAPI access, already and-ed with every account above (SPEC 2)."""
    dial_plan: DialPlan = field(default_factory=DialPlan)
    rate_table: str = "default"
    credit_limit: Micros | None = None
    """`postpaid`: how far below zero it may go; None: no limit."""
    parent_id: int | None = None
    caller_quota: int | None = None
    """Most active authorised CallerIDs of all its extensions (SPEC 55); None: no limit of its own."""
    charging_plan: str = ""
    """Empty: the prices of `rate_table` as they are."""


Period = Literal["day", "week", "month"]


@dataclass(frozen=True, slots=True)
class ChargingPlan:
    """How accounts pay (SPEC 71): by the prices of a table, or relative to what the trunk costs us."""

    name: str = ""
    method: Literal["fixed", "relative"] = "fixed"
    rate_table: str = "default"
    """`fixed`: the prices."""
    factor: int = UNIT
    """`relative`, in millionths: so many times the buy rate of the trunk,"""
    adjustment: Micros = Micros(0)
    """and this on each call."""
    free_minutes: int = 0
    """Of each account in each period, before anything else is paid."""
    free_prefixes: tuple[str, ...] = ()
    """The numbers for which they count; empty: all."""
    free_period: Period = "month"
    zone: str = "UTC"
    """Whose midnight begins a period."""
    monthly_fee: Micros = Micros(0)
    """Of postpaid accounts."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One line of a time interval (SPEC 68); None says nothing about weekday, day or month."""

    start_min: int = 0
    """Minute of the day, 480 for 8:00."""
    end_min: int = 24 * 60
    start_weekday: int | None = None
    """0 Monday to 6 Sunday; weekdays, and days, come in pairs."""
    end_weekday: int | None = None
    start_day: int | None = None
    """Day of the month, 1 to 31."""
    end_day: int | None = None
    month: int | None = None


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """A named interval: open while any of its limits is, and none of the intervals it leaves out (holidays) is."""

    name: str
    zone: str
    algorithm: Literal["days", "interval"] = "days"
    limits: tuple[Limit, ...] = ()
    without: tuple[TimeInterval, ...] = ()


@dataclass(frozen=True, slots=True)
class CallerId:
    """CallerID name and number in public calls, chosen independently (SPEC 38-40)."""

    name_by: Literal["server", "user", "equipment"] = "server"
    name: str = ""
    number_by: Literal["server", "user", "equipment"] = "server"
    number: str = ""
    approved: bool = False
    """The number by user is proven to be theirs: only then is it shown."""
    numbers: tuple[str, ...] = ()
    """Numbers of the account associated with the extension: those of the routing trunk are shown (SPEC 42-48)."""
    default: str = ""
    """Of `numbers`, the one shown where the routing trunk has none of them (SPEC 44, 49, H6)."""
    identity_headers: bool = False
    """P-Asserted-Identity and P-Preferred-Identity on external calls (SPEC 51)."""
    anonymous: bool = False
    """Do not send CallerID on public calls (SPEC 50)."""


@dataclass(frozen=True, slots=True)
class AcceptRule:
    """What becomes of requests whose number or name is like this; each condition given must hold (SPEC 14)."""

    do: Literal["accept", "confirm", "refuse"]
    number: str = ""
    """This very number, as the dial plan keeps it."""
    prefix: str = ""
    """Numbers that begin so."""
    name: str = ""
    """This name, in capitals or not."""
    no_name: bool = False
    """No name was given."""


@dataclass(frozen=True, slots=True)
class CallNowSettings:
    """The CallNow preferences of one extension (SPEC 3-4, 16-23)."""

    enabled: bool = False
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
    """The called visitor hears "this is the call you asked for" before the bridge."""
    calls_a_day: int = 100
    longest_call_s: int = 3600
    money_a_day: Micros | None = None
    """The spend firewall of this link (SPEC A12.2); None: only the account's credit ends it."""
    highest_price_a_minute: Micros | None = None
    allowed: tuple[str, ...] = ()
    """Prefixes of numbers that may be called; empty: every number that has a rate."""
    forbidden: tuple[str, ...] = ()
    """Prefixes never called, whatever is allowed."""
    rules: tuple[AcceptRule, ...] = ()
    """The first that fits decides; none: `confirm` does."""
    interval: str = ""
    """When calls may be asked for, by name (SPEC 16); empty: anytime."""
    later_s: int = 900
    """How long after key 3 it is called again (SPEC H11)."""
    slot_min: int = 0
    """Visitors may choose a time, every so many minutes (SPEC A12.8); 0: they may not."""
    slot_days: int = 7
    """How many days after today have such times."""
    most_waiting: int = 20
    """Requests that wait for their time at once; more are not taken."""
    grace_s: int = 900
    """How late one may still be called whose time came while the server was down, or the owner on the phone."""
    tries: int = 0
    """How often more a request is tried whose owner was not reached,"""
    try_after_s: int = 600
    """and how long after."""
    quarantine_after: int = 0
    """So many calls in a row that a visitor did not answer, and the number is not called; 0: it always is."""
    quarantine_s: int = 86400
    """How long then."""


@dataclass(frozen=True, slots=True)
class CallbackSettings:
    """The preferences of one callback number (SPEC 25-37, 53-64)."""

    enabled: bool = False
    trigger_s: int = 5
    """How long a trigger rings before it is refused (SPEC 27)."""
    final_status: Literal[480, 486, 603] = 486
    missed_call_s: int | None = None
    """Call back too when the caller hangs up after so many seconds (SPEC H1); None: not then."""
    return_to: Literal["authorised", "caller", "fixed"] = "authorised"
    """Who is called back (SPEC 28 a, b, c)."""
    fixed_number: str = ""
    dial_s: int = 10
    """How long we wait for the first digit of a number (SPEC 33)."""
    digit_s: int = 4
    """How long we wait for the next digit (SPEC H16)."""
    password_hash: str = field(default="", repr=False)
    ask_pin: bool = False
    credit_enquiry: bool = False
    speak_number: bool = False
    pay_call_back: Literal["no", "answer", "both"] = "answer"
    """The leg back to the caller is charged: never, from its answer, only if both legs were answered (SPEC H5)."""
    least_credit: Micros = Micros(0)
    """No call back with less (SPEC 64)."""
    language: str = "en"
    greeting_sound: str = ""
    cut_sound: str = ""
    no_credit_sound: str = ""
    """Sounds by path (SPEC 66); empty: our own clip."""
    quota: int | None = None
    """Most active authorised CallerIDs (SPEC 55); None: no limit of its own."""
    calls_a_number_a_day: int = 10
    longest_call_s: int = 7200
    money_a_day: Micros | None = None
    highest_price_a_minute: Micros | None = None
    allowed: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    tries: int = 3
    """Wrong passwords or PINs that end the call (SPEC H12)."""
    lock_after: int = 5
    """Failures within `lock_s` that lock the number's triggers for `lock_s`."""
    lock_s: int = 3600


@dataclass(frozen=True, slots=True)
class Extension:
    """One internal number, for example `001*002`."""

    id: int
    number: str
    account_id: int
    kind: ExtensionKind = "phone"
    name: str = ""
    """Contact name, for example `John Doe`."""
    public_number: str = ""
    ha1_md5: str = ""
    ha1_sha256: str = ""
    """Digest secrets H(user:realm:password), hex; the password itself is never kept."""
    ring_s: int = 30
    confirm_s: int = 10
    """How long one asking of the confirmation waits for a key."""
    callnow: CallNowSettings = field(default_factory=CallNowSettings)
    redirects: Redirects = "refuse"
    """What a phone that answers by 3xx may lead to: nothing, extensions, or public numbers too, which it pays."""
    caller_id: CallerId = field(default_factory=CallerId)
    callback: CallbackSettings = field(default_factory=CallbackSettings)
    prack: bool = False
    session_expires_s: int = 1800
    min_se_s: int = 90
    """As for a trunk, towards its phones."""
    transfer: bool = True
    """Its phones may transfer, and take over, calls."""


@dataclass(frozen=True, slots=True)
class AuthorisedCaller:
    """A number that a callback extension calls back, with a wallet of its own (SPEC 53-60)."""

    id: int
    extension_id: int
    account_id: int
    """Its wallet: an account of kind `caller`."""
    number: str
    enabled: bool = True
    pin_hash: str = field(default="", repr=False)
    """Empty: it is not asked for a PIN (SPEC 35)."""
    language: str = ""
    """Empty: the extension's."""
    created: float = 0.0


TrunkTransport = Literal["", "udp", "tcp", "tls", "sips"]


@dataclass(frozen=True, slots=True)
class Trunk:
    """A SIP trunk, the manual's channel or resource."""

    id: int
    name: str
    host: str
    port: int = 0
    """0: as NAPTR and SRV records say (RFC 3263), 5060 for an address, 5061 over TLS."""
    user: str = ""
    password: str = field(default="", repr=False)
    trusted: bool = False
    """Its P-Asserted-Identity is believed (SPEC H18)."""
    sources: tuple[str, ...] = ()
    """Where its calls come from: networks (CIDR, any port) or `address:port`; its own host, any port, when empty."""
    number_format: NumberFormat = "+e164"
    country: str = "US"
    """Region of the numbers that a `national` trunk sends and takes."""
    codecs: tuple[Literal["PCMU", "PCMA"], ...] = ("PCMU", "PCMA")
    ring_s: int = 60
    media: Literal["relay", "direct"] = "relay"
    pai: Literal["number", "extension"] = "number"
    """Who P-Asserted-Identity names: the number shown, or the extension (SPEC 51)."""
    proxy: str = ""
    """Outbound proxy, `HOST` or `HOST:PORT`: everything for the trunk goes there, with a Route for it."""
    register: bool = False
    """We REGISTER there as `user`, and its calls find us by that."""
    register_expires_s: int = 3600
    qualify_s: int = 0
    """How often it is asked by OPTIONS whether it is there; 0: never."""
    down_after: int = 3
    """Losses in a row after which it is tried last."""
    up_after: int = 2
    """Answers in a row after which it is tried in its turn again."""
    connect_s: int = 5
    """How long one of its servers may be silent where there is another to try."""
    out_strip: str = ""
    out_prefix: str = ""
    """What begins a called number in the trunk's format, and what begins it instead."""
    in_strip: str = ""
    in_prefix: str = ""
    """The same for numbers that come from it, before their format is read."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """More header fields of every INVITE to it."""
    send_caller: CallerHeader = "from"
    """Which header carries the number shown, beside From."""
    read_caller: CallerHeader = "pai"
    """Which header of a trusted trunk says who calls, before From."""
    channels: int | None = None
    """Most calls at once, both directions together."""
    calls_per_s: int | None = None
    transport: TrunkTransport = ""
    """Empty: as NAPTR records say, UDP without; `sips`: TLS, and the URIs that we write say so."""
    stay_on_udp: bool = False
    """What is too big for UDP (RFC 3261 18.1.1) goes by UDP even so."""
    tls_ca: str = ""
    """PEM file with who vouches for the trunk's certificate; those of the system where empty."""
    tls_certificate: str = ""
    tls_key: str = ""
    """PEM files: our certificate towards the trunk, where it wants one."""
    tls_client: str = ""
    """The name in the certificate that its calls must come with; they need none where empty."""
    rate_table: str = ""
    """What its calls cost us; empty: that is not known."""
    failover: tuple[int, ...] = ()
    """Statuses, beside 408 and 5xx, after which the next trunk is tried."""
    prack: bool = False
    """Provisional answers are acknowledged (RFC 3262) where the trunk knows that."""
    session_expires_s: int = 1800
    """The session interval asked for (RFC 4028); 0: no session timers."""
    min_se_s: int = 90
    """The shortest that is agreed to."""
    sign: bool = True
    """Its calls are signed (STIR), where the server has a certificate."""
    verify: Literal["off", "note", "require"] = "note"
    """What becomes of signatures of calls from it: nothing; noted; or a call without a good one is refused."""


@dataclass(frozen=True, slots=True)
class Did:
    """A public number of an account: it arrives on a trunk, and may ring an extension."""

    number: str
    account_id: int
    extension_id: int | None = None
    """None: it rings nobody, but may be shown (SPEC 43)."""
    trunk_id: int | None = None
    """None: it arrives on, and may be shown by, every trunk."""


@dataclass(frozen=True, slots=True)
class Route:
    """Numbers that begin with `prefix` leave by `trunk_id`; the longest prefix wins, then the lowest priority.

    Among routes of one prefix and priority `weight` is the share of calls; without weights the cheapest comes first.
    """

    prefix: str
    trunk_id: int
    priority: int = 0
    weight: int = 0
    interval: str = ""
    """When it counts; empty: always."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a call costs (SPEC 72, 74, 75): fee, then the first interval whole, then every increment begun."""

    prefix: str = ""
    description: str = ""
    connection_fee: Micros = Micros(0)
    first_interval_s: int = 60
    first_cost: Micros = Micros(0)
    increment_s: int = 60
    increment_cost: Micros = Micros(0)
    minimum: Micros = Micros(0)
    maximum: Micros | None = None
    interval: str = ""
    """The time interval in which it counts; empty: always."""
    valid_from: float = 0.0
    """Unix time; the newest that has come counts."""
    valid_until: float | None = None
    free_s: int = 0
    """Of a call that has free minutes set aside: so many seconds come before all that is paid."""
