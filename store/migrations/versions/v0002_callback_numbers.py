"""Callback numbers: authorised CallerIDs with wallets, lock-outs, kept ladders, and API tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add columns to what is there, then the new tables."""
    _columns()
    _tables()


def _columns() -> None:
    added = {
        "accounts": (
            sa.Column("kind", sa.String(length=16), server_default="client", nullable=False),
            sa.Column("caller_quota", sa.Integer(), nullable=True),
        ),
        "extensions": (sa.Column("callback", sa.JSON(), server_default="{}", nullable=False),),
        "callnow": (
            sa.Column("highest_price_a_minute", sa.BigInteger(), nullable=True),
            sa.Column("allowed", sa.JSON(), server_default="[]", nullable=False),
            sa.Column("forbidden", sa.JSON(), server_default="[]", nullable=False),
        ),
        "trunks": (sa.Column("pai", sa.String(length=16), server_default="number", nullable=False),),
        "ledger": (sa.Column("left", sa.BigInteger(), nullable=True),),
        "requests": (
            sa.Column("kind", sa.String(length=16), server_default="callnow", nullable=False),
            sa.Column("trunk", sa.String(length=255), server_default="", nullable=False),
        ),
    }
    for table, columns in added.items():
        for column in columns:
            op.add_column(table, column)
    op.create_index(op.f("ix_requests_extension_at"), "requests", ["extension", "at"])
    op.create_index(op.f("ix_requests_call_id"), "requests", ["call_id"])
    op.create_index(op.f("ix_holds_extension_placed_at"), "holds", ["extension", "placed_at"])


def _tables() -> None:
    op.create_table("ladders",
        sa.Column("id", RowId, nullable=False),
        sa.Column("call_id", sa.String(length=255), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ladders")),
        sa.UniqueConstraint("call_id", name=op.f("uq_ladders_call_id")),
    )
    op.create_table("callers",
        sa.Column("id", RowId, nullable=False),
        sa.Column("extension_id", RowId, nullable=False),
        sa.Column("account_id", RowId, nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("pin_hash", sa.String(length=255), server_default="", nullable=False),
        sa.Column("language", sa.String(length=16), server_default="", nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["extension_id"], ["extensions.id"], name=op.f("fk_callers_extension_id")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_callers_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callers")),
        sa.UniqueConstraint("account_id", name=op.f("uq_callers_account_id")),
        sa.UniqueConstraint("extension_id", "number", name=op.f("uq_callers_extension_id_number")),
    )
    op.create_table("failures",
        sa.Column("id", RowId, nullable=False),
        sa.Column("extension_id", RowId, nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["extension_id"], ["extensions.id"], name=op.f("fk_failures_extension_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failures")),
    )
    op.create_index(op.f("ix_failures_extension_id_number_at"), "failures", ["extension_id", "number", "at"])
    op.create_table("tokens",
        sa.Column("id", RowId, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("account_id", RowId, nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("used", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_tokens_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("name", name=op.f("uq_tokens_name")),
        sa.UniqueConstraint("sha256", name=op.f("uq_tokens_sha256")),
    )
