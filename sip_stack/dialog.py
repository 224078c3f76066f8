"""Dialogs (RFC 3261 12): the state two user agents share, and the requests it makes."""

from __future__ import annotations

from sip_stack.errors import BadMessage, PeerError
from sip_stack.grammar import param, remembered
from sip_stack.headers import NameAddr, parse_name_addr, parse_name_addrs, written
from sip_stack.message import Request, Response
from sip_stack.uri import Uri

__all__ = ["Dialog"]


class Dialog:
    """One dialog, early or confirmed."""

    __slots__ = (
        "_local", "_remote", "_uri", "call_id", "local_seq", "remote_seq", "remote_tag", "remote_target", "route_set",
    )  # fmt: skip

    def __init__(
        self, call_id: str, local: str, remote: str, remote_tag: str, *, local_seq: int, remote_seq: int | None,
        target: tuple[Uri, str], route_set: tuple[NameAddr, ...],
    ) -> None:  # fmt: skip
        """`local` and `remote`: From and To of our requests, in the words that began the dialog.

        `target`: the remote target, and how it is written.
        """
        self.call_id = call_id
        self.remote_tag = remote_tag
        self.local_seq = local_seq
        self.remote_seq = remote_seq
        self.route_set = route_set
        self._local = local
        self._remote = remote
        self.remote_target, self._uri = target

    @classmethod
    def from_request(cls, invite: Request, local_tag: str) -> Dialog:
        """12.1.1: the side that was invited.  Raises: BadMessage where the Contact cannot be read."""
        fields, from_ = invite.fields, invite.from_
        return cls(
            invite.call_id, f"{fields['To'][0]};tag={local_tag}", fields["From"][0], from_.tag,
            local_seq=0, remote_seq=invite.cseq.number,
            target=_target_of(invite) or _bare(from_.uri),
            route_set=invite.addresses("Record-Route") if "Record-Route" in fields else (),
        )  # fmt: skip

    @classmethod
    def from_response(cls, call_id: str, local: str, seq: int, target: Uri, response: Response) -> Dialog:
        """12.1.2: the side that invited `target`, by an INVITE with this From and CSeq number.  Raises: BadMessage."""
        fields = response.fields
        return cls(
            call_id, local, fields["To"][0], response.to.tag,
            local_seq=seq, remote_seq=None,
            target=_target_of(response) or _bare(target),
            route_set=response.addresses("Record-Route")[::-1] if "Record-Route" in fields else (),  # in reverse order
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

    def request(self, method: str, via: str, more: str = "", body: bytes = b"", *, seq: int | None = None) -> bytes:
        """A request inside this dialog: the bytes on the wire.

        `more`: further header lines, CRLF before each; `seq` for an ACK, which repeats the INVITE's.
        """
        if seq is None:
            self.local_seq = seq = self.local_seq + 1
        uri, routes = self._uri, ""
        if self.route_set:
            uri, routes = self._routed()
        return (
            f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {self._local}\r\nTo: {self._remote}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {seq} {method}{routes}{more}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode("utf-8", "surrogateescape") + body

    def _routed(self) -> tuple[str, str]:
        """Request-URI and Route lines of our requests."""
        uri, routes = self._uri, [written(route) for route in self.route_set]
        first = self.route_set[0].uri
        if param(first.params, "lr") is None:  # 12.2.1.1: a strict router gets itself as Request-URI
            uri, routes = str(first), [*routes[1:], f"<{uri}>"]
        return uri, "".join([f"\r\nRoute: {route}" for route in routes])

    def receive(self, request: Request) -> None:
        """Take in a request of the far end.  Raises: PeerError 500 for a CSeq that goes back (12.2.2)."""
        number = request.cseq.number
        if self.remote_seq is not None and number < self.remote_seq:
            raise PeerError("CSeq out of order", status=500)
        self.remote_seq = number

    def refresh(self, message: Request | Response) -> None:
        """A re-INVITE or UPDATE, or the 2xx to one, may move the remote target (12.2)."""
        try:
            target = _target_of(message)
        except BadMessage:  # a response is not answered: the target stays what it was
            return
        if target is not None:
            self.remote_target, self._uri = target


def _target_of(message: Request | Response) -> tuple[Uri, str] | None:
    """Where a message wants requests to go, and how that is written; None without a Contact.  Raises: BadMessage."""
    contacts = message.fields.get("Contact")
    return _read_target(", ".join(contacts)) if contacts else None  # 7.3.1: lines of one header are one list


@remembered
def _read_target(contact: str) -> tuple[Uri, str] | None:
    addresses = parse_name_addrs((contact,))
    return _bare(addresses[0].uri) if addresses else None


def _bare(uri: Uri) -> tuple[Uri, str]:
    """19.1.1: headers are not allowed in a Request-URI."""
    uri = uri._replace(headers="") if uri.headers else uri
    return uri, str(uri)
