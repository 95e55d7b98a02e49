"""Access tokens: JSON Web Tokens signed with HS256, read by every process without asking the database. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tieout.control.access.caller import NotSignedIn
from tieout.control.access.rules import ACCESS_TOKEN_LASTS, CLOCK_SKEW, SigningSecret

ALGORITHM = "HS256"
KEY_PREFIX = "tk_"
REFRESH_PREFIX = "tr_"
MAX_TOKEN = 16_384
"""Characters of the longest token that is looked at."""

_LAST_SECOND = 253_402_300_799  # of the year 9999, the last that a datetime can name


@dataclass(frozen=True)
class AccessClaims:
    """What an access token says."""

    user_id: str
    tenant: str
    roles: tuple[str, ...]
    permissions: tuple[str, ...]
    issued: datetime
    expires: datetime
    token_id: str

    def is_current(self, now: datetime) -> bool:
        """Whether the token has begun, by a clock that may be wrong by CLOCK_SKEW, and has not ended."""
        return self.issued <= now + CLOCK_SKEW and now < self.expires


class SignedByUnknown(NotSignedIn):
    """An access token names a secret that is not among the known ones."""

    code = "signed_by_unknown"


def digest_of(text: str) -> str:
    """Return the SHA-256 under which a random token or key is kept and looked up."""
    return hashlib.sha256(text.encode()).hexdigest()


def refused() -> NotSignedIn:
    """Return the one answer to a token or key that is not good; it does not say why."""
    return NotSignedIn("Sign in first: the request has no valid token.")


def sign_token(claims: AccessClaims, secret: SigningSecret) -> str:
    """Return the access token that says `claims`."""
    from joserfc import jwt  # noqa: PLC0415 - help answers without it
    from joserfc.jwk import OctKey  # noqa: PLC0415

    said = {
        "sub": claims.user_id,
        "tenantId": claims.tenant,
        "aud": claims.tenant,
        "roles": list(claims.roles),
        "permissions": list(claims.permissions),
        "iat": int(claims.issued.timestamp()),
        "exp": int(claims.expires.timestamp()),
        "jti": claims.token_id,
    }
    header = {"alg": ALGORITHM, "kid": secret.secret_id}
    return jwt.encode(header, said, OctKey.import_key(secret.key), [ALGORITHM])


def read_token(text: str, secrets: Mapping[str, SigningSecret]) -> tuple[AccessClaims, str]:
    """Return what an access token says and the id of the secret that signed it; its times are not looked at.

    Raises NotSignedIn for any text that none of `secrets` signed with HS256 or that does not say what it must, and
    SignedByUnknown where it names another secret.
    """
    from joserfc import jwt  # noqa: PLC0415
    from joserfc.errors import JoseError  # noqa: PLC0415
    from joserfc.jwk import GuestProtocol, Key, OctKey  # noqa: PLC0415

    signed_by: list[str] = []

    def key_of(token: GuestProtocol) -> Key:
        secret_id = token.headers().get("kid")
        if not isinstance(secret_id, str) or secret_id not in secrets:
            raise SignedByUnknown("The access token was signed with a secret that is not known.")
        signed_by.append(secret_id)
        return OctKey.import_key(secrets[secret_id].key)

    try:
        said = jwt.decode(text, key_of, [ALGORITHM]).claims
    except SignedByUnknown:
        raise
    # Whatever a stranger's bytes make the parser raise, they are no token.
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise refused() from None
    return _claims(said), signed_by[0]


def _claims(said: Mapping[str, Any]) -> AccessClaims:
    issued, expires = _second(said.get("iat")), _second(said.get("exp"))
    if (
        issued is None
        or expires is None
        or not (
            all(_is_text(said.get(name)) for name in ("sub", "tenantId", "jti"))
            and said.get("aud") == said["tenantId"]
            and _are_texts(said.get("roles"))
            and _are_texts(said.get("permissions"))
            and 0 < expires - issued <= ACCESS_TOKEN_LASTS.total_seconds()
        )
    ):
        raise refused()
    return AccessClaims(
        user_id=said["sub"],
        tenant=said["tenantId"],
        roles=tuple(said["roles"]),
        permissions=tuple(said["permissions"]),
        issued=datetime.fromtimestamp(issued, UTC),
        expires=datetime.fromtimestamp(expires, UTC),
        token_id=said["jti"],
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _second(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= _LAST_SECOND else None
