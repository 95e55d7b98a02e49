"""The audit trail: who did what, from where, in a chain per tenant."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, String, Table, Text, UniqueConstraint

from tieout.store.tables.columns import DIGEST, ID, Instant, metadata, tenant_column

audit_events = Table(
    "audit_events",
    metadata,
    tenant_column(primary_key=True),
    Column("id", ID, primary_key=True),
    Column("seq", BigInteger, nullable=False, comment="from 1 in each tenant, without a gap"),
    Column("user_id", ID, comment="null where no user acted"),
    Column("actor", Text, nullable=False, comment="user:…, key:…, system:… or the account on the command line"),
    Column("module", String(64), nullable=False),
    Column("action", String(128), nullable=False),
    Column("entity_type", String(64), nullable=False),
    Column("entity_id", Text, nullable=False),
    Column("delta", JSON, nullable=False, comment="what was before and what is after"),
    Column("ip_address", Text),
    Column("user_agent", Text),
    Column("request_id", Text),
    Column("created_at", Instant, nullable=False, comment="microseconds since 1970-01-01 UTC"),
    Column("prev_hash", DIGEST, nullable=False, comment="hash of the event before it; 64 zeros for the first"),
    Column("hash", DIGEST, nullable=False, comment="SHA-256 of the event and prev_hash in canonical JSON"),
    UniqueConstraint("tenant", "seq"),
    Index("ix_audit_events_tenant_created_at", "tenant", "created_at", "seq"),
    Index("ix_audit_events_module_action_created_at", "module", "action", "created_at"),
    comment="What was done. Rows are only added; triggers refuse anything else.",
)

audit_heads = Table(
    "audit_heads",
    metadata,
    tenant_column(primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", DIGEST, nullable=False),
    comment="The end of each tenant's chain; the row that writers lock.",
)
