# ruff: noqa: INP001 - Alembic loads it by path; as a module of a package it must not be importable
"""The logs of proofs, and what was sealed in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tieout.store.guards import keep_tenants_apart

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

APART = ("proofs_log", "proofs_daily_roots", "proofs_monthly_digest")


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "proofs_log",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column(
            "origin", sa.Text(), nullable=False, comment="the name of the log in its checkpoints; it never changes"
        ),
        sa.Column("blinding", sa.Text(), nullable=False, comment="the secret that salts come from, sealed"),
        sa.Column("made_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "book", name=op.f("pk_proofs_log")),
        comment="The append-only log of a book; its leaves lie in the data folder.",
    )
    op.create_table(
        "proofs_daily_roots",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("first_leaf", sa.BigInteger(), nullable=False, comment="place in the log, from 0"),
        sa.Column("day", sa.String(length=10), nullable=False, comment="YYYY-MM-DD"),
        sa.Column("version", sa.Integer(), nullable=False, comment="from 1; the latest holds, the others stay"),
        sa.Column(
            "leaf_count",
            sa.BigInteger(),
            nullable=False,
            comment="without the last leaf, which says what the others are",
        ),
        sa.Column("merkle_root", sa.String(length=64), nullable=False, comment="of those leaves"),
        sa.Column(
            "sig", sa.Text(), nullable=False, comment="a signed note: origin, number of leaves and root of the day"
        ),
        sa.Column(
            "records_sha256",
            sa.String(length=64),
            nullable=False,
            comment="of the file that holds what the leaves say",
        ),
        sa.Column("counts", sa.JSON(), nullable=False, comment="leaves by kind"),
        sa.Column("published_at", sa.BigInteger(), nullable=False, comment="microseconds since 1970-01-01 UTC"),
        sa.ForeignKeyConstraint(
            ["tenant", "book"], ["proofs_log.tenant", "proofs_log.book"], name=op.f("fk_proofs_daily_roots_proofs_log")
        ),
        sa.PrimaryKeyConstraint("tenant", "book", "first_leaf", name=op.f("pk_proofs_daily_roots")),
        comment="The days of a log. A restatement adds a row and changes none.",
    )
    op.create_table(
        "proofs_monthly_digest",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="from 1; the latest holds, the others stay"),
        sa.Column("leaf", sa.BigInteger(), nullable=False, comment="place in the log of the leaf that says the digest"),
        sa.Column(
            "day_leaves", sa.JSON(), nullable=False, comment="places in the log of the leaves of the days, by date"
        ),
        sa.Column(
            "digest", sa.String(length=64), nullable=False, comment="the root over the leaves of the days, by date"
        ),
        sa.Column("sig", sa.Text(), nullable=False, comment="a signed note: origin, number of days and digest"),
        sa.Column(
            "records_sha256",
            sa.String(length=64),
            nullable=False,
            comment="of the file that holds what the leaves say",
        ),
        sa.Column("coverage_bp", sa.Integer(), nullable=False, comment="hundredths of a percent of the month's days"),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "book"],
            ["proofs_log.tenant", "proofs_log.book"],
            name=op.f("fk_proofs_monthly_digest_proofs_log"),
        ),
        sa.PrimaryKeyConstraint("tenant", "book", "month", "version", name=op.f("pk_proofs_monthly_digest")),
        comment="The months of a log. A restatement adds a row and changes none.",
    )
    for table in APART:
        keep_tenants_apart(op.get_bind(), table)
