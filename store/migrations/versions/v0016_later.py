"""CallNow requests that wait for their time, and what pages say about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_SETTINGS = {
    "later_s": 900, "slot_min": 0, "slot_days": 7, "most_waiting": 20, "grace_s": 900, "tries": 0, "try_after_s": 600,
    "quarantine_after": 0, "quarantine_s": 86400,
}  # fmt: skip


def upgrade() -> None:
    """Nothing waits yet, and no page offers times."""
    for name, default in _SETTINGS.items():
        op.add_column("callnow", sa.Column(name, sa.Integer(), server_default=str(default), nullable=False))
    op.add_column("requests", sa.Column("due", sa.Double(), nullable=True))
    op.add_column("requests", sa.Column("tries", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_requests_due", "requests", ["due"])
