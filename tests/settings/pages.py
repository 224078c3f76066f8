"""Rows of [extension.callnow] and its rules."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.settings.probes import asked, opened, page, talks_for
from tests.settings.row import Probe, Row
from tests.settings.scene import LOCAL, MOBILE, Scene
from tests.world import Far

__all__ = ["ROWS"]

MORNING = {"interval": [{"name": "morning", "limits": [{"hours": "07:00-12:00"}]},
                        {"name": "evening", "limits": [{"hours": "18:00-22:00"}]}]}  # fmt: skip
"""The virtual world begins at 8:00 UTC."""


async def on_the_phone(scene: Scene) -> str:
    """Somebody asks while John talks."""
    caller = await scene.dials("0498765432")
    rung = await scene.rung()
    assert rung is not None
    rung.answers()
    await caller.told(200)
    if not (reason := await scene.asks()):
        (await scene.john.expects_call()).refuses(486)
    caller.hangs_up()
    await scene.quiet()
    return reason or "rings"


async def asked_of_john(scene: Scene, owner: Far) -> str:
    """What John hears first: the question, or the ringing of the visitor."""
    heard = asyncio.ensure_future(scene.heard_first(owner, ["confirm"]))
    called = asyncio.ensure_future(scene.rung())
    done, others = await asyncio.wait({heard, called}, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    if called in done and (visitor := called.result()):
        visitor.refuses(486)
    return "asked" if heard in done else "put through"


def confirmed(scene: Scene, owner: Far) -> Any:
    """John presses 1: the visitor's phone."""

    async def rings() -> Far:
        await owner.hears("confirm")
        owner.presses("1")
        visitor = await scene.rung()
        assert visitor is not None
        return visitor

    return rings()


async def announced(scene: Scene, owner: Far) -> bool:
    """Whether the visitor hears that this is the call he asked for."""
    visitor = (await confirmed(scene, owner)).answers()
    owner.speaks()
    heard = await scene.heard_first(visitor, ["visitor-announce", "demo-voice"])
    return bool(heard == "visitor-announce")


def talk(called: str = LOCAL) -> Probe:
    """For how long John and the visitor may talk."""

    async def begin(scene: Scene) -> tuple[Far, Far]:
        phone = await scene.johns_phone()
        scene.t1, scene.t2  # noqa: B018
        assert await scene.asks(called) == ""
        owner = (await phone.expects_call()).rings().answers()
        return owner, (await confirmed(scene, owner)).answers()

    return talks_for(begin)


def rule(**more: Any) -> dict[str, Any]:
    return {f"extension.callnow.rules.{key}": value for key, value in ({"do": "refuse"} | more).items()}


ROWS = [
    Row("extension.callnow.enabled", True, False, page("Talk to"), ("Talk to", 404)),
    Row("extension.callnow.id", "john_doe", "johnny", page("Talk to", "/callnow/johnny"), (404, "Talk to")),
    Row("extension.callnow.paused", False, True, asked(), ("rings", "paused")),
    Row("extension.callnow.reject_while_on_phone", True, False, on_the_phone, ("on-phone", "rings")),
    Row("extension.callnow.confirm", True, False, opened(asked_of_john), ("asked", "put through")),
    Row("extension.callnow.show_name", True, False, page("John Doe"), ("John Doe", None)),
    Row("extension.callnow.ask_name", True, False, asked(name=" "), ("name-required", "rings")),
    Row("extension.callnow.image_validation", True, False, page("/callnow/captcha/"), ("/callnow/captcha/", None)),
    Row("extension.callnow.language", "en", "ro", page(r'lang="(\w+)">Welcome'), ("en", "ro"),
        given={"extension.callnow.message": "Welcome"}),
    Row("extension.callnow.message", "", "Welcome to <us>", page("Welcome to &lt;us&gt;"),
        (None, "Welcome to &lt;us&gt;")),
    Row("extension.callnow.announce_to_visitor", False, True, opened(announced), (False, True)),
    Row("extension.callnow.calls_a_day", 100, 1, asked(), ("rings", "link-calls-today")),
    Row("extension.callnow.longest_call_s", 100, 40, talk(), (100, 40)),
    Row("extension.callnow.money_a_day", None, "0.11", asked(), ("rings", "link-money-today")),
    Row("extension.callnow.highest_price_a_minute", None, "0.11", asked(), ("rings", "price-too-high")),
    Row("extension.callnow.allowed", [], ["04"], asked(), ("rings", "number-not-allowed")),
    Row("extension.callnow.forbidden", [], ["555"], asked(), ("rings", "number-forbidden")),
    Row("extension.callnow.interval", "", "evening", asked(), ("rings", "outside-interval"), given=MORNING),
    Row("extension.callnow.rules", [], [{"do": "refuse", "name": "Mary"}], asked(), ("rings", "refused-by-rule")),
    Row("extension.callnow.rules.do", "confirm", "refuse", asked(), ("rings", "refused-by-rule"),
        given={"extension.callnow.rules.name": "mary"}),
    Row("extension.callnow.rules.number", "5555555556", LOCAL, asked(), ("rings", "refused-by-rule"), given=rule()),
    Row("extension.callnow.rules.prefix", "04", "555", asked(), ("rings", "refused-by-rule"), given=rule()),
    Row("extension.callnow.rules.name", "Bob", "Mary", asked(), ("rings", "refused-by-rule"), given=rule()),
    Row("extension.callnow.rules.no_name", False, True, asked(name=""), ("rings", "refused-by-rule"),
        given={**rule(number=MOBILE, no_name=None), "extension.callnow.ask_name": False},
        also={"extension.callnow.rules.number": LOCAL}),
]
