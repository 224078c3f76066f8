"""Phones that answer by 3xx: where they say that they are, and what of it is called (RFC 3261 8.1.3.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from b2bua.outcome import CallError, NotReached
from b2bua.rules.numbers import BadNumber, read_number
from sip_stack.errors import BadMessage
from sip_stack.grammar import param
from sip_stack.message import Response
from sip_stack.uri import Uri
from store.directory import Directory
from store.values import Extension

__all__ = ["MOST_REDIRECTS", "Found", "first_reached", "read_target", "targets_of"]

T = TypeVar("T")
MOST_REDIRECTS = 5
"""Of one call, all phones together: what goes round ends here."""
_MOST_TARGETS = 5


@dataclass(frozen=True, slots=True)
class Found:
    """What a target is here: a phone extension, a public number, or nothing that is called, by `word`."""

    word: str
    extension: Extension | None = None
    number: str = ""


def targets_of(response: Response) -> tuple[Uri, ...]:
    """The Contacts of a 3xx, by q and then as they stand (20.10: without q it is 1); none of what cannot be read."""
    if not 300 <= response.status < 400:
        return ()
    try:
        contacts = response.addresses("Contact")
    except BadMessage:
        return ()
    ordered = sorted(contacts, key=lambda contact: -_q(param(contact.params, "q")))
    return tuple(contact.uri for contact in ordered[:_MOST_TARGETS])


def _q(text: str | None) -> float:
    try:
        return min(1.0, max(0.0, float(text))) if text and len(text) <= 5 else 1.0
    except ValueError:
        return 1.0


def read_target(uri: Uri, owner: Extension, directory: Directory) -> Found:
    """Whom a Contact means, as if `owner` had dialled its user part; the host does not count: calls leave by trunks.

    Premium and emergency numbers are not called: it is a stranger who would have them called.
    """
    dialled = uri.number
    called = directory.extension(dialled)
    if called is None:
        account = directory.accounts[owner.account_id]
        try:
            number = read_number(dialled, account.dial_plan, extensions=directory.internal_numbers)
        except BadNumber as refusal:
            return Found(f"which is not called: {refusal}")
        public = directory.public_numbers.get(number)
        if public is None:
            return Found("a public number", number=number)
        called = directory.extension_by_id(public.extension_id or 0)  # ours: a call by the network would come back
    if called is None or called.kind != "phone":
        return Found("which is no phone: not called")
    return Found(f"extension {called.number}", called)


async def first_reached(targets: Iterable[Uri], reach: Callable[[Uri], Awaitable[T | None]], status: int) -> T:
    """The first target that is reached, each tried after the one before.  Raises: what the last one did, else `status`.

    `reach` gives None for a target that is not to be tried.
    """
    failure: CallError = NotReached(status)
    for target in targets:
        try:
            reached = await reach(target)
        except CallError as error:
            failure = error
        else:
            if reached is not None:
                return reached
    raise failure
