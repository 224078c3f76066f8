"""Registrations survive a restart."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from store.bindings import Binding, load_bindings, remove_bindings, save_binding

DESK = Binding("001*002", "sip:john@192.0.2.7:5062", "udp:192.0.2.7:5062", 100.0, "a@b", 7, "baresip", "<sip:edge;lr>")
MOBILE = replace(DESK, contact="sip:john@192.0.2.8", expires=200.0)
OTHER = replace(DESK, number="001*003")


def test_saved_refreshed_and_removed(conn: Connection) -> None:
    for binding in (DESK, MOBILE, OTHER):
        save_binding(conn, binding)
    assert load_bindings(conn, 50.0) == [DESK, MOBILE, OTHER]
    later = replace(DESK, expires=300.0, cseq=8)
    save_binding(conn, later)
    assert load_bindings(conn, 50.0) == [later, MOBILE, OTHER]
    remove_bindings(conn, "001*002", DESK.contact)
    assert load_bindings(conn, 50.0) == [MOBILE, OTHER]
    remove_bindings(conn, "001*002")
    assert load_bindings(conn, 50.0) == [OTHER]


def test_the_expired_are_not_loaded(conn: Connection) -> None:
    save_binding(conn, DESK)
    save_binding(conn, MOBILE)
    assert load_bindings(conn, 100.0) == [MOBILE]
