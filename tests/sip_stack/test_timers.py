"""The wheel: never early, at most 1/64 s late, disarmed timers hold nothing."""

from __future__ import annotations

import gc
import weakref

from sip_stack.timers import Timer, Wheel, disarm, disarm_all


class Target:
    def __init__(self) -> None:
        self.armed: dict[str, Timer] = {}

    def fire(self, timer: str) -> None:
        raise AssertionError("the wheel does not fire by itself")


def test_timers_come_due_in_order_and_never_early() -> None:
    wheel, target = Wheel(), Target()
    assert wheel.next() is None
    assert wheel.arm(2.0, target, "late") is True
    assert wheel.arm(1.0, target, "early") is True
    assert wheel.arm(3.0, target, "last") is False
    first = wheel.next()
    assert first is not None
    assert 1.0 < first <= 1.0 + 1 / 64
    assert wheel.pop_due(1.0) == []
    assert [t.timer for t in wheel.pop_due(first)] == ["early"]
    assert [t.timer for t in wheel.pop_due(10.0)] == ["late", "last"]
    assert wheel.next() is None


def test_timers_of_one_slot_fire_as_one() -> None:
    wheel, target = Wheel(), Target()
    assert wheel.arm(1.0, target, "a") is True
    assert wheel.arm(1.001, target, "b") is False
    assert [t.timer for t in wheel.pop_due(1.1)] == ["a", "b"]


def test_arming_again_replaces() -> None:
    wheel, target = Wheel(), Target()
    wheel.arm(1.0, target, "a")
    wheel.arm(2.0, target, "a")
    assert [t.target for t in wheel.pop_due(1.5)] == [None]
    assert [t.target for t in wheel.pop_due(2.5)] == [target]


def test_a_disarmed_timer_holds_nobody() -> None:
    wheel, one, two = Wheel(), Target(), Target()
    for name in ("a", "b"):
        wheel.arm(1.0, one, name)
        wheel.arm(1.0, two, name)
    disarm(one, "a")
    disarm(one, "a")
    disarm(one, "b")
    disarm_all(two)
    assert (one.armed, two.armed) == ({}, {})
    gone = weakref.ref(one), weakref.ref(two)
    gc.disable()  # by reference counting alone: an ended call is no cycle
    try:
        del one, two
        assert [ref() for ref in gone] == [None, None]
    finally:
        gc.enable()
