"""Fuzz by coverage, for as long as you like: `python -m scripts.fuzz NAME [SECONDS]` (needs `pip install atheris`).

NAME is one of the properties of tests/fuzz. It ends at the first finding, which is a row for tests/fuzz/found.py.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from random import Random

PROPERTIES = {
    "core": "test_core.test_whatever_comes_no_exception_every_request_answered_and_nothing_left",
    "exchange": "test_exchange.test_whatever_is_said_the_server_goes_on_and_the_books_balance",
    "headers": "test_parsers.test_every_header_is_read_or_refused",
    "stream": "test_parsers.test_a_stream_is_cut_into_messages_or_given_up",
    "sdp": "test_parsers.test_a_session_description_is_read_or_refused",
    "digest": "test_parsers.test_a_digest_is_read_or_refused",
    "rtp": "test_parsers.test_rtp_and_its_keys_are_read_or_ignored",
    "rtcp": "test_parsers.test_rtcp_is_read_or_ignored",
}


def target(name: str) -> Callable[[bytes], object]:
    """What takes bytes and raises where a property is broken: hypothesis reads its choices from them."""
    module, _, test = PROPERTIES[name].partition(".")
    found: Callable[[bytes], object] = getattr(import_module(f"tests.fuzz.{module}"), test).hypothesis.fuzz_one_input
    return found


def main() -> int:
    """Run atheris; its own exit status."""
    if len(sys.argv) < 2 or sys.argv[1] not in PROPERTIES:
        print(f"{__doc__}\n{chr(10).join(PROPERTIES)}")
        return 2
    import atheris

    with atheris.instrument_imports(include=["sip_stack", "media", "b2bua"]):
        test = target(sys.argv[1])
    seconds = sys.argv[2] if len(sys.argv) > 2 else "600"
    corpus = Path(tempfile.mkdtemp(prefix="ringback-fuzz-"))
    for n in range(64):  # hypothesis needs many bytes for one message: nothing grows from an empty file
        (corpus / str(n)).write_bytes(Random(n).randbytes(4096))
    limits = [f"-max_total_time={seconds}", "-max_len=8192", "-len_control=0", f"-artifact_prefix={corpus}/"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], test)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
