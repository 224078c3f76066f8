"""Two far ends joined for as long as a block of a flow lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from b2bua.call import Call
    from b2bua.leg import Leg

__all__ = ["Talk"]


class Talk:
    """What `Call.bridge` gives: a class, since a generator for it costs a call more than joining its legs."""

    __slots__ = ("_call", "_far", "_phone")

    def __init__(self, call: Call, phone: Leg, far: Leg) -> None:
        self._call = call
        self._phone = phone
        self._far = far

    def __enter__(self) -> None:
        self._call.talk_begins(self._phone, self._far)

    def __exit__(self, *_: object) -> None:
        self._call.talk_ends(self._phone, self._far)
