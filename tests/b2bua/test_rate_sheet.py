"""Tables of rates as CSV: every row or none, the first bad line told, and back again the same (SPEC 73)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from b2bua.desk import NotDone
from b2bua.plan.apply import apply
from b2bua.plan.entries import RateEntry
from b2bua.plan.prices import rate_key, rate_values
from b2bua.plan.reader import parse
from b2bua.prices.rate_book import compare, compare_tables, table_rates, write_changes
from b2bua.prices.rate_sheet import COLUMNS, read_rates, write_rates
from store.database import connect, migrate
from store.directory import config_version, load
from store.values import Micros, Rate

FIXTURE = (Path(__file__).parents[1] / "fixture.toml").read_text()
NIGHT = '[[interval]]\nname = "night"\nlimits = [{ hours = "22:00-06:00" }]\n'
HEAD = "prefix,first_interval_s,first_cost,increment_s,increment_cost\n"


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    url = f"sqlite:///{tmp_path}/ringback.db"
    migrate(url)
    engine = connect(url)
    with engine.begin() as connection:
        apply(connection, parse(FIXTURE + NIGHT, "f.toml"), 100.0, "http://x", lambda: "0" * 16)
        yield connection
    engine.dispose()


def take(conn: Connection, text: str, table: str = "carrier", keep: bool = False, dry_run: bool = False) -> list[int]:
    changes = compare(conn, load(conn), table, read_rates(text.encode(), table), keep=keep)
    assert dry_run or write_changes(conn, changes)
    done = changes.view(dry_run)
    return [done.added, done.changed, done.removed, done.unchanged]


def there(conn: Connection, table: str = "carrier") -> dict[str, int]:
    """Prefix and the cost of an increment."""
    return {rate.prefix: rate.increment_cost for rate in table_rates(load(conn), table)}


def test_a_file_makes_the_table_what_it_says(conn: Connection) -> None:
    assert take(conn, HEAD + "44,60,0.01,60,0.01\n45,1,0,1,0.0005\n") == [2, 0, 0, 0]
    before = config_version(conn)
    assert take(conn, HEAD + "44,60,0.01,60,0.01\n45,1,0,1,0.0005\n") == [0, 0, 0, 2]
    assert config_version(conn) == before, "nothing has changed: nobody need load anything"
    assert take(conn, HEAD + "45,1,0,1,0.0006\n46,60,0.03,60,0.03\n") == [1, 1, 1, 0]
    assert there(conn) == {"45": 600, "46": 30_000}
    assert config_version(conn) == before + 1
    assert there(conn, "at-12") == {"555": 0, "04": 100_000, "00": 250_000}, "another table"


def test_what_is_not_in_the_file_stays_where_that_is_wished(conn: Connection) -> None:
    take(conn, HEAD + "44,60,0.01,60,0.01\n")
    assert take(conn, HEAD + "45,60,0.02,60,0.02\n", keep=True) == [1, 0, 0, 0]
    assert there(conn) == {"44": 10_000, "45": 20_000}


def test_a_dry_run_tells_and_changes_nothing(conn: Connection) -> None:
    take(conn, HEAD + "44,60,0.01,60,0.01\n")
    before = config_version(conn)
    assert take(conn, HEAD + "45,60,0.02,60,0.02\n", dry_run=True) == [1, 0, 1, 0]
    assert (there(conn), config_version(conn)) == ({"44": 10_000}, before)


def test_who_compared_with_what_is_no_more_compares_again(conn: Connection) -> None:
    late = compare(conn, load(conn), "carrier", read_rates(HEAD.encode() + b"44,60,0,1,0\n", "carrier"), keep=False)
    take(conn, HEAD + "45,60,0.02,60,0.02\n")
    assert not write_changes(conn, late)
    assert there(conn) == {"45": 20_000}


def test_channel_costs_of_voipnow_are_taken(conn: Connection) -> None:
    text = "Area code;Cost;Charge interval;Description;Network;Setup cost;Maximum charge\n44;0.01;6;UK;BT;0.05;1.00\n"
    write_changes(conn, compare(conn, load(conn), "carrier", read_rates(text.encode(), "carrier", ";"), keep=False))
    assert table_rates(load(conn), "carrier") == [
        Rate("44", "UK BT", Micros(50_000), 6, Micros(10_000), 6, Micros(10_000), maximum=Micros(1_000_000)),
    ]


@pytest.mark.parametrize(("text", "line", "field", "reason"), [
    pytest.param("", 1, "", "no line", id="empty"),
    pytest.param("44,0.01\n", 1, "44", "no such column; there are prefix,", id="no line of names"),
    pytest.param("description\nx\n", 1, "prefix", "must be there", id="no prefix"),
    pytest.param("prefix,prefix\n", 1, "prefix", "two of this column", id="a column twice"),
    pytest.param(HEAD + "44,60,0.01,60,0.01\n\n45,60,x,60,0.01\n", 4, "first_cost", "no amount of money", id="money"),
    pytest.param(HEAD + "44,60,-1,60,0\n", 2, "first_cost", "cannot be negative", id="negative money"),
    pytest.param(HEAD + "44,60,0.0000001,60,0\n", 2, "first_cost", "6 after the point", id="too many decimals"),
    pytest.param(HEAD + "44,60,0,0,0\n", 2, "increment_s", ">= 1", id="an increment of no seconds"),
    pytest.param(HEAD + "44,many,0,1,0\n", 2, "first_interval_s", "whole number", id="no number"),
    pytest.param(HEAD + "4x,60,0,1,0\n", 2, "prefix", "expected digits", id="prefix"),
    pytest.param(HEAD + "44,60,0,1,0\n45,,0\n44,60,0,1,1\n", 4, "prefix", "the first: line 2", id="twice"),
    pytest.param(HEAD + "44,60,0,1,0,9\n", 2, "", "6 cells", id="too many cells"),
    pytest.param(HEAD + '44,"60,0,1,0\n', 2, "", "not well-formed", id="an open quote"),
    pytest.param("prefix,minimum,maximum\n4,2,1\n", 2, "maximum", "below minimum", id="between two fields"),
    pytest.param("prefix,valid_from,cost\n4,soon,1\n", 2, "valid_from", "is no date", id="date"),
    pytest.param("prefix,valid_from,valid_until\n4,2026-02-01,2026-02-01\n", 2, "valid_until", "not after", id="span"),
    pytest.param("prefix,minimum,interval\n4,1,dusk\n", 2, "interval", 'no interval "dusk"', id="unknown interval"),
    pytest.param(HEAD + "44,60,0,1,0\n45\n", 3, "first_cost", 'no price for "45": write 0', id="a line cut off"),
    pytest.param(HEAD + "44,60,,1,\n", 2, "first_cost", "no price", id="empty prices"),
    pytest.param("prefix,maximum\n44,1\n", 2, "first_cost", "no price", id="no column of prices"),
    pytest.param("prefix,cost\n44,\n", 2, "cost", "no price", id="no price in a column of VoipNow's"),
    pytest.param("prefix,first_cost\n+44,1\n", 2, "prefix", '"+44" matches nothing: numbers are without +',
                 id="a plus where every account dials without"),
    pytest.param("prefix,cost\n4,cheap\n", 2, "cost", "no amount", id="a column of VoipNow's is named as it is there"),
])
def test_the_first_bad_line_is_told_and_nothing_is_done(
    conn: Connection, text: str, line: int, field: str, reason: str
) -> None:
    take(conn, HEAD + "49,60,0.01,60,0.01\n")
    with pytest.raises(NotDone) as refused:
        take(conn, text)
    assert (refused.value.line, refused.value.field) == (line, field)
    assert reason in refused.value.sentence
    assert there(conn) == {"49": 10_000}


def test_prefixes_get_their_plus_where_that_is_asked_for() -> None:
    text = b"prefix,cost\n44,1\n'+45,1\n,1\n"
    assert [entry.prefix for _, entry in read_rates(text, "t", plus=True)] == ["+44", "+45", ""]
    assert [entry.prefix for _, entry in read_rates(text, "t")] == ["44", "+45", ""]
    for wrong, says in ((b"0044,1\n", "none begins with 0"), (b"44,1\n+44,1\n", "the first: line 2")):
        with pytest.raises(NotDone, match=says):
            read_rates(b"prefix,cost\n" + wrong, "t", plus=True)


def test_a_file_that_is_no_text() -> None:
    with pytest.raises(NotDone, match="Line 2: the file is not UTF-8 text"):
        read_rates(b"prefix\n\xff\xfe", "t")


def test_prefixes_of_an_e164_account_have_their_plus(conn: Connection) -> None:
    plan = '[[account]]\nname = "client"\nrate_table = "e"\n'
    apply(conn, parse(plan, "f.toml"), 0.0, "", str)
    deck = "prefix,first_cost\n{},1\n"
    for table in ("e", "carrier"):  # a trunk's table too: whoever calls, the number has its plus
        with pytest.raises(NotDone, match='Line 2: prefix: "44" matches nothing: numbers begin with \\+ in mode e164'):
            take(conn, deck.format("44"), table)
        assert take(conn, deck.format("'+44"), table) == [1, 0, 0, 0]


def test_where_accounts_dial_in_two_ways_a_trunk_has_prices_for_both(conn: Connection) -> None:
    both = FIXTURE + '[[account]]\nname = "other"\nrate_table = "e"\n'
    apply(conn, parse(both, "f.toml"), 0.0, "", str)
    assert take(conn, "prefix,first_cost\n44,1\n+44,1\n") == [2, 0, 0, 0]
    with pytest.raises(NotDone, match='"44" matches nothing'):
        take(conn, "prefix,first_cost\n44,1\n", "e")
    with pytest.raises(NotDone, match=r'"\+44" matches nothing'):
        take(conn, "prefix,first_cost\n+44,1\n", "at-12")


def clone(conn: Connection, source: str, table: str) -> list[int]:
    changes = compare_tables(conn, load(conn), source, table)
    assert write_changes(conn, changes)
    done = changes.clone_view(False)
    return [done.added, done.kept]


DATED = "prefix,interval,valid_from,valid_until,cost,description,connection_fee,minimum,maximum\n"


def test_a_clone_adds_what_is_missing_and_keeps_what_is_there(conn: Connection) -> None:
    take(conn, HEAD + "44,60,0.01,60,0.01\n45,1,0.5,7,0.0005\n,60,1,60,1\n")
    take(conn, HEAD + "45,60,0.09,60,0.09\n", "target")
    before = config_version(conn)
    assert clone(conn, "carrier", "target") == [2, 1]
    assert there(conn, "target") == {"": 1_000_000, "44": 10_000, "45": 90_000}
    assert config_version(conn) == before + 1
    assert clone(conn, "carrier", "target") == [0, 3]
    assert config_version(conn) == before + 1, "nothing has changed: nobody need load anything"
    assert there(conn) == {"": 1_000_000, "44": 10_000, "45": 500}, "the source is only read"


def test_a_clone_into_a_new_table_is_the_same_in_all_its_columns(conn: Connection) -> None:
    take(conn, DATED + "44,night,2026-12-01,2027-01-01,0.1,UK,0.2,0.3,9\n44,,,,0.4,,,,\n")
    assert clone(conn, "carrier", "new") == [2, 0]
    assert table_rates(load(conn), "new") == table_rates(load(conn), "carrier")


def test_interval_and_date_tell_the_rates_of_a_prefix_apart(conn: Connection) -> None:
    take(conn, DATED + "44,night,,,1,,,,\n44,,2026-12-01,,2,,,,\n44,,,,3,,,,\n")
    take(conn, DATED + "44,,2026-12-01,,7,,,,\n44,night,2026-12-01,,8,,,,\n", "target")
    assert clone(conn, "carrier", "target") == [2, 1]
    assert sorted(rate.increment_cost // 1_000_000 for rate in table_rates(load(conn), "target")) == [1, 3, 7, 8]


@pytest.mark.parametrize(("source", "table", "says"), [
    pytest.param("nowhere", "at-12", "There is no rate table nowhere.", id="no source"),
    pytest.param("at-12", "at-12", "Both are the rate table at-12.", id="into itself"),
    pytest.param("at-12", " ", "table: a rate table needs a name", id="no name"),
    pytest.param("at-12", "x" * 256, "table: a rate table needs a name", id="a name too long"),
    pytest.param("at-12", "e", 'Rate table at-12: "00" matches nothing: numbers begin with + in mode e164.',
                 id="prefixes that no number of the target begins with"),
])
def test_a_clone_that_cannot_be(conn: Connection, source: str, table: str, says: str) -> None:
    apply(conn, parse(FIXTURE + '[[account]]\nname = "other"\nrate_table = "e"\n', "f.toml"), 0.0, "", str)
    before = config_version(conn)
    with pytest.raises(NotDone) as refused:
        clone(conn, source, table)
    assert refused.value.sentence == says
    assert (config_version(conn), "e" in load(conn).rate_tables) == (before, False)


def test_a_code_that_the_target_has_may_be_of_either_mode(conn: Connection) -> None:
    apply(conn, parse(FIXTURE + '[[account]]\nname = "other"\nrate_table = "e"\n', "f.toml"), 0.0, "", str)
    take(conn, "prefix,cost\n+44,1\n,2\n")
    assert clone(conn, "carrier", "e") == [2, 0]
    assert clone(conn, "e", "carrier") == [0, 2]


def test_who_compared_tables_that_are_no_more_the_same_compares_again(conn: Connection) -> None:
    take(conn, HEAD + "44,60,0.01,60,0.01\n")
    late = compare_tables(conn, load(conn), "carrier", "target")
    take(conn, HEAD + "44,60,0.02,60,0.02\n", "target")
    assert not write_changes(conn, late)
    assert there(conn, "target") == {"44": 20_000}


money = st.integers(0, 10**9).map(Micros)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), max_size=8).map(lambda text: text.lstrip("'"))
rates = st.builds(
    Rate, prefix=st.from_regex(r"\A\+?[0-9]{0,8}\Z"), description=texts, connection_fee=money,
    first_interval_s=st.integers(0, 86400), first_cost=money, increment_s=st.integers(1, 86400), increment_cost=money,
    maximum=st.none() | st.integers(1, 10**9).map(Micros), interval=st.sampled_from(["", "night"]),
    valid_from=st.sampled_from([0.0, 1_795_262_400.0]), valid_until=st.sampled_from([None, 1_895_262_400.5]),
)


@given(st.lists(rates, max_size=5, unique_by=lambda rate: (rate.prefix, rate.interval, rate.valid_from)))
def test_what_is_written_is_read_back_the_same(several: list[Rate]) -> None:
    def built(entry: RateEntry) -> Rate:
        _, prefix, interval, since = rate_key(entry, "UTC")
        return Rate(prefix=prefix, interval=interval, valid_from=since, **rate_values(entry, "UTC"))

    written = write_rates(several)
    assert [built(entry) for _, entry in read_rates(written, "t")] == several
    assert written.splitlines()[0].decode("utf-8-sig") == ",".join(COLUMNS)
