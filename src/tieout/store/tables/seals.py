"""What was sealed: the log of a tenant and book, the roots of its days and the digests of its months."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKeyConstraint, Integer, String, Table, Text

from tieout.store.tables.columns import DIGEST, Instant, metadata, tenant_column

proofs_log = Table(
    "proofs_log",
    metadata,
    tenant_column(primary_key=True),
    Column("book", Text, primary_key=True),
    Column("origin", Text, nullable=False, comment="the name of the log in its checkpoints; it never changes"),
    Column("blinding", Text, nullable=False, comment="the secret that salts come from, sealed"),
    Column("made_us", Instant, nullable=False),
    comment="The append-only log of a book; its leaves lie in the data folder.",
)

proofs_daily_roots = Table(
    "proofs_daily_roots",
    metadata,
    tenant_column(primary_key=True),
    Column("book", Text, primary_key=True),
    Column("first_leaf", BigInteger, primary_key=True, comment="place in the log, from 0"),
    Column("day", String(10), nullable=False, comment="YYYY-MM-DD"),
    Column("version", Integer, nullable=False, comment="from 1; the latest holds, the others stay"),
    Column("leaf_count", BigInteger, nullable=False, comment="without the last leaf, which says what the others are"),
    Column("merkle_root", DIGEST, nullable=False, comment="of those leaves"),
    Column("sig", Text, nullable=False, comment="a signed note: origin, number of leaves and root of the day"),
    Column("records_sha256", DIGEST, nullable=False, comment="of the file that holds what the leaves say"),
    Column("counts", JSON, nullable=False, comment="leaves by kind"),
    Column("published_at", Instant, nullable=False, comment="microseconds since 1970-01-01 UTC"),
    ForeignKeyConstraint(["tenant", "book"], ["proofs_log.tenant", "proofs_log.book"]),
    comment="The days of a log. A restatement adds a row and changes none.",
)

proofs_records_dropped = Table(
    "proofs_records_dropped",
    metadata,
    tenant_column(primary_key=True),
    Column("book", Text, primary_key=True),
    Column("first_leaf", BigInteger, primary_key=True, comment="of the seal of a day"),
    Column("dropped_us", Instant, nullable=False),
    ForeignKeyConstraint(
        ["tenant", "book", "first_leaf"],
        ["proofs_daily_roots.tenant", "proofs_daily_roots.book", "proofs_daily_roots.first_leaf"],
    ),
    comment="Seals of which retention let go of the records. Their hashes stay in the log.",
)

proofs_monthly_digest = Table(
    "proofs_monthly_digest",
    metadata,
    tenant_column(primary_key=True),
    Column("book", Text, primary_key=True),
    Column("month", String(7), primary_key=True),
    Column("version", Integer, primary_key=True, comment="from 1; the latest holds, the others stay"),
    Column("leaf", BigInteger, nullable=False, comment="place in the log of the leaf that says the digest"),
    Column("day_leaves", JSON, nullable=False, comment="places in the log of the leaves of the days, by date"),
    Column("digest", DIGEST, nullable=False, comment="the root over the leaves of the days, by date"),
    Column("sig", Text, nullable=False, comment="a signed note: origin, number of days and digest"),
    Column("records_sha256", DIGEST, nullable=False, comment="of the file that holds what the leaves say"),
    Column("coverage_bp", Integer, nullable=False, comment="hundredths of a percent of the month's days"),
    Column("notes", Text, nullable=False),
    Column("published_at", Instant, nullable=False),
    ForeignKeyConstraint(["tenant", "book"], ["proofs_log.tenant", "proofs_log.book"]),
    comment="The months of a log. A restatement adds a row and changes none.",
)
