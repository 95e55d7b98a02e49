"""API keys: made and shown once, replaced with an overlap, revoked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from tieout.control.access.actions.roles import create_default_roles
from tieout.control.access.caller import Caller
from tieout.control.access.permissions import EVERYTHING, SUPERADMIN
from tieout.control.access.registry import check_patterns
from tieout.control.access.rules import KEY_LASTS_AT_MOST, OVERLAP, ApiKey
from tieout.control.access.store import keys as store
from tieout.control.access.tokens import KEY_PREFIX, digest_of
from tieout.control.audit.actions import Entry, record
from tieout.control.platform import Platform
from tieout.core.actor import system
from tieout.core.errors import TieoutError
from tieout.core.ids import new_id

SECRET_BYTES = 32
FIRST_ADMIN_KEY = "00000000-0000-7000-8000-000000000001"
"""The id of the key that an installation begins with: one id, so that of two processes only one makes it."""


class KeyUnknown(TieoutError):
    """The tenant has no API key with that id."""

    code = "key_unknown"
    http_status = 404


class KeyEnded(TieoutError):
    """An API key is to be replaced that expired, was revoked or was replaced already."""

    code = "key_ended"
    http_status = 409


class BadExpiry(TieoutError):
    """An instant at which a key is to end is not in the future, or too far in it."""

    code = "bad_expiry"


@dataclass(frozen=True)
class NewKey:
    """An API key that was just made, and its text, which nobody can show again."""

    key: ApiKey
    text: str = field(repr=False)


def create_key(
    platform: Platform, caller: Caller, name: str, permissions: Iterable[str], *, expires: datetime | None = None
) -> NewKey:
    """Make a key of the caller's tenant that may do no more than the caller.

    Raises UnknownPermission, NotAllowed and BadExpiry.
    """
    patterns = check_patterns(permissions)
    caller.must_cover(patterns, f"The key {name}")
    _check_future(expires, platform.now())

    def create(connection: Connection) -> NewKey:
        made = _make(platform, connection, _draft(platform, caller, name, patterns, expires))
        _record(platform, connection, caller, "api_key.created", made.key.key_id, _told(made.key))
        return made

    return platform.of(caller.tenant).write(create)


def create_admin_key(platform: Platform) -> NewKey | None:
    """Make the key of the platform's administrator when the installation has never had one; else return None.

    Its tenant is `superadmin`; it may do everything, also what concerns all tenants. The role `superadmin`, for users
    that it adds, is made with it. Show its text once.
    """
    first = Caller(SUPERADMIN, system("first-start"), (EVERYTHING,))

    def create(connection: Connection) -> NewKey | None:
        if store.count_keys(connection, SUPERADMIN):
            return None
        create_default_roles(connection, SUPERADMIN, platform.now(), platform.random_bytes)
        draft = _draft(platform, first, "first administrator", (EVERYTHING,), None)
        made = _make(platform, connection, replace(draft, key_id=FIRST_ADMIN_KEY))
        _record(platform, connection, first, "api_key.created", FIRST_ADMIN_KEY, _told(made.key))
        return made

    return platform.of(SUPERADMIN).write(create)


def list_keys(platform: Platform, caller: Caller, *, limit: int, offset: int = 0) -> tuple[list[ApiKey], int]:
    """Return keys of the caller's tenant, the newest first, and how many there are."""
    with platform.of(caller.tenant).reading() as connection:
        keys = store.list_keys(connection, caller.tenant, limit=limit, offset=offset)
        return keys, store.count_keys(connection, caller.tenant)


def rotate_key(platform: Platform, caller: Caller, key_id: str, *, old_until: datetime | None = None) -> NewKey:
    """Make a key that takes the place of another; the other works until `old_until`, by default for 24 hours.

    The new key has the same name and permissions, and lasts as long as the old one was to last. Raises KeyUnknown,
    KeyEnded, NotAllowed and BadExpiry.
    """

    def rotate(connection: Connection) -> NewKey:
        now = platform.now()
        old = _get(connection, caller.tenant, key_id)
        if old.status(now) != "active" or old.replaced_by is not None:
            raise KeyEnded(
                f"The key {old.name} has ended or was replaced already.", subject=key_id, remedy="Make a new key."
            )
        caller.must_cover(old.permissions, f"The key {old.name}")
        _check_future(old_until, now)
        expires = None if old.expires is None else now + (old.expires - old.created)
        made = _make(platform, connection, _draft(platform, caller, old.name, old.permissions, expires))
        until = min(old_until or now + OVERLAP, old.expires or datetime.max.replace(tzinfo=now.tzinfo))
        store.note_replaced(connection, caller.tenant, key_id, by=made.key.key_id, expires=until)
        delta = {"replaced_by": made.key.key_id, "expires": {"from": old.expires, "to": until}}
        _record(platform, connection, caller, "api_key.rotated", key_id, delta)
        return made

    made = platform.of(caller.tenant).write(rotate)
    platform.access.keys.clear()
    return made


def revoke_key(platform: Platform, caller: Caller, key_id: str) -> ApiKey:
    """End a key: here at once, in other processes within 5 s. A key that was revoked before stays so."""

    def revoke(connection: Connection) -> ApiKey:
        now = platform.now()
        old = _get(connection, caller.tenant, key_id)
        if old.revoked is not None:
            return old
        store.revoke_key(connection, caller.tenant, key_id, now=now)
        _record(platform, connection, caller, "api_key.revoked", key_id, {"name": old.name})
        return _get(connection, caller.tenant, key_id)

    revoked = platform.of(caller.tenant).write(revoke)
    platform.access.keys.clear()
    return revoked


def _get(connection: Connection, tenant: str, key_id: str) -> ApiKey:
    key = store.find_key(connection, tenant, key_id, to_change=True)
    if key is None:
        raise KeyUnknown("There is no such API key.", subject=key_id)
    return key


def _make(platform: Platform, connection: Connection, draft: ApiKey) -> NewKey:
    text = f"{KEY_PREFIX}{draft.key_id.replace('-', '')}_{platform.random_bytes(SECRET_BYTES).hex()}"
    store.add_key(connection, draft, digest_of(text))
    return NewKey(draft, text)


def _draft(
    platform: Platform, caller: Caller, name: str, permissions: tuple[str, ...], expires: datetime | None
) -> ApiKey:
    now = platform.now()
    return ApiKey(
        tenant=caller.tenant,
        key_id=new_id(now, platform.random_bytes),
        name=name,
        permissions=permissions,
        created=now,
        created_by=caller.actor.name,
        expires=expires,
        revoked=None,
        last_used=None,
        replaced_by=None,
    )


def _check_future(instant: datetime | None, now: datetime) -> None:
    if instant is not None and not now < instant <= now + KEY_LASTS_AT_MOST:
        raise BadExpiry(f"{instant.isoformat()} is not in the future, or more than ten years away.")


def _told(key: ApiKey) -> dict[str, object]:
    return {"name": key.name, "permissions": list(key.permissions), "expires": key.expires}


def _record(
    platform: Platform,
    connection: Connection,
    caller: Caller,
    action: str,
    key_id: str,
    delta: Mapping[str, object],
) -> None:
    entry = Entry("identity", action, "api_key", key_id, delta)
    record(connection, caller.tenant, caller.actor, entry, now=platform.now(), random_bytes=platform.random_bytes)
