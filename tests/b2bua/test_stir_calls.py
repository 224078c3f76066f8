"""Signed calls on the virtual clock: what leaves is signed as far as we know, what comes is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from b2bua.caller_proof import marked, unmarked, without_mark
from b2bua.desk import Holder
from b2bua.office.stories import stories
from b2bua.outcome import Outcome
from b2bua.rules.caller_id import Shown
from b2bua.stir.certificates import Signer
from b2bua.stir.passport import Passport, is_signed_by, read_identity, read_token, sign
from b2bua.stir.service import Stir, StirFiles
from b2bua.stir.verdict import Finding, Verdict
from sip_stack import identity as identities
from sip_stack.message import Request, parse
from store import journal
from tests.b2bua.test_callback_trigger import no_invite, reasons
from tests.b2bua.test_callnow import confirmed, john
from tests.callback import CALLER, CB, Caller, callback_plan
from tests.plans import fixture
from tests.stir_pki import issue, pem, tn_auth_list
from tests.world import T1, Peer, World, play

X5U = "https://cert.example.org/shaken.pem"
ROOT = issue("root", ca=True)
LEAF = issue("leaf", ROOT, numbers=tn_auth_list(spc="709J"))
DID, VISITOR = "5555550000", "5555555555"
R1 = 'name = "R1"\n'


class Web:
    """The certificate at its URL, without a web."""

    async def signer(self, url: str) -> Signer:
        return Signer(LEAF.key.public_key(), 4e9, ("709J",), ())

    def forget(self) -> None:
        pass


def signing(scenario: Callable[[World], Awaitable[None]], plan: str) -> None:
    """Play on a server that signs and verifies."""

    with TemporaryDirectory() as folder:
        for name, data in (("key", LEAF.key_pem), ("cert", pem(LEAF)), ("roots", pem(ROOT))):
            Path(folder, name).write_bytes(data)
        files = StirFiles(f"{folder}/key", f"{folder}/cert", X5U, f"{folder}/roots")

        async def prepared(world: World) -> None:
            world.exchange.stir = Stir(files, world.wall, Web())  # type: ignore[arg-type]
            await scenario(world)

        play(prepared, plan)


def invite(world: World, n: int = 0) -> Request:
    """The n-th INVITE that the server sent to a trunk."""
    message = parse(world.wire.requests("INVITE", T1)[n])
    assert isinstance(message, Request)
    return message


def claims(world: World, n: int = 0) -> Passport:
    identity = read_identity(invite(world, n).fields["Identity"][0])
    assert identity.info == X5U
    assert is_signed_by(identity.token, LEAF.key.public_key())
    return read_token(identity.token)


async def one_callnow(world: World) -> None:
    owner, visitor = await confirmed(world)
    visitor.hangs_up()
    await owner.left_alone()
    await world.over()


def test_a_call_of_an_extension_with_its_own_number_is_signed_a() -> None:
    async def scenario(world: World) -> None:
        await one_callnow(world)
        found = claims(world)
        assert (found.attest, found.orig, found.dest) == ("A", "15555550000", ("15555555555",))
        assert abs(found.iat - world.wall()) < 60
        assert invite(world).fields["Date"]

    signing(scenario, fixture())


@pytest.mark.parametrize(("numbers", "attest"), [
    pytest.param('caller_id = { number_by = "user", number = "5557770000", approved = true }', "A", id="approved"),
    pytest.param('caller_id = { number_by = "user", number = "5557770000" }', "A", id="not shown, so not signed for"),
])  # fmt: skip
def test_a_number_that_the_extension_may_use(numbers: str, attest: str) -> None:
    async def scenario(world: World) -> None:
        await one_callnow(world)
        shown = invite(world).from_.uri.user
        assert (claims(world).orig, claims(world).attest) == (f"1{shown}", attest)

    signing(scenario, fixture((f'public_number = "{DID}"\n', f'public_number = "{DID}"\n{numbers}\n')))


@pytest.mark.parametrize("change", [
    pytest.param((f'public_number = "{DID}"\n', f'public_number = "{DID}"\ncaller_id = {{ anonymous = true }}\n'),
                 id="anonymous: orig would tell the number"),
    pytest.param((R1, f"{R1}sign = false\n"), id="a trunk that wants none"),
])  # fmt: skip
def test_a_call_that_is_not_signed(change: tuple[str, str]) -> None:
    async def scenario(world: World) -> None:
        await one_callnow(world)
        assert not {"Identity", "Date"} & invite(world).fields.keys()

    signing(scenario, fixture(change))


def test_an_anonymous_call_to_a_trunk_that_is_told_is_signed_by_what_it_is_told() -> None:
    async def scenario(world: World) -> None:
        await one_callnow(world)
        assert invite(world).from_.uri.user == "anonymous"
        assert claims(world).orig == "15555550000"

    rules = "caller_id = { anonymous = true, identity_headers = true }"
    signing(scenario, fixture((f'public_number = "{DID}"\n', f'public_number = "{DID}"\n{rules}\n')))


@pytest.mark.parametrize(("rules", "signed"), [
    pytest.param("", [(f"1{CB}", "A"), (f"1{CB}", "A")], id="both show the number of its own"),
    pytest.param('caller_id = { number_by = "equipment" }', [(f"1{CB}", "A"), (f"1{CALLER}", "B")],
                 id="the number dialled sees who was called back, which is no number of ours"),
])  # fmt: skip
def test_both_legs_of_a_callback_number_are_signed(rules: str, signed: list[tuple[str, str]]) -> None:
    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        far.hangs_up()
        back.hangs_up()
        await world.over()
        assert [(claims(world, n).orig, claims(world, n).attest) for n in range(2)] == signed

    signing(scenario, callback_plan(caller_id=rules))


# ---- calls that come

def identity(world: World, called: str = DID, attest: str = "A", age_s: int = 0) -> list[tuple[str, str]]:
    passport = Passport(f"1{CALLER}", (f"1{called}",), int(world.wall()) - age_s, X5U, attest, "1")
    return [("Identity", str(sign(passport, LEAF.key)))]


@pytest.mark.parametrize(("attest", "age_s", "verdict", "name"), [
    pytest.param("A", 0, "verified-A", "[ok] Bob", id="the caller is known, and the number"),
    pytest.param("B", 0, "verified-B", "Bob", id="the caller is known"),
    pytest.param("A", 100, "stale", "Bob", id="an old signature: noted, and the phone rings"),
])  # fmt: skip
def test_a_signed_call_rings_and_what_it_is_worth_is_kept(attest: str, age_s: int, verdict: str, name: str) -> None:
    async def scenario(world: World) -> None:
        world.exchange.mark = "[ok] "
        phone, trunk = await john(world), Peer(world, T1)
        caller = trunk.calls(DID, CALLER, display="Bob", extra=identity(world, attest=attest, age_s=age_s))
        rung = (await phone.expects_call()).rings().answers()
        assert rung.shown() == (name, CALLER)
        await caller.told(200)
        caller.hangs_up()
        call = await world.over()
        kept = world.read(lambda conn: journal.find_call(conn, call.id))
        assert kept is not None
        assert kept.verified == verdict
        (story,) = world.read(lambda conn: stories(conn, Holder("o", None), CALLER))
        assert story.verified != ""
        view = world.desk.call(call.id)
        assert view is not None
        assert view.verified == story.verified
        assert f"number {verdict}" in [row.title for row in call.ladder.rows()]

    signing(scenario, fixture())


@pytest.mark.parametrize(("age_s", "status"), [
    pytest.param(None, 428, id="not signed"),
    pytest.param(100, 403, id="too old"),
])  # fmt: skip
def test_where_calls_must_be_signed_another_is_refused_and_nobody_rung(age_s: int | None, status: int) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        caller = trunk.calls(DID, CALLER, extra=[] if age_s is None else identity(world, age_s=age_s))
        await caller.told(status)
        call = await world.over()
        assert (call.outcome, phone.invited) == (Outcome.NOT_PROVEN, 0)
        caller = trunk.calls(DID, CALLER, extra=identity(world))
        (await phone.expects_call()).answers()
        await caller.told(200)
        caller.hangs_up()
        await world.over()

    signing(scenario, fixture((R1, f'{R1}verify = "require"\n')))


def test_who_gives_up_while_the_certificate_is_fetched_rings_nobody() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)

        class Slow(Web):
            async def signer(self, url: str) -> Signer:
                await asyncio.sleep(1.5)
                return await super().signer(url)

        assert world.exchange.stir is not None
        world.exchange.stir._certificates = Slow()  # type: ignore[assignment]
        caller = trunk.calls(DID, CALLER, extra=identity(world))
        await asyncio.sleep(0.5)
        caller.hangs_up()
        call = await world.over()
        assert (call.outcome, phone.invited) == (Outcome.CANCELLED, 0)

    signing(scenario, fixture())


@pytest.mark.parametrize(("plan", "verify"), [(fixture((R1, f'{R1}verify = "off"\n')), "off"), (fixture(), "note")])
def test_what_is_not_to_be_looked_at_is_not(plan: str, verify: str) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        caller = trunk.calls(DID, CALLER, extra=identity(world, age_s=100) if verify == "off" else [])
        (await phone.expects_call()).answers()
        await caller.told(200)
        caller.hangs_up()
        assert (await world.over()).verdict is None

    signing(scenario, plan)


# ---- callback numbers: whose signature proves nothing is a stranger (SPEC A12.9)

REQUIRED = callback_plan().replace(R1, f'{R1}verify = "require"\n', 1)


@pytest.mark.parametrize(("plan", "age_s", "reason"), [
    pytest.param(callback_plan(), 0, "", id="a good signature: called back"),
    pytest.param(callback_plan(), None, "", id="none, where none is needed: called back"),
    pytest.param(callback_plan(), 100, "untrusted-caller", id="a bad one: a stranger"),
    pytest.param(REQUIRED, None, "untrusted-caller", id="none, where one is needed: a stranger"),
    pytest.param(REQUIRED, 0, "", id="a good one, where one is needed: called back"),
])  # fmt: skip
def test_a_trigger_is_as_good_as_its_signature(plan: str, age_s: int | None, reason: str) -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        extra = [] if age_s is None else identity(world, called=CB, age_s=age_s)
        trigger = caller.trunk.calls(CB, CALLER, extra=extra)
        await trigger.told(486)
        if reason:
            await no_invite(world)
            assert reasons(world) == [reason]
        else:
            (await caller.trunk.expects_call()).refuses(486)
            await world.over()

    signing(scenario, plan)


def test_whom_the_mark_is_for() -> None:
    bob, good = Shown("", "+12025550100"), Verdict(Finding.PASSED, "A")
    assert marked(bob, good, "[ok] ") == Shown("[ok] +12025550100", "+12025550100")
    assert marked(bob, good, "") == bob
    assert marked(bob, replace(good, attest="C"), "[ok] ") == bob
    assert marked(bob, Verdict(Finding.STALE, "A"), "[ok] ") == bob
    hidden = Shown("Anonymous", "anonymous")
    assert marked(hidden, good, "[ok] ") == hidden


MARK = "[ok] "


@pytest.mark.parametrize(("name", "seen"), [
    pytest.param("Bank", "Bank", id="a name"),
    pytest.param("[ok] Bank", "Bank", id="the mark"),
    pytest.param("[OK]Bank", "Bank", id="in capitals, without the space"),
    pytest.param(" [ o\u200bk ]  Bank", "Bank", id="with spaces and invisible characters"),
    pytest.param("\uff3bok\uff3d Bank", "Bank", id="in full width"),
    pytest.param("[ok] [ok] Bank", "Bank", id="twice"),
    pytest.param("[ok]", "", id="nothing else"),
    pytest.param("[o", "[o", id="its beginning only"),
    pytest.param("Bank [ok]", "Bank [ok]", id="behind the name: it looks like none"),
    pytest.param("\u200b" * 60_000, "\u200b" * 60_000, id="long, and seen at once"),
])  # fmt: skip
def test_nobody_outside_says_the_mark_himself(name: str, seen: str) -> None:
    assert unmarked(name, MARK) == seen
    assert unmarked(name, "") == name


@pytest.mark.parametrize(("mark", "said", "seen"), [
    pytest.param(MARK, ("[ok] Bank", "[ok] 911"), ("Bank", "911"), id="name and user part"),
    pytest.param("+ ", ("+ Bank", "+12025550100"), ("Bank", "+12025550100"), id="a number keeps its plus"),
    pytest.param("* ", ("*", "*1"), ("", "*1"), id="... and its star"),
    pytest.param("", ("+ Bank", "+1"), ("+ Bank", "+1"), id="no mark"),
])  # fmt: skip
def test_a_caller_without_the_mark(mark: str, said: tuple[str, str], seen: tuple[str, str]) -> None:
    caller = identities.Caller(*said, asserted=True, hidden=False)
    assert without_mark(caller, mark) == identities.Caller(*seen, asserted=True, hidden=False)


def test_a_phone_sees_the_mark_where_we_put_it_alone() -> None:
    async def scenario(world: World) -> None:
        world.exchange.mark = MARK
        phone, trunk = await john(world), Peer(world, T1)
        caller = trunk.calls(DID, "5551111111", display="[ok] Bank")
        called = await phone.expects_call()
        assert called.shown() == ("Bank", "5551111111")
        called.refuses(486)
        await caller.left_alone()
        caller = trunk.calls(DID, "[ok] Bank")
        called = await phone.expects_call()
        assert called.shown() == ("", "Bank")
        called.refuses(486)
        await caller.left_alone()
        await world.callnow(name="[ok] Bank")
        called = await phone.expects_call()
        assert called.shown() == ("Bank", VISITOR)
        called.refuses(486)
        await world.over()

    signing(scenario, fixture())
