"""tshark as an independent reader of captures."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["dissect", "needs_tshark"]

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")


def dissect(path: Path, *fields: str, options: tuple[str, ...] = ()) -> list[list[str]]:
    """These fields of every packet."""
    shown = [word for name in fields for word in ("-e", name)]
    words = ["tshark", "-n", "-r", str(path), *options, "-T", "fields", *shown]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout
    return [line.split("\t") for line in said.splitlines()]
