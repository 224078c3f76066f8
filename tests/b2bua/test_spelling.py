"""One number in several spellings is one where numbers are compared (SPEC H17, A12.2, A12.3)."""

from __future__ import annotations

import asyncio
import re

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from b2bua.desk import Refused, VisitorRequest
from b2bua.rules.numbers import BadNumber, NumberFault, read_number
from b2bua.rules.spelling import abroad, read_e164, same_number, spellings
from store.values import DialPlan
from tests.b2bua.test_callnow import john
from tests.b2bua.test_callnow_rules import OTHER_PAGE, rules
from tests.plans import fixture
from tests.world import T1, Peer, World, play

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def dials(country: str = "US", **more: tuple[str, ...]) -> DialPlan:
    return DialPlan("as-dialled", country, **more)


@pytest.mark.parametrize(("number", "country", "e164"), [
    pytest.param("5555555555", "US", "+15555555555", id="national"),
    pytest.param("15555555555", "US", "+15555555555", id="with the trunk prefix, which is the country code too"),
    pytest.param("01115555555555", "US", "+15555555555", id="with the country's international prefix"),
    pytest.param("0015555555555", "US", "+15555555555", id="with the common international prefix"),
    pytest.param("442079460958", "US", "+442079460958", id="no number here: with its country code"),
    pytest.param("02079460958", "GB", "+442079460958", id="with the trunk prefix"),
    pytest.param("0011442079460958", "AU", "+442079460958", id="a prefix of four digits"),
    pytest.param("0021442079460958", "BR", "+442079460958", id="with the choice of a carrier"),
    pytest.param("00442079460958", "BR", "+442079460958", id="without"),
    pytest.param("555555", "US", "", id="too short for any"),
    pytest.param("000123456789", "US", "", id="no country code begins with 0"),
])
def test_read_e164(number: str, country: str, e164: str) -> None:
    plan = dials(country)
    assert read_e164(number, plan) == e164
    assert same_number(number, plan) == (e164 or number)


@pytest.mark.parametrize(("number", "country", "rests"), [
    ("001900", "US", ("1900",)), ("0111900", "US", ("1900",)), ("1900", "US", ()), ("0900", "DE", ()),
    ("0041443643532", "SG", ("1443643532", "41443643532")), ("000", "AU", ()), ("+1900", "US", ()),
])  # fmt: skip
def test_abroad(number: str, country: str, rests: tuple[str, ...]) -> None:
    assert abroad(number, dials(country)) == rests


def test_in_mode_e164_a_number_has_one_spelling() -> None:
    plan = DialPlan()
    assert spellings("+15555555555", plan) == ("+15555555555",)
    assert (same_number("+15555555555", plan), abroad("0015555", plan)) == ("+15555555555", ())


def test_the_spellings_of_a_number() -> None:
    assert spellings("5555555555", dials()) == (
        "5555555555", "+15555555555", "15555555555", "01115555555555", "0015555555555",
    )  # fmt: skip
    assert spellings("00442079460958", dials()) == (
        "00442079460958", "+442079460958", "442079460958", "011442079460958",
    )
    assert spellings("555", dials()) == ("555",)


@given(st.sampled_from(REGIONS), st.sampled_from(REGIONS))
def test_however_it_is_dialled_a_number_is_the_same(country: str, of: str) -> None:
    example = phonenumbers.example_number(of)
    assume(example is not None)
    e164 = phonenumbers.format_number(example, PhoneNumberFormat.E164)
    plan, known = dials(country), PhoneMetadata.metadata_for_region(country)
    assert known is not None
    own = known.preferred_international_prefix or known.international_prefix or ""
    ways = [f"{own}{e164[1:]}"] if own.isdigit() else []
    # 00 and digits are another number where the country's own prefix goes on after 00
    ways += [f"00{e164[1:]}"] if own.isdigit() and (own == "00" or not own.startswith("00")) else []
    if of == country:
        national = re.sub(r"\D", "", phonenumbers.format_number(example, PhoneNumberFormat.NATIONAL))
        ways += [national] if phonenumbers.parse(national, country) == example else []
    for way in ways:
        assert same_number(way, plan) == e164, way
        assert {e164, way} <= set(spellings(way, plan))


@given(st.sampled_from(REGIONS), st.from_regex(r"\A\+?[0-9]{1,18}\Z"))
def test_all_spellings_of_a_number_are_one_number(country: str, number: str) -> None:
    plan = dials(country)
    found = spellings(number, plan)
    assert found[0] == number
    assert {same_number(each, plan) for each in found} == {same_number(number, plan)}


@pytest.mark.parametrize(("typed", "refused"), [
    pytest.param("19005551234", ("1900",), id="as the table has it"),
    pytest.param("0019005551234", ("1900",), id="with the common international prefix"),
    pytest.param("01119005551234", ("1900",), id="with that of the country"),
    pytest.param("+0019005551234", ("1900",), id="a plus before it"),
    pytest.param("0019005551234", ("+1900",), id="the table in E.164: international"),
    pytest.param("19005551234", ("+1900",), id="with the country code"),
    pytest.param("9005551234", ("+1900",), id="national"),
    pytest.param("+19005551234", ("+1900",), id="with a plus"),
    pytest.param("442079460958", ("+4420",), id="another country without a prefix"),
])
def test_a_refused_prefix_is_found_behind_other_spellings(typed: str, refused: tuple[str, ...]) -> None:
    for strip in ((), ("+1",), ("00",)):
        with pytest.raises(BadNumber) as fault:
            read_number(typed, dials(refused=refused, strip=strip), phone=True)
        assert fault.value.reason is NumberFault.REFUSED


@pytest.mark.parametrize(("typed", "refused"), [
    pytest.param("9005551234", ("1900",), id="digits are compared with digits"),
    pytest.param("5551900123", ("1900", "+1900"), id="in the middle"),
    pytest.param("0402123456", ("112", "911", "000", "1900"), id="the fixture's table"),
    pytest.param("12025550100", ("112",), id="no emergency number"),
    pytest.param("2025550100", ("00",), id="international calls refused: this is none"),
])
def test_a_refused_prefix_refuses_no_other(typed: str, refused: tuple[str, ...]) -> None:
    assert read_number(typed, dials(refused=refused, premium=("1900", "900")), phone=True) == typed


@given(st.sampled_from(REGIONS))
def test_a_premium_number_is_known_by_each_international_spelling(of: str) -> None:
    example = phonenumbers.example_number_for_type(of, PhoneNumberType.PREMIUM_RATE)
    assume(example is not None)
    e164 = phonenumbers.format_number(example, PhoneNumberFormat.E164)
    for typed in (e164, f"011{e164[1:]}", f"00{e164[1:]}"):
        for phone in (False, True):
            with pytest.raises(BadNumber) as fault:
                read_number(typed, dials(), phone=phone)
            assert fault.value.reason is NumberFault.PREMIUM
        named = dials(premium=(e164[:5],))
        assert read_number(typed, named, phone=True) == typed.removeprefix("+")
        with pytest.raises(BadNumber, match="Premium"):
            read_number(typed, named)


# Whole requests: rates of the fixture are for 555, 04 and 00

OTHER_WAYS = ["0015555555555", "01115555555555", "15555555555"]


def test_a_blocked_number_is_blocked_in_each_spelling() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        await world.callnow(number="0015555555555")
        owner = (await phone.expects_call()).rings().answers()
        assert await Peer(world, ("192.0.2.77", 5060)).register("001*003", "secret3") == 200
        answer = await world.desk.request_call(VisitorRequest("jane", "Bob", "5555555555", "", "198.51.100.8"))
        assert isinstance(answer, Refused)
        assert answer.reason == "number-pending", "from wherever, on whichever page"
        await owner.hears("confirm")
        owner.presses("9")
        await world.over()
        await asyncio.sleep(31)
        for number in ("5555555555", *OTHER_WAYS):
            assert (await world.refused(number=number)).reason == "number-blocked"
        assert phone.invited == 1

    play(scenario, fixture() + OTHER_PAGE)


def test_the_calls_of_a_day_are_counted_over_all_spellings_also_after_a_restart() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        for n in range(10):
            await world.callnow(number="0015555555555" if n % 2 else "5555555555")
            (await phone.expects_call()).refuses(486)
            await world.over()
            await asyncio.sleep(300)
        assert (await world.refused(number="5555555555")).reason == "number-day"
        await world.kill()
        await world.start()
        assert (await world.refused(number="0015555555555")).reason == "number-day"
        assert trunk.invited == 0

    play(scenario, fixture())


@pytest.mark.parametrize("number", OTHER_WAYS)
def test_a_rule_for_a_number_is_for_each_spelling(number: str) -> None:
    async def scenario(world: World) -> None:
        await john(world)
        assert (await world.refused(number=number)).reason == "refused-by-rule"

    play(scenario, fixture(rules('{do = "refuse", number = "5555555555"}')))


@pytest.mark.parametrize("number", ["18095551234", "0018095551234", "01118095551234"])
def test_a_forbidden_prefix_is_found_behind_an_international_one(number: str) -> None:
    async def scenario(world: World) -> None:
        await john(world)
        assert (await world.refused(number=number)).reason == "number-forbidden"

    everywhere = ('prefix = "555"\n', 'prefix = ""\n')
    play(scenario, fixture(('id = "john_doe"', 'id = "john_doe"\nforbidden = ["1809"]'), everywhere))


def test_a_catch_all_rate_leads_a_phone_to_no_premium_number_that_the_dial_plan_does_not_name() -> None:
    everywhere = ('prefix = "555"\n', 'prefix = ""\n')
    named = ("min_digits = 6", 'min_digits = 6, premium = ["+1900555"]')

    async def refused(world: World) -> None:
        await john(world)
        trunk, phone = Peer(world, T1), Peer(world, ("192.0.2.78", 5060))
        caller = phone.calls("9005551234", "001*002", "secret")
        await caller.told(403)
        assert (trunk.invited, world.balance()) == (0, 100_000_000)

    async def called(world: World) -> None:
        await john(world)
        trunk, phone = Peer(world, T1), Peer(world, ("192.0.2.78", 5060))
        caller = phone.calls("9005551234", "001*002", "secret")
        far = (await trunk.expects_call()).answers()
        await caller.told(200)
        caller.hangs_up()
        await far.left_alone()
        assert (await world.over()).charged == 120_000
        other = phone.calls("9006661234", "001*002", "secret")
        await other.told(403)

    play(refused, fixture(everywhere))
    play(called, fixture(everywhere, named))
