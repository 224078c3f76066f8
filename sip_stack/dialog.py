"""Dialogs (RFC 3261 12): the state two user agents share, and the requests it makes."""

from __future__ import annotations

from sip_stack.errors import BadMessage, PeerError
from sip_stack.grammar import param
from sip_stack.headers import NameAddr, parse_name_addr
from sip_stack.message import Request, Response
from sip_stack.uri import Uri

__all__ = ["Dialog"]


class Dialog:
    """One dialog, early or confirmed."""

    __slots__ = (
        "_local", "_remote", "_way", "call_id", "local_seq", "remote_seq", "remote_tag", "remote_target", "route_set",
    )  # fmt: skip

    def __init__(
        self, call_id: str, local: str, remote: str, remote_tag: str, *, local_seq: int, remote_seq: int | None,
        remote_target: Uri, route_set: tuple[NameAddr, ...],
    ) -> None:  # fmt: skip
        """`local` and `remote`: From and To of our requests, in the words that began the dialog."""
        self.call_id = call_id
        self.remote_tag = remote_tag
        self.local_seq = local_seq
        self.remote_seq = remote_seq
        self.route_set = route_set
        self._local = local
        self._remote = remote
        self.remote_target = _bare_target(remote_target)
        self._way: tuple[str, str] | None = None
        """Request-URI and Route lines of our requests, once there is one."""

    @classmethod
    def from_request(cls, invite: Request, local_tag: str) -> Dialog:
        """12.1.1: the side that was invited.  Raises: BadMessage where the Contact cannot be read."""
        fields, from_ = invite.fields, invite.from_
        contacts = invite.addresses("Contact")
        return cls(
            invite.call_id, f"{fields['To'][0]};tag={local_tag}", fields["From"][0], from_.tag,
            local_seq=0, remote_seq=invite.cseq.number,
            remote_target=contacts[0].uri if contacts else from_.uri,
            route_set=invite.addresses("Record-Route") if "Record-Route" in fields else (),
        )  # fmt: skip

    @classmethod
    def from_response(cls, call_id: str, local: str, seq: int, target: Uri, response: Response) -> Dialog:
        """12.1.2: the side that invited `target`, by an INVITE with this From and CSeq number.  Raises: BadMessage."""
        contacts = response.addresses("Contact")
        routes = response.addresses("Record-Route")[::-1] if "Record-Route" in response.fields else ()
        return cls(
            call_id, local, response.fields["To"][0], response.to.tag,
            local_seq=seq, remote_seq=None,
            remote_target=contacts[0].uri if contacts else target,
            route_set=routes,  # in reverse order
        )  # fmt: skip

    def fork(self, response: Response) -> Dialog:
        """The dialog with a second phone that answered the same INVITE.  Raises: BadMessage."""
        return Dialog.from_response(self.call_id, self._local, response.cseq.number, self.remote_target, response)

    @property
    def local(self) -> NameAddr:
        """Our address with our tag."""
        return parse_name_addr(self._local)

    @property
    def remote(self) -> NameAddr:
        """Their address with their tag."""
        return parse_name_addr(self._remote)

    @property
    def next_hop(self) -> Uri:
        """Where requests of this dialog go: the first route, else the remote target (12.2.1.1)."""
        return self.route_set[0].uri if self.route_set else self.remote_target

    def request(self, method: str, via: str, more: str = "", body: bytes = b"", *, seq: int | None = None) -> bytes:
        """A request inside this dialog: the bytes on the wire.

        `more`: further header lines, CRLF before each; `seq` for an ACK, which repeats the INVITE's.
        """
        if seq is None:
            self.local_seq = seq = self.local_seq + 1
        if self._way is None:
            self._way = self._written_way()
        uri, routes = self._way
        return (
            f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {self._local}\r\nTo: {self._remote}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {seq} {method}{routes}{more}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode("utf-8", "surrogateescape") + body

    def _written_way(self) -> tuple[str, str]:
        target = self.remote_target
        if not self.route_set:
            return str(target), ""
        routes = [str(route) for route in self.route_set]
        first = self.route_set[0].uri
        if param(first.params, "lr") is None:  # 12.2.1.1: a strict router gets itself as Request-URI
            routes, target = [*routes[1:], f"<{target}>"], first
        return str(target), "".join([f"\r\nRoute: {route}" for route in routes])

    def receive(self, request: Request) -> None:
        """Take in a request of the far end.  Raises: PeerError 500 for a CSeq that goes back (12.2.2)."""
        number = request.cseq.number
        if self.remote_seq is not None and number < self.remote_seq:
            raise PeerError("CSeq out of order", status=500)
        self.remote_seq = number

    def refresh(self, message: Request | Response) -> None:
        """A re-INVITE or UPDATE, or the 2xx to one, may move the remote target (12.2)."""
        try:
            contacts = message.addresses("Contact")
        except BadMessage:  # a response is not answered: the target stays what it was
            return
        if contacts:
            self.remote_target = _bare_target(contacts[0].uri)
            self._way = None


def _bare_target(uri: Uri) -> Uri:
    """19.1.1: headers are not allowed in a Request-URI."""
    return uri._replace(headers="") if uri.headers else uri
