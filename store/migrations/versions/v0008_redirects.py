"""What the 3xx of an extension's phones may lead to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Nothing, as it was."""
    redirects = sa.Column("redirects", sa.String(length=16), server_default="refuse", nullable=False)
    op.add_column("extensions", redirects)
