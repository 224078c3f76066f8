"""A callback number: it rings, is refused, rings its caller back, and calls what he dials (SPEC 25-37)."""

from __future__ import annotations

import asyncio
from functools import partial

from b2bua.ask import ask_number, ask_secrets, double_star, tell_credit
from b2bua.call import Call
from b2bua.dialling import Way, dial_extension, dial_out
from b2bua.leg import Leg
from b2bua.outcome import CallError, CreditRefused, LegGone, MoneySpent, NewNumber, NotAdmitted, Outcome
from b2bua.rules.callback_admission import firewall, needs_secret, too_poor
from b2bua.rules.caller_id import Shown, by_server
from b2bua.rules.numbers import BadNumber, read_number
from b2bua.rules.routing import sell_rate
from b2bua.rules.spelling import abroad
from b2bua.talk import Talk
from b2bua.trace.ladder import EXTENSION, PSTN
from b2bua.triggers import CallbackRequest, Served, admit, judge, note_ringing
from store import lockouts
from store.values import CallbackSettings

__all__ = ["callback"]

_CAUSES = {480: 18, 486: 17, 603: 21}
"""The Q.850 cause of each final status (RFC 3398 8.2.6.1, RFC 6432)."""
_TOLD = {
    Outcome.BUSY: "number-busy",
    Outcome.NO_ANSWER: "number-no-answer",
    Outcome.NOT_ALLOWED: "number-not-allowed",
    Outcome.NO_RATE: "number-not-allowed",
    Outcome.PRICE_TOO_HIGH: "number-not-allowed",
    Outcome.MONEY_TODAY: "number-not-allowed",
}
"""What is said of a number that was not reached; else `number-failed`."""


async def callback(want: CallbackRequest, call: Call) -> Outcome:
    """Let the trigger ring, refuse it, ring its caller back, then call what he dials while he likes and can pay."""
    settings = want.settings
    with want.triggers.wait(want):
        await note_ringing(want, call)
        await _ring(want.rung, settings, call)
        await judge(want)
        served = await admit(want, call)
        call.pack = call.exchange.pack_of(served.language or settings.language)
        back = await dial_out(call, want.number, Way(served.paid, EXTENSION, line=by_server(want.extension)))
    with back.alive():
        try:
            assert call.purse is not None
            with call.purse.deadline(back):
                return await _serve(want, served, call, back)
        except MoneySpent:
            await back.say(call.exchange.sound(settings.cut_sound, want.account) or "credit-spent")
            return Outcome.CREDIT_SPENT


async def _ring(rung: Leg, settings: CallbackSettings, call: Call) -> None:
    """180 for so many seconds, then the final status: never an answer, which would cost the caller (SPEC 27, H2).

    Raises: LegGone where the caller hung up before, unless it was late enough to count (H1).
    """
    rung.ring()
    try:
        with rung.alive():
            await asyncio.sleep(max(0.0, rung.invited_at + settings.trigger_s - call.now()))
    except LegGone:
        if settings.missed_call_s is None or call.now() - rung.invited_at < settings.missed_call_s:
            raise
    rung.hangup(settings.final_status, f"Q.850;cause={_CAUSES[settings.final_status]}")


async def _serve(want: CallbackRequest, served: Served, call: Call, back: Leg) -> Outcome:
    """Ask who it is, tell the credit where that is wished, then connect one number after the other."""
    settings = want.settings
    secrets = needs_secret(settings, served.row)
    back.masked = bool(secrets)  # keys may come before they are asked for
    await back.say(call.exchange.sound(settings.greeting_sound, want.account) or "callback-greeting", until_key=True)
    refused = await ask_secrets(
        back, secrets, settings, turn=want.triggers.turn(want),
        locked=partial(_locked, want, call), failed=partial(_note_failure, want, call),
    )  # fmt: skip
    if refused is not None:
        return refused
    if settings.credit_enquiry and served.row is not None and not await tell_credit(back, settings):
        return Outcome.NOTHING_DIALLED
    while (typed := await ask_number(back, settings)) is not None:
        told = await _connect(want, call, back, typed)
        if told:
            await back.say(told, until_key=True)
    return Outcome.NOTHING_DIALLED if call.talk_began is None else Outcome.TALKED


async def _note_failure(want: CallbackRequest, call: Call) -> bool:
    """A wrong password or PIN counts towards the lock of the number (SPEC H12); whether it is locked now."""
    at = call.exchange.wall()
    call.log_event("wrong-secret")
    await call.database.run(lambda conn: lockouts.note_failure(conn, want.extension.id, want.number, at))
    return await _locked(want, call)


async def _locked(want: CallbackRequest, call: Call) -> bool:
    """Whether the number has used up its tries, in this call or in others at the same time."""
    after, lock_s, at = want.settings.lock_after, want.settings.lock_s, call.exchange.wall()
    return await call.database.read(
        lambda conn: lockouts.locked_until(
            conn, want.extension.id, want.number, lock_after=after, lock_s=lock_s, at=at
        ) is not None
    )  # fmt: skip


async def _connect(want: CallbackRequest, call: Call, back: Leg, typed: str) -> str:
    """Call the number and let both talk; what is said of it afterwards, empty where nothing is to be said."""
    assert call.purse is not None
    settings, said = want.settings, "call-ended"
    try:
        with double_star(back, within_s=settings.digit_s):
            if settings.speak_number:
                await back.say("you-dialled", *call.pack.digits(typed))
            far = await _dial(want, call, back, typed)
            try:
                with far.alive(), Talk(call, back, far):
                    await asyncio.get_running_loop().create_future()  # LegGone, NewNumber or MoneySpent ends it
            finally:
                far.hangup()
    except NewNumber:
        said = ""
    except LegGone:
        pass
    except CreditRefused as failed:
        lacking = call.exchange.sound(settings.no_credit_sound, want.account) or "no-credit"
        said = lacking if failed.outcome is Outcome.NO_CREDIT else _told(call, failed)
    except CallError as failed:
        said = _told(call, failed)
    back.forget_keys()
    back.watch(None)
    await call.purse.close_ended()
    return said


def _told(call: Call, failed: CallError) -> str:
    call.ladder_row("event", EXTENSION, PSTN, f"not reached: {failed.outcome}")
    return _TOLD.get(failed.outcome, "number-failed")


async def _dial(want: CallbackRequest, call: Call, back: Leg, typed: str) -> Leg:
    """Call an extension, or a public number at the payer's expense.  Raises: CallError."""
    assert call.purse is not None
    exchange = call.exchange
    me = Shown(want.trigger.name if want.number == want.trigger.number else "", want.number)
    called = exchange.directory.extension(typed)
    if called is not None:  # an internal number is dialled without its `*` (SPEC H16), and free
        return await dial_extension(call, called, shown=me, lane=PSTN, hear=back)
    try:
        number = read_number(typed, want.account.dial_plan)  # emergency, premium and short numbers never (H20, A12.2)
    except BadNumber as bad:
        raise NotAdmitted(Outcome.NOT_ALLOWED) from bad
    rate = sell_rate(exchange.directory, want.account, number, exchange.wall())
    reason = firewall(want.settings, number, rate, abroad(number, want.account.dial_plan))
    if reason is not None:
        raise NotAdmitted(reason)
    if too_poor(want.settings, await call.purse.left()):
        raise CreditRefused(Outcome.NO_CREDIT)
    call.to = number
    paid = await call.purse.hold(number)
    return await dial_out(call, number, Way(paid, hear=back, equipment=me))
