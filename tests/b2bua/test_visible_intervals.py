"""SPEC 70: which time intervals an account sees, as a function of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from b2bua.rules.visible_intervals import associated, named

Key = tuple[str, int | None]
ACME, OTHER = 1, 2
INTERVALS: Mapping[Key, Sequence[str]] = {
    ("office", None): ("holidays",), ("holidays", None): ("bridge-days",), ("bridge-days", None): (),
    ("night", None): (), ("lunch", ACME): ("night",), ("office", OTHER): (), ("theirs", OTHER): (),
    ("circle", None): ("circle-too",), ("circle-too", None): ("circle",),
}  # fmt: skip


@pytest.mark.parametrize(("name", "account", "key"), [
    pytest.param("office", ACME, ("office", None), id="the operator's, where it has none of its own"),
    pytest.param("office", OTHER, ("office", OTHER), id="its own comes first"),
    pytest.param("office", None, ("office", None), id="the operator's own"),
    pytest.param("theirs", ACME, None, id="never another account's"),
    pytest.param("lunch", None, None, id="nor an account's for the operator's rates"),
    pytest.param("nothing", ACME, None, id="none"),
])
def test_what_a_name_means(name: str, account: int | None, key: Key | None) -> None:
    assert named(name, account, INTERVALS) == key


@pytest.mark.parametrize(("account", "used", "seen"), [
    pytest.param(3, set(), set(), id="nothing is used: nothing is seen"),
    pytest.param(3, {("night", None)}, {"night"}, id="what a page, rate or route goes by"),
    pytest.param(3, {("office", None)}, {"office", "holidays", "bridge-days"}, id="and what that leaves out"),
    pytest.param(ACME, set(), {"night"}, id="what its own interval leaves out"),
    pytest.param(OTHER, {("office", OTHER)}, set(), id="its own is no one else's"),
    pytest.param(ACME, {("theirs", OTHER)}, {"night"}, id="another account's is not seen, whatever uses it"),
    pytest.param(3, {("circle", None)}, {"circle", "circle-too"}, id="a circle has an end"),
    pytest.param(3, {("nothing", None)}, set(), id="what is not there is not seen"),
])
def test_what_is_associated_with_an_account(account: int, used: set[Key], seen: set[str]) -> None:
    assert associated(account, INTERVALS, used) == {(name, None) for name in seen}
