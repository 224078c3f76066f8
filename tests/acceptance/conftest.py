"""The fixture `scene`, and what these tests need of the machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.acceptance.scene import Scene

_PROGRAMS = ("sipp", "baresip", "chromium", "tcpdump", "ip", "nft")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say once what is missing: raw sockets, captures and namespaces need root."""
    missing = [name for name in _PROGRAMS if not shutil.which(name)] + ["root"] * (os.geteuid() != 0)
    if missing:
        reason = f"needs {', '.join(missing)}"
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
async def scene(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """A scene whose server must be at rest after the test: nothing held, the books balanced."""
    failures = request.session.testsfailed
    async with AsyncExitStack() as stack:
        scene = Scene(tmp_path, stack)
        async with scene.wire:
            yield scene
            await stack.aclose()
            await scene.close(check=request.session.testsfailed == failures)
