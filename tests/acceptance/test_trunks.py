"""Trunks on real sockets: one that wants to be registered at, and one whose first server is out of service."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from secrets import token_hex

import pytest

from b2bua import wiring
from b2bua.config import Config, MediaConfig, ServerConfig
from b2bua.plan.apply import apply
from b2bua.plan.reader import parse
from sip_stack.resolver import Resolver
from sipp_scenarios.trace import digest_is_right
from store import journal
from store.database import transact
from tests.acceptance.ports import PEER_RTP, SERVER_RTP, SIP, free_port
from tests.acceptance.scene import Scene, plan
from tests.acceptance.server import until
from tests.name_server import NameServer
from tests.peers.sipp import Sipp

REGISTERS = ("trusted = true", 'trusted = true\nregister = true\nuser = "ringback"\npassword = "trunksecret"')


async def test_a_trunk_is_registered_at_and_told_when_that_ends(scene: Scene) -> None:
    server = await scene.serve(REGISTERS)
    trunk = await scene.trunk("trunk_registrar")
    await until(lambda: "trunk=R1 event=registration-registered" in server.log.read_text(), "a registration", 10)
    await scene.reconfigure(REGISTERS, ('host = "127.0.0.2"', 'host = "127.0.0.6"'))  # it moves: nobody is there
    await trunk.passed()
    heard = trunk.received("REGISTER")
    assert [message.header("Expires") for message in heard] == ["3600", "3600", "0", "0"]
    assert len({message.header("Call-ID") for message in heard}) == 1
    proofs = [message.header("Authorization") for message in heard]
    assert [bool(proof) for proof in proofs] == [False, True, False, True]
    assert all(digest_is_right(proof, "REGISTER", "ringback", "trunksecret") for proof in proofs if proof)


@pytest.mark.parametrize("silent", [False, True])
async def test_the_next_server_of_srv_takes_the_call(silent: bool, tmp_path: Path) -> None:
    """RFC 3263 4.3 with a real name server; the server runs in this process, to be told of that one."""
    port = free_port(SIP)
    zone = f"""
_sip._udp.carrier.test. 300 IN SRV 10 0 {port} one.test.
_sip._udp.carrier.test. 300 IN SRV 20 0 {port} two.test.
one.test. 300 IN A 127.0.0.2
two.test. 300 IN A 127.0.0.3
carrier.test. 300 IN A 127.0.0.9
"""
    loop, database = asyncio.get_running_loop(), f"sqlite:///{tmp_path}/ringback.db"
    text = plan((0, 1, 1), ('host = "127.0.0.2"\nport = 0', 'host = "carrier.test"\nconnect_s = 1'))
    transact(database, lambda conn: apply(conn, parse(text, "f"), time.time(), "http://x", lambda: token_hex(8)))
    config = Config(
        server=ServerConfig(database=database), media=MediaConfig(ports=f"{SERVER_RTP.start}-{SERVER_RTP.stop - 1}")
    )
    async with AsyncExitStack() as stack:
        dns, names = await loop.create_datagram_endpoint(lambda: NameServer(zone), local_addr=("127.0.0.1", 0))
        stack.callback(dns.close)
        resolver = Resolver(name_servers=["127.0.0.1"], port=dns.get_extra_info("sockname")[1])
        running = await wiring.run_server(
            config, stack, sip=wiring.free_sip("127.0.0.1", free_port(SIP)), base_url="http://x", locate=resolver.locate
        )

        async def sipp(name: str, local: str, **keys: str) -> Sipp:
            return await stack.enter_async_context(Sipp(
                name, local=local, remote=f"127.0.0.1:{running.sip[1]}", folder=tmp_path,
                media_port=free_port(PEER_RTP, 10), **keys,  # type: ignore[arg-type]
            ))

        refusing = None if silent else await sipp("trunk_unavailable_503", f"127.0.0.2:{port}")
        second = await sipp("trunk_answer", f"127.0.0.3:{port}")
        caller = await sipp("uac_call", f"127.0.0.5:{free_port(SIP)}", service="5555555555", d="500")
        await caller.passed()
        await second.passed()
        if refusing is not None:
            await refusing.passed()
        assert len(second.received("INVITE")) == 1
        assert names.asked[0] == "carrier.test. NAPTR"
        await running.exchange.close()
        calls = transact(database, lambda conn: journal.recent_calls(conn, 10))
    assert [call.reason for call in calls] == ["talked"]
