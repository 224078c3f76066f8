"""Which header of a trunk carries who calls: From, P-Asserted-Identity, Remote-Party-ID or P-Charge-Info."""

from __future__ import annotations

from b2bua.rules.caller_id import Shown
from sip_stack.errors import BadMessage
from sip_stack.grammar import param
from sip_stack.headers import NameAddr, canonical
from sip_stack.identity import Caller, caller_of, is_hidden_user
from sip_stack.message import Request
from sip_stack.uri import sip_uri
from store.values import Trunk

__all__ = ["caller_headers", "caller_on_trunk"]

_NAMES = {"pai": "P-Asserted-Identity", "rpid": "Remote-Party-ID", "charge": "P-Charge-Info"}


def caller_headers(trunk: Trunk, shown: Shown, domain: str) -> list[tuple[str, str]]:
    """The header beside From in which this trunk wants the number shown; none where From is enough."""
    if trunk.send_caller == "from" or is_hidden_user(shown.number):
        return []
    who = NameAddr("", sip_uri(shown.number, domain))
    if trunk.send_caller == "rpid":
        said = NameAddr(shown.name, who.uri, (("party", "calling"), ("privacy", "off"), ("screen", "yes")))
        return [(_NAMES["rpid"], str(said))]
    return [(_NAMES[trunk.send_caller], str(who))]


def caller_on_trunk(request: Request, trunk: Trunk) -> Caller:
    """Who calls, from the header that the trunk is believed to say it in, else From (SPEC H18)."""
    if not trunk.trusted or trunk.read_caller == "pai":
        return caller_of(request, trusted=trunk.trusted)
    plain = caller_of(request, trusted=False)
    said = _said(request, _NAMES[trunk.read_caller]) if trunk.read_caller != "from" else None
    if said is None:
        return plain
    private = (param(said.params, "privacy") or "off").lower() != "off"  # RPID: full, name, uri
    hidden = plain.hidden or private or is_hidden_user(said.uri.user)
    return Caller(said.display or plain.name, said.uri.number, True, hidden)


def _said(request: Request, name: str) -> NameAddr | None:
    """The first address in a header; None where it is missing or cannot be read."""
    try:
        return next(iter(request.addresses(canonical(name))), None)
    except BadMessage:
        return None
