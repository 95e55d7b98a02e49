"""The secrets that sign access tokens: made at first use, the same for every process, replaced unnoticed."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from tieout.control.access.permissions import SUPERADMIN
from tieout.control.access.rules import SIGNS_AFTER, SigningSecret, secret_to_sign
from tieout.control.access.store import secrets as store
from tieout.control.access.store.secrets import SealedSecret
from tieout.control.audit.actions import Entry, record
from tieout.control.platform import Platform
from tieout.core.actor import Actor

PURPOSE = "access_token"
SECRET_BYTES = 32
_KEPT_AFTER = timedelta(days=1)


def read_secrets(platform: Platform) -> dict[str, SigningSecret]:
    """Return the secrets that sign or still verify, by id; raise SealedOtherwise."""
    with platform.state.reading() as connection:
        sealed = store.list_secrets(connection, PURPOSE)
    now = platform.now()
    opened = (_open(platform, one) for one in sealed)
    return {one.secret_id: one for one in opened if one.verifies(now)}


def signing_secret(platform: Platform) -> SigningSecret:
    """Return the secret that signs now; where there is none, make the first."""
    now = platform.now()
    known = platform.access.secrets
    if known is None or not known.are_fresh(now):
        known = platform.access.learn_secrets(read_secrets(platform), now)
    chosen = secret_to_sign(known.by_id.values(), now)
    if chosen is None:
        platform.state.write(lambda connection: _make_first(platform, connection))
        chosen = secret_to_sign(platform.access.learn_secrets(read_secrets(platform), now).by_id.values(), now)
    if chosen is None:
        raise AssertionError("a secret was made and none signs")
    return chosen


def rotate_signing(platform: Platform, actor: Actor, *, is_at_once: bool = False) -> str:
    """Make a new signing secret and return its id.

    The old one signs for another minute, until every process knows the new one, and verifies until its last token has
    ended, so nobody notices. `is_at_once` is for a secret that leaked: the old one ends now, and who holds an access
    token needs a new one by their refresh token; other processes follow within 30 s.
    """

    def rotate(connection: Connection) -> str:
        now = platform.now()
        before = store.list_secrets(connection, PURPOSE)
        if is_at_once:
            store.delete_secrets(connection, PURPOSE)
        else:
            store.delete_secrets(connection, PURPOSE, retired_before=now - _KEPT_AFTER)
            store.retire_secrets(connection, PURPOSE, at=now + SIGNS_AFTER)
        # A number, so that of two who rotate at once the second meets the key of the first and begins again.
        secret_id = str(max((int(one.secret_id) for one in before), default=0) + 1)
        _make(platform, connection, secret_id)
        delta = {"before": [one.secret_id for one in before], "after": secret_id, "at_once": is_at_once}
        entry = Entry("identity", "signing_secret.rotated", "signing_secret", secret_id, delta)
        record(connection, SUPERADMIN, actor, entry, now=now, random_bytes=platform.random_bytes)
        return secret_id

    made = platform.of(SUPERADMIN).write(rotate)
    platform.access.forget()
    return made


def _make_first(platform: Platform, connection: Connection) -> None:
    now = platform.now()
    sealed = store.list_secrets(connection, PURPOSE)
    if not any(one.retired is None or now < one.retired for one in sealed):
        _make(platform, connection, str(max((int(one.secret_id) for one in sealed), default=0) + 1))


def _make(platform: Platform, connection: Connection, secret_id: str) -> None:
    secret = platform.random_bytes(SECRET_BYTES)
    sealed = platform.sealer.seal(secret, _context(secret_id), platform.random_bytes)
    store.add_secret(connection, SealedSecret(PURPOSE, secret_id, sealed, platform.now(), None))


def _open(platform: Platform, one: SealedSecret) -> SigningSecret:
    key = platform.sealer.open(one.sealed, _context(one.secret_id))
    return SigningSecret(one.secret_id, key, one.created, one.retired)


def _context(secret_id: str) -> str:
    return f"platform_secrets/{PURPOSE}/{secret_id}"
