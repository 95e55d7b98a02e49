"""The pass by reference: as they stand, trimmed where one is padded, and by the one that words around it hide."""

from __future__ import annotations

from collections.abc import Callable

import duckdb

from tieout.engine.plan import Plan
from tieout.engine.steps import Runner, Step

REPEATED_REFERENCE_STEPS = (
    "find_repeated_reference",
    "pair_equal_reference",
    "leftover_reference",
    "pair_nearest_reference",
    "join_unique_reference",
)
NO_REFERENCE_STEPS = ("no_reference_join", "no_reference_is_repeated", "no_repeated_reference")
CLOSER_STEPS = ("closer_pair", "closer_expected", "closer_reported", "differing_by_reference", "reference_is_dressed")
EVERY_STEPS = ("closer_pair", "every_expected", "every_reported", "differing_by_reference")
OPEN_STEPS = (
    "open_expected",
    "open_reported",
    "match_by_group",
    "ungrouped_expected",
    "ungrouped_reported",
    "scoring_is_possible",
)


def match_by_reference(runner: Runner, plan: Plan, join: Step, trim: Callable[[], None]) -> None:
    """Run the pass by reference and, beside the look at what it left open, the pass by group.

    `join` is the step that joins both sides; `trim` makes the views of entries anew with every reference trimmed.
    """
    if not has_reference(plan):
        runner.run_all([*NO_REFERENCE_STEPS, *EVERY_STEPS, *_open_steps(plan, is_repeated=False)])
        return
    _join(runner, plan, join)
    if runner.says("select is_padded from dressed_reference"):
        trim()
        _join(runner, plan, join)
    if _quotes(plan) and runner.says("select has_words from dressed_reference"):
        runner.run("quoted_reference")
        if runner.says("select count(*) from quoted_reference"):
            _take_quoted(runner.con)
            _join(runner, plan, join)


def _join(runner: Runner, plan: Plan, join: Step) -> None:
    runner.run_all([join, "reference_is_repeated"])
    is_repeated = runner.says("select is_repeated from reference_repeat")
    pairing = REPEATED_REFERENCE_STEPS if is_repeated else ("no_repeated_reference",)
    runner.run_all([*pairing, *CLOSER_STEPS, *_open_steps(plan, is_repeated=is_repeated)])


def _open_steps(plan: Plan, *, is_repeated: bool) -> list[str]:
    has_group = bool(plan.ours.group and plan.theirs.group)
    grouping = {} if is_repeated or has_group else {"match_by_group": "no_group"}
    left = [] if plan.settlement is not None else ["no_application_row"]
    return [*(grouping.get(name, name) for name in OPEN_STEPS), *left]


def has_reference(plan: Plan) -> bool:
    """Say whether the plan names what identifies a row on both sides."""
    return bool(plan.ours.key and plan.theirs.key)


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
