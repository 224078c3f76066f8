"""`ringback link`: what an operator types, reads and is refused (SPEC A12.7)."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from b2bua.cli.main import app
from b2bua.plan.apply import apply as apply_plan
from b2bua.plan.apply import parse
from store.database import transact
from store.links import keys
from tests.plans import fixture

URL = "sqlite:///ringback.db"


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's default database, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    transact(URL, lambda conn: apply_plan(conn, parse(fixture(), "plan.toml"), 0.0, "http://x", lambda: "0" * 16))


def typed(line: str) -> Result:
    return CliRunner().invoke(app, ["link", *shlex.split(line)])


def test_a_link_is_made_listed_and_revoked() -> None:
    done = typed("make '001*002' --number '555 123 4567' --name Mary --label 'offer 1' --uses 3 --hours 24")
    assert done.exit_code == 0, done.output
    token = re.fullmatch(r"http://127\.0\.0\.1:8080/callnow/john_doe\?link=([\w-]{32})\n", done.stdout)
    assert token is not None, done.stdout
    step, kept, warning = done.stderr.splitlines()
    assert step == f"one step: http://127.0.0.1:8080/callnow/index.php?call=john_doe&link={token[1]}&now=1"
    assert "WARNING" in warning
    assert "Worst case 0.36 USD (3 calls of 3600 s to 5551234567)" in warning
    link_id = kept.split()[1].rstrip(",")
    table = typed("list 001002").stdout
    assert token[1] not in table
    _, row = (re.split(r"  +", line) for line in table.splitlines())
    assert (row[:4], row[5:]) == ([link_id, "open", "3", "3"], ["never", "5551234567", "Mary", "offer 1"])
    assert typed(f"revoke '001*002' {link_id}").stdout == f"revoked {link_id}\n"
    assert "revoked" in typed("list '001*002' --text offer").stdout
    assert link_id not in typed("list '001*002' --usable").stdout


def test_a_link_without_a_number_shows_where_it_goes() -> None:
    done = typed("make '001*002' --base-url https://call.example.org")
    assert done.stdout.startswith("https://call.example.org/callnow/john_doe?link=")
    assert done.stderr.splitlines()[0].endswith("&myname=NAME&phone=NUMBER")


@pytest.mark.parametrize(("line", "sentence"), [
    ("make '001*009'", "ringback: There is no extension 001*009."),
    ("make '001*900'", "ringback: 001*900 has no CallNow page now."),
    ("make '001*002' --number 112", "ringback: This number cannot be called from here."),
    ("make '001*002' --uses 0", "ringback: uses: expected 1 to 100000."),
    ("revoke '001*002' 000000000000", "ringback: 001*002 has no link 000000000000."),
])
def test_what_cannot_be_done_is_one_sentence(line: str, sentence: str) -> None:
    done = typed(line)
    assert (done.exit_code, done.stderr.strip(), done.stdout) == (1, sentence, "")


def test_the_key_is_rotated_and_never_shown() -> None:
    said = [typed("make '001*002'").output, typed("rotate --keep").output, typed("rotate").output]
    assert [line.rpartition("; ")[2] for line in said[1:]] == ["ended: 0\n", "ended: 1\n"]
    assert "key-rotated" in typed("list '001*002'").stdout
    secrets = transact(URL, keys)
    assert [bool(secret) for secret in secrets.values()] == [False, False, True]
    assert not any(secret.hex() in "".join(said) for secret in secrets.values() if secret)
