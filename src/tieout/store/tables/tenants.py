"""Tenants, and those who asked to become one."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, Index, String, Table, Text, text

from tieout.store.tables.columns import ID, OF_THE_PLATFORM, Instant, metadata, tenant_column

TENANT_STATUSES = ("trial", "active", "suspended", "closed")
REGISTRATION_STATUSES = ("pending", "approved", "rejected")

tenant = Table(
    "tenant",
    metadata,
    tenant_column(primary_key=True),
    Column("name", Text, nullable=False),
    Column("alias", String(32), nullable=False, unique=True, comment="short name for addresses and sign-in"),
    Column("status", String(16), nullable=False),
    Column("time_zone", String(64), nullable=False, comment="IANA name; business days are days of this zone"),
    Column("created_us", Instant, nullable=False),
    Column("updated_us", Instant, nullable=False),
    CheckConstraint(text("status in ('trial', 'active', 'suspended', 'closed')"), name="status"),
    comment="Each customer whose data is kept apart.",
)

tenant_business_profile = Table(
    "tenant_business_profile",
    metadata,
    tenant_column(primary_key=True),
    Column("legal_name", Text, nullable=False),
    Column("doing_business_as", Text, nullable=False),
    Column("contact_email", Text, nullable=False),
    Column("contact_phone", Text, nullable=False),
    Column("country", Text, nullable=False),
    comment="Who a tenant is as a business.",
)

tenant_registration = Table(
    "tenant_registration",
    metadata,
    Column("registration_id", ID, primary_key=True),
    Column("status", String(16), nullable=False),
    Column("business", JSON, nullable=False, comment="as the applicant wrote it"),
    Column("owner", JSON, nullable=False, comment="name and e-mail of the owner; never the password"),
    Column("owner_password_hash", Text, comment="Argon2; cleared with the decision"),
    Column("modules", JSON, nullable=False, comment="key, name, category, enabled of each module asked for"),
    Column("created_us", Instant, nullable=False),
    Column("decided_us", Instant),
    Column("decided_by", Text),
    Column("reason", Text),
    Column("tenant", String(64), comment="that it became; null until it is approved"),
    CheckConstraint(text("status in ('pending', 'approved', 'rejected')"), name="status"),
    Index("ix_tenant_registration_status_created_us", "status", "created_us", "registration_id"),
    info=OF_THE_PLATFORM,
    comment="Applications to become a tenant. Of the platform: only its administrators see them.",
)

tenant_modules = Table(
    "tenant_modules",
    metadata,
    tenant_column(primary_key=True),
    Column("module_id", String(64), primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("source", String(16), nullable=False, comment="plan, or superadmin: an override that a plan leaves alone"),
    Column("updated_by", Text),
    Column("updated_us", Instant, nullable=False),
    comment="Which modules a tenant has, and who said so.",
)

tenant_feature_flags = Table(
    "tenant_feature_flags",
    metadata,
    tenant_column(primary_key=True),
    Column("module_id", String(64), primary_key=True),
    Column("feature_key", String(128), primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("overridden", Boolean, nullable=False, comment="set by hand, so that a plan leaves it alone"),
    Column("updated_us", Instant, nullable=False),
    comment="Features of modules that a tenant has by its plan or by hand.",
)

tenant_flags = Table(
    "tenant_flags",
    metadata,
    tenant_column(primary_key=True),
    Column("flag_key", String(128), primary_key=True),
    Column("value", JSON, nullable=False),
    Column("expires_us", Instant, comment="from when on it counts no more; null for never"),
    Column("reason", Text),
    Column("updated_by", Text),
    Column("updated_us", Instant, nullable=False),
    comment="Flags set for one tenant.",
)

platform_flags = Table(
    "platform_flags",
    metadata,
    Column("flag_key", String(128), primary_key=True),
    Column("value", JSON, nullable=False),
    Column("expires_us", Instant),
    Column("reason", Text),
    Column("updated_by", Text),
    Column("updated_us", Instant, nullable=False),
    comment="Flags set for all tenants. Of the platform.",
)
