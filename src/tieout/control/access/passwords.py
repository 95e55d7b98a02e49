"""Passwords, hashed with Argon2id."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from tieout.control.access.rules import check_password
from tieout.core.ids import RandomBytes

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_SALT_BYTES = 16
# Each takes 64 MiB while it works: a crowd at the door must not take the memory of the process.
_turns = BoundedSemaphore(max(2, os.cpu_count() or 1))


@dataclass(frozen=True)
class Verdict:
    """Whether a password is right, and whether its hash was made with parameters of the past."""

    is_right: bool
    is_outdated: bool = False


def hash_password(password: str, random_bytes: RandomBytes = os.urandom) -> str:
    """Return the Argon2id hash of `password`, its parameters in it; raise UnusablePassword.

    It takes some 50 ms: not inside a transaction that writes.
    """
    return _hash(check_password(password), random_bytes)


def verify_password(hashed: str | None, password: str) -> Verdict:
    """Say whether `password` is the one that was hashed.

    Without a hash it takes as long and is wrong, so that the time of an answer does not tell who is known.
    """
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - help answers without it

    hasher, plain, compared = _hasher(), check_password(password), hashed or _of_nobody()
    try:
        with _turns:
            hasher.verify(compared, plain)
    except (VerificationError, InvalidHashError):
        return Verdict(is_right=False)
    if hashed is None:
        return Verdict(is_right=False)
    return Verdict(is_right=True, is_outdated=hasher.check_needs_rehash(hashed))


def _hash(plain: str, random_bytes: RandomBytes) -> str:
    with _turns:
        return _hasher().hash(plain, salt=random_bytes(_SALT_BYTES))


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # noqa: PLC0415

    return PasswordHasher()  # the second recommended option of RFC 9106: 64 MiB, 3 passes


@cache
def _of_nobody() -> str:
    """Return the hash of a password that nobody knows."""
    return _hash(os.urandom(32).hex(), os.urandom)
