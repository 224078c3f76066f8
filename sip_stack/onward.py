"""Where the requests of a dialog go, and the ACK to a 2xx."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from sip_stack.core import SipCore
from sip_stack.dialog import Dialog
from sip_stack.errors import BadMessage
from sip_stack.hop import Hop, bare
from sip_stack.locating import default_port
from sip_stack.message import Response

__all__ = ["SDP", "Acknowledger", "next_hop"]

SDP = "application/sdp"
_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


def next_hop(dialog: Dialog, hop: Hop, *, nat: bool) -> Hop:
    """Where the next request of a dialog goes that began through `hop`."""
    routes = dialog.route_set
    if nat and not routes:
        return hop
    uri = routes[0].uri if routes else dialog.remote_target  # 12.2.1.1
    if uri.host == hop.host and uri.port == hop.port:
        return hop
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
    """What each 2xx to one INVITE of ours gets (13.2.2.4): an ACK with a branch of its own, through the route set.

    It is told of repeated ones for 32 s, and holds nothing of the call.
    """

    __slots__ = ("_core", "_data", "_hop", "_nat", "_proof", "_seq", "dialog")

    def __init__(self, core: SipCore, dialog: Dialog, hop: Hop, seq: int, nat: bool, proof: str = "") -> None:
        """`hop` and `nat` as for `next_hop`; `seq`: the INVITE's CSeq; `proof`: its authorization (22.1), a line."""
        self._core = core
        self._hop = hop
        self._nat = nat
        self._seq = seq
        self._proof = proof
        self._data = b""
        self.dialog = dialog

    def send(self, body: bytes = b"") -> None:
        """Send it, with our answer where the 2xx had the offer (13.2.1)."""
        core, dialog = self._core, self.dialog
        hop = next_hop(dialog, self._hop, nat=self._nat)
        more = f"{self._proof}\r\nContent-Type: {SDP}" if body else self._proof
        self._data = dialog.request("ACK", core.new_via(hop, core.new_branch()), more, body, seq=self._seq)
        core.send(self._data, hop, dialog.call_id)

    def again(self, response: Response | None) -> None:
        """One more 2xx: the ACK again, where our answer is known by now; a second phone gets an ACK, then a BYE."""
        assert response is not None
        dialog = self.dialog
        if response.to.tag != dialog.remote_tag:
            self._leave(response)
        elif self._data:
            self._core.send(self._data, next_hop(dialog, self._hop, nat=self._nat), dialog.call_id)

    def _leave(self, response: Response) -> None:
        try:
            fork = self.dialog.fork(response)
        except BadMessage:  # its Contact cannot be read: there is nowhere to send either
            return
        Acknowledger(self._core, fork, self._hop, fork.local_seq, self._nat, self._proof).send()
        hop = next_hop(fork, self._hop, nat=self._nat)
        self._core.ask(fork, hop, "BYE", lambda _: None, f"\r\nReason: {_ELSEWHERE}")
