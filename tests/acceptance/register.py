"""Registering many extensions at one address quickly: SIPp would need a process for each."""

from __future__ import annotations

import asyncio
import re
import socket
from uuid import uuid4

from sip_stack.digest import Credentials, answer, parse_challenge

__all__ = ["register"]


async def register(server: str, local: str, who: Credentials) -> None:
    """REGISTER `who` at `local` for five minutes.  Raises: AssertionError when it is refused."""
    call_id = uuid4().hex
    loop = asyncio.get_running_loop()
    host, _, port = local.partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind((host, int(port)))
        said, authorization = "", ""
        for cseq in (1, 2):
            lines = [
                f"REGISTER sip:{server} SIP/2.0", f"Via: SIP/2.0/UDP {local};branch=z9hG4bK{call_id}{cseq}",
                f"From: <sip:{who.user}@{server}>;tag={call_id}", f"To: <sip:{who.user}@{server}>",
                f"Call-ID: {call_id}", f"CSeq: {cseq} REGISTER", f"Contact: <sip:{who.user}@{local}>", "Expires: 300",
                "Max-Forwards: 70", *([authorization] if authorization else []), "Content-Length: 0", "", "",
            ]
            target, _, target_port = server.partition(":")
            await loop.sock_sendto(sock, "\r\n".join(lines).encode(), (target, int(target_port)))
            async with asyncio.timeout(5):
                said = (await loop.sock_recv(sock, 65_535)).decode()
            if offered := re.search(r"^WWW-Authenticate: (.*?)\r$", said, re.MULTILINE):
                challenge = parse_challenge(offered[1])
                assert challenge is not None
                authorization = f"Authorization: {answer(challenge, who, 'REGISTER', f'sip:{server}', uuid4().hex)}"
        assert said.startswith("SIP/2.0 200 "), said
