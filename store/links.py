"""Signed links to CallNow pages, with the keys that sign them (SPEC A12.7). A use is counted here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, or_, select, update

from store.tables import link_keys, links

__all__ = [
    "Link", "add_link", "current_key", "find_link", "give_back", "keys", "list_links", "revoke_link", "rotate_key",
    "use_link",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Link:
    """One link; its token is kept nowhere."""

    id: str
    """12 hex digits."""
    extension_id: int
    key_id: int
    uses: int
    made: float
    expires: float
    number: str = ""
    """The only visitor's number it is for, as the dial plan keeps it; empty: whichever the visitor gives."""
    name: str = ""
    label: str = ""
    used: int = 0
    last_used: float | None = None
    revoked: float | None = None

    @property
    def left(self) -> int:
        """How many uses are left."""
        return max(0, self.uses - self.used)


def keys(conn: Connection) -> Mapping[int, bytes]:
    """Every key there ever was; one that signs nothing any more is empty."""
    return {row.id: row.secret for row in conn.execute(select(link_keys.c.id, link_keys.c.secret))}


def current_key(conn: Connection, fresh: bytes, at: float) -> tuple[int, bytes]:
    """The key that signs; `fresh` becomes it where there is none yet."""
    newest = select(link_keys.c.id, link_keys.c.secret).order_by(link_keys.c.id.desc()).limit(1)
    row = conn.execute(newest).first()
    return (row.id, row.secret) if row else (_add_key(conn, fresh, at), fresh)


def rotate_key(conn: Connection, fresh: bytes, at: float, *, keep: bool) -> int:
    """Sign with a new key from now on; `keep`: links of older ones still work. How many links stopped working."""
    dead: int = 0
    if not keep:
        live = select(link_keys.c.id).where(link_keys.c.secret != b"")
        dead = conn.execute(select(func.count()).select_from(links).where(
            links.c.key_id.in_(live), links.c.revoked.is_(None), links.c.expires > at, links.c.used < links.c.uses,
        )).scalar_one()  # fmt: skip
        conn.execute(update(link_keys).values(secret=b""))
    _add_key(conn, fresh, at)
    return dead


def _add_key(conn: Connection, secret: bytes, at: float) -> int:
    added = insert(link_keys).values(secret=secret, made=at).returning(link_keys.c.id)
    key_id: int = conn.execute(added).scalar_one()
    return key_id


def add_link(conn: Connection, link: Link) -> None:
    """Keep a new link."""
    conn.execute(insert(links).values({name: getattr(link, name) for name in Link.__slots__}))


def find_link(conn: Connection, link_id: str) -> Link | None:
    """One link, None for an unknown one."""
    row = conn.execute(select(links).where(links.c.id == link_id)).mappings().one_or_none()
    return None if row is None else Link(**row)


def list_links(
    conn: Connection, extension_id: int, *, text: str = "", over_at: float | None = None
) -> list[tuple[Link, bool]]:
    """The links of an extension whose label, name or number contains `text`, newest first; has its key gone?

    `over_at`: only those that can still be used at that moment.
    """
    live = link_keys.c.secret != b""
    query = select(links, live.label("live")).join(link_keys, link_keys.c.id == links.c.key_id).where(
        links.c.extension_id == extension_id,
        or_(*(column.contains(text, autoescape=True) for column in (links.c.label, links.c.name, links.c.number))),
    )  # fmt: skip
    if over_at is not None:
        query = query.where(
            live, links.c.revoked.is_(None), links.c.expires > over_at, links.c.used < links.c.uses,
        )  # fmt: skip
    rows = conn.execute(query.order_by(links.c.made.desc(), links.c.id)).mappings()
    return [(Link(**{name: row[name] for name in Link.__slots__}), not row["live"]) for row in rows]


def use_link(conn: Connection, link_id: str, at: float) -> bool:
    """Use it once: False, and nothing changed, when it is used up, revoked or over. One statement, so that of two
    clicks on the last use one is told no."""
    return bool(conn.execute(update(links).where(
        links.c.id == link_id, links.c.used < links.c.uses, links.c.revoked.is_(None), links.c.expires > at,
    ).values(used=links.c.used + 1, last_used=at)).rowcount)  # fmt: skip


def give_back(conn: Connection, link_id: str) -> None:
    """A use that rang nobody is none."""
    conn.execute(update(links).where(links.c.id == link_id, links.c.used > 0).values(used=links.c.used - 1))


def revoke_link(conn: Connection, extension_id: int, link_id: str, at: float) -> bool:
    """It works no longer; False where the extension has no such link. Once revoked, it keeps its moment."""
    return bool(conn.execute(update(links).where(
        links.c.id == link_id, links.c.extension_id == extension_id,
    ).values(revoked=func.coalesce(links.c.revoked, at))).rowcount)  # fmt: skip
