"""Signing in and staying so: password for tokens, a refresh token for the next ones, the end of both.

An answer does not tell who is known. Unknown e-mail, wrong password, disabled user, closed tenant and locked user get
the same message after the same work, and a lock has no Retry-After: only someone who exists can be locked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Literal

import structlog
from sqlalchemy import Connection

from tieout.control.access.actions.signing import signing_secret
from tieout.control.access.actions.users import UserWithRoles, load_user
from tieout.control.access.caller import NotSignedIn
from tieout.control.access.passwords import Verdict, hash_password, verify_password
from tieout.control.access.rules import (
    ACCESS_TOKEN_LASTS,
    REFRESH_TOKEN_LASTS,
    SIMULTANEOUS,
    RefreshToken,
    SigningSecret,
    UnusableEmail,
    UnusablePassword,
    User,
    check_password,
    lock_after,
    plain_email,
)
from tieout.control.access.store import refresh_tokens, users
from tieout.control.access.store.users import Known
from tieout.control.access.tokens import REFRESH_PREFIX, AccessClaims, digest_of, sign_token
from tieout.control.audit.actions import Entry, record
from tieout.control.platform import Platform
from tieout.core import metrics
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError
from tieout.core.ids import new_id

MAX_ACCOUNTS = 10
"""Of one e-mail in several tenants, how many are tried; who has more names the tenant."""

Refusal = Literal["expired", "replayed"]

_SECRET_BYTES = 32
_log = structlog.get_logger("tieout.access")


class SignInRefused(NotSignedIn):
    """E-mail and password do not open an account now."""

    code = "sign_in_refused"


class RefreshRefused(NotSignedIn):
    """The refresh token is unknown, used, revoked or expired, or its user may no longer sign in."""

    code = "refresh_refused"


class TenantNeeded(TieoutError):
    """E-mail and password are right in several tenants; `subject` lists their aliases."""

    code = "tenant_needed"
    http_status = 409


@dataclass(frozen=True)
class Tokens:
    """What a client keeps: a short token for requests, a long one for the next pair."""

    access: str = field(repr=False)
    access_expires: datetime
    refresh: str = field(repr=False)
    refresh_id: str
    refresh_expires: datetime


@dataclass(frozen=True)
class SignedIn:
    """A user who signed in, or stays so."""

    who: UserWithRoles
    tokens: Tokens


def sign_in(platform: Platform, email: str, password: str, tenant: str | None, where: Actor) -> SignedIn:
    """Exchange e-mail and password for tokens; `tenant`, an id or alias, is needed where they are right in several.

    Five failures in a row lock a user out for a minute, each further one for twice as long, up to an hour. A failure
    counts when it is stored: of many guesses at one time none succeeds after the fifth that failed. Raises
    SignInRefused and TenantNeeded.
    """
    known = _known(platform, email, tenant)
    verdicts = _verify(known, password, platform.now())
    right = [one for one in known if verdicts[one.user.user_id].is_right]
    if not right:
        _note_failures(platform, known, where)
        is_locked = any(one.user.is_locked(platform.now()) for one in known)
        metrics.AUTH_LOGINS.labels("locked" if is_locked else "wrong").inc()
        raise _refused()
    if len(right) > 1:
        aliases = ", ".join(one.alias for one in right)
        raise TenantNeeded(
            f"This e-mail signs in to several tenants: {aliases}.", subject=aliases, remedy="Say which in `tenant`."
        )
    [chosen] = right
    is_outdated = verdicts[chosen.user.user_id].is_outdated
    new_hash = hash_password(password, platform.random_bytes) if is_outdated else None
    return _enter(platform, chosen.user, new_hash, where)


def refresh(platform: Platform, refresh_token: str, where: Actor) -> SignedIn:
    """Exchange a refresh token for new tokens. It is good once; a second use ends every token of that sign-in.

    Of two requests that exchange it at the same time one gets new tokens and the other none, and nothing ends.
    Raises RefreshRefused.
    """
    secret, began = signing_secret(platform), platform.now()

    def exchange(connection: Connection) -> SignedIn | Refusal:
        found = _find(connection, refresh_token)
        if found is None:
            return "expired"
        token, who = found
        if token.revoked is not None or began >= token.expires:
            return "expired"
        if token.used is not None:
            return _meet_again(platform, connection, token, who.user, began, where)
        if not who.user.is_active or not users.is_tenant_open(connection, token.tenant):
            return "expired"
        refresh_tokens.note_use(connection, token.tenant, token.token_id, now=began)
        return SignedIn(who, _issue(platform, connection, who, secret, family_id=token.family_id))

    done = platform.all_tenants.write(exchange)
    metrics.AUTH_REFRESHES.labels("success" if isinstance(done, SignedIn) else done).inc()
    if not isinstance(done, SignedIn):
        raise RefreshRefused("Sign in again: the refresh token is not good, or no longer.")
    return done


def sign_out(platform: Platform, refresh_token: str, where: Actor) -> bool:
    """End the sign-in that a refresh token descends from; return whether there was one to end."""

    def end(connection: Connection) -> bool:
        found = _find(connection, refresh_token)
        if found is None:
            return False
        token, who = found
        now = platform.now()
        if not refresh_tokens.revoke_family(connection, token.tenant, token.family_id, now=now):
            return False
        actor = _as_user(where, who.user)
        _record(platform, connection, who.user, actor, "auth.signed_out", {"family_id": token.family_id})
        return True

    return platform.all_tenants.write(end)


def _find(connection: Connection, refresh_token: str) -> tuple[RefreshToken, UserWithRoles] | None:
    """Return a refresh token and its user, whose row is locked: all that touches tokens of a user goes by turns.

    Locks are taken in one order everywhere, user before tokens, so that none waits for the other for ever.
    """
    digest = digest_of(refresh_token)
    token = refresh_tokens.find_token(connection, digest)
    if token is None:
        return None
    who = load_user(connection, token.tenant, token.user_id, to_change=True)
    token = refresh_tokens.find_token(connection, digest)  # as the one before in the turn left it
    return None if token is None else (token, who)


def _known(platform: Platform, email: str, tenant: str | None) -> list[Known]:
    try:
        plain = plain_email(email)
    except UnusableEmail:
        return []
    with platform.all_tenants.reading() as connection:
        return users.list_known(connection, plain, tenant, limit=MAX_ACCOUNTS)


def _verify(known: list[Known], password: str, now: datetime) -> dict[str, Verdict]:
    """Return for each user whether the password is right; a locked one has none that is, but takes as long."""
    try:
        check_password(password)
    except UnusablePassword:
        raise _refused() from None
    if not known:
        verify_password(None, password)
    return {
        one.user.user_id: verify_password(None if one.user.is_locked(now) else one.user.password_hash, password)
        for one in known
    }


def _note_failures(platform: Platform, known: list[Known], where: Actor) -> None:
    for one in known:
        user = one.user
        failures = platform.of(user.tenant).write(partial(note_failure, platform, user, where))
        _log.info("Sign-in refused", tenant=user.tenant, user_id=user.user_id, failures=failures)


def note_failure(platform: Platform, seen: User, where: Actor, connection: Connection) -> int:
    """Count a wrong password, unless the user is locked already; return how many came in a row."""
    now = platform.now()
    user = users.find_user(connection, seen.tenant, seen.user_id, to_change=True)
    if user is None or user.is_locked(now):
        return 0
    failures = user.failed_logins + 1
    until = lock_after(failures, now)
    users.note_failure(connection, user.tenant, user.user_id, failures=failures, locked_until=until)
    if until is not None:
        delta = {"failures": failures, "locked_until": until}
        _record(platform, connection, user, where, "auth.locked", delta)
    return failures


def _enter(platform: Platform, chosen: User, new_hash: str | None, where: Actor) -> SignedIn:
    """Store the success and issue tokens, unless the user was disabled or locked since the password was looked at."""
    secret = signing_secret(platform)

    def enter(connection: Connection) -> SignedIn | None:
        now = platform.now()
        who = load_user(connection, chosen.tenant, chosen.user_id, to_change=True)
        user = who.user
        if not user.is_active or user.is_locked(now) or not users.is_tenant_open(connection, user.tenant):
            return None
        users.note_success(connection, user.tenant, user.user_id, now=now)
        if new_hash is not None:
            users.set_password_hash(connection, user.tenant, user.user_id, new_hash)
        tokens = _issue(platform, connection, who, secret, family_id=new_id(now, platform.random_bytes))
        _record(platform, connection, user, _as_user(where, user), "auth.signed_in", {"roles": list(who.role_names)})
        return SignedIn(who, tokens)

    done = platform.of(chosen.tenant).write(enter)
    metrics.AUTH_LOGINS.labels("disabled" if done is None else "success").inc()
    if done is None:
        raise _refused()
    return done


def _meet_again(
    platform: Platform, connection: Connection, token: RefreshToken, user: User, began: datetime, where: Actor
) -> Refusal:
    """Decide what a used token in somebody's hands means: a race of one client, or that two have it."""
    if token.used is None or began <= token.used + SIMULTANEOUS:
        _log.info("Refresh token exchanged twice at once", tenant=token.tenant, user_id=token.user_id)
        return "expired"
    ended = refresh_tokens.revoke_family(connection, token.tenant, token.family_id, now=began)
    delta = {"token_id": token.token_id, "family_id": token.family_id, "tokens_ended": ended}
    _record(platform, connection, user, where, "auth.refresh_replayed", delta)
    _log.warning("Refresh token replayed; its sign-in has ended", tenant=token.tenant, user_id=token.user_id)
    return "replayed"


def _issue(
    platform: Platform, connection: Connection, who: UserWithRoles, secret: SigningSecret, *, family_id: str
) -> Tokens:
    user, random_bytes = who.user, platform.random_bytes
    issued = platform.now().replace(microsecond=0)  # a JSON Web Token counts seconds
    claims = AccessClaims(
        user_id=user.user_id,
        tenant=user.tenant,
        roles=who.role_names,
        permissions=who.permissions,
        issued=issued,
        expires=issued + ACCESS_TOKEN_LASTS,
        token_id=new_id(issued, random_bytes),
    )
    text = REFRESH_PREFIX + random_bytes(_SECRET_BYTES).hex()
    token = RefreshToken(
        tenant=user.tenant,
        token_id=new_id(issued, random_bytes),
        user_id=user.user_id,
        family_id=family_id,
        issued=issued,
        expires=issued + REFRESH_TOKEN_LASTS,
        used=None,
        revoked=None,
    )
    refresh_tokens.add_token(connection, token, digest_of(text))
    return Tokens(sign_token(claims, secret), claims.expires, text, token.token_id, token.expires)


def _as_user(where: Actor, user: User) -> Actor:
    return replace(where, name=f"user:{user.user_id}", user_id=user.user_id)


def _refused() -> SignInRefused:
    return SignInRefused(
        "E-mail or password is not right, or there were too many failures.", remedy="Check both, or try again later."
    )


def _record(
    platform: Platform,
    connection: Connection,
    user: User,
    actor: Actor,
    action: str,
    delta: Mapping[str, object] = MappingProxyType({}),
) -> None:
    entry = Entry("identity", action, "user", user.user_id, delta)
    record(connection, user.tenant, actor, entry, now=platform.now(), random_bytes=platform.random_bytes)
