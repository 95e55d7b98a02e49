"""From the header of a request to its caller."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import datetime

import structlog

from tieout.control.access.actions.signing import read_secrets
from tieout.control.access.caller import Caller, NotSignedIn
from tieout.control.access.memory import KnownKey
from tieout.control.access.rules import ApiKey
from tieout.control.access.store import keys
from tieout.control.access.tokens import (
    KEY_PREFIX,
    MAX_TOKEN,
    AccessClaims,
    SignedByUnknown,
    digest_of,
    read_token,
    refused,
)
from tieout.control.platform import Platform
from tieout.core import metrics
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError

_log = structlog.get_logger("tieout.access")


def authenticate(platform: Platform, authorization: str | None, where: Actor) -> Caller:
    """Return who the header `Authorization` names; `where` is the request's address and id.

    An access token is verified without the database, so a user who is disabled stays until it ends (15 minutes at
    most). An API key is looked up at most every 5 s, so one that is revoked may live that long in processes
    other than the one that revoked it. Raises NotSignedIn.
    """
    caller = recognise(platform, authorization, where)
    if caller is not None:
        return caller
    text, now = _bearer(authorization), platform.now()
    if text.startswith(KEY_PREFIX):
        return _caller_of_key(_look_up(platform, text, now), where)
    platform.access.learn_secrets(read_secrets(platform), now)
    caller = _recognise_token(platform, text, where, now)
    if caller is None:
        raise _refused("token")
    return caller


def recognise(platform: Platform, authorization: str | None, where: Actor) -> Caller | None:
    """Do the same from memory alone, without waiting for anything; None where the database must be asked."""
    text, now = _bearer(authorization), platform.now()
    if not text.startswith(KEY_PREFIX):
        return _recognise_token(platform, text, where, now)
    known = platform.access.keys.get(digest_of(text))
    if known is None or not known.is_fresh(now) or known.key.status(now) != "active":
        return None
    return _caller_of_key(known.key, where)


def _bearer(authorization: str | None) -> str:
    scheme, _, text = (authorization or "").partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text or len(text) > MAX_TOKEN or not text.isascii():
        raise _refused("malformed" if authorization else "none")
    return text


def _recognise_token(platform: Platform, text: str, where: Actor, now: datetime) -> Caller | None:
    memory, digest = platform.access, digest_of(text)
    secrets = memory.secrets
    if secrets is None or not secrets.are_fresh(now):
        return None
    remembered = memory.tokens.get(digest)
    if remembered is None:
        try:
            remembered = read_token(text, secrets.by_id)
        except SignedByUnknown:
            if secrets.may_have_changed(now):
                return None
            raise _refused("token") from None
        except NotSignedIn:
            metrics.AUTH_REFUSALS.labels("token").inc()
            raise
        memory.tokens.put(digest, remembered)
    claims, secret_id = remembered
    secret = secrets.by_id.get(secret_id)
    if secret is None or not secret.verifies(now) or not claims.is_current(now):
        memory.tokens.drop(digest)
        raise _refused("token")
    return _caller_of_token(claims, where)


def _caller_of_token(claims: AccessClaims, where: Actor) -> Caller:
    actor = replace(where, name=f"user:{claims.user_id}", user_id=claims.user_id)
    return Caller(claims.tenant, actor, claims.permissions, claims.roles)


def _caller_of_key(key: ApiKey, where: Actor) -> Caller:
    return Caller(key.tenant, replace(where, name=f"key:{key.key_id}"), key.permissions)


def _refused(reason: str) -> NotSignedIn:
    metrics.AUTH_REFUSALS.labels(reason).inc()
    return refused()


def _look_up(platform: Platform, text: str, now: datetime) -> ApiKey:
    digest = digest_of(text)
    with platform.all_tenants.reading() as connection:
        found = keys.find_by_hash(connection, digest)
    if found is None or not hmac.compare_digest(found[1], digest) or found[0].status(now) != "active":
        raise _refused("key")
    key = found[0]
    platform.access.keys.put(digest, KnownKey(key, now))
    _note_use(platform, key, now)
    return key


def _note_use(platform: Platform, key: ApiKey, now: datetime) -> None:
    minute = now.replace(second=0, microsecond=0)
    if key.last_used is not None and key.last_used >= minute:
        return
    try:
        platform.of(key.tenant).write(
            lambda connection: keys.note_use(connection, key.tenant, key.key_id, minute=minute)
        )
    except TieoutError as error:  # a state that cannot be written just now can still be read
        _log.warning("Use of an API key was not noted", key_id=key.key_id, reason=error.code)
