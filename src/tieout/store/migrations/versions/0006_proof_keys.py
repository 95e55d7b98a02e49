# ruff: noqa: INP001 - Alembic loads it by path; as a module of a package it must not be importable
"""The keys with which tenants sign what they seal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tieout.store.guards import keep_tenants_apart

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

APART = ("proofs_key",)


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "proofs_key",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column(
            "number",
            sa.Integer(),
            nullable=False,
            comment="from 1 in each tenant; the one that is neither retired nor revoked signs",
        ),
        sa.Column("public_key", sa.String(length=64), nullable=False, comment="Ed25519, in hex"),
        sa.Column("sealed", sa.Text(), nullable=True, comment="the private key, encrypted; null once it was revoked"),
        sa.Column(
            "statement",
            sa.Text(),
            nullable=False,
            comment="a signed note of what the key is, by itself and the key before",
        ),
        sa.Column("made_us", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("retired_us", sa.BigInteger(), nullable=True, comment="from when on it only verifies"),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True, comment="from when on nothing that it signed holds"),
        sa.Column("revoked_why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "number", name=op.f("pk_proofs_key")),
        comment="Keys that sign checkpoints. No row is deleted: who holds an old checkpoint asks for them.",
    )
    for table in APART:
        keep_tenants_apart(op.get_bind(), table)
