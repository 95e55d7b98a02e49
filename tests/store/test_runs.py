import inspect
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.store.builders import DAY, DIGEST, LATER, MARCH, NOW, a_published_run, a_request, a_store
from tieout.core.cursors import BadCursor
from tieout.store.artifacts import Artifacts, ArtifactUnknown
from tieout.store.publish import begin_run
from tieout.store.runs import (
    RunAmbiguous,
    RunFilesGone,
    RunInput,
    RunOfAnotherBook,
    RunRequest,
    Runs,
    RunUnknown,
    Window,
)
from tieout.store.sweep import apply_retention

REQUEST = RunRequest(
    window=MARCH,
    inputs=(RunInput("ours", "a.csv", "1" * 64), RunInput("theirs", "b.csv", "2" * 64)),
    config="a = 1",
    code_version="0.1.0",
    code_digest=DIGEST,
    engine_versions={"duckdb": "2.0.0", "pyarrow": "26.0.1"},
)


def test_equal_requests_are_the_same_run_whatever_the_order_of_the_engines():
    turned = replace(REQUEST, engine_versions={"pyarrow": "26.0.1", "duckdb": "2.0.0"})
    assert turned.run_id("acme") == REQUEST.run_id("acme")
    assert len(REQUEST.run_id("acme")) == 64


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, window=Window("compare", "files", "2026-04")),
        replace(REQUEST, window=Window("compare", "files2026-03", "")),
        replace(REQUEST, inputs=REQUEST.inputs[::-1]),
        replace(REQUEST, inputs=REQUEST.inputs[:1]),
        replace(REQUEST, inputs=(RunInput("ours", "c.csv", "1" * 64), REQUEST.inputs[1])),
        replace(REQUEST, config="a = 2"),
        replace(REQUEST, code_version="0.1.1"),
        replace(REQUEST, code_digest="3" * 64),
        replace(REQUEST, engine_versions={"duckdb": "2.0.1", "pyarrow": "26.0.1"}),
    ],
)
def test_anything_that_can_change_the_outputs_makes_another_run(other):
    assert other.run_id("acme") != REQUEST.run_id("acme")


def test_the_same_request_of_two_tenants_is_two_runs():
    assert REQUEST.run_id("acme") != REQUEST.run_id("other")


def test_a_run_that_does_not_exist_is_unknown(store):
    with pytest.raises(RunUnknown):
        store.runs.get_run(DIGEST)
    a_published_run(store, a_request(store))
    for prefix in ("", " ", "%", "_", "zz", "0" * 65):
        with pytest.raises(RunUnknown):
            store.runs.find_run(prefix)


def test_a_run_is_found_by_the_beginning_of_its_id_where_only_one_begins_so(store):
    runs = [a_published_run(store, a_request(store, config=f"a = {number}")).run for number in range(20)]
    for run in runs:
        others = [one.run_id for one in runs if one.run_id != run.run_id]
        length = next(n for n in range(1, 65) if not any(one.startswith(run.run_id[:n]) for one in others))
        assert store.runs.find_run(run.run_id[:length].upper() + " ").run_id == run.run_id
        assert store.runs.find_run(run.run_id).run_id == run.run_id


def test_a_beginning_that_fits_several_runs_lists_them(store):
    ids = sorted(a_published_run(store, a_request(store, config=f"a = {number}")).run.run_id for number in range(17))
    shared = next(one[0] for one, after in pairwise(ids) if one[0] == after[0])
    with pytest.raises(RunAmbiguous) as caught:
        store.runs.find_run(shared)
    assert all(one in str(caught.value) for one in ids if one.startswith(shared))


def test_runs_come_in_pages_latest_start_first_and_none_is_left_out(store):
    starts = [NOW, NOW, NOW, NOW + DAY, NOW + 2 * DAY]  # three at the same instant: the id decides
    runs = [
        a_published_run(store, a_request(store, config=f"a = {number}"), now=start).run
        for number, start in enumerate(starts)
    ]
    expected = [run.run_id for run in sorted(runs, key=lambda run: (run.started_at, run.run_id), reverse=True)]
    for limit in (1, 2, 3, 5, 6):
        seen, cursor = [], None
        while True:
            page = store.runs.list_runs(limit=limit, cursor=cursor)
            assert len(page.runs) <= limit
            seen += [run.run_id for run in page.runs]
            cursor = page.next
            if cursor is None:
                break
        assert seen == expected


def test_runs_are_listed_by_window_and_by_status(store):
    april = Window("compare", "files", "2026-04")
    a_published_run(store, a_request(store, config="a = 1"), now=NOW)
    a_published_run(store, a_request(store, config="a = 2"), now=NOW + DAY)
    a_published_run(store, a_request(store, window=april))
    begin_run(store.runs, a_request(store, config="a = 3"), now=NOW + 2 * DAY).close()
    assert [run.config for run in store.runs.list_runs(window=MARCH).runs] == ["a = 3", "a = 2", "a = 1"]
    assert [run.config for run in store.runs.list_runs(status="superseded").runs] == ["a = 1"]
    assert [run.config for run in store.runs.list_runs(window=MARCH, status="running").runs] == ["a = 3"]
    assert [run.window for run in store.runs.list_runs(window=april).runs] == [april]


@pytest.mark.parametrize("cursor", ["", "x", "2026-03-01", "2026-03-01T00:00:00_abc", "2026-03-01T00:00:00+00:00_"])
def test_a_cursor_that_no_page_gave_is_refused(store, cursor):
    with pytest.raises(BadCursor):
        store.runs.list_runs(cursor=cursor)


def test_each_instant_gives_back_the_run_that_was_reported_then(store):
    first, second = (
        a_published_run(store, a_request(store, config=f"a = {number}"), now=NOW + number * DAY).run.run_id
        for number in range(2)
    )
    back = a_published_run(store, a_request(store, config="a = 0"), now=NOW + 2 * DAY).run.run_id
    assert back == first
    moment = timedelta(microseconds=1)
    for instant, expected in [
        (NOW - moment, None),
        (NOW, first),
        (NOW + DAY - moment, first),
        (NOW + DAY, second),
        (NOW + 2 * DAY - moment, second),
        (NOW + 2 * DAY, first),
        (LATER, first),
    ]:
        found = store.runs.run_as_of(MARCH, instant)
        assert (found and found.run_id) == expected
    assert [one.run_id for one in store.runs.publications(MARCH)] == [first, second, first]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.tuples(st.integers(0, 2), st.integers(-3, 5)), min_size=1, max_size=7))
@example(moves=[(0, 0), (1, 0), (0, 0), (1, -1)])
def test_time_travel_agrees_with_a_diary_of_what_was_current(tmp_path_factory, moves):
    """Publish runs in any order with a clock that jumps, and keep a diary; each instant must answer by the diary."""
    with a_store(tmp_path_factory.mktemp("diary")) as store:
        diary, clock, latest = [], NOW, NOW - DAY
        for config, hours in moves:
            clock += timedelta(hours=hours)
            run = a_published_run(store, a_request(store, config=f"a = {config}"), now=clock).run
            if not diary or diary[-1][1] != run.run_id:
                latest = max(clock, latest)
                diary.append((latest, run.run_id))
        for instant in {when + shift for when, _ in diary for shift in (-timedelta(minutes=1), timedelta(0))}:
            said = [run_id for when, run_id in diary if when <= instant]
            found = store.runs.run_as_of(MARCH, instant)
            assert (found and found.run_id) == (said[-1] if said else None), (moves, instant)


def test_files_of_a_run_that_never_published_any_are_not_there(store):
    with begin_run(store.runs, a_request(store), now=NOW) as active:
        run = store.runs.get_run(active.run_id)
    with pytest.raises(RunFilesGone):
        store.runs.file_path(run, "match")


def test_windows_are_listed_once_each_when_they_have_a_run(store):
    april = Window("compare", "files", "2026-04")
    begin_run(store.runs, a_request(store, window=Window("compare", "files", "2026-01")), now=NOW).close()
    for window, config in [(april, "a = 1"), (MARCH, "a = 1"), (MARCH, "a = 2")]:
        a_published_run(store, a_request(store, window=window, config=config))
    assert store.runs.list_windows() == (MARCH, april)


# One tenant sees nothing of another.

SEEN_BY_RUNS = {
    "get_run": lambda runs, run: runs.get_run(run.run_id),
    "find_run": lambda runs, run: runs.find_run(run.run_id[:20]),
    "list_current": lambda runs, run: runs.list_current(run.window.book, run.window.leg),
    "list_runs": lambda runs, run: runs.list_runs().runs,
    "current_run": lambda runs, run: runs.current_run(run.window),
    "run_as_of": lambda runs, run: runs.run_as_of(run.window, LATER),
    "list_windows": lambda runs, run: runs.list_windows(),
    "publications": lambda runs, run: runs.publications(run.window),
}
SEEN_BY_ARTIFACTS = {
    "get": lambda artifacts, artifact_id: artifacts.get(artifact_id),
    "artifact_path": lambda artifacts, artifact_id: artifacts.artifact_path(artifact_id),
    "verify": lambda artifacts, artifact_id: artifacts.verify(artifact_id),
    "receipts_of": lambda artifacts, artifact_id: artifacts.receipts_of(artifact_id),
    "list_receipts": lambda artifacts, artifact_id: artifacts.list_receipts(),
}
NEEDS_A_RUN_AT_HAND = {"file_path", "damaged_files"}
ASKS_NOTHING = {"receive", "settle"}


def public_methods(kind):
    return {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def test_every_query_is_held_against_another_tenant():
    assert public_methods(Runs) == set(SEEN_BY_RUNS) | NEEDS_A_RUN_AT_HAND
    assert public_methods(Artifacts) == set(SEEN_BY_ARTIFACTS) | ASKS_NOTHING


def seen(query, where, what):
    try:
        return query(where, what) or None
    except (RunUnknown, ArtifactUnknown):
        return None


def test_no_query_shows_one_tenant_what_is_another_s(store, tmp_path):
    run = a_published_run(store, a_request(store)).run
    artifact_id = run.inputs[0].artifact_id
    with a_store(tmp_path / "data", tenant="other") as other:
        for name, query in SEEN_BY_RUNS.items():
            assert seen(query, store.runs, run), name
            assert seen(query, other.runs, run) is None, name
        for name, query in SEEN_BY_ARTIFACTS.items():
            assert seen(query, store.artifacts, artifact_id), name
            assert seen(query, other.artifacts, artifact_id) is None, name


def test_what_one_tenant_does_changes_nothing_for_another(store, tmp_path):
    with a_store(tmp_path / "data", tenant="other") as other:
        before = a_published_run(store, a_request(store)).run
        theirs = [
            a_published_run(other, a_request(other, config=config), now=NOW + n * DAY).run
            for n, config in enumerate(("a = 1", "a = 2"))
        ]
        apply_retention(other.runs, now=NOW + 400 * DAY, keep_days=30)
        assert store.runs.current_run(MARCH) == before
        assert store.runs.damaged_files(before) == ()
        assert other.runs.current_run(MARCH) == theirs[1]
        a_published_run(store, a_request(store, config="a = 3"), now=NOW + 5 * DAY)
        assert other.runs.current_run(MARCH) == theirs[1]


def test_a_run_of_another_book_is_told_from_none(store):
    run_id = a_published_run(store, a_request(store, window=Window("ads", "match", "2026-03"))).run.run_id
    assert store.runs.find_run(run_id[:12], book="ads").run_id == run_id
    with pytest.raises(RunOfAnotherBook, match=r"of ads/match/2026-03, and not of the book compare"):
        store.runs.find_run(run_id, book="compare")
