"""RFC 2617, 7616 and 8760: digest, by the examples of the RFCs."""

from __future__ import annotations

import pytest

from sip_stack.digest import Challenge, Credentials, NonceMaker, answer, ha1, parse_challenge, parse_proof, proves
from sip_stack.errors import BadMessage

MUFASA_2617 = (
    'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",'
    ' uri="/dir/index.html",'
    ' qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1",'
    ' opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
MUFASA_7616 = (
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={algorithm},'
    ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,'
    ' cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",'
    ' qop=auth, response="{response}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
SHA = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


@pytest.mark.parametrize(("value", "realm", "password", "algorithm"), [
    pytest.param(MUFASA_2617, "testrealm@host.com", "Circle Of Life", "MD5", id="RFC 2617 3.5"),
    pytest.param(MUFASA_7616.format(algorithm="MD5", response="8ca523f5e9506fed4657c9700eebdbec"),
                 "http-auth@example.org", "Circle of Life", "MD5", id="RFC 7616 3.9.1 MD5"),
    pytest.param(MUFASA_7616.format(algorithm="SHA-256", response=SHA),
                 "http-auth@example.org", "Circle of Life", "SHA-256", id="RFC 7616 3.9.1 SHA-256"),
])  # fmt: skip
def test_the_rfc_examples_prove(value: str, realm: str, password: str, algorithm: str) -> None:
    proof = parse_proof(value)
    assert proof.algorithm == algorithm
    assert proves(proof, ha1("Mufasa", realm, password, algorithm), "GET")
    assert not proves(proof, ha1("Mufasa", realm, password + "x", algorithm), "GET")
    assert not proves(proof, ha1("Mufasa", realm, password, algorithm), "POST")


def test_we_give_the_answer_of_rfc_7616() -> None:
    challenge = Challenge(
        "http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "SHA-256", "auth", "FQhe"
    )
    given = answer(challenge, Credentials("Mufasa", "Circle of Life"), "GET", "/dir/index.html",
                   "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")  # fmt: skip
    assert parse_proof(given).response == SHA
    assert 'opaque="FQhe"' in given


@pytest.mark.parametrize("qop", ["", "auth"])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_an_answer_to_our_challenge_proves(algorithm: str, qop: str) -> None:
    challenge = parse_challenge(str(Challenge('re"alm', "n", algorithm, qop, "o", stale=True)))
    assert challenge == Challenge('re"alm', "n", algorithm, qop, "o", stale=True)
    assert challenge is not None
    proof = parse_proof(answer(challenge, Credentials("bob", "zanzibar"), "REGISTER", "sip:h;transport=UDP", "c"))
    assert proves(proof, ha1("bob", 're"alm', "zanzibar", algorithm), "REGISTER")
    assert (proof.uri, proof.qop, proof.nc) == ("sip:h;transport=UDP", qop, "00000001" if qop else "")


@pytest.mark.parametrize(("value", "challenge"), [
    pytest.param('Digest realm="r", nonce="n"', Challenge("r", "n"), id="RFC 2069: no qop, no algorithm"),
    pytest.param('digest realm="r",nonce="n",algorithm="md5",qop="auth-int, auth",stale=TRUE',
                 Challenge("r", "n", "MD5", "auth", "", True), id="case, quoted algorithm, two qop"),
    pytest.param('Digest realm="r", nonce="n", algorithm=SHA-512-256', None, id="an algorithm we do not have"),
    pytest.param('Digest realm="r", nonce="n", qop="auth-int"', None, id="a qop we do not have"),
])  # fmt: skip
def test_parse_challenge(value: str, challenge: Challenge | None) -> None:
    assert parse_challenge(value) == challenge


@pytest.mark.parametrize(
    "value", ['Basic realm="r"', "Digest", 'Digest realm="r', 'Digest realm="r" nonce="n"', 'Digest realm="r"']
)
def test_parse_challenge_refuses(value: str) -> None:
    with pytest.raises(BadMessage):
        parse_challenge(value)


@pytest.mark.parametrize("missing", ["username", "realm", "nonce", "uri", "response"])
def test_parse_proof_needs(missing: str) -> None:
    with pytest.raises(BadMessage, match=missing):
        parse_proof(MUFASA_2617.replace(missing + "=", "x="))


@pytest.mark.parametrize(("old", "new"), [("qop=auth", "qop=auth-int"), ("qop=auth", "qop=auth, algorithm=SHA-1"),
                                          ("6629fae4", "\udcff")])  # fmt: skip
def test_what_we_cannot_check_does_not_prove(old: str, new: str) -> None:
    assert not proves(parse_proof(MUFASA_2617.replace(old, new)), "x", "GET")


def test_nonces() -> None:
    maker = NonceMaker(b"key", life_s=300)
    nonce = maker.make(1_000_000.0)
    assert maker.state(nonce, 1_000_300.0) == "fresh"
    assert maker.state(nonce, 1_000_301.0) == "stale"
    assert maker.state(nonce, 999_999.0) == "stale"
    for foreign in (
        "",
        "x",
        nonce + "0",
        "zz." + nonce.partition(".")[2],
        NonceMaker(b"other").make(1_000_000.0),
        "\udcff.\udcff",
    ):
        assert maker.state(foreign, 1_000_000.0) == "foreign"


def test_a_nonce_is_good_for_what_it_is_bound_to() -> None:
    maker = NonceMaker(b"key")
    nonce = maker.make(1_000_000.0, "192.0.2.1")
    assert maker.state(nonce, 1_000_000.0, "192.0.2.1") == "fresh"
    assert maker.state(nonce, 1_000_301.0, "192.0.2.1") == "stale"
    assert maker.state(nonce, 1_000_000.0, "192.0.2.2") == "foreign"
    assert maker.state(nonce, 1_000_000.0) == "foreign"
