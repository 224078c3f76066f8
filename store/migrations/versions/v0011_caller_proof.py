"""STIR: whether calls by a trunk are signed and verified, and what was found of a call's number."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add columns."""
    op.add_column("trunks", sa.Column("sign", sa.Boolean(), server_default="1", nullable=False))
    op.add_column("trunks", sa.Column("verify", sa.String(length=16), server_default="note", nullable=False))
    op.add_column("calls", sa.Column("verified", sa.String(length=32), server_default="", nullable=False))
