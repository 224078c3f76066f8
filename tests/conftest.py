"""What every test shares: where skipping is not allowed, a skipped test with real peers is a failed one."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

pytest_plugins = ["tests.interop.table"]

_REAL = [Path(__file__).parent / folder for folder in ("acceptance", "interop", "peers")]


def _no_skip() -> bool:
    return os.environ.get("CI", "").lower() == "true" or os.environ.get("RINGBACK_NO_SKIP") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI nothing that proves the product on real sockets may be left out."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and _no_skip() and {*item.path.parents} & {*_REAL}:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report
