"""Codes that prove whose number it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """None was spoken yet."""
    row_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "codes",
        sa.Column("extension_id", row_id, nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("call_id", sa.String(length=255), nullable=False),
        sa.Column("code_hash", sa.String(length=255), server_default="", nullable=False),
        sa.Column("spoken_at", sa.Double(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["extension_id"], ["extensions.id"], name="fk_codes_extension_id"),
        sa.PrimaryKeyConstraint("extension_id", name="pk_codes"),
        sa.UniqueConstraint("call_id", name="uq_codes_call_id"),
    )
