"""Conversations that flows share."""

from __future__ import annotations

from enum import Enum

from b2bua.leg import Leg

__all__ = ["Accepted", "ask_accept"]


class Accepted(Enum):
    """What the owner pressed."""

    YES = "yes"
    NO = "no"
    NOTHING = "nothing"


async def ask_accept(phone: Leg, *, within_s: float, tries: int = 3) -> Accepted:
    """Ask for 1 (accept) or 2 (refuse); any other key or silence repeats the question (SPEC H11)."""
    question = "confirm"
    for _ in range(tries):
        await phone.say(question, until_key=True)
        key = await phone.key(within_s)
        if key == "1":
            return Accepted.YES
        if key == "2":
            return Accepted.NO
        if key is not None:
            await phone.say("wrong-key", until_key=True)
        question = "confirm-repeat"
    await phone.say("goodbye")
    return Accepted.NOTHING
