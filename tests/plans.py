"""Configurations that flow tests share: the fixture of SPEC part B at the addresses of tests.world."""

from __future__ import annotations

from pathlib import Path

__all__ = ["fixture"]

_FIXTURE = (Path(__file__).parent / "fixture.toml").read_text().replace('password = "4321"\n', "")
"""Without the password of CB, which each world would hash anew; a test that needs one says so."""


def fixture(*changes: tuple[str, str]) -> str:
    """The fixture for the in-memory network, with replacements; one that changes nothing is a mistake."""
    text = _FIXTURE
    for last, address in (("2", "192.0.2.21"), ("3", "192.0.2.22"), ("4", "192.0.2.23")):
        text = text.replace(f'host = "127.0.0.{last}"', f'host = "{address}"')
    for old, new in changes:
        assert old in text, f"{old!r} is not in the fixture"
        text = text.replace(old, new, 1)
    return text
