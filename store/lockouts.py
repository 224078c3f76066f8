"""Wrong passwords and PINs lock a number's triggers for a while (SPEC H12); no digit is ever kept."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from store.tables import failures

__all__ = ["clear", "locked_until", "note_failure"]

KEPT_S = 2 * 86_400
"""Twice the longest `lock_s`: an older failure can lock nothing."""


def note_failure(conn: Connection, extension_id: int, number: str, at: float) -> None:
    """A wrong password or PIN of the person at this number."""
    conn.execute(delete(failures).where(failures.c.at < at - KEPT_S))
    conn.execute(insert(failures).values(extension_id=extension_id, number=number, at=at))


def locked_until(
    conn: Connection, extension_id: int, number: str, *, lock_after: int, lock_s: float, at: float,
) -> float | None:
    """When the number's lock ends, `lock_s` after the last of `lock_after` failures within `lock_s`; None: no lock."""
    times = conn.execute(select(failures.c.at).where(
        failures.c.extension_id == extension_id, failures.c.number == number, failures.c.at > at - 2 * lock_s,
    ).order_by(failures.c.at)).scalars().all()
    locks = zip(times, times[lock_after - 1:], strict=False)
    until = max((last + lock_s for first, last in locks if last - first <= lock_s), default=0.0)
    return until if until > at else None


def clear(conn: Connection, extension_id: int, number: str) -> None:
    """The right secret was given, or somebody unlocks the number: its failures are forgotten."""
    conn.execute(delete(failures).where(failures.c.extension_id == extension_id, failures.c.number == number))
