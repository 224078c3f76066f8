"""The first tables, and the triggers that keep the ledger append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create everything."""
    _tables()
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER ledger_no_{verb.lower()} BEFORE {verb} ON ledger "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )


def _tables() -> None:
    op.create_table("accounts",
        sa.Column("id", RowId, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("parent_id", RowId, nullable=True),
        sa.Column("currency", sa.String(length=3), server_default="", nullable=False),
        sa.Column("plan", sa.String(length=16), server_default="", nullable=False),
        sa.Column("call_api", sa.Boolean(), nullable=False),
        sa.Column("credit_limit", sa.BigInteger(), nullable=True),
        sa.Column("dial_plan", sa.JSON(), nullable=False),
        sa.Column("rate_table", sa.String(length=255), server_default="", nullable=False),
        sa.Column("balance", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("held", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("plan <> 'prepaid' OR balance >= held", name=op.f("ck_accounts_prepaid_never_negative")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_accounts_held_not_negative")),
        sa.ForeignKeyConstraint(["parent_id"], ["accounts.id"], name=op.f("fk_accounts_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name"))
    )
    op.create_table("bindings",
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("contact", sa.String(length=512), nullable=False),
        sa.Column("received", sa.String(length=128), server_default="", nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("call_id", sa.String(length=255), server_default="", nullable=False),
        sa.Column("cseq", sa.Integer(), nullable=False),
        sa.Column("user_agent", sa.String(length=255), server_default="", nullable=False),
        sa.Column("path", sa.String(length=1024), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("number", "contact", name=op.f("pk_bindings"))
    )
    op.create_table("call_legs",
        sa.Column("id", RowId, nullable=False),
        sa.Column("call_id", sa.String(length=255), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("direction", sa.String(length=8), server_default="", nullable=False),
        sa.Column("from_", sa.String(length=64), server_default="", nullable=False),
        sa.Column("to", sa.String(length=64), server_default="", nullable=False),
        sa.Column("party", sa.String(length=255), server_default="", nullable=False),
        sa.Column("invited", sa.Double(), nullable=False),
        sa.Column("answered", sa.Double(), nullable=True),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(length=255), server_default="", nullable=False),
        sa.Column("talk_ms", sa.Integer(), nullable=False),
        sa.Column("cost", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_legs"))
    )
    op.create_index(op.f("ix_call_legs_call_id"), "call_legs", ["call_id"], unique=False)
    op.create_table("meta",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta"))
    )
    op.create_table("rates",
        sa.Column("id", RowId, nullable=False),
        sa.Column("rate_table", sa.String(length=255), nullable=False),
        sa.Column("prefix", sa.String(length=32), nullable=False),
        sa.Column("description", sa.String(length=255), server_default="", nullable=False),
        sa.Column("connection_fee", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("first_interval_s", sa.Integer(), nullable=False),
        sa.Column("first_cost", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("increment_s", sa.Integer(), nullable=False),
        sa.Column("increment_cost", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("minimum", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("maximum", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rates")),
        sa.UniqueConstraint("rate_table", "prefix", name=op.f("uq_rates_rate_table_prefix"))
    )
    op.create_table("requests",
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("page_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("extension", sa.String(length=32), server_default="", nullable=False),
        sa.Column("name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("number", sa.String(length=64), server_default="", nullable=False),
        sa.Column("ip", sa.String(length=64), server_default="", nullable=False),
        sa.Column("reason", sa.String(length=64), server_default="", nullable=False),
        sa.Column("call_id", sa.String(length=255), server_default="", nullable=False),
        sa.Column("cost", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_requests"))
    )
    op.create_index(op.f("ix_requests_number"), "requests", ["number"], unique=False)
    op.create_index(op.f("ix_requests_page_id_at"), "requests", ["page_id", "at"], unique=False)
    op.create_table("trunks",
        sa.Column("id", RowId, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("host", sa.String(length=255), server_default="", nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("user", sa.String(length=255), server_default="", nullable=False),
        sa.Column("password", sa.String(length=255), server_default="", nullable=False),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("number_format", sa.String(length=16), server_default="", nullable=False),
        sa.Column("country", sa.String(length=2), server_default="", nullable=False),
        sa.Column("codecs", sa.JSON(), nullable=False),
        sa.Column("ring_s", sa.Integer(), nullable=False),
        sa.Column("media", sa.String(length=16), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trunks")),
        sa.UniqueConstraint("name", name=op.f("uq_trunks_name"))
    )
    op.create_table("calls",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), server_default="", nullable=False),
        sa.Column("account_id", RowId, nullable=True),
        sa.Column("extension", sa.String(length=32), server_default="", nullable=False),
        sa.Column("from_", sa.String(length=64), server_default="", nullable=False),
        sa.Column("to", sa.String(length=64), server_default="", nullable=False),
        sa.Column("started", sa.Double(), nullable=False),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.Column("reason", sa.String(length=64), server_default="", nullable=False),
        sa.Column("talk_ms", sa.Integer(), nullable=False),
        sa.Column("cost", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("currency", sa.String(length=3), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_calls_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls"))
    )
    op.create_index(op.f("ix_calls_from_"), "calls", ["from_"], unique=False)
    op.create_index(op.f("ix_calls_started"), "calls", ["started"], unique=False)
    op.create_index(op.f("ix_calls_to"), "calls", ["to"], unique=False)
    op.create_table("extensions",
        sa.Column("id", RowId, nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("account_id", RowId, nullable=False),
        sa.Column("kind", sa.String(length=16), server_default="", nullable=False),
        sa.Column("name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("public_number", sa.String(length=32), server_default="", nullable=False),
        sa.Column("ha1_md5", sa.String(length=32), server_default="", nullable=False),
        sa.Column("ha1_sha256", sa.String(length=64), server_default="", nullable=False),
        sa.Column("ring_s", sa.Integer(), nullable=False),
        sa.Column("confirm_s", sa.Integer(), nullable=False),
        sa.Column("caller_id", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_extensions_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extensions")),
        sa.UniqueConstraint("number", name=op.f("uq_extensions_number"))
    )
    op.create_table("holds",
        sa.Column("id", RowId, nullable=False),
        sa.Column("call_id", sa.String(length=255), nullable=False),
        sa.Column("leg", sa.String(length=32), nullable=False),
        sa.Column("account_id", RowId, nullable=False),
        sa.Column("extension", sa.String(length=32), server_default="", nullable=False),
        sa.Column("number", sa.String(length=32), server_default="", nullable=False),
        sa.Column("rate", sa.JSON(), nullable=False),
        sa.Column("amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("placed_at", sa.Double(), nullable=False),
        sa.Column("answered_at", sa.Double(), nullable=True),
        sa.Column("heartbeat_at", sa.Double(), nullable=True),
        sa.Column("settled_at", sa.Double(), nullable=True),
        sa.Column("charged", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_holds_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sa.UniqueConstraint("call_id", "leg", name=op.f("uq_holds_call_id_leg"))
    )
    op.create_index(op.f("ix_holds_settled_at"), "holds", ["settled_at"], unique=False)
    op.create_table("routes",
        sa.Column("id", RowId, nullable=False),
        sa.Column("prefix", sa.String(length=32), nullable=False),
        sa.Column("trunk_id", RowId, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["trunk_id"], ["trunks.id"], name=op.f("fk_routes_trunk_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routes")),
        sa.UniqueConstraint("prefix", "trunk_id", name=op.f("uq_routes_prefix_trunk_id"))
    )
    op.create_table("callnow",
        sa.Column("extension_id", RowId, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("page_id", sa.String(length=64), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("reject_while_on_phone", sa.Boolean(), nullable=False),
        sa.Column("confirm", sa.Boolean(), nullable=False),
        sa.Column("show_name", sa.Boolean(), nullable=False),
        sa.Column("ask_name", sa.Boolean(), nullable=False),
        sa.Column("image_validation", sa.Boolean(), nullable=False),
        sa.Column("language", sa.String(length=16), server_default="", nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("announce_to_visitor", sa.Boolean(), nullable=False),
        sa.Column("calls_a_day", sa.Integer(), nullable=False),
        sa.Column("longest_call_s", sa.Integer(), nullable=False),
        sa.Column("money_a_day", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["extension_id"], ["extensions.id"], name=op.f("fk_callnow_extension_id")),
        sa.PrimaryKeyConstraint("extension_id", name=op.f("pk_callnow")),
        sa.UniqueConstraint("page_id", name=op.f("uq_callnow_page_id"))
    )
    op.create_table("dids",
        sa.Column("id", RowId, nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("extension_id", RowId, nullable=False),
        sa.Column("trunk_id", RowId, nullable=True),
        sa.ForeignKeyConstraint(["extension_id"], ["extensions.id"], name=op.f("fk_dids_extension_id")),
        sa.ForeignKeyConstraint(["trunk_id"], ["trunks.id"], name=op.f("fk_dids_trunk_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dids")),
        sa.UniqueConstraint("number", name=op.f("uq_dids_number"))
    )
    op.create_table("ledger",
        sa.Column("id", RowId, nullable=False),
        sa.Column("account_id", RowId, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(length=16), server_default="", nullable=False),
        sa.Column("amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("asked", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("balance_after", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("hold_id", RowId, nullable=True),
        sa.Column("order_number", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_ledger_account_id")),
        sa.ForeignKeyConstraint(["hold_id"], ["holds.id"], name=op.f("fk_ledger_hold_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
        sa.UniqueConstraint("account_id", "order_number", name=op.f("uq_ledger_account_id_order_number")),
        sa.UniqueConstraint("hold_id", name=op.f("uq_ledger_hold_id"))
    )
    op.create_index(op.f("ix_ledger_account_id_at"), "ledger", ["account_id", "at"], unique=False)
