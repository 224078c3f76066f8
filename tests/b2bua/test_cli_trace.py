"""`ringback ladder`, `pcap` and `sip-trace` without a server: what the database kept, and the sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from b2bua.cli.main import app
from b2bua.cli.trace import shown
from b2bua.control import TraceLine
from b2bua.desk import Holder, LadderRow
from b2bua.trace.call_ladder import kept_ladder
from b2bua.trace.pcap import FILE
from store import journal
from store.database import transact
from store.values import Micros
from tests.webform.api import filled_plan

BYE = "BYE sip:b@192.0.2.9 SIP/2.0\r\nCall-ID: 1@h\r\n\r\n"
OK = "SIP/2.0 200 \x1b[31mOK"
ROWS = [
    LadderRow(0, 0.0, "sip", 0, 1, "BYE", BYE, "UDP", "192.0.2.1:5070", "192.0.2.9:5060"),
    LadderRow(1, 1.5, "sip", 1, 0, "200 \x1b[31mOK", OK, "UDP", "192.0.2.9:5060", "192.0.2.1:5070"),
    LadderRow(2, 2.0, "event", 1, 1, "ended: talked"),
]


@pytest.fixture
def database(tmp_path: Path) -> str:
    """One kept ladder, of a call of account 1."""
    url = f"sqlite:///{tmp_path}/ringback.db"
    transact(url, filled_plan)
    call = journal.CallRecord("c1", "callback", 1, 0.0, "001*900", "1", "2", 50.0, "talked", 1000, Micros(0), "USD")
    transact(url, lambda conn: journal.write_call(conn, call, []))
    transact(url, lambda conn: journal.write_ladder(conn, "c1", 1000.5, ROWS))
    transact(url, lambda conn: journal.write_ladder(conn, "c2", 0.0, ROWS))
    transact(url, lambda conn: journal.open_request(
        conn, journal.RequestRecord("t", 0.0, "", "002*900", call_id="c2", kind="callback"),
    ))  # fmt: skip
    return url


def typed(database: str, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--database", database])


def test_a_kept_ladder_is_printed_and_moves_no_cursor(database: str) -> None:
    done = typed(database, "ladder", "c1")
    assert done.exit_code == 0
    heading, bye, answer, end = done.stdout.splitlines()
    assert heading.split() == ["s", "Extension", "Ringback", "PSTN"]
    assert ("BYE" in bye, "200 \ufffd[31mOK" in answer, "ended: talked" in end) == (True, True, True)
    assert "        Call-ID: 1@h\n" in typed(database, "ladder", "c1", "--texts").stdout
    assert "\x1b" not in done.stdout


def test_its_messages_are_written_as_a_capture(database: str, tmp_path: Path) -> None:
    done = typed(database, "pcap", "c1", "--out", str(tmp_path / "c1.pcap"))
    assert (done.exit_code, done.stderr) == (0, "1 messages are left out: only their first line was kept\n")
    data = (tmp_path / "c1.pcap").read_bytes()
    assert data.startswith(FILE)
    assert data.endswith(BYE.encode())
    assert int.from_bytes(data[24:28], "little") == 1000
    assert CliRunner().invoke(app, ["pcap", "c1", "--out", "-", "--database", database]).stdout_bytes == data


@pytest.mark.parametrize(("words", "sentence"), [
    pytest.param(("ladder", "c9"), "ringback: No ladder of this call is kept.\n", id="no such call"),
    pytest.param(("pcap", "c9", "--out", "x"), "ringback: No ladder of this call is kept.\n", id="nothing to write"),
    pytest.param(("pcap", "c1", "--out", "/nowhere/x"), "/nowhere/x: No such file or directory\n", id="nowhere"),
    pytest.param(("sip-trace",), "/ringback.db.sock: No such file or directory\n", id="no server"),
    pytest.param(("sip-trace", "--ip", "host"), "--ip: 'host' does not appear to be an IPv4 or IPv6 address\n",
                 id="a name for an address"),
])  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(words: tuple[str, ...], sentence: str, database: str) -> None:
    done = typed(database, *words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("ringback: ")
    assert done.stderr.endswith(sentence)


@pytest.mark.parametrize(("account", "seen"), [(None, ["c1", "c2"]), (1, ["c1"]), (2, ["c2"]), (3, [])])
def test_an_account_sees_the_ladders_of_its_own_extensions(account: int | None, seen: list[str], database: str) -> None:
    who = Holder("h", account)
    assert [i for i in ("c1", "c2", "c9") if transact(database, lambda conn, i=i: kept_ladder(conn, who, i))] == seen


def test_how_a_message_is_shown() -> None:
    line = TraceLine(0.0, True, "UDP", "192.0.2.9:5060", "192.0.2.1:5070", "c1", BYE + "\x1b]0;title\x07", 3)
    missed, head, first, rest = shown(line, colours=False)
    assert missed == "... 3 messages left out: the terminal is too slow"
    assert head.endswith(" UDP 192.0.2.1:5070 -> 192.0.2.9:5060 call c1")
    assert (first, rest) == ("BYE sip:b@192.0.2.9 SIP/2.0", "Call-ID: 1@h\n\n\ufffd]0;title\ufffd")
    _, head, first, _ = shown(line, colours=True)
    assert (head[:4], first[:5]) == ("\x1b[2m", "\x1b[32m")
