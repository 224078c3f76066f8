"""AT-18: the time to dial begins when the prompt has ended; a number is dialled at its '#', or when no key follows."""

from __future__ import annotations

from tests.acceptance.callback import B_BY_T2, A, callback, caller, does, keys_pressed, ring, spoken, until_invited
from tests.acceptance.scene import Scene

OPEN = {"trigger_s": 1, "password": None}


async def test_at18_who_presses_nothing_is_left_after_five_seconds(scene: Scene) -> None:
    server = await scene.serve(callback(**OPEN), more=caller())
    back = await scene.trunk("trunk_called_back", does=does())
    await (await ring(scene)).sipp.passed()
    await back.passed()
    request = await server.request_over()
    heard = spoken(scene, A)
    assert [clip.name for clip in heard][:2] == ["callback-greeting", "dial-number"]
    (bye,) = scene.said("BYE ", source=server.sip, target=scene.t1)
    assert abs(bye.at - heard[1].end - 5.0) <= 0.3
    assert request.reason == "nothing-dialled"
    await scene.nobody_rang(request.ended or 0, expected=1)


async def test_at18_a_number_is_dialled_at_its_hash(scene: Scene) -> None:
    """The first key two seconds after the prompt."""
    server = await scene.serve(callback(**OPEN), more=caller() + B_BY_T2)
    back = await scene.trunk("trunk_called_back_bye_after", does=does((4.7, "040234#")), talk="500")
    trunk = await scene.trunk(at=scene.t2)
    await (await ring(scene)).sipp.passed()
    await back.passed()
    await trunk.passed()
    await server.request_over()
    keys = keys_pressed(scene)
    assert "".join(key for key, _ in keys) == "040234#"
    (dialled,) = scene.invites(scene.t2)
    assert dialled.start_line.startswith("INVITE sip:040234@")
    assert 0 < dialled.at - keys[-1][1] < 0.5


async def test_at18_a_number_without_hash_is_dialled_when_no_key_follows(scene: Scene) -> None:
    """H16; '*' clears what was typed."""
    server = await scene.serve(callback(**OPEN, digit_s=2), more=caller() + B_BY_T2)
    back = await scene.trunk("trunk_called_back", does=does((0.5, "99*040000")))
    trunk = await scene.trunk("trunk_answer_bye_after", at=scene.t2, d="300")
    await (await ring(scene)).sipp.passed()
    dialled = await until_invited(scene, scene.t2, within_s=15)
    await trunk.passed()
    assert dialled.start_line.startswith("INVITE sip:040000@")
    assert 1.7 < dialled.at - keys_pressed(scene)[-1][1] < 2.6
    await back.passed(20)
    await server.request_over()
