"""Where the demo listens, what it keeps, and what it refuses."""

import asyncio
import socket
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from b2bua.config import BadConfig
from b2bua.demo.start import start_demo
from b2bua.desk import Accepted, Refused, VisitorRequest
from tests.demo.settings import TEST


async def test_a_bind_that_others_reach_is_refused(tmp_path):
    async with AsyncExitStack() as stack:
        with pytest.raises(BadConfig, match=r"bound to 127\.0\.0\.1 only, not to 0\.0\.0\.0"):
            await start_demo(replace(TEST, home=tmp_path, bind="0.0.0.0"), stack)


async def test_a_busy_port_moves_to_the_next_free_one_and_says_so(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip, socket.socket() as http:
        sip.bind(("127.0.0.1", 0))
        http.bind(("127.0.0.1", 0))
        http.listen()
        taken = replace(TEST, home=tmp_path, sip_port=sip.getsockname()[1], http_port=http.getsockname()[1])
        async with AsyncExitStack() as stack:
            demo = await start_demo(taken, stack)
            assert demo.running.sip[1] > taken.sip_port
            assert demo.moved == [
                f"SIP port {taken.sip_port} is taken: using {demo.running.sip[1]}",
                f"HTTP port {taken.http_port} is taken: using {demo.running.base_url.rpartition(':')[2]}",
            ]


async def test_two_demos_share_nothing(tmp_path):
    async with AsyncExitStack() as stack:
        first = await start_demo(replace(TEST, home=tmp_path), stack)
        second = await start_demo(replace(TEST, home=tmp_path), stack)
        assert (first.folder, second.folder) == (tmp_path / "demo", tmp_path / "demo-2")


async def test_the_database_is_kept_between_starts_and_the_credit_given_once(tmp_path):
    balances = []
    for _ in range(2):
        async with AsyncExitStack() as stack:
            demo = await start_demo(replace(TEST, home=tmp_path), stack)
            asked = VisitorRequest("my_phone", "Mary", "+12025550104", "US", "127.0.0.1")
            assert isinstance(await demo.running.front.request_call(asked), Accepted)
            (call,) = demo.running.exchange.live.values()
            async with asyncio.timeout(20):
                await call.ended()
            balances += {view.balance for view in await demo.running.front.extensions()}
    assert balances == ["99.88 USD", "99.76 USD"]


async def test_emergency_numbers_are_not_called(tmp_path):
    async with AsyncExitStack() as stack:
        demo = await start_demo(replace(TEST, home=tmp_path), stack)
        asked = VisitorRequest("my_phone", "Mary", "911", "US", "127.0.0.1")
        answer = await demo.running.front.request_call(asked)
        assert isinstance(answer, Refused)
        assert answer.reason == "number-emergency"
        assert not demo.running.exchange.emergencies


async def test_everything_is_given_back(tmp_path):
    async with AsyncExitStack() as stack:
        demo = await start_demo(replace(TEST, home=tmp_path), stack)
        ports = [demo.running.sip, demo.phone.agent.address, demo.pstn.agent.address]
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for address in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(address)


async def test_the_recording_is_offered_when_the_call_is_over(tmp_path):
    async with AsyncExitStack() as stack:
        demo = await start_demo(replace(TEST, home=tmp_path), stack)
        front = demo.running.front
        assert isinstance(
            await front.request_call(VisitorRequest("my_phone", "Mary", "+12025550104", "US", "127.0.0.1")), Accepted
        )
        (call,) = demo.running.exchange.live.values()
        async with asyncio.timeout(20):
            async for row in front.watch_ladder(call.id):
                if row.title == "joined":
                    break
            assert (front.call(call.id).recorded, front.recording(call.id)) == (False, None)
            await call.ended()
        assert front.call(call.id).recorded
        assert front.recording(call.id).stat().st_size > 8000
