from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proofs import oracle
from tests.proofs.builders import ORIGIN, SIGNER, a_log, extend, files_of, leaf_hashes
from tieout.proofs import merkle, notes, tiles
from tieout.proofs.tiles import TileLog


def test_paths_are_those_of_the_standard():
    assert tiles.tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tiles.tile_path(2, 0, 1) == "tile/2/000.p/1"
    assert tiles.tile_path(1, 1000) == "tile/1/x001/000"


@given(st.integers(0, 63), st.integers(0, 10**18 - 1), st.integers(1, 256))
def test_a_path_leads_back_to_its_tile(level, number, width):
    assert tiles.parse_tile_path(tiles.tile_path(level, number, width)) == (level, number, width)


@given(st.text("0123456789x/.p", max_size=14).map(lambda text: f"tile/{text}"))
def test_a_tile_has_one_path(text):
    found = tiles.parse_tile_path(text)
    assert found is None or tiles.tile_path(*found) == text


def test_a_tile_is_found_as_wide_as_the_log_has_it(tmp_path):
    log = a_log(tmp_path, 300)
    hashes = leaf_hashes(300)
    assert log.find_tile(0, 0, 256) == hashes[: 256 * 32]
    assert log.find_tile(0, 1, 44) == hashes[256 * 32 :]
    assert log.find_tile(0, 1, 3) == hashes[256 * 32 : 259 * 32]
    for missing in ((0, 1, 45), (0, 1, 256), (0, 2, 1), (1, 0, 2), (2, 0, 1), (63, 0, 1)):
        assert log.find_tile(*missing) is None


def test_a_tree_of_seventy_thousand_has_the_tiles_the_standard_counts():
    listed = list(tiles.list_tiles(70_000))
    assert len([tile for tile in listed if tile[0] == 0]) == 274
    assert listed[273:] == [(0, 273, 112), (1, 0, 256), (1, 1, 17), (2, 0, 1)]
    assert list(tiles.list_tiles(256)) == [(0, 0, 256), (1, 0, 1)]


def test_a_new_log_is_empty_and_nothing_is_made_by_opening_it(tmp_path):
    log = TileLog.open(tmp_path / "log", ORIGIN)
    assert (log.size, log.root(), log.note) == (0, merkle.EMPTY_ROOT, "")
    assert not log.folder.exists()


@given(counts=st.lists(st.integers(0, 600), min_size=1, max_size=4), data=st.data())
@settings(max_examples=15, deadline=None)
def test_a_log_says_what_the_tree_in_memory_says(tmp_path_factory, counts, data):
    log = a_log(tmp_path_factory.mktemp("log"), *counts)
    size = sum(counts)
    hashes = leaf_hashes(size)
    assert log.size == size
    assert b"".join(log.leaves()) == hashes
    assert log.root() == merkle.root_of(hashes)
    if size:
        at, index = data.draw(st.integers(1, size)), data.draw(st.integers(0, size - 1))
        leaves = [hashes[place * 32 : place * 32 + 32] for place in range(at)]
        assert log.root(at) == oracle.root(leaves)
        assert log.consistency(at) == merkle.consistency(at, size, merkle.nodes_of(hashes))
        assert log.inclusion(index) == merkle.inclusion(index, size, merkle.nodes_of(hashes))
        assert log.inclusion(min(index, at - 1), at) == oracle.path(min(index, at - 1), leaves)
        assert b"".join(log.leaves(index, at)) == hashes[index * 32 : at * 32]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The files of a log of 70,000 leaves that came at once."""
    return files_of(a_log(tmp_path_factory.mktemp("whole"), 70_000).folder)


@pytest.mark.parametrize("counts", [(1, 255, 69_744), (65_536, 4_464)])
def test_the_same_leaves_give_the_same_files_however_they_came(tmp_path, whole, counts):
    log = a_log(tmp_path / "log", *counts)
    present = {name for name in files_of(log.folder) if "tile" in name}
    wanted = {tiles.tile_path(*tile) for tile in tiles.list_tiles(70_000)}
    assert wanted <= present
    assert whole.items() <= files_of(log.folder).items()
    # What is left of earlier checkpoints are the narrow forms of tiles that are not full yet.
    assert {name.rpartition("/")[0] for name in present - wanted} <= {"tile/0/273.p", "tile/1/001.p"}
    index = 66_000
    assert merkle.is_included(log.leaf(index), index, 70_000, log.inclusion(index), log.root())


def test_leaves_may_come_in_pieces(tmp_path):
    log = TileLog.open(tmp_path / "log", ORIGIN)
    with log.writing() as writer:
        hashes = leaf_hashes(1000)
        assert writer.append(hashes[place : place + 320] for place in range(0, 32_000, 320)) == range(1000)
        assert writer.append([]) == range(1000, 1000)
        with pytest.raises(ValueError, match="33 bytes are not"):
            writer.append(b"x" * 33)
        assert writer.root() == merkle.root_of(hashes)


def test_more_than_a_million_leaves_are_taken_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(tiles, "_CHUNK_BYTES", 32 * 700)
    log = a_log(tmp_path / "log", 5_000)
    assert log.root() == merkle.root_of(leaf_hashes(5_000))


def test_what_was_not_published_is_forgotten(tmp_path):
    log = a_log(tmp_path / "log", 300)
    before = log.root()
    with log.writing() as writer:
        writer.append(leaf_hashes(1000, 5_000))
    assert (log.size, TileLog.open(log.folder, ORIGIN).size, log.root()) == (300, 300, before)
    extend(log, 50)
    assert log.root() == merkle.root_of(leaf_hashes(350))


def test_what_was_published_counts_though_its_writer_failed_afterwards(tmp_path):
    log = a_log(tmp_path / "log", 300)
    with suppress(RuntimeError), log.writing() as writer:
        writer.append(leaf_hashes(20, 300))
        writer.publish(notes.sign_checkpoint(ORIGIN, writer.size, writer.root(), SIGNER))
        writer.append(leaf_hashes(20, 320))
        raise RuntimeError
    assert log.size == TileLog.open(log.folder, ORIGIN).size == 320
    assert log.root() == merkle.root_of(leaf_hashes(320))


def test_a_reader_of_an_earlier_checkpoint_reads_on_while_the_log_grows(tmp_path):
    log = a_log(tmp_path / "log", 300)
    early = TileLog.open(log.folder, ORIGIN)
    extend(log, 70_000)
    assert early.root() == merkle.root_of(leaf_hashes(300))
    assert merkle.is_included(early.leaf(299), 299, 300, early.inclusion(299), early.root())
    assert merkle.is_consistent(300, log.size, log.consistency(300), early.root(), log.root())


def test_a_log_has_one_writer_and_readers_beside_it(tmp_path):
    log = a_log(tmp_path / "log", 10)
    with log.writing():
        assert TileLog.open(log.folder, ORIGIN).root() == log.root()
        with pytest.raises(tiles.LogHasWriter, match="Another process is appending"), log.writing():
            pass


def test_a_log_that_lost_its_checkpoint_does_not_begin_anew(tmp_path):
    log = a_log(tmp_path / "log", 10)
    (log.folder / "checkpoint").unlink()
    with pytest.raises(tiles.LogSizeUnexpected, match="has 0 leaves on disk, and 10 are known of"):
        log.writing(at_size=10).__enter__()


def test_a_checkpoint_of_another_log_is_named(tmp_path):
    log = a_log(tmp_path / "log", 10)
    with pytest.raises(tiles.LogOfAnotherOrigin, match="holds the log tieout.example/acme/ads, not other"):
        TileLog.open(log.folder, "other")


def test_only_a_checkpoint_of_the_log_as_it_is_may_be_published(tmp_path):
    log = a_log(tmp_path / "log", 10)
    root = log.root()
    with log.writing() as writer:
        writer.append(leaf_hashes(1, 10))
        for origin, size, said in ((ORIGIN, 10, root), (ORIGIN, 11, root), ("other", 11, writer.root())):
            with pytest.raises(tiles.LogSizeUnexpected, match="The checkpoint to publish says"):
                writer.publish(notes.sign_checkpoint(origin, size, said, SIGNER))


def test_a_checkpoint_can_be_published_again_with_more_signatures(tmp_path):
    log = a_log(tmp_path / "log", 10)
    witness = notes.Signer("witness.example/w1", bytes(32))
    note = notes.cosign(log.note, witness, 1_700_000_000)
    with log.writing() as writer:
        writer.publish(note)
    assert TileLog.open(log.folder, ORIGIN).note == log.note == note


def test_the_past_beyond_the_end_is_not_told(tmp_path):
    log = a_log(tmp_path / "log", 10)
    with pytest.raises(tiles.LogSizeUnexpected, match="has 10 leaves; 11 were asked for"):
        log.root(11)


@pytest.mark.parametrize(("size", "place"), [(1000, 0), (1000, 999), (70_000, 65_537), (600, 511)])
def test_the_first_leaf_in_which_two_logs_differ_is_found(tmp_path, size, place):
    ours, theirs = a_log(tmp_path / "ours", size), TileLog.open(tmp_path / "theirs", ORIGIN)
    hashes = leaf_hashes(size + 5)
    with theirs.writing() as writer:
        writer.append(hashes[: place * 32] + merkle.hash_leaf(b"other") + hashes[place * 32 + 32 :])
        writer.publish(notes.sign_checkpoint(ORIGIN, writer.size, writer.root(), SIGNER))
    assert tiles.first_difference(ours, theirs) == tiles.first_difference(theirs, ours) == place


def test_a_log_that_is_longer_does_not_differ(tmp_path):
    assert tiles.first_difference(a_log(tmp_path / "a", 700), a_log(tmp_path / "b", 1300)) is None
    assert tiles.first_difference(a_log(tmp_path / "a", 0), TileLog.open(tmp_path / "c", ORIGIN)) is None
