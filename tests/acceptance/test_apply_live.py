"""A big change by `ringback apply` on a running server: a call that is up keeps its terms, the next has the new."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.scene import NO_CAPTCHA, Change, Scene
from tests.acceptance.visitor import Visitor
from tests.peers.capture import SipMessage

BIG: tuple[Change, ...] = (
    NO_CAPTCHA,
    ('name = "John Doe"', 'name = "Johnny"'),
    ('public_number = "5555550000"', 'public_number = "5555550077"'),
    ('id = "john_doe"', 'id = "john_doe"\nmessage = "Call us"'),
    ('name = "R2"', 'name = "R2"\nout_prefix = "9"\nheaders = { X-Tariff = "new" }'),
    ('[[route]]\ntrunk = "R1"', '[[route]]\ntrunk = "R1"\npriority = 2'),
    ('connection_fee = "0.12"', 'connection_fee = "0.50"'),
)


def shown(invite: SipMessage) -> list[Any]:
    """Who is called, by whom, and with which of our headers."""
    from_ = invite.header("From") or ""
    return [invite.start_line.split("@")[0], from_.split("@")[0], invite.header("X-Tariff")]


OLD = ["INVITE sip:5555555555", '"John Doe" <sip:5555550000', None]
NEW = ["INVITE sip:95555555556", '"Johnny" <sip:5555550077', "new"]


async def test_a_big_change_holds_for_the_next_call_and_after_a_kill(scene: Scene) -> None:
    server = await scene.serve(NO_CAPTCHA)
    phone, visitor = await scene.phone(calls=3), await scene.visitor()
    first = await scene.trunk("trunk_answer_bye_after", d="6000")
    token = await visitor.ask(phone="5555555555")
    await visitor.until_stage(token, "talking")

    said = await scene.reconfigure(*BIG)
    assert "changed   extension 001*002: name, public_number" in said
    assert "Call us" in (await visitor.http.get("/callnow/john_doe")).text
    await first.passed()
    assert (await server.request_over(1)).cost == 120_000, "as when it began"
    assert shown(scene.invites(scene.t1)[0]) == OLD

    await calls_as_changed(scene, visitor, 2)
    with pytest.raises(AssertionError, match=r'plan\.toml:\d+: unknown key "nmae"; did you mean "name"\?'):
        await scene.reconfigure(NO_CAPTCHA, ('name = "John Doe"', 'nmae = "Jim"'))
    await server.kill()
    await server.start()
    await calls_as_changed(scene, visitor, 3)
    assert len(scene.invites(scene.t1)) == 1
    await phone.passed()


async def calls_as_changed(scene: Scene, visitor: Visitor, nth: int) -> None:
    """A call of the page, the nth, by the new file."""
    trunk = await scene.trunk("trunk_answer_bye_after", at=scene.t2, d="200")
    await visitor.ask(phone="5555555556")
    await trunk.passed()
    assert (await scene.server.request_over(nth)).cost == 500_000
    assert shown(scene.invites(scene.t2)[-1]) == NEW
