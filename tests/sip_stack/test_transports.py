"""Several transports of one core, and certificates that are renewed."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from sip_stack.hop import Hop
from sip_stack.transports import Certificate, by_transport
from tests.sip_stack.certificates import certificate

UDP, TCP = Hop("UDP", "192.0.2.1", 5060), Hop("TCP", "192.0.2.1", 5060)


def test_each_hop_by_its_transport() -> None:
    sent: list[tuple[str, bytes]] = []
    send = by_transport({
        "UDP": lambda data, hop: sent.append(("by UDP", data)), "TCP": lambda data, hop: sent.append(("by TCP", data)),
    })
    send(b"1", UDP)
    send(b"2", TCP)
    assert sent == [("by UDP", b"1"), ("by TCP", b"2")]


def test_a_single_transport_costs_nothing_more() -> None:
    sent: list[bytes] = []

    def send(data: bytes, hop: Hop) -> None:
        sent.append(data)

    assert by_transport({"UDP": send}) is send


def test_a_renewed_certificate_is_taken_and_a_broken_one_is_not(tmp_path: Path) -> None:
    crt, key = certificate(tmp_path, "pbx.test")
    served = Certificate(crt, key)
    assert served.renew() is False
    whole = crt.read_bytes()
    crt.write_bytes(b"half of it")
    with pytest.raises(ssl.SSLError):
        served.renew()
    crt.write_bytes(whole)
    os.utime(crt, ns=(1, 1))
    assert served.renew() is True
    assert served.renew() is False


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Certificate(tmp_path / "no.crt", tmp_path / "no.key")
