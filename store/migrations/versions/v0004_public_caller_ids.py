"""Public numbers belong to an account and may ring nobody: CallerIDs of public calls are chosen among them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The numbers that are there belong to the account of the extension they ring."""
    with op.batch_alter_table("dids") as dids:
        dids.add_column(sa.Column("account_id", _ROW_ID, nullable=True))
        dids.alter_column("extension_id", existing_type=_ROW_ID, nullable=True)
    op.execute(
        "UPDATE dids SET account_id = (SELECT account_id FROM extensions WHERE extensions.id = dids.extension_id)"
    )
    with op.batch_alter_table("dids") as dids:
        dids.alter_column("account_id", existing_type=_ROW_ID, nullable=False)
        dids.create_foreign_key("fk_dids_account_id", "accounts", ["account_id"], ["id"])


_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
