"""Rows of [[trunk]]."""

from __future__ import annotations

import asyncio
import ssl
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import Any

from b2bua.desk import TrunkState
from b2bua.stir.service import Stir, StirFiles
from b2bua.trunks.tls import TrunkContexts
from sip_stack.core import Hop
from sip_stack.digest import ha1, parse_proof, proves
from tests.b2bua.test_stir_calls import LEAF, X5U, Web
from tests.b2bua.test_trunks import CHALLENGE, OK, Registrar
from tests.settings.accounts import E164
from tests.settings.prices import RELATIVE
from tests.settings.probes import charged, dialled, header, number, rang_in, trunk, user
from tests.settings.row import Probe, Row
from tests.settings.scene import CALLER, DID, LOCAL, Scene
from tests.stir_pki import issue, pem
from tests.world import SERVER, T1, Far, Peer

__all__ = ["ROWS"]

ACCOUNT = {"trunk.user": "us", "trunk.password": "sesame"}
REGISTERED = {**ACCOUNT, "trunk.register": True}


# How it is reached


def state(scene: Scene) -> TrunkState:
    return next(each for each in scene.world.desk.trunk_states() if each.name == "R1")


async def states(scene: Scene) -> list[str]:
    return sorted(each.name for each in scene.world.desk.trunk_states())


async def port(scene: Scene) -> int:
    """At which port of its host the trunk is rung."""
    await scene.dials()
    rung = await scene.rung(scene.t1, Peer(scene.world, (T1[0], 5070)))
    assert rung is not None
    rung.refuses(486)
    await scene.quiet()
    return rung.peer.address[1]


def transport(far: Far) -> str:
    assert far.request is not None
    return far.request.fields["Via"][0][8:11]


async def big_requests(scene: Scene) -> bool:
    return scene.world.exchange.stays_on_udp(Hop("UDP", *T1, line="R1"))


async def way(scene: Scene) -> tuple[str, str | None]:
    return await dialled(lambda far: (trunk(far), header("Route")(far)))(scene)  # type: ignore[no-any-return]


async def failed_over(scene: Scene) -> int:
    """After how many seconds the next trunk is rung where this one is silent."""
    scene.t1.silent = True
    began = scene.world.loop.time()
    await scene.dials()
    rung = await scene.rung(scene.t2)
    seconds = round(scene.world.loop.time() - began)
    assert rung is not None
    rung.refuses(486)
    await scene.quiet()
    return seconds


async def refused_there(scene: Scene) -> str | None:
    """It refuses by 403: whether the next trunk is rung."""
    caller = await scene.dials()
    rung = await scene.rung(scene.t1)
    assert rung is not None
    rung.refuses(403)
    if (other := await scene.rung(scene.t2, by=caller)) is not None:
        other.refuses(486)
    await scene.quiet()
    return trunk(other) if other is not None else None


async def second_call(scene: Scene) -> str:
    """Which trunk carries a second call beside the first, in its second."""
    first = await scene.dials()
    rung = await scene.rung()
    assert rung is not None
    rung.answers()
    await first.told(200)
    seen = scene.john.calls("5555555556", "001*002", "secret")
    other = await scene.rung(by=seen)
    assert other is not None
    other.refuses(486)
    first.hangs_up()
    await scene.quiet()
    return trunk(other)


async def rings_there(scene: Scene) -> int:
    """How many seconds it may ring."""
    await scene.dials()
    rung = await scene.rung()
    assert rung is not None
    began = scene.world.loop.time()
    await rung.rings().left_alone(100)
    seconds = round(scene.world.loop.time() - began)
    await scene.quiet()
    return seconds


# Who we are to it


async def proof(scene: Scene) -> tuple[str, str]:
    """The user and password with which a challenge is answered."""
    await scene.dials()
    first = await scene.rung()
    assert first is not None
    assert CHALLENGE is not None
    first.usage.refuse(*CHALLENGE[:1], extra=CHALLENGE[1])  # type: ignore[union-attr]
    first.ends("challenged")
    again = await scene.rung()
    assert again is not None
    assert again.request is not None
    shown = parse_proof(again.request.fields["Authorization"][0])
    again.refuses(486)
    await scene.quiet()
    known = [word for word in ("sesame", "other") if proves(shown, ha1(shown.user, "r", word), "INVITE")]
    return shown.user, known[0]


async def registration(scene: Scene) -> str:
    scene.t1  # noqa: B018 - it is there and answers
    await asyncio.sleep(100)
    return state(scene).registration


async def expires(scene: Scene) -> str:
    """For how long it is registered at."""
    registrar = Registrar(scene.world, T1)
    await registrar.until(1)
    asked = [request.fields["Expires"][0] for _, request in registrar.heard]
    return next(each for each in asked if each != "0")


async def questions(scene: Scene) -> bool:
    """Whether it is asked by OPTIONS."""
    registrar = Registrar(scene.world, T1)
    await asyncio.sleep(65)
    return bool(registrar.heard)


def turns(*, down: bool) -> Probe:
    """After how many unanswered (or answered) questions it counts as gone (or as there again)."""

    async def become(scene: Scene, up: bool) -> int:
        registrar = Registrar(scene.world, T1, after=OK if up else None)
        while state(scene).up is not up:  # noqa: ASYNC110 - a virtual clock
            await asyncio.sleep(0.5)
        asked = scene.world.loop.time() - (0 if up else 1)  # the next one leaves when one is given up
        return sum(at <= asked for at, _ in registrar.heard)

    async def probe(scene: Scene) -> int:
        await become(scene, down)
        await asyncio.sleep(45)  # what was under way is over
        return await become(scene, not down)

    return probe


@cache
def _files() -> TemporaryDirectory[str]:
    """Of two authorities each `.ca`, and `.pem` and `.key` of a certificate by it for the trunk, and for us."""
    folder = TemporaryDirectory(prefix="ringback-settings-")
    for which in ("a", "b"):
        authority = issue(f"authority {which}", ca=True, now=time())
        (Path(folder.name) / f"{which}.ca").write_bytes(pem(authority))
        for name in ("trunk", "us"):
            issued = issue(f"{name} {which}", authority, now=time())
            (Path(folder.name) / f"{name}-{which}.pem").write_bytes(pem(issued))
            (Path(folder.name) / f"{name}-{which}.key").write_bytes(issued.key_pem)
    return folder


def file(name: str) -> str:
    return str(Path(_files().name) / name)


async def handshake(scene: Scene) -> tuple[str, str]:
    """TLS with a trunk that has a certificate by authority a: whether it is believed, and who we say that we are."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file("trunk-a.pem"), file("trunk-a.key"))
    server.verify_mode = ssl.CERT_OPTIONAL
    for which in ("a.ca", "b.ca"):
        server.load_verify_locations(file(which))
    ours = TrunkContexts(lambda: scene.world.exchange.directory)("R1")
    ours.check_hostname = False  # the name is not what is looked at here
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [ours.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError:
                return "not believed", ""
    subject: Any = (ends[1].getpeercert() or {}).get("subject", ())
    return "believed", "".join(value for part in subject for _, value in part)


def offered(far: Far) -> str:
    """The codecs that are offered."""
    assert far.request is not None
    return next(line for line in far.request.body.decode().split("\r\n") if line.startswith("m=")).split("RTP/")[1]


def sound_at(far: Far) -> str:
    """Where our sound is to be sent."""
    assert far.request is not None
    return next(line for line in far.request.body.decode().split("\r\n") if line.startswith("c="))[9:]


async def reliable(scene: Scene) -> bool:
    scene.options(scene.t1, reliable=True)
    await scene.dials()
    rung = await scene.rung()
    assert rung is not None
    rung.early()
    await asyncio.sleep(1)
    seen = bool(rung.usage.reliable)  # type: ignore[union-attr]
    rung.refuses(486)
    await scene.quiet()
    return seen


SHORT = [("Supported", "timer"), ("Session-Expires", "120")]
SAID = [("P-Asserted-Identity", "<sip:5557777777@x>"), ("Remote-Party-ID", "<sip:5558888888@x>")]


def rings(far: Far) -> str:
    return "rings"


def signed(probe: Probe) -> Probe:
    """`probe` on a server that signs calls and looks at signatures."""

    async def prepared(scene: Scene) -> Any:
        place = scene.world.folder
        for name, data in (("key", LEAF.key_pem), ("cert", pem(LEAF)), ("roots", pem(LEAF))):
            (place / name).write_bytes(data)
        files = StirFiles(f"{place}/key", f"{place}/cert", X5U, f"{place}/roots")
        scene.world.exchange.stir = Stir(files, scene.world.wall, Web())  # type: ignore[arg-type]
        return await probe(scene)

    return prepared


def certified(name: str, probe: Probe) -> Probe:
    """`probe` where calls come with a certificate for this name."""

    async def prepared(scene: Scene) -> Any:
        scene.world.exchange.certified = lambda hop: frozenset({name})
        return await probe(scene)

    return prepared


TLS = {"trunk.transport": "tls"}
TLS_A = {**TLS, "trunk.tls_ca": file("a.ca")}
MUTUAL = {**TLS_A, "trunk.tls_key": file("us-a.key")}

ROWS = [
    Row("trunk.name", "R1", "Q1", states, (["R1", "R2", "T3"], ["Q1", "R2", "T3"]),
        also={"did[0].trunk": "Q1", "did[1].trunk": "Q1", "route.trunk": "Q1"}),
    Row("trunk.host", T1[0], "192.0.2.22", dialled(trunk), ("T1", "T2"), also={"trunk[1].host": T1[0]}),
    Row("trunk.port", 5060, 5070, port, (5060, 5070)),
    Row("trunk.transport", "", "tcp", dialled(transport), ("UDP", "TCP")),
    Row("trunk.stay_on_udp", False, True, big_requests, (False, True)),
    Row("trunk.tls_ca", file("b.ca"), file("a.ca"), handshake, (("not believed", ""), ("believed", "")), given=TLS),
    Row("trunk.tls_certificate", file("us-a.pem"), file("us-b.pem"), handshake,
        (("believed", "us a"), ("believed", "us b")), given=MUTUAL, also={"trunk.tls_key": file("us-b.key")}),
    Row("trunk.tls_key", None, file("us-a.key"), handshake, (("believed", ""), ("believed", "us a")), given=TLS_A,
        also={"trunk.tls_certificate": file("us-a.pem")}),
    Row("trunk.tls_client", "", "other.test", certified("sip.test", rang_in(rings)), ("rings", 401)),
    Row("trunk.user", "us", "them", proof, (("us", "sesame"), ("them", "sesame")), given=ACCOUNT),
    Row("trunk.password", "sesame", "other", proof, (("us", "sesame"), ("us", "other")), given=ACCOUNT),
    Row("trunk.trusted", True, False, rang_in(number, extra=SAID[:1]), ("5557777777", CALLER)),
    Row("trunk.sources", [], ["198.51.100.9"], rang_in(rings), ("rings", 401)),
    Row("trunk.number_format", "as-is", "e164", dialled(user, "2025550123"), ("+12025550123", "12025550123"),
        given=E164),
    Row("trunk.country", "US", "AU", dialled(user, "2025550123"), ("2025550123", "+12025550123"),
        given={**E164, "trunk.number_format": "national"}),
    Row("trunk.codecs", ["PCMU", "PCMA"], ["PCMA"], dialled(offered), ("AVP 0 8 101", "AVP 8 101")),
    Row("trunk.ring_s", 60, 5, rings_there, (60, 5)),
    Row("trunk.media", "relay", "direct", rang_in(sound_at), (SERVER[0], T1[0])),
    Row("trunk.pai", "number", "extension", dialled(header("P-Asserted-Identity")),
        (f"<sip:{DID}@{SERVER[0]}>", f"<sip:001*002@{SERVER[0]}>"),
        given={"extension.caller_id.identity_headers": True}),
    Row("trunk.proxy", "", "192.0.2.22:5060", way, (("T1", None), ("T2", "<sip:192.0.2.22:5060;lr>"))),
    Row("trunk.register", False, True, registration, ("off", "registered"), given=ACCOUNT),
    Row("trunk.register_expires_s", 3600, 600, expires, ("3600", "600"), given=REGISTERED),
    Row("trunk.qualify_s", 0, 30, questions, (False, True)),
    Row("trunk.down_after", 3, 1, turns(down=True), (3, 1), given={"trunk.qualify_s": 10}),
    Row("trunk.up_after", 2, 4, turns(down=False), (2, 4), given={"trunk.qualify_s": 10}),
    Row("trunk.connect_s", 5, 2, failed_over, (5, 2)),
    Row("trunk.out_strip", "", "555", dialled(user), (f"9{LOCAL}", "95555555"), given={"trunk.out_prefix": "9"}),
    Row("trunk.out_prefix", "", "9", dialled(user), (LOCAL, f"9{LOCAL}")),
    Row("trunk.in_strip", "5559", "5551", rang_in(number), (CALLER, "7111111"), given={"trunk.in_prefix": "7"}),
    Row("trunk.in_prefix", "", "7", rang_in(number), ("111111", "7111111"), given={"trunk.in_strip": "5551"}),
    Row("trunk.headers", {}, {"X-Account": "42"}, dialled(header("X-Account")), (None, "42")),
    Row("trunk.send_caller", "from", "charge", dialled(header("P-Charge-Info")), (None, f"<sip:{DID}@{SERVER[0]}>")),
    Row("trunk.read_caller", "pai", "rpid", rang_in(number, extra=SAID), ("5557777777", "5558888888")),
    Row("trunk.channels", None, 1, second_call, ("T1", "T2")),
    Row("trunk.calls_per_s", None, 1, second_call, ("T1", "T2")),
    Row("trunk.rate_table", "buy", "dear", charged(1), ("0.10", "0.30"),
        given={**RELATIVE, "rate[4]": {"table": "dear", "connection_fee": "0.30"}}),
    Row("trunk.failover", [], [403], refused_there, (None, "T2")),
    Row("trunk.prack", False, True, reliable, (False, True)),
    Row("trunk.session_expires_s", 1800, 600, dialled(header("Session-Expires")), ("1800", "600")),
    Row("trunk.min_se_s", 90, 600, rang_in(rings, extra=SHORT), ("rings", 422)),
    Row("trunk.sign", True, False, signed(dialled(lambda far: header("Identity")(far) is not None)), (True, False)),
    Row("trunk.verify", "note", "require", signed(rang_in(rings)), ("rings", 428)),
]
