"""Phones and callers by the dozen at one UDP port, each call by a script: SIPp would need a process for each."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import uuid4

from sip_stack.digest import Credentials, answer, parse_challenge
from tests.acceptance.ports import PEER_RTP, SIP, free_port

__all__ = ["FarEnd"]

_ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'


@dataclass
class _Call:
    """One call that the server placed."""

    invite: str
    address: tuple[str, int]
    tag: str = field(default_factory=lambda: uuid4().hex)
    cseq: int = 0
    acked: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class FarEnd(asyncio.DatagramProtocol):
    """`async with FarEnd("127.0.0.5", server.sip) as phones: phones.scripts["001*002"] = "180 hold 486"`.

    A script belongs to a called or a calling user. Its words: a status, `hold` until `release`, `key:1`, `bye`. A user
    without one declines.
    """

    def __init__(self, host: str, server: str) -> None:
        self.at = f"{host}:{free_port(SIP)}"
        self._media = free_port(PEER_RTP, 2)
        self._server = server
        self._calls: dict[str, _Call] = {}
        self._answers: dict[str, asyncio.Queue[str]] = {}
        self._playing: set[asyncio.Task[None]] = set()
        self.scripts: dict[str, str] = {}
        self.invited: list[tuple[str, str]] = []
        """Who was called and who calls, of each call that came."""

    async def __aenter__(self) -> Self:
        loop, (host, port) = asyncio.get_running_loop(), _host_port(self.at)
        self._sip, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, port))
        self._rtp, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(host, self._media))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._playing:
            task.cancel()
        await asyncio.gather(*self._playing, return_exceptions=True)
        self._sip.close()
        self._rtp.close()

    # What a test lets it do

    def calls(self, user: str) -> int:
        """How often somebody was called here, or called."""
        return sum(user in call for call in self.invited)

    def release(self, user: str) -> None:
        """Go on after `hold` in all calls of somebody."""
        for call in self._calls.values():
            if user in _users(call.invite):
                call.released.set()

    async def register(self, user: str, password: str) -> None:
        """Register somebody here for an hour.  Raises: AssertionError when it is refused."""
        call_id, authorization = uuid4().hex, ""
        for cseq in (1, 2):
            said = await self._ask(call_id, _lines(
                f"REGISTER sip:{self._server} SIP/2.0", self._via(), f"From: <sip:{user}@{self._server}>;tag={call_id}",
                f"To: <sip:{user}@{self._server}>", f"Call-ID: {call_id}", f"CSeq: {cseq} REGISTER",
                f"Contact: <sip:{user}@{self.at}>", "Expires: 3600", authorization,
            ))  # fmt: skip
            if offered := _header(said, "WWW-Authenticate"):
                challenge, who = parse_challenge(offered), Credentials(user, password)
                assert challenge is not None
                told = answer(challenge, who, "REGISTER", f"sip:{self._server}", uuid4().hex)
                authorization = f"Authorization: {told}"
        assert said.startswith("SIP/2.0 200 "), said

    async def ring(
        self, called: str, caller: str, *, rings: asyncio.Event | None = None, give_up: bool = False
    ) -> list[int]:
        """Call somebody and hear the statuses up to the final one, which is no 2xx; no caller hides the number.

        `rings` is set by 180; `give_up`: CANCEL then.
        """
        call_id, via, statuses = uuid4().hex, self._via(), [0]
        from_ = f"<sip:{caller}@{self.at}>" if caller else _ANONYMOUS
        head = [via, f"From: {from_};tag={call_id}", f"Call-ID: {call_id}"]
        to = f"To: <sip:{called}@{self._server}>"
        said = await self._ask(call_id, _lines(
            f"INVITE sip:{called}@{self._server} SIP/2.0", *head, to, "CSeq: 1 INVITE",
            f"Contact: <sip:{caller or 'anonymous'}@{self.at}>", body=self._description(), kind="application/sdp",
        ))  # fmt: skip
        while True:
            if "CSeq: 1 INVITE" in said and (status := int(said.split()[1])) != 100:
                statuses.append(status)
                if status == 180 and rings:
                    rings.set()
                if status == 180 and give_up:
                    self._send(_lines(f"CANCEL sip:{called}@{self._server} SIP/2.0", *head, to, "CSeq: 1 CANCEL"))
                if status >= 200:
                    break
            said = await self._next(call_id)
        assert statuses[-1] >= 300, said
        to = f"To: {_header(said, 'To')}"
        self._send(_lines(f"ACK sip:{called}@{self._server} SIP/2.0", *head, to, "CSeq: 1 ACK"))
        return statuses[1:]

    # What comes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See DatagramProtocol."""

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """See DatagramProtocol."""
        said = data.decode()
        call_id, method = _header(said, "Call-ID"), said.split()[0]
        if method == "SIP/2.0":
            if call_id in self._answers:
                self._answers[call_id].put_nowait(said)
        elif method == "INVITE":
            if call_id not in self._calls:
                self._begin(call_id, said, address)
        elif method == "ACK":
            self._calls[call_id].acked.set()
        else:
            self._respond(said, address, 200)
            if method in ("BYE", "CANCEL"):
                self._calls[call_id].over.set()

    def _begin(self, call_id: str, invite: str, address: tuple[str, int]) -> None:
        self.invited.append(_users(invite))
        self._calls[call_id] = call = _Call(invite, address)
        script = next((self.scripts[user] for user in _users(invite) if user in self.scripts), "603")
        task = asyncio.create_task(self._play(call_id, call, script.split()))
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)

    async def _play(self, call_id: str, call: _Call, script: list[str]) -> None:
        """Word by word, until the server ends the call."""
        status, over = 0, asyncio.create_task(call.over.wait())
        try:
            for word in script:
                if word.isdigit():
                    status = int(word)
                    self._respond(call.invite, call.address, status, call.tag)
                step = asyncio.create_task(self._step(call_id, call, word))
                await asyncio.wait([step, over], return_when=asyncio.FIRST_COMPLETED)
                if not step.done():
                    step.cancel()
                    break
                step.result()
            await over if status < 200 else None
        finally:
            over.cancel()
        if status < 200:
            self._respond(call.invite, call.address, 487, call.tag)

    async def _step(self, call_id: str, call: _Call, word: str) -> None:
        if word == "hold":
            await call.released.wait()
        elif word == "200":
            await call.acked.wait()
        elif word == "bye":
            await self._inside(call_id, call, "BYE")
        elif word.startswith("key:"):
            digit = word.removeprefix("key:")
            await self._inside(call_id, call, "INFO", f"Signal={digit}\r\nDuration=100\r\n")

    async def _inside(self, call_id: str, call: _Call, method: str, body: str = "") -> None:
        """One request in the dialog, and its answer."""
        call.cseq += 1
        target = re.search(r"<([^>]*)>", _header(call.invite, "Contact"))
        assert target
        await self._ask(call_id, _lines(
            f"{method} {target[1]} SIP/2.0", self._via(), f"From: {_header(call.invite, 'To')};tag={call.tag}",
            f"To: {_header(call.invite, 'From')}", f"Call-ID: {call_id}", f"CSeq: {call.cseq} {method}",
            body=body, kind="application/dtmf-relay",
        ))  # fmt: skip

    # What goes

    def _respond(self, request: str, address: tuple[str, int], status: int, tag: str = "") -> None:
        vias = re.findall(r"^Via: .*$", request.replace("\r", ""), re.MULTILINE)
        same = [f"{name}: {_header(request, name)}" for name in ("From", "Call-ID", "CSeq")]
        to = _header(request, "To")
        answered = status == 200 and tag != ""
        self._sip.sendto(_lines(
            f"SIP/2.0 {status} As scripted", *vias, *same, f"To: {to}" + (f";tag={tag}" if tag else ""),
            f"Contact: <sip:{self.at}>", body=self._description() if answered else "", kind="application/sdp",
        ).encode(), address)  # fmt: skip

    async def _ask(self, call_id: str, request: str) -> str:
        self._answers[call_id] = asyncio.Queue()
        self._send(request)
        return await self._next(call_id)

    async def _next(self, call_id: str) -> str:
        async with asyncio.timeout(20):
            return await self._answers[call_id].get()

    def _send(self, request: str) -> None:
        self._sip.sendto(request.encode(), _host_port(self._server))

    def _via(self) -> str:
        return f"Via: SIP/2.0/UDP {self.at};branch=z9hG4bK{uuid4().hex}"

    def _description(self) -> str:
        host, _ = _host_port(self.at)
        return (
            f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {self._media} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )


def _lines(*lines: str, body: str = "", kind: str = "") -> str:
    """A message: what is not empty of the lines, and a body."""
    kinds = [f"Content-Type: {kind}"] if body else []
    hops = [] if lines[0].startswith("SIP/2.0") else ["Max-Forwards: 70"]
    return "\r\n".join([*filter(None, lines), *hops, *kinds, f"Content-Length: {len(body)}", "", body])


def _header(message: str, name: str) -> str:
    found = re.search(rf"^{name}: (.*?)\r?$", message, re.MULTILINE)
    return found[1] if found else ""


def _users(invite: str) -> tuple[str, str]:
    """Who is called, and who calls."""
    called, caller = re.match(r"INVITE sip:([^@]*)@", invite), re.search(r"<sip:([^@>]*)@", _header(invite, "From"))
    assert called
    return called[1], caller[1] if caller else ""


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port)
