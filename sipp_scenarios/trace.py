"""SIPp's message log as values, and the digest check that SIPp lacks."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

__all__ = ["Message", "digest_is_right", "read_trace"]


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message of SIPp's log."""

    at: float
    """Unix time."""
    sent: bool
    text: str

    @property
    def start_line(self) -> str:
        """Its request or status line."""
        return self.text.partition("\n")[0].strip()

    @property
    def method(self) -> str:
        """The method of its CSeq."""
        found = re.search(r"^CSeq:\s*\S+\s+(\S+)", self.text, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else ""

    def header(self, name: str) -> str | None:
        """The value of the first header of that name; None without."""
        found = re.search(rf"^{re.escape(name)}\s*:\s*(.*?)\s*$", self.text, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else None

    def is_(self, words: str) -> bool:
        """True for `ACK` (a request), `200` (a status) or `200 INVITE` (a status of one method)."""
        first, _, method = words.partition(" ")
        line = self.start_line.split(" ")
        if line[0].startswith("SIP/"):
            return line[1] == first and method in ("", self.method)
        return line[0] == first


def read_trace(path: Path) -> list[Message]:
    """The messages of a SIPp message log, in order; an unfinished last one is left out."""
    if not path.is_file():
        return []
    with path.open(errors="replace", newline="") as file:
        parts = re.split(r"^-{20,} (\S+ [\d:.]+)\n", file.read(), flags=re.MULTILINE)
    out = []
    for at, body in zip(parts[1::2], parts[2::2], strict=True):
        head = re.match(r"\w+ message (sent|received) [\[(](\d+)[\])]? bytes[\])]? ?:\n\n", body)
        if head and len(body.encode()) >= head.end() + int(head[2]):
            text = body[head.end():].replace("\r\n", "\n").strip("\n")
            out.append(Message(datetime.fromisoformat(at).timestamp(), head[1] == "sent", text))
    return out


def digest_is_right(credentials: str, method: str, user: str, password: str) -> bool:
    """True when an MD5 Digest value proves that password (RFC 7616 3.4.1, qop auth or none)."""
    said = {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', credentials)}

    def h(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode()).hexdigest()

    try:
        secret, request = h(user, said["realm"], password), h(method, said["uri"])
        between = (said["nc"], said["cnonce"], said["qop"]) if "qop" in said else ()
        expected = h(secret, said["nonce"], *between, request)
    except KeyError:
        return False
    return said.get("username") == user and said.get("response") == expected
