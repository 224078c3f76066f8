"""What is known of a page and a number when a request is judged."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from b2bua.exchange import Exchange
from b2bua.rules.admission import Facts
from b2bua.rules.intervals import told_opening
from b2bua.rules.later import LONGEST_WAIT_S, VISITOR_CALLED, quarantined_until
from b2bua.rules.routing import route, sell_rate
from b2bua.rules.spelling import abroad, same_number, spellings
from b2bua.rules.tariff import free_pool
from store import journal, ledger
from store.blocked import BlockedBy, blocked_by
from store.directory import Directory
from store.values import Extension, Micros, TimeInterval

__all__ = ["hours_of", "opening_of", "read_facts", "same_for", "zone_of"]

_DAY_S = 86400.0


def hours_of(directory: Directory, extension: Extension) -> TimeInterval | None:
    """When its page is open (SPEC 16); None: anytime, one without limits: never, as nobody knows its interval."""
    name = extension.callnow.interval
    if not name:
        return None
    return directory.interval(name, extension.account_id) or TimeInterval(name, directory.zone)


def zone_of(directory: Directory, extension: Extension | None) -> str:
    """The time zone of its owner."""
    hours = hours_of(directory, extension) if extension is not None else None
    return directory.zone if hours is None else hours.zone


def same_for(directory: Directory, record: journal.RequestRecord) -> str:
    """The number of a request as limits know it: one for all its spellings (SPEC A12.3)."""
    extension = directory.extensions.get(record.extension)
    account = None if extension is None else directory.accounts[extension.account_id]
    return record.number if account is None else same_number(record.number, account.dial_plan)


def opening_of(directory: Directory, extension: Extension, at: float) -> str | None:
    """When its page takes requests again; None: it does, empty: nobody knows (SPEC 16, H14)."""
    hours = hours_of(directory, extension)
    if hours is None:
        return None
    return told_opening(hours, at) if hours.limits else ""


async def read_facts(
    exchange: Exchange, extension: Extension, number: str, at_stake: Callable[[], dict[str, Micros]],
    at: float | None = None,
) -> Facts:
    """Of a call now, or at another time; `at_stake`: what the link's live calls may cost.  Raises: StoreError."""
    directory, settings, now = exchange.directory, extension.callnow, exchange.wall()
    account, called = directory.accounts[extension.account_id], now if at is None else at
    pool = free_pool(directory, account, number, called)
    before, kept = at_stake(), spellings(number, account.dial_plan)

    def known(conn: Connection) -> tuple[Micros | None, Micros, bool, BlockedBy | None, float | None]:
        available = ledger.balance(conn, account.id).available
        free = pool is not None and ledger.free_left(conn, account.id, pool) > 0
        spent = journal.spent_since(conn, settings.id, now - _DAY_S)
        return available, spent, free, blocked_by(conn, kept, extension.id), _quarantine(conn, extension, kept, now)

    available, spent, free, blocked, until = await exchange.database.read(known)
    # a call that ended meanwhile may not be in `spent` yet
    staked = sum((at_stake() | before).values())
    return Facts(
        on_phone=exchange.on_the_phone(extension),
        registered=bool(exchange.locations.of(extension.number)),
        routed=bool(route(directory, number, called)),
        rate=sell_rate(directory, account, number, called),
        available=available,
        spent_today=Micros(spent + staked),
        number=number,
        spellings=kept,
        abroad=abroad(number, account.dial_plan),
        free=free,
        blocked=blocked,
        closed=opening_of(directory, extension, called) is not None,
        quarantined=until is not None and until > called,
    )


def _quarantine(conn: Connection, extension: Extension, kept: tuple[str, ...], now: float) -> float | None:
    """Until when the number is left in peace, where the page does that."""
    settings = extension.callnow
    if not settings.quarantine_after:
        return None
    since, most = now - LONGEST_WAIT_S, settings.quarantine_after
    return quarantined_until(
        journal.ends_of(conn, extension.number, kept, VISITOR_CALLED, since, most), settings,
    )
