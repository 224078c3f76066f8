"""A pytest plugin: what the interop tests proved becomes the tables of docs/interop.md.

A test says what it proved by the fixture `proven`; only what passed counts. When a run has proven every cell of the
matrix that is not declared impossible, the file is written; a shorter run leaves it alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["CANNOT", "COLUMNS", "PHONES", "REMARKS", "SERVERS", "missing", "page"]

PHONES = ("baresip", "PJSUA2", "linphonec", "pyVoIP", "aiosip", "SIPp")
COLUMNS = (
    "registers", "wrong password refused", "calls out", "is called", "sound both ways", "RFC 4733 sent",
    "RFC 4733 heard", "INFO sent", "hold, resume", "blind transfer", "attended transfer", "hangs up", "is hung up",
    "CANCEL sent", "CANCEL heard", "CANCEL crosses 200", "answers after 33 s", "called after our restart",
    "registers after our restart", "AT-01",
)
SERVERS = {
    "Kamailio": (
        "trunk: a call out through it, with Record-Route", "trunk: a call in through it",
        "trunk: its 503 sends the call to the next trunk", "edge proxy: a phone behind it registers",
        "edge proxy: a call out of a phone behind it", "edge proxy: a call to a phone behind it",
        "edge proxy with Path: a call to a phone behind it goes by its Path, sound both ways",
        "edge proxy with Path: a call out of a phone behind it",
        "edge proxy with Path: JsSIP on WebSocket behind it registers with Outbound",
        "edge proxy with Path: JsSIP on WebSocket behind it rings by its flow",
        "edge proxy with Path: a phone that is gone is offline at its 430",
    ),
    "JsSIP": (
        "WebSocket with TLS: registers with Outbound, OPTIONS, rings, is busy",
        "WebSocket with TLS: its connection is cut while it rings, and made again",
        "WebSocket: a wrong password, another subprotocol are refused",
    ),
    "sippy b2bua": (
        "trunk: a call out through it, sound both ways", "trunk: CANCEL through it",
        "trunk: a call out through it that comes in again, the calling side hangs up",
        "trunk: a call out through it that comes in again, the called side hangs up",
    ),
}
_PAGE = Path(__file__).parents[2] / "docs" / "interop.md"
_HEAD = """\
# Interop

Programs of others that `./run test` calls through Ringback, each in a process of its own, on real sockets. The tests
in [tests/interop](../tests/interop) write this page when all of them pass; do not edit it.

**Versions**: {versions}.

## Phones

Each registers as an extension, from an address of its own. The far end is SIPp as a trunk. Sound is measured at both
ends, keys by what arrives.

"""
_FOOT = """
## Proxies, other servers, and a phone of browsers

"""

CANNOT: dict[str, dict[str, str]] = {
    "baresip": {
        "INFO sent": "1.0.0 sends keys by RFC 4733 only",
        "attended transfer": "1.0.0 has no command for it",
    },
    "linphonec": {},
    "PJSUA2": {},
    "pyVoIP": {
        "RFC 4733 sent": "it sends no keys",
        "INFO sent": "it sends no keys",
        "hold, resume": "it has no re-INVITE",
        "blind transfer": "it has no REFER",
        "attended transfer": "it has no REFER",
        "CANCEL sent": "it cannot give up a call that rings",
        "AT-01": "it cannot press the key that confirms; without confirmation it passes",
    },
    "aiosip": {
        "is called": "it listens at the address that To names, which is the server's",
        "sound both ways": "it has no RTP",
        "RFC 4733 sent": "it has no RTP",
        "RFC 4733 heard": "it has no RTP",
        "INFO sent": "it counts CSeq for each method by itself",
        "hold, resume": "it has no re-INVITE",
        "blind transfer": "it has no REFER",
        "attended transfer": "it has no REFER",
        "CANCEL sent": "it has no CANCEL",
        **dict.fromkeys(
            ("CANCEL heard", "CANCEL crosses 200", "answers after 33 s", "called after our restart", "AT-01"),
            "it cannot be called",
        ),
    },
    "SIPp": {
        "INFO sent": "its phone scenarios press by RFC 4733; its trunk scenarios send INFO",
        "hold, resume": "its trunk scenarios do it",
    },
}
"""phone -> what it has no way to do, and why."""

REMARKS = {
    "pyVoIP": {
        "sound both ways": ("heard", "what it hears is measured; it is given nothing to say"),
        "CANCEL heard": ("yes", "it never says 487; where it answers 200 after all, it gets ACK and BYE"),
    },
    "aiosip": {"registers": ("yes", "after a challenge without qop, which the test hides from it")},
    "linphonec": {"hangs up": ("yes", "it sends a second BYE where the first comes right after an INFO")},
}
"""phone -> what it did in a way that needs a word."""

_cells: dict[tuple[str, str], str] = {}
"""(peer, what) -> version, in the process that writes the page."""


@pytest.fixture
def proven(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`proven("baresip", "1.0.0", "registers", …)`: what this test has shown, if it passes."""

    def say(peer: str, version: str, *what: str) -> None:
        known = COLUMNS if peer in PHONES else SERVERS[peer]
        assert set(what) <= set(known), what
        request.node.user_properties.extend(("interop", (peer, version, each)) for each in what)

    return say


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect, also from the workers of xdist."""
    if report.when == "call" and report.passed:
        for name, value in report.user_properties:
            if name == "interop" and isinstance(value, (list, tuple)):  # a list after its way through xdist
                _cells[value[0], value[2]] = value[1]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the page, once, when nothing is missing."""
    if not hasattr(session.config, "workerinput") and not missing(_cells):
        _PAGE.write_text(page(_cells))


def missing(cells: dict[tuple[str, str], str]) -> list[tuple[str, str]]:
    """What is neither proven nor declared impossible."""
    wanted = [(phone, column) for phone in PHONES for column in COLUMNS if column not in CANNOT[phone]]
    wanted += [(server, fact) for server, facts in SERVERS.items() for fact in facts]
    return [cell for cell in wanted if cell not in cells]


def page(cells: dict[tuple[str, str], str]) -> str:
    """The text of docs/interop.md."""
    versions = {peer: version for (peer, _), version in cells.items()}
    notes: list[str] = []
    rows = [["", *PHONES], ["---"] * (len(PHONES) + 1)]
    for column in COLUMNS:
        row = [column]
        for phone in PHONES:
            word, reason = REMARKS.get(phone, {}).get(column, ("yes", ""))
            if column in CANNOT[phone]:
                word, reason = "-", CANNOT[phone][column]
            if reason:
                note = f"{phone}: {reason}"
                notes += [note] * (note not in notes)
                word += f" ({notes.index(note) + 1})"
            row.append(word)
        rows.append(row)
    said = ", ".join(f"{peer} {versions[peer]}" for peer in (*PHONES, *SERVERS))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", *(f"{number}. {note}" for number, note in enumerate(notes, 1))]
    facts = [f"- {server}, {fact}" for server, each in SERVERS.items() for fact in each]
    return _HEAD.format(versions=said) + "\n".join(lines) + "\n" + _FOOT + "\n".join(facts) + "\n"
