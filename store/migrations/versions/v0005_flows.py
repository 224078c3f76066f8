"""Registrations: the flow of each (RFC 5626), of which one contact may have several, and the phone's own address."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """A primary key is not changed in SQLite: the rows move to another table."""
    old = op.f("bindings_before_0005")
    op.rename_table("bindings", old)
    op.create_table("bindings",
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("contact", sa.String(length=512), nullable=False),
        sa.Column("received", sa.String(length=128), server_default="", nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("call_id", sa.String(length=255), server_default="", nullable=False),
        sa.Column("cseq", sa.Integer(), nullable=False),
        sa.Column("user_agent", sa.String(length=255), server_default="", nullable=False),
        sa.Column("path", sa.String(length=1024), server_default="", nullable=False),
        sa.Column("instance", sa.String(length=255), server_default="", nullable=False),
        sa.Column("reg_id", sa.Integer(), server_default="0", nullable=False),
        sa.Column("seen_ip", sa.String(length=64), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("number", "contact", "reg_id", name=op.f("pk_bindings_flows")),
    )
    columns = "number, contact, received, expires, call_id, cseq, user_agent, path"
    op.execute(f"INSERT INTO bindings ({columns}) SELECT {columns} FROM {old}")
    op.drop_table(old)
