"""Every reason by which a request or call ends, and how a real request comes to it (SPEC A12.5); see docs/testing.md.

A row is a page, a callback number or a phone of its own; its Case says which extension, number and visitor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from b2bua.outcome import Outcome
from b2bua.rules.admission import Reason
from b2bua.rules.code_admission import CodeRefusal
from b2bua.rules.numbers import NumberFault

__all__ = [
    "CODE_REFUSALS", "FAULTS", "NEUTRAL", "OUTCOMES", "REASONS", "Asks", "Calls", "Case", "Proves", "Rings", "Told",
    "cases",
]  # fmt: skip

BUSY, RINGING = "486", "180 hold 486"
"""Scripts of phones, see FarEnd."""
WRONG = "200 key:1 key:1 key:1 key:#"


@dataclass(frozen=True)
class Told:
    """What the visitor reads: the HTTP status, and words of the page."""

    status: int
    words: str


NEUTRAL = Told(409, "takes no calls from this page at the moment. Please try again later.")
"""Never why (SPEC H13): of all that are told this, pages and headers must be the same."""
NO_NUMBER = Told(422, "This number cannot be called from here.")
BAD_LINK = Told(403, "This link does not work. Please ask whoever gave it to you for a new one.")
"""Never what was wrong with it: as for NEUTRAL."""
TOO_MANY = Told(429, "There were too many requests. Please try again later.")
NOT_AVAILABLE = Told(303, "Not available right now")
NOT_REACHED = Told(303, "We could not reach you")


@dataclass(frozen=True)
class Asks:
    """A visitor asks on a page: `earlier` requests, each (number, visitor, page), then the one that it is about.

    "" is the number of the row, "b" another of its own; 0 is its visitor; page "other" is one that all rows share.
    """

    told: Told
    page: str = ""
    """More lines of [extension.callnow]."""
    number: str = ""
    visitor: int = 0
    on: str = ""
    name: str = "Mary"
    phone: str = BUSY
    """What the phone of the page does; empty: none is registered."""
    called: str = "603"
    """What the visitor's own phone does."""
    account: str = "client"
    extension: str = ""
    """More lines of [[extension]]."""
    earlier: tuple[tuple[str, int, str], ...] = ()
    before: tuple[str, ...] = ()
    """How those ended, or will when the phone goes on."""
    survives: bool = True
    """Asked again after `kill -9` and a new start, it ends in the same way."""
    later: bool = False
    """The request is made an hour after the earlier ones, by a server that was started again."""
    link: str = ""
    """It comes by a signed link of its page: `forged`, `rotated`, `expired`, `revoked`, `once` (one use), `b` (for that
    number alone); `other`: of the page that all rows share."""
    when: str = ""
    """The time chosen on the page."""
    then: str = ""
    """`miss`: nothing more is asked, the time of the one before passes while no server is there; `cancel`: by the
    visitor, when the phone rings; `hang up`: by his phone, in the talk; `stop`: of the server."""


@dataclass(frozen=True)
class Rings:
    """Somebody rings a callback number: `earlier` times, then the one that it is about."""

    settings: str = ""
    """More lines of [extension.callback]."""
    number: str = ""
    """Who rings; "" is the number of the row."""
    hidden: bool = False
    trunk: str = "R1"
    caller: str | None = 'credit = "5.00"'
    """Lines of his [[caller]]; None: he is not authorised."""
    called: str = BUSY
    """What he does when he is called back."""
    earlier: int = 0
    before: tuple[str, ...] = ()
    hears: tuple[int, ...] = (180, 486)
    """Never why: whoever rings hears the same."""
    called_back: bool = False
    """He is called back, and it ends so."""
    survives: bool = True


@dataclass(frozen=True)
class Calls:
    """Somebody calls the public number of a phone by a trunk."""

    hears: tuple[int, ...]
    trunk: str = "R1"


@dataclass(frozen=True)
class Proves:
    """The API is asked to call the number that an extension wants to show, and to speak a code there."""

    status: int = 202
    number: str = ""
    called: str = BUSY
    earlier: str = ""
    """`call`: it was called with a code; `owner`: he presses 9 when a visitor asks for it; `operator`: he blocks it."""
    before: tuple[str, ...] = ()
    another: bool = False
    """By then the extension wants to show another number."""
    survives: bool = True
    later: bool = False
    """As Asks.later."""


Way = Asks | Rings | Calls | Proves
_TOMORROW = "later_s = 86400"

REASONS: Mapping[Reason, Way] = {
    Reason.UNKNOWN_PAGE: Asks(Told(404, "There is no such page"), on="nobody"),
    Reason.NAME_REQUIRED: Asks(Told(422, "Enter your name."), name="  "),
    Reason.NAME_UNFIT: Asks(
        Told(422, "Use up to 80 letters, digits and punctuation for your name."), name="Mary\r\nVia: x",
    ),
    Reason.PAUSED: Asks(NEUTRAL, "paused = true"),
    Reason.CLOSED: Asks(NEUTRAL, 'interval = "never"'),
    Reason.ON_PHONE: Asks(
        NEUTRAL, phone=RINGING, number="b", earlier=(("", 0, ""),), before=("busy",), survives=False,
    ),
    Reason.OFFLINE: Asks(NEUTRAL, phone=""),
    Reason.NO_ROUTE: Asks(NO_NUMBER, number="0412345678"),
    Reason.NO_RATE: Asks(NO_NUMBER, number="0712345678"),
    Reason.PRICE_TOO_HIGH: Asks(NO_NUMBER, 'highest_price_a_minute = "0.11"'),
    Reason.NUMBER_FORBIDDEN: Asks(NO_NUMBER, 'forbidden = ["55"]'),
    Reason.NUMBER_NOT_ALLOWED: Asks(NO_NUMBER, 'allowed = ["04"]'),
    Reason.REFUSED_BY_RULE: Asks(NEUTRAL, 'rules = [{ do = "refuse", name = "mary" }]'),
    Reason.NUMBER_BLOCKED: Asks(
        NEUTRAL, "confirm = true", phone="200 key:9", visitor=1, earlier=(("", 0, ""),),
        before=("refused-and-blocked",),
    ),
    Reason.OPTED_OUT: Asks(
        NO_NUMBER, "announce_to_visitor = true", phone="200", called="200 key:9", visitor=1, earlier=(("", 0, ""),),
        before=("visitor-opted-out",),
    ),
    Reason.NO_CREDIT: Asks(NEUTRAL, account="poor"),
    Reason.LINK_MONEY_TODAY: Asks(
        NEUTRAL, 'money_a_day = "0.12"\nannounce_to_visitor = true', phone="200", called="200 bye", number="b",
        earlier=(("", 0, ""),), before=("visitor-left",),
    ),
    Reason.LINK_CALLS_TODAY: Asks(
        NEUTRAL, "calls_a_day = 1", number="b", earlier=(("", 0, ""),), before=("busy",),
    ),
    Reason.IP_QUARTER_HOUR: Asks(
        TOO_MANY, number="b", on="other", earlier=(("", 0, ""), ("", 0, "other"), ("b", 0, "")), before=("busy",) * 3,
    ),
    Reason.IP_DAY: Asks(
        TOO_MANY, number="b", on="other", earlier=(("", 0, ""), ("", 0, "other"), ("b", 0, "")), before=("busy",) * 3,
        later=True,
    ),
    Reason.IP_NUMBERS: Asks(TOO_MANY, number="c", earlier=(("", 0, ""), ("b", 0, "")), before=("busy",) * 2),
    Reason.NUMBER_PENDING: Asks(
        TOO_MANY, "reject_while_on_phone = false", phone=RINGING, visitor=1, earlier=(("", 0, ""),), before=("busy",),
        survives=False,
    ),
    Reason.NUMBER_DAY: Asks(TOO_MANY, visitor=2, earlier=(("", 0, ""), ("", 1, "")), before=("busy",) * 2),
    Reason.SIGNED_FORGED: Asks(BAD_LINK, link="forged"),
    Reason.SIGNED_KEY: Asks(BAD_LINK, link="rotated"),
    Reason.SIGNED_OTHER_PAGE: Asks(BAD_LINK, link="other"),
    Reason.SIGNED_EXPIRED: Asks(Told(410, "This link has expired."), link="expired"),
    Reason.SIGNED_REVOKED: Asks(Told(410, "This link has been withdrawn."), link="revoked"),
    Reason.SIGNED_USED_UP: Asks(
        Told(410, "This link has been used already."), number="b", link="once", earlier=(("", 0, ""),),
        before=("busy",),
    ),
    Reason.SIGNED_NUMBER: Asks(Told(422, "This link is for one telephone number, and for no other."), link="b"),
    Reason.SLOT_GONE: Asks(Told(422, "Choose one of the times that are free."), "slot_min = 5", when="1795000000"),
    Reason.LINK_WAITING: Asks(NEUTRAL, "tries = 1\nmost_waiting = 0", phone=""),
    Reason.NUMBER_WAITING: Asks(
        TOO_MANY, f"confirm = true\n{_TOMORROW}", phone="200 key:3", visitor=1, earlier=(("", 0, ""),),
        before=("put-off",),
    ),
    Reason.QUARANTINED: Asks(
        NEUTRAL, "quarantine_after = 1", phone="200", visitor=1, earlier=(("", 0, ""),), before=("visitor-declined",),
    ),
    Reason.MISSED: Asks(
        NOT_AVAILABLE, "confirm = true\nlater_s = 600\ngrace_s = 1", phone="200 key:3", earlier=(("", 0, ""),),
        before=("put-off",), later=True, then="miss",
    ),
}

FAULTS: Mapping[NumberFault, Way] = {
    NumberFault.EMPTY: Asks(Told(422, "Enter your telephone number."), number=" "),
    NumberFault.CHARACTERS: Asks(Told(422, "A telephone number has digits only."), number="555abc"),
    NumberFault.INTERNAL: Asks(Told(422, "This is an internal number."), number="001*000"),
    NumberFault.EMERGENCY: Asks(
        Told(422, "Emergency numbers cannot be called from here."), number="911", account="world",
    ),
    NumberFault.PREMIUM: Asks(
        Told(422, "Premium-rate numbers cannot be called from here."), number="1-900-555-1234", account="world",
    ),
    NumberFault.SHORT_CODE: Asks(
        Told(422, "Short numbers cannot be called from here."), number="411", account="world",
    ),
    NumberFault.REFUSED: Asks(NO_NUMBER, number="1900555123"),
    NumberFault.TOO_SHORT: Asks(Told(422, "This number is too short. Enter it with its area code."), number="12345"),
    NumberFault.TOO_LONG: Asks(Told(422, "This number is too long."), number="5" * 41),
    NumberFault.IMPOSSIBLE: Asks(
        Told(422, "This is not a telephone number of the chosen country."), number="+999123456789", account="world",
    ),
}

CODE_REFUSALS: Mapping[CodeRefusal, Way] = {
    CodeRefusal.NUMBER_BLOCKED: Proves(422, earlier="owner", before=("refused-and-blocked",)),
    CodeRefusal.OPTED_OUT: Proves(422, earlier="operator"),
    CodeRefusal.NO_ROUTE: Proves(422, number="0412345677"),
    CodeRefusal.NO_RATE: Proves(422, number="0712345677"),
    CodeRefusal.NUMBER_PENDING: Proves(409, called=RINGING, earlier="call", before=("busy",), survives=False),
    CodeRefusal.NUMBER_DAY: Proves(409, earlier="call", before=("busy",)),
    CodeRefusal.ACCOUNT_HOUR: Proves(409, earlier="call", before=("busy",), another=True),
    CodeRefusal.ACCOUNT_DAY: Proves(409, earlier="call", before=("busy",), another=True, later=True),
}

_UNLISTED = 'return_to = "caller"\npassword = "4321"'

OUTCOMES: Mapping[Outcome, Way] = {
    Outcome.TALKED: Asks(Told(303, "You talked for"), phone="200", called="200 hold bye", then="hang up"),
    Outcome.CREDIT_SPENT: Asks(Told(303, "You talked for"), "longest_call_s = 1", phone="200", called="200"),
    Outcome.REFUSED: Asks(NOT_AVAILABLE, "confirm = true", phone="200 key:2"),
    Outcome.BLOCKED: Asks(NOT_AVAILABLE, "confirm = true", phone="200 key:9"),
    Outcome.OPTED_OUT: Asks(NOT_REACHED, "announce_to_visitor = true", phone="200", called="200 key:9"),
    Outcome.PUT_OFF: Asks(Told(303, "We will call"), f"confirm = true\n{_TOMORROW}", phone="200 key:3"),
    Outcome.NOT_CONFIRMED: Asks(NOT_AVAILABLE, "confirm = true", phone="200" + " key:5" * 6),
    Outcome.OFFLINE: Calls((480,)),
    Outcome.BUSY: Asks(NOT_AVAILABLE, phone="180 486"),
    Outcome.DECLINED: Asks(NOT_AVAILABLE, phone="180 603"),
    Outcome.NO_ANSWER: Asks(NOT_AVAILABLE, phone="180", extension="ring_s = 1"),
    Outcome.FAILED: Asks(NOT_AVAILABLE, phone="404"),
    Outcome.PHONE_LEFT: Asks(NOT_AVAILABLE, "confirm = true", phone="200 bye"),
    Outcome.VISITOR_BUSY: Asks(NOT_REACHED, phone="200", called="180 486"),
    Outcome.VISITOR_DECLINED: Asks(NOT_REACHED, phone="200", called="603"),
    Outcome.VISITOR_NO_ANSWER: Asks(NOT_REACHED, phone="200", called="180 480"),
    Outcome.VISITOR_FAILED: Asks(NOT_REACHED, phone="200", called="404"),
    Outcome.VISITOR_LEFT: Asks(NOT_REACHED, "announce_to_visitor = true", phone="200", called="200 bye"),
    Outcome.NO_CREDIT: Rings(caller='credit = "0.00"'),
    Outcome.NO_RATE: Rings(number="0711111111"),
    Outcome.NO_ROUTE: Rings(number="0411111111"),
    Outcome.NOT_ALLOWED: Rings(f'{_UNLISTED}\nforbidden = ["55"]'),
    Outcome.CANCELLED: Asks(Told(303, "You cancelled the call"), phone=RINGING, then="cancel"),
    Outcome.MEDIA_LOST: Asks(Told(303, "You talked for"), phone="200", called="200"),
    Outcome.CONGESTED: Rings(
        "trigger_s = 5", trunk="narrow", earlier=1, before=("busy",), hears=(503,), survives=False,
    ),
    Outcome.SHUT_DOWN: Asks(NOT_AVAILABLE, phone=RINGING, then="stop"),
    Outcome.SERVER_ERROR: Asks(NOT_AVAILABLE),
    Outcome.CODE_SPOKEN: Proves(called="200 hold bye"),
    Outcome.CODE_UNHEARD: Proves(called="200 bye"),
    Outcome.CODE_UNWANTED: Proves(called="200 key:9"),
    Outcome.CALLER_LEFT: Rings(called="200 bye", called_back=True),
    Outcome.WRONG_SECRET: Rings('password = "4321"\ntries = 1', called=WRONG, called_back=True),
    Outcome.NOTHING_DIALLED: Rings(called="200" + " key:#" * 3, called_back=True),
    Outcome.NOT_CONFIGURED: Rings("enabled = false"),
    Outcome.HIDDEN_CALLER: Rings(hidden=True),
    Outcome.UNTRUSTED_CALLER: Rings(trunk="stranger"),
    Outcome.UNKNOWN_CALLER: Rings(caller=None),
    Outcome.CALLER_DISABLED: Rings(caller='credit = "5.00"\nenabled = false'),
    Outcome.ALREADY_PENDING: Rings(called=RINGING, earlier=1, before=("busy",), survives=False),
    Outcome.LOCKED: Rings(
        'password = "4321"\nlock_after = 1', called=WRONG, earlier=1, before=("wrong-secret",),
    ),
    Outcome.NUMBER_TODAY: Rings("calls_a_number_a_day = 1", earlier=1, before=("busy",)),
    Outcome.MONEY_TODAY: Rings('money_a_day = "0.12"', called="200 bye", earlier=1, before=("caller-left",)),
    Outcome.PRICE_TOO_HIGH: Rings(f'{_UNLISTED}\nhighest_price_a_minute = "0.11"'),
    Outcome.NOT_PROVEN: Calls((428,), trunk="signed"),
}


@dataclass(frozen=True)
class Case:
    """One row, and what is its own."""

    index: int
    reason: str
    id: str
    way: Way

    @property
    def extension(self) -> str:
        return f"001*{100 + self.index}"

    @property
    def dialled(self) -> str:
        """The public number of its extension."""
        return f"666{self.index:07}"

    @property
    def page(self) -> str:
        return f"page-{self.index}"

    @property
    def numbers(self) -> tuple[str, ...]:
        """That no other row has: its own, and the one that it is about."""
        return tuple({self.number(): 0, self.number("b"): 0, self.number("c"): 0, self.asked: 0})

    @property
    def asked(self) -> str:
        """The number that it is about: to be called, or who rings."""
        if isinstance(self.way, Proves) and self.way.another:
            return self.number("b")
        return self.number("" if isinstance(self.way, Calls) else self.way.number)

    @property
    def searched(self) -> str:
        """By what its record is found: its number, else its extension."""
        hidden = isinstance(self.way, Rings) and self.way.hidden
        return self.asked if re.fullmatch("[0-9]{3,40}", self.asked) and not hidden else self.extension

    @property
    def refused(self) -> bool:
        """Nobody is called for the request that it is about."""
        if isinstance(self.way, Asks):
            return self.way.told.status != 303
        if isinstance(self.way, Proves):
            return self.way.status != 202
        return not isinstance(self.way, Rings) or not self.way.called_back

    @property
    def now(self) -> bool:
        """It is about the running server alone."""
        return not self.later and not (isinstance(self.way, Asks) and self.way.then == "stop")

    @property
    def later(self) -> bool:
        return isinstance(self.way, Asks | Proves) and self.way.later

    @property
    def survives(self) -> bool:
        return self.now and self.refused and not isinstance(self.way, Calls) and self.way.survives

    def number(self, which: str = "") -> str:
        """`which` as Asks.number has it."""
        own = {"": "5551", "b": "5552", "c": "5553"}
        return f"{own[which]}{self.index:06}" if which in own else which

    def visitor(self, which: int) -> str:
        """An address that no other row asks from."""
        return f"127.0.{2 + which}.{1 + self.index}"


def cases() -> list[Case]:
    """All rows."""
    rows = [(reason, way) for table in (REASONS, FAULTS, CODE_REFUSALS, OUTCOMES) for reason, way in table.items()]
    return [
        Case(index, str(reason), f"{type(reason).__name__}.{reason.name}", way)
        for index, (reason, way) in enumerate(rows)
    ]
