"""Rows of [extension.callback] and [[caller]]."""

from __future__ import annotations

import asyncio
from typing import Any

from b2bua.cli.common import OPERATOR
from media.prompt import wav_bytes
from tests.b2bua.test_callback import by_info
from tests.settings.accounts import FULL, one_more_caller
from tests.settings.probes import Story, called_back, triggered
from tests.settings.row import Probe, Row
from tests.settings.scene import CALLER, CB, MOBILE, Scene
from tests.world import Far

__all__ = ["ROWS"]

STRANGER = "5552222222"
ANYONE = {"extension.callback.return_to": "caller", "extension.callback.password": "4321"}
SECRET = {"extension.callback.password": "4321"}
BOTH = ("en/dial-number", "ru/dial-number")
FIRST = ("ask-password", "ask-pin", "credit-menu", "dial-number")


def hears_first(*clips: str) -> Story:
    """Which of these the person called back hears first."""

    async def story(scene: Scene, back: Far) -> str:
        return await scene.heard_first(back, clips)

    return story


async def refused_after(scene: Scene) -> tuple[int, int]:
    """Seconds of ringing, and the final status, of a trigger that is not called back."""
    began = scene.world.loop.time()
    trigger = scene.t1.calls(CB, STRANGER)
    await trigger.left_alone()
    seconds = round(scene.world.loop.time() - began)
    await scene.quiet()
    return seconds, trigger.statuses[-1]


async def missed(scene: Scene) -> str:
    """The caller hangs up after two seconds."""
    trigger = scene.t1.calls(CB, CALLER)
    await trigger.told(180)
    await asyncio.sleep(2)
    trigger.hangs_up()
    if (back := await scene.call_back()) is not None:
        back.refuses(486)
    await scene.quiet()
    return str(scene.world.last.outcome)


async def presses_nothing(scene: Scene, back: Far) -> int:
    """How long the person called back may think."""
    await back.hears("dial-number")
    await scene.nothing_more(back)
    began = scene.world.loop.time()
    await back.left_alone()
    return round(scene.world.loop.time() - began)


async def presses_no_end(scene: Scene, back: Far) -> int:
    """How long after its last digit a number without # is dialled."""
    await back.hears("dial-number")
    await by_info(back, MOBILE)
    began = scene.world.loop.time()
    (await scene.t1.expects_call(within_s=60)).refuses(486)
    return round(scene.world.loop.time() - began)


def dials(*clips: str, called: str = MOBILE) -> Story:
    """What he hears who dials this number; `rings` where it rings."""

    async def story(scene: Scene, back: Far) -> str:
        await back.hears("dial-number")
        heard = asyncio.ensure_future(scene.heard_first(back, clips))
        rung = asyncio.ensure_future(scene.rung())
        back.presses(f"{called}#")
        done, others = await asyncio.wait({heard, rung}, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        if heard in done:
            return heard.result()
        if (far := rung.result()) is not None:
            far.refuses(486)
            await back.hears("number-busy")
        return "rings"

    return story


async def talk(scene: Scene) -> tuple[Far, Far]:
    """The person called back talks with whom he has dialled."""
    trigger = scene.t1.calls(CB, CALLER)
    await trigger.left_alone()
    back = (await scene.t1.expects_call()).rings().answers()
    await back.hears("dial-number")
    back.presses(f"{MOBILE}#")
    return back, (await scene.t1.expects_call()).rings().answers()


def cut_by(*clips: str) -> Probe:
    """What the caller hears when the money ends."""

    async def probe(scene: Scene) -> str:
        own_sound(scene)
        scene.recharges("0.10")
        back, far = await talk(scene)
        back.speaks()
        far.speaks()
        await far.left_alone(100)
        heard = await scene.heard_first(back, clips)
        await back.left_alone()
        await scene.quiet()
        return heard

    return probe


def own_sound(scene: Scene) -> None:
    """`/own` of the account, which sounds as our `goodbye`."""
    folder = scene.world.sounds / "client"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own.wav").write_bytes(wav_bytes(scene.world.exchange.pack.samples("goodbye")))


def with_own_sound(probe: Probe) -> Probe:
    """`probe` where the account has a sound of its own."""

    async def prepared(scene: Scene) -> Any:
        own_sound(scene)
        return await probe(scene)

    return prepared


def mistyped(wait_s: float, *clips: str) -> Probe:
    """The caller mistypes the password: which clip he hears, or what becomes of him when he rings again later."""

    async def probe(scene: Scene) -> Any:
        trigger = scene.t1.calls(CB, CALLER)
        await trigger.left_alone()
        heard = ""
        if (back := await scene.call_back()) is not None:
            back.rings().answers()
            await back.hears("ask-password")
            back.presses("1111#")
            heard = await scene.heard_first(back, clips or ("wrong-secret", "too-many-tries"))
            back.hangs_up()
        await scene.quiet()
        await asyncio.sleep(wait_s)
        return heard if clips else await triggered()(scene)

    return probe


async def history(scene: Scene) -> list[tuple[str, str]]:
    """The recharges of the caller, as the office sees them."""
    rows = await scene.office.recharges(OPERATOR, "001*900", CALLER)
    return [(row.order_number, row.credit_added) for row in rows]


async def longest(scene: Scene) -> int:
    """How long a call may last, from the caller's answer."""
    scene.world.exchange.rtp_timeout_s = 1e9
    trigger = scene.t1.calls(CB, CALLER)
    await trigger.left_alone()
    back = (await scene.t1.expects_call()).rings().answers()
    began = scene.world.loop.time()
    await back.hears("dial-number")
    back.presses(f"{MOBILE}#")
    far = (await scene.t1.expects_call()).rings().answers()
    await far.left_alone(1000)
    seconds = round(scene.world.loop.time() - began)
    await back.left_alone()
    await scene.quiet()
    return seconds


async def credit_left(scene: Scene) -> Any:
    """What the caller has left after a call back that was answered and nothing more."""

    async def story(scene: Scene, back: Far) -> None:
        await back.hears("dial-number")

    await called_back(story)(scene)
    return scene.charged()


def cb(**settings: Any) -> dict[str, Any]:
    return {f"extension.callback.{key}": value for key, value in settings.items()}


ROWS = [
    Row("extension.callback.enabled", True, False, triggered(), (CALLER, "not-configured")),
    Row("extension.callback.trigger_s", 3, 8, refused_after, ((3, 486), (8, 486))),
    Row("extension.callback.final_status", 486, 603, refused_after, ((3, 486), (3, 603))),
    Row("extension.callback.missed_call_s", None, 1, missed, ("cancelled", "busy")),
    Row("extension.callback.return_to", "authorised", "caller", triggered(STRANGER), ("unknown-caller", STRANGER),
        given=cb(password="4321")),
    Row("extension.callback.fixed_number", "5553333333", "5554444444", triggered(STRANGER),
        ("5553333333", "5554444444"), given=cb(return_to="fixed", password="4321")),
    Row("extension.callback.dial_s", 5, 12, called_back(presses_nothing), (5, 12)),
    Row("extension.callback.digit_s", 4, 2, called_back(presses_no_end), (4, 2)),
    Row("extension.callback.password", "", "4321", called_back(hears_first(*FIRST)), ("dial-number", "ask-password")),
    Row("extension.callback.ask_pin", False, True, called_back(hears_first(*FIRST)), ("dial-number", "ask-pin"),
        given={"caller.pin": "2468"}),
    Row("extension.callback.credit_enquiry", False, True, called_back(hears_first(*FIRST)),
        ("dial-number", "credit-menu")),
    Row("extension.callback.speak_number", False, True, called_back(dials("you-dialled")), ("rings", "you-dialled")),
    Row("extension.callback.pay_call_back", "answer", "no", credit_left, ("0.12", "0.00")),
    Row("extension.callback.least_credit", "0.00", "6.00", triggered(), (CALLER, "no-credit")),
    Row("extension.callback.language", "en", "ru", called_back(hears_first(*BOTH)), BOTH),
    Row("extension.callback.greeting_sound", "", "/own",
        with_own_sound(called_back(hears_first("callback-greeting", "goodbye"))), ("callback-greeting", "goodbye")),
    Row("extension.callback.cut_sound", "", "/own", cut_by("credit-spent", "goodbye"), ("credit-spent", "goodbye"),
        given={"caller.credit": "0.00", **cb(pay_call_back="no")}),
    Row("extension.callback.no_credit_sound", "", "/own", with_own_sound(called_back(dials("no-credit", "goodbye"))),
        ("no-credit", "goodbye"), given={"caller.credit": "0.05", **cb(pay_call_back="no")}),
    Row("extension.callback.tries", 3, 1, mistyped(0, "wrong-secret", "too-many-tries"),
        ("wrong-secret", "too-many-tries"), given=SECRET),
    Row("extension.callback.lock_after", 5, 1, mistyped(0), (CALLER, "number-locked"), given=SECRET),
    Row("extension.callback.lock_s", 3600, 60, mistyped(61), ("number-locked", CALLER),
        given={**SECRET, **cb(lock_after=1)}),
    Row("extension.callback.quota", None, 1, one_more_caller, ("added", FULL)),
    Row("extension.callback.calls_a_number_a_day", 10, 1, triggered(), (CALLER, "number-calls-today")),
    Row("extension.callback.longest_call_s", 100, 40, longest, (100, 40)),
    Row("extension.callback.money_a_day", None, "0.00", triggered(), (CALLER, "money-today")),
    Row("extension.callback.highest_price_a_minute", None, "0.11", triggered(STRANGER), (STRANGER, "price-too-high"),
        given=ANYONE),
    Row("extension.callback.allowed", [], ["04"], triggered(STRANGER), (STRANGER, "number-refused"), given=ANYONE),
    Row("extension.callback.forbidden", [], ["555"], triggered(STRANGER), (STRANGER, "number-refused"), given=ANYONE),

    Row("caller.extension", "001*900", "001*901", triggered(), (CALLER, "unknown-caller"),
        given={"extension[3]": {"number": "001*901", "account": "client", "kind": "callback"}}),
    Row("caller.number", CALLER, "5551111112", triggered(), (CALLER, "unknown-caller")),
    Row("caller.pin", "", "2468", called_back(hears_first(*FIRST)), ("dial-number", "ask-pin"), given=cb(ask_pin=True)),
    Row("caller.enabled", True, False, triggered(), (CALLER, "caller-disabled")),
    Row("caller.credit", "0.00", "5.00", triggered(), ("no-credit", "no-credit"), says="0.00 USD was posted once"),
    Row("caller.order_number", "A1", "A2", history, ([("A1", "5.00")], [("A1", "5.00")]),
        says='order_number "A2" changes nothing'),
    Row("caller.language", "", "ru", called_back(hears_first(*BOTH)), BOTH),
]
