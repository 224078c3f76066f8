"""`ringback public-caller-id`: what an operator types and reads; the call itself is in tests/acceptance."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from b2bua.cli.main import app
from b2bua.plan.apply import apply, parse
from store import tables
from store.database import transact
from store.directory import load
from tests.webform.api import PLAN, leave_spoken

URL = "sqlite:///ringback.db"
OWN = 'public_number = "5555550000"\n'
WITH_NUMBER = PLAN.replace(OWN, f'{OWN}caller_id = {{ number_by = "user", number = "5551234567" }}\n')


def applied(plan: str) -> list[str]:
    """`ringback apply`."""
    return transact(URL, lambda conn: apply(conn, parse(plan, "plan.toml"), 0.0, "http://x", lambda: "0" * 16))


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's default database, in a folder of its own, with a number that is not proven."""
    monkeypatch.chdir(tmp_path)
    applied(WITH_NUMBER)
    transact(URL, partial(leave_spoken, "001*002", "407216", time.time()))


def typed(*words: str, keys: str = "") -> Result:
    return CliRunner().invoke(app, ["public-caller-id", *words], input=keys)


def approved() -> bool:
    extension = transact(URL, load).extension("001*002")
    assert extension is not None
    return extension.caller_id.approved


@pytest.mark.parametrize(("words", "keys"), [(["407216"], ""), ([], "407216\n")], ids=["said", "asked for"])
def test_the_code_is_confirmed(words: list[str], keys: str) -> None:
    done = typed("confirm", "001002", *words, keys=keys)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "5551234567 is approved"), done
    assert approved()


def test_the_same_file_again_leaves_it_approved_and_another_number_does_not() -> None:
    assert typed("confirm", "001*002", "407216").exit_code == 0
    applied(WITH_NUMBER)
    assert approved()
    applied(WITH_NUMBER.replace("5551234567", "5557654321"))
    assert not approved()
    assert "No code of 5557654321 counts now" in typed("confirm", "001*002", "407216").stderr
    applied(WITH_NUMBER)
    assert not approved(), "who takes the number up again proves it again"


def test_an_extension_is_removed_with_its_code() -> None:
    gone = WITH_NUMBER.replace('number = "001*002"', 'number = "001*003"').replace(
        'extension = "001*002"', 'extension = "001*003"',
    )  # fmt: skip
    assert "removed   extension 001*002" in applied(gone)
    assert transact(URL, lambda conn: conn.execute(tables.codes.select()).all()) == []


def test_another_code_is_refused_with_a_sentence() -> None:
    done = typed("confirm", "001*002", "111111")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "ringback: code: this is not the code that was spoken; tries left: 2.\n"
    assert not approved()


def test_a_call_needs_a_running_server() -> None:
    done = typed("call", "001*002")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("ringback: no server runs on this database: ")
