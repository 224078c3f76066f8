"""Extensions may be forbidden to transfer calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Whoever is there may, as a new extension may."""
    op.add_column("extensions", sa.Column("transfer", sa.Boolean(), server_default="1", nullable=False))
