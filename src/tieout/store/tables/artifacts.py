"""Received files, each content once."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, String, Table, Text

from tieout.store.tables.columns import DIGEST, SEQUENCE, Instant, metadata, tenant_column

data_folder = Table(
    "data_folder",
    metadata,
    Column("folder_id", String(32), primary_key=True),
    Column("first_used_us", Instant, nullable=False),
    comment="Data folders whose files this database lists; no other folder may be swept by it. Not of one tenant.",
)

artifact = Table(
    "artifact",
    metadata,
    tenant_column(primary_key=True),
    Column("artifact_id", DIGEST, primary_key=True, comment="SHA-256 of the content, hex"),
    Column("byte_count", BigInteger, nullable=False),
    Column("removed_us", Instant, comment="when the sweep removed the file; null while it is kept"),
    Index("ix_artifact_tenant_byte_count", "tenant", "byte_count"),
    comment="Each content that was received, once.",
)

receipt = Table(
    "receipt",
    metadata,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    tenant_column(),
    Column("artifact_id", DIGEST, nullable=False),
    Column("name", Text, nullable=False, comment="as the sender called it"),
    Column("byte_count", BigInteger, nullable=False),
    Column("received_us", Instant, nullable=False),
    Column("received_by", Text, nullable=False),
    ForeignKeyConstraint(["tenant", "artifact_id"], ["artifact.tenant", "artifact.artifact_id"]),
    Index("ix_receipt_tenant_artifact_id", "tenant", "artifact_id"),
    comment="Each time that a file was received.",
)
