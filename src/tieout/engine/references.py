"""The pass by reference: as they stand, trimmed where one is padded, and by the one that words around it hide."""

from __future__ import annotations

from collections.abc import Callable

import duckdb

from tieout.engine.plan import Plan
from tieout.engine.steps import Runner

REFERENCE_STEPS = ("join_by_reference", "reference_is_repeated")
REPEATED_REFERENCE_STEPS = (
    "find_repeated_reference",
    "pair_equal_reference",
    "leftover_reference",
    "pair_nearest_reference",
    "join_unique_reference",
)
OPEN_STEPS = (
    "closer_pair",
    "closer_expected",
    "closer_reported",
    "differing_by_reference",
    "reference_is_dressed",
    "open_expected",
    "open_reported",
    "match_by_group",
    "ungrouped_expected",
    "ungrouped_reported",
    "scoring_is_possible",
)


def match_by_reference(runner: Runner, plan: Plan, trim: Callable[[], None]) -> None:
    """Run the pass by reference and, beside the look at what it left open, the pass by group.

    `trim` makes the views of entries anew with every reference trimmed.
    """
    _join(runner, plan)
    if runner.says("select is_padded from dressed_reference"):
        trim()
        _join(runner, plan)
    if _quotes(plan) and runner.says("select has_words from dressed_reference"):
        runner.run("quoted_reference")
        if runner.says("select count(*) from quoted_reference"):
            _take_quoted(runner.con)
            _join(runner, plan)


def _join(runner: Runner, plan: Plan) -> None:
    runner.run_all(REFERENCE_STEPS)
    is_repeated = runner.says("select is_repeated from reference_repeat")
    pairing = REPEATED_REFERENCE_STEPS if is_repeated else ("no_repeated_reference",)
    has_group = bool(plan.ours.group and plan.theirs.group)
    grouping = {} if is_repeated or has_group else {"match_by_group": "no_group"}
    steps = [*pairing, *(grouping.get(name, name) for name in OPEN_STEPS)]
    if plan.settlement is None:
        steps.append("no_application_row")
    runner.run_all(steps)


def _quotes(plan: Plan) -> bool:
    """Say whether words of a reference can be told apart: one column, of which more than bare signs is kept."""
    return len(plan.ours.key) == 1 and plan.rules.reference_form != "plain"


def _take_quoted(con: duckdb.DuckDBPyConnection) -> None:
    """Make the views of entries anew, such that a reference with words around it is the one that these quote."""
    for side, view in (("ours", "expected"), ("theirs", "reported")):
        con.execute(f"drop view if exists {view}_as_written; alter view {view} rename to {view}_as_written")
        con.execute(
            f"create view {view} as select e.* replace (coalesce(q.ref, e.ref) as ref) from {view}_as_written e"
            f" left join (from quoted_reference where side = '{side}') q using (entry_no)"
        )
