"""The keys with which a tenant signs its logs: made, replaced, revoked, and the history that others are shown.

One key of a tenant signs at a time. Replaced, it still verifies what it signed; revoked, nothing that it signed holds,
for whoever has it can sign with any date. A key says what it is in a signed note, which the key before it signs too, so
that who trusts the first can follow to the last. Private keys are sealed, and opened for no longer than they sign.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from tieout.control.audit.actions import Entry, record
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError
from tieout.core.ids import RandomBytes
from tieout.core.sealing import Sealer
from tieout.proofs.notes import KEY_BYTES, Note, Signer, VerifierKey, parse_note, sign_note, verify_note
from tieout.store.state import State
from tieout.store.tables import proofs_key


class NoSigningKey(TieoutError):
    """The tenant has no key that signs, so nothing was signed."""

    code = "no_signing_key"
    http_status = 409


class SigningKeyUnknown(TieoutError):
    """The tenant has no signing key with that number."""

    code = "signing_key_unknown"
    http_status = 404


class SigningKeyRevoked(TieoutError):
    """A signing key is to be revoked that was revoked before."""

    code = "signing_key_revoked"
    http_status = 409


class SigningKeyUsed(TieoutError):
    """A key is to sign that was replaced or revoked before."""

    code = "signing_key_used"
    http_status = 409


class SigningKeyDamaged(TieoutError):
    """What the state database holds of a signing key was changed."""

    code = "signing_key_damaged"
    http_status = 500


class PrivateKeyUnreadable(TieoutError):
    """A text is no Ed25519 private key in PEM."""

    code = "private_key_unreadable"


@dataclass(frozen=True)
class SigningKey:
    """What may be known of a signing key. `statement` is the signed note in which it says what it is."""

    tenant: str
    number: int
    public_key: bytes
    statement: str
    made_at: datetime
    made_by: str
    retired_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_why: str | None = None

    @property
    def is_current(self) -> bool:
        """Whether it signs."""
        return self.retired_at is None and self.revoked_at is None

    @property
    def verifies(self) -> bool:
        """Whether what it signed holds."""
        return self.revoked_at is None

    def verifier(self, origin: str) -> VerifierKey:
        """Return the key as the standard's verifier key of the log `origin`."""
        return VerifierKey(origin, self.public_key)


@dataclass(frozen=True)
class SigningKeys:
    """The signing keys of one tenant; `state` sees its rows."""

    state: State
    tenant: str
    sealer: Sealer
    now: Callable[[], datetime]
    random_bytes: RandomBytes = os.urandom

    def list_keys(self) -> tuple[SigningKey, ...]:
        """Return every key there ever was, the oldest first. Raises SigningKeyDamaged."""
        with self.state.reading() as connection:
            rows = self._rows(connection)
        keys = tuple(_key(row) for row in rows)
        check_history(keys)
        return keys

    def verifiers(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the keys whose signatures of the log `origin` hold, the latest first. Raises SigningKeyDamaged."""
        return tuple(key.verifier(origin) for key in reversed(self.list_keys()) if key.verifies)

    def signer(self, origin: str) -> Signer:
        """Return the key that signs the log `origin` now.

        Raises NoSigningKey, SigningKeyDamaged, and SealedOtherwise where the installation cannot open it.
        """
        with self.state.reading() as connection:
            rows = self._rows(connection)
        current = next((row for row in reversed(rows) if _key(row).is_current), None)
        if current is None:
            raise NoSigningKey(
                f"The tenant {self.tenant} has no key that signs, so nothing was signed.",
                subject=self.tenant,
                remedy="Make one with: tieout proofs keys rotate.",
            )
        check_history([_key(row) for row in rows])
        return replace(self._open(current), name=origin)

    def rotate(self, actor: Actor, private_key: bytes | None = None) -> SigningKey:
        """Make the key that signs from now on, and let the one before only verify.

        `private_key` is one that the tenant has; without it one is made.
        """

        def make(connection: Connection) -> SigningKey:
            rows = self._rows(connection)
            now, number = self.now(), max((row.number for row in rows), default=0) + 1
            former = [self._open(row) for row in rows if _key(row).is_current]
            signer = Signer(self.tenant, private_key or self.random_bytes(KEY_BYTES))
            public = signer.verifier_key.public_key
            if any(row.public_key == public.hex() for row in rows):
                raise SigningKeyUsed(
                    f"The key was one of {self.tenant} before.",
                    subject=self.tenant,
                    remedy="Make another: openssl genpkey -algorithm ed25519.",
                )
            statement = _state(self.tenant, number, public, now, [signer, *former])
            self._retire(connection, now)
            key = SigningKey(self.tenant, number, public, statement, now, actor.name)
            self._add(connection, key, self.sealer.seal(signer.private_key, self._context(number), self.random_bytes))
            self._audit(
                connection, actor, "rotated", key, {"retired": [row.number for row in rows if _key(row).is_current]}
            )
            return key

        return self.state.write(make)

    def revoke(self, number: int, why: str, actor: Actor) -> SigningKey:
        """Let nothing that a key signed hold any more, and forget its private half.

        What it signed has to be signed anew with another key. Raises SigningKeyUnknown and SigningKeyRevoked.
        """

        def revoke(connection: Connection) -> SigningKey:
            found = [_key(row) for row in self._rows(connection) if row.number == number]
            if not found:
                raise SigningKeyUnknown(
                    f"The tenant {self.tenant} has no signing key {number}.",
                    subject=str(number),
                    remedy="tieout proofs keys list shows them.",
                )
            if found[0].revoked_at is not None:
                raise SigningKeyRevoked(
                    f"The signing key {number} of {self.tenant} was revoked before, for: {found[0].revoked_why}.",
                    subject=str(number),
                )
            key = replace(found[0], revoked_at=self.now(), revoked_why=why)
            change = {"sealed": None, "revoked_us": key.revoked_at, "revoked_why": why}
            connection.execute(update(proofs_key).where(self._is_own(), proofs_key.c.number == number).values(**change))
            self._audit(connection, actor, "revoked", key, {"why": why})
            return key

        return self.state.write(revoke)

    def _rows(self, connection: Connection) -> Sequence[Row[Any]]:
        return connection.execute(select(proofs_key).where(self._is_own()).order_by(proofs_key.c.number)).all()

    def _add(self, connection: Connection, key: SigningKey, sealed: str) -> None:
        connection.execute(
            insert(proofs_key).values(
                tenant=key.tenant,
                number=key.number,
                public_key=key.public_key.hex(),
                sealed=sealed,
                statement=key.statement,
                made_us=key.made_at,
                made_by=key.made_by,
            )
        )

    def _retire(self, connection: Connection, now: datetime) -> None:
        signs = proofs_key.c.retired_us.is_(None) & proofs_key.c.revoked_us.is_(None)
        connection.execute(update(proofs_key).where(self._is_own(), signs).values(retired_us=now))

    def _audit(self, connection: Connection, actor: Actor, verb: str, key: SigningKey, delta: dict[str, Any]) -> None:
        delta = {"public_key": key.public_key.hex(), **delta}
        entry = Entry("proofs", f"signing_key.{verb}", "signing_key", str(key.number), delta)
        record(connection, self.tenant, actor, entry, now=self.now(), random_bytes=self.random_bytes)

    def _open(self, row: Row[Any]) -> Signer:
        signer = Signer(self.tenant, self.sealer.open(row.sealed, self._context(row.number)))
        if signer.verifier_key.public_key.hex() != row.public_key:
            raise _damaged(_key(row), "its public half is not that of its private half")
        return signer

    def _is_own(self) -> Any:
        return proofs_key.c.tenant == self.tenant

    def _context(self, number: int) -> str:
        return f"proofs_key/{self.tenant}/{number}"


def check_history(keys: Sequence[SigningKey]) -> None:
    """Hold each key against what it says of itself and the key before it says of it.

    `keys` are all of a tenant, the oldest first. A key that follows on a revoked one needs nobody to sign for it.
    Raises SigningKeyDamaged, which names the key.
    """
    for number, key in enumerate(keys, start=1):
        if key.number != number:
            raise _damaged(key, f"number {number} is missing")
        said = _statement(key.tenant, key.number, key.public_key, key.made_at)
        try:
            note = parse_note(key.statement)
            signed = {
                one.key.public_key for one in verify_note(note, [one.verifier(key.tenant) for one in keys[:number]])
            }
        except TieoutError as error:
            raise _damaged(key, error.what) from error
        former = keys[number - 2] if number > 1 else None
        wanted = {key.public_key} | ({former.public_key} if former is not None and _endorses(former, key) else set())
        if note.text != said or not wanted <= signed:
            raise _damaged(key, "it does not say of itself what is stored, or the key before did not sign for it")


def parse_private_key(pem: str) -> bytes:
    """Return the 32 bytes of an Ed25519 private key in PEM. Raises PrivateKeyUnreadable, which does not repeat it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - help answers without it
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        # A key from a variable of the environment often has its line breaks spelt out.
        key = load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise PrivateKeyUnreadable(
            "The text is no Ed25519 private key in PEM, or a password protects it.",
            remedy="Make one with: openssl genpkey -algorithm ed25519.",
        )
    return key.private_bytes_raw()


def _endorses(former: SigningKey, key: SigningKey) -> bool:
    return former.revoked_at is None or former.revoked_at > key.made_at


def _statement(tenant: str, number: int, public_key: bytes, made_at: datetime) -> str:
    made = made_at.astimezone(UTC).isoformat(timespec="microseconds")
    return f"tieout signing key\n{tenant}\n{number}\n{public_key.hex()}\n{made}\n"


def _state(tenant: str, number: int, public_key: bytes, made_at: datetime, signers: Sequence[Signer]) -> str:
    text = _statement(tenant, number, public_key, made_at)
    return str(Note(text, tuple(parse_note(sign_note(text, signer)).signatures[0] for signer in signers)))


def _key(row: Row[Any]) -> SigningKey:
    try:
        public_key = bytes.fromhex(row.public_key)
    except ValueError:
        public_key = b""
    key = SigningKey(
        row.tenant,
        row.number,
        public_key,
        row.statement,
        row.made_us,
        row.made_by,
        row.retired_us,
        row.revoked_us,
        row.revoked_why,
    )
    if len(public_key) != KEY_BYTES:
        raise _damaged(key, "its public half is not 32 bytes in hex")
    return key


def _damaged(key: SigningKey, why: str) -> SigningKeyDamaged:
    return SigningKeyDamaged(
        f"The signing key {key.number} of {key.tenant} in the state database was changed: {why}.",
        subject=f"proofs_key/{key.tenant}/{key.number}",
        remedy="Put the state database back from a backup, or revoke the key and sign anew.",
    )
