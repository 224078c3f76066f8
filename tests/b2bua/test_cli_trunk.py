"""`ringback trunk test` against trunks on real sockets, each a SIP core with a script."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex

import pytest
from typer.testing import CliRunner

from b2bua.cli.main import app
from b2bua.trunks import probe as trunk_probe
from media import sdp
from sip_stack.core import Hop, Incoming, SipCore
from sip_stack.digest import ha1, parse_proof, proves
from sip_stack.headers import NameAddr
from sip_stack.incoming_invite import IncomingInvite
from sip_stack.message import Request, Response
from sip_stack.streams import StreamTransport
from sip_stack.transport import Alarm, UdpTransport
from sip_stack.transports import Certificate, by_transport
from tests.acceptance.ports import SIP, free_port
from tests.sip_stack.certificates import certificate

HOST = "127.0.0.2"
CHALLENGE = ("WWW-Authenticate", 'Digest realm="carrier", nonce="n", algorithm=MD5, qop="auth"')
BOUND = ("Contact", "<sip:t12@198.51.100.1>;expires=60")


class Carrier:
    """A trunk: `script(incoming)` answers what comes; `heard` has every request."""

    def __init__(self, script: Callable[[Carrier, Incoming], None]) -> None:
        self.heard: list[Request] = []
        self.core: SipCore
        self._script = script
        self._usage: IncomingInvite | None = None

    def on_invite(self, incoming: Incoming) -> None:
        self.on_request(incoming)

    def on_request(self, incoming: Incoming) -> None:
        self.heard.append(incoming.request)
        self._script(self, incoming)

    def methods(self) -> list[str]:
        return [request.method for request in self.heard]

    def answer(self, incoming: Incoming, *, ring: bool = True) -> None:
        usage = IncomingInvite(self.core, incoming)
        usage.owner = _Far(self)
        theirs = sdp.parse(incoming.request.body)
        if ring:
            usage.ring()
        usage.answer(sdp.answer(theirs, HOST, 47_990, session_id=1, version=1)[0])

    def proven(self, incoming: Incoming, password: str) -> bool:
        given = incoming.request.fields.get("Authorization")
        return bool(given) and proves(
            parse_proof(given[0]), ha1("us", "carrier", password), incoming.request.method
        )


class _Far:
    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    def on_gone(self, why: str) -> None:
        self._carrier.heard.append(Request(why.upper(), "", {}))

    def on_cancel(self) -> None:
        self._carrier.heard.append(Request("CANCEL", "", {}))

    def on_ack(self, request: Request) -> None:
        self._carrier.heard.append(request)

    def on_progress(self, response: Response) -> None: ...

    def on_answer(self, response: Response) -> None: ...

    def on_refused(self, status: int, response: Response | None) -> None: ...

    def on_request(self, incoming: Incoming) -> None:
        incoming.respond(200)


@asynccontextmanager
async def carrier(
    script: Callable[[Carrier, Incoming], None], port: int, transport: str = "udp", files: Sequence[str] = ()
) -> AsyncIterator[Carrier]:
    """A trunk at HOST; `files`: CA, key of it, and the CA of its clients."""
    loop = asyncio.get_running_loop()
    udp, alarm = UdpTransport(loop, HOST, port), Alarm(loop)
    made = Carrier(script)
    served = None
    if transport == "tls":
        served = Certificate(Path(files[0]), Path(files[1]), Path(files[2])).context
        served.verify_mode = ssl.CERT_REQUIRED
    stream = StreamTransport(loop, transport.upper(), lost=lambda hop: made.core.lost(hop), served=served)
    made.core = SipCore(
        made, send=by_transport({"UDP": udp.send, stream.name: stream.send}) if transport != "udp" else udp.send,
        local=dict.fromkeys(("UDP", "TCP", "TLS"), (HOST, port)), new_id=lambda: token_hex(8), clock=time.monotonic,
        alarm=alarm, bug=lambda error: pytest.fail(str(error)),
    )  # fmt: skip
    alarm.wakes(made.core)
    udp.start(made.core)
    if transport != "udp":
        await stream.listen(HOST, port)
        await stream.start(made.core.receive)
    try:
        yield made
    finally:
        alarm.close()
        udp.close()
        await stream.close()


@pytest.fixture
def port() -> int:
    return free_port(SIP)


async def asked(folder: Path, port: int, settings: str, *more: str, name: str = "R1") -> tuple[int, list[str]]:
    """Run the command; exit status and lines, without the one that has the port."""
    (folder / "plan.toml").write_text(
        '[[account]]\nname = "a"\n[[extension]]\nnumber = "001*002"\naccount = "a"\npublic_number = "+12025550100"\n'
        f'[[trunk]]\nname = "R1"\nhost = "{HOST}"\nport = {port}\n{settings}\n'
    )
    (folder / "ringback.toml").write_text(
        f'[server]\nsip = "127.0.0.1:{free_port(SIP)}"\ndatabase = "sqlite:///{folder}/ringback.db"\n'
    )
    config, runner = ["--config", str(folder / "ringback.toml")], CliRunner()
    applied = runner.invoke(app, ["apply", str(folder / "plan.toml"), *config])
    assert applied.exit_code == 0, applied.output
    done = await asyncio.to_thread(runner.invoke, app, ["trunk", "test", name, *config, *more])
    lines = done.output.splitlines()
    return done.exit_code, [line for line in lines if not line.startswith("trunk R1, asked from 127.0.0.1:")]


REGISTERED = 'register = true\nuser = "us"\npassword = "sesame"'


def well(carrier: Carrier, incoming: Incoming) -> None:
    if incoming.request.method == "INVITE":
        carrier.answer(incoming)
    elif incoming.request.method == "REGISTER" and not carrier.proven(incoming, "sesame"):
        incoming.respond(401, extra=[CHALLENGE])
    else:
        incoming.respond(200, extra=[BOUND] if incoming.request.method == "REGISTER" else [])


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_all_is_well(tmp_path: Path, port: int, transport: str) -> None:
    """Over TLS with a certificate on both sides."""
    settings = f'{REGISTERED}\ntransport = "{transport}"'
    files = [str(file) for name in (HOST, "pbx.test") for file in certificate(tmp_path, name)]
    if transport == "tls":
        settings += '\ntls_ca = "{0}"\ntls_certificate = "{2}"\ntls_key = "{3}"'.format(*files)
    async with carrier(well, port, transport, files) as trunk:
        status, lines = await asked(tmp_path, port, settings, "--call", "+1 202-555-0105")
    assert (status, lines) == (0, [
        f"DNS       {HOST}: {HOST}:{port} {transport.upper()}",
        "OPTIONS   200 OK",
        "          it is there and answers",
        "REGISTER  200 OK",
        "          user and password are right",
        "          registered there: <sip:t12@198.51.100.1>;expires=60",
        f"INVITE    +12025550105 by {HOST}:{port}, shown: +12025550100",
        "          180 Ringing",
        "INVITE    200 OK",
        "          answered, and hung up again",
    ])
    assert trunk.methods() == ["OPTIONS", "REGISTER", "REGISTER", "INVITE", "ACK", "BYE"]
    # 10.2.3: without a Contact it asks and changes nothing: the server's own binding stays
    assert [request.fields.get("Contact") for request in trunk.heard[1:3]] == [None, None]


async def test_a_wrong_password_and_a_refused_call(tmp_path: Path, port: int) -> None:
    def script(carrier: Carrier, incoming: Incoming) -> None:
        if incoming.request.method == "REGISTER":
            incoming.respond(401, extra=[CHALLENGE])
        else:
            incoming.respond(403 if incoming.request.method == "INVITE" else 404)

    async with carrier(script, port):
        status, lines = await asked(tmp_path, port, REGISTERED, "--call", "+12025550105")
    assert status == 1
    assert lines[1:5] == [
        "OPTIONS   404 Not Found", "          it is there; that it will not answer this question does no harm",
        "REGISTER  401 Unauthorized", "          `user` or `password` is wrong",
    ]  # fmt: skip
    assert lines[6] == "INVITE    403 Forbidden"
    assert "the number shown is not ours there" in lines[7]


async def test_a_call_that_rings_too_long_is_given_up(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trunk_probe, "RING_S", 0.5)

    def script(carrier: Carrier, incoming: Incoming) -> None:
        if incoming.request.method == "INVITE":
            usage = IncomingInvite(carrier.core, incoming)
            usage.owner = _Far(carrier)
            usage.ring()
        else:
            incoming.respond(200)

    async with carrier(script, port) as trunk:
        status, lines = await asked(tmp_path, port, "", "--call", "+12025550105")
    assert status == 0
    assert lines[-2:] == ["INVITE    487 Request Terminated", "          it rang, and we gave it up"]
    assert trunk.methods() == ["OPTIONS", "INVITE", "CANCEL"]


async def test_nobody_answers(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunk_probe, "ANSWER_S", 0.3)
    status, lines = await asked(tmp_path, port, REGISTERED, "--call", "+12025550105")
    assert status == 1
    assert [line.split()[:3] for line in lines if line[0] != " "] == [
        ["DNS", f"{HOST}:", f"{HOST}:{port}"], ["OPTIONS", "no", "answer"], ["REGISTER", "no", "answer"],
        ["INVITE", "+12025550105", "by"], ["INVITE", "no", "answer"],
    ]  # fmt: skip
    assert sum("nobody answered: a wrong host or port" in line for line in lines) == 3


async def test_a_name_that_nobody_knows(tmp_path: Path, port: int) -> None:
    status, lines = await asked(tmp_path, port, 'proxy = "no-such-host.invalid:5060"')
    assert (status, len(lines)) == (1, 2)
    assert lines[0].startswith("DNS       no-such-host.invalid:5060: ")
    assert "nobody knows this name" in lines[1]


async def test_emergency_numbers_are_not_called(tmp_path: Path, port: int) -> None:
    async with carrier(well, port) as trunk:
        status, lines = await asked(tmp_path, port, "", "--call", "911")
    assert (status, lines[-1]) == (1, "INVITE    911: emergency numbers are not called for a test")
    assert trunk.methods() == ["OPTIONS"]


async def test_a_trunk_that_is_none(tmp_path: Path, port: int) -> None:
    status, lines = await asked(tmp_path, port, "", name="R9")
    assert (status, lines) == (1, ['ringback: there is no trunk "R9"; there are: R1'])


async def test_a_test_takes_no_calls(tmp_path: Path, port: int) -> None:
    """A trunk may ask and call back meanwhile: it is told politely."""
    told: list[int] = []

    def script(carrier: Carrier, incoming: Incoming) -> None:
        who = NameAddr("", incoming.request.from_.uri)
        for method in ("OPTIONS", "INVITE"):
            back = carrier.core.build(method, who.uri, who, who)
            carrier.core.request(
                back, Hop("UDP", incoming.source.host, incoming.source.port),
                lambda response: told.append(response.status if response else 0),
            )  # fmt: skip
        asyncio.get_running_loop().call_later(0.2, incoming.respond, 200)

    async with carrier(script, port):
        await asked(tmp_path, port, "")
    assert sorted(told) == [200, 480]


@pytest.mark.parametrize(("settings", "why"), [
    pytest.param('transport = "tcp"', "Connect call failed", id="nobody listens"),
    pytest.param('transport = "tls"\ntls_ca = "{0}"', "its certificate is not accepted: IP address mismatch",
                 id="another's certificate"),
    pytest.param('transport = "tls"', "its certificate is not accepted: self-signed certificate", id="unknown"),
])
async def test_why_there_is_no_connection(tmp_path: Path, port: int, settings: str, why: str) -> None:
    files = [str(file) for name in ("other.test", "pbx.test") for file in certificate(tmp_path, name)]
    async with carrier(well, port, "tls" if "tls" in settings else "udp", files):
        status, lines = await asked(tmp_path, port, settings.format(*files))
    assert (status, lines[1]) == (1, "OPTIONS   no answer")
    assert f"no connection: {why}" in lines[2]
