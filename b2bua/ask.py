"""Conversations that flows share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum

from b2bua.interrupt import Interrupt
from b2bua.leg import Leg
from b2bua.outcome import NewNumber, Outcome, Unwanted
from store.values import CallbackSettings

__all__ = [
    "Accepted", "ask_accept", "ask_digits", "ask_key", "ask_number", "ask_secrets", "double_star", "tell_credit",
    "unless_nine",
]  # fmt: skip

_MOST_DIGITS = 32
_MOST_ENQUIRIES = 5


class Accepted(Enum):
    """What the owner pressed."""

    YES = "yes"
    NO = "no"
    LATER = "later"
    """Not now, but in a quarter of an hour."""
    BLOCK = "block"
    """No, and this number never again."""
    NOTHING = "nothing"


_ACCEPTED: dict[str | None, Accepted] = {
    "1": Accepted.YES, "2": Accepted.NO, "3": Accepted.LATER, "9": Accepted.BLOCK,
}  # fmt: skip


async def ask_accept(phone: Leg, *, within_s: float, tries: int = 3) -> Accepted:
    """Ask for 1 (accept), 2 (refuse), 3 (later) or 9 (refuse and block); it is repeated for others (SPEC H11)."""
    question = "confirm"
    for _ in range(tries):
        await phone.say(question, until_key=True)
        key = await phone.key(within_s)
        if key in _ACCEPTED:
            return _ACCEPTED[key]
        if key is not None:
            await phone.say("wrong-key", until_key=True)
        question = "confirm-repeat"
    await phone.say("goodbye")
    return Accepted.NOTHING


async def ask_key(leg: Leg, question: str, keys: str, *, within_s: float, tries: int) -> str | None:
    """Ask for one of `keys`, a few times; None: nothing that was asked for."""
    for _ in range(tries):
        await leg.say(question, until_key=True)
        key = await leg.key(within_s)
        if key is not None and key in keys:
            return key
        if key is not None:
            await leg.say("wrong-key", until_key=True)
    return None


async def ask_digits(leg: Leg, question: str, *, within_s: float, digit_s: float, whole: bool = False) -> str | None:
    """Ask for digits: `#`, or `digit_s` without a further one, ends them, `*` clears them (SPEC H11); None: none came.

    `within_s` after the end of the question the first digit must have come, or, if `whole`, all of them: what is there
    then counts (SPEC H16).
    """
    await leg.say(question, until_key=True)
    asked, digits = leg.call.now(), ""
    while True:
        left = max(0.0, asked + within_s - leg.call.now())
        key = await leg.key(left if not digits else min(left, digit_s) if whole else digit_s)
        if key is None:
            return digits or None
        if key == "#":
            return digits
        if key == "*":
            digits = ""
            asked = asked if whole else leg.call.now()
        elif key.isdecimal() and len(digits) < _MOST_DIGITS:
            digits += key


async def ask_secrets(
    leg: Leg, secrets: Sequence[tuple[str, str]], settings: CallbackSettings, *, turn: asyncio.Lock,
    locked: Callable[[], Awaitable[bool]], failed: Callable[[], Awaitable[bool]],
) -> Outcome | None:  # fmt: skip
    """Ask for each secret (question, hash) in turn; None: all were right (SPEC H3, H12).

    `locked` tells before each try, and `failed` of each wrong one, whether the number may try no more, be it for what
    was typed in other calls; `turn` lets one try at a time be judged. No digit of a secret is shown in ladders, or
    logged.
    """
    left, outcome = settings.tries, Outcome.NOTHING_DIALLED
    leg.masked = bool(secrets)
    for question, hashed in secrets:
        while True:
            typed = await ask_digits(leg, question, within_s=settings.dial_s, digit_s=settings.digit_s)
            if not typed:
                left -= 1
            else:
                async with turn:
                    if await locked():
                        left, outcome = 0, Outcome.LOCKED
                    elif await leg.call.exchange.verify(hashed, typed):
                        break
                    else:
                        left, outcome = 0 if await failed() else left - 1, Outcome.WRONG_SECRET
            if left == 0:
                await leg.say("too-many-tries" if typed else "goodbye")
                return outcome
            if typed:
                await leg.say("wrong-secret", until_key=True)
    leg.masked = False
    return None


async def tell_credit(leg: Leg, settings: CallbackSettings) -> bool:
    """Say what the call's purse has left, as often as that is asked for, within reason (SPEC 36).

    False: nothing was chosen, or no call.
    """
    call = leg.call
    assert call.purse is not None
    assert call.account is not None
    for _ in range(_MOST_ENQUIRIES):
        key = await ask_key(leg, "credit-menu", "12", within_s=settings.dial_s, tries=settings.tries)
        if key != "1":
            return key is not None
        left = await call.purse.left()
        said = ("unlimited",) if left is None else call.pack.money(left, call.account.currency)
        await leg.say("your-credit", *said, until_key=True)
    return False


async def ask_number(leg: Leg, settings: CallbackSettings) -> str | None:
    """The number to dial (SPEC 33, H16); None: nothing in time, or an end without a number too often."""
    for _ in range(settings.tries):
        typed = await ask_digits(leg, "dial-number", within_s=settings.dial_s, digit_s=settings.digit_s, whole=True)
        if typed != "":
            return typed
    return None


@contextmanager
def double_star(leg: Leg, *, within_s: float) -> Iterator[None]:
    """`**` pressed by the leg, its second star within so long, ends the block by NewNumber (SPEC H11)."""
    last_star = -within_s

    def press(key: str) -> None:
        nonlocal last_star
        if key != "*":
            last_star = -within_s
        elif (now := leg.call.now()) - last_star < within_s:
            interrupt.fire(NewNumber())
        else:
            last_star = now

    with Interrupt() as interrupt:
        leg.overhear(press)
        try:
            yield
        finally:
            leg.overhear(None)


@contextmanager
def unless_nine(leg: Leg) -> Iterator[None]:
    """A 9 pressed by the leg, at whatever moment, ends the block by Unwanted (SPEC A12.6)."""

    def press(key: str) -> None:
        if key == "9":
            interrupt.fire(Unwanted())

    with Interrupt() as interrupt:
        leg.overhear(press)
        try:
            yield
        finally:
            leg.overhear(None)
