"""Where responses to a request go, and the Via they carry (RFC 3261 18.2, RFC 3581 4)."""

from __future__ import annotations

from sip_stack.grammar import comma_list, param, remembered
from sip_stack.headers import Via, top_via
from sip_stack.hop import RELIABLE, Hop
from sip_stack.locating import default_port
from sip_stack.message import Request

__all__ = ["way_back"]


def way_back(request: Request, source: Hop) -> Hop:
    """Where responses to a request from `source` go; its Via then says what the packet showed (18.2.1).

    Raises: BadMessage for a Via that cannot be read: there is no way back.
    """
    fields = request.fields
    if request.around is None:
        via = request.via
        text = _as_seen(fields["Via"][0], via, source)
        hop = _answered_to(via, source)
        request.sent_by = via.host, via.port
    else:
        before, behind, request.sent_by, hop = _plain_way((request.around, source))
        text = f"{before};branch={request.branch}{behind}"
    fields["Via"] = (text, *fields["Via"][1:])
    return hop


@remembered
def _plain_way(known: tuple[tuple[str, str, str], Hop]) -> tuple[str, str, tuple[str, int | None], Hop]:
    """All but the branch comes again: its Via in responses before and behind the branch, who sent it, where they go.

    A plain Via is never long: see `is_plain_via`.
    """
    (before, more, behind), source = known
    text = f"{before[len('Via: ') :]};branch=-{more}{behind}"
    via = top_via(text)
    before, _, behind = _as_seen(text, via, source).partition(";branch=-")
    return before, behind, (via.host, via.port), _answered_to(via, source)


def _as_seen(text: str, via: Via, source: Hop) -> str:
    """18.2.1, RFC 3581 4: `received` and `rport` as the packet showed them."""
    before, asked, after = text.partition(";rport")
    if asked and after[:1] in ("", ";") and "," not in before and "received" not in text:
        return f"{before};received={source.host};rport={source.port}{after}"  # the common form, by text alone
    seen = via.seen_from(source.host, source.port)
    return text if seen.params == via.params else ", ".join([str(seen), *comma_list(text)[1:]])


def _answered_to(via: Via, source: Hop) -> Hop:
    """18.2.2, RFC 3581 4."""
    if source.transport in RELIABLE:  # the connection itself; were it gone, another to the port of the Via
        port = via.port or default_port(source.transport)
        return source if port == source.port else source._replace(port=port)
    if param(via.params, "rport") is not None:
        return source
    return Hop(source.transport, source.host, via.port or 5060, source.flow)
