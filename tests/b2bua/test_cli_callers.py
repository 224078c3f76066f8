"""`ringback caller`, `token` and `why`: what an operator types, reads and is refused."""

from __future__ import annotations

import csv
import hashlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from b2bua.cli.main import app
from b2bua.desk import LadderRow
from b2bua.plan.apply import apply as apply_plan
from b2bua.plan.apply import parse
from b2bua.secret_hash import verify_secret
from store import journal, ledger
from store.callers import find_caller
from store.database import transact
from store.tokens import check_token
from store.values import Micros, Rate
from tests.plans import fixture
from tests.webform.api import PLAN

ROOT = Path(__file__).resolve().parents[2]
A, B = "5551111111", "5552222222"


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server's default database, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    url = "sqlite:///ringback.db"
    transact(url, lambda conn: apply_plan(conn, parse(PLAN, "plan.toml"), 0.0, "http://x", lambda: "0" * 16))
    return url


def typed(line: str, keys: str = "") -> Result:
    return CliRunner().invoke(app, shlex.split(line), input=keys)


def said(line: str, keys: str = "") -> list[str]:
    """The lines it printed; it went well."""
    done = typed(line, keys)
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def refused(line: str) -> str:
    """The one sentence on stderr."""
    done = typed(line)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


def pin_hash(database: str, number: str = A) -> str:
    kept = transact(database, lambda conn: find_caller(conn, 1, number))
    assert kept is not None
    return kept.pin_hash


def test_a_caller_from_its_first_day_to_its_last() -> None:
    assert said("caller add 001*900 +1-555-111-1111 --credit 5 --order A1") == [
        f"added {A}: enabled, no PIN, credit 5.00 USD",
    ]  # fmt: skip
    enabled = [f"changed {B}: enabled, no PIN, credit 5.00 USD"]
    assert said(f"caller edit 001*900 {A} --number {B} --language en") == enabled
    assert said(f"caller disable 001*900 {B}") == [f"changed {B}: disabled, no PIN, credit 5.00 USD"]
    assert said(f"caller enable 001*900 {B}") == enabled
    assert said(f"caller recharge 001*900 {B} unlimited --order A2") == ["added unlimited, left unlimited"]
    assert said(f"caller recharge 001*900 {B} -10 --order A3") == ["added -10.00, left 0.00"]
    heading, *rows = said(f"caller history 001*900 {B}")
    assert heading.split() == ["order", "added", "left", "date"]
    assert [row.split()[:3] for row in rows] == [
        ["A3", "-10.00", "0.00"], ["A2", "unlimited", "unlimited"], ["A1", "5.00", "5.00"],
    ]  # fmt: skip
    assert len(said(f"caller history 001*900 {B} --text 3")) == 2
    heading, row, quota = said("caller list 001*900")
    assert row.split()[:7] == [B, "enabled", "no", "0.00", "0.00", "0.00", "USD"]
    assert quota == "1 active, no limit"
    assert said(f"caller remove 001*900 {B}") == [f"removed {B}"]
    assert said("caller list 001*900")[1:] == ["0 active, no limit"]


def test_an_account_is_recharged_and_its_balance_shown() -> None:
    assert said("account recharge acme 10 --order A1") == ["added 10.00, left 10.00"]
    assert said("account recharge acme 10.00 --order A1") == ["added 10.00, left 10.00"]
    assert said("account balance acme") == ["balance 10.00, held 0.00, available 10.00 USD"]
    assert said("account recharge acme -12.5") == ["added -12.50, left 0.00"]
    assert said("account balance acme") == ["balance 0.00, held 0.00, available 0.00 USD"]


def test_a_pin_is_asked_for_and_never_shown(database: str) -> None:
    done = typed(f"caller add 001*900 {A} --pin", "0815\n0815\n")
    assert "a PIN is asked" in done.stdout
    assert "0815" not in done.output
    assert verify_secret(pin_hash(database), "0815")
    said(f"caller edit 001*900 {A} --pin-file -", "4711\n")
    assert verify_secret(pin_hash(database), "4711")
    Path("pin.txt").write_text("1234\n")
    said(f"caller edit 001*900 {A} --pin-file pin.txt")
    assert verify_secret(pin_hash(database), "1234")
    said(f"caller edit 001*900 {A} --language en")
    assert verify_secret(pin_hash(database), "1234")
    assert said(f"caller edit 001*900 {A} --no-pin") == [f"changed {A}: enabled, no PIN, credit 0.00 USD"]
    assert pin_hash(database) == ""


@pytest.mark.parametrize(("line", "sentence"), [
    ("caller list 009*900", "There is no callback extension 009*900."),
    ("caller list 001*002", "There is no callback extension 001*002."),
    (f"caller recharge 001*900 {A} 5", f"001*900 has no authorised CallerID {A}."),
    ("caller add 001*900 911", "This number cannot be called from here."),
    (f"caller add 001*900 {A} --credit 5,0", '"5,0" is no amount of money'),
    (f"caller add 001*900 {A} --pin-file nowhere.txt", "No such file"),
    ("caller import 001*900 nowhere.csv", "No such file"),
    ("caller export 001*900 list.doc", "list.doc: name it .csv or .xlsx"),
    ("caller list 001*900 --config nowhere.toml", "No such file"),
    ("caller list 001*900 --database sqlite:////nowhere/at/all.db", "cannot open /nowhere/at/all.db"),
    ("account balance nobody", "There is no account nobody."),
    ("account recharge ~caller-3 5", "There is no account ~caller-3."),
    ("account recharge acme unlimited", "an account without limit is a postpaid one without credit_limit."),
    ("token create ''", "a token's name has 1 to 64 characters"),
    ("token create x --account nobody", "there is no account nobody"),
    ("token create x --account ~caller-3", "there is no account ~caller-3"),
    ("token revoke x", "there is no token x"),
])  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(line: str, sentence: str) -> None:
    assert sentence in refused(line)
    assert not Path("list.doc").exists()


def test_quota_and_duplicates_are_refused() -> None:
    said(f"caller add 001*900 {A}")
    assert refused(f"caller add 001*900 {A}") == f"ringback: {A} is an authorised CallerID already."


def test_the_quota_is_shown(database: str) -> None:
    plan = parse(PLAN.replace("callback = {}", "callback = {quota = 2}"), "plan.toml")
    transact(database, lambda conn: apply_plan(conn, plan, 0.0, "http://x", lambda: "0" * 16))
    said(f"caller add 001*900 {A}")
    said(f"caller add 001*900 {B} --disabled")
    assert said("caller list 001*900")[-1] == "1 active of at most 2, 1 more may be"
    assert [line.split()[0] for line in said("caller list 001*900 --disabled")[1:-1]] == [B]


def test_a_list_goes_out_and_in() -> None:
    Path("in.csv").write_text(f"number;PIN;order number;initial credit\n{A};1234;A1;5\n{B};;;u\n")
    assert said("caller import 001*900 in.csv --separator ; --dry-run") == ["2 CallerIDs would be added"]
    assert said("caller import 001*900 in.csv --separator ;") == ["2 CallerIDs were added"]
    Path("more.csv").write_text(f"5553333333\n{A}\n")
    assert refused("caller import 001*900 more.csv").endswith(f"Line 2: {A} is an authorised CallerID already.")
    said("caller export 001*900 out.csv")
    said("caller export 001*900 out.XLSX --text 111 --enabled")
    with Path("out.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row[1] for row in csv.reader(file)] == ["Callback Number", A, B]
    assert Path("out.XLSX").read_bytes().startswith(b"PK")


def test_a_token_is_shown_once_and_kept_as_a_hash(database: str) -> None:
    (token,) = said("token create shop --account acme")
    kept = transact(database, lambda conn: check_token(conn, hashlib.sha256(token.encode()).hexdigest(), 0.0))
    assert kept is not None
    assert (kept.name, kept.account_id) == ("shop", 1)
    assert "there is a token shop already" in refused("token create shop")
    said("token create all")
    rows = [row.split() for row in said("token list")[1:]]
    assert [row[:2] for row in rows] == [["all", "all"], ["shop", "acme"]]
    assert rows[0][-1] == "never"
    assert said("token revoke shop") == ["revoked shop"]
    assert token not in Path("ringback.db").read_bytes().decode("latin-1")


def test_nothing_known_is_said() -> None:
    assert said("why 5559999999") == ["nothing is known of 5559999999"]


def called(conn: Connection) -> None:
    """A trigger, and the call back of which one leg was paid for."""
    rate = Rate(first_interval_s=30, first_cost=Micros(100_000), increment_s=30, increment_cost=Micros(100_000))
    ledger.recharge(conn, 1, Micros(1_000_000), "", 0.0)
    hold = ledger.place_hold(conn, call_id="c", leg="pstn", account_id=1, rate=rate, amount=Micros(500_000), at=10.0,
                             number=B)  # fmt: skip
    ledger.settle(conn, hold.id, Micros(200_000), 50.0)
    journal.open_request(conn, journal.RequestRecord(
        "t", 0.0, "", "001*900", "Mary", A, "192.0.2.21", "talked", "c", Micros(200_000), 50.0, "callback", "R1",
    ))  # fmt: skip
    journal.write_call(conn, journal.CallRecord("c", "callback", 1, 0.0, "001*900", A, B, 50.0, "talked", 31_000,
                                                Micros(200_000), "USD"), [
        journal.LegRecord("c", 0, "in", 0.0, A, "001*900", "R1", status=486, cause="refused"),
        journal.LegRecord("c", 2, "out", 10.0, "5555559000", B, "R1", 15.0, 46.0, 200, "bye", 31_000, Micros(200_000)),
    ])  # fmt: skip
    journal.write_ladder(conn, "c", 50.0, [LadderRow(0, 0.0, "sip", 0, 1, "INVITE", "INVITE sip:...")])


def test_why_tells_the_reason_the_legs_the_cost_and_the_ladder(database: str) -> None:
    transact(database, called)
    lines = said("why 555-111-1111 --ladder")
    assert lines[:9] == [
        f"1970-01-01T00:00:00Z  callback  {A} -> {B}  0.20 USD",
        "    talked: They talked, and one of them hung up.",
        "    call c",
        "    from R1, 192.0.2.21, Mary",
        f"    called by {A} (R1): status 486, 0 s, 0.00 USD, ended by refused",
        f"    called {B} (R1): status 200, 31 s, 0.20 USD, ended by bye",
        "        first 30 s: 0.10",
        "        1 x 30 s begun: 0.10",
        "        total: 0.20 USD",
    ]
    assert "Ringback" in lines[9]
    assert "INVITE" in lines[10]
    assert len(lines) == 11
    assert said(f"why {B}") == lines[:9]


def test_a_request_under_way_of_a_hidden_caller_is_told_too(database: str) -> None:
    record = journal.RequestRecord("t", 0.0, "", "001*900", kind="callback")
    transact(database, lambda conn: journal.open_request(conn, record))
    assert said("why 001*900") == [
        "1970-01-01T00:00:00Z  callback  (hidden) -> 001*900  0.00 USD", "    open: It is still under way.",
    ]  # fmt: skip


def test_the_words_of_the_guide_are_taken(tmp_path: Path) -> None:
    """Every line of the command line in docs/api.md, in its order."""
    guide = (ROOT / "docs" / "api.md").read_text()
    Path("pin.txt").write_text("1234")
    Path("callers.csv").write_text("5556666666;;;1\n")
    lines = re.findall(r"^    \./run ((?:account|caller|token|why) .*?)(?:   .*)?$", guide, re.MULTILINE)
    assert len(lines) == 17
    for line in lines:
        said(line, "0815\n0815\n")


def test_as_a_process_it_reads_the_servers_file(tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    transact(other, lambda conn: apply_plan(conn, parse(fixture(), "f.toml"), 0.0, "http://x", lambda: "0" * 16))
    (tmp_path / "ringback.toml").write_text(f'[server]\ndatabase = "{other}"\n')
    done = subprocess.run(
        [sys.executable, "-m", "b2bua", "token", "list", "--config", tmp_path / "ringback.toml"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "name  account  created  last used\n", "")


def test_numbers_are_blocked_and_free_again() -> None:
    assert said("blocked add 555-222-3333 --extension '001*002'") == ["blocked 5552223333 for 001*002"]
    assert said("blocked add '+1 555 222 3333'") == ["blocked +15552223333 for all pages"]
    assert [line.split()[:3] for line in said("blocked list")] == [
        ["number", "page", "of"], ["+15552223333", "all", "operator"], ["5552223333", "001*002", "operator"],
    ]  # fmt: skip
    assert len(said("blocked list --text 5552223333")) == 3
    assert said("blocked remove +15552223333") == ["+15552223333 may be called again"]
    assert typed("blocked remove +15552223333").exit_code == 1
    assert typed("blocked add nobody").exit_code == 1
