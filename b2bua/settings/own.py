"""What the owner of an account sets himself: the CallNow page of a phone, and time intervals (SPEC A2, 70)."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from b2bua.office.desk import FaultView, Holder, NotDone
from b2bua.plan.apply import cost_warning
from b2bua.plan.entries import CallNowEntry, ExtensionEntry
from b2bua.settings.change import Writer
from b2bua.settings.documents import Document, document
from b2bua.settings.kept import KINDS, Names
from b2bua.settings.reach import Reach
from b2bua.settings.times import nameable
from b2bua.settings.view import Found, found
from store.directory import load
from store.tables import accounts, intervals

__all__ = ["MOST_INTERVALS", "RESERVED", "change_page", "check_room", "checked_interval", "page_of"]

RESERVED = frozenset(
    "calls_a_day longest_call_s money_a_day highest_price_a_minute allowed forbidden most_waiting tries"
    " quarantine_after quarantine_s".split()
)
"""The fence of a page, and what it may ask of the server and of strangers' phones: the operator's (SPEC A12.2)."""
MOST_INTERVALS = 100
"""Of one account, made by its token."""
_NOTHING_YET = CallNowEntry(enabled=False)
_TOLD = ("url", "warning")


def page_of(conn: Connection, who: Holder, number: str, base_url: str) -> Document:
    """The settings of a phone's page, its address and what it may cost.  Raises: NotDone 404."""
    at, entry = _phone(conn, who, number)
    settings = entry.callnow or _NOTHING_YET
    url = f"{base_url.rstrip('/')}/callnow/{settings.id}" if settings.enabled else ""
    return {**document(settings), "url": url, "warning": _warning(conn, at, settings)}


def _warning(conn: Connection, at: Found, settings: CallNowEntry) -> str:
    if settings.image_validation or not settings.enabled:
        return ""
    directory = load(conn)
    extension = directory.extensions[at.row["number"]]
    return cost_warning(conn, directory, extension, directory.accounts[extension.account_id])


def change_page(writer: Writer, who: Holder, number: str, change: Document) -> None:
    """Change some of the settings; one that has no page yet gets one that is not enabled.  Raises: NotDone."""
    at, entry = _phone(writer.conn, who, number)
    if not at.reach.is_operator:
        _check_owner(writer.conn, at, change)
    for name in _TOLD:
        if name in change:
            raise NotDone(f"{name} is only told.", field=name)
    begun = {} if entry.callnow else {"enabled": False}
    try:
        writer.change(at.kind, at.row, {"callnow": {**begun, **change}})
    except NotDone as refusal:
        raise _inside("callnow.", refusal) from refusal


def _phone(conn: Connection, who: Holder, number: str) -> tuple[Found, ExtensionEntry]:
    at = found(conn, who, KINDS["extension"], number)
    if at.row["kind"] != "phone":  # SPEC 1
        raise NotDone(f"{at.row['number']} is no phone: it has no CallNow page.", 404)
    entry: ExtensionEntry = at.kind.entry(at.row, Names(conn))
    return at, entry


def _check_owner(conn: Connection, at: Found, change: Document) -> None:
    """What an account may not change of a page.  Raises: NotDone."""
    account_id = at.reach.account_id
    if account_id is None or at.owner != account_id:
        raise NotDone(f"{at.row['number']} belongs to another account, which changes its page.", 403)
    for name in change:
        if name in RESERVED:
            raise NotDone(f"{name}: only the operator changes it.", 403, name)
    interval = change.get("interval")
    if isinstance(interval, str) and interval and interval not in nameable(conn, account_id):
        raise NotDone(f'interval: there is no interval "{interval}".', field="interval")


def checked_interval(conn: Connection, reach: Reach, values: Document) -> Document:
    """An interval as it is to be written: that of an account's token is its own.  Raises: NotDone."""
    if reach.account_id is None:
        return values
    own = conn.execute(select(accounts.c.name).where(accounts.c.id == reach.account_id)).scalar_one()
    if (account := values.get("account", own)) != own:
        raise NotDone(f'account: there is no account "{account}".', field="account")
    without = values.get("without")
    known = nameable(conn, reach.account_id) if without else frozenset()
    for name in without if isinstance(without, list) else ():
        if isinstance(name, str) and name not in known:
            raise NotDone(f'without: there is no interval "{name}".', field="without")
    return {**values, "account": own}


def check_room(conn: Connection, reach: Reach) -> None:
    """Raises: NotDone 409 for an account that has as many intervals as its token may make."""
    query = select(func.count()).select_from(intervals).where(intervals.c.account_id == reach.account_id)
    if reach.account_id is not None and conn.execute(query).scalar_one() >= MOST_INTERVALS:
        raise NotDone(f"An account has up to {MOST_INTERVALS} intervals.", 409)


def _inside(prefix: str, refusal: NotDone) -> NotDone:
    """The refusal with paths from the part of a document on, not from the whole."""

    def within(field: str) -> str:
        return "enabled" if field == prefix[:-1] else field.removeprefix(prefix)

    faults = [FaultView(within(each.field), each.reason, each.line) for each in refusal.faults]
    return NotDone(refusal.sentence, refusal.status, within(refusal.field), refusal.line, faults)


