# ruff: noqa: INP001 - Alembic loads it by path; as a module of a package it must not be importable
"""Disputes of the ads book, decisions of its reviewers, and the order in which runs of a leg were published."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tieout.store.guards import keep_tenants_apart

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

APART = ("recon_disputes", "recon_review_decision")


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "recon_disputes",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("dispute_id", sa.String(length=40), nullable=False, comment="disp_MILLISECONDS_RANDOM"),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("delta_ids", sa.JSON(), nullable=False, comment="evidence ids of the deltas that it is about"),
        sa.Column(
            "amount_micros", sa.BigInteger(), nullable=False, comment="sum of the deltas; positive: the network owes us"
        ),
        sa.Column(
            "network_micros",
            sa.BigInteger(),
            nullable=False,
            comment="how much of the amount is of this network's lines",
        ),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("note", sa.Text(), nullable=True, comment="said with the last change of status"),
        sa.Column("evidence_uri", sa.Text(), nullable=False),
        sa.Column("kit_id", sa.String(length=40), nullable=False),
        sa.Column("kit_sha256", sa.String(length=64), nullable=False, comment="of the stored kit, byte for byte"),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "status in ('draft', 'submitted', 'accepted', 'rejected')", name=op.f("ck_recon_disputes_status")
        ),
        sa.PrimaryKeyConstraint("tenant", "dispute_id", name=op.f("pk_recon_disputes")),
        sa.UniqueConstraint("tenant", "idempotency_key", name=op.f("uq_recon_disputes_tenant_idempotency_key")),
        comment="Disputes with ad networks, each with the kit of evidence that was stored for it.",
    )
    op.create_index(
        "ix_recon_disputes_tenant_created_us", "recon_disputes", ["tenant", "created_us", "dispute_id"], unique=False
    )
    op.create_table(
        "recon_review_decision",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("network", sa.Text(), nullable=False, comment="of the line, as its load names it"),
        sa.Column("load_id", sa.Text(), nullable=False),
        sa.Column("artifact_id", sa.String(length=64), nullable=False, comment="the file as received"),
        sa.Column(
            "row_no", sa.BigInteger(), nullable=False, comment="of the line in the file; of a sum its first line"
        ),
        sa.Column("unit_id", sa.Text(), nullable=False, comment="the request or the sum of ours"),
        sa.Column("ruling", sa.String(length=8), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False, comment="false while a second person has to agree"),
        sa.Column("decided_us", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False, comment="in which the pair was seen"),
        sa.CheckConstraint(
            "ruling in ('accepted', 'rejected', 'undone')", name=op.f("ck_recon_review_decision_ruling")
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "run_id"], ["run.tenant", "run.run_id"], name=op.f("fk_recon_review_decision_run")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_recon_review_decision")),
        comment="What people decided about pairs of the ads book. Rows are only added; the latest final one counts.",
    )
    op.create_index("ix_recon_review_decision_tenant_seq", "recon_review_decision", ["tenant", "seq"], unique=False)
    op.create_index("ix_publication_tenant_book_leg_seq", "publication", ["tenant", "book", "leg", "seq"], unique=False)
    for table in APART:
        keep_tenants_apart(op.get_bind(), table)
