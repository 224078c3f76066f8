"""Session timers (RFC 4028): a call whose far end says nothing any more ends."""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from sip_stack.errors import BadMessage, PeerError
from sip_stack.message import Message, Request, Response
from sip_stack.options import InviteOptions
from sip_stack.timers import Timed
from sip_stack.transaction import Shell

__all__ = [
    "SessionTimer", "Terms", "Timing", "accepted_terms", "agree", "headers_of_answer", "headers_of_request", "min_se",
]  # fmt: skip

SHORTEST_S = 90
"""5: no Min-SE is below."""
_MARGIN_S = 32.0
_TICK_S = 32.0
"""A timer sleeps no longer than this at once, so that one whose call is over is soon forgotten by the wheel."""
_TIMER_FIELDS = frozenset({"Session-Expires", "Supported", "Require"})
"""Who says nothing in any of these has no session timer."""
_EXPIRES = re.compile(r"([0-9]{1,9})\s*+((?:;.*)?)", re.DOTALL)
_REFRESHER = re.compile(r";\s*refresher\s*=\s*(uac|uas)\s*(?:;|$)", re.IGNORECASE)


class Terms(NamedTuple):
    """What both sides agreed."""

    interval_s: int
    refresher: str
    """`uac` or `uas`, of the request that they were agreed by."""


def read_expires(message: Message) -> tuple[int, str] | None:
    """Interval and refresher (empty: not said) of Session-Expires; None without one.  Raises: BadMessage."""
    text = message.get("Session-Expires")
    if text is None:
        return None
    match = _EXPIRES.fullmatch(text)
    if match is None:
        raise BadMessage("Session-Expires cannot be read")
    refresher = _REFRESHER.search(match[2])
    return int(match[1]), refresher[1].lower() if refresher else ""


def min_se(message: Message) -> int:
    """Min-SE; its default where it is missing or cannot be read."""
    text = (message.get("Min-SE") or "").partition(";")[0].strip()
    return max(SHORTEST_S, int(text)) if text.isascii() and text.isdecimal() and len(text) < 10 else SHORTEST_S


def _knows(message: Message) -> bool:
    return any(tag.lower() == "timer" for name in ("Supported", "Require") for tag in message.tokens(name))


def agree(request: Request, options: InviteOptions) -> Terms | None:
    """9: what we answer an INVITE or UPDATE with; None: no session timer.

    Raises: PeerError 422 for an interval below ours, where they know what that means; BadMessage.
    """
    if not options.session_s or _TIMER_FIELDS.isdisjoint(request.fields):
        return None
    asked, knows = read_expires(request), _knows(request)
    if asked is None:
        # 9, table 2: who does not know timers is not made to refresh, and has not asked us to
        return Terms(max(options.session_s, min_se(request)), "uac") if knows else None
    interval, refresher = asked
    if interval < options.min_se_s:
        if knows:
            raise PeerError("Session Interval Too Small", 422, (("Min-SE", str(options.min_se_s)),))
        interval = max(interval, SHORTEST_S)
    if interval > options.session_s:  # it may be made shorter, never below Min-SE
        interval = max(options.session_s, min_se(request))
    return Terms(interval, (refresher or "uac") if knows else "uas")


def accepted_terms(response: Response) -> Terms | None:
    """7.2: what a 2xx to a request of ours says; without Session-Expires the session does not expire."""
    try:
        said = read_expires(response)
    except BadMessage:  # a response is not answered
        return None
    if said is None:
        return None
    interval, refresher = said
    return Terms(max(SHORTEST_S // 3, interval), refresher or "uac")


def headers_of_request(interval_s: int, min_se_s: int, refresher: str = "") -> list[tuple[str, str]]:
    """What asks for a session timer; in the first INVITE who refreshes is left to the far end (7.1)."""
    said = f"{interval_s};refresher={refresher}" if refresher else str(interval_s)
    least = [("Min-SE", str(min_se_s))] if min_se_s > SHORTEST_S else []
    return [("Session-Expires", said), *least]


def headers_of_answer(terms: Terms | None) -> list[tuple[str, str]]:
    """9: Require where the refresher is the one who asked, so that it knows."""
    if terms is None:
        return []
    must = [("Require", "timer")] if terms.refresher == "uac" else []
    return [*must, ("Session-Expires", f"{terms.interval_s};refresher={terms.refresher}")]


class Timing(Protocol):
    """Whose session it is."""

    def refresh(self) -> None:
        """Half the interval is over, and it is for us to say that we are there."""

    def expire(self) -> None:
        """Nobody has refreshed the session."""


class SessionTimer(Timed):
    """One interval, from one refresh to the next; a new one is made for that."""

    __slots__ = ("_left", "_rest", "_shell", "_stage", "_turn", "_user", "_wait")

    def __init__(self, user: Timing, shell: Shell, interval_s: float, *, refreshing: bool) -> None:
        """10: BYE is sent the lesser of 32 s and a third of the interval before its end."""
        self._user: Timing | None = user
        self._shell = shell
        end = interval_s - min(_MARGIN_S, interval_s / 3)
        self._stage = "refresh" if refreshing else "expire"
        self._left = interval_s / 2 if refreshing else end
        self._rest = end - self._left
        self._turn = 0
        self._tick()

    def again(self, seconds: float) -> None:
        """The refresh was not taken: try once more then, if the session has not expired before."""
        if self._stage == "expire" and self._user is not None:
            again = min(seconds, self._left)
            self._stage, self._left, self._rest = "refresh", again, self._left - again
            self._tick()

    def stop(self) -> None:
        """The session was refreshed, or is over."""
        self._user = None

    def _tick(self) -> None:
        self._wait = min(self._left, _TICK_S)
        self._turn += 1
        self._shell.arm(self, str(self._turn), self._wait)

    def fire(self, timer: str) -> None:
        """One tick is over."""
        user = self._user
        if user is None or timer != str(self._turn):
            return
        self._left -= self._wait
        if self._left > 0:
            self._tick()
        elif self._stage == "refresh" and self._rest > 0:
            self._stage, self._left = "expire", self._rest
            self._tick()
            user.refresh()
        else:
            self._user = None
            user.expire()
