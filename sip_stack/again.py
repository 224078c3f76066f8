"""A request that is sent once more: with a proof after a challenge (RFC 3261 22), or with another wish."""

from __future__ import annotations

from sip_stack.digest import Credentials, answer, challenge_of
from sip_stack.message import Fields, Request, Response

__all__ = ["authorised", "further", "read_back"]


def read_back(sent: bytes) -> Request:
    """A request of ours from the bytes it left as, for what is to follow of it; names stay as we wrote them."""
    head, _, body = sent.partition(b"\r\n\r\n")
    start, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    fields: Fields = {}
    for line in lines:
        name, _, value = line.partition(": ")
        fields[name] = (*fields.get(name, ()), value)
    method, uri, _ = start.split(" ")
    return Request(method, uri, fields, body)


def further(sent: bytes) -> Request:
    """The same request one CSeq further, without Via: a transaction of its own."""
    request = read_back(sent)
    fields = request.fields
    del fields["Via"]
    number, _, method = fields["CSeq"][0].partition(" ")
    fields["CSeq"] = [f"{int(number) + 1} {method}"]
    return Request(method, request.uri_text, fields, request.body)


def authorised(
    sent: bytes, response: Response, credentials: Credentials | None, tries: int, cnonce: str
) -> Request | None:
    """The request that was sent, with a proof (22.2); None where we cannot prove anything (more).

    A second proof is given only for a nonce that was too old, which says nothing against the password (22.4).
    """
    found = challenge_of(response)
    if found is None or credentials is None:
        return None
    name, challenge = found
    if tries > 2 or (tries == 2 and not challenge.stale):
        return None
    again = further(sent)
    again.fields[name] = [answer(challenge, credentials, again.method, again.uri_text, cnonce)]
    return again
