"""AT-12: what CallNow costs; intervals and talk are a tenth of the scenario's (the exact ones: virtual clock)."""

from __future__ import annotations

from typing import Any

from tests.acceptance.scene import NO_CONFIRMATION, Scene

AT_ONCE = (NO_CONFIRMATION[0], f"{NO_CONFIRMATION[1]}\nreject_while_on_phone = false")
TENTH = (
    ("first_interval_s = 30\n", "first_interval_s = 3\n"), ("increment_s = 30\n", "increment_s = 3\n"),
    ("first_interval_s = 60\n", "first_interval_s = 6\n"), ("increment_s = 30\n", "increment_s = 3\n"),
)
CALLS = {  # number -> (what its trunk does, ms of talk, cost in micros, reason)
    "5555555555": ("trunk_answer_bye_after", "20000", 120_000, "talked"),
    "0412345678": ("trunk_answer_bye_after", "3100", 200_000, "talked"),
    "001234567890": ("trunk_answer_bye_after", "1000", 500_000, "talked"),
    "002234567890": ("trunk_answer_bye_after", "6100", 750_000, "talked"),
    "003234567890": ("trunk_busy", "", 0, "visitor-busy"),
}


async def test_at12_talk_costs_what_the_rates_say(scene: Scene) -> None:
    """Five calls at once, each by a trunk of its own."""
    addresses = {number: scene.address(f"127.0.0.{6 + n % 3}") for n, number in enumerate(CALLS)}
    more = ""
    for number, address in addresses.items():
        host, port = address.split(":")
        more += f'[[trunk]]\nname = "T{number}"\nhost = "{host}"\nport = {port}\nnumber_format = "as-is"\n'
        more += f'[[route]]\nprefix = "{number[:3]}"\ntrunk = "T{number}"\n'
    server = await scene.serve(AT_ONCE, *TENTH, more=more)
    await scene.phone("phone_answer", calls=len(CALLS))
    for number, (behaviour, talk_ms, _, _) in CALLS.items():
        talk: dict[str, Any] = {"d": talk_ms} if talk_ms else {}
        await scene.trunk(behaviour, at=addresses[number], **talk)
    visitor = await scene.visitor()
    for number in CALLS:
        await visitor.ask(phone=number)
    await server.request_over(len(CALLS), within_s=40)
    ended = {request.number: (request.cost, request.reason) for request in server.requests()}
    assert ended == {number: (cost, reason) for number, (_, _, cost, reason) in CALLS.items()}
    assert {(call.extension, call.currency) for call in server.calls()} == {("001*002", "USD")}
    assert server.spent() == sum(cost for _, _, cost, _ in CALLS.values())


async def test_at12_switching_the_captcha_off_warns_of_the_cost(scene: Scene) -> None:
    await scene.serve()
    said = await scene.reconfigure(NO_CONFIRMATION)
    assert "WARNING" in said
    assert "WILL be charged for every call, no exceptions" in said.replace("\n", " ")
    assert "0.75" not in said
