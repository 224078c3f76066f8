"""Signed links to CallNow pages, and the keys that sign them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """There are none yet; the first key is made with the first link."""
    row_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "link_keys",
        sa.Column("id", row_id, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("made", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_link_keys"),
    )
    op.create_table(
        "links",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("extension_id", row_id, nullable=False),
        sa.Column("key_id", row_id, nullable=False),
        sa.Column("number", sa.String(length=32), server_default="", nullable=False),
        sa.Column("name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("label", sa.String(length=255), server_default="", nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("made", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("last_used", sa.Double(), nullable=True),
        sa.Column("revoked", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["extension_id"], ["extensions.id"], name="fk_links_extension_id"),
        sa.ForeignKeyConstraint(["key_id"], ["link_keys.id"], name="fk_links_key_id"),
        sa.PrimaryKeyConstraint("id", name="pk_links"),
    )
    op.create_index("ix_links_extension_id_made", "links", ["extension_id", "made"])
    op.add_column("requests", sa.Column("link", sa.String(length=16), server_default="", nullable=False))
