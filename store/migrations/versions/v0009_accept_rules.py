"""CallNow: rules by number and name, and blocked numbers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """No page has rules yet, and no number is blocked."""
    op.add_column("callnow", sa.Column("rules", sa.JSON(), server_default="[]", nullable=False))
    row_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "blocked",
        sa.Column("id", row_id, nullable=False),
        sa.Column("extension_id", row_id, nullable=True),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=16), server_default="", nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["extension_id"], ["extensions.id"], name="fk_blocked_extension_id"),
        sa.PrimaryKeyConstraint("id", name="pk_blocked"),
    )
    op.create_index("ix_blocked_number", "blocked", ["number"])
