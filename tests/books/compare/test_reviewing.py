"""A reviewer's decisions over runs: what waits, what a decision would do, that it lasts, and that old runs stay."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tieout.books.compare.actions import Compared, compare
from tieout.books.compare.again import replay
from tieout.books.compare.options import infer_options
from tieout.books.compare.request import CompareRequest
from tieout.books.compare.review_rows import NothingToReview, list_waiting, run_to_review
from tieout.books.compare.reviewing import (
    BadPair,
    PairNotForReview,
    PairNotInRun,
    decide,
    effect_of,
    parse_pairs,
    propose,
)
from tieout.books.workspace import Workspace
from tieout.compose import open_workspace
from tieout.core.settings import Settings
from tieout.engine.explain import RowUnknown, explain_row
from tieout.store.review import PairNotDecided, RowAlreadyAccepted, Ruling

HEAD = "date,amount,currency,memo\n"
OURS = [
    f"2026-01-{1 + n % 27:02},{100 + 7 * n}.{n:02},EUR,{name} {n}"
    for n, name in enumerate(["Alba Foods", "Brook Metals", "Corvin Optics", "Delta Freight"] * 8)
]
THEIRS = [row.replace(",EUR,", ",EUR,PAY ") for row in OURS]
TWINS = ["2026-02-03,555.55,EUR,Ember Studio", "2026-02-05,555.55,EUR,Ember Transport Co"]
OTHERS = ["2026-02-04,555.55,EUR,EMBER", "2026-02-04,333.33,EUR,Fjord"]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = a_workspace(tmp_path)
    yield opened
    opened.close()


def a_workspace(tmp_path: Path, tenant: str = "default") -> Workspace:
    environment = {"TIEOUT_DATA_DIR": str(tmp_path / "data"), "TIEOUT_ACTOR": "ann", "TIEOUT_TENANT": tenant}
    return open_workspace(Settings.from_environment(environment))


def reconciled(workspace: Workspace, folder: Path, ours: list[str], theirs: list[str]) -> Compared:
    for name, rows in (("ours", ours), ("theirs", theirs)):
        (folder / f"{name}.csv").write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    return compared(workspace, folder)


def compared(workspace: Workspace, folder: Path) -> Compared:
    options = infer_options(window_days=5)
    return compare(workspace, CompareRequest(folder / "ours.csv", folder / "theirs.csv", options))


@pytest.fixture
def done(workspace: Workspace, tmp_path: Path) -> Compared:
    return reconciled(workspace, tmp_path, [*OURS, *TWINS], [*THEIRS, *OTHERS])


def decided(workspace: Workspace, done: Compared, ruling: Ruling, *pairs: tuple[int, int]) -> Compared:
    again = decide(workspace, propose(workspace, done.run, ruling, pairs), is_rerun=True)
    assert again is not None
    return again


def match_of(done: Compared, ours: int) -> tuple[int, str, str] | None:
    found = explain_row(done.run_dir, "ours", ours)["match"]
    return found and (found["theirs_row"], found["pass"], found["outcome"])


def waiting(workspace: Workspace, done: Compared):
    return list_waiting(workspace, done.run, limit=50)


def test_the_pairs_that_wait_are_listed_with_what_both_rows_say(workspace: Workspace, done: Compared) -> None:
    found = waiting(workspace, done)
    [pair] = [pair for pair in found.pairs if pair.theirs.row == 33]
    assert found.total == len(found.pairs)
    assert pair.ours.row in (33, 34)
    assert (pair.money, pair.currency) == (Decimal("555.55"), "EUR")
    assert (pair.theirs.text, str(pair.theirs.day)) == ("EMBER", "2026-02-04")
    assert pair.others[0]["theirs_row"] == 33
    assert run_to_review(workspace, None).run_id == done.run.run_id


def test_the_effect_is_shown_and_nothing_is_stored_or_published(workspace: Workspace, done: Compared) -> None:
    [pair] = waiting(workspace, done).pairs
    effect = effect_of(workspace, propose(workspace, done.run, "accepted", [(pair.ours.row, 33)]))
    [change] = effect.changes
    assert (change.change, change.currency, change.rows, change.money) == (
        "becomes_automatic",
        "EUR",
        1,
        Decimal("555.55"),
    )
    assert (effect.before.review, effect.after.review) == (1, 0)
    assert workspace.store.reviews.history() == ()
    current = workspace.store.runs.current_run(done.run.window)
    assert current is not None
    assert current.run_id == done.run.run_id


def test_a_rejected_pair_frees_its_row_for_the_other_and_the_effect_says_so(
    workspace: Workspace, done: Compared
) -> None:
    [pair] = waiting(workspace, done).pairs
    other = 33 + 34 - pair.ours.row
    proposal = propose(workspace, done.run, "rejected", [(pair.ours.row, 33)])
    moved = {one.change: one.rows for one in effect_of(workspace, proposal).changes}
    assert moved["no_pair_any_more"] == 1
    assert (moved["finds_partner"], moved["loses_partner"]) == (1, 1)
    again = decided(workspace, done, "rejected", (pair.ours.row, 33))
    assert match_of(again, pair.ours.row) is None
    assert match_of(again, other) is not None


def test_a_decision_is_published_at_once_and_holds_for_reordered_and_extended_files(
    workspace: Workspace, done: Compared, tmp_path: Path
) -> None:
    again = decided(workspace, done, "accepted", (34, 33))
    assert match_of(again, 34) == (33, "reviewed", "auto")
    assert again.run.run_id != done.run.run_id
    assert again.summary["review"]["accepted"] == 1
    later = reconciled(
        workspace, tmp_path, [TWINS[1], *OURS, TWINS[0], "2026-02-09,1.00,EUR,new"], [*OTHERS[::-1], *THEIRS]
    )
    assert match_of(later, 1) == (2, "reviewed", "auto")
    assert later.summary["review"]["left_aside"] == 0


def test_a_decision_about_rows_that_are_gone_is_left_aside(
    workspace: Workspace, done: Compared, tmp_path: Path
) -> None:
    decided(workspace, done, "accepted", (34, 33))
    later = reconciled(workspace, tmp_path, OURS, THEIRS)
    assert {name: later.summary["review"][name] for name in ("accepted", "left_aside")} == {
        "accepted": 0,
        "left_aside": 1,
    }


def test_undo_brings_the_former_run_back(workspace: Workspace, done: Compared) -> None:
    decided(workspace, done, "accepted", (34, 33))
    back = decided(workspace, done, "undone", (34, 33))
    assert back.run.run_id == done.run.run_id
    current = workspace.store.runs.current_run(done.run.window)
    assert current is not None
    assert current.run_id == done.run.run_id
    assert [one.ruling for one in workspace.store.reviews.history()] == ["undone", "accepted"]


def test_a_run_replays_to_the_same_bytes_although_decisions_changed_since(workspace: Workspace, done: Compared) -> None:
    first = decided(workspace, done, "accepted", (34, 33))
    decided(workspace, done, "rejected", (34, 33))
    for one in (done, first):
        assert replay(workspace, one.run.run_id).differences == ()


def test_without_a_rerun_the_next_run_of_the_same_inputs_follows_it(
    workspace: Workspace, done: Compared, tmp_path: Path
) -> None:
    assert decide(workspace, propose(workspace, done.run, "accepted", [(34, 33)]), is_rerun=False) is None
    current = workspace.store.runs.current_run(done.run.window)
    assert current is not None
    assert current.run_id == done.run.run_id
    effect = effect_of(workspace, propose(workspace, done.run, "rejected", [(33, 33)]))
    assert [one.change for one in effect.changes] == []  # the accepted pair counts before and after
    again = compared(workspace, tmp_path)
    assert match_of(again, 34) == (33, "reviewed", "auto")


def test_rows_are_read_from_the_run_that_is_named_and_the_current_one_is_done_again(
    workspace: Workspace, done: Compared, tmp_path: Path
) -> None:
    later = reconciled(workspace, tmp_path, [TWINS[1], *OURS, TWINS[0]], [*OTHERS, *THEIRS])
    again = decided(workspace, done, "accepted", (34, 33))
    assert match_of(again, 1) == (1, "reviewed", "auto")
    assert {given.artifact_id for given in later.run.inputs} <= {given.artifact_id for given in again.run.inputs}


def test_what_is_decided_already_changes_nothing(workspace: Workspace, done: Compared) -> None:
    decided(workspace, done, "accepted", (34, 33))
    assert propose(workspace, done.run, "accepted", [(34, 33)]).drafts == ()


def test_a_row_with_an_accepted_partner_takes_no_other(workspace: Workspace, done: Compared) -> None:
    decided(workspace, done, "accepted", (34, 33))
    with pytest.raises(RowAlreadyAccepted, match=r"Row 33 of theirs .* 34:33 .*by ann"):
        propose(workspace, done.run, "accepted", [(33, 33)])


def test_what_cannot_be_decided_is_refused_by_name(workspace: Workspace, done: Compared) -> None:
    for pair, error, said in (
        ((1, 33), PairNotInRun, "row 1 with their row 33"),
        ((99, 33), RowUnknown, "no row 99 of ours"),
        ((34, 99), RowUnknown, "no row 99 of theirs"),
    ):
        with pytest.raises(error, match=said):
            propose(workspace, done.run, "accepted", [pair])
    with pytest.raises(PairNotDecided, match="34:33"):
        propose(workspace, done.run, "undone", [(34, 33)])


def test_rows_matched_by_reference_are_not_for_a_reviewer(workspace: Workspace, tmp_path: Path) -> None:
    rows = "id,amount\n" + "".join(f"K{n},{100 + n}.50\n" for n in range(20))
    (tmp_path / "keyed.csv").write_text(rows, encoding="utf-8")
    keyed = compare(workspace, CompareRequest(tmp_path / "keyed.csv", tmp_path / "keyed.csv"))
    with pytest.raises(PairNotForReview, match="matched by reference"):
        propose(workspace, keyed.run, "rejected", [(1, 1)])


@pytest.mark.parametrize("text", ["1", "1:", ":1", "a:b", "0:1", "1:2:3", "-1:2", "²:1"])
def test_what_names_no_pair_is_refused(text: str) -> None:
    with pytest.raises(BadPair, match="names no pair"):
        parse_pairs(["1:2", text])


def test_pairs_are_taken_once() -> None:
    assert parse_pairs(["1:2", "3:4", "1:2"]) == [(1, 2), (3, 4)]


def test_a_stranger_s_decisions_change_nothing(workspace: Workspace, done: Compared, tmp_path: Path) -> None:
    stranger = a_workspace(tmp_path, "stranger")
    with pytest.raises(NothingToReview):
        run_to_review(stranger, None)
    theirs = compared(stranger, tmp_path)
    decided(stranger, theirs, "accepted", (34, 33))
    stranger.close()
    again = compared(workspace, tmp_path)
    assert again.run.run_id == done.run.run_id
    assert workspace.store.reviews.history() == ()
