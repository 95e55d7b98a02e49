"""The record of sources, and that the sweep spares what it names; loading itself is tested with the intake."""

import os
from datetime import timedelta

import pytest

from tests.intake.source_builders import Desk, statement
from tests.store.builders import DAY, DIGEST, LATER, NOW
from tieout.store.artifacts import ArtifactRemoved
from tieout.store.sources import LoadCounts, LoadDraft, SourceMovedOn
from tieout.store.sweep import sweep

NO_GRACE = timedelta()


@pytest.fixture
def desk(tmp_path):
    opened = Desk(tmp_path / "data")
    yield opened
    opened.store.close()


def swept(desk, **options):
    found = sweep(desk.store.state, desk.store.folders, **{"now": LATER, "grace": NO_GRACE, **options})
    return [(one.kind, one.path.name) for one in found]


def a_draft(artifact_id, seq):
    return LoadDraft(
        source="bank",
        seq=seq,
        artifact_id=artifact_id,
        name="march.csv",
        sheet="",
        records="",
        mode="plain",
        columns=("Date",),
        key_columns=(),
        date_column="Date",
        date_format="ISO",
        counts=LoadCounts(0, 0, 0, 0, 0),
        first_day=None,
        last_day=None,
        superseded=(),
        files=(),
    )


def received(desk, text="x"):
    return desk.store.artifacts.receive(desk.file(text), received_by="ann", received_at=NOW).artifact_id


@pytest.mark.parametrize("seq", [1, 3])
def test_a_load_that_does_not_follow_the_last_one_is_refused(desk, seq):
    desk.load(statement("2024-01-01,coffee,3"))
    folder = desk.data_dir / "draft"
    folder.mkdir()
    with pytest.raises(SourceMovedOn):
        desk.store.sources.publish_load(a_draft(received(desk), seq), folder, now=NOW, actor="ann")
    assert len(desk.store.sources.get_source("bank").loads) == 1
    assert desk.rows() == ["2024-01-01,coffee,3"]


def test_a_load_of_content_that_is_not_kept_is_refused(desk):
    artifact_id = received(desk)
    swept(desk)
    folder = desk.data_dir / "draft"
    folder.mkdir()
    with pytest.raises(ArtifactRemoved):
        desk.store.sources.publish_load(a_draft(artifact_id, 1), folder, now=NOW, actor="ann")
    assert desk.store.sources.list_sources() == ()


def test_the_files_of_a_load_are_read_only(desk):
    desk.load(statement("2024-01-01,coffee,3"))
    [rows] = desk.store.folders.loads.glob("*/*")
    assert rows.stat().st_mode & 0o777 == 0o444


def test_the_sweep_spares_loads_those_taken_back_too_and_the_files_they_were_made_from(desk):
    desk.load(statement("2024-01-01,coffee,3"), statement("2024-01-02,tea,3"))
    desk.undo()
    before = desk.everything()
    assert swept(desk) == []
    assert desk.everything() == before
    assert [desk.store.artifacts.verify(load.draft.artifact_id) for load in desk.store.sources.get_source("bank").loads]


def test_the_sweep_spares_the_loads_of_every_tenant(desk):
    stranger = Desk(desk.data_dir, "stranger")
    stranger.load(statement("2024-01-01,coffee,3"))
    assert swept(desk) == []
    assert stranger.rows() == ["2024-01-01,coffee,3"]
    stranger.store.close()


def test_the_sweep_takes_the_folder_of_a_load_that_is_not_on_record_when_it_is_old(desk):
    orphan = desk.store.folders.load(DIGEST)
    orphan.mkdir()
    (orphan / "rows.parquet").write_text("placed, and then the process died")
    written = NOW.fromtimestamp((orphan / "rows.parquet").stat().st_mtime, NOW.tzinfo)
    assert swept(desk, now=written + timedelta(hours=1), grace=DAY) == []
    assert swept(desk, dry_run=True) == [("load", DIGEST)]
    assert orphan.exists()
    assert swept(desk) == [("load", DIGEST)]
    assert not orphan.exists()


def test_the_sweep_takes_a_refused_file_and_leaves_what_is_not_ours(desk):
    desk.load(statement("2024-01-01,coffee,3", "2024-01-02,tea,1"))
    with pytest.raises(Exception, match="lacks 1 row"):
        desk.load(statement("2024-01-01,coffee,3", "2024-01-02,tea,2"))
    (desk.store.folders.loads / "notes").mkdir()
    assert [kind for kind, _ in swept(desk)] == ["artifact"]
    assert (desk.store.folders.loads / "notes").is_dir()


def test_the_scratch_folder_of_a_living_process_stays_and_that_of_a_dead_one_goes(desk):
    with desk.store.folders.scratch("load") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "staged.parquet").write_text("half")
        assert swept(desk) == []
        assert (folder / "deep" / "staged.parquet").exists()
    assert not folder.exists()
    left = desk.store.folders.incoming / "load-abc"
    (left / "deep").mkdir(parents=True)
    (left / "deep" / "staged.parquet").write_text("half")
    assert swept(desk, dry_run=True) == [("incoming", "load-abc")]
    assert left.exists()
    assert swept(desk) == [("incoming", "load-abc")]
    assert list(desk.store.folders.incoming.iterdir()) == []


def test_a_scratch_folder_is_as_old_as_the_youngest_file_in_it(desk):
    left = desk.store.folders.incoming / "load-abc"
    left.mkdir()
    (left / "staged.parquet").write_text("half")
    written = NOW.fromtimestamp((left / "staged.parquet").stat().st_mtime, NOW.tzinfo)
    os.utime(left, (0, 0))
    assert swept(desk, now=written + timedelta(hours=1), grace=DAY) == []
    assert swept(desk, now=written + timedelta(hours=25), grace=DAY) == [("incoming", "load-abc")]
