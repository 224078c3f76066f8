"""Which accounts a token reaches, and what it may do there."""

from __future__ import annotations

import pytest

from b2bua.settings.kept import KINDS
from b2bua.settings.reach import Reach, below, may_change, may_see

PARENTS = {1: None, 2: 1, 3: 2, 4: None, 5: 4, 6: 6, 7: 8, 8: 7}
OPERATOR, ACME = Reach(None), Reach(1, frozenset({2, 3}))


@pytest.mark.parametrize(("account", "found"), [
    pytest.param(1, {2, 3}, id="at any depth"), pytest.param(3, set(), id="nobody"), pytest.param(4, {5}, id="one"),
    pytest.param(6, set(), id="above itself"), pytest.param(7, {8}, id="in a circle"),
])
def test_who_is_below(account: int, found: set[int]) -> None:
    assert below(account, PARENTS) == found


@pytest.mark.parametrize(("kind", "owner", "see", "change"), [
    ("account", 1, "yes", "forbidden"), ("account", 2, "yes", "forbidden"), ("account", 4, "hidden", "hidden"),
    ("extension", 1, "yes", "forbidden"), ("extension", 3, "yes", "forbidden"), ("extension", 4, "hidden", "hidden"),
    ("did", 2, "yes", "forbidden"), ("did", 5, "hidden", "hidden"),
    ("interval", 1, "yes", "yes"), ("interval", 2, "hidden", "hidden"), ("interval", None, "hidden", "hidden"),
    ("trunk", None, "forbidden", "forbidden"), ("route", None, "forbidden", "forbidden"),
    ("charging_plan", None, "forbidden", "forbidden"),
])  # fmt: skip
def test_what_a_token_may(kind: str, owner: int | None, see: str, change: str) -> None:
    of = KINDS[kind]
    assert (may_see(of, ACME, owner), may_change(of, ACME, owner)) == (see, change)
    assert (may_see(of, OPERATOR, owner), may_change(of, OPERATOR, owner)) == ("yes", "yes")
