"""The spend firewall of pages and callback numbers: prefixes, and the price of the dearest minute (SPEC A12.2)."""

from __future__ import annotations

import pytest

from b2bua.rules.fence import Fence, crossed
from store.values import CallNowSettings, Micros, Rate

CHEAP = Rate("", first_cost=Micros(100), increment_cost=Micros(100))
FEE = Rate("", connection_fee=Micros(1), first_cost=Micros(100), increment_cost=Micros(100))
LATER = Rate("", first_interval_s=60, first_cost=Micros(0), increment_s=6, increment_cost=Micros(11))


@pytest.mark.parametrize(("settings", "rate", "fence"), [
    pytest.param(CallNowSettings(), FEE, None, id="nothing set"),
    pytest.param(CallNowSettings(forbidden=("44", "555")), FEE, Fence.FORBIDDEN, id="forbidden"),
    pytest.param(CallNowSettings(forbidden=("5551",), allowed=("555",)), FEE, Fence.FORBIDDEN, id="whatever allowed"),
    pytest.param(CallNowSettings(forbidden=("44",)), FEE, None, id="another is forbidden"),
    pytest.param(CallNowSettings(allowed=("44", "0")), FEE, Fence.NOT_ALLOWED, id="others are allowed"),
    pytest.param(CallNowSettings(allowed=("44", "555")), FEE, None, id="allowed"),
    pytest.param(CallNowSettings(highest_price_a_minute=Micros(100)), CHEAP, None, id="as much as may be"),
    pytest.param(CallNowSettings(highest_price_a_minute=Micros(100)), FEE, Fence.PRICE, id="the fee counts"),
    pytest.param(CallNowSettings(highest_price_a_minute=Micros(100)), LATER, Fence.PRICE, id="a later minute counts"),
    pytest.param(CallNowSettings(highest_price_a_minute=Micros(100)), None, None, id="no price to look at"),
])  # fmt: skip
def test_crossed(settings: CallNowSettings, rate: Rate | None, fence: Fence | None) -> None:
    assert crossed(settings, "5551234", rate) is fence


@pytest.mark.parametrize(("settings", "fence"), [
    pytest.param(CallNowSettings(forbidden=("1809",)), Fence.FORBIDDEN, id="forbidden behind an international prefix"),
    pytest.param(CallNowSettings(allowed=("1809",)), Fence.NOT_ALLOWED, id="allowed only as it is dialled"),
    pytest.param(CallNowSettings(forbidden=("00",)), Fence.FORBIDDEN, id="all that is international"),
])  # fmt: skip
def test_a_number_with_an_international_prefix(settings: CallNowSettings, fence: Fence) -> None:
    assert crossed(settings, "0018095551234", None, ("18095551234",)) is fence
