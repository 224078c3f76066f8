"""The wheel: never early, at most 1/32 s late."""

from __future__ import annotations

from sip_stack.timers import Wheel


class Target:
    def fire(self, timer: str) -> None:
        raise AssertionError("the wheel does not fire by itself")


def names(wheel: Wheel, now: float) -> list[str]:
    return [timer for _, timer in wheel.pop_due(now)]


def test_timers_come_due_in_order_and_never_early() -> None:
    wheel, target = Wheel(), Target()
    assert wheel.next() is None
    assert wheel.arm(2.0, target, "late") is True
    assert wheel.arm(1.0, target, "early") is True
    assert wheel.arm(3.0, target, "last") is False
    first = wheel.next()
    assert first is not None
    assert 1.0 < first <= 1.0 + 1 / 32
    assert names(wheel, 1.0) == []
    assert wheel.pop_due(first) == [(target, "early")]
    assert names(wheel, 10.0) == ["late", "last"]
    assert wheel.next() is None


def test_timers_of_one_slot_fire_as_one() -> None:
    wheel, target = Wheel(), Target()
    assert wheel.arm(1.0, target, "a") is True
    assert wheel.arm(1.001, target, "b") is False
    assert names(wheel, 1.1) == ["a", "b"]
