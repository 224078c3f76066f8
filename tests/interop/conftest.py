"""The fixtures `scene` and `line`, and what these tests need of the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.acceptance.conftest import scene

__all__ = ["scene"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Captures and namespaces need root."""
    if os.geteuid() != 0:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="needs root"))
