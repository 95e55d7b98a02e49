"""Decisions of reviewers: only added, the latest counts, a row has one partner, and no tenant sees another's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.store.builders import NOW, a_published_run, a_request, a_store
from tieout.store.opening import Store
from tieout.store.review import (
    Draft,
    PairKey,
    PairNotDecided,
    RowAlreadyAccepted,
    RowKey,
    Ruling,
    Scope,
    Seen,
    standing_after,
)

SCOPE = Scope("compare", "ledger ~ bank")


@pytest.fixture
def run_id(store: Store) -> str:
    return a_published_run(store, a_request(store)).run.run_id


def a_pair(ours: int, theirs: int, copy_no: int = 1) -> PairKey:
    return PairKey(RowKey(f"{ours:064x}", copy_no), RowKey(f"{theirs:064x}", 1))


def a_draft(run_id: str, ours: int, theirs: int, ruling: Ruling = "accepted") -> Draft:
    return Draft(a_pair(ours, theirs), ruling, Seen(run_id, ours, theirs, f"ours {ours}", f"theirs {theirs}"))


def decide(store: Store, *drafts: Draft, scope: Scope = SCOPE, actor: str = "ann") -> tuple[Draft, ...]:
    return store.reviews.record(scope, drafts, now=NOW + timedelta(minutes=1), actor=actor)


def rulings(store: Store, scope: Scope = SCOPE) -> dict[PairKey, str]:
    return {one.pair: one.ruling for one in store.reviews.standing(scope)}


def test_a_decision_is_kept_with_who_and_when(store: Store, run_id: str) -> None:
    decide(store, a_draft(run_id, 1, 2))
    [found] = store.reviews.standing(SCOPE)
    assert (found.ruling, found.decided_by, found.decided_at) == ("accepted", "ann", NOW + timedelta(minutes=1))
    assert (found.seen.run_id, found.seen.ours_told, found.seen.theirs_told) == (run_id, "ours 1", "theirs 2")


def test_the_latest_decision_about_a_pair_counts_and_the_former_stays_on_record(store: Store, run_id: str) -> None:
    decide(store, a_draft(run_id, 1, 2))
    decide(store, a_draft(run_id, 1, 2, "rejected"), actor="bob")
    assert rulings(store) == {a_pair(1, 2): "rejected"}
    assert [(one.ruling, one.decided_by) for one in store.reviews.history()] == [
        ("rejected", "bob"),
        ("accepted", "ann"),
    ]


def test_to_undo_is_a_decision_too(store: Store, run_id: str) -> None:
    decide(store, a_draft(run_id, 1, 2))
    decide(store, a_draft(run_id, 1, 2, "undone"))
    assert rulings(store) == {}
    assert [one.ruling for one in store.reviews.about(SCOPE, a_pair(1, 2))] == ["undone", "accepted"]
    with pytest.raises(PairNotDecided, match="ours 1"):
        decide(store, a_draft(run_id, 1, 2, "undone"))


def test_what_stands_already_is_not_stored_again(store: Store, run_id: str) -> None:
    decide(store, a_draft(run_id, 1, 2))
    assert decide(store, a_draft(run_id, 1, 2), a_draft(run_id, 3, 4)) == (a_draft(run_id, 3, 4),)
    assert len(store.reviews.history()) == 2


@pytest.mark.parametrize(("ours", "theirs", "said"), [(1, 9, "Row 1 of ours"), (9, 2, "Row 2 of theirs")])
def test_a_row_that_is_accepted_with_another_partner_is_refused_and_named(
    store: Store, run_id: str, ours: int, theirs: int, said: str
) -> None:
    decide(store, a_draft(run_id, 1, 2))
    with pytest.raises(RowAlreadyAccepted, match=f"{said}.*1:2.*by ann") as refused:
        decide(store, a_draft(run_id, 5, 6), a_draft(run_id, ours, theirs))
    assert "review undo" in refused.value.remedy
    assert rulings(store) == {a_pair(1, 2): "accepted"}


def test_two_partners_in_one_breath_are_refused(store: Store, run_id: str) -> None:
    with pytest.raises(RowAlreadyAccepted):
        decide(store, a_draft(run_id, 1, 2), a_draft(run_id, 1, 3))
    assert rulings(store) == {}


def test_a_row_is_free_again_once_its_pair_is_undone_or_rejected(store: Store, run_id: str) -> None:
    decide(store, a_draft(run_id, 1, 2))
    decide(store, a_draft(run_id, 1, 2, "rejected"), a_draft(run_id, 1, 3))
    assert rulings(store) == {a_pair(1, 2): "rejected", a_pair(1, 3): "accepted"}


def test_copies_of_a_row_are_rows_of_their_own(store: Store, run_id: str) -> None:
    second = Draft(a_pair(1, 3, copy_no=2), "accepted", Seen(run_id, 7, 3, "ours 1", "theirs 3"))
    decide(store, a_draft(run_id, 1, 2), second)
    assert len(rulings(store)) == 2


def test_decisions_count_for_their_own_leg_only(store: Store, run_id: str) -> None:
    decide(store, a_draft(run_id, 1, 2))
    other = Scope("compare", "ledger ~ other bank")
    assert rulings(store, other) == {}
    decide(store, a_draft(run_id, 1, 3), scope=other)
    assert rulings(store) == {a_pair(1, 2): "accepted"}


def test_a_stranger_sees_and_changes_nothing(store: Store, run_id: str, tmp_path) -> None:
    decide(store, a_draft(run_id, 1, 2))
    with a_store(tmp_path / "data", "stranger") as stranger:
        assert stranger.reviews.standing(SCOPE) == ()
        assert stranger.reviews.history() == ()
        assert stranger.reviews.about(SCOPE, a_pair(1, 2)) == ()
        own = a_published_run(stranger, a_request(stranger)).run.run_id
        with pytest.raises(PairNotDecided):
            decide(stranger, a_draft(own, 1, 2, "undone"))
        decide(stranger, a_draft(own, 1, 9))
        assert rulings(stranger) == {a_pair(1, 9): "accepted"}
    assert rulings(store) == {a_pair(1, 2): "accepted"}
    assert len(store.reviews.history()) == 1


def test_what_would_stand_is_known_before_it_is_stored(store: Store, run_id: str) -> None:
    decide(store, a_draft(run_id, 1, 2), a_draft(run_id, 3, 4, "rejected"))
    drafts = [a_draft(run_id, 1, 2, "undone"), a_draft(run_id, 5, 6)]
    coming = standing_after(store.reviews.standing(SCOPE), drafts)
    assert coming == {a_pair(3, 4): "rejected", a_pair(5, 6): "accepted"}
    assert list(coming) == sorted(coming)
    assert rulings(store) == {a_pair(1, 2): "accepted", a_pair(3, 4): "rejected"}
