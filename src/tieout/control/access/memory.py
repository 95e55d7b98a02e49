"""What a process remembers so that a request is recognised without asking the database. Bounded, and soon forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from tieout.control.access.rules import ApiKey, SigningSecret
from tieout.control.access.tokens import AccessClaims
from tieout.core.bounded import Bounded

SECRETS_LAST = timedelta(seconds=30)
"""After which the signing secrets are read again."""

SECRETS_LAST_AT_LEAST = timedelta(seconds=1)
"""Before which they are not read again, though a token names an unknown one: a stranger can write any name."""

KEY_LASTS = timedelta(seconds=5)
"""For how long an API key is taken for good after it was looked up: so long may a revoked one live."""

TOKENS_REMEMBERED = 10_000
KEYS_REMEMBERED = 10_000


@dataclass(frozen=True)
class KnownSecrets:
    """The signing secrets by id, as they were read at an instant."""

    by_id: Mapping[str, SigningSecret]
    read_at: datetime

    def are_fresh(self, now: datetime) -> bool:
        """Whether they were read less than SECRETS_LAST ago; a clock set back makes them stale."""
        return bool(self.by_id) and self.read_at <= now < self.read_at + SECRETS_LAST

    def may_have_changed(self, now: datetime) -> bool:
        """Whether they were read long enough ago to look again for one that is not among them."""
        return not self.read_at <= now < self.read_at + SECRETS_LAST_AT_LEAST


@dataclass(frozen=True)
class KnownKey:
    """An API key as it was looked up at an instant."""

    key: ApiKey
    read_at: datetime

    def is_fresh(self, now: datetime) -> bool:
        """Whether it was looked up less than KEY_LASTS ago."""
        return self.read_at <= now < self.read_at + KEY_LASTS


@dataclass
class AccessMemory:
    """One process's memory: signing secrets, access tokens that were verified, API keys that were looked up."""

    secrets: KnownSecrets | None = None
    tokens: Bounded[str, tuple[AccessClaims, str]] = field(default_factory=lambda: Bounded(TOKENS_REMEMBERED))
    keys: Bounded[str, KnownKey] = field(default_factory=lambda: Bounded(KEYS_REMEMBERED))

    def learn_secrets(self, secrets: Mapping[str, SigningSecret], now: datetime) -> KnownSecrets:
        """Remember the signing secrets that were just read."""
        self.secrets = KnownSecrets(MappingProxyType(dict(secrets)), now)
        return self.secrets

    def forget(self) -> None:
        """Forget everything, so that what this process just revoked ends here at once."""
        self.secrets = None
        self.tokens.clear()
        self.keys.clear()
