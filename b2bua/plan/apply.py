"""`ringback apply FILE.toml`: the database becomes what the file says; a second run changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from hashlib import md5, sha256
from shlex import quote
from typing import Any

from sqlalchemy import Connection, select, update

from b2bua.money import format_money
from b2bua.plan.callback_settings import settings_of
from b2bua.plan.callers import apply_callers
from b2bua.plan.entries import BadPlan, CallbackEntry, CallNowEntry, ExtensionEntry, Fault, Kept, Plan
from b2bua.plan.prices import apply_prices, missing_names, plain_money
from b2bua.plan.reader import parse
from b2bua.plan.result import faults_of_result, without_help, without_prices
from b2bua.plan.sync import ACCOUNTS, CALLNOW, CHARGING_PLANS, DIDS, EXTENSIONS, ROUTES, TRUNKS, Kind, Sync
from b2bua.rules.worst_case import worst_of_day
from b2bua.secret_hash import keep_hash
from store import tables
from store.directory import DEFAULT_REALM, Directory, load, raise_version
from store.ledger import balance, order_amount, recharge
from store.meta import CALLER_QUOTA, EDGE_PROXIES, REALM, SERVICE_ROUTE, TIME_ZONE, read_meta, write_meta
from store.values import Account, CallerId, Extension, Micros

__all__ = [
    "OPENING", "apply", "carry_out", "check_result", "cost_warning", "kept_hashes", "parse", "post_credit",
    "with_hashes",
]  # fmt: skip

OPENING = "opening"
"""The order number of an account's opening balance."""


def apply(conn: Connection, plan: Plan, at: float, base_url: str, new_id: Callable[[], str]) -> list[str]:
    """Make the configuration what the plan says, and tell what was done, line by line.

    `new_id` gives random CallNow IDs of 16 hex digits (SPEC 4). Raises: BadPlan, with nothing kept, as the caller's
    transaction is then undone.
    """
    sync, notes = carry_out(conn, plan, at, new_id)
    directory = check_result(conn, plan)
    notes += [*without_help(directory), *without_prices(directory)]
    return [*sync.report(), *notes, *post_credit(conn, plan, at), *_links(conn, directory, base_url)]


def carry_out(conn: Connection, plan: Plan, at: float, new_id: Callable[[], str]) -> tuple[Sync, list[str]]:
    """Write what the plan says; gives what was done, and notes for people.  Raises: BadPlan."""
    if faults := [*_unknown_names(conn, plan), *_owing(conn, plan)]:
        raise BadPlan(plan.filename, faults)
    sync = Sync(conn, whole=plan.whole)
    realm = _server(sync, plan)
    _accounts(sync, plan)
    _trunks(sync, plan)
    apply_prices(sync, plan)
    _extensions(sync, plan, realm, new_id)
    _numbers(sync, plan)
    notes = apply_callers(sync, plan, at)
    sync.remove()
    if sync.changed:
        raise_version(conn)
    return sync, notes


def check_result(conn: Connection, plan: Plan) -> Directory:
    """All configuration as it is now; where the plan is no whole one, without prices.  Raises: BadPlan."""
    directory = load(conn, prices=plan.whole)
    if faults := [*missing_names(conn, plan), *faults_of_result(plan, directory)]:
        raise BadPlan(plan.filename, faults)
    return directory


def _server(sync: Sync, plan: Plan) -> str:
    """Keep what the file says of the whole server, and tell the realm that counts."""
    for key, value in (
        (REALM, plan.realm), (CALLER_QUOTA, plan.caller_quota), (EDGE_PROXIES, plan.edge_proxies),
        (SERVICE_ROUTE, plan.service_route), (TIME_ZONE, plan.time_zone),
    ):  # fmt: skip
        if value is not None and read_meta(sync.conn, key) != str(value):
            write_meta(sync.conn, key, str(value))
            sync.changed = True
    return read_meta(sync.conn, REALM) or DEFAULT_REALM


def _unknown_names(conn: Connection, plan: Plan) -> list[Fault]:
    """References to accounts, extensions and trunks that neither the file nor, where it is silent, the database has."""
    known = {
        name: _names(conn, plan, name, kind) for name, kind in (
            ("account", ACCOUNTS), ("extension", EXTENSIONS), ("trunk", TRUNKS), ("charging_plan", CHARGING_PLANS),
        )
    }
    references = [
        ("account", "parent", "account"), ("extension", "account", "account"), ("did", "extension", "extension"),
        ("did", "account", "account"), ("did", "trunk", "trunk"), ("route", "trunk", "trunk"),
        ("caller", "extension", "extension"), ("account", "charging_plan", "charging_plan"),
        ("interval", "account", "account"),
    ]
    return [
        plan.fault(f'{key}: there is no {target.replace("_", " ")} "{name}"', kind, index, key)
        for kind, key, target in references
        for index, entry in enumerate(getattr(plan, kind) or ())
        if (name := getattr(entry, key)) and name not in known[target]
    ]


def _names(conn: Connection, plan: Plan, name: str, kind: Kind) -> set[str]:
    field, entries = kind.key[0], getattr(plan, name)
    named = {getattr(entry, field) for entry in entries or ()}
    if entries is None or not plan.whole:
        named |= set(conn.execute(select(kind.table.c[field]).where(*kind.only)).scalars())
    return named


def _owing(conn: Connection, plan: Plan) -> list[Fault]:
    """Accounts that shall be prepaid and owe money: the database would not take it."""
    table = tables.accounts
    owing = set(conn.execute(select(table.c.name).where(table.c.balance < table.c.held)).scalars())
    return [
        plan.fault("plan: a prepaid account owes nothing: first let its balance be what is held for calls, or more",
                   "account", index, "plan")
        for index, entry in enumerate(plan.account or ()) if entry.plan == "prepaid" and entry.name in owing
    ]  # fmt: skip


def _accounts(sync: Sync, plan: Plan) -> None:
    if plan.account is None:
        return
    sync.write(ACCOUNTS, {(entry.name,): {
        "currency": entry.currency, "plan": entry.plan, "credit_limit": entry.credit_limit, "call_api": entry.call_api,
        "dial_plan": _json(entry.dial_plan), "rate_table": entry.rate_table, "caller_quota": entry.caller_quota,
        "charging_plan": entry.charging_plan,
    } for entry in plan.account})
    ids = sync.ids(ACCOUNTS)
    for entry in plan.account:  # after all of them exist
        parent_id = ids[entry.parent] if entry.parent else None
        table = tables.accounts
        sync.changed |= bool(sync.conn.execute(update(table).where(
            table.c.id == ids[entry.name], table.c.parent_id.is_distinct_from(parent_id),
        ).values(parent_id=parent_id)).rowcount)


def _json(value: Any) -> dict[str, Any]:
    """As a JSON column gives it back: lists, not tuples."""
    return {key: list(part) if isinstance(part, tuple) else part for key, part in asdict(value).items()}


def _trunks(sync: Sync, plan: Plan) -> None:
    if plan.trunk is not None:
        sync.write(TRUNKS, {(entry.name,): _without(_json(entry), "name") for entry in plan.trunk})


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in names}


def _extensions(sync: Sync, plan: Plan, realm: str, new_id: Callable[[], str]) -> None:
    if plan.extension is None:
        return
    payers, there = sync.ids(ACCOUNTS), sync.rows(EXTENSIONS, [(entry.number,) for entry in plan.extension])
    sync.write(EXTENSIONS, {(entry.number,): {
        "account_id": payers[entry.account], "kind": entry.kind, "name": entry.name,
        "public_number": entry.public_number, "ring_s": entry.ring_s, "confirm_s": entry.confirm_s,
        "redirects": entry.redirects,
        "prack": entry.prack, "session_expires_s": entry.session_expires_s, "min_se_s": entry.min_se_s,
        "caller_id": _caller_id(entry.caller_id, there.get((entry.number,)) if plan.whole else None),
        "callback": _callback(entry.callback, there.get((entry.number,))),
        "transfer": entry.transfer, **_digest_secrets(entry, realm),
    } for entry in plan.extension})
    numbers = {row_id: number for number, row_id in sync.ids(EXTENSIONS).items()}
    sync.write(
        CALLNOW, _callnow_rows(sync, plan.extension, new_id), lambda key: f"callnow of {numbers[key[0]]}", keep=True,
    )


def kept_hashes(conn: Connection) -> dict[str, str]:
    """The hash of each callback password, by extension."""
    rows = conn.execute(select(tables.extensions.c.number, tables.extensions.c.callback))
    return {row.number: row.callback["password_hash"] for row in rows if row.callback.get("password_hash")}


def with_hashes(plan: Plan, kept: Mapping[str, str]) -> Plan:
    """The plan with its callback passwords hashed, which is no work for a database job of a running server."""

    def hashed(entry: ExtensionEntry) -> ExtensionEntry:
        if entry.callback is None or not entry.callback.password:
            return entry
        password = Kept(keep_hash(kept.get(entry.number, ""), entry.callback.password))
        return replace(entry, callback=replace(entry.callback, password=password))

    return replace(plan, extension=None if plan.extension is None else tuple(map(hashed, plan.extension)))


def _caller_id(rules: CallerId, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The rules as their column keeps them; a number that was approved `before` stays so while it stays."""
    kept = before["caller_id"] if before else {}
    approved = rules.approved or (kept.get("approved", False) and kept.get("number") == rules.number)
    return _json(replace(rules, approved=approved))


def _digest_secrets(entry: ExtensionEntry, realm: str) -> dict[str, str]:
    """H(user:realm:password) for both digests (RFC 7616 3.4.2, RFC 8760): the password itself is not kept."""
    if not entry.password:
        return {"ha1_md5": "", "ha1_sha256": ""}
    if isinstance(entry.password, Kept):
        return {"ha1_md5": entry.password[:32], "ha1_sha256": entry.password[32:]}
    secret = f"{entry.number}:{realm}:{entry.password}".encode()
    return {"ha1_md5": md5(secret).hexdigest(), "ha1_sha256": sha256(secret).hexdigest()}


def _callback(entry: CallbackEntry | None, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings as their column keeps them; the hash of a password that has not changed stays."""
    if entry is None:
        return {}
    kept: str = before["callback"].get("password_hash", "") if before else ""
    hashed = str(entry.password) if isinstance(entry.password, Kept) else keep_hash(kept, entry.password)
    return _json(settings_of(entry, hashed))


def _callnow_rows(
    sync: Sync, entries: tuple[ExtensionEntry, ...], new_id: Callable[[], str],
) -> dict[tuple[int], dict[str, Any]]:
    """The settings of every extension that has or had some; an ID, once allocated, is kept (SPEC 4)."""
    ids = sync.ids(EXTENSIONS)
    there = sync.rows(CALLNOW, [(ids[entry.number],) for entry in entries])
    written = {entry.callnow.id for entry in entries if entry.callnow and entry.callnow.id}
    taken = {row["page_id"] for row in there.values()} | written
    wanted: dict[tuple[int], dict[str, Any]] = {}
    for entry in entries:
        key = (ids[entry.number],)
        kept = there[key]["page_id"] if key in there else ""
        if entry.callnow is not None:
            page_id = entry.callnow.id or ("" if kept in written else kept) or _fresh(new_id, taken)
            wanted[key] = _callnow_row(entry.callnow, page_id)
        elif key in there:
            wanted[key] = {"enabled": False, **({"page_id": _fresh(new_id, taken)} if kept in written else {})}
    _make_way(sync, there, wanted)
    return wanted


def _callnow_row(settings: CallNowEntry, page_id: str) -> dict[str, Any]:
    return {"page_id": page_id, **_without(plain_money(_json(settings)), "id")}


def _fresh(new_id: Callable[[], str], taken: set[str]) -> str:
    while (page_id := new_id()) in taken:
        pass
    taken.add(page_id)
    return page_id


def _make_way(sync: Sync, there: Mapping[Any, dict[str, Any]], wanted: Mapping[Any, dict[str, Any]]) -> None:
    """An ID may move from one extension to another: free those that move, as no two rows may share one for a moment."""
    table = tables.callnow
    kept = {row.get("page_id") for row in wanted.values()}
    for key, row in there.items():
        if row["page_id"] in kept and wanted.get(key, {}).get("page_id") != row["page_id"]:
            sync.conn.execute(update(table).where(table.c.extension_id == key[0]).values(page_id=f"~{key[0]}"))


def _numbers(sync: Sync, plan: Plan) -> None:
    extensions, trunks = sync.ids(EXTENSIONS), sync.ids(TRUNKS)
    names = {trunk_id: name for name, trunk_id in trunks.items()}
    if plan.did is not None:
        payers, rows = sync.ids(ACCOUNTS), sync.rows(EXTENSIONS, [(entry.extension,) for entry in plan.did])
        sync.write(DIDS, {(entry.number,): {
            "account_id": payers[entry.account] if entry.account else rows[entry.extension,]["account_id"],
            "extension_id": extensions[entry.extension] if entry.extension else None,
            "trunk_id": trunks[entry.trunk] if entry.trunk else None,
        } for entry in plan.did})
    if plan.route is not None:
        sync.write(ROUTES, {
            (entry.prefix, trunks[entry.trunk], entry.interval): {"priority": entry.priority, "weight": entry.weight}
            for entry in plan.route
        }, lambda key: f"route {key[0] or '(any)'} {names[key[1]]} {key[2]}".rstrip())


def post_credit(conn: Connection, plan: Plan, at: float) -> list[str]:
    """Post each opening balance once; later it is money, and a file does not change money."""
    lines = []
    ids = {name: row_id for row_id, name in conn.execute(select(tables.accounts.c.id, tables.accounts.c.name))}
    for entry in plan.account or ():
        opening = order_amount(conn, ids[entry.name], OPENING)
        credit = Micros(int(entry.credit or 0))
        if opening is None and credit:
            recharge(conn, ids[entry.name], credit, OPENING, at)
            lines.append(f"credited  account {entry.name}: opening balance {format_money(credit, entry.currency)}")
        elif opening is not None and entry.credit is not None and opening != credit:
            lines.append(
                f"note      account {entry.name}: credit {format_money(credit)} changes nothing, the opening balance "
                f"of {format_money(opening, entry.currency)} was posted once; recharge the account instead: "
                f"ringback account recharge {quote(entry.name)} AMOUNT"
            )
    return lines


def _links(conn: Connection, directory: Directory, base_url: str) -> list[str]:
    """The personal URL of every enabled CallNow (SPEC 3, 24), and what it may cost (SPEC 7)."""
    lines = []
    for extension in directory.extensions.values():
        settings, account = extension.callnow, directory.accounts[extension.account_id]
        if not settings.enabled:
            continue
        lines.append(f"CallNow   {extension.number}: {base_url.rstrip('/')}/callnow/{settings.id}")
        if not account.call_api:
            lines.append(f"note      this page is not found while account {account.name} has no CallAPI access")
        if not settings.image_validation:
            lines.append(f"WARNING   {extension.number}: {cost_warning(conn, directory, extension, account)}")
    return lines


def cost_warning(conn: Connection, directory: Directory, extension: Extension, account: Account) -> str:
    """What a page without image validation may cost (SPEC 7, A12.2)."""
    day = worst_of_day(directory, extension)
    left, currency = balance(conn, account.id).available, account.currency
    ends = "" if left is None or left >= day.cost else f", ended by the account's {format_money(left, currency)}"
    return (
        f"image validation is off: the owner WILL be charged for every call, "
        f"no exceptions. Worst case {format_money(day.cost, currency)} a day ({day.calls} calls of "
        f"{day.talk_s} s to the dearest number){ends}"
    )
