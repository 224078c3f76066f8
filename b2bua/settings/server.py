"""What holds for the whole server: [server] of the file, as the operator sees and changes it."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, func, select

from b2bua.office.desk import Holder, NotDone
from b2bua.plan.apply import carry_out, check_result
from b2bua.plan.entries import Plan
from b2bua.plan.reader import read_server
from b2bua.settings.change import refused
from b2bua.settings.desk import ServerSettings
from b2bua.settings.documents import Document
from sip_stack.grammar import comma_list
from store.directory import DEFAULT_REALM, DEFAULT_ZONE, raise_version
from store.meta import CALLER_QUOTA, EDGE_PROXIES, REALM, SERVICE_ROUTE, TIME_ZONE, forget_meta, read_meta
from store.tables import extensions

__all__ = ["change_server", "server_settings"]

_DEFAULTS = ServerSettings(DEFAULT_REALM, None, [], [], DEFAULT_ZONE)


def server_settings(conn: Connection, who: Holder) -> ServerSettings:
    """As they are.  Raises: NotDone 403."""
    if who.account_id is not None:
        raise NotDone("Only the operator sees and changes the server's settings.", 403)
    quota, routes = read_meta(conn, CALLER_QUOTA), read_meta(conn, SERVICE_ROUTE)
    return ServerSettings(
        read_meta(conn, REALM) or DEFAULT_REALM, int(quota) if quota else None,
        (read_meta(conn, EDGE_PROXIES) or "").split(), comma_list(routes) if routes else [],
        read_meta(conn, TIME_ZONE) or DEFAULT_ZONE,
    )  # fmt: skip


def change_server(conn: Connection, who: Holder, change: Document) -> ServerSettings:
    """Change some of them; null is the default.  Raises: NotDone."""
    before = server_settings(conn, who)
    defaults = asdict(_DEFAULTS)
    values = {name: defaults.get(name) if value is None else value for name, value in change.items()}
    no_quota = "caller_quota" in values and values["caller_quota"] is None
    if no_quota:
        del values["caller_quota"]
    with refused(("server",)):
        plan = Plan(filename="", lines={}, whole=False, **read_server(values))
    _check_realm(conn, before.realm, plan.realm)
    with refused():
        carry_out(conn, plan, 0.0, str)
        check_result(conn, plan)
    if no_quota and before.caller_quota is not None:
        forget_meta(conn, CALLER_QUOTA)
        raise_version(conn)
    return server_settings(conn, who)


def _check_realm(conn: Connection, before: str, after: str | None) -> None:
    """Digests of passwords are made for a realm: no phone could register any more.  Raises: NotDone 409."""
    if after in (None, before):
        return
    made = conn.execute(select(func.count()).select_from(extensions).where(extensions.c.ha1_md5 != "")).scalar_one()
    if made:
        raise NotDone(
            f"realm: passwords of {made} extensions are kept for realm {before}; change it by a whole document that "
            "has these passwords.", 409, "realm",
        )  # fmt: skip
