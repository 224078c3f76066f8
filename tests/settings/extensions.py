"""Rows of [[extension]] and its caller_id."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.settings.accounts import payer
from tests.settings.probes import asked, dialled, header, name, number, opened, rang_in, registers, shown, triggered
from tests.settings.row import Row
from tests.settings.scene import DID, Scene
from tests.world import SERVER, Far

__all__ = ["ROWS"]

OTHER = {"account[1]": {"name": "second", "credit": "10.00", "rate_table": "at-12"}}
PAGE = {"id": "john_doe"}


async def number_of_jane(scene: Scene) -> tuple[bool, int]:
    """What a caller of Jane's public number is told; her phone says 180 and refuses."""
    await scene.jane.register("001*003", "geheim")  # a callback number has no phones
    caller = scene.t1.calls("5555550003", "5552222222")
    if (rung := await scene.rung(scene.jane, by=caller)) is not None:
        rung.rings().refuses(480)
        await caller.left_alone()
    await scene.quiet()
    return rung is not None, caller.statuses[-1]


async def rings_for(scene: Scene) -> int:
    """How many seconds John's phone rings that nobody answers."""
    phone = await scene.johns_phone()
    scene.t1.calls(DID, "5552222222")
    rung = (await phone.expects_call()).rings()
    began = scene.world.loop.time()
    await rung.left_alone()
    seconds = round(scene.world.loop.time() - began)
    await scene.quiet()
    return seconds


async def waits_for_a_key(scene: Scene, owner: Far) -> int:
    """How many seconds pass between one asking and the next, less what it takes to speak."""
    asked_at = []
    for clip in ("confirm", "confirm-repeat"):
        await owner.hears(clip)
        await scene.nothing_more(owner)
        asked_at.append(scene.world.loop.time())
        owner.heard.clear()
    spoken = len(owner.peer.library.encoded("en/confirm-repeat", "PCMU")) / 8000
    return round(asked_at[1] - asked_at[0] - spoken)


async def moved_to_jane(scene: Scene) -> bool:
    """John's phone answers by 302 to Jane: whether hers rings."""
    john, jane = await scene.johns_phone(), await scene.janes_phone()
    caller = scene.t1.calls(DID, "5552222222")
    (await john.expects_call()).is_at(f"<sip:001*003@{SERVER[0]}>")
    rung = await scene.rung(jane, by=caller)
    if rung is not None:
        rung.refuses(486)
    await scene.quiet()
    return rung is not None


async def short_session(scene: Scene) -> int:
    """John's phone asks for a session of 120 s: 180, or the refusal."""
    caller = await scene.dials(extra=[("Supported", "timer"), ("Session-Expires", "120")])
    if (rung := await scene.rung(by=caller)) is not None:
        rung.rings()
        await caller.told(180)
        rung.refuses(486)
    await scene.quiet()
    return next(status for status in caller.statuses if status > 100)


async def reliable(scene: Scene) -> bool:
    """Whether the ringing of a phone that knows 100rel is acknowledged."""
    phone = await scene.johns_phone()
    scene.options(phone, reliable=True)
    scene.t1.calls(DID, "5552222222")
    rung = (await phone.expects_call()).rings()
    await asyncio.sleep(1)
    seen = bool(rung.usage.reliable)  # type: ignore[union-attr]
    rung.refuses(486)
    await scene.quiet()
    return seen


async def refers(scene: Scene) -> int:
    """John's phone wants to transfer a caller to Jane: the status of its REFER."""
    phone = await scene.johns_phone()
    caller = scene.t1.calls(DID, "5552222222")
    john = (await phone.expects_call()).rings().answers().speaks()
    await caller.told(200)
    john.refers("001*003", "001*002", "secret")
    await john.until(lambda: bool(john.referred))
    john.hangs_up()
    await scene.quiet()
    return john.referred[0]


def mine(**rules: Any) -> dict[str, Any]:
    """Rules of John's CallerID beside the one in question."""
    return {f"extension.caller_id.{key}": value for key, value in rules.items()}


POOL = {"did[2]": {"number": "5555550055", "account": "client", "trunk": "R1"}, "did[3]": {"number": "5555550066",
        "account": "client", "trunk": "R2"}}  # fmt: skip

ROWS = [
    Row("extension.number", "001*002", "001*005", registers(("001*002", "secret"), ("001*005", "secret")),
        ([200, 403], [403, 200]), also={"did[0].extension": "001*005"}),
    Row("extension.account", "client", "second", payer, (["client"], ["second"]),
        given={**OTHER, "account[1].dial_plan": {"mode": "as-dialled"}}, also={"did[0].account": "second"}),
    Row("extension[2].kind", "phone", "callback", number_of_jane, ((True, 480), (False, 486)),
        given={"did[2]": {"number": "5555550003", "extension": "001*003"}}),
    Row("extension.name", "John Doe", "Johnny", dialled(name), ("John Doe", "Johnny")),
    Row("extension.password", "secret", "other", registers(("001*002", "secret"), ("001*002", "other")),
        ([200, 403], [403, 200])),
    Row("extension.public_number", DID, "5555550077", dialled(number), (DID, "5555550077")),
    Row("extension.ring_s", 30, 5, rings_for, (30, 5)),
    Row("extension.confirm_s", 10, 3, opened(waits_for_a_key), (10, 3)),
    Row("extension.redirects", "refuse", "extensions", moved_to_jane, (False, True)),
    Row("extension.prack", False, True, reliable, (False, True)),
    Row("extension.session_expires_s", 1800, 600, rang_in(header("Session-Expires")), ("1800", "600")),
    Row("extension.min_se_s", 90, 600, short_session, (180, 422)),
    Row("extension.transfer", True, False, refers, (202, 403)),
    Row("extension.callnow", None, PAGE, asked(), ("unknown-page", "rings")),
    Row("extension.callback", None, {"trigger_s": 3}, triggered(), ("not-configured", "5551111111")),

    Row("extension.caller_id.name_by", "server", "user", dialled(name), ("John Doe", "Doe Ltd"), mine(name="Doe Ltd")),
    Row("extension.caller_id.name", "Doe Ltd", "D & Co", dialled(name), ("Doe Ltd", "D & Co"), mine(name_by="user")),
    Row("extension.caller_id.number_by", "server", "user", dialled(number), (DID, "123"),
        mine(number="123", approved=True)),
    Row("extension.caller_id.number", "123", "456", dialled(number), ("123", "456"),
        mine(number_by="user", approved=True)),
    Row("extension.caller_id.approved", False, True, dialled(number), (DID, "123"),
        mine(number_by="user", number="123")),
    Row("extension.caller_id.numbers", [], ["5555550055"], dialled(number), (DID, "5555550055"), POOL),
    Row("extension.caller_id.default", "", "5555550066", dialled(number), (DID, "5555550066"),
        {**POOL, **mine(numbers=["5555550066"])}),
    Row("extension.caller_id.identity_headers", False, True, dialled(header("P-Asserted-Identity")),
        (None, f"<sip:{DID}@{SERVER[0]}>")),
    Row("extension.caller_id.anonymous", False, True, dialled(shown), (("John Doe", DID), ("Anonymous", "anonymous"))),
]
