"""docs/conformance.md: what comes of each torture message, and of calls on a bad wire; made by running them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sip_stack.core import Hop
from sip_stack.message import Request, Response
from tests.conformance.loss import KINDS, LOSSES, measure
from tests.sip_stack import test_torture, test_torture_ipv6
from tests.sip_stack.conftest import Wire

__all__ = ["PAGE", "conformance", "losses", "told", "write"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
LOSS_TRIES = 400
REMARKS = {
    "3.2.1": "leniency: the peer is treated as one of RFC 2543, and served",
    "3.3.4": "carried, not dialled",
    "3.3.11": "OPTIONS ends here; an INVITE that would go on gets 483",
    "3.4.1": "without magic cookie and To tag, as in 1999",
    "4.10": "leniency the RFC asks for: read, never written",
}
"""What is worth saying of a section."""


def conformance() -> str:
    """Everything between the first marks."""
    valid = [*_served(test_torture.VALID), *_responses(("3.1.1",))]
    invalid = [*_served(test_torture.INVALID), *_responses(("3.1.2",))]
    others = [*_served(test_torture.CONTEXT), *_responses(("3.3",))]
    ipv6 = list(_served(test_torture_ipv6.MESSAGES))
    good = sum(_is_served(answer) for _, _, answer in valid)
    bad = [answer for _, _, answer in invalid if answer != "ignored"]
    refused = sum(answer[:1] in "45" for answer in bad)
    return "\n".join([
        f"### RFC 4475, 3.1.1: valid messages, {good} of {len(valid)} served", "", *_table(valid), "",
        f"### RFC 4475, 3.1.2: invalid messages, {refused} of {len(bad)} requests refused", "", *_table(invalid), "",
        "### RFC 4475, 3.2 to 3.4", "", *_table(others), "", "### RFC 5118: IPv6", "", *_table(ipv6), "",
    ])  # fmt: skip


def _is_served(answer: str) -> bool:
    """Read, and answered for what it asks: an unknown method, a dialog that is not ours have answers of their own."""
    return answer in ("rings", "taken") or answer.startswith(("200", "405", "481", "501"))


def _table(rows: Iterable[tuple[str, str, str]]) -> list[str]:
    lines = [f"| {section} | {what} | {answer} | {REMARKS.get(section, '')} |" for section, what, answer in rows]
    return ["| section | message | answer | remark |", "|---|---|---|---|", *lines]


def _served(cases: Sequence[Any]) -> Iterable[tuple[str, str, str]]:
    """Section, what it is, and what comes of it."""
    for case in cases:
        section, _, what = str(case.id).partition(" ")
        yield section, what, told(case.values[0])


def told(data: bytes) -> str:
    """What a server says to a datagram."""
    wire = Wire()
    server = wire.agent("10.0.0.2")
    server.core.receive(data, Hop("UDP", "192.0.2.1", 5060))
    assert server.bugs == []
    if server.calls:
        return "rings"
    (answer,) = [message for message in wire.messages if isinstance(message, Response)]
    return f"{answer.status} {answer.reason}"


def _responses(sections: tuple[str, ...]) -> Iterable[tuple[str, str, str]]:
    """The same for responses to a request of ours."""
    (mark,) = [mark for mark in test_torture.test_4475_responses.pytestmark if mark.name == "parametrize"]
    for case in mark.args[1]:
        section, _, what = str(case.id).partition(" ")
        if section.startswith(sections):
            start, extra, _ = case.values
            yield section, what, "taken" if _taken(start, extra) else "ignored"


def _taken(start: str, extra: str) -> bool:
    wire = Wire()
    client = wire.agent("10.0.0.2")
    seen: list[Response | None] = []
    fields = {"From": ["<sip:a@h>;tag=1"], "To": ["<sip:b@h>"], "Call-ID": ["c"], "CSeq": ["1 OPTIONS"]}
    client.core.request(Request("OPTIONS", "sip:b@h", fields), Hop("UDP", "192.0.2.1", 5060), seen.append)
    more = [extra] if extra else []
    via = [] if "Via" in extra else [f"Via: {wire.messages[-1].get('Via')}"]
    client.core.receive(test_torture.basic(start, *more, *via), Hop("UDP", "192.0.2.1", 5060))
    return bool(seen)


def losses(tries: int = LOSS_TRIES) -> str:
    """Everything between the second marks; a minute of work."""
    rows = [measure(kind, loss, tries) for kind in KINDS for loss in LOSSES]
    lines = [
        f"| {each.kind} | {each.loss:.0%} | {each.tried} | {each.good} | {each.share:.2%} | {each.must:.1%} |"
        for each in rows
    ]
    return "\n".join(
        ["| what | loss each way | tried | succeeded | share | must |", "|---|--:|--:|--:|--:|--:|", *lines, ""]
    )


def between(text: str, what: str) -> str:
    """What stands between two marks of the page."""
    return text.split(f"<!-- {what} -->\n")[1].split(f"<!-- end of {what} -->")[0]


def write(*, loss: bool) -> None:
    """Put it into the page."""
    for what, made in (("torture", conformance), ("loss", losses))[: 1 + loss]:
        before, mark, rest = PAGE.read_text().partition(f"<!-- {what} -->\n")
        _, end, after = rest.partition(f"<!-- end of {what} -->")
        PAGE.write_text(f"{before}{mark}\n{made()}\n{end}{after}")
