"""`ringback rate` and `ringback route`: what they print, and what a running server makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from b2bua.cli.main import app

Ringback = Callable[..., str]
GUIDE = (Path(__file__).parents[2] / "docs" / "rates.md").read_text()
OFFICE = """
[[account]]
name = "office"
credit = "10.00"
charging_plan = "office"
dial_plan = { country = "US" }

[[account]]
name = "shop"
charging_plan = "reseller"

[[trunk]]
name = "other"
host = "192.0.2.9"

[[route]]
trunk = "carrier"

[[route]]
trunk = "other"
priority = 1
"""


def example() -> str:
    """The configuration of docs/rates.md, with who uses it."""
    return "\n".join(block.split("```")[0] for block in GUIDE.split("```toml\n")[1:]) + OFFICE


@pytest.fixture
def ringback(tmp_path: Path) -> Ringback:
    database = f"sqlite:///{tmp_path}/a.db"
    (tmp_path / "office.toml").write_text(example())

    def run(*words: str, fails: bool = False) -> str:
        done: Result = CliRunner().invoke(app, [*words, "--database", database])
        assert (done.exit_code != 0) == fails, done.output
        return done.output.strip()

    run("apply", str(tmp_path / "office.toml"))
    return run


def test_the_example_is_explained(ringback: Ringback) -> None:
    said = ringback("rate", "explain", "(202) 555-0100", "--account", "office", "--at", "2026-11-23 12:00")
    assert said.splitlines() == [
        "number     (202) 555-0100 -> +12025550100 (dial plan e164, US)",
        "account    office: charging plan office, fixed; 2026-11-23T12:00:00Z",
        "rate       table standard, prefix +1202, local",
        "price      0.12 once answered",
        "           1 s: 0.12; 60 s: 0.12; 180 s: 0.12; 600 s: 0.12 USD",
        "free       100 min 0 s of 100 in 2026-11",
        "trunk 1    carrier: route (any), priority 0",
        "           what it costs us is not known",
        "trunk 2    other: route (any), priority 1",
        "           what it costs us is not known",
    ]


@pytest.mark.parametrize(("number", "at", "says"), [
    ("+61412345678", "2026-11-23 23:30", "0.10 for the first 30 s, then 0.10 for every 30 s begun"),
    ("+442079460000", "2026-11-23 12:00", "0.50 for the first 60 s, then 0.25 for every 30 s begun"),
    ("+442079460000", "2026-11-23 23:30", "0.30 for the first 60 s, then 0.15 for every 30 s begun"),
    ("+442079460000", "2026-11-22 12:00", "0.30 for the first 60 s, then 0.15 for every 30 s begun"),
])  # fmt: skip
def test_local_mobile_international_and_the_evening(ringback: Ringback, number: str, at: str, says: str) -> None:
    said = ringback("rate", "explain", number, "--account", "office", "--at", at)
    assert f"price      {says}" in said


def test_a_relative_price_with_its_margin(ringback: Ringback) -> None:
    said = ringback("rate", "explain", "+442079460000", "--account", "shop", "--trunk", "carrier")
    assert "rate       prefix +44" in said
    assert "0.02 once answered, then 0.0052 for the first 60 s, then 0.0052 for every 60 s begun; at least 0.02" in said
    assert "180 s: bought for 0.012, sold for 0.0356, margin 0.0236 USD" in said
    said = ringback("rate", "explain", "+33123456789", "--account", "shop")
    assert said.endswith("refused    What it costs us is not known of any trunk.")


@pytest.mark.parametrize("what", ["rate", "route"])
def test_an_emergency_number_has_a_route_and_no_price(ringback: Ringback, what: str, tmp_path: Path) -> None:
    said = ringback(what, "explain", "9-1-1", "--account", "office")
    assert "9-1-1 -> An emergency number: phones alone may call it, at no price, whatever the credit." in said
    assert "trunk 1    carrier: route" in said
    plan = tmp_path / "office.toml"
    phone = '[[extension]]\nnumber = "10"\naccount = "office"\npassword = "secret"\n'
    plan.write_text(plan.read_text().replace("[[route]]", '[[route]]\nprefix = "+"') + phone)
    assert "note      account office: no route takes 911: its phones reach no emergency number" in ringback(
        "apply", str(plan),
    )  # fmt: skip
    said = ringback(what, "explain", "911", "--account", "office")
    assert "911 -> An emergency number: no route takes it." in said


def test_questions_that_have_no_answer(ringback: Ringback) -> None:
    assert "Which account?; there are: office, shop." in ringback("rate", "explain", "+1202", fails=True)
    assert "There is no account x" in ringback("rate", "explain", "1", "--account", "x", fails=True)
    assert "There is no trunk y" in ringback(
        "rate", "explain", "+12025550100", "--account", "shop", "--trunk", "y", fails=True
    )
    said = ringback("rate", "explain", "1", "--account", "shop", "--at", "soon", fails=True)
    assert 'at: "soon" is no date' in said
    assert "This number is too short" in ringback("rate", "explain", "1", "--account", "shop")


def test_the_way_of_a_number(ringback: Ringback) -> None:
    said = ringback("route", "explain", "+442079460000", "--account", "office")
    assert [line for line in said.splitlines() if line.startswith("trunk")] == [
        "trunk 1    carrier: route (any), priority 0", "trunk 2    other: route (any), priority 1",
    ]  # fmt: skip


def test_import_list_and_export(ringback: Ringback, tmp_path: Path) -> None:
    file, copy = tmp_path / "deck.csv", tmp_path / "copy.csv"
    file.write_text("prefix,first_cost,increment_cost\n+44,0.005,0.005\n+45,0.01,0.01\n")
    assert ringback("rate", "import", "carrier", str(file), "--dry-run") == (
        "would be added 1, changed 1, removed 0, unchanged 0"
    )
    assert ringback("rate", "import", "carrier", str(file)) == "added 1, changed 1, removed 0, unchanged 0"
    ringback("rate", "export", "carrier", str(copy))
    assert ringback("rate", "import", "carrier", str(copy)) == "added 0, changed 0, removed 0, unchanged 2"
    assert ringback("rate", "list").splitlines()[1:] == [
        "carrier   2      trunk carrier", "standard  4      charging plan office",
    ]  # fmt: skip
    assert ringback("rate", "list", "carrier", "--prefix", "+45").splitlines()[1].startswith("+45")
    file.write_text("prefix,first_cost\n+44,0.005\n+45,dear\n")
    said = ringback("rate", "import", "carrier", str(file), fails=True)
    assert said.replace("\n", "") .startswith(f'ringback: {file}:3: first_cost: "dear" is no amount of money')


def test_a_deck_without_plusses(ringback: Ringback, tmp_path: Path) -> None:
    file = tmp_path / "deck.csv"
    file.write_text("area code,cost\n49,0.01\n")
    said = ringback("rate", "import", "carrier", str(file), fails=True)
    assert '"49" matches nothing: numbers begin with + in mode e164. Import it with plus' in said.replace("\n", " ")
    assert ringback("rate", "import", "carrier", str(file), "--plus") == "added 1, changed 0, removed 1, unchanged 0"
    assert ringback("rate", "list", "carrier").splitlines()[1].startswith("+49 ")


def test_applying_the_file_again_leaves_imported_tables_alone(ringback: Ringback, tmp_path: Path) -> None:
    file = tmp_path / "deck.csv"
    file.write_text("prefix,cost\n+1,0\n")
    ringback("rate", "import", "imported", str(file))
    ringback("apply", str(tmp_path / "office.toml"))
    assert "imported  1" in ringback("rate", "list")


def test_a_table_is_cloned_into_another(ringback: Ringback, tmp_path: Path) -> None:
    file = tmp_path / "deck.csv"
    file.write_text("prefix,cost\n+44,0.005\n+1202,9\n")
    ringback("rate", "import", "second", str(file))
    assert ringback("rate", "clone", "standard", "second", "--dry-run") == "would be added 3, kept 1"
    assert "second    2" in ringback("rate", "list")
    assert ringback("rate", "clone", "standard", "second") == "added 3, kept 1"
    listed = ringback("rate", "list", "second").splitlines()[1:]
    assert [line.split()[0] for line in listed] == ["(any)", "(any)", "+1202", "+44", "+614"]
    assert "9.00 for the first 60 s" in listed[2]
    assert "There is no rate table third." in ringback("rate", "clone", "third", "second", fails=True)
    assert "Both are the rate table second." in ringback("rate", "clone", "second", "second", fails=True)


def test_margins_before_any_call(ringback: Ringback) -> None:
    assert ringback("rate", "margins", "--by", "day").splitlines() == [
        "day  calls  minutes  sold  bought  margin    cost unknown",
    ]  # fmt: skip
    assert "by: choose one of trunk, account" in ringback("rate", "margins", "--by", "moon", fails=True)
