"""The ads book: disputes with networks, and what people decided about pairs of its review queue."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from tieout.store.tables.columns import DIGEST, SEQUENCE, Instant, metadata, tenant_column

DISPUTE_STATUSES = ("draft", "submitted", "accepted", "rejected")

recon_disputes = Table(
    "recon_disputes",
    metadata,
    tenant_column(primary_key=True),
    Column("dispute_id", String(40), primary_key=True, comment="disp_MILLISECONDS_RANDOM"),
    Column("network", Text, nullable=False),
    Column("contact", Text, nullable=False),
    Column("delta_ids", JSON, nullable=False, comment="evidence ids of the deltas that it is about"),
    Column("amount_micros", BigInteger, nullable=False, comment="sum of the deltas; positive: the network owes us"),
    Column("network_micros", BigInteger, nullable=False, comment="how much of the amount is of this network's lines"),
    Column("currency", String(3), nullable=False),
    Column("status", String(12), nullable=False),
    Column("note", Text, comment="said with the last change of status"),
    Column("evidence_uri", Text, nullable=False),
    Column("kit_id", String(40), nullable=False),
    Column("kit_sha256", DIGEST, nullable=False, comment="of the stored kit, byte for byte"),
    Column("idempotency_key", Text),
    Column("created_us", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_us", Instant, nullable=False),
    Column("updated_by", Text, nullable=False),
    UniqueConstraint("tenant", "idempotency_key"),
    CheckConstraint(text("status in ('draft', 'submitted', 'accepted', 'rejected')"), name="status"),
    Index("ix_recon_disputes_tenant_created_us", "tenant", "created_us", "dispute_id"),
    comment="Disputes with ad networks, each with the kit of evidence that was stored for it.",
)

recon_review_decision = Table(
    "recon_review_decision",
    metadata,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    tenant_column(),
    Column("network", Text, nullable=False, comment="of the line, as its load names it"),
    Column("load_id", Text, nullable=False),
    Column("artifact_id", DIGEST, nullable=False, comment="the file as received"),
    Column("row_no", BigInteger, nullable=False, comment="of the line in the file; of a sum its first line"),
    Column("unit_id", Text, nullable=False, comment="the request or the sum of ours"),
    Column("ruling", String(8), nullable=False),
    Column("is_final", Boolean, nullable=False, comment="false while a second person has to agree"),
    Column("decided_us", Instant, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("run_id", DIGEST, nullable=False, comment="in which the pair was seen"),
    ForeignKeyConstraint(["tenant", "run_id"], ["run.tenant", "run.run_id"]),
    CheckConstraint(text("ruling in ('accepted', 'rejected', 'undone')"), name="ruling"),
    Index("ix_recon_review_decision_tenant_seq", "tenant", "seq"),
    comment="What people decided about pairs of the ads book. Rows are only added; the latest final one counts.",
)
