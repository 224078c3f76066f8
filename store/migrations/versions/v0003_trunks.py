"""Trunks: registration, qualification, outbound proxy, number prefixes, more headers, caller's header and limits."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add columns; rows that are there keep what they did."""
    columns: tuple[sa.Column[Any], ...] = (
        _text("proxy", 255, ""),
        sa.Column("register", sa.Boolean(), server_default="0", nullable=False),
        _number("register_expires_s", 3600),
        _number("qualify_s", 0),
        _number("down_after", 3),
        _number("up_after", 2),
        _number("connect_s", 5),
        *(_text(name, 32, "") for name in ("out_strip", "out_prefix", "in_strip", "in_prefix")),
        sa.Column("headers", sa.JSON(), server_default="{}", nullable=False),
        _text("send_caller", 16, "from"),
        _text("read_caller", 16, "pai"),
        sa.Column("channels", sa.Integer(), nullable=True),
        sa.Column("calls_per_s", sa.Integer(), nullable=True),
    )
    for column in columns:
        op.add_column("trunks", column)


def _text(name: str, length: int, default: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), server_default=default, nullable=False)


def _number(name: str, default: int) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=str(default), nullable=False)
