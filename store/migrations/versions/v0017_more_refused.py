"""Records that stand for many refusals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Each record is of one request so far."""
    op.add_column("requests", sa.Column("more", sa.Integer(), server_default="0", nullable=False))
