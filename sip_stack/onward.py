"""Where the requests of a dialog go, and the ACK to a 2xx."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from sip_stack.core import SipCore
from sip_stack.dialog import Dialog
from sip_stack.hop import Hop, bare
from sip_stack.locating import default_port

__all__ = ["SDP", "Acknowledger", "next_hop"]

SDP = "application/sdp"


def next_hop(dialog: Dialog, hop: Hop, *, nat: bool) -> Hop:
    """Where the next request of a dialog goes that began through `hop`."""
    if nat and not dialog.route_set:
        return hop
    uri = dialog.next_hop
    host, port = bare(uri.host), uri.port or default_port(hop.transport)
    if (host == hop.host and port == hop.port) or not _is_address(host):
        return hop
    return hop._replace(host=host, port=port)


@lru_cache(1024)
def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Acknowledger:
    """What each 2xx to one INVITE of ours gets (13.2.2.4): an ACK with a branch of its own, through the route set."""

    __slots__ = ("_core", "_data", "_hop", "_proof", "_seq", "dialog")

    def __init__(self, core: SipCore, dialog: Dialog, hop: Hop, seq: int, proof: tuple[str, str] | None = None) -> None:
        """`seq` is the INVITE's CSeq; `proof` its authorization, which the ACK has too (22.1)."""
        self._core = core
        self._hop = hop
        self._seq = seq
        self._proof = proof
        self._data = b""
        self.dialog = dialog

    def send(self, body: bytes = b"") -> None:
        """Send it, with our answer where the 2xx had the offer (13.2.1)."""
        request = self.dialog.request("ACK", seq=self._seq)
        via = self._core.new_via(self._hop, self._core.new_branch())
        request.fields = {"Via": [via], **request.fields}
        if self._proof is not None:
            request.fields[self._proof[0]] = [self._proof[1]]
        if body:
            request.fields["Content-Type"] = [SDP]
            request.body = body
        self._data = request.encode()
        self._core.send(self._data, self._hop, self.dialog.call_id)

    def again(self, hop: Hop) -> None:
        """The 2xx came again; nothing while our answer is not known yet."""
        if self._data:
            self._core.send(self._data, hop, self.dialog.call_id)
