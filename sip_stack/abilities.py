"""What we can do, and how a request that asks for more is refused (RFC 3261 8.2.1 to 8.2.3)."""

from __future__ import annotations

from sip_stack.errors import PeerError
from sip_stack.message import Request

__all__ = ["ALLOW", "SERVED", "SUPPORTED", "refuse_unknown", "refuse_what_we_lack"]

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REFER, REGISTER"
SUPPORTED = "100rel, timer, replaces, norefersub"
SERVED = frozenset(ALLOW.split(", ")) | {"NOTIFY"}  # of a dialog, whose user knows his subscriptions
_KNOWN = SERVED | {"MESSAGE", "PUBLISH", "SUBSCRIBE"}
_EXTENSIONS = frozenset(SUPPORTED.split(", "))
_REGISTER_EXTENSIONS = ("path", "outbound")
_DESCRIBING = frozenset({"INVITE", "PRACK", "UPDATE"})
_SDP = "application/sdp"
_ALLOWED = (("Allow", ALLOW),)


def refuse_unknown(request: Request) -> None:
    """21.5.2: a method that nobody here has heard of.  Raises: PeerError 501."""
    if request.method not in _KNOWN:
        raise PeerError("Not Implemented", 501, _ALLOWED)


def refuse_what_we_lack(request: Request) -> None:
    """8.2.1 to 8.2.3.  Raises: PeerError 405, 420 or 415."""
    if request.method not in SERVED:
        raise PeerError("Method Not Allowed", 405, _ALLOWED)
    fields = request.fields
    if "Require" in fields:
        known = _REGISTER_EXTENSIONS if request.method == "REGISTER" else _EXTENSIONS
        lacking = [tag for tag in request.tokens("Require") if tag.lower() not in known]
        if lacking:
            raise PeerError("Bad Extension", 420, (("Unsupported", ", ".join(lacking)),))
    if "Content-Encoding" in fields and request.tokens("Content-Encoding") != ["identity"]:
        raise PeerError("Unsupported Media Type", 415, (("Accept-Encoding", "identity"),))
    if request.method not in _DESCRIBING:
        return
    if "Accept" in fields and not _takes_sdp(request):
        raise PeerError("Not Acceptable", 406)  # 21.4.7: what we answer is a session description
    if request.body:
        kind = fields.get("Content-Type", [_SDP])[0]
        if kind != _SDP and kind.partition(";")[0].strip().lower() != _SDP:
            raise PeerError("Unsupported Media Type", 415, (("Accept", _SDP),))


def _takes_sdp(request: Request) -> bool:
    kinds = {kind.partition(";")[0].strip().lower() for kind in request.tokens("Accept")}
    return not kinds.isdisjoint((_SDP, "application/*", "*/*"))
