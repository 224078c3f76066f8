"""Says in plain words why a call or request ended, and how its cost came about (SPEC 72, 74, 75, A12.5)."""

from __future__ import annotations

from b2bua.money import format_money
from store.rates import price, talk_seconds
from store.values import Micros, Rate

__all__ = ["PROOFS", "SENTENCES", "cost_lines", "cost_parts", "paid_seconds", "proof", "sentence"]

SENTENCES: dict[str, str] = {
    "": "It is still under way.",
    "ringing": "It still rings; whether it is called back is not yet decided.",
    "scheduled": "It waits for its time.",
    "put-off": "The owner of the extension pressed 3: it is called again later.",
    # how a call ended
    "talked": "They talked, and one of them hung up.",
    "credit-spent": "The talk was cut at the second the money, or the longest allowed talk, ended.",
    "refused": "The owner of the extension pressed 2: refused.",
    "refused-and-blocked": "The owner of the extension pressed 9: refused, and the number is blocked.",
    "visitor-opted-out": "The visitor pressed 9, had not asked for the call, and will not be called again.",
    "not-confirmed": "The extension answered and pressed nothing, so it was not confirmed.",
    "offline": "No phone of the extension was registered.",
    "busy": "Whoever was called was busy.",
    "declined": "Whoever was called declined the call.",
    "no-answer": "Nobody answered.",
    "failed": "The number could not be reached: there is no such number, or the network refused it.",
    "phone-left": "The extension hung up before the talk began.",
    "visitor-busy": "The visitor's number was busy.",
    "visitor-declined": "The visitor declined the call.",
    "visitor-no-answer": "The visitor did not answer.",
    "visitor-failed": "The visitor's number could not be reached.",
    "visitor-left": "The visitor answered and hung up before the talk began.",
    "no-credit": "There was not enough credit to begin.",
    "no-rate": "The account has no price for this number.",
    "no-route": "No trunk takes this number.",
    "cancelled": "Whoever asked for the call gave it up.",
    "media-lost": "No sound came from one side for too long.",
    "congested": "No media port was free, or another limit of this server was reached.",
    "server-stopped": "This server was being stopped.",
    "server-error": "A fault of this server; its log says more.",
    "server-restarted": "This server stopped without notice while it was under way, and was started again.",
    # how a call that speaks a code ended, and why there was none
    "code-spoken": "The code was spoken to whoever answered.",
    "code-not-heard": "Whoever answered hung up before the code was spoken.",
    "code-unwanted": "Whoever answered pressed 9, had not asked for a code, and will not be called again.",
    "code-calls-hour": "The account has had its calls with codes of the hour.",
    "code-calls-day": "The account has had its calls with codes of the day.",
    # how a call back ended, and why a callback number did not call back
    "caller-left": "The person called back hung up before any talk.",
    "wrong-secret": "The password or PIN was wrong too many times.",
    "nothing-dialled": "The person called back pressed nothing in time.",
    "not-configured": "The callback number is switched off, or not set up yet.",
    "hidden-callerid": "The caller hid the number.",
    "untrusted-caller": "The number came by a trunk whose callers are not believed, or its signature proved nothing.",
    "not-proven": "Calls of this trunk must have a signed number, and this one had none, or one that proved nothing.",
    "unknown-caller": "The number is not among the authorised CallerIDs.",
    "caller-disabled": "The authorised CallerID is disabled.",
    "already-pending": "A call back to this number was under way already.",
    "number-locked": "Too many wrong passwords or PINs: the number is locked for a while.",
    "number-calls-today": "This number has had its calls back of the day.",
    "money-today": "The callback number has spent its money of the day.",
    "price-too-high": "The number costs more a minute than is allowed.",
    # why a CallNow request was no call
    "unknown-page": "There is no such CallNow page.",
    "name-required": "The page asks for a name, and none was given.",
    "name-unfit": "The name was too long, or had characters that cannot be shown in one line.",
    "paused": "The owner has paused CallNow.",
    "outside-interval": "It was asked for outside the hours of the page.",
    "on-phone": "The extension was in a call.",
    "link-money-today": "This link has spent its money of the day.",
    "link-calls-today": "This link has had its calls of the day.",
    "ip-15-minutes": "Too many requests from this address within 15 minutes.",
    "ip-day": "Too many requests from this address within a day.",
    "ip-numbers": "Too many different numbers from this address within an hour.",
    "number-pending": "A call to this number was under way already.",
    "number-day": "This number was called too often within a day.",
    "number-forbidden": "The number begins with one of the forbidden prefixes.",
    "number-not-allowed": "The number begins with none of the allowed prefixes.",
    "refused-by-rule": "A rule of the extension refuses this number or name.",
    "number-blocked": "The owner of the extension has blocked this number.",
    "number-opted-out": "Whoever has this number does not want to be called by pages.",
    "signed-link-forged": "It came with a signed link that is not ours, or was changed.",
    "signed-link-key-rotated": "It came with a signed link whose key was rotated.",
    "signed-link-other-page": "It came with a signed link of another page.",
    "signed-link-expired": "The signed link had expired.",
    "signed-link-revoked": "The signed link was revoked.",
    "signed-link-used-up": "The signed link had been used as often as it may be.",
    "signed-link-other-number": "The signed link is for another number than the one asked for.",
    "slot-not-free": "The time that was chosen was not offered, or somebody else had chosen it.",
    "link-waiting": "As many requests as this page keeps were waiting for their time.",
    "number-waiting": "A call to this number was waiting for its time already.",
    "number-quarantined": "Calls to this number were not answered too often: it is left in peace for a while.",
    "time-missed": "Its time passed while this server was not there.",
    # what stands for many
    "more-refused": "More from there were refused, too many to be written one by one.",
    "overloaded": "New calls were turned away unread, as this server was behind with its work.",
    # what was wrong with the number
    "number-empty": "No number was given.",
    "number-characters": "The number has characters that no telephone number has.",
    "number-internal": "It is an internal number.",
    "number-emergency": "It is an emergency number; these are never called from here.",
    "number-premium": "It is a premium-rate number; these are never called from here.",
    "number-short-code": "It is a short code; these are never called from here.",
    "number-refused": "This number is not allowed.",
    "number-too-short": "The number is too short.",
    "number-too-long": "The number is too long.",
    "number-impossible": "No number of that country looks like this.",
}
"""Every recorded reason in a plain sentence."""


PROOFS: dict[str, str] = {
    "": "",
    "verified": "The caller's number is verified: its signature is good.",
    "verified-A": "The caller's number is verified: its provider knows the caller and whose the number is.",
    "verified-B": "The caller's provider signed the number: it knows the caller, and not whose the number is.",
    "verified-C": "The call was signed where it entered the network; nobody knows whose the number is.",
    "not-signed": "The caller's number is not signed.",
    "stale": "The signature of the number is too old: it may be of another call.",
    "other-caller": "The signature is for another calling number.",
    "other-called": "The signature is for a call to another number.",
    "no-certificate": "The certificate of who signed the number could not be fetched.",
    "untrusted-certificate": "The certificate of who signed the number is not believed, or is not for it.",
    "bad-signature": "The signature of the number is wrong.",
}
"""What each verdict on a signed number means."""


def proof(verdict: str) -> str:
    """What the signature of a number was worth, in a sentence."""
    return PROOFS[verdict]


def sentence(reason: str) -> str:
    """The reason in plain words; a word that this version does not know is shown as it is."""
    return SENTENCES.get(reason, reason)


def paid_seconds(rate: Rate, seconds: float, charged: Micros) -> float:
    """How much of an answered leg was paid: from the cut at the last paid second until its BYE it is free."""
    limit = talk_seconds(charged, rate) if charged < price(rate, seconds) else None
    return seconds if limit is None else min(seconds, limit)


def cost_parts(rate: Rate, seconds: float, charged: Micros) -> list[tuple[str, Micros]]:
    """What an answered leg cost, part by part: the amounts add up to `charged`."""
    if charged == 0 < price(rate, seconds) and not rate.free_s:  # SPEC H5: a call back paid for with a second leg only
        return [("not charged", Micros(0))]
    paid_s = paid_seconds(rate, seconds, charged)
    if price(rate, paid_s) == 0 == charged:  # free minutes are all that it used
        return []
    beyond_ms = max(0, round(paid_s * 1000) - (rate.free_s + rate.first_interval_s) * 1000)
    begun = -(-beyond_ms // (rate.increment_s * 1000))
    parts = [
        ("connection fee", rate.connection_fee),
        (f"first {rate.first_interval_s} s", rate.first_cost),
        (f"{begun} x {rate.increment_s} s begun", Micros(begun * rate.increment_cost)),
    ]
    due, plain = price(rate, paid_s), sum(amount for _, amount in parts)
    if due > plain:
        parts.append((f"raised to the minimum of {format_money(rate.minimum)}", Micros(due - plain)))
    elif due < plain and rate.maximum is not None:
        parts.append((f"lowered to the maximum of {format_money(rate.maximum)}", Micros(due - plain)))
    parts.append(("as far as money was held", Micros(charged - due)))
    return [part for part in parts if part[1]]


def cost_lines(rate: Rate, seconds: float, charged: Micros, currency: str) -> list[str]:
    """The same as lines: `first 60 s: 0.50`, ending with the total."""
    free = [f"{rate.free_s} s of free minutes"] if rate.free_s else []
    lines = [*free, *(f"{text}: {format_money(amount)}" for text, amount in cost_parts(rate, seconds, charged))]
    paid_s = paid_seconds(rate, seconds, charged)
    cut = [f"cut after {paid_s:g} s, the end of what was paid"] if 0 < paid_s < seconds else []
    return [*lines, *cut, f"total: {format_money(charged, currency)}"]
