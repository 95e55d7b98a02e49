import hashlib
import signal
import stat
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.store.builders import (
    DAY,
    DIGEST,
    LATER,
    MARCH,
    NOW,
    a_published_run,
    a_request,
    contents_of,
    written,
)
from tieout.store.artifacts import ArtifactRemoved, ArtifactUnknown
from tieout.store.publish import NotReproducible, RunFilesMislisted, begin_run, fail_run, publish
from tieout.store.runs import RunInput, RunRequest, Window
from tieout.store.sweep import apply_retention, sweep

ROOT = Path(__file__).parents[2]


def child(store, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.publishing", str(store.folders.data_dir), *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_back(store, run):
    return {file.path: store.runs.file_path(run, file.name).read_text() for file in run.files}


def assert_consistent(store):
    """One current run a window at most; each stretch of time ends where the next begins; every file is there."""
    for window in {one.window for one in store.runs.list_runs(limit=1000).runs}:
        history = store.runs.publications(window)
        assert [one.superseded_at for one in history] == [*(one.published_at for one in history[1:]), None][
            : len(history)
        ]
        current = store.runs.current_run(window)
        assert (current and current.run_id) == (history[-1].run_id if history else None)
        for one in history:
            run = store.runs.get_run(one.run_id)
            assert run.status == ("published" if one.run_id == current.run_id else "superseded")
            assert store.runs.damaged_files(run) == ()


def test_a_published_run_is_recorded_with_all_that_went_in_and_came_out(store):
    request = a_request(store)
    published = a_published_run(store, request)
    assert published.outcome == "published"
    run = store.runs.current_run(MARCH)
    assert run == published.run == store.runs.get_run(request.run_id("default"))
    assert run.request == request
    assert (run.status, run.started_at, run.finished_at, run.failure) == ("published", NOW, NOW, None)
    assert run.config_digest == hashlib.sha256(b"a = 1").hexdigest()
    assert (run.steps, run.summary) == (({"step": "match", "rows": 1},), {"n": 1})
    assert read_back(store, run) == contents_of(request)
    assert [(file.name, file.path, file.byte_count == file.row_count) for file in run.files] == [
        ("delta", "delta.parquet", True),
        ("match", "match.parquet", True),
    ]


def test_published_files_are_read_only_and_nothing_else_is_left(store):
    run = a_published_run(store, a_request(store)).run
    modes = {stat.S_IMODE(store.runs.file_path(run, file.name).stat().st_mode) for file in run.files}
    assert modes == {0o444}
    assert list(store.folders.work.iterdir()) == []
    assert [path.name for path in store.folders.locks.glob("run-*")] == []


def test_files_in_folders_of_a_run_keep_their_path(store):
    run = a_published_run(store, a_request(store), contents={"facts/match.parquet": "a", "b.json": "{}"}).run
    assert read_back(store, run) == {"facts/match.parquet": "a", "b.json": "{}"}


def test_the_window_points_to_the_latest_run_and_the_former_is_superseded(store):
    first = a_published_run(store, a_request(store, config="a = 1"), now=NOW).run
    second = a_published_run(store, a_request(store, config="a = 2"), now=NOW + DAY).run
    assert store.runs.current_run(MARCH) == second
    assert store.runs.get_run(first.run_id).status == "superseded"
    assert read_back(store, store.runs.get_run(first.run_id)) == contents_of(first.request)
    assert_consistent(store)


def test_windows_do_not_touch_each_other(store):
    windows = [
        MARCH,
        Window("compare", "files", "2026-04"),
        Window("compare", "other", "2026-03"),
        Window("ads", "files", "2026-03"),
    ]
    runs = [a_published_run(store, a_request(store, window=window)).run for window in windows]
    assert [store.runs.current_run(window) for window in windows] == runs


def test_publishing_the_same_run_again_changes_nothing(store):
    request = a_request(store)
    first = a_published_run(store, request, now=NOW)
    inodes = [store.runs.file_path(first.run, file.name).stat().st_ino for file in first.run.files]
    again = a_published_run(store, request, now=NOW + DAY)
    assert again.outcome == "unchanged"
    assert [store.runs.file_path(first.run, file.name).stat().st_ino for file in first.run.files] == inodes
    assert again.run == first.run
    assert len(store.runs.publications(MARCH)) == 1


def test_publishing_a_superseded_run_again_points_the_window_back_to_it(store):
    first = a_published_run(store, a_request(store, config="a = 1"), now=NOW)
    a_published_run(store, a_request(store, config="a = 2"), now=NOW + DAY)
    back = a_published_run(store, a_request(store, config="a = 1"), now=NOW + 2 * DAY)
    assert (back.outcome, back.run.run_id) == ("restored", first.run.run_id)
    assert store.runs.current_run(MARCH) == back.run == first.run
    assert_consistent(store)


def test_other_bytes_under_the_same_run_are_refused_by_the_names_of_the_files(store):
    request = a_request(store)
    first = a_published_run(store, request).run
    other = {**contents_of(request), "delta.parquet": "other"}
    with pytest.raises(NotReproducible, match=r"published: delta\. Nothing"):
        a_published_run(store, request, contents=other, now=NOW + DAY)
    with pytest.raises(NotReproducible, match=r"published: extra\. Nothing"):
        a_published_run(store, request, contents={**contents_of(request), "extra.parquet": ""}, now=NOW + DAY)
    with pytest.raises(NotReproducible, match=r"published: delta, match\. Nothing"):
        a_published_run(store, request, contents={"elsewhere/delta.parquet": "x"}, now=NOW + DAY)
    assert store.runs.current_run(MARCH) == first
    assert_consistent(store)


def test_a_run_whose_files_were_lost_or_damaged_is_made_whole_by_publishing_it_again(store):
    request = a_request(store)
    run = a_published_run(store, request).run
    place = store.runs.file_path(run, "delta")
    place.chmod(0o600)
    place.write_text("damage")
    assert store.runs.damaged_files(run) == ("delta",)
    assert a_published_run(store, request).outcome == "restored"
    assert store.runs.damaged_files(run) == ()
    store.runs.file_path(run, "match").unlink()
    assert store.runs.damaged_files(run) == ("match",)
    assert a_published_run(store, request).outcome == "restored"
    assert store.runs.damaged_files(run) == ()


def test_a_run_must_list_exactly_what_it_wrote(store):
    request = a_request(store)
    with begin_run(store.runs, request, now=NOW) as active:
        files = written(active, contents_of(request))
        for wrong, name in [(files[:1], "delta.parquet"), ((*files, files[0]), "match")]:
            with pytest.raises(RunFilesMislisted, match=name):
                publish(store.runs, active, wrong, steps=[], summary={}, now=NOW)
        (active.out_dir / "match.parquet").write_text("longer than it was when it was measured" * 100)
        with pytest.raises(RunFilesMislisted, match=r"match\.parquet"):
            publish(store.runs, active, files, steps=[], summary={}, now=NOW)
    assert store.runs.current_run(MARCH) is None


def test_a_clock_that_goes_backwards_does_not_rewrite_what_was_said_before(store):
    first = a_published_run(store, a_request(store, config="a = 1"), now=NOW).run
    second = a_published_run(store, a_request(store, config="a = 2"), now=NOW - DAY).run
    assert store.runs.run_as_of(MARCH, NOW - timedelta(seconds=1)) is None
    assert store.runs.run_as_of(MARCH, NOW).run_id == second.run_id != first.run_id
    assert_consistent(store)


def test_a_run_that_fails_says_why_and_can_be_tried_again(store):
    request = a_request(store)
    with begin_run(store.runs, request, now=NOW) as active:
        assert store.runs.get_run(active.run_id).status == "running"
        fail_run(store.runs, active, reason="no memory", now=NOW + DAY)
    failed = store.runs.get_run(active.run_id)
    assert (failed.status, failed.failure, failed.finished_at) == ("failed", "no memory", NOW + DAY)
    assert store.runs.current_run(MARCH) is None
    a_published_run(store, request, now=NOW + 2 * DAY)
    again = store.runs.get_run(active.run_id)
    assert (again.status, again.failure, again.started_at) == ("published", None, NOW + 2 * DAY)


def test_a_published_run_stays_published_when_computing_it_again_fails(store):
    request = a_request(store)
    run = a_published_run(store, request).run
    with begin_run(store.runs, request, now=NOW + DAY) as active:
        assert active.former == run
        fail_run(store.runs, active, reason="no memory", now=NOW + DAY)
    assert store.runs.current_run(MARCH) == run


def test_work_that_was_begun_is_found_again_except_for_half_written_outputs(store):
    request = a_request(store)
    with begin_run(store.runs, request, now=NOW) as active:
        assert not active.is_resumed
        (active.work_dir / "checkpoint").write_text("done so far")
        (active.out_dir / "match.parquet").write_text("half")
    with begin_run(store.runs, request, now=NOW) as active:
        assert active.is_resumed
        assert (active.work_dir / "checkpoint").read_text() == "done so far"
        assert list(active.out_dir.iterdir()) == []
        active.discard()
    assert list(store.folders.work.iterdir()) == []


def test_an_input_must_have_been_received_and_still_be_kept(store):
    request = a_request(store)
    never = RunRequest(MARCH, (RunInput("ours", "x", DIGEST),), "", "0.1.0", DIGEST, {})
    with pytest.raises(ArtifactUnknown):
        begin_run(store.runs, never, now=NOW)
    store.artifacts.artifact_path(request.inputs[0].artifact_id).unlink()
    with pytest.raises(ArtifactRemoved):
        begin_run(store.runs, request, now=NOW)
    assert store.runs.list_runs().runs == ()


# What a crash leaves.


@pytest.mark.parametrize("has_former", [False, True])
@pytest.mark.parametrize(
    ("point", "is_new"),
    [("begun", False), ("files_written", False), ("renamed", False), ("before_commit", False), ("committed", True)],
)
def test_a_process_killed_anywhere_leaves_the_old_result_or_the_new_one_whole(store, point, is_new, has_former):
    former = a_published_run(store, a_request(store, config="a = 1"), now=NOW).run if has_former else None
    dying = child(store, "die", point, "a = 2")
    assert (dying.wait(timeout=60), dying.stderr.read()) == (-signal.SIGKILL, "")

    request = a_request(store, config="a = 2")
    run_id = request.run_id("default")
    current = store.runs.current_run(MARCH)
    assert (current and current.run_id) == (run_id if is_new else (former and former.run_id))
    assert store.runs.get_run(run_id).status == ("published" if is_new else "running")
    assert_consistent(store)

    sweep(store.state, store.folders, now=LATER, grace=timedelta())
    assert_consistent(store)
    kept = {path.name for path in store.folders.runs.iterdir()}
    assert kept == {one.run_id for one in (former, current) if one}
    assert list(store.folders.work.iterdir()) == []
    assert store.runs.get_run(run_id).status == ("published" if is_new else "failed")

    again = a_published_run(store, request, now=NOW + 2 * DAY)
    assert again.outcome == ("unchanged" if is_new else "published")
    assert store.runs.current_run(MARCH) == again.run
    assert read_back(store, again.run) == contents_of(request)
    assert_consistent(store)


@pytest.mark.parametrize("point", ["begun", "files_written", "renamed", "before_commit", "committed"])
def test_a_process_killed_while_it_publishes_can_be_followed_at_once_without_a_sweep(store, point):
    child(store, "die", point, "a = 2").wait(timeout=60)
    request = a_request(store, config="a = 2")
    assert read_back(store, a_published_run(store, request, now=NOW + 2 * DAY).run) == contents_of(request)
    assert_consistent(store)
    assert list(store.folders.work.iterdir()) == []


@pytest.mark.parametrize("point", ["files_written", "renamed", "before_commit"])
def test_a_process_killed_while_it_publishes_a_current_run_again_leaves_it_as_it_was(store, point):
    run = a_published_run(store, a_request(store, config="a = 2")).run
    child(store, "die", point, "a = 2").wait(timeout=60)
    assert store.runs.current_run(MARCH) == run
    assert_consistent(store)


@pytest.mark.parametrize("point", ["files_written", "renamed", "before_commit", "committed"])
def test_a_process_killed_while_it_restores_a_dropped_run_leaves_the_current_one_whole(store, point):
    first = a_published_run(store, a_request(store, config="a = 2"), now=NOW).run
    second = a_published_run(store, a_request(store, config="a = 1"), now=NOW + DAY / 2).run
    apply_retention(store.runs, now=NOW + 30 * DAY, keep_days=1)
    child(store, "die", point, "a = 2").wait(timeout=60)
    expected = first if point == "committed" else second
    assert store.runs.current_run(MARCH).run_id == expected.run_id
    assert store.runs.damaged_files(store.runs.current_run(MARCH)) == ()


# Several processes.


def test_processes_that_publish_into_one_window_at_once_leave_one_history(store):
    configs = [[f"a = {number % 3}", f"b = {number}", "shared = 1"] for number in range(5)]
    children = [child(store, "race", *given) for given in configs]
    for one in children:
        assert one.stdout.readline() == "ready\n"
    for one in children:
        one.stdin.write("go\n")
        one.stdin.flush()
    errors = [one.communicate(timeout=120)[1] for one in children]
    assert [one.returncode for one in children] == [0] * 5, errors
    runs = store.runs.list_runs(limit=1000).runs
    assert {run.config for run in runs} == {config for given in configs for config in given}
    assert all(read_back(store, run) == contents_of(run.request) for run in runs)
    assert list(store.folders.work.iterdir()) == []
    history = store.runs.publications(MARCH)
    assert all(one.run_id != after.run_id for one, after in pairwise(history))
    assert_consistent(store)


def test_a_second_process_waits_for_the_first_and_takes_over_when_that_dies(store):
    holder = child(store, "hold", "a = 2")
    assert holder.stdout.readline() == "holding\n"
    waits, answers = Event(), []

    def take_over():
        with begin_run(store.runs, a_request(store, config="a = 2"), now=NOW, on_wait=waits.set) as active:
            answers.append((active.is_resumed, list(active.out_dir.iterdir())))

    second = Thread(target=take_over)
    second.start()
    assert waits.wait(timeout=60)
    assert answers == []
    holder.kill()
    holder.wait(timeout=60)
    second.join(timeout=60)
    assert answers == [(True, [])]


def test_a_second_process_that_waited_finds_the_run_published(store):
    request = a_request(store)
    waits, answers = Event(), []

    def follow():
        with begin_run(store.runs, request, now=NOW, on_wait=waits.set) as active:
            answers.append(active.former)

    with begin_run(store.runs, request, now=NOW) as active:
        second = Thread(target=follow)
        second.start()
        assert waits.wait(timeout=60)
        publish(store.runs, active, written(active, contents_of(request)), steps=[], summary={}, now=NOW)
    second.join(timeout=60)
    assert answers == [store.runs.current_run(MARCH)]
