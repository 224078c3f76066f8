"""Trunks: transport, certificates, and requests that stay on UDP."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add columns; rows that are there keep what they did."""
    op.add_column("trunks", sa.Column("transport", sa.String(8), server_default="", nullable=False))
    op.add_column("trunks", sa.Column("stay_on_udp", sa.Boolean(), server_default="0", nullable=False))
    for name in ("tls_ca", "tls_certificate", "tls_key", "tls_client"):
        op.add_column("trunks", sa.Column(name, sa.String(255), server_default="", nullable=False))
