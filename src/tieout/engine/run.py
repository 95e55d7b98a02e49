"""One run of one leg: load, match, reconcile, explain, check. A pure function of inputs, plan and code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tieout.core.errors import TieoutError
from tieout.engine import reviewed
from tieout.engine.checkpoint import Checkpoint
from tieout.engine.increment import ADD_SETTLED_STEPS, SettledPairs, keep_settled
from tieout.engine.loading import (
    SIDES,
    Input,
    Loaded,
    SideName,
    load,
    part_starts,
    refused_by_column,
    refused_rows,
    types_of,
)
from tieout.engine.macros import add_likeness_macros, add_macros
from tieout.engine.plan import PAIR, LearnedWeights, Level, Plan, SidePlan
from tieout.engine.plan_steps import differing_cells_macro, differs_macro, join_step, unmatched_step
from tieout.engine.projection import (
    EntryShape,
    agrees_by_day,
    blank_reference,
    compared_pairs,
    entry_projection,
    entry_shape,
    shared_decimals,
)
from tieout.engine.references import CLOSER_STEPS, OPEN_STEPS, has_reference, match_by_reference
from tieout.engine.reviewed import Decided, Decisions
from tieout.engine.settlement.steps import refused_advice, settle_open_items
from tieout.engine.side_by_side import run_side_by_side, thread_count
from tieout.engine.steps import SIDE_BY_SIDE, Runner, Step, StepRecord
from tieout.engine.summary import summarise
from tieout.engine.why_not import WHY_NOT_ROWS, Subject, why_not_steps
from tieout.intake.records import Records
from tieout.store.trees import sql_of

SMALL_ROWS = 5_000_000
"""Up to so many rows of both sides steps run side by side: it is then planning that takes the time, not the work.

With one thread they run one after another, which takes an eighth less of a processor."""

FEW_REFUSED = 3
"""So few bad rows, less than half of a small file, are those rows' fault and not the plan's."""

LEAST_ALTERNATIVE = 0.01
"""Among learned chances: a candidate that is less likely is no alternative to speak of."""

CANDIDATE_STEPS = (
    "match_equal",
    "block_expected",
    "block_reported",
    "block_same_amount",
    "block_rare_word",
    "block_same_unit",
    "no_sure_pair",
)
EVIDENCE_STEPS = (
    "unequal_expected",
    "unequal_reported",
    "currency_size",
    "word_rarity",
    "sample_expected",
    "sample_reported",
    "evidence_expected",
    "evidence_reported",
    "block_sampled_near",
    "block_candidate",
    "compared_candidate",
)
CHANCE_STEPS = ("chance_pair", "chance_level")
SURE_STEPS = ("sure_pair", "sure_candidate")
SECOND_LOOK_STEPS = ("block_candidate", "compared_candidate")
BEGINS_TELL = (
    "select coalesce(sum(matched) > sum(chance), true) from evidence_level"
    " where evidence = 'text' and level between 110 and 123 and level % 10 <= 3"
)
"""Whether texts that begin alike, are spelt differently and share no rare word speak for a pair, as was learned."""
CONFIDENCE_STEPS = ("confident_candidate", "confident_choice")
SPENT = (
    "same_amount",
    "near_amount",
    "rare_text",
    "same_unit",
    "every_candidate",
    "block_candidate",
    "compared_candidate",
    "weighed_candidate",
    "pair_confidence",
    "judged_candidate",
    "sure_candidate",
    "block_expected",
    "block_reported",
)
"""What nothing reads any more once pairs are chosen by learned weights: the largest tables of the scored pass."""
WEIGHTED_STEPS = ("block_near_amount", "block_candidate", "score_candidate", "scored_choice")
ROUND_STEPS = ("live_candidate", "mutual_best")
CHOICE_STEPS = ("score_match", "candidate")
NO_CHOICE_STEPS = ("no_scored_candidate", "no_scored_match", "no_candidate")
RESULT_STEPS = (
    "day_total",
    "difference",
    "alike_open",
    "copied_expected",
    "copied_reported",
    "lone_expected",
    "lone_reported",
    "search_expected",
    "search_reported",
    "unmatched_ours",
    "unmatched_theirs",
    "pair_delta",
    "group_delta",
    "settlement_delta",
    "mixed_sign",
    "reversed_row",
    "lone_delta",
    "delta",
    "match",
    "application",
    "daily",
    "balance",
    "parts_sum_to_delta",
    "window_is_conserved",
    "every_row_ends_once",
)
USUAL_STEPS = (
    "reference_is_repeated",
    "no_repeated_reference",
    *CLOSER_STEPS,
    *(name for name in OPEN_STEPS if name != "match_by_group"),
    "no_group",
    "no_application_row",
    *NO_CHOICE_STEPS,
    "differing_of_references",
    *(name for name in RESULT_STEPS if name not in ("day_total", "match", "unmatched_ours", "unmatched_theirs")),
    "day_total_of_one_side",
    "match_of_references",
    "lone_row",
    "near_key",
    "near_reference",
    "tolerance_change",
    "form_change",
    "why_not",
)
"""The steps that are files of a comparison whose rows have a reference of their own, in the order of their turn."""
FACTS = (
    "match",
    "application",
    "delta",
    "difference",
    "unmatched_ours",
    "unmatched_theirs",
    "candidate",
    "why_not",
    "quarantine",
    "check",
    "balance",
    "daily",
)

QUARANTINE_SCHEMA = pa.schema(
    [
        ("side", pa.string()),
        ("file", pa.string()),
        ("row_no", pa.int64()),
        ("line", pa.int64()),
        ("column", pa.string()),
        ("reason_code", pa.string()),
        ("reason", pa.string()),
        ("raw", pa.string()),
    ]
)
CHECK_SCHEMA = pa.schema(
    [
        ("side", pa.string()),
        ("file", pa.string()),
        ("name", pa.string()),
        ("subject", pa.string()),
        ("currency", pa.string()),
        ("stated", pa.decimal128(38, 6)),
        ("computed", pa.decimal128(38, 6)),
        ("difference", pa.decimal128(38, 6)),
        ("ok", pa.bool_()),
        ("message", pa.string()),
    ]
)


class PlanMisfit(TieoutError):
    """The plan reads a column in a way that too many rows refuse."""

    code = "plan_misfit"


@dataclass(frozen=True)
class Outcome:
    """What a run yields beside its fact files: the summary, the record of each step, and the weights it learned.

    `digests` are the SHA-256 of those fact files, by name, that this process wrote and read already.
    """

    summary: dict[str, Any]
    steps: tuple[StepRecord, ...]
    learned: LearnedWeights | None = None
    digests: Mapping[str, str] = field(default_factory=dict)


def execute(
    con: duckdb.DuckDBPyConnection,
    ours: Input,
    theirs: Input,
    plan: Plan,
    *,
    run_id: str,
    fact_dir: Path,
    advice: Input | None = None,
    settled: SettledPairs | None = None,
    decisions: Decisions | None = None,
    book: str = "compare",
    on_step: Callable[[str], None] = lambda _: None,
    checkpoint: Checkpoint | None = None,
    max_refused_share: float | None = None,
    subject: Subject | None = None,
    has_macros: bool = False,
) -> Outcome:
    """Run the leg and write its facts into `fact_dir` as Parquet.

    Raises FastReadFailed when a plain CSV must be read the careful way, StepFailed when the engine cannot go on and
    StepContractBroken when a step breaks its promise; nothing counts until the caller publishes the folder.
    With `max_refused_share` a column that refuses a larger share of the rows, and not only a few, raises PlanMisfit.
    `settled` is what the run left that this one comes after, `decisions` are those of reviewers that count in the run.
    With `subject` that row alone is asked what would match it. `has_macros` says that `con` has those of `add_macros`
    already.
    """
    on_step = _one_at_a_time(on_step)
    if plan.rules.scoring != "learned" or plan.learned is None or (decisions and decisions.rulings):
        settled = None  # What was settled by other weights, or before a reviewer decided, is asked anew.
    done = checkpoint.restore(con) if checkpoint else []

    def after_step(records: list[StepRecord]) -> None:
        if checkpoint:
            checkpoint.consider(con, records)

    if not has_macros:
        add_macros(con)
    with ThreadPoolExecutor(1) as aside:
        defined = aside.submit(con.cursor().execute, differing_cells_macro(plan))
        loaded_ours, loaded_theirs = load_sides(con, ours, theirs, plan, on_step, is_loaded=bool(done), has_macros=True)
        defined.result()
    loaded_advice = load_advice(con, advice, plan, on_step, is_loaded=bool(done))
    is_small = loaded_ours.taken + loaded_theirs.taken <= SMALL_ROWS
    at_once = SIDE_BY_SIDE if is_small and thread_count(con) > 1 else 1
    runner = Runner(con, fact_dir, on_step, done, after_step, is_side_by_side=at_once > 1)
    # Rows are numbered by now and every fact is ordered, so no step needs to keep the order that it finds; keeping
    # it made a step over 10M rows that picks 1% of them 3.0 s instead of 0.35 s.
    con.execute("set preserve_insertion_order = false")
    sides = ((ours, loaded_ours), (theirs, loaded_theirs))
    told = ((advice, loaded_advice),) if advice is not None and loaded_advice is not None else ()
    if max_refused_share is not None:
        for _, loaded in (*sides, *told):
            _assert_plan_fits(con, loaded, plan, max_refused_share)
    _make_run_relation(runner, plan, run_id, loaded_ours, loaded_theirs, loaded_advice, subject)
    decided = reviewed.find_decided(runner, decisions) if decisions and decisions.rulings else None
    project = partial(_project, con, plan, loaded_ours, loaded_theirs, is_apart=decided is not None)
    if decided is not None:
        project()
    shape = entry_shape(plan, loaded_ours.types, loaded_theirs.types)
    join = join_step(plan, shape, (loaded_ours.taken, loaded_theirs.taken))
    *left, match_step = _match(runner, plan, join, partial(project, is_trimmed=True), decided, settled)
    is_scored = runner.says("select is_possible from scoring")
    is_as_written = plan.rules.reference_form == "written"
    keys = ((), ()) if is_as_written else (plan.ours.key, plan.theirs.key)
    made: dict[str, str | Step] = {
        "match": match_step,
        "day_total": "day_total_of_one_side" if has_reference(plan) and agrees_by_day(plan) else "day_total",
        "unmatched_ours": unmatched_step("ours", "theirs", "expected", list(plan.ours.columns), keys[0]),
        "unmatched_theirs": unmatched_step("theirs", "ours", "reported", list(plan.theirs.columns), keys[1]),
    }
    has_likeness = is_scored or decided is not None
    pairs = ("differing_by_score", "differing") if has_likeness else ("differing_of_references",)
    is_repeated = runner.says("select is_repeated from reference_repeat")
    asked = why_not_steps(con, is_repeated=is_repeated, is_scored=is_scored)
    with ThreadPoolExecutor(1) as aside:
        # No step reads what was refused or checked, so it is written beside them.
        written = aside.submit(_write_what_was_read, con.cursor(), fact_dir, plan, (*sides, *told))
        runner.run_all([*left, *pairs, *(made.get(name, name) for name in RESULT_STEPS), *asked])
        written.result()
    by_reference = next((one for one in runner.records if one.name == "match_of_references"), None)
    summary = summarise(
        con, plan, run_id, book, sides, told, by_reference=by_reference.rows if by_reference else None, at_once=at_once
    )
    if decided is not None:
        is_relearned = plan.learned is not None and _has_run(runner, "learned_level")
        summary["review"] |= reviewed.told_decisions(con, decided, is_relearned=is_relearned)
    digests = {file.path.name: file.sha256 for file in runner.fact_files}
    return Outcome(summary, tuple(runner.records), _learned(runner, plan, decided), digests)


def _one_at_a_time(on_step: Callable[[str], None]) -> Callable[[str], None]:
    """Return the callback such that steps side by side announce themselves one after another."""
    lock = Lock()

    def announce(step: str) -> None:
        with lock:
            on_step(step)

    return announce


def load_sides(
    con: duckdb.DuckDBPyConnection,
    ours: Input,
    theirs: Input,
    plan: Plan,
    on_step: Callable[[str], None] = lambda _: None,
    *,
    is_loaded: bool = False,
    has_macros: bool = False,
) -> tuple[Loaded, Loaded]:
    """Load both sides and project them onto the canonical entry: the views `expected` and `reported`."""
    if not has_macros:
        add_macros(con)
    pairs = compared_pairs(plan)
    given = {"ours": (ours.whole, plan.ours), "theirs": (theirs.whole, plan.theirs)}
    types = {side: types_of(con, side, *given[side]) for side in SIDES}
    as_typed = dict(zip(SIDES, shared_decimals(plan, types["ours"], types["theirs"]), strict=True))

    def load_side(con: duckdb.DuckDBPyConnection, side: SideName) -> Loaded:
        on_step(f"load_{side}")
        compared = [item.ours if side == "ours" else item.theirs for item in pairs]
        loaded = load(con, side, *given[side], compared, types[side], as_typed=as_typed[side], is_loaded=is_loaded)
        blank = blank_reference(loaded.rows, given[side][1], loaded.types)
        return replace(loaded, is_ref_bare=blank is not None and not con.execute(sql_of(blank)).fetchall())

    # Side by side, because DuckDB's reader of CSV alone leaves a core idle for a quarter of the time.
    loading = {side: partial(load_side, side=side) for side in SIDES}
    loaded_ours, loaded_theirs = run_side_by_side(
        con, loading, after={}, at_most=min(thread_count(con), len(SIDES))
    ).values()
    _project(con, plan, loaded_ours, loaded_theirs)
    return loaded_ours, loaded_theirs


def load_advice(
    con: duckdb.DuckDBPyConnection,
    advice: Input | None,
    plan: Plan,
    on_step: Callable[[str], None] = lambda _: None,
    *,
    is_loaded: bool = False,
) -> Loaded | None:
    """Load the advice of the plan, if it has any, and project its lines onto the canonical entry: the view `advice`."""
    if advice is None or plan.advice is None:
        return None
    on_step("load_advice")
    types = types_of(con, "advice", advice.source, plan.advice)
    loaded = load(con, "advice", advice.source, plan.advice, [], types, is_loaded=is_loaded)
    query = entry_projection(
        loaded.rows,
        loaded.types,
        plan.advice,
        [],
        zone=plan.rules.zone,
        has_rejects=loaded.refused > 0,
        row_no=loaded.row_no,
        shape=EntryShape(is_ref_integer=False, has_amount=False, is_amount_plain=False, has_currency=False),
        is_ref_bare=False,
    )
    con.execute(f"create or replace view advice as {sql_of(query, is_spent=True)}")
    return loaded


def _side_plan(plan: Plan, side: SideName) -> SidePlan:
    advice = plan.advice or SidePlan({})
    return plan.ours if side == "ours" else plan.theirs if side == "theirs" else advice


def _assert_plan_fits(con: duckdb.DuckDBPyConnection, loaded: Loaded, plan: Plan, max_share: float) -> None:
    are_few = loaded.refused <= FEW_REFUSED and 2 * loaded.refused < loaded.row_count
    if are_few or loaded.refused <= loaded.row_count * max_share:
        return
    side = _side_plan(plan, loaded.side)
    counts = refused_by_column(con, loaded, side)
    name = max(counts, key=lambda key: counts[key])
    kind = side.columns[name].kind
    raise PlanMisfit(
        f"{counts[name]:,} of {loaded.row_count:,} rows of {loaded.side} have no {kind} that fits in column {name!r}.",
        subject=name,
        remedy=f"Correct its kind, its marks or its date_format under {loaded.side}.columns of the plan.",
    )


def _match(
    runner: Runner,
    plan: Plan,
    join: Step,
    trim_references: Callable[[], None],
    decided: Decided | None,
    settled: SettledPairs | None,
) -> list[str]:
    """Run the passes: by reference, by group, by settlement, by score. Return the steps left that make their facts.

    A question that decides what runs is a step of its own, so a run that goes on from a checkpoint takes the same way.
    """
    match_by_reference(runner, plan, join, trim_references)
    if decided is not None:
        runner.run_all(reviewed.APART_STEPS)
    if plan.settlement is not None:
        settle_open_items(runner, plan, plan.settlement)
        if decided is not None:  # it made anew what was set apart
            runner.run_all(reviewed.APART_STEPS)
    add = [] if decided is None else [reviewed.ADD_STEP]
    if not runner.says("select is_possible from scoring"):
        is_grouped = runner.says("select count(*) from entry_group")
        return [*NO_CHOICE_STEPS, *add, "match" if is_grouped or add else "match_of_references"]
    _score(runner, plan, decided, settled)
    runner.run_all(add)
    is_grouped = runner.says("select count(*) from entry_group")
    is_scored = runner.says("select count(*) from scored_match")
    return ["match" if is_grouped or is_scored else "match_of_references"]


def _score(runner: Runner, plan: Plan, decided: Decided | None, settled: SettledPairs | None) -> None:
    """Run the scored pass, over what an earlier run settled where there is that."""
    add_likeness_macros(runner.con)
    is_learned = plan.rules.scoring == "learned"
    with ThreadPoolExecutor(1) as aside:
        if is_learned:
            # To load numpy and scipy takes 0.2 s, in which the engine is busy by itself.
            aside.submit(import_module, "tieout.engine.scoring.pairing")
        runner.run_all(_unrejected(CANDIDATE_STEPS, decided))
    if is_learned:
        _choose_by_learned_weights(runner, plan, decided, settled)
        runner.run("lone_rows_are_left")
        if runner.says("select is_there from leftover"):
            from tieout.engine.sums.steps import find_sums_among_loose_rows  # noqa: PLC0415 - numpy, as above

            find_sums_among_loose_rows(runner, plan, is_decided=decided is not None)
    else:
        runner.run_all(_unrejected(WEIGHTED_STEPS, decided))
        while runner.run_all(ROUND_STEPS).rows:
            runner.run("add_choice")
    runner.run_all(CHOICE_STEPS)


def _unrejected(steps: Sequence[str], decided: Decided | None) -> Sequence[str]:
    """Return the steps, with those that leave out what a reviewer rejected."""
    return steps if decided is None else reviewed.with_candidates(steps)


def _learns(plan: Plan, decided: Decided | None) -> bool:
    """Say whether weights are learned: the plan has none, or reviewers decided about pairs since it learned its own."""
    if plan.learned is None:
        return True
    return decided is not None and decided.teaches and decided.digest != plan.learned.labels


def _choose_by_learned_weights(
    runner: Runner, plan: Plan, decided: Decided | None, settled: SettledPairs | None
) -> None:
    """Weigh the candidates by what the rows themselves teach, or by the plan's weights, and choose pairs as a whole.

    Rows with an equal amount or a rare word in common come first; the pairs that are sure by then take their rows out
    of the search among amounts that are merely near, where nearly all candidates are.
    """
    from tieout.engine.scoring import learning, pairing  # noqa: PLC0415 - as above

    given = None if _learns(plan, decided) else plan.learned
    if settled is None:
        runner.run_all(_unrejected([*EVIDENCE_STEPS, *(CHANCE_STEPS if given is None else ())], decided))
    if given is None:
        if decided is not None:
            runner.run(reviewed.LABEL_STEP)
        runner.run_computed("learned_level", partial(learning.learn_levels, has_labels=decided is not None))
    else:
        levels = learning.table_of(given)
        runner.run_computed("given_level", lambda _con, _query: levels)
    if settled is not None:
        keep_settled(runner, settled)

    def choose(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
        return pairing.choose_pairs(con.sql(query).to_arrow_table(), plan.rules.review_threshold)

    def judge() -> None:
        runner.run("weighed_candidate")
        runner.run_computed("pair_confidence", choose)
        runner.run("judged_candidate")

    judge()
    near = "block_near_amount" if runner.says(BEGINS_TELL) else "block_near_word"
    runner.run_all([*SURE_STEPS, near, "second_look_is_needed"])
    if runner.says("select is_needed from second_look"):
        runner.run_all(_unrejected(SECOND_LOOK_STEPS, decided))
        judge()
    runner.run_all(CONFIDENCE_STEPS if settled is None else [*CONFIDENCE_STEPS, *ADD_SETTLED_STEPS])
    for name in SPENT:
        runner.con.execute(f"drop table if exists {name}")


def _learned(runner: Runner, plan: Plan, decided: Decided | None) -> LearnedWeights | None:
    is_learned = _has_run(runner, "learned_level")
    if not is_learned and not _has_run(runner, "given_level"):
        return None
    levels = runner.con.sql("select evidence, level, matched, chance from evidence_level order by all").fetchall()
    match_share = next(matched for evidence, _, matched, _ in levels if evidence == PAIR)
    labels = plan.learned.labels if plan.learned is not None else ""
    if is_learned:
        labels = decided.digest if decided is not None and decided.teaches else ""
    return LearnedWeights(match_share, tuple(Level(*level) for level in levels if level[0] != PAIR), labels)


def _has_run(runner: Runner, step: str) -> bool:
    return any(record.name == step for record in runner.records)


def _project(
    con: duckdb.DuckDBPyConnection,
    plan: Plan,
    ours: Loaded,
    theirs: Loaded,
    *,
    is_trimmed: bool = False,
    is_apart: bool = False,
) -> None:
    """Make the views of entries; `is_trimmed` trims every reference, else only a side that needs it is trimmed.

    With `is_apart` rows that a reviewer accepted a partner for have no reference.
    """
    pairs = compared_pairs(plan)
    shape = entry_shape(plan, ours.types, theirs.types)
    con.execute(differs_macro(plan, shape))
    for loaded, side, view in ((ours, plan.ours, "expected"), (theirs, plan.theirs, "reported")):
        named = [(item.ours if loaded.side == "ours" else item.theirs, item) for item in pairs]
        query = entry_projection(
            loaded.rows,
            loaded.types,
            side,
            named,
            zone=plan.rules.zone,
            has_rejects=loaded.refused > 0,
            row_no=loaded.row_no,
            shape=shape,
            is_ref_bare=loaded.is_ref_bare and not is_trimmed,
        )
        con.execute(f"create or replace view {view + '_as_read' * is_apart} as {sql_of(query, is_spent=True)}")
    if is_apart:
        reviewed.set_accepted_apart(con)


def _make_run_relation(
    runner: Runner,
    plan: Plan,
    run_id: str,
    ours: Loaded,
    theirs: Loaded,
    advice: Loaded | None,
    subject: Subject | None,
) -> None:
    rules = plan.rules
    has_evidence = bool(plan.ours.amount and plan.theirs.amount) or bool(plan.ours.text and plan.theirs.text)
    # Where advice tells what was paid, what is left fits nothing: likeness would only pair what does not belong.
    has_evidence = has_evidence and advice is None
    runner.con.execute(
        """
        create or replace table run as select
          ?::varchar as run_short, ?::bigint as ours_rows, ?::bigint as theirs_rows, ?::boolean as has_key,
          ?::boolean as has_group, ?::boolean as is_scored, ?::bigint as tolerance_micros, ?::bigint as tolerance_ppm,
          ?::bigint as window_days, ?::double as weight_time, ?::double as weight_amount, ?::double as weight_unit,
          ?::double as weight_text, ?::double as auto_threshold, ?::double as review_threshold,
          ?::double as required_margin, ?::double as lag_half_days, ?::double as alternative_threshold,
          ?::bigint as ours_offset, ?::bigint as theirs_offset, ?::bigint as advice_offset,
          ?::boolean as has_settlement, ?::boolean as is_learned, ?::bigint as why_rows, ?::varchar as why_side,
          ?::bigint as why_row, ?::varchar as reference_form
        """,
        [
            run_id[:8],
            ours.taken,
            theirs.taken,
            has_reference(plan),
            bool(plan.ours.group and plan.theirs.group),
            has_evidence,
            rules.tolerance_micros,
            rules.tolerance_ppm,
            rules.window_days,
            rules.weights.time,
            rules.weights.amount,
            rules.weights.unit,
            rules.weights.text,
            rules.auto_threshold,
            rules.review_threshold,
            rules.required_margin,
            rules.lag_half_days,
            LEAST_ALTERNATIVE if rules.scoring == "learned" else rules.review_threshold,
            ours.offset,
            theirs.offset,
            advice.offset if advice else 0,
            plan.settlement is not None,
            rules.scoring == "learned",
            WHY_NOT_ROWS,
            subject.side if subject else None,
            subject.row_no if subject else None,
            rules.reference_form,
        ],
    )
    # Only where rows are left without a partner does a step tell what they are; all others read that nothing is told.
    runner.con.execute("create table if not exists told_row (side varchar, entry_no bigint, reason_code varchar)")
    given = {"run": 1, "told_row": 0, "expected": ours.taken, "reported": theirs.taken}
    for relation, rows in given.items():
        runner.note_rows(relation, rows)


def _write_what_was_read(
    con: duckdb.DuckDBPyConnection, fact_dir: Path, plan: Plan, sides: Sequence[tuple[Input, Loaded]]
) -> None:
    """Write what of the files was refused, and what they state of themselves."""
    _write_quarantine(con, fact_dir, plan, sides)
    _write_checks(con, fact_dir, sides)


def _write_quarantine(
    con: duckdb.DuckDBPyConnection, fact_dir: Path, plan: Plan, sides: Sequence[tuple[Input, Loaded]]
) -> None:
    path = fact_dir / "quarantine.parquet"
    tables = []
    for given, loaded in sides:
        typed = refused_rows(con, loaded, given, _side_plan(plan, loaded.side))
        if loaded.side == "advice" and plan.advice is not None:
            typed += [(given.name, *row) for row in refused_advice(con, loaded, plan.advice, given.locate)]
        tables.append(_table_of([(loaded.side, *row) for row in typed], QUARANTINE_SCHEMA))
        tables += _refused_by_readers(con, given, loaded.side)
    table = pa.concat_tables(tables).sort_by(
        [("side", "ascending"), ("row_no", "ascending"), ("line", "ascending"), ("reason_code", "ascending")]
    )
    pq.write_table(table, path)
    con.execute(f"create or replace view quarantine as from read_parquet('{_quoted(path)}')")


def _refused_by_readers(con: duckdb.DuckDBPyConnection, given: Input, side: SideName) -> list[pa.Table]:
    """Return what the readers of a side's files refused, numbered on through the files."""
    refusing = [part for part in given.parts if isinstance(part.source, Records) and part.source.rejected is not None]
    if not refusing:
        return []
    import pyarrow.compute as pc  # noqa: PLC0415 - few files have refused rows

    tables = []
    for part, start in zip(given.parts, part_starts(con, [part.source for part in given.parts]), strict=True):
        if not isinstance(part.source, Records) or part.source.rejected is None:
            continue
        refused = pq.read_table(part.source.rejected)
        numbers = pc.add(refused.column("row_no"), start)
        refused = refused.set_column(refused.schema.get_field_index("row_no"), "row_no", numbers)
        for name, value in (("file", part.name), ("side", side)):
            refused = refused.add_column(0, name, pa.array([value] * len(refused), pa.string()))
        tables.append(refused.select(QUARANTINE_SCHEMA.names).cast(QUARANTINE_SCHEMA))
    return tables


def _write_checks(con: duckdb.DuckDBPyConnection, fact_dir: Path, sides: Sequence[tuple[Input, Loaded]]) -> None:
    rows = [
        (
            loaded.side,
            file,
            check.name,
            check.subject,
            check.currency,
            _six_places(check.stated),
            _six_places(check.computed),
            _six_places(check.stated - check.computed),
            check.is_ok,
            check.message,
        )
        for given, loaded in sides
        for file, check in given.checks
    ]
    path = fact_dir / "check.parquet"
    pq.write_table(_table_of(rows, CHECK_SCHEMA), path)
    con.execute(f"""create or replace view "check" as from read_parquet('{_quoted(path)}')""")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _table_of(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    if not rows:
        # To turn lists into columns pyarrow imports pandas where there is one, which takes 0.2 s.
        return pa.Table.from_batches([], schema=schema)
    return pa.table([list(values) for values in zip(*rows, strict=True)], schema=schema)


def _six_places(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.000001"))
