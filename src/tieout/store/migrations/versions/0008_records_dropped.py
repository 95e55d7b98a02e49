# ruff: noqa: INP001 - Alembic loads it by path; as a module of a package it must not be importable
"""Seals of which retention let go of the records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tieout.store.guards import keep_tenants_apart

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "proofs_records_dropped",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("first_leaf", sa.BigInteger(), nullable=False, comment="of the seal of a day"),
        sa.Column("dropped_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "book", "first_leaf"],
            ["proofs_daily_roots.tenant", "proofs_daily_roots.book", "proofs_daily_roots.first_leaf"],
            name=op.f("fk_proofs_records_dropped_proofs_daily_roots"),
        ),
        sa.PrimaryKeyConstraint("tenant", "book", "first_leaf", name=op.f("pk_proofs_records_dropped")),
        comment="Seals of which retention let go of the records. Their hashes stay in the log.",
    )
    keep_tenants_apart(op.get_bind(), "proofs_records_dropped")
