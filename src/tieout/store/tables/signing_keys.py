"""The keys with which a tenant signs what it seals."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from tieout.store.tables.columns import DIGEST, Instant, metadata, tenant_column

proofs_key = Table(
    "proofs_key",
    metadata,
    tenant_column(primary_key=True),
    Column(
        "number",
        Integer,
        primary_key=True,
        comment="from 1 in each tenant; the one that is neither retired nor revoked signs",
    ),
    Column("public_key", DIGEST, nullable=False, comment="Ed25519, in hex"),
    Column("sealed", Text, comment="the private key, encrypted; null once it was revoked"),
    Column("statement", Text, nullable=False, comment="a signed note of what the key is, by itself and the key before"),
    Column("made_us", Instant, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("retired_us", Instant, comment="from when on it only verifies"),
    Column("revoked_us", Instant, comment="from when on nothing that it signed holds"),
    Column("revoked_why", Text),
    comment="Keys that sign checkpoints. No row is deleted: who holds an old checkpoint asks for them.",
)
