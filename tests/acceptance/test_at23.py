"""AT-23 CallerID rules 1-3 (41-49): which number a public call shows, by the trunk that routes it."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.acceptance.scene import Change, Scene
from tests.peers.capture import SipMessage

R1_NUMBERS, R2_NUMBER, DEFAULT, CALLED = ("1123", "345876", "2854478"), "6987560", "3689", "5555552000"
CALLS = 300
CRITICAL = 27.63
"""Chi-square with two degrees of freedom: more has a probability of 1e-6."""


def shows(rules: str) -> Change:
    """001*002 with these CallerID rules."""
    own = 'public_number = "5555550000"\n'
    return own, f"{own}caller_id = {{ {rules} }}\n"


def numbers(trunk: str, *numbers: str) -> str:
    """Public numbers of the client on a trunk that ring nobody (SPEC 43)."""
    return "".join(f'[[did]]\nnumber = "{each}"\naccount = "client"\ntrunk = "{trunk}"\n' for each in numbers)


POOL = numbers("R1", *R1_NUMBERS) + numbers("R2", R2_NUMBER, DEFAULT)
BOTH = shows(f'numbers = ["{R2_NUMBER}", "{DEFAULT}", "' + '", "'.join(R1_NUMBERS) + f'"], default = "{DEFAULT}"')
ONLY_R2 = ("[[route]]\ntrunk = \"R1\"\n\n", "")


def shown(invite: SipMessage) -> str:
    """The number in From; where there is one asserted, it is the same."""
    number = re.search(r"<sip:(\d+)@", invite.header("From") or "")
    assert number
    asserted = invite.header("P-Asserted-Identity")
    assert asserted is None or f"<sip:{number[1]}@" in asserted
    return number[1]


async def test_at23_each_number_of_the_trunk_is_shown_by_chance(scene: Scene) -> None:
    """Rule 47, and 48: never one of another trunk."""
    await scene.serve(BOTH, more=POOL)
    trunk = await scene.trunk(calls=CALLS, d="0")
    caller = await scene.phone("uac_call", calls=CALLS, rate=40, service=CALLED, d="100", register=False)  # type: ignore[arg-type]
    await caller.passed()
    await trunk.passed()
    seen = Counter(shown(invite) for invite in scene.invites(scene.t1))
    assert seen.keys() == set(R1_NUMBERS)
    expected = CALLS / len(R1_NUMBERS)
    assert sum((count - expected) ** 2 / expected for count in seen.values()) < CRITICAL
    assert scene.invites(scene.t2) == []


async def call(scene: Scene, *, by: str) -> SipMessage:
    """The INVITE of one call that this trunk takes."""
    before = len(scene.invites(by))
    trunk = await scene.trunk(at=by, d="0")
    caller = await scene.phone("uac_call", at=scene.address("127.0.0.6"), service=CALLED, d="100", register=False)
    await caller.passed()
    await trunk.passed()
    (invite,) = scene.invites(by)[before:]
    return invite


async def test_at23_the_trunk_that_routes_decides(scene: Scene) -> None:
    """Rules 48 and 49, changed on the running server; the CallerID is chosen anew on failover."""
    await scene.serve(BOTH, ONLY_R2, more=POOL)
    assert shown(await call(scene, by=scene.t2)) in (R2_NUMBER, DEFAULT)
    only = shows(f'numbers = ["{DEFAULT}"], default = "{DEFAULT}"')
    await scene.reconfigure(only, more=POOL)
    assert shown(await call(scene, by=scene.t1)) == DEFAULT

    each = shows(f'numbers = ["1123", "{R2_NUMBER}"], identity_headers = true')
    await scene.reconfigure(each, more=POOL)
    busy = await scene.trunk("trunk_unavailable_503")
    assert shown(await call(scene, by=scene.t2)) == R2_NUMBER
    await busy.passed()
    assert shown(scene.invites(scene.t1)[-1]) == "1123"


async def test_at23_a_number_by_user_rules_out_the_pool_and_needs_approval(scene: Scene) -> None:
    """Rules 39 and 41."""
    by_user = 'number_by = "user", number = "123", numbers = ["1123"]'
    await scene.serve(shows(by_user), more=POOL)
    assert shown(await call(scene, by=scene.t1)) == "5555550000"
    await scene.reconfigure(shows(f"{by_user}, approved = true"), more=POOL)
    assert shown(await call(scene, by=scene.t1)) == "123"
    for wrong in ("12", "12a"):
        with pytest.raises(AssertionError, match="three or more digits"):
            await scene.reconfigure(shows(f'number_by = "user", number = "{wrong}"'), more=POOL)
    await scene.reconfigure(shows('number_by = "equipment", numbers = ["1123"]'), more=POOL)
    assert shown(await call(scene, by=scene.t1)) == "5555550000"
