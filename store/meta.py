"""Single settings of the whole server, by key."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from store.tables import meta

__all__ = [
    "ADMIN_TOKEN_HASH", "CALLER_QUOTA", "CONFIG_VERSION", "EDGE_PROXIES", "REALM", "SERVICE_ROUTE", "TIME_ZONE",
    "forget_meta", "read_meta", "write_meta",
]

ADMIN_TOKEN_HASH = "admin_token_sha256"
CALLER_QUOTA = "caller_quota"
CONFIG_VERSION = "config_version"
EDGE_PROXIES = "edge_proxies"
"""Networks, with spaces between."""
REALM = "realm"
SERVICE_ROUTE = "service_route"
TIME_ZONE = "time_zone"


_VALUE = select(meta.c.value).where(meta.c.key == bindparam("name"))  # asked for twice a second


def read_meta(conn: Connection, key: str) -> str | None:
    """The setting, None when it was never written."""
    return conn.execute(_VALUE, {"name": key}).scalar_one_or_none()


def write_meta(conn: Connection, key: str, value: str) -> None:
    """Keep the setting."""
    if not conn.execute(update(meta).where(meta.c.key == key).values(value=value)).rowcount:
        conn.execute(insert(meta).values(key=key, value=value))


def forget_meta(conn: Connection, key: str) -> None:
    """Let the setting be as if it was never written."""
    conn.execute(delete(meta).where(meta.c.key == key))
