# ruff: noqa: INP001 - Alembic loads it by path; as a module of a package it must not be importable
"""What reviewers decided about pairs of rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DIGEST = sa.String(64)


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "review_decision",
        *_pair(),
        *_decision(),
        sa.PrimaryKeyConstraint("seq", name="pk_review_decision"),
        sa.ForeignKeyConstraint(["tenant", "run_id"], ["run.tenant", "run.run_id"], name="fk_review_decision_run"),
        sa.CheckConstraint("ruling in ('accepted', 'rejected', 'undone')", name=op.f("ck_review_decision_ruling")),
        comment="What reviewers decided about pairs of rows. Rows are only added; the latest about a pair counts.",
    )
    op.create_index("ix_review_decision_tenant_book_leg_seq", "review_decision", ["tenant", "book", "leg", "seq"])


def _pair() -> list[sa.Column[object]]:
    return [
        sa.Column("seq", _SEQUENCE, nullable=False, autoincrement=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("leg", sa.Text(), nullable=False),
        sa.Column("ours_content", _DIGEST, nullable=False, comment="digest of what the row of ours says"),
        sa.Column("ours_copy", sa.Integer(), nullable=False, comment="from 1, which of the rows that say the same"),
        sa.Column("theirs_content", _DIGEST, nullable=False),
        sa.Column("theirs_copy", sa.Integer(), nullable=False),
    ]


def _decision() -> list[sa.Column[object]]:
    return [
        sa.Column("ruling", sa.String(8), nullable=False),
        sa.Column("decided_us", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("run_id", _DIGEST, nullable=False, comment="in which the reviewer saw the pair"),
        sa.Column("ours_row", sa.BigInteger(), nullable=False, comment="row number in that run"),
        sa.Column("theirs_row", sa.BigInteger(), nullable=False),
        sa.Column("ours_told", sa.Text(), nullable=False, comment="what the row says, for people"),
        sa.Column("theirs_told", sa.Text(), nullable=False),
    ]
