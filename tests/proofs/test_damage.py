"""One byte is flipped in a file of a log, and the file is named; several at once, and each is named."""

import random
import shutil

import pytest

from tests.proofs.builders import ORIGIN, SIGNER, a_log, files_of
from tieout.proofs import notes
from tieout.proofs.damage import find_damage
from tieout.proofs.tiles import LogDamaged, LogOfAnotherOrigin, TileLog


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A log with three levels, and narrow forms of tiles that earlier checkpoints needed."""
    return a_log(tmp_path_factory.mktemp("deep"), 300, 69_650, 50)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return a_log(tmp_path_factory.mktemp("small"), 520, 80)


@pytest.fixture
def reopened(tmp_path):
    """Copies a log and opens the copy."""

    def copy(log):
        shutil.copytree(log.folder, tmp_path / "log")
        return TileLog.open(tmp_path / "log", ORIGIN)

    return copy


def flip(path, place, bit=0):
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def named(log):
    return [str(each.path.relative_to(log.folder)) for each in find_damage(log)]


def detect(folder):
    """What a reader who trusts the key alone says of a log: the files named."""
    try:
        log = TileLog.open(folder, ORIGIN)
        notes.verify_note(log.note, [SIGNER.verifier_key])
    except (LogDamaged, LogOfAnotherOrigin) as error:
        return [str((folder / "checkpoint").relative_to(folder))] if "checkpoint" in error.subject else []
    except (notes.SignatureInvalid, notes.SignatureMissing, notes.NoteMalformed):
        return ["checkpoint"]
    return named(log)


def test_a_sound_log_has_no_damage(deep, small, tmp_path):
    assert find_damage(deep) == find_damage(small) == []
    assert find_damage(TileLog.open(tmp_path, ORIGIN)) == []


def test_a_flipped_byte_is_found_wherever_it_is_in_a_small_log(small, reopened):
    log = reopened(small)
    for name, content in files_of(log.folder).items():
        for place in range(0, len(content), 151 if "tile" in name else 1):
            flip(log.folder / name, place)
            assert detect(log.folder) == [name], (name, place)
            flip(log.folder / name, place)
    assert detect(log.folder) == []


def test_a_flipped_byte_is_found_at_every_level_of_a_deep_log(deep, reopened):
    log = reopened(deep)
    some = random.Random(7)
    names = sorted(files_of(log.folder))
    leaves = [name for name in names if name.startswith("tile/0/") and name != "tile/0/273.p/112"]
    for name in [*some.sample(leaves, 5), *(name for name in names if name not in leaves)]:
        place = some.randrange((log.folder / name).stat().st_size)
        flip(log.folder / name, place, some.randrange(8))
        assert detect(log.folder) == [name], (name, place)
        shutil.copy(deep.folder / name, log.folder / name)


def test_the_leaves_of_a_damaged_tile_are_named(deep, reopened):
    log = reopened(deep)
    flip(log.folder / "tile/0/002", 100)
    assert str(find_damage(log)[0]) == (
        f"{log.folder}/tile/0/002: does not have the hash that the tile above it says (leaves 512 to 767)"
    )


@pytest.mark.parametrize("name", ["tile/0/000", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"])
def test_a_file_that_is_cut_or_gone_is_named(deep, reopened, name):
    log = reopened(deep)
    content = (log.folder / name).read_bytes()
    (log.folder / name).write_bytes(content[:-1])
    assert named(log) == [name]
    assert f"has {len(content) - 1:,} bytes" in find_damage(log)[0].found
    (log.folder / name).unlink()
    assert named(log) == [name]
    assert "is missing" in find_damage(log)[0].found


def test_two_damaged_files_are_both_named_whatever_they_are(deep, reopened):
    log = reopened(deep)
    names = ["tile/0/000", "tile/0/255", "tile/0/256", "tile/0/273.p/112"]
    names += ["tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]
    some = random.Random(11)
    for _ in range(8):
        chosen = some.sample(names, 2)
        for name in chosen:
            flip(log.folder / name, some.randrange((log.folder / name).stat().st_size))
        assert set(chosen) <= set(detect(log.folder)), chosen
        for name in chosen:
            shutil.copy(deep.folder / name, log.folder / name)


def test_leaves_put_in_the_place_of_others_are_found_though_all_tiles_agree(small, tmp_path):
    # Who writes the tiles anew, levels and all, cannot write the root that was signed.
    other = a_log(tmp_path / "other", 600)
    flip(other.folder / "tile/0/000", 0)
    forged = TileLog.open(tmp_path / "forged", ORIGIN)
    with forged.writing() as writer:
        writer.append(leaf for leaf in other.leaves())
        writer.publish(notes.sign_checkpoint(ORIGIN, writer.size, writer.root(), SIGNER))
    assert find_damage(forged) == []
    (forged.folder / "checkpoint").write_text(small.note)
    assert named(TileLog.open(forged.folder, ORIGIN)) != []


def test_what_lies_beyond_the_checkpoint_is_no_damage(small, reopened):
    log = reopened(small)
    with log.writing() as writer:
        writer.append(bytes(32 * 5_000))
    assert "tile/0/018" in files_of(log.folder)
    assert find_damage(log) == []


def test_an_older_log_put_back_is_not_consistent_with_what_was_signed_since(tmp_path):
    log = a_log(tmp_path / "log", 300)
    shutil.copytree(log.folder, tmp_path / "backup")
    a_log(tmp_path / "log", 100)
    with pytest.raises(Exception, match="has 300 leaves on disk, and 400 are known of"):
        TileLog.open(tmp_path / "backup", ORIGIN).writing(at_size=400).__enter__()
