"""The table of settings."""

from __future__ import annotations

from tests.settings import accounts, callbacks, extensions, later, numbers, pages, prices, trunks
from tests.settings.row import Row

__all__ = ["TABLE"]

KINDS = (accounts, extensions, pages, later, callbacks, prices, numbers, trunks)
TABLE: list[Row] = [row for kind in KINDS for row in kind.ROWS]
