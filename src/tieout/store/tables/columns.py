"""What all tables of the state are made of: instants, digests, the tenant, and who may see a row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, Dialect, Integer, MetaData, String, Table, TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

OF_THE_PLATFORM = {"of": "platform"}
"""`info` of a table whose rows belong to no tenant, though a column may name one."""


class Instant(TypeDecorator[datetime]):
    """A point in time, kept as whole microseconds since the epoch; a datetime without a zone is refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        if value is None:
            return None
        return micros(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else _EPOCH + timedelta(microseconds=value)


def micros(instant: datetime) -> int:
    """Return an instant as the tables keep it; one without a zone is refused."""
    if instant.utcoffset() is None:
        raise ValueError(f"{instant!r} has no time zone, so it names no instant")
    return (instant - _EPOCH) // _MICROSECOND


# SQLite numbers rows by itself only where the key is spelt INTEGER.
SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")
DIGEST = String(64)
ID = String(36)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def tenant_column(**options: Any) -> Column[str]:
    """Return the column that says whose a row is."""
    return Column("tenant", String(64), nullable=False, **options)


def is_of_a_tenant(table: Table) -> bool:
    """Whether each row of `table` belongs to one tenant, and no other may see it."""
    return "tenant" in table.c and table.info.get("of") != "platform"
