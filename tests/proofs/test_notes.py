"""Notes beside the examples of the standards themselves, and of the Go checksum database."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proofs.builders import COSIGNER, ORIGIN, SIGNER
from tieout.proofs import notes

EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
WITNESSED = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""  # noqa: E501 - a signature is one line
ROOT = bytes(range(32))


@pytest.fixture
def checkpoint():
    return notes.sign_checkpoint(ORIGIN, 42, ROOT, SIGNER)


@pytest.mark.parametrize(("key", "note"), [(EXAMPLE_KEY, EXAMPLE), (GO_KEY, GO_NOTE)])
def test_notes_that_others_signed_are_verified(key, note):
    known = notes.parse_verifier_key(key)
    assert str(known) == key
    assert notes.verify_note(note, [known]) == (notes.Signed(known),)
    assert str(notes.parse_note(note.encode())) == note
    with pytest.raises(notes.SignatureInvalid, match="the text or the signature was changed"):
        notes.verify_note(note.replace("i", "j", 1), [known])


def test_the_checkpoint_of_the_standard_is_read_as_it_says():
    said = notes.parse_checkpoint(WITNESSED)
    assert (said.origin, said.size, said.root.hex()[:8]) == ("example.com/behind-the-sofa", 20852163, "0ac5186a")
    assert str(said) == notes.parse_note(WITNESSED).text
    witness = notes.parse_note(WITNESSED).signatures[1]
    assert (witness.key_id.hex(), int.from_bytes(witness.value[:8], "big")) == ("8d66cf3f", 1679315147)


def test_a_checkpoint_is_the_same_bytes_each_time(checkpoint):
    assert checkpoint == notes.sign_checkpoint(ORIGIN, 42, ROOT, SIGNER)
    assert checkpoint.startswith(f"{ORIGIN}\n42\n{base64.b64encode(ROOT).decode()}\n\n— {ORIGIN} ")
    assert notes.parse_checkpoint(checkpoint) == notes.Checkpoint(ORIGIN, 42, ROOT)


def test_a_cosignature_stands_below_and_says_when(checkpoint):
    note = notes.cosign(checkpoint, COSIGNER, 1_700_000_000)
    assert note.startswith(checkpoint)
    keys = [SIGNER.verifier_key, COSIGNER.verifier_key]
    assert [(each.key.name, each.at_s) for each in notes.verify_note(note, keys)] == [
        (ORIGIN, None),
        ("witness.example/w1", 1_700_000_000),
    ]


def test_a_cosignature_at_another_instant_is_refused(checkpoint):
    signed = notes.parse_note(notes.cosign(checkpoint, COSIGNER, 1_700_000_000))
    last = signed.signatures[-1]
    moved = notes.Signature(last.name, last.key_id, (1_700_000_001).to_bytes(8, "big") + last.value[8:])
    with pytest.raises(notes.SignatureInvalid):
        notes.verify_note(notes.Note(signed.text, (moved,)), [COSIGNER.verifier_key])


def test_the_same_key_has_another_id_for_cosignatures():
    plain = COSIGNER.of_kind(notes.Kind.NOTE).verifier_key
    assert plain.public_key == COSIGNER.verifier_key.public_key
    assert plain.key_id != COSIGNER.verifier_key.key_id


def test_signatures_of_unknown_keys_are_ignored_unless_there_are_no_others(checkpoint):
    other = notes.Signer(ORIGIN, bytes(32))
    both = notes.Note(
        notes.parse_note(checkpoint).text,
        (
            *notes.parse_note(notes.sign_checkpoint(ORIGIN, 42, ROOT, other)).signatures,
            *notes.parse_note(checkpoint).signatures,
        ),
    )
    assert [each.key for each in notes.verify_note(both, [SIGNER.verifier_key])] == [SIGNER.verifier_key]
    with pytest.raises(notes.SignatureMissing, match="None of the known keys"):
        notes.verify_note(checkpoint, [other.verifier_key])


def test_one_bad_signature_of_a_known_key_spoils_a_note(checkpoint):
    parsed = notes.parse_note(checkpoint)
    good = parsed.signatures[0]
    bad = notes.Signature(good.name, good.key_id, good.value[:-1] + bytes([good.value[-1] ^ 1]))
    with pytest.raises(notes.SignatureInvalid):
        notes.verify_note(notes.Note(parsed.text, (good, bad)), [SIGNER.verifier_key])


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_of_a_checkpoint_is_refused(place, bit):
    note = bytearray(notes.sign_checkpoint(ORIGIN, 42, ROOT, SIGNER).encode())
    note[place % len(note)] ^= 1 << bit
    with pytest.raises((notes.NoteMalformed, notes.SignatureInvalid, notes.SignatureMissing)):
        notes.verify_note(bytes(note), [SIGNER.verifier_key])


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_of_a_verifier_key_is_another_key_or_none(place, bit):
    text = bytearray(str(SIGNER.verifier_key).encode())
    text[place % len(text)] ^= 1 << bit
    with pytest.raises(notes.NoteMalformed):
        notes.parse_verifier_key(text.decode("latin-1"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda note: note.replace("\n\n", "\n"), "blank line"),
        (lambda note: note[:-1], "blank line"),
        (lambda note: note + "\n", "blank line"),
        (lambda note: note.replace("— ", "- "), "no line of a signature"),
        (lambda note: note.replace("\n42\n", "\n42\t\n"), "control characters"),
        (lambda note: note.replace(" ", "\N{NO-BREAK SPACE}"), "no line of a signature"),
        (lambda note: note.replace("=\n", "\n"), "no line of a signature"),
        (lambda note: note + note.rsplit("\n", 2)[1] * 2**15, "longer than"),
        (lambda note: note + (note.rsplit("\n", 2)[1] + "\n") * 256, "more than 256 signatures"),
        (lambda note: note.encode() + b"\xff", "no UTF-8"),
        (lambda note: note.replace("42", "\ud800"), "no UTF-8"),
    ],
)
def test_what_is_no_note_is_refused_and_why(checkpoint, change, words):
    with pytest.raises(notes.NoteMalformed, match=words):
        notes.parse_note(change(checkpoint))


@pytest.mark.parametrize("size", ["042", "-1", "+4", "4.0", "", "٤"])
def test_a_number_of_leaves_has_one_spelling(checkpoint, size):
    with pytest.raises(notes.NoteMalformed, match="no checkpoint"):
        notes.parse_checkpoint(checkpoint.replace("42", size, 1) if size else checkpoint.replace("42\n", "", 1))


def test_a_name_with_a_plus_or_a_space_names_no_key():
    for name in ("", "a+b", "a b", "a\u2003b", "a\nb"):
        with pytest.raises(notes.NoteMalformed, match="cannot name a key"):
            notes.VerifierKey(name, bytes(32))


def test_a_private_key_is_not_shown():
    assert "private" not in repr(SIGNER)
    assert str(list(SIGNER.private_key)[1:4])[1:-1] not in repr(SIGNER)
