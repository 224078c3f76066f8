"""Each setting changes by `apply` on the running server, holds for the next call, and after a restart."""

from __future__ import annotations

import pytest

from tests.settings import accounts, callbacks, extensions, later, numbers, pages, prices, trunks
from tests.settings.known import SETTINGS
from tests.settings.row import Row, seen

KINDS = (accounts, extensions, pages, later, callbacks, prices, numbers, trunks)
TABLE: list[Row] = [row for kind in KINDS for row in kind.ROWS]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.place)
def test_a_setting_holds_for_the_next_call_and_after_a_restart(row: Row) -> None:
    before, after = row.seen
    assert seen(row) == [before, after, after]


def test_every_setting_has_a_row() -> None:
    """A new key of the file is proved here too: docs/testing.md says how."""
    assert sorted(SETTINGS.keys() - {row.setting for row in TABLE}) == []
    assert sorted({row.setting for row in TABLE} - SETTINGS.keys()) == []
