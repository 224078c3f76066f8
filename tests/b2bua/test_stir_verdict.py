"""Each end of a verification, by table (RFC 8224 6.2); where certificates come from; the files of the server."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from b2bua.explain import PROOFS
from b2bua.stir.certificates import BadCertificate, Signer
from b2bua.stir.fetch import CertificateStore, NotFetched, fetch, is_public
from b2bua.stir.passport import Passport, sign
from b2bua.stir.service import BadFiles, Stir, StirFiles
from b2bua.stir.verdict import Finding, NotVerified, Said, Verdict, read_claim
from tests.sip_stack.certificates import certificate
from tests.stir_pki import NOW, Issued, issue, pem, tn_auth_list

X5U = "https://cert.example.org/shaken.pem"
ROOT = issue("root", ca=True)
LEAF = issue("leaf", ROOT, numbers=tn_auth_list(ranges={"12025550100": 10}))
CALL = Passport("12025550100", ("12025550199",), int(NOW), X5U, "A", "1")
PLAIN = replace(CALL, attest="", origid="")


def said(passport: Passport = CALL, by: Issued = LEAF, *, compact: bool = False, more: str = "") -> Said:
    identity = str(sign(passport, by.key, compact=compact)) + more
    return Said((identity,), "12025550100", frozenset({"12025550199", "1"}), None)


class Certificates:
    """In the place of the web."""

    def __init__(self, **at: Signer | Verdict) -> None:
        self.at = at

    async def signer(self, url: str) -> Signer:
        assert url == X5U
        found = self.at["found"]
        if isinstance(found, Verdict):
            raise NotVerified(found.finding, found.why)
        return found

    def forget(self) -> None:
        pass


def stir_with(tmp_path: Path, found: Signer | Verdict | None = None) -> Stir:
    (tmp_path / "roots.pem").write_bytes(pem(ROOT))
    stir = Stir(StirFiles(roots=str(tmp_path / "roots.pem")), lambda: NOW)
    stir._certificates = Certificates(found=found or stir.signer_of(pem(LEAF), NOW))  # type: ignore[assignment]
    return stir


OTHER = issue("other", ROOT, numbers=tn_auth_list(one=("1",)))
UNKNOWN = Passport("12025550100", ("12025550199",), int(NOW), "https://other.example/c", "A", "1")


@pytest.mark.parametrize(("claims", "verdict"), [
    pytest.param(said(), "verified-A", id="all is well"),
    pytest.param(said(replace(CALL, attest="C")), "verified-C", id="as far as the signer knows"),
    pytest.param(said(PLAIN), "verified", id="no SHAKEN"),
    pytest.param(said(replace(CALL, iat=int(NOW) - 60)), "verified-A", id="a minute old"),
    pytest.param(said(replace(CALL, iat=int(NOW) + 60)), "verified-A", id="a clock that is a minute ahead"),
    pytest.param(said(replace(CALL, dest=("5", "1"))), "verified-A", id="one of those called"),
    pytest.param(replace(said(), identities=()), "not-signed", id="no Identity"),
    pytest.param(said(replace(CALL, iat=int(NOW) - 61)), "stale", id="older"),
    pytest.param(said(replace(CALL, iat=int(NOW) + 61)), "stale", id="from the future"),
    pytest.param(said(replace(CALL, orig="12025550101")), "other-caller", id="another caller"),
    pytest.param(replace(said(), orig=""), "other-caller", id="nobody we could compare with"),
    pytest.param(said(replace(CALL, dest=("12025550198",))), "other-called", id="a call to somebody else"),
    pytest.param(said(by=issue("thief")), "bad-signature", id="another's key"),
    pytest.param(replace(said(), identities=("nonsense",)), "bad-signature", id="no Identity that can be read"),
    pytest.param(replace(said(), identities=("nonsense", *said().identities)), "verified-A", id="after nonsense"),
    pytest.param(replace(said(), identities=("e30.e30.x;info=<https://h>;ppt=div",)), "not-signed", id="another kind"),
    pytest.param(replace(said(), identities=("e30.e30.x;info=<https://h>;ppt=div", *said().identities)), "verified-A",
                 id="after another kind"),
    pytest.param(replace(said(), identities=(said().identities[0].replace(X5U, "https://h/c"),)), "bad-signature",
                 id="info names another certificate"),
    pytest.param(replace(said(), identities=(said().identities[0].replace(";ppt=shaken", ""),)), "bad-signature",
                 id="ppt is missing"),
    pytest.param(said(replace(CALL, attest="D")), "bad-signature", id="an attestation of another world"),
    pytest.param(replace(said(replace(PLAIN, dest=("1", "12025550199")), compact=True), date=NOW), "verified",
                 id="a compact one"),
    pytest.param(said(PLAIN, compact=True), "bad-signature", id="a compact one without Date"),
    pytest.param(replace(said(CALL, compact=True), date=NOW), "bad-signature", id="a compact SHAKEN one"),
    pytest.param(replace(said(replace(PLAIN, dest=("1", "12025550199")), compact=True), date=NOW - 61.0), "stale",
                 id="an old compact one"),
])  # fmt: skip
async def test_what_a_signature_is_worth(claims: Said, verdict: str, tmp_path: Path) -> None:
    assert str(await stir_with(tmp_path).verify(claims)) == verdict


@pytest.mark.parametrize(("found", "verdict"), [
    pytest.param(Verdict(Finding.NO_CERTIFICATE, why="silent"), "no-certificate", id="not fetched"),
    pytest.param(Verdict(Finding.UNTRUSTED, why="old"), "untrusted-certificate", id="not believed"),
    pytest.param(Signer(LEAF.key.public_key(), NOW, (), (("5", 1),)), "untrusted-certificate", id="not for the number"),
])  # fmt: skip
async def test_a_certificate_that_proves_nothing(found: Signer | Verdict, verdict: str, tmp_path: Path) -> None:
    assert str(await stir_with(tmp_path, found).verify(said())) == verdict


def test_every_verdict_has_its_sentence_and_its_status() -> None:
    verdicts = {str(Verdict(finding, attest)) for finding in Finding for attest in ("", "A", "B", "C")}
    assert verdicts | {""} == PROOFS.keys()
    assert {finding: finding.refusal[0] for finding in Finding if finding is not Finding.PASSED} == {
        "not-signed": 428, "stale": 403, "other-caller": 438, "other-called": 438, "no-certificate": 436,
        "untrusted-certificate": 437, "bad-signature": 438,
    }  # fmt: skip


def test_a_claim_is_read_before_any_certificate_is_asked_for() -> None:
    with pytest.raises(NotVerified, match="signed for a call to 5"):
        read_claim(said(replace(CALL, dest=("5",))), NOW)


# ---- certificates by URL

@pytest.mark.parametrize(("address", "public"), [
    ("8.8.8.8", True), ("2001:4860:4860::8888", True), ("127.0.0.1", False), ("10.0.0.1", False), ("0.0.0.0", False),
    ("169.254.169.254", False), ("100.64.0.1", False), ("192.0.2.1", False), ("224.0.0.1", False), ("::1", False),
    ("fe80::1", False), ("fd00::1", False), ("::", False), ("ff0e::1", False), ("::ffff:127.0.0.1", False),
    ("::ffff:8.8.8.8", True), ("64:ff9b::7f00:1", False), ("64:ff9b::808:808", True), ("2002:7f00:1::", False),
    ("10.1.0.1", True), ("255.255.255.255", False),
])  # fmt: skip
def test_only_the_internet_is_asked_and_what_is_allowed(address: str, public: bool) -> None:
    assert is_public(address, [ip_network("10.1.0.0/16")]) is public


class Web:
    """A web server by TLS on loopback; `answers` is what each connection gets."""

    def __init__(self, folder: Path) -> None:
        cert, key = certificate(folder, "localhost")
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(cert, key)
        self.trusted = ssl.create_default_context(cafile=cert)
        self.answer = b"HTTP/1.1 200 OK\r\n\r\n" + pem(LEAF)
        self.asked: list[bytes] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Web]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.url = f"https://localhost:{server.sockets[0].getsockname()[1]}/shaken.pem?v=1"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            await self.hold.wait()
            writer.write(self.answer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()


HERE = [ip_network("127.0.0.0/8"), ip_network("::1")]


async def test_a_certificate_is_fetched(tmp_path: Path) -> None:
    async with Web(tmp_path).running() as web:
        web.answer = b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=600\r\n\r\n" + pem(LEAF)
        assert await fetch(web.url, HERE, web.trusted) == (pem(LEAF), 600.0)
        assert web.asked[0].startswith(b"GET /shaken.pem?v=1 HTTP/1.0\r\nHost: localhost:")


@pytest.mark.parametrize(("control", "kept_s"), [
    (b"", 3600.0), (b"Cache-Control: max-age=1\r\n", 30.0), (b"cache-control: s-maxage=9, max-age=\"100\"\r\n", 100.0),
    (b"Cache-Control: no-store\r\n", 30.0), (b"Cache-Control: max-age=999999999\r\n", 86_400.0),
    (b"Cache-Control: public\r\n", 3600.0),
])  # fmt: skip
async def test_for_how_long_it_is_kept(control: bytes, kept_s: float, tmp_path: Path) -> None:
    async with Web(tmp_path).running() as web:
        web.answer = b"HTTP/1.1 200 OK\r\n" + control + b"\r\nx"
        assert await fetch(web.url, HERE, web.trusted) == (b"x", kept_s)


@pytest.mark.parametrize(("answer", "sentence"), [
    pytest.param(b"HTTP/1.1 302 Found\r\nLocation: https://h/\r\n\r\n", "localhost answered HTTP/1.1 302 Found",
                 id="a redirection is not followed"),
    pytest.param(b"HTTP/1.1 404 Not Found\r\n\r\n", "localhost answered HTTP/1.1 404 Not Found", id="not there"),
    pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70_000, "localhost sent more than 65536 bytes", id="too much"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 140_000, "localhost answered no HTTP", id="a head without end"),
    pytest.param(b"220 ready\r\n\r\n", "localhost answered 220 ready", id="no HTTP"),
    pytest.param(b"", "localhost answered no HTTP", id="nothing"),
])  # fmt: skip
async def test_what_is_no_certificate(answer: bytes, sentence: str, tmp_path: Path) -> None:
    async with Web(tmp_path).running() as web:
        web.answer = answer
        with pytest.raises(NotFetched) as failed:
            await fetch(web.url, HERE, web.trusted)
        assert str(failed.value) == sentence


async def test_a_private_address_a_stranger_and_silence_are_no_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    async with Web(tmp_path).running() as web:
        with pytest.raises(NotFetched, match="localhost is at .*, which is no public address"):
            await fetch(web.url, (), web.trusted)
        with pytest.raises(NotFetched, match="certificate verify failed"):
            await fetch(web.url, HERE, ssl.create_default_context())
        assert web.asked == []
        monkeypatch.setattr("b2bua.stir.fetch._WITHIN_S", 0.3)
        web.hold.clear()
        with pytest.raises(NotFetched, match="localhost was silent"):
            await fetch(web.url, HERE, web.trusted)
        web.hold.set()


@pytest.mark.parametrize("url", [
    "http://h/c", "https://", "https://h:99999/", "https://u:p@h/", "ftp://h/", "https://h/ x", "https://h/\r\nX: y",
    "https://[::1", "file:///etc/passwd", "", "https://h:0x/",
])  # fmt: skip
async def test_no_other_url_is_asked(url: str) -> None:
    with pytest.raises(NotFetched, match="is no"):
        await fetch(url, HERE, ssl.create_default_context())


def store_of(web: Web, wall: Callable[[], float], read: Callable[[bytes, float], Signer]) -> CertificateStore:
    return CertificateStore(read, wall, networks=HERE, trusted=web.trusted)


def anybody(data: bytes, now: float) -> Signer:
    return Signer(LEAF.key.public_key(), now + 1000, ("1",), ())


async def test_a_certificate_is_asked_for_once_at_a_time_and_kept_while_it_holds(tmp_path: Path) -> None:
    now = [NOW]
    async with Web(tmp_path).running() as web:
        store = store_of(web, lambda: now[0], anybody)
        found = await asyncio.gather(*(store.signer(web.url) for _ in range(5)))
        assert len({id(each) for each in found}) == len(web.asked) == 1
        now[0] += 999
        await store.signer(web.url)
        assert len(web.asked) == 1
        now[0] += 2  # the certificate itself has ended
        await store.signer(web.url)
        assert len(web.asked) == 2
        store.forget()
        await store.signer(web.url)
        assert len(web.asked) == 3


async def test_a_failure_is_remembered_for_a_moment(tmp_path: Path) -> None:
    now = [NOW]

    def nobody(data: bytes, now: float) -> Signer:
        raise BadCertificate("it is nothing")

    async with Web(tmp_path).running() as web:
        store = store_of(web, lambda: now[0], nobody)
        for _ in range(2):
            with pytest.raises(NotVerified, match="it is nothing") as failed:
                await store.signer(web.url)
            assert failed.value.verdict.finding is Finding.UNTRUSTED
        assert len(web.asked) == 1
        now[0] += 31
        with pytest.raises(NotVerified):
            await store.signer(web.url)
        assert len(web.asked) == 2


async def test_who_stops_waiting_stops_nobody_and_few_are_asked_at_once(tmp_path: Path) -> None:
    async with Web(tmp_path).running() as web:
        web.hold.clear()
        store = store_of(web, lambda: NOW, anybody)
        waiting = [asyncio.create_task(store.signer(f"{web.url}{n}")) for n in range(16)]
        again = asyncio.create_task(store.signer(f"{web.url}0"))
        await asyncio.sleep(0)
        with pytest.raises(NotVerified, match="too many certificates"):
            await store.signer(f"{web.url}x")
        waiting[0].cancel()
        web.hold.set()
        assert (await again).providers == ("1",)
        await asyncio.gather(*waiting, return_exceptions=True)


# ---- files

@pytest.fixture
def files(tmp_path: Path) -> StirFiles:
    for name, data in (("key", LEAF.key_pem), ("cert", pem(LEAF, ROOT)), ("roots", pem(ROOT))):
        (tmp_path / name).write_bytes(data)
    return StirFiles(str(tmp_path / "key"), str(tmp_path / "cert"), X5U, str(tmp_path / "roots"))


async def test_what_we_sign_we_verify(files: StirFiles) -> None:
    stir = Stir(files, lambda: NOW + 0.9)
    stir._certificates = Certificates(found=stir.signer_of(pem(LEAF), NOW))  # type: ignore[assignment]
    assert (stir.signs, stir.verifies) == (True, True)
    headers = dict(stir.signed("12025550100", "12025550199", "B", "account/1"))
    assert headers["Date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    claims = Said((headers["Identity"],), "12025550100", frozenset({"12025550199"}), None)
    assert await stir.verify(claims) == Verdict(Finding.PASSED, "B")
    one, same, other = (dict(stir.signed("1", "2", "B", of))["Identity"].split(".")[1] for of in ("a", "a", "b"))
    assert one == same != other


def test_other_files_are_taken_and_bad_ones_leave_the_old(files: StirFiles) -> None:
    stir = Stir(files, lambda: NOW)
    assert stir.renew() is False
    other = issue("new", ROOT, numbers=tn_auth_list(one=("1",)))

    def rewrite(file: str, data: bytes) -> None:
        Path(file).write_bytes(data)
        os.utime(file, (NOW, NOW))

    rewrite(files.key, other.key_pem)
    with pytest.raises(BadFiles, match="is not the certificate of"):
        stir.renew()
    assert stir._key is not None
    assert stir._key.public_key() == LEAF.key.public_key()
    rewrite(files.certificate, pem(other))
    assert stir.renew() is True
    assert stir._key.public_key() == other.key.public_key()


@pytest.mark.parametrize(("name", "data", "sentence"), [
    ("key", b"nothing", "key: "), ("key", issue("x", curve=ec.SECP384R1()).key_pem, "expected a key of P-256"),
    ("cert", b"nothing", "cert: no certificate in PEM"), ("roots", b"nothing", "roots: no certificate in PEM"),
])  # fmt: skip
def test_files_of_something_else_are_told(name: str, data: bytes, sentence: str, files: StirFiles) -> None:
    Path(files.key).with_name(name).write_bytes(data)
    with pytest.raises(BadFiles, match=sentence):
        Stir(files, lambda: NOW)


def test_without_a_key_nothing_is_signed_and_without_roots_nothing_is_verified(files: StirFiles) -> None:
    signs = Stir(replace(files, roots=""), lambda: NOW)
    verifies = Stir(StirFiles(roots=files.roots), lambda: NOW)
    assert [(stir.signs, stir.verifies) for stir in (signs, verifies)] == [(True, False), (False, True)]
