"""What is made of a trunk's answers: when to register again, and whether it is there; pure."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Literal, NamedTuple

from sip_stack.errors import BadMessage
from sip_stack.grammar import number, param
from sip_stack.message import Response
from store.values import Trunk

__all__ = [
    "REFUSED_S", "Health", "Registration", "Step", "after_cut", "after_register", "back_off_s", "contact_user",
    "is_alive", "refresh_s", "retry_after_s",
]  # fmt: skip

Registration = Literal["off", "trying", "registered", "failed", "refused"]
"""`failed`: tried again soon; `refused`: by a word that another try does not change, so it is tried seldom."""

BASE_S, MOST_S = 30.0, 1800.0
"""RFC 5626 4.5: the defaults of base-time (when nothing works) and max-time."""
REFUSED_S = MOST_S
_T64_S = 32.0
_LONGEST_S = 86_400
_FINAL = frozenset({401, 403, 404, 405, 407, 410, 416, 501, 604, 606})
"""Wrong password, wrong name, no registrar: somebody must change a setting."""


class Step(NamedTuple):
    """What follows the answer to a REGISTER."""

    state: Registration
    wait_s: float
    """Until the next REGISTER."""
    expires_s: int
    """What to ask for then."""
    failures: int
    """In a row."""


def after_register(
    response: Response | None, contact: str, asked_s: int, failures: int, draw: Callable[[], float]
) -> Step:
    """What to do next; `contact` is the user part of ours, `draw()` is evenly from 0 to 1, None: no answer came."""
    status = 408 if response is None else response.status
    if response is not None and status < 300:
        granted = granted_s(response, contact, asked_s)
        if granted > 0:
            return Step("registered", refresh_s(granted), asked_s, 0)
    elif response is not None and status == 423:  # 10.2.8: MAY retry with Min-Expires or more
        least = _number(response, "Min-Expires")
        if asked_s < least <= _LONGEST_S:  # at once; later and later where it always wants more
            return Step("trying", back_off_s(failures, draw) if failures else 0.0, least, failures + 1)
    refused = status in _FINAL
    limit = max(REFUSED_S / 2 * (1 + draw()) if refused else back_off_s(failures + 1, draw), retry_after_s(response))
    return Step("refused" if refused else "failed", limit, asked_s, failures + 1)


def after_cut(lasted_s: float, cuts: int, draw: Callable[[], float]) -> tuple[float, int]:
    """How long to wait before REGISTER when its connection was cut, and how many cuts in a row that makes.

    RFC 5626 4.5: at once, with a little chance so that not all clients of a server come back in one moment; later and
    later where connections do not last. One that ends soon may have met a restart.
    """
    cuts = cuts + 1 if lasted_s < BASE_S else 0
    return (back_off_s(cuts - 1, draw) if cuts > 1 else draw()), cuts


def back_off_s(failures: int, draw: Callable[[], float]) -> float:
    """RFC 5626 4.5: evenly between half and all of min(max-time, base-time * 2 ^ failures)."""
    bound = min(MOST_S, BASE_S * 2.0 ** min(failures, 16))
    return bound / 2 * (1 + draw())


def refresh_s(granted_s: int) -> float:
    """Early enough that a REGISTER may time out once (64*T1); for a short binding after its half."""
    return max(granted_s / 2, granted_s - max(_T64_S, granted_s / 10))


def granted_s(response: Response, contact: str, asked_s: int) -> int:
    """For how long our Contact is bound (10.2.4): by its own parameter, else by Expires, else as we asked."""
    try:
        bindings = response.addresses("Contact")
    except BadMessage:
        bindings = ()
    ours = next((binding for binding in bindings if binding.uri.user == contact), None)
    text = (param(ours.params, "expires") if ours else None) or response.get("Expires") or ""
    granted = number(text.strip(), _LONGEST_S)
    return asked_s if granted is None else granted


def retry_after_s(response: Response | None) -> float:
    """How long the far end wants to be left alone (20.33), half an hour at most."""
    return 0.0 if response is None else min(float(_number(response, "Retry-After")), MOST_S)


def _number(response: Response, name: str) -> int:
    """The digits that begin a header's value; 0 without."""
    value = (response.get(name) or "").strip()
    digits = value[: len(value) - len(value.lstrip("0123456789"))]
    return int(digits[:9] or 0)


def contact_user(trunk: Trunk) -> str:
    """The user part of our Contact at a trunk: its calls are known by it.

    Only the trunk and we have the password that it is made of, so no stranger can guess it; and it is the same after
    a restart, while the trunk still remembers our Contact.
    """
    said = f"{trunk.name} {trunk.user}@{trunk.host}".encode()
    return f"t{hmac.new(trunk.password.encode(), said, 'sha256').hexdigest()[:24]}"


def is_alive(status: int | None) -> bool:
    """What an answer to OPTIONS says; None: there was none."""
    return status not in (None, 408, 503)


class Health:
    """Whether a trunk is there, with hysteresis: one lost packet does not take it out, one answer not in again."""

    __slots__ = ("_against", "_down_after", "_up_after", "up")

    def __init__(self, down_after: int, up_after: int) -> None:
        self.up = True
        self._down_after = down_after
        self._up_after = up_after
        self._against = 0
        """Results in a row that speak against `up`."""

    def heard(self, alive: bool) -> bool:
        """Take one result; True when `up` has changed."""
        self._against = 0 if alive == self.up else self._against + 1
        if self._against < (self._down_after if self.up else self._up_after):
            return False
        self.up, self._against = alive, 0
        return True
