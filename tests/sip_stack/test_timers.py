"""The wheel: never early, at most 1/32 s late; what is armed alike, 1/16 s and its while."""

from __future__ import annotations

from sip_stack.timers import Batches, Wheel


class Target:
    def fire(self, timer: str) -> None:
        raise AssertionError("the wheel does not fire by itself")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.alarms: list[float] = []
        self.wheel = Wheel(lambda: self.now, self.alarms.append)

    def due(self, now: float) -> list[str]:
        self.now = now
        return [timer for _, timer in self.wheel.pop_due()]


def test_timers_come_due_in_order_and_never_early() -> None:
    clock, target = Clock(), Target()
    clock.wheel.arm(target, "late", 2.0)
    clock.wheel.arm(target, "early", 1.0)
    clock.wheel.arm(target, "last", 3.0)
    _, first = clock.alarms  # nobody is woken earlier for the last
    assert 1.0 < first <= 1.0 + 1 / 32
    assert clock.due(1.0) == []
    clock.now = first
    assert clock.wheel.pop_due() == [(target, "early")]
    assert 2.0 < clock.alarms[-1] <= 2.0 + 1 / 32
    assert clock.due(10.0) == ["late", "last"]


def test_timers_of_one_slot_fire_as_one() -> None:
    clock, target = Clock(), Target()
    clock.wheel.arm(target, "a", 1.0)
    clock.wheel.arm(target, "b", 1.001)
    assert len(clock.alarms) == 1
    assert clock.due(1.1) == ["a", "b"]


def test_what_is_armed_alike_is_due_as_one_never_early_and_soon() -> None:
    clock = Clock()
    due: list[str] = []
    batches: Batches[str] = Batches(clock.wheel.arm, lambda batch: due.append(f"{batch.timer} {''.join(batch)}"), 1 / 8)

    def wait_until(now: float) -> None:
        while clock.now < now:
            clock.now += 1 / 64
            for target, timer in clock.wheel.pop_due():
                target.fire(timer)

    batches.add("a", "K", 5.0)
    wait_until(0.09375)
    batches.add("b", "K", 5.0)
    batches.add("d", "J", 32.0)
    wait_until(0.203125)
    batches.add("c", "K", 5.0)
    wait_until(5.09375)
    assert due == []
    wait_until(5.1875)
    assert due == ["K ab"]
    wait_until(5.390625)
    assert due == ["K ab", "K c"]
    wait_until(32.28125)
    assert due == ["K ab", "K c", "J d"]
    assert (batches, clock.wheel._slots) == ({}, {})
