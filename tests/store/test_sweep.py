import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.builders import DAY, DIGEST, LATER, MARCH, NOW, a_file, a_published_run, a_request, a_store, received
from tieout.store.artifacts import ArtifactRemoved
from tieout.store.folders import DataFolderOfAnotherState
from tieout.store.locks import lock
from tieout.store.publish import begin_run
from tieout.store.runs import RunFilesGone
from tieout.store.sweep import DIED, apply_retention, sweep

ROOT = Path(__file__).parents[2]
NO_GRACE = timedelta()


def swept(store, *, now=LATER, grace=NO_GRACE, dry_run=False):
    return [
        (one.kind, one.path.name) for one in sweep(store.state, store.folders, now=now, grace=grace, dry_run=dry_run)
    ]


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "locks" not in path.parts)


def age(path, by=timedelta(days=3)):
    for place in (path, *path.rglob("*")):
        when = place.stat().st_mtime - by.total_seconds()
        os.utime(place, (when, when))


def test_nothing_is_removed_where_everything_is_referred_to(store):
    a_published_run(store, a_request(store, config="a = 1"))
    a_published_run(store, a_request(store, config="a = 2"), now=NOW + DAY)
    before = everything(store.folders.data_dir)
    assert swept(store) == []
    assert everything(store.folders.data_dir) == before


def test_content_that_no_run_read_goes_and_comes_back_when_it_is_received_again(store):
    run = a_published_run(store, a_request(store)).run
    alone = received(store, "never read by a run")
    assert swept(store) == [("artifact", alone)]
    with pytest.raises(ArtifactRemoved):
        store.artifacts.get(alone)
    assert [store.artifacts.verify(given.artifact_id).artifact_id for given in run.inputs]
    assert received(store, "never read by a run") == alone
    assert store.artifacts.verify(alone)
    assert len(store.artifacts.receipts_of(alone)) == 2


def test_content_is_spared_for_the_grace_period_after_its_latest_receipt(store):
    alone = received(store, "early", at=NOW)
    received(store, "early", at=NOW + 2 * DAY)
    assert swept(store, now=NOW + 3 * DAY, grace=DAY) == []
    assert swept(store, now=NOW + 3 * DAY + timedelta(seconds=1), grace=DAY) == [("artifact", alone)]


def test_content_that_another_tenant_s_run_read_stays(store, tmp_path):
    with a_store(tmp_path / "data", tenant="other") as other:
        received(store, "shared")
        a_published_run(other, a_request(other, ours="shared", theirs="shared"))
        assert swept(store) == []


def test_content_and_halves_without_any_record_go_when_they_are_old(store):
    orphan = store.folders.artifact(DIGEST)
    orphan.parent.mkdir()
    orphan.write_text("placed, and then the process died")
    half = store.folders.incoming / "tmpabc"
    half.write_text("half")
    recent = max(path.stat().st_mtime for path in (orphan, half))
    now = NOW.fromtimestamp(recent + 5, NOW.tzinfo)
    assert swept(store, now=now, grace=timedelta(seconds=10)) == []
    assert swept(store, now=now, grace=timedelta(seconds=1)) == [("artifact", DIGEST), ("incoming", "tmpabc")]
    assert list(store.folders.incoming.iterdir()) == []


def test_a_half_that_a_living_process_writes_stays(store):
    half = store.folders.incoming / "tmpabc"
    with lock(half):
        assert swept(store) == []
    assert swept(store) == [("incoming", "tmpabc")]


def test_a_file_that_is_just_being_received_stays(store, tmp_path):
    seen = []
    path = a_file(tmp_path, "content")
    kept = store.artifacts.receive(
        path, received_by="ann", received_at=NOW, on_progress=lambda _: seen.append(swept(store))
    )
    assert seen == [[]]
    assert store.artifacts.verify(kept.artifact_id) == kept


def test_sweeps_and_arrivals_do_not_disturb_each_other(store):
    with ThreadPoolExecutor(2) as threads:
        arriving = threads.submit(lambda: [received(store, f"content {number}") for number in range(60)])
        while not arriving.done():
            assert swept(store, now=NOW.replace(year=2020)) == []
    assert [store.artifacts.verify(artifact_id).artifact_id for artifact_id in arriving.result()] == arriving.result()


def test_two_sweeps_at_once_remove_each_thing_once(store):
    alone = {received(store, f"alone {number}") for number in range(30)}
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: swept(store), range(2))
    assert sorted(first + second) == sorted(("artifact", one) for one in alone)


def test_work_of_a_living_process_stays_and_that_of_a_dead_one_goes_and_its_run_is_on_record_as_failed(store):
    command = [sys.executable, "-m", "tests.store.publishing", str(store.folders.data_dir), "hold", "a = 1"]
    holder = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "holding\n"
    run_id = a_request(store, config="a = 1").run_id("default")
    assert swept(store) == []
    assert (store.folders.work_of(run_id) / "checkpoint").read_text() == "half"
    holder.kill()
    holder.communicate(timeout=60)
    assert swept(store) == [("work", run_id)]
    run = store.runs.get_run(run_id)
    assert (run.status, run.failure, run.finished_at) == ("failed", DIED, LATER)
    assert list(store.folders.locks.glob("run-*")) == []


def test_work_of_a_dead_process_is_kept_for_a_resume_during_the_grace_period(store):
    with begin_run(store.runs, a_request(store), now=NOW) as active:
        (active.work_dir / "checkpoint").write_text("half")
    written_at = NOW.fromtimestamp((active.work_dir / "checkpoint").stat().st_mtime, NOW.tzinfo)
    age(active.work_dir.parent)
    os.utime(active.work_dir / "checkpoint", (written_at.timestamp(),) * 2)  # the youngest file decides
    assert swept(store, now=written_at + timedelta(hours=1), grace=DAY) == []
    assert store.runs.get_run(active.run_id).status == "running"


def test_a_run_folder_without_a_published_run_goes(store):
    (store.folders.run(DIGEST) / "facts").mkdir(parents=True)
    (store.folders.run(DIGEST) / "facts" / "match.parquet").write_text("x")
    assert swept(store) == [("run", DIGEST)]
    assert list(store.folders.runs.iterdir()) == []


def test_what_is_not_ours_is_left_alone(store):
    for folder in (store.folders.runs, store.folders.work, store.folders.artifacts / "ab"):
        (folder / "notes").mkdir(parents=True)
    assert swept(store) == []
    assert (store.folders.runs / "notes").is_dir()


def test_a_dry_run_says_what_would_go_and_removes_nothing(store):
    received(store, "alone")
    (store.folders.run(DIGEST)).mkdir()
    (store.folders.incoming / "tmpabc").write_text("half")
    with begin_run(store.runs, a_request(store), now=NOW) as active:
        pass
    before = everything(store.folders.data_dir)
    foreseen = swept(store, dry_run=True)
    assert everything(store.folders.data_dir) == before
    assert store.runs.get_run(active.run_id).status == "running"
    assert len(foreseen) == 4
    assert swept(store) == foreseen
    assert swept(store) == []


def test_the_bytes_of_what_goes_are_told(store):
    received(store, "12345")
    [gone] = sweep(store.state, store.folders, now=LATER, grace=NO_GRACE)
    assert gone.byte_count == 5


def test_a_sweep_under_the_wrong_state_database_is_refused(store, tmp_path):
    a_published_run(store, a_request(store))
    with a_store(tmp_path / "elsewhere") as stranger, pytest.raises(DataFolderOfAnotherState):
        sweep(stranger.state, store.folders, now=LATER, grace=NO_GRACE)
    store.folders.mark.unlink()
    with pytest.raises(DataFolderOfAnotherState):
        sweep(store.state, store.folders, now=LATER, grace=NO_GRACE)


# Retention.


def two_runs(store):
    first = a_published_run(store, a_request(store, config="a = 1"), now=NOW).run
    second = a_published_run(store, a_request(store, config="a = 2"), now=NOW + DAY).run
    return first, second


def test_files_of_runs_superseded_long_ago_are_dropped_and_that_is_on_record(store):
    first, second = two_runs(store)
    assert apply_retention(store.runs, now=NOW + 31 * DAY, keep_days=30) == ()
    now = NOW + 31 * DAY + timedelta(microseconds=1)
    [dropped] = apply_retention(store.runs, now=now, keep_days=30)
    assert (dropped.run_id, dropped.window, dropped.superseded_at) == (first.run_id, MARCH, NOW + DAY)
    assert dropped.byte_count == sum(file.byte_count for file in first.files)
    assert not store.folders.run(first.run_id).exists()
    kept = store.runs.get_run(first.run_id)
    assert (kept.status, kept.files_dropped_at, kept.files) == ("superseded", now, first.files)
    with pytest.raises(RunFilesGone):
        store.runs.file_path(kept, "match")
    assert store.runs.damaged_files(second) == ()
    assert store.runs.run_as_of(MARCH, NOW) == kept
    assert apply_retention(store.runs, now=now, keep_days=30) == ()


def test_the_current_run_is_never_dropped_however_old(store):
    run = a_published_run(store, a_request(store)).run
    assert apply_retention(store.runs, now=LATER, keep_days=1) == ()
    assert store.runs.damaged_files(run) == ()


def test_a_run_that_came_back_counts_from_when_it_was_superseded_last(store):
    two_runs(store)
    a_published_run(store, a_request(store, config="a = 1"), now=NOW + 50 * DAY)
    a_published_run(store, a_request(store, config="a = 3"), now=NOW + 60 * DAY)
    dropped = apply_retention(store.runs, now=NOW + 85 * DAY, keep_days=30)
    assert [store.runs.get_run(one.run_id).config for one in dropped] == ["a = 2"]


def test_dropping_nothing_but_saying_what_would_be_dropped(store):
    first, _ = two_runs(store)
    foreseen = apply_retention(store.runs, now=LATER, keep_days=30, dry_run=True)
    assert store.runs.get_run(first.run_id).files_dropped_at is None
    assert store.runs.damaged_files(first) == ()
    assert apply_retention(store.runs, now=LATER, keep_days=30) == foreseen


def test_a_run_that_is_being_computed_anew_is_not_dropped_meanwhile(store):
    two_runs(store)
    with begin_run(store.runs, a_request(store, config="a = 1"), now=NOW + 2 * DAY):
        assert apply_retention(store.runs, now=LATER, keep_days=30) == ()
    assert len(apply_retention(store.runs, now=LATER, keep_days=30)) == 1


def test_inputs_of_a_dropped_run_stay_so_that_it_can_be_run_again(store):
    first, _ = two_runs(store)
    apply_retention(store.runs, now=LATER, keep_days=30)
    swept(store)
    again = a_published_run(store, first.request, now=LATER)
    assert again.outcome == "restored"
    assert store.runs.damaged_files(again.run) == ()


def test_what_a_crash_left_of_a_dropped_run_goes_with_the_sweep(store):
    first, _ = two_runs(store)
    apply_retention(store.runs, now=LATER, keep_days=30)
    store.folders.run(first.run_id).mkdir()
    assert swept(store) == [("run", first.run_id)]


ACTIONS = st.one_of(
    st.tuples(st.just("receive"), st.integers(0, 3)),
    st.tuples(st.just("publish"), st.integers(0, 3)),
    st.tuples(st.just("abandon"), st.integers(0, 3)),
    st.tuples(st.just("retain"), st.integers(1, 40)),
    st.tuples(st.just("sweep"), st.integers(0, 40)),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(st.tuples(st.sampled_from(["acme", "other"]), ACTIONS), min_size=2, max_size=14))
def test_whatever_happens_nothing_that_is_referred_to_is_ever_removed(tmp_path_factory, actions):
    data_dir = tmp_path_factory.mktemp("world") / "data"
    stores = {tenant: a_store(data_dir, tenant) for tenant in ("acme", "other")}
    clock = NOW.replace(year=2090)  # after the time of every file, so that only references protect them
    for tenant, (verb, number) in actions:
        store, clock = stores[tenant], clock + DAY
        if verb == "receive":
            received(store, f"alone {number}", at=clock)
        elif verb == "publish":
            a_published_run(store, a_request(store, ours=f"{number % 2}", config=f"a = {number}"), now=clock)
        elif verb == "abandon":
            begin_run(store.runs, a_request(store, config=f"b = {number}"), now=clock).close()
        elif verb == "retain":
            apply_retention(store.runs, now=clock, keep_days=number)
        else:
            sweep(store.state, store.folders, now=clock, grace=number * DAY)
        assert_everything_referred_to_is_there(stores.values())
    sweep(store.state, store.folders, now=clock + DAY, grace=NO_GRACE)
    assert_everything_referred_to_is_there(stores.values())
    assert_nothing_else_is_there(stores.values(), store.folders)
    for store in stores.values():
        store.close()


def runs_of(stores):
    return [(store, run) for store in stores for run in store.runs.list_runs(limit=1000).runs]


def assert_everything_referred_to_is_there(stores):
    for store, run in runs_of(stores):
        for read in run.inputs:
            store.artifacts.verify(read.artifact_id)
        if run.is_published and run.files_dropped_at is None:
            assert store.runs.damaged_files(run) == ()
        assert run.status != "published" or run.files_dropped_at is None


def assert_nothing_else_is_there(stores, folders):
    known = runs_of(stores)
    assert {path.name for path in folders.runs.iterdir()} == {
        run.run_id for _, run in known if run.is_published and run.files_dropped_at is None
    }
    assert {path.name for path in folders.artifacts.glob("??/*")} == {
        read.artifact_id for _, run in known for read in run.inputs
    }
    assert list(folders.work.iterdir()) == list(folders.incoming.iterdir()) == list(folders.locks.glob("run-*")) == []
