"""Reliable provisional answers and session timers, of trunks and of phones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add columns; rows that are there take the defaults."""
    for table in ("trunks", "extensions"):
        op.add_column(table, sa.Column("prack", sa.Boolean(), server_default="0", nullable=False))
        op.add_column(table, sa.Column("session_expires_s", sa.Integer(), server_default="1800", nullable=False))
        op.add_column(table, sa.Column("min_se_s", sa.Integer(), server_default="90", nullable=False))
