"""Charging plans, time intervals, dated rates, free minutes, what calls cost us, and routes with weights."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add columns and tables; rows that are there keep what they did."""
    columns: dict[str, tuple[sa.Column[Any], ...]] = {
        "accounts": (_text("charging_plan"),),
        "trunks": (_text("rate_table"), sa.Column("failover", sa.JSON(), server_default="[]", nullable=False)),
        "routes": (_number("weight"), _text("interval")),
        "rates": (
            _text("interval"),
            sa.Column("valid_from", sa.Double(), server_default="0", nullable=False),
            sa.Column("valid_until", sa.Double(), nullable=True),
        ),
        "holds": (
            _number("free_s"), _text("free_period"), _text("trunk"), sa.Column("buy_rate", sa.JSON(), nullable=True),
        ),
        "calls": (sa.Column("buy", sa.BigInteger(), nullable=True),),
        "call_legs": (sa.Column("buy", sa.BigInteger(), nullable=True),),
    }
    for table, added in columns.items():
        for column in added:
            op.add_column(table, column)
    op.create_index(op.f("ix_holds_account_id_free_period"), "holds", ["account_id", "free_period"])
    _wider("routes", ("prefix", "trunk_id"), "interval")
    _wider("rates", ("rate_table", "prefix"), "interval", "valid_from")
    _tables()


def _wider(table: str, unique: tuple[str, ...], *more: str) -> None:
    """One more column tells two rows apart."""
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(op.f(f"uq_{table}_{'_'.join(unique)}"), type_="unique")
        batch.create_unique_constraint(op.f(f"uq_{table}_{'_'.join((*unique, *more))}"), [*unique, *more])


def _tables() -> None:
    op.create_table("charging_plans",
        sa.Column("id", RowId, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        _text("method", 16), _text("rate_table"), _micros("factor"), _micros("adjustment"),
        sa.Column("free_minutes", sa.Integer(), nullable=False),
        sa.Column("free_prefixes", sa.JSON(), nullable=False),
        _text("free_period", 16), _text("zone", 64), _micros("monthly_fee"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charging_plans")),
        sa.UniqueConstraint("name", name=op.f("uq_charging_plans_name")),
    )
    op.create_table("intervals",
        sa.Column("id", RowId, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("account_id", RowId, nullable=True),
        _text("zone", 64), _text("algorithm", 16),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("without", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_intervals_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intervals")),
    )


def _text(name: str, length: int = 255) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), server_default="", nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False)


def _micros(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
