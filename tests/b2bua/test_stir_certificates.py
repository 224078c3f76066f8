"""Whose certificates are believed, and for which numbers (RFC 8226)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from b2bua.stir.certificates import BadCertificate, read_certificates, signer_of
from tests.stir_pki import NOW, Issued, issue, pem, tn_auth_list

CARRIER = tn_auth_list(spc="709J")
ROOT = issue("root", ca=True)
MIDDLE = issue("middle", ROOT, ca=True)
LEAF = issue("leaf", MIDDLE, numbers=CARRIER)
STRANGER = issue("root", ca=True)
"""Of the same name."""


def judged(*chain: Issued, roots: tuple[Issued, ...] = (ROOT,), now: float = NOW) -> str:
    """Why a chain proves nothing; empty where it does."""
    try:
        signer_of([each.certificate for each in chain], [each.certificate for each in roots], now)
    except BadCertificate as error:
        return str(error)
    return ""


SHORT = issue("short", ROOT, ca=True, path_length=0)
BELOW = issue("below", SHORT, ca=True)


@pytest.mark.parametrize(("chain", "sentence"), [
    pytest.param((LEAF, MIDDLE), "", id="by an authority of a root's"),
    pytest.param((issue("leaf", ROOT, numbers=CARRIER),), "", id="by the root itself"),
    pytest.param((LEAF, ROOT, MIDDLE), "", id="in any order"),
    pytest.param((issue("leaf", SHORT, numbers=CARRIER), SHORT), "", id="as deep as it may be"),
    pytest.param((LEAF,), "it leads to no root that we know", id="a link is missing"),
    pytest.param((issue("leaf", STRANGER, numbers=CARRIER),), "it leads to no root that we know", id="a namesake"),
    pytest.param((issue("self", numbers=CARRIER),), "it leads to no root that we know", id="by itself"),
    pytest.param((issue("leaf", (plain := issue("plain", ROOT)), numbers=CARRIER), plain),
                 "it was issued by somebody who is no authority", id="by a customer"),
    pytest.param((issue("leaf", BELOW, numbers=CARRIER), BELOW, SHORT), "it was issued by somebody who is no authority",
                 id="deeper than it may be"),
    pytest.param((issue("old", ROOT, numbers=CARRIER, days=(-9, -1)),), "CN=old is not valid now", id="too old"),
    pytest.param((issue("new", ROOT, numbers=CARRIER, days=(1, 9)),), "CN=new is not valid now", id="too new"),
    pytest.param((issue("leaf", (old := issue("oldca", ROOT, ca=True, days=(-9, -1))), numbers=CARRIER), old),
                 "CN=oldca is not valid now", id="by an old authority"),
    pytest.param((issue("leaf", ROOT, numbers=CARRIER, curve=ec.SECP384R1()),),
                 "its key is not of P-256, as ES256 needs", id="another curve"),
    pytest.param((issue("leaf", ROOT),), "it names no numbers and no provider (TNAuthList)", id="for no numbers"),
    pytest.param((issue("leaf", ROOT, numbers=b"\x30\x05\xa0"),), "its TNAuthList cannot be read: it is cut off",
                 id="a list cut off"),
    pytest.param((issue("leaf", ROOT, numbers=b"\x30\x84\xff\xff\xff\xff"),),
                 "its TNAuthList cannot be read: a length of no end", id="a list without end"),
    pytest.param((issue("leaf", ROOT, numbers=b"\x30\x04\xa7\x02\x16\x00"),),
                 "its TNAuthList cannot be read: an entry 0xa7", id="a list of something else"),
    pytest.param((MIDDLE,), "it is an authority's, which signs certificates and no calls", id="an authority's"),
])  # fmt: skip
def test_a_chain(chain: tuple[Issued, ...], sentence: str) -> None:
    assert judged(*chain) == sentence


def test_a_chain_has_an_end() -> None:
    chain = [issue("0", ROOT, ca=True)]
    for n in range(1, 7):
        chain.insert(0, issue(str(n), chain[0], ca=True))
    assert judged(issue("leaf", chain[0], numbers=CARRIER), *chain) == "its chain is too long"


def test_an_old_root_is_none() -> None:
    old = issue("old root", ca=True, days=(-9, -1))
    assert judged(issue("leaf", old, numbers=CARRIER), roots=(old,)) == "CN=old root is not valid now"


@pytest.mark.parametrize(("numbers", "number", "may"), [
    pytest.param(CARRIER, "12025550100", True, id="a carrier, for any number"),
    pytest.param(tn_auth_list(one=("12025550100",)), "12025550100", True, id="its one number"),
    pytest.param(tn_auth_list(one=("12025550100",)), "12025550101", False, id="another number"),
    pytest.param(tn_auth_list(ranges={"12025550100": 10}), "12025550109", True, id="the last of a range"),
    pytest.param(tn_auth_list(ranges={"12025550100": 10}), "12025550110", False, id="behind a range"),
    pytest.param(tn_auth_list(ranges={"12025550100": 10}), "12025550099", False, id="before a range"),
    pytest.param(tn_auth_list(ranges={"999": 10}), "1005", False, id="a range does not grow longer numbers"),
    pytest.param(tn_auth_list(one=("1", "2")), "2", True, id="one of several"),
    pytest.param(tn_auth_list(one=("1",)), "sip:a@h", False, id="no number at all"),
    pytest.param(tn_auth_list(spc="1", one=("1",)), "5", True, id="a carrier that has a number too"),
])  # fmt: skip
def test_for_which_numbers_a_certificate_is(numbers: bytes, number: str, may: bool) -> None:
    signer = signer_of([issue("leaf", ROOT, numbers=numbers).certificate], [ROOT.certificate], NOW)
    assert signer.may_sign_for(number) is may


def test_files_without_certificates_are_told() -> None:
    assert len(read_certificates(pem(LEAF, MIDDLE))) == 2
    with pytest.raises(BadCertificate, match="no certificate in PEM"):
        read_certificates(b"nothing")
