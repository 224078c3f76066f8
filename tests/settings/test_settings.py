"""Each setting changes by `apply` on the running server, holds for the next call, and after a restart."""

from __future__ import annotations

import pytest

from tests.settings.row import Row, seen
from tests.settings.table import TABLE


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.place)
def test_a_setting_holds_for_the_next_call_and_after_a_restart(row: Row) -> None:
    before, after = row.seen
    assert seen(row) == [before, after, after]
