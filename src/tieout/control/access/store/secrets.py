"""Statements on the secrets of the installation, which belong to no tenant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from tieout.store.tables import platform_secrets as secrets


@dataclass(frozen=True)
class SealedSecret:
    """A secret as it is stored."""

    purpose: str
    secret_id: str
    sealed: str
    created: datetime
    retired: datetime | None


def list_secrets(connection: Connection, purpose: str) -> list[SealedSecret]:
    """Return the secrets of a purpose, the oldest first."""
    asked = select(secrets).where(secrets.c.purpose == purpose).order_by(secrets.c.created_us, secrets.c.secret_id)
    return [
        SealedSecret(row.purpose, row.secret_id, row.sealed, row.created_us, row.retired_us)
        for row in connection.execute(asked)
    ]


def add_secret(connection: Connection, secret: SealedSecret) -> None:
    """Store a new secret."""
    connection.execute(
        insert(secrets).values(
            purpose=secret.purpose,
            secret_id=secret.secret_id,
            sealed=secret.sealed,
            created_us=secret.created,
            retired_us=secret.retired,
        )
    )


def retire_secrets(connection: Connection, purpose: str, *, at: datetime) -> None:
    """Store from when on the secrets of a purpose that have no such instant yet only verify."""
    asked = update(secrets).where(secrets.c.purpose == purpose, secrets.c.retired_us.is_(None))
    connection.execute(asked.values(retired_us=at))


def delete_secrets(connection: Connection, purpose: str, *, retired_before: datetime | None = None) -> None:
    """Delete the secrets of a purpose: all, or those that were retired before an instant."""
    asked = delete(secrets).where(secrets.c.purpose == purpose)
    if retired_before is not None:
        asked = asked.where(secrets.c.retired_us < retired_before)
    connection.execute(asked)
