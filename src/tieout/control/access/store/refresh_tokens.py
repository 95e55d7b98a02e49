"""Statements on refresh tokens. They are looked up by their hash across tenants, for they say whose they are."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from tieout.control.access.rules import RefreshToken
from tieout.store.tables import user_refresh_tokens as tokens


def find_token(connection: Connection, token_hash: str) -> RefreshToken | None:
    """Return a token of any tenant by its hash, or None."""
    asked = select(tokens).where(tokens.c.token_hash == token_hash)
    row = connection.execute(asked).one_or_none()
    if row is None:
        return None
    return RefreshToken(
        tenant=row.tenant,
        token_id=row.token_id,
        user_id=row.user_id,
        family_id=row.family_id,
        issued=row.issued_us,
        expires=row.expires_us,
        used=row.used_us,
        revoked=row.revoked_us,
    )


def add_token(connection: Connection, token: RefreshToken, token_hash: str) -> None:
    """Store a new token."""
    connection.execute(
        insert(tokens).values(
            tenant=token.tenant,
            token_id=token.token_id,
            user_id=token.user_id,
            family_id=token.family_id,
            token_hash=token_hash,
            issued_us=token.issued,
            expires_us=token.expires,
            used_us=token.used,
            revoked_us=token.revoked,
        )
    )


def note_use(connection: Connection, tenant: str, token_id: str, *, now: datetime) -> None:
    """Store that a token was exchanged."""
    asked = update(tokens).where(tokens.c.tenant == tenant, tokens.c.token_id == token_id)
    connection.execute(asked.values(used_us=now))


def revoke_family(connection: Connection, tenant: str, family_id: str, *, now: datetime) -> int:
    """Revoke every token that descends from one sign-in; return how many were not revoked before."""
    asked = update(tokens).where(tokens.c.tenant == tenant, tokens.c.family_id == family_id)
    return connection.execute(asked.where(tokens.c.revoked_us.is_(None)).values(revoked_us=now)).rowcount


def revoke_of_user(connection: Connection, tenant: str, user_id: str, *, now: datetime) -> int:
    """Revoke every token of a user; return how many were not revoked before."""
    asked = update(tokens).where(tokens.c.tenant == tenant, tokens.c.user_id == user_id)
    return connection.execute(asked.where(tokens.c.revoked_us.is_(None)).values(revoked_us=now)).rowcount


def delete_ended(connection: Connection, *, before: datetime, at_most: int) -> int:
    """Delete tokens of all tenants that ended before an instant; return how many."""
    ended = select(tokens.c.token_hash).where(tokens.c.expires_us < before).order_by(tokens.c.expires_us).limit(at_most)
    return connection.execute(delete(tokens).where(tokens.c.token_hash.in_(ended))).rowcount
