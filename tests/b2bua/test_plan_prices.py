"""Prices and times in the file of `ringback apply`: faults with line and key, and what is taken (SPEC 68-75)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from b2bua.plan.apply import apply
from b2bua.plan.entries import BadPlan
from b2bua.plan.reader import parse
from b2bua.rules.intervals import is_open
from b2bua.rules.tariff import table_rate
from store.database import connect, migrate
from store.directory import load
from store.values import ChargingPlan, Limit, Micros, TimeInterval

FIXTURE = (Path(__file__).parents[1] / "fixture.toml").read_text()
NIGHT = '[[interval]]\nname = "night"\nlimits = [{ hours = "22:00-06:00" }]\n'
GOLD = '[[charging_plan]]\nname = "gold"\n'


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    url = f"sqlite:///{tmp_path}/ringback.db"
    migrate(url)
    engine = connect(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def run(conn: Connection, text: str) -> list[str]:
    return apply(conn, parse(text, "f.toml"), 100.0, "http://x", lambda: "0" * 16)


def limits(text: str) -> str:
    return f'[[interval]]\nname = "i"\nlimits = [{text}]\n'


@pytest.mark.parametrize(("text", "line", "sentence"), [
    pytest.param(limits('{ hours = "25:00-26:00" }'), 3, 'limits: hours: "25:00-26:00" is not as in "08:00-20:00"',
                 id="hours"),
    pytest.param(limits('{ hours = "" }'), 3, 'limits: hours: "" is not as in "08:00-20:00"', id="no hours"),
    pytest.param(limits('{ hours = "08:00" }'), 3, 'limits: hours: "08:00" is not as in "08:00-20:00"',
                 id="one hour alone"),
    pytest.param(limits('{ weekdays = "Mon-Funday" }'), 3,
                 'limits: weekdays: "Mon-Funday" is not as in "Mon-Fri" or "Sat"', id="weekday"),
    pytest.param(limits('{ days = "0-32" }'), 3, 'limits: days: "0-32" is not as in "1-25" or "31"', id="day"),
    pytest.param(limits('{ days = "30-31", month = 2 }'), 3, 'limits: days: "30-31" never comes in month 2',
                 id="a day that never comes"),
    pytest.param(limits("{ month = 13 }"), 3, "limits.month: expected a whole number <= 12", id="month"),
    pytest.param(limits('{ hour = "8-20" }'), 3, 'unknown key "hour"; did you mean "hours"?', id="a key of a limit"),
    pytest.param(limits(""), 3, "limits: an interval has one to 10 limits", id="no limit"),
    pytest.param(limits("{}, " * 11), 3, "limits: an interval has one to 10 limits", id="68: eleven limits"),
    pytest.param(NIGHT + 'zone = "Mars/Olympus"\n', 4, 'zone: "Mars/Olympus" is no time zone as in "Europe/Bucharest"',
                 id="zone"),
    pytest.param(NIGHT + 'without = ["night"]\n', 4, 'without: "night" would leave itself out', id="without itself"),
    pytest.param(NIGHT + NIGHT, 5, 'a second interval with name "night" (the first: line 2)', id="interval twice"),
    pytest.param('[server]\ntime_zone = "x"\n', 2, 'time_zone: "x" is no time zone as in "Europe/Bucharest"',
                 id="the server's zone"),
    pytest.param(GOLD + 'factor = "1.2"\n', 1, 'method: factor and adjustment are for "relative" prices',
                 id="71: fixed or relative"),
    pytest.param(GOLD + 'method = "relative"\nfactor = "x"\n', 4, 'factor: "x" is not as in "1.25"', id="factor"),
    pytest.param(GOLD + 'method = "relative"\nrate_table = "a"\n', 4,
                 "rate_table: relative prices come from the trunk's rate_table", id="relative with a table"),
    pytest.param(GOLD + 'free_prefixes = ["1"]\n', 3, "free_prefixes: without free_minutes they do nothing",
                 id="prefixes of nothing"),
    pytest.param(GOLD + 'free_minutes = 1\nfree_prefixes = ["x"]\n', 4,
                 'free_prefixes: "x" is no prefix: write digits, with + before them in E.164', id="prefix"),
    pytest.param(GOLD + 'free_period = "year"\n', 3, "free_period: choose one of day, week, month", id="period"),
    pytest.param('[[rate]]\nvalid_from = "soon"\n', 2,
                 'valid_from: "soon" is no date as in "2026-12-01" or "2026-12-01 18:00"', id="date"),
    pytest.param('[[rate]]\nvalid_from = "2026-12-01"\nvalid_until = "2026-11-01"\n', 3,
                 "valid_until is not after valid_from", id="until before from"),
    pytest.param('[[account]]\nname = "a"\ncharging_plan = "gold"\nrate_table = "t"\n' + GOLD, 4,
                 "rate_table: the charging plan has one", id="plan and table"),
    pytest.param('[[trunk]]\nname = "t"\nhost = "h"\nfailover = [200]\n', 4,
                 "failover: expected a whole number >= 400", id="failover"),
])
def test_a_fault_has_its_line(text: str, line: int, sentence: str) -> None:
    with pytest.raises(BadPlan) as bad:
        parse(text, "f.toml")
    assert f"f.toml:{line}: {sentence}" in str(bad.value).splitlines()


@pytest.mark.parametrize(("text", "sentence"), [
    pytest.param(FIXTURE.replace('rate_table = "at-12"', 'charging_plan = "gold"'),
                 'charging_plan: there is no charging plan "gold"', id="plan of an account"),
    pytest.param(FIXTURE.replace('trunk = "R2"\npriority = 1', 'trunk = "R2"\npriority = 1\ninterval = "night"'),
                 'interval: there is no interval "night", which a route needs', id="interval of a route"),
    pytest.param(FIXTURE.replace('prefix = "04"', 'prefix = "04"\ninterval = "dusk"'),
                 'interval: there is no interval "dusk", which a rate needs', id="interval of a rate"),
    pytest.param(NIGHT + 'without = ["holidays"]\n', 'without: there is no interval "holidays"', id="left out"),
    pytest.param(NIGHT + 'account = "nobody"\n', 'account: there is no account "nobody"', id="owner of an interval"),
])
def test_what_is_referred_to_must_be_there(conn: Connection, text: str, sentence: str) -> None:
    with pytest.raises(BadPlan) as bad:
        run(conn, text)
    assert sentence in str(bad.value)


def test_an_interval_that_a_rate_needs_cannot_be_taken_away(conn: Connection) -> None:
    run(conn, FIXTURE.replace('prefix = "04"', 'prefix = "04"\ninterval = "night"') + NIGHT)
    with pytest.raises(BadPlan, match='there is no interval "night", which a rate needs'):
        run(conn, NIGHT.replace("night", "day"))


def test_a_plan_that_an_account_has_cannot_be_taken_away(conn: Connection) -> None:
    run(conn, FIXTURE.replace('rate_table = "at-12"', 'charging_plan = "gold"') + GOLD)
    with pytest.raises(BadPlan, match='an account has the charging plan "gold"'):
        run(conn, GOLD.replace("gold", "silver"))


TIMES = """
[server]
time_zone = "Australia/Sydney"
[[interval]]
name = "work"
without = ["holidays"]
limits = [{ hours = "08:00-20:00", weekdays = "Mon-Fri" }, { days = "1-25", month = 7 }]
[[interval]]
name = "holidays"
zone = "UTC"
algorithm = "interval"
limits = [{ days = "24-26", month = 12 }]
[[rate]]
table = "t"
first_cost = "0.10"
[[rate]]
table = "t"
valid_from = "2026-12-01"
first_cost = "0.20"
[[charging_plan]]
name = "gold"
method = "relative"
factor = "1.25"
adjustment = "0.01"
"""
MIDNIGHT_IN_SYDNEY = 1_796_043_600.0
"""1 December 2026."""


def test_times_are_of_the_servers_zone_where_none_is_said(conn: Connection) -> None:
    assert "created   interval work" in run(conn, TIMES)
    directory = load(conn)
    holidays = TimeInterval("holidays", "UTC", "interval", (Limit(0, 1440, start_day=24, end_day=26, month=12),))
    assert directory.interval("work") == TimeInterval("work", "Australia/Sydney", "days", (
        Limit(480, 1200, 0, 4), Limit(0, 1440, None, None, 1, 25, 7),
    ), (holidays,))  # fmt: skip
    prices = [table_rate(directory, "t", "5551", MIDNIGHT_IN_SYDNEY + after) for after in (-1, 0)]
    assert [rate and rate.first_cost for rate in prices] == [100_000, 200_000]
    assert directory.charging_plans["gold"] == ChargingPlan(
        "gold", "relative", factor=1_250_000, adjustment=Micros(10_000), zone="Australia/Sydney",
    )
    work = directory.interval("work")
    assert work is not None
    assert [is_open(work, MIDNIGHT_IN_SYDNEY + hour * 3600) for hour in (7.99, 8, 20)] == [False, True, False]
    assert all(line.startswith("unchanged") for line in run(conn, TIMES))


def test_an_account_has_intervals_of_its_own(conn: Connection) -> None:
    own = NIGHT + 'account = "client"\n' + NIGHT.replace("22:00", "23:00")
    run(conn, FIXTURE + own)
    directory = load(conn)
    found = [directory.interval("night", account_id) for account_id in (1, 2, None)]
    assert [each and each.limits[0].start_min for each in found] == [22 * 60, 23 * 60, 23 * 60]
    assert not any("interval" in line for line in run(conn, FIXTURE + own) if not line.startswith("unchanged"))


def test_rates_of_tables_that_the_file_does_not_name_stay(conn: Connection) -> None:
    run(conn, '[[rate]]\ntable = "a"\nprefix = "1"\n[[rate]]\ntable = "b"\nprefix = "1"\n')
    assert run(conn, '[[rate]]\ntable = "a"\nprefix = "2"\n') == ["created   rate a 2", "removed   rate a 1"]
    assert run(conn, "rate = []\n") == ["removed   rate a 2", "removed   rate b 1"]


def test_the_worst_case_of_a_relative_plan_is_the_dearest_trunk(conn: Connection) -> None:
    plan = (
        FIXTURE.replace('rate_table = "at-12"', 'charging_plan = "gold"')
        .replace("announce_to_visitor = false", "image_validation = false\ncalls_a_day = 1")
        .replace('name = "R2"\n', 'name = "R2"\nrate_table = "at-12"\n')
        + GOLD + 'method = "relative"\nfactor = "2"\n'
    )  # fmt: skip
    assert "Worst case 60.00 USD a day" in run(conn, plan)[-1]
