"""Who may do what: users, roles, refresh tokens, API keys, and the secrets of the installation."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from tieout.store.tables.columns import DIGEST, ID, Instant, metadata, tenant_column

users = Table(
    "users",
    metadata,
    tenant_column(primary_key=True),
    Column("user_id", ID, primary_key=True),
    Column("email", String(254), nullable=False, comment="lower case"),
    Column("first_name", Text, nullable=False),
    Column("last_name", Text, nullable=False),
    Column("password_hash", Text, comment="Argon2id; null where the user signs in otherwise"),
    Column("status", String(16), nullable=False),
    Column("failed_logins", Integer, nullable=False, comment="in a row, since the last success"),
    Column("locked_until_us", Instant),
    Column("last_login_us", Instant),
    Column("created_us", Instant, nullable=False),
    UniqueConstraint("tenant", "email"),
    Index("ix_users_email", "email"),
    CheckConstraint(text("status in ('active', 'disabled')"), name="status"),
    comment="People who sign in. The same address may be a user of several tenants.",
)

roles = Table(
    "roles",
    metadata,
    tenant_column(primary_key=True),
    Column("role_id", ID, primary_key=True),
    Column("name", String(128), nullable=False),
    Column("permissions", JSON, nullable=False, comment="patterns such as pos.* or !superadmin.*"),
    Column("is_system", Boolean, nullable=False, comment="made by the platform; cannot be changed"),
    Column("created_us", Instant, nullable=False),
    UniqueConstraint("tenant", "name"),
    comment="Named sets of permissions.",
)

user_roles = Table(
    "user_roles",
    metadata,
    tenant_column(primary_key=True),
    Column("user_id", ID, primary_key=True),
    Column("role_id", ID, primary_key=True),
    Column("assigned_us", Instant, nullable=False),
    Column("assigned_by", Text),
    ForeignKeyConstraint(["tenant", "user_id"], ["users.tenant", "users.user_id"]),
    ForeignKeyConstraint(["tenant", "role_id"], ["roles.tenant", "roles.role_id"]),
    comment="Which user has which role.",
)

user_refresh_tokens = Table(
    "user_refresh_tokens",
    metadata,
    tenant_column(primary_key=True),
    Column("token_id", ID, primary_key=True),
    Column("user_id", ID, nullable=False),
    Column("family_id", ID, nullable=False, comment="the sign-in that it descends from"),
    Column("token_hash", DIGEST, nullable=False, unique=True, comment="SHA-256 of the token, which is 256 random bits"),
    Column("issued_us", Instant, nullable=False),
    Column("expires_us", Instant, nullable=False),
    Column("used_us", Instant, comment="when it was exchanged; a second use ends the family"),
    Column("revoked_us", Instant),
    ForeignKeyConstraint(["tenant", "user_id"], ["users.tenant", "users.user_id"]),
    Index("ix_user_refresh_tokens_tenant_family_id", "tenant", "family_id"),
    Index("ix_user_refresh_tokens_expires_us", "expires_us"),
    comment="Refresh tokens, each good for one exchange.",
)

api_keys = Table(
    "api_keys",
    metadata,
    tenant_column(primary_key=True),
    Column("key_id", ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("key_hash", DIGEST, nullable=False, unique=True, comment="SHA-256 of the key, which is 256 random bits"),
    Column("permissions", JSON, nullable=False, comment="what the key may do, as in a role"),
    Column("created_us", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_us", Instant),
    Column("revoked_us", Instant),
    Column("last_used_us", Instant, comment="to the minute"),
    Column("replaced_by", ID, comment="the key that a rotation made"),
    comment="Keys of programs. The key itself is shown once and not kept.",
)

platform_secrets = Table(
    "platform_secrets",
    metadata,
    Column("purpose", String(32), primary_key=True, comment="such as access_token"),
    Column("secret_id", String(32), primary_key=True),
    Column("sealed", Text, nullable=False, comment="encrypted with the key of the installation"),
    Column("created_us", Instant, nullable=False),
    Column("retired_us", Instant, comment="from when on it only verifies"),
    comment="Secrets that all processes of an installation share. Of the platform.",
)
