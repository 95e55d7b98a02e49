"""Passwords changed by their owner, or by an administrator for one who forgot theirs. Both end every sign-in."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection

from tieout.control.access.actions.sign_in import note_failure
from tieout.control.access.actions.users import UserUnknown, UserWithRoles, get_user, load_user
from tieout.control.access.caller import Caller
from tieout.control.access.passwords import hash_password, verify_password
from tieout.control.access.store import refresh_tokens, users
from tieout.control.audit.actions import Entry, record
from tieout.control.platform import Platform
from tieout.core.errors import TieoutError


class WrongPassword(TieoutError):
    """The password that is to be changed is not the user's, or the user is locked."""

    code = "wrong_password"


def change_password(platform: Platform, caller: Caller, current: str, new: str) -> None:
    """Let the calling user have the password `new`; every refresh token of theirs ends.

    A wrong `current` counts as a failed sign-in: who found a token open cannot guess at leisure. Raises WrongPassword,
    UnusablePassword, and UserUnknown for a key.
    """
    if caller.actor.user_id is None:
        raise UserUnknown("A key has no password.", subject=caller.actor.name)
    user = get_user(platform, caller.tenant, caller.actor.user_id).user
    is_locked = user.is_locked(platform.now())
    if not verify_password(None if is_locked else user.password_hash, current).is_right:
        platform.of(caller.tenant).write(partial(note_failure, platform, user, caller.actor))
        raise WrongPassword("The current password is not right, or there were too many failures.")
    _set(platform, caller, user.user_id, new, "user.password_changed")


def reset_password(platform: Platform, caller: Caller, user_id: str, new: str) -> None:
    """Let a user have the password `new`, who may do no more than the caller; a lock ends, and every refresh token."""
    _set(platform, caller, user_id, new, "user.password_reset")


def _set(platform: Platform, caller: Caller, user_id: str, new: str, action: str) -> None:
    hashed, tenant = hash_password(new, platform.random_bytes), caller.tenant

    def change(connection: Connection) -> None:
        now = platform.now()
        found: UserWithRoles = load_user(connection, tenant, user_id, to_change=True)
        if caller.actor.user_id != user_id:
            caller.must_cover(found.permissions, f"The user {found.user.email}")
        users.set_password_hash(connection, tenant, user_id, hashed)
        users.note_failure(connection, tenant, user_id, failures=0, locked_until=None)
        ended = refresh_tokens.revoke_of_user(connection, tenant, user_id, now=now)
        entry = Entry("identity", action, "user", user_id, {"sessions_ended": ended})
        record(connection, tenant, caller.actor, entry, now=now, random_bytes=platform.random_bytes)

    platform.of(tenant).write(change)
