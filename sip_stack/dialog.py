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
        "_local", "_remote", "_uri", "call_id", "local_seq", "local_tag", "remote_seq", "remote_tag", "remote_target",
        "route_set",
    )  # fmt: skip

    call_id: str
    local_tag: str
    remote_tag: str
    local_seq: int
    remote_seq: int | None
    route_set: tuple[NameAddr, ...]
    remote_target: Uri
    _uri: str
    """The remote target as it is written."""
    _local: str
    """From of our requests, in the words that began the dialog, up to our tag: that text many calls share."""
    _remote: str
    """To of our requests, in the words that began the dialog."""

    @classmethod
    def from_request(cls, invite: Request, local_tag: str) -> Dialog:
        """12.1.1: the side that was invited.  Raises: BadMessage where the Contact cannot be read."""
        dialog, fields, from_ = cls(), invite.fields, invite.from_
        dialog.call_id = invite.call_id
        dialog.local_tag = local_tag
        dialog.remote_tag = from_.tag
        dialog.local_seq = 0
        dialog.remote_seq = invite.cseq.number
        dialog.route_set = invite.addresses("Record-Route") if "Record-Route" in fields else ()
        dialog.remote_target, dialog._uri = _target_of(invite) or _bare(from_.uri)
        dialog._local = fields["To"][0]
        dialog._remote = fields["From"][0]
        return dialog

    @classmethod
    def from_response(
        cls, call_id: str, local: str, local_tag: str, seq: int, target: Uri, response: Response
    ) -> Dialog:
        """12.1.2: the side that invited `target`, by an INVITE with this From and CSeq number.  Raises: BadMessage."""
        dialog, fields = cls(), response.fields
        dialog.call_id = call_id
        dialog.local_tag = local_tag
        dialog.remote_tag = response.to.tag
        dialog.local_seq = seq
        dialog.remote_seq = None
        dialog.route_set = response.addresses("Record-Route")[::-1] if "Record-Route" in fields else ()  # reversed
        dialog.remote_target, dialog._uri = _target_of(response) or _bare(target)
        dialog._local = local
        dialog._remote = fields["To"][0]
        return dialog

    def fork(self, response: Response) -> Dialog:
        """The dialog with a second phone that answered the same INVITE.  Raises: BadMessage."""
        seq, target = response.cseq.number, self.remote_target
        return Dialog.from_response(self.call_id, self._local, self.local_tag, seq, target, response)

    @property
    def local(self) -> NameAddr:
        """Our address with our tag."""
        return parse_name_addr(f"{self._local};tag={self.local_tag}")

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
            f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {self._local};tag={self.local_tag}\r\n"
            f"To: {self._remote}\r\nCall-ID: {self.call_id}\r\nCSeq: {seq} {method}{routes}{more}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
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
