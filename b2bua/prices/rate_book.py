"""Tables of rates in the database: what is in them, and a file, or another table, into one, all or none (SPEC 73)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, update

from b2bua.desk import NotDone
from b2bua.plan.entries import RateEntry
from b2bua.plan.prices import rate_key, rate_values
from b2bua.plan.unmatched import unmatched
from b2bua.prices.desk import RateCloneView, RateImportView, RateTableView
from b2bua.prices.rate_sheet import bad_line
from store.directory import DEFAULT_ZONE, Directory, config_version, raise_version
from store.meta import TIME_ZONE, read_meta
from store.tables import rates
from store.values import Rate

__all__ = ["RateChanges", "compare", "compare_tables", "known_table", "rate_tables", "table_rates", "write_changes"]

_KEY = ("prefix", "interval", "valid_from")


def rate_tables(conn: Connection, directory: Directory) -> list[RateTableView]:
    """Every table that has rates, or that something refers to."""
    counts: dict[str, int] = {
        table: count
        for table, count in conn.execute(select(rates.c.rate_table, func.count()).group_by(rates.c.rate_table))
    }
    users = _users(directory)
    return [RateTableView(name, counts.get(name, 0), users.get(name, [])) for name in sorted({*counts, *users})]


def _users(directory: Directory) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for account in directory.accounts.values():
        if not account.charging_plan:
            found.setdefault(account.rate_table, []).append(f"account {account.name}")
    for plan in directory.charging_plans.values():
        if plan.method == "fixed":
            found.setdefault(plan.rate_table, []).append(f"charging plan {plan.name}")
    for trunk in directory.trunks.values():
        if trunk.rate_table:
            found.setdefault(trunk.rate_table, []).append(f"trunk {trunk.name}")
    return found


def known_table(directory: Directory, table: str) -> None:
    """Raises: NotDone 404 for a table that has no rates."""
    if table not in directory.rate_tables:
        raise NotDone(f"There is no rate table {table}.", 404)


def table_rates(directory: Directory, table: str, prefix: str = "") -> list[Rate]:
    """The rates of a table whose prefix begins so, in order of prefix."""
    known_table(directory, table)
    found = directory.rate_table(table)
    return [rate for key in sorted(found) if key.startswith(prefix) for rate in found[key]]


@dataclass(frozen=True, slots=True)
class RateChanges:
    """What makes a table what a file, or another table, says."""

    version: int
    """Of the configuration that was compared with."""
    added: Sequence[dict[str, Any]]
    changed: Sequence[tuple[int, dict[str, Any]]]
    removed: Sequence[int]
    unchanged: int

    def view(self, dry_run: bool) -> RateImportView:
        """How much that is."""
        return RateImportView(len(self.added), len(self.changed), len(self.removed), self.unchanged, dry_run)

    def clone_view(self, dry_run: bool) -> RateCloneView:
        """The same of a table cloned into another: nothing of the other is changed or removed."""
        return RateCloneView(len(self.added), self.unchanged, dry_run)


def compare(
    conn: Connection, directory: Directory, table: str, lines: Sequence[tuple[int, RateEntry]], *, keep: bool
) -> RateChanges:
    """What to change; with `keep`, what is not in the lines stays.  Raises: NotDone."""
    _check(directory, table, lines)
    zone = read_meta(conn, TIME_ZONE) or DEFAULT_ZONE
    before = _rows(conn, table)
    wanted = {rate_key(entry, zone)[1:]: rate_values(entry, zone) for _, entry in lines}
    added = [{**dict(zip(_KEY, key, strict=True)), **values, "rate_table": table}
             for key, values in wanted.items() if key not in before]  # fmt: skip
    changed = [
        (before[key]["id"], values) for key, values in wanted.items()
        if key in before and any(before[key][name] != value for name, value in values.items())
    ]  # fmt: skip
    removed = [] if keep else [row["id"] for key, row in before.items() if key not in wanted]
    unchanged = len(wanted) - len(added) - len(changed)
    return RateChanges(config_version(conn), added, changed, removed, unchanged)


def compare_tables(conn: Connection, directory: Directory, source: str, table: str) -> RateChanges:
    """What of `source` is missing in `table`; what it has stays as it is.  Raises: NotDone."""
    known_table(directory, source)
    _check_name(table)
    if source == table:
        raise NotDone(f"Both are the rate table {table}.", field="source")
    reads, before, theirs = _reading(directory, table), _rows(conn, table), _rows(conn, source)
    added = [{name: value for name, value in row.items() if name != "id"} | {"rate_table": table}
             for key, row in theirs.items() if key not in before]  # fmt: skip
    for row in added:
        if reads and (reason := unmatched(row["prefix"], reads)):
            raise NotDone(f"Rate table {source}: {reason}.", field="source")
    return RateChanges(config_version(conn), added, [], [], len(theirs) - len(added))


def _rows(conn: Connection, table: str) -> dict[tuple[Any, ...], RowMapping]:
    """The rates of a table by prefix, interval and date."""
    found = conn.execute(select(rates).where(rates.c.rate_table == table).order_by(rates.c.prefix)).mappings()
    return {tuple(row[name] for name in _KEY): row for row in found}


def write_changes(conn: Connection, changes: RateChanges) -> bool:
    """Carry them out, quickly, as calls wait for their money meanwhile; False: somebody was faster, compare again."""
    if config_version(conn) != changes.version:
        return False
    for start in range(0, len(changes.removed), 500):
        conn.execute(delete(rates).where(rates.c.id.in_(changes.removed[start : start + 500])))
    if changes.changed:
        conn.execute(
            update(rates).where(rates.c.id == bindparam("row")),
            [{"row": row_id, **values} for row_id, values in changes.changed],
        )
    if changes.added:
        conn.execute(insert(rates), changes.added)
    if changes.added or changes.changed or changes.removed:
        raise_version(conn)
    return True


def _check(directory: Directory, table: str, lines: Sequence[tuple[int, RateEntry]]) -> None:
    _check_name(table)
    reads = _reading(directory, table)
    for line, entry in lines:
        if entry.interval and directory.interval(entry.interval) is None:
            raise bad_line(line, "interval", f'there is no interval "{entry.interval}"')
        if reads and (reason := unmatched(entry.prefix, reads)):
            raise bad_line(line, "prefix", reason + (". Import it with plus" if reads == "e164" else ""))


def _check_name(table: str) -> None:
    if not table.strip() or len(table) > 255:
        raise NotDone("table: a rate table needs a name", field="table")


def _reading(directory: Directory, table: str) -> str:
    """The mode of the dial plans whose numbers are looked for in a table; empty where there are several, or none."""
    plans = [(directory.plan_of(each), each.dial_plan.mode) for each in directory.accounts.values()]
    paid = {mode for plan, mode in plans if plan.method == "fixed" and plan.rate_table == table}
    modes = paid or {mode for _, mode in plans}  # a trunk's table, or nobody's yet, may be for anybody's numbers
    return modes.pop() if len(modes) == 1 else ""
