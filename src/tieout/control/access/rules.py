"""What access is made of, and its decisions: passwords, lockout, how long tokens and secrets count. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tieout.core.errors import TieoutError

MIN_PASSWORD = 8
MAX_PASSWORD = 1024
MAX_EMAIL = 254
MAX_NAME = 100

ACCESS_TOKEN_LASTS = timedelta(seconds=900)
REFRESH_TOKEN_LASTS = timedelta(days=30)
CLOCK_SKEW = timedelta(seconds=60)
"""How far the clocks of two processes may be apart."""

SIMULTANEOUS = timedelta(seconds=2)
"""Two exchanges of one refresh token that began within this are a race of one client, not a theft."""

FAILURES_BEFORE_LOCK = 5
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(hours=1)

SIGNS_AFTER = timedelta(seconds=60)
"""How long a new signing secret only verifies: by then every process knows it and can read what it signs."""

OVERLAP = timedelta(hours=24)
"""How long a replaced API key still works, unless said otherwise."""

KEY_LASTS_AT_MOST = timedelta(days=3653)
"""How far away the end of an API key may be, where it has one."""

OPEN_TENANTS = ("active", "trial")

_EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f\ud800-\udfff]{1,64}@[^\s@\x00-\x1f\x7f\ud800-\udfff]+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class UnusablePassword(TieoutError):
    """A password is too short or too long."""

    code = "unusable_password"


class UnusableEmail(TieoutError):
    """A text is no e-mail address."""

    code = "unusable_email"


@dataclass(frozen=True)
class User:
    """Someone who signs in to one tenant."""

    tenant: str
    user_id: str
    email: str
    first_name: str
    last_name: str
    password_hash: str | None = field(repr=False)
    status: str
    failed_logins: int
    locked_until: datetime | None
    last_login: datetime | None
    created: datetime

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    def is_locked(self, now: datetime) -> bool:
        """Whether too many failures in a row keep the user out at `now`."""
        return self.locked_until is not None and now < self.locked_until


@dataclass(frozen=True)
class Role:
    """A named set of permissions of one tenant."""

    tenant: str
    role_id: str
    name: str
    permissions: tuple[str, ...]
    is_system: bool
    created: datetime


@dataclass(frozen=True)
class ApiKey:
    """The record of an API key; the key itself is not kept."""

    tenant: str
    key_id: str
    name: str
    permissions: tuple[str, ...]
    created: datetime
    created_by: str
    expires: datetime | None
    revoked: datetime | None
    last_used: datetime | None
    replaced_by: str | None

    def status(self, now: datetime) -> str:
        """Return `active`, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and now >= self.expires else "active"


@dataclass(frozen=True)
class RefreshToken:
    """The record of a refresh token; the token itself is not kept."""

    tenant: str
    token_id: str
    user_id: str
    family_id: str
    issued: datetime
    expires: datetime
    used: datetime | None
    revoked: datetime | None


@dataclass(frozen=True)
class SigningSecret:
    """A secret that signs access tokens until it is retired, and verifies them until the last of those has ended."""

    secret_id: str
    key: bytes = field(repr=False)
    created: datetime
    retired: datetime | None

    def signs(self, now: datetime) -> bool:
        """Whether it is not yet retired."""
        return self.retired is None or now < self.retired

    def verifies(self, now: datetime) -> bool:
        """Whether a token that it signed may still be good."""
        return self.retired is None or now < self.retired + ACCESS_TOKEN_LASTS + CLOCK_SKEW


def secret_to_sign(secrets: Iterable[SigningSecret], now: datetime) -> SigningSecret | None:
    """Return the oldest secret that is not yet retired: its follower, which others may not know yet, comes after it."""
    return min((one for one in secrets if one.signs(now)), key=lambda one: (one.created, one.secret_id), default=None)


def check_password(password: str) -> str:
    """Return `password` in the one form in which it is hashed, whatever the keyboard; raise UnusablePassword."""
    plain = unicodedata.normalize("NFKC", password)
    is_text = not _LONE_SURROGATE.search(plain)  # else it has no bytes to hash
    if not is_text or not MIN_PASSWORD <= len(plain) <= MAX_PASSWORD or len(password) > MAX_PASSWORD:
        raise UnusablePassword(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    return plain


def plain_email(text: str) -> str:
    """Return an e-mail address as it is kept, in lower case; raise UnusableEmail."""
    email = text.strip().lower()
    if len(email) > MAX_EMAIL or not _EMAIL.fullmatch(email):
        raise UnusableEmail(f"{text[:MAX_EMAIL]!r} is no e-mail address.", subject="email")
    return email


def lock_after(failures: int, now: datetime) -> datetime | None:
    """Return until when `failures` in a row keep a user out: 1 minute after the fifth, then twice as long each."""
    if failures < FAILURES_BEFORE_LOCK:
        return None
    doublings = min(failures - FAILURES_BEFORE_LOCK, 10)
    return now + min(FIRST_LOCK * (1 << doublings), LONGEST_LOCK)


def permissions_of(roles: Sequence[Role]) -> tuple[str, ...]:
    """Return the patterns of several roles together; what one takes away, no other gives."""
    return tuple(sorted({pattern for role in roles for pattern in role.permissions}))
