"""What a machine asks of the world: it takes facts and gives back a list of these."""

from __future__ import annotations

from typing import NamedTuple

from sip_stack.message import Message

__all__ = ["Arm", "Disarm", "Effect", "Ended", "Send", "ToUser"]


class Send(NamedTuple):
    """Put these bytes on the wire."""

    data: bytes


class ToUser(NamedTuple):
    """Hand this message to the transaction user."""

    message: Message


class Arm(NamedTuple):
    """Call `on_timer(timer)` in so many seconds; arming again replaces."""

    timer: str
    seconds: float


class Disarm(NamedTuple):
    """Forget this timer."""

    timer: str


class Ended(NamedTuple):
    """The machine is over; `why` is `done`, `timeout` or `transport`."""

    why: str


Effect = Send | ToUser | Arm | Disarm | Ended
