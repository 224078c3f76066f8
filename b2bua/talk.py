"""Two far ends joined for as long as a block of a flow lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from b2bua.call import Call
    from b2bua.leg import Leg

__all__ = ["Talk"]


class Talk:
    """Inside, both hear each other, silence is watched, and it may be recorded.

    A class, since a generator for it costs a call more than joining its legs.
    """

    __slots__ = ("_call", "_far", "_phone")

    def __init__(self, call: Call, a: Leg, b: Leg) -> None:
        self._call = call
        self._phone, self._far = (a, b) if a.lane <= b.lane else (b, a)

    def __enter__(self) -> None:
        call, phone, far = self._call, self._phone, self._far
        now = call.now()
        call.join(phone, far)
        call.talk_begins(now)
        call.ladder.row(now, "event", phone.lane, far.lane, "joined")
        phone.joined()
        far.joined()
        if phone.audio or far.audio:
            phone.watch(call.exchange.rtp_timeout_s)
            far.watch(call.exchange.rtp_timeout_s)
            call.record(phone, far)

    def __exit__(self, *_: object) -> None:
        call, phone, far = self._call, self._phone, self._far
        call.talk_ends(phone, far)
        if phone.partner is far:
            phone.part()
        elif phone.partner is not None:
            return  # a transfer has joined it with somebody else already
        if phone.audio and phone.ended_at is None:
            call.engine.unbridge(phone.audio.port)
