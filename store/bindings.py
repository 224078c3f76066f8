"""Registrations that survive a restart."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, insert, select

from store.tables import bindings
from store.text import storable

__all__ = ["Binding", "load_bindings", "remove_bindings", "save_binding"]


@dataclass(frozen=True, slots=True)
class Binding:
    """One contact of one extension (RFC 3261 10.3)."""

    number: str
    """The extension, for example `001*002`."""
    contact: str
    """The Contact URI as it was registered."""
    received: str
    """Where requests to it are really sent: transport, address and port as the SIP floor writes them."""
    expires: float
    """Unix time."""
    call_id: str = ""
    cseq: int = 0
    user_agent: str = ""
    path: str = ""
    instance: str = ""
    reg_id: int = 0
    seen_ip: str = ""


def save_binding(conn: Connection, binding: Binding) -> None:
    """Add the contact, or refresh it."""
    remove_bindings(conn, binding.number, binding.contact, binding.reg_id)
    conn.execute(insert(bindings), {name: storable(value) for name, value in asdict(binding).items()})


def remove_bindings(conn: Connection, number: str, contact: str | None = None, reg_id: int = 0) -> None:
    """Forget one contact of an extension, or all of them."""
    gone = delete(bindings).where(bindings.c.number == number)
    one = gone.where(bindings.c.contact == contact, bindings.c.reg_id == reg_id)
    conn.execute(gone if contact is None else one)


def load_bindings(conn: Connection, now: float) -> list[Binding]:
    """Every contact still valid; what has expired is left for the next refresh to overwrite."""
    rows = conn.execute(select(bindings).where(bindings.c.expires > now).order_by(
        bindings.c.number, bindings.c.contact, bindings.c.reg_id,
    )).mappings()
    return [Binding(**{name: found[name] for name in Binding.__slots__}) for found in rows]
