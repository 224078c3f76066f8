"""A request that is sent once more: with a proof after a challenge (RFC 3261 22), or with another wish."""

from __future__ import annotations

from sip_stack.digest import Credentials, answer, challenge_of
from sip_stack.message import Request, Response

__all__ = ["authorised", "further"]


def further(request: Request) -> Request:
    """The same request one CSeq further, without Via: a transaction of its own."""
    fields = {k: v for k, v in request.fields.items() if k != "Via"}
    fields["CSeq"] = [f"{request.cseq.number + 1} {request.method}"]
    return Request(request.method, request.uri_text, fields, request.body)


def authorised(
    request: Request, response: Response, credentials: Credentials | None, tries: int, cnonce: str
) -> Request | None:
    """The same request with a proof (22.2); None where we cannot prove anything (more).

    A second proof is given only for a nonce that was too old, which says nothing against the password (22.4).
    """
    found = challenge_of(response)
    if found is None or credentials is None:
        return None
    name, challenge = found
    if tries > 2 or (tries == 2 and not challenge.stale):
        return None
    again = further(request)
    again.fields[name] = [answer(challenge, credentials, request.method, request.uri_text, cnonce)]
    return again
