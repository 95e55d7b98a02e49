import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import select, update

from tests.proofs.builders import ORIGIN
from tieout.core.actor import Actor
from tieout.core.sealing import SealedOtherwise, Sealer
from tieout.proofs import keys as proof_keys
from tieout.proofs import notes
from tieout.proofs.keys import SigningKeys
from tieout.store.tables import audit_events, proofs_key

ANN = Actor("account:ann")
ROOT = bytes(range(32))


class Ticking:
    """A clock that a minute passes on each time it is asked."""

    def __init__(self):
        self.at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self):
        self.at += timedelta(minutes=1)
        return self.at


@pytest.fixture
def keys(state):
    return keys_of(state, "acme")


def keys_of(state, tenant):
    return SigningKeys(state.of(tenant), tenant, Sealer({"one": bytes(32)}), Ticking())


def a_checkpoint(keys):
    return notes.sign_checkpoint(ORIGIN, 42, ROOT, keys.signer(ORIGIN))


def test_nothing_is_signed_without_a_key(keys):
    assert keys.list_keys() == keys.verifiers(ORIGIN) == ()
    with pytest.raises(proof_keys.NoSigningKey, match="so nothing was signed"):
        keys.signer(ORIGIN)


def test_a_key_signs_for_every_log_of_its_tenant_and_no_other(state, keys):
    made = keys.rotate(ANN)
    assert (made.number, made.is_current, made.made_by) == (1, True, "account:ann")
    assert made == keys.list_keys()[0]
    note = a_checkpoint(keys)
    assert [each.key for each in notes.verify_note(note, keys.verifiers(ORIGIN))] == [made.verifier(ORIGIN)]
    with pytest.raises(notes.SignatureMissing):
        notes.verify_note(note, keys.verifiers("tieout.example/acme/other"))
    stranger = keys_of(state, "other")
    assert stranger.list_keys() == ()
    with pytest.raises(proof_keys.NoSigningKey):
        stranger.signer(ORIGIN)


def test_a_replaced_key_verifies_and_signs_no_more(keys):
    first = keys.rotate(ANN)
    old = a_checkpoint(keys)
    second = keys.rotate(ANN)
    assert [key.is_current for key in keys.list_keys()] == [False, True]
    assert keys.verifiers(ORIGIN) == (second.verifier(ORIGIN), first.verifier(ORIGIN))
    assert notes.verify_note(old, keys.verifiers(ORIGIN))[0].key == first.verifier(ORIGIN)
    assert notes.verify_note(a_checkpoint(keys), keys.verifiers(ORIGIN))[0].key == second.verifier(ORIGIN)


def test_what_a_revoked_key_signed_holds_no_more(state, keys):
    keys.rotate(ANN)
    note = a_checkpoint(keys)
    revoked = keys.revoke(1, "the laptop was stolen", ANN)
    assert (revoked.revoked_why, revoked.verifies, keys.verifiers(ORIGIN)) == ("the laptop was stolen", False, ())
    with pytest.raises(notes.SignatureMissing):
        notes.verify_note(note, keys.verifiers(ORIGIN))
    with pytest.raises(proof_keys.NoSigningKey):
        keys.signer(ORIGIN)
    with state.of("acme").reading() as connection:
        assert connection.scalar(select(proofs_key.c.sealed)) is None
    with pytest.raises(proof_keys.SigningKeyRevoked, match="revoked before, for: the laptop was stolen"):
        keys.revoke(1, "again", ANN)
    with pytest.raises(proof_keys.SigningKeyUnknown, match="no signing key 7"):
        keys.revoke(7, "no reason", ANN)
    assert keys.rotate(ANN).number == 2
    assert [key.verifies for key in keys.list_keys()] == [False, True]


def test_each_key_is_signed_for_by_the_one_before(keys):
    made = [keys.rotate(ANN) for _ in range(3)]
    signed = [
        {one.key.public_key for one in notes.verify_note(key.statement, [each.verifier("acme") for each in made])}
        for key in made
    ]
    one, two, three = (key.public_key for key in made)
    assert signed == [{one}, {one, two}, {two, three}]


def test_a_key_made_elsewhere_can_be_taken_and_is_used_once(keys):
    own = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    pem = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    taken = keys.rotate(ANN, proof_keys.parse_private_key(pem.replace("\n", "\\n")))
    assert taken.public_key == own.public_key().public_bytes_raw()
    with pytest.raises(proof_keys.SigningKeyUsed):
        keys.rotate(ANN, proof_keys.parse_private_key(pem))
    for text in ("", "secret", pem.replace("A", "B"), pem[:40]):
        with pytest.raises(proof_keys.PrivateKeyUnreadable) as caught:
            proof_keys.parse_private_key(text)
        assert "secret" not in str(caught.value)


def test_private_keys_are_sealed_and_open_with_the_key_of_the_installation_alone(state, keys):
    keys.rotate(ANN, bytes(range(32)))
    with state.of("acme").reading() as connection:
        row = connection.execute(select(proofs_key)).one()
    assert bytes(range(32)).hex() not in str(row)
    elsewhere = SigningKeys(state.of("acme"), "acme", Sealer({"two": bytes(32)}), Ticking())
    assert elsewhere.verifiers(ORIGIN) == keys.verifiers(ORIGIN)
    with pytest.raises(SealedOtherwise, match="proofs_key/acme/1"):
        elsewhere.signer(ORIGIN)


def test_what_was_done_to_keys_is_in_the_audit_trail(state, keys):
    keys.rotate(ANN)
    keys.rotate(ANN)
    keys.revoke(2, "lost", ANN)
    with state.of("acme").reading() as connection:
        trail = connection.execute(select(audit_events).order_by(audit_events.c.seq)).all()
    assert [(row.action, row.entity_id) for row in trail] == [
        ("signing_key.rotated", "1"),
        ("signing_key.rotated", "2"),
        ("signing_key.revoked", "2"),
    ]
    assert trail[1].delta["retired"] == [1]
    assert trail[2].delta["why"] == "lost"


def change_rows(state, number, **values):
    state.of("acme").write(
        lambda connection: connection.execute(update(proofs_key).where(proofs_key.c.number == number).values(**values))
    )


@pytest.mark.parametrize("column", ["public_key", "sealed", "statement"])
def test_a_flipped_byte_of_a_key_is_refused_and_the_key_named(state, keys, column):
    keys.rotate(ANN)
    keys.rotate(ANN)
    with state.of("acme").reading() as connection:
        text = connection.scalar(select(proofs_key.c[column]).where(proofs_key.c.number == 2))
    for place in range(0, len(text), 7):
        flipped = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        change_rows(state, 2, **{column: flipped})
        with pytest.raises((proof_keys.SigningKeyDamaged, SealedOtherwise), match="acme"):
            keys.signer(ORIGIN)
        if column != "sealed":
            with pytest.raises(proof_keys.SigningKeyDamaged, match="The signing key 2 of acme"):
                keys.list_keys()
    change_rows(state, 2, **{column: text})
    keys.signer(ORIGIN)


def test_a_key_that_somebody_put_in_the_place_of_another_is_refused(state, keys):
    keys.rotate(ANN)
    second = keys.rotate(ANN)
    forged = keys_of(state, "acme2").rotate(ANN)
    change_rows(state, 2, public_key=forged.public_key.hex(), statement=forged.statement)
    with pytest.raises(proof_keys.SigningKeyDamaged, match="The signing key 2 of acme"):
        keys.verifiers(ORIGIN)
    change_rows(state, 2, public_key=second.public_key.hex(), statement=second.statement, made_us=Ticking().at)
    with pytest.raises(proof_keys.SigningKeyDamaged, match="does not say of itself what is stored"):
        keys.verifiers(ORIGIN)


def test_a_key_that_is_missing_is_noticed(keys):
    made = [keys.rotate(ANN) for _ in range(3)]
    with pytest.raises(proof_keys.SigningKeyDamaged, match="number 2 is missing"):
        proof_keys.check_history([made[0], made[2]])


def test_two_who_rotate_at_once_make_two_keys(keys):
    makers = [threading.Thread(target=keys.rotate, args=(ANN,)) for _ in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert [(key.number, key.is_current) for key in keys.list_keys()] == [(1, False), (2, False), (3, True)]
