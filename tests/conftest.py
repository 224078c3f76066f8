"""What every test shares: where skipping is not allowed, a skipped test with real peers is a failed one."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.interop.table"]

settings.register_profile("usual", deadline=None)  # a test never measures time
settings.register_profile("full", settings.get_profile("usual"), max_examples=3000, print_blob=True)

_REAL = [Path(__file__).parent / folder for folder in ("acceptance", "interop", "peers")]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`./run test --full`."""
    parser.addoption("--full", action="store_true", help="also the tests marked `full`; each property 3000 times")


def pytest_configure(config: pytest.Config) -> None:
    """How often hypothesis looks."""
    settings.load_profile("full" if config.getoption("--full") else "usual")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long runs only where they are asked for; what is long then has an hour."""
    if config.getoption("--full"):
        for item in items:
            item.add_marker(pytest.mark.timeout(3600))
        return
    long = [item for item in items if item.get_closest_marker("full")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


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
