"""Rows of [server] and [[account]]."""

from __future__ import annotations

from typing import Any

from b2bua.cli.common import OPERATOR
from b2bua.desk import NewCaller, NotDone
from sip_stack.digest import parse_challenge
from tests.settings.probes import asked, charged, dialled, user
from tests.settings.row import Row
from tests.settings.scene import LOCAL, Scene

__all__ = ["ROWS"]

FULL = "the quota is reached: 1 authorised CallerIDs are active and no more may be."
DEAR = {"table": "other", "prefix": "", "connection_fee": "1.00"}


async def challenge(scene: Scene) -> tuple[str, int]:
    """The realm that a phone is asked for its password in, and what becomes of a right one."""
    asked = parse_challenge((await scene.john._ask("001*002", 60, [], "")).fields["WWW-Authenticate"][0])
    assert asked is not None
    return asked.realm, await scene.john.register("001*002", "secret")


async def one_more_caller(scene: Scene) -> str:
    """The office adds a caller: whether it may, and why not."""
    try:
        await scene.office.add_caller(OPERATOR, "001*900", NewCaller(number="5551112222"))
    except NotDone as error:
        return str(error)
    await scene.office.remove_caller(OPERATOR, "001*900", "5551112222")
    return "added"


async def path(scene: Scene) -> int:
    """A phone that knows nothing of Path registers by a proxy that writes one."""
    response = await scene.john.registers("001*002", "secret", extra=[("Path", "<sip:192.0.2.10;lr>")])
    return response.status


async def service_route(scene: Scene) -> str | None:
    return (await scene.john.registers("001*002", "secret")).get("Service-Route")


async def payer(scene: Scene) -> Any:
    before = scene.balances()
    await charged(1, LOCAL)(scene)
    return [name for name, left in scene.balances().items() if left < before[name]]


async def price_shown(scene: Scene) -> str:
    await charged(1, LOCAL)(scene)
    return scene.world.desk.calls()[0].charge


E164 = {
    "caller": [], "account.dial_plan": {"mode": "e164"}, "account.rate_table": "world",
    "rate[3]": {"table": "world", "prefix": "+", "connection_fee": "0.01"},
}

ROWS = [
    Row("server.realm", None, "voip.test", challenge, (("ringback", 200), ("voip.test", 200))),
    Row("server.caller_quota", None, 1, one_more_caller, ("added", FULL)),
    Row("server.edge_proxies", None, ["192.0.2.10"], path, (420, 200)),
    Row("server.service_route", None, ["sip:edge.test;lr"], service_route, (None, "<sip:edge.test;lr>")),
    Row("server.time_zone", None, "Australia/Sydney", asked(), ("rings", "outside-interval"),
        given={"interval": [{"name": "morning", "limits": [{"hours": "07:00-12:00"}]}],
               "extension.callnow.interval": "morning"}),

    Row("account.name", "client", "renamed", payer, (["client"], ["renamed"]),
        also={f"extension[{n}].account": "renamed" for n in range(3)}),
    Row("account.currency", "USD", "EUR", price_shown, ("0.12 USD", "0.12 EUR")),
    Row("account.plan", "prepaid", "postpaid", charged(1, LOCAL), (402, "0.12"), given={"account.credit": None}),
    Row("account.credit", None, "5.00", charged(1, LOCAL), (402, "0.12"), says="credited  account client"),
    Row("account.credit_limit", "0.00", "5.00", charged(1, LOCAL), (402, "0.12"),
        given={"account.plan": "postpaid", "account.credit": None}),
    Row("account.call_api", True, False, asked(), ("rings", "unknown-page")),
    Row("account.parent", "", "above", asked(), ("rings", "unknown-page"),
        given={"account[1]": {"name": "above", "call_api": False}}),
    Row("account.dial_plan.mode", "as-dialled", "e164", dialled(user, "2025550123"), ("2025550123", "+12025550123"),
        given={**E164, "account.dial_plan": {}, "rate[3].prefix": ""}),
    Row("account.dial_plan.country", "US", "AU", dialled(user, "0412345678"), ("+10412345678", "+61412345678"),
        given=E164),
    Row("account.dial_plan.strip", ["+1"], [], dialled(user, "+15555555555"), ("5555555555", 403)),
    Row("account.dial_plan.refused", ["1900"], ["555"], dialled(user), (LOCAL, 403), given={"caller": []}),
    Row("account.dial_plan.premium", [], ["1900"], dialled(user, "19005551234"), (403, "19005551234"),
        given={"account.dial_plan.refused": [], "rate[3]": {"table": "at-12", "prefix": "1"}}),
    Row("account.dial_plan.min_digits", 6, 11, dialled(user), (LOCAL, 403), given={"caller": []}),
    Row("account.rate_table", "at-12", "other", charged(1), ("0.10", "1.00"), given={"rate[3]": DEAR}),
    Row("account.charging_plan", "", "gold", charged(1), ("0.50", "1.00"),
        given={"account.rate_table": None, "rate[3]": {"connection_fee": "0.50"}, "rate[4]": DEAR,
               "charging_plan.name": "gold", "charging_plan.rate_table": "other"}),
    Row("account.caller_quota", None, 1, one_more_caller, ("added", FULL)),
]
