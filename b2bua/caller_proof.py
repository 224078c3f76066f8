"""Where calls meet STIR: which calls are signed, what an INVITE claims, and what follows from the verdict."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from b2bua.outcome import Ended, NotProven
from b2bua.rules.caller_id import Shown
from b2bua.rules.numbers import from_trunk
from b2bua.stir.attest import attestation, canonical, signed_number
from b2bua.stir.verdict import Finding, Said, Verdict
from b2bua.trace.ladder import PSTN, RINGBACK
from sip_stack.headers import NameAddr
from sip_stack.identity import Caller, is_hidden_user
from sip_stack.message import Request
from store.values import Extension, Trunk

if TYPE_CHECKING:
    from b2bua.call import Call
    from b2bua.leg import Leg
    from b2bua.stir.service import Stir

__all__ = ["claims_of", "marked", "proven_first", "signature", "unmarked", "verdict_of", "without_mark"]

_NUMBER = re.compile(r"\+?[0-9*#]+")


def signature(
    call: Call, trunk: Trunk, line: Extension, number: str, from_: NameAddr, headers: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The headers that sign a call by a trunk; none where it is not signed."""
    stir = call.exchange.stir
    if stir is None or not stir.signs or not trunk.sign:
        return []
    orig, dest = signed_number(from_, headers, trunk), canonical(number, trunk)
    if not orig or not dest:
        return []
    rules = line.caller_id
    may_use = (line.public_number, *rules.numbers, rules.default, rules.number if rules.approved else "")
    own = {canonical(each, trunk) for each in may_use if each}
    attest = attestation(orig, own, relayed=call.kind == "inbound")
    return stir.signed(orig, dest, attest, f"account/{line.account_id}")


def claims_of(stir: Stir | None, request: Request, caller: Caller, number: str, trunk: Trunk) -> Said | None:
    """What is to be verified of an INVITE from a trunk that calls `number`; None: nothing."""
    if stir is None or not stir.verifies or trunk.verify == "off":
        return None
    if trunk.verify == "note" and "Identity" not in request.fields:
        return None
    called = {canonical(from_trunk(request.to.uri.number, trunk), trunk), canonical(number, trunk)} - {""}
    orig = canonical(from_trunk(caller.user, trunk), trunk)
    return Said(tuple(request.fields.get("Identity", ())), orig, frozenset(called), _date(request.get("Date")))


def _date(stamp: str | None) -> float | None:
    try:
        return parsedate_to_datetime(stamp).timestamp() if stamp else None
    except ValueError:  # a 31st of February
        return None


def without_mark(caller: Caller, mark: str) -> Caller:
    """A caller as he may be shown: the mark of `marked` stands in no name, nor in a user part that is read as one."""
    if not mark:
        return caller
    user = caller.user if _NUMBER.fullmatch(caller.user) else unmarked(caller.user, mark)
    return caller._replace(name=unmarked(caller.name, mark), user=user)


def unmarked(name: str, mark: str) -> str:
    """What somebody outside says of himself, without the mark that is ours to put before it, however it is written."""
    said, rest = _plain(mark) if mark else "", name
    while said and (end := _end_of(said, rest)):
        rest = rest[end:].lstrip()
    return rest


def _end_of(said: str, text: str) -> int:
    """Where in a text that begins so its rest begins; 0 in another."""
    begun = ""
    for end, each in enumerate(text, 1):
        begun += _plain(each)
        if begun.startswith(said):
            return end
        if not said.startswith(begun):
            break
    return 0


def _plain(text: str) -> str:
    """As people see it: whatever the capitals, widths, spaces and invisible characters."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(each for each in folded if each.isprintable() and not each.isspace())


def marked(shown: Shown, verdict: Verdict, mark: str) -> Shown:
    """What the called extension sees: the mark where the signer knows the caller, and that the number is its own."""
    proven = verdict.finding is Finding.PASSED and verdict.attest == "A" and not is_hidden_user(shown.number)
    return shown._replace(name=f"{mark}{shown.name or shown.number}") if mark and proven else shown


async def verdict_of(call: Call, trunk: Trunk, said: Said) -> Verdict:
    """Verify, and note it in the call."""
    stir = call.exchange.stir
    assert stir is not None
    call.verdict = verdict = await stir.verify(said)
    if verdict.finding is not Finding.NONE:
        call.ladder_row("event", PSTN, RINGBACK, f"number {verdict}", verdict.why)
        call.log_event(f"caller-{verdict} trunk={trunk.name}")
    return verdict


async def proven_first(
    call: Call, caller: Leg, trunk: Trunk, said: Said, flow: Callable[[Verdict], Awaitable[Ended]]
) -> Ended:
    """The flow of a call from a trunk, once it is known what its signature is worth.

    Raises: NotProven where the trunk's calls must be signed, and this one is not, or not truly.
    """
    with caller.alive():
        verdict = await verdict_of(call, trunk, said)
    if trunk.verify == "require" and verdict.finding is not Finding.PASSED:
        raise NotProven(*verdict.finding.refusal)
    return await flow(verdict)
