"""What reviewers decided."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from tieout.store.tables.columns import DIGEST, SEQUENCE, Instant, metadata, tenant_column

review_decision = Table(
    "review_decision",
    metadata,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    tenant_column(),
    Column("book", Text, nullable=False),
    Column("leg", Text, nullable=False),
    Column("ours_content", DIGEST, nullable=False, comment="digest of what the row of ours says"),
    Column("ours_copy", Integer, nullable=False, comment="from 1, which of the rows that say the same"),
    Column("theirs_content", DIGEST, nullable=False),
    Column("theirs_copy", Integer, nullable=False),
    Column("ruling", String(8), nullable=False),
    Column("decided_us", Instant, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("run_id", DIGEST, nullable=False, comment="in which the reviewer saw the pair"),
    Column("ours_row", BigInteger, nullable=False, comment="row number in that run"),
    Column("theirs_row", BigInteger, nullable=False),
    Column("ours_told", Text, nullable=False, comment="what the row says, for people"),
    Column("theirs_told", Text, nullable=False),
    ForeignKeyConstraint(["tenant", "run_id"], ["run.tenant", "run.run_id"]),
    CheckConstraint(text("ruling in ('accepted', 'rejected', 'undone')"), name="ruling"),
    Index("ix_review_decision_tenant_book_leg_seq", "tenant", "book", "leg", "seq"),
    comment="What reviewers decided about pairs of rows. Rows are only added; the latest about a pair counts.",
)
