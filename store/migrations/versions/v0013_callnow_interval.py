"""CallNow pages that are open at some hours only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """The pages that are there are open anytime."""
    op.add_column("callnow", sa.Column("interval", sa.String(length=255), server_default="", nullable=False))
