"""A reviewer's decision about pairs of a run: checked, its effect shown, stored, and the run done again with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from tieout.books.compare.actions import Compared
from tieout.books.compare.again import run_again, tried_in_scratch
from tieout.books.compare.review_rows import NamedRow, name_rows, open_rows, show_fact
from tieout.books.compare.standing import decisions_of, standing_decisions
from tieout.books.compare.statements import rows_of_file
from tieout.books.compare.what_if import Figures, figures_of
from tieout.books.workspace import Progress, Workspace
from tieout.core.errors import TieoutError
from tieout.core.money import from_micros
from tieout.engine.explain import RowUnknown
from tieout.engine.identity import code_digest
from tieout.engine.loading import SIDES
from tieout.engine.reviewed import FACT, Decisions
from tieout.store.review import Draft, PairKey, Ruling, Scope, Seen, standing_after
from tieout.store.runs import Run

CHANGES = ("becomes_automatic", "no_pair_any_more", "waits_now", "finds_partner", "loses_partner")
DECIDABLE = ("scored", "reviewed")
"""Passes whose pairs a reviewer decides about: those by reference and by group say themselves why they are matched."""


class BadPair(TieoutError):
    """A text that should name a pair of rows does not."""

    code = "bad_pair"


class PairNotInRun(TieoutError):
    """The run neither matched the two rows nor considered them."""

    code = "pair_not_in_run"
    http_status = 404


class PairNotForReview(TieoutError):
    """A row of the pair was matched by a pass that no reviewer overrules."""

    code = "pair_not_for_review"
    http_status = 409


@dataclass(frozen=True)
class Proposal:
    """Decisions about pairs that a reviewer saw in a run, checked and not stored.

    `target` is the run that is done again with them: the current one of the same inputs.
    """

    seen_in: Run
    target: Run
    scope: Scope
    drafts: tuple[Draft, ...]


@dataclass(frozen=True)
class Change:
    """How many pairs or rows move in one way, and how much money they are, in one currency."""

    change: str
    currency: str
    rows: int
    money: Decimal


@dataclass(frozen=True)
class Effect:
    """What the decisions would do to the result: pairs and rows that move, and the figures before and after.

    `differing` has currency, money before and money after, each delta counted in full.
    """

    changes: tuple[Change, ...]
    before: Figures
    after: Figures
    differing: tuple[tuple[str, Decimal, Decimal], ...]
    left_aside: int


def parse_pairs(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Return the row numbers of pairs written OURS:THEIRS, each once, in the order given. Raises BadPair."""
    pairs = []
    for text in texts:
        ours, mark, theirs = text.partition(":")
        if not mark or not all(part.isdecimal() and 0 < int(part) < 2**62 for part in (ours, theirs)):
            raise BadPair(
                f"{text!r} names no pair of rows.",
                subject=text,
                remedy="Write OURS:THEIRS with the row numbers that `tieout review list` shows, such as 12:15.",
            )
        pairs.append((int(ours), int(theirs)))
    return list(dict.fromkeys(pairs))


def propose(workspace: Workspace, run: Run, ruling: Ruling, pairs: Sequence[tuple[int, int]]) -> Proposal:
    """Return the decisions that would change something, as drafts.

    Raises RowUnknown, PairNotInRun, PairNotForReview, RowAlreadyAccepted and PairNotDecided.
    """
    with open_rows(workspace, run) as con:
        named = name_rows(con, {side: [pair[at] for pair in pairs] for at, side in enumerate(SIDES)})
        _assert_rows_are_there(run, pairs, named)
        if ruling != "undone":
            _assert_pairs_are_there(workspace, run, con, pairs)
    drafts = [_draft(run, ruling, named["ours", ours], named["theirs", theirs]) for ours, theirs in pairs]
    scope = Scope(run.window.book, run.window.leg)
    changes = workspace.store.reviews.changes(scope, drafts)
    return Proposal(run, workspace.store.runs.current_run(run.window) or run, scope, changes)


def _draft(run: Run, ruling: Ruling, ours: NamedRow, theirs: NamedRow) -> Draft:
    seen = Seen(run.run_id, ours.facts.row, theirs.facts.row, ours.facts.told, theirs.facts.told)
    return Draft(PairKey(ours.key, theirs.key), ruling, seen)


def _assert_rows_are_there(
    run: Run, pairs: Sequence[tuple[int, int]], named: Mapping[tuple[str, int], NamedRow]
) -> None:
    for pair in pairs:
        for side, row in zip(SIDES, pair, strict=True):
            if (side, row) not in named:
                read = int((run.summary or {}).get(side, {}).get("rows", 0))
                raise RowUnknown(
                    f"Run {run.run_id[:12]} has no row {row} of {side}: the file has {read:,}, and those refused stand"
                    " in quarantine.csv.",
                    subject=f"{pair[0]}:{pair[1]}",
                    remedy="`tieout review list` shows the row numbers of the pairs that wait.",
                )


def _assert_pairs_are_there(
    workspace: Workspace, run: Run, con: duckdb.DuckDBPyConnection, pairs: Sequence[tuple[int, int]]
) -> None:
    """Refuse a pair that the run neither matched nor considered, or whose rows are matched for good."""
    files = workspace.store.runs
    show_fact(con, "matched", files.file_path(run, "match"))
    show_fact(con, "considered", files.file_path(run, "candidate"))
    known = "select ours_row, theirs_row from considered union select ours_row, theirs_row from matched"
    if any(file.name == FACT for file in run.files):
        show_fact(con, "decided", files.file_path(run, FACT))
        known += " union select ours_row, theirs_row from decided"
    for ours, theirs in pairs:
        settled = con.execute(
            "select ours_row, theirs_row, pass from matched where (ours_row = $ours or theirs_row = $theirs)"
            " and pass not in (select unnest($decidable)) order by all limit 1",
            {"ours": ours, "theirs": theirs, "decidable": list(DECIDABLE)},
        ).fetchall()
        if settled:
            one, other, rule = settled[0]
            raise PairNotForReview(
                f"Our row {one} and their row {other} are matched by {rule}, so {ours}:{theirs} is not for a reviewer.",
                subject=f"{ours}:{theirs}",
                remedy="What pairs them stands in the files: correct the reference, or the columns of the plan.",
            )
        is_known = con.execute(
            f"select 1 from ({known}) where ours_row = $ours and theirs_row = $theirs", {"ours": ours, "theirs": theirs}
        ).fetchall()
        if not is_known:
            raise PairNotInRun(
                f"Run {run.run_id[:12]} neither matched our row {ours} with their row {theirs} nor considered it.",
                subject=f"{ours}:{theirs}",
                remedy=f"`tieout explain {run.run_id[:12]} --ours {ours}` shows the candidates of that row.",
            )


def effect_of(workspace: Workspace, proposal: Proposal, on_step: Progress = lambda _: None) -> Effect:
    """Return what the drafts would do to the current result of these inputs. Nothing is stored or published."""
    run, standing = proposal.target, workspace.store.reviews.standing(proposal.scope)
    coming = Decisions(standing_after(standing, proposal.drafts))
    with (
        _result_now(workspace, run, standing_decisions(workspace, proposal.scope), on_step) as (summary, folder),
        tried_in_scratch(workspace, run, coming if coming.rulings else None, on_step) as (outcome, tried),
        open_rows(workspace, run) as con,
    ):
        show_fact(con, "matched_before", folder / "match.parquet")
        show_fact(con, "matched_after", tried / "match.parquet")
        moved = rows_of_file(con, "review_effect", {})
        show_fact(con, "delta_before", folder / "delta.parquet")
        show_fact(con, "delta_after", tried / "delta.parquet")
        differing = rows_of_file(con, "review_differing", {})
    changes = [Change(row["change"], row["currency"], row["rows"], from_micros(int(row["micros"]))) for row in moved]
    return Effect(
        tuple(sorted(changes, key=lambda one: (CHANGES.index(one.change), one.currency))),
        figures_of(summary),
        figures_of(outcome.summary),
        tuple(
            (row["currency"], from_micros(int(row["before_micros"])), from_micros(int(row["after_micros"])))
            for row in differing
        ),
        int(outcome.summary["review"]["left_aside"]),
    )


@contextmanager
def _result_now(
    workspace: Workspace, run: Run, standing: Decisions | None, on_step: Progress
) -> Iterator[tuple[Mapping[str, Any], Path]]:
    """Give the result as it stands: that on record, unless code or decisions are others by now."""
    if decisions_of(workspace, run) == standing and run.code_digest == code_digest():
        yield run.summary or {}, workspace.store.runs.file_path(run, "match").parent
        return
    with tried_in_scratch(workspace, run, standing, on_step) as (outcome, folder):
        yield outcome.summary, folder


def decide(
    workspace: Workspace, proposal: Proposal, *, is_rerun: bool, on_step: Progress = lambda _: None
) -> Compared | None:
    """Store the decisions and, with `is_rerun`, run the current files again and publish the result.

    Raises RowAlreadyAccepted when another reviewer was quicker; then nothing is stored.
    """
    workspace.store.reviews.record(proposal.scope, proposal.drafts, now=workspace.now(), actor=workspace.settings.actor)
    return run_again(workspace, proposal.target, on_step) if is_rerun else None
