"""Why not: the smallest change that would match an unmatched row, and which rules would explain most of the backlog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import duckdb

from tieout.core.money import from_micros
from tieout.engine.loading import SideName
from tieout.engine.steps import Step
from tieout.store.statements import execute

WHY_NOT_ROWS = 1_000
"""So many unmatched rows of each side and currency, the largest by amount, are asked what would match them."""
STEPS_A_RULE = 3
"""So many settings of one rule are told, those that explain most."""
WORTH_MORE = Fraction(11, 10)
"""So many times what a smaller setting of a rule explains, a larger must explain to be told beside it."""

LIKENESS_STEPS = ("near_pair", "near_change", "contested_change", "near_likeness", "likeness_change")
KINDS = (
    "reference_form",
    "amount_digits",
    "amount_sign",
    "window_days",
    "tolerance",
    "reference",
    "reference_part",
    "review_threshold",
    "date",
    "currency",
    "amount",
    "text",
    "other_reference",
    "taken_reference",
    "taken",
    "nothing_near",
)
"""Every kind of change, the smallest first; the macro `change_rank` has the same order."""


CHANGE_COLUMNS = (
    "side",
    "entry_no",
    "kind",
    "from_value",
    "to_value",
    "size",
    "partner_no",
    "rival_no",
    "is_certain",
    "gap_micros",
    "lag_days",
)
RULE_COLUMNS = (
    "rule",
    "from_value",
    "to_value",
    "place",
    "currency",
    "ours_rows",
    "theirs_rows",
    "amount_micros",
    "basis",
)


@dataclass(frozen=True)
class Subject:
    """The one unmatched row that is asked for, by its number in the file."""

    side: SideName
    row_no: int


@dataclass(frozen=True)
class RuleChange:
    """What another setting of one rule would explain: rows of each side and money by currency, in micros.

    `basis` is exact; bound (it cannot be more); or estimate. `explains` is the share of the backlog's money, the
    currencies added up.
    """

    rule: str
    from_value: str
    to_value: str
    basis: str
    ours_rows: int
    theirs_rows: int
    micros: Mapping[str, int]
    explains: Fraction

    @property
    def what_if(self) -> str:
        """The change as `--what-if` takes it."""
        return f"{self.rule}={self.to_value}"


def why_not_steps(con: duckdb.DuckDBPyConnection, *, is_repeated: bool, is_scored: bool) -> list[str | Step]:
    """Return the steps that say what would match the unmatched rows; where there is none, only an empty fact is made.

    `is_repeated`: references repeat; `is_scored`: the scored pass has run. A step that has nothing to look at is not
    run, for to plan one takes longer than a small run should. It is asked before the unmatched rows have their
    reasons, so that these steps need not wait for all others.
    """
    sides, keyed_sides = _left_over(con, is_scored=is_scored)
    if not sides:
        return ["no_why_not"]
    changes = [
        name
        for name, is_run in (
            ("near_reference", keyed_sides > 1),
            ("near_same_reference", is_repeated),
            ("near_taken", is_scored),
        )
        if is_run
    ]
    rules = [
        "tolerance_change",
        *(["surer_change"] if is_scored else []),
        *(["form_change"] if keyed_sides > 1 else []),
    ]
    steps: list[str | Step] = ["lone_row", *(["near_key"] if keyed_sides > 1 else []), *changes, *rules]
    if is_scored and sides > 1:
        steps += LIKENESS_STEPS
        changes.append("near_likeness")
        rules.append("likeness_change")
    whole = _together("change_of_row", changes, CHANGE_COLUMNS) if changes else "no_near_change"
    return [*steps, whole, _together("rule_change", rules, RULE_COLUMNS), "why_not"]


def _left_over(con: duckdb.DuckDBPyConnection, *, is_scored: bool) -> tuple[int, int]:
    """Return how many sides have rows that no pass matched, and how many have some with a reference."""
    rows = " union all ".join(
        f"select '{side}' as side, ref from ungrouped_{relation}"
        f" anti join (select {side}_row from application_row where ours_row is not null) a on a.{side}_row = entry_no"
        + (f" anti join scored_match m on m.{side}_row = entry_no" if is_scored else "")
        for side, relation in (("ours", "expected"), ("theirs", "reported"))
    )
    found = execute(con, f"select count(distinct side), count(distinct side) filter (ref is not null) from ({rows})")
    sides, keyed_sides = found.fetchall()[0]
    return sides, keyed_sides


def _together(name: str, tables: Sequence[str], columns: tuple[str, ...]) -> Step:
    """Return the step that puts what several steps found into one relation."""
    return Step(
        name=name,
        reads=tuple(tables),
        out=name,
        columns=columns,
        grain=(),
        form="view",
        why="what the steps that had something to look at found",
        sql=" union all ".join(f"select {', '.join(columns)} from {table}" for table in tables),
    )


def _has_lone_rows(con: duckdb.DuckDBPyConnection) -> bool:
    return any(con.execute(f"select 1 from {name} limit 1").fetchall() for name in ("lone_expected", "lone_reported"))


def summarise_why_not(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return what the summary says: how many rows each kind of change would match, and the rules worth most money."""
    kinds = execute(
        con,
        "select * from (select side, kind, certainty, currency, count(*), sum(amount_micros::hugeint) from why_not"
        " group by all) order by side, change_rank(kind), certainty, currency",
    ).fetchall()
    names = ("side", "kind", "certainty", "currency", "rows")
    told = [{**dict(zip(names, row, strict=False)), "amount": str(from_micros(int(row[5] or 0)))} for row in kinds]
    changes = rule_changes(con) if _has_lone_rows(con) else []
    return {"rows": told, "rules": [_as_summary(change) for change in changes]}


def rule_changes(con: duckdb.DuckDBPyConnection) -> list[RuleChange]:
    """Return the settings of rules that explain most money, the best first, a few of each rule."""
    found = execute(
        con,
        "select rule, place, from_value, to_value, basis, currency, ours_rows, theirs_rows, amount_micros"
        " from rule_change order by rule, place, currency",
    ).fetchall()
    backlog = _backlog(con)
    settings: dict[tuple[str, int], list[tuple[Any, ...]]] = {}
    for row in found:
        settings.setdefault((row[0], row[1]), []).append(row)
    changes = [_change_of(rows, backlog) for rows in settings.values()]
    return sorted(_worth_telling(changes), key=lambda change: -change.explains)


def _backlog(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the money by currency that is not explained: unmatched, different, or waiting for a person."""
    found = execute(
        con,
        "select currency, sum(micros) from ("
        " select currency, abs(amount_micros::hugeint) as micros from lone_row"
        " union all select currency, abs(amount_micros::hugeint) from pair_delta"
        " union all select coalesce(currency, ''), abs(amount_micros::hugeint) from ungrouped_expected"
        " semi join (from scored_match where outcome = 'review') on ours_row = entry_no"
        ") where micros is not null group by currency",
    ).fetchall()
    return {currency: int(micros) for currency, micros in found}


def _change_of(rows: Sequence[tuple[Any, ...]], backlog: Mapping[str, int]) -> RuleChange:
    rule, _, from_value, to_value, basis = rows[0][:5]
    micros = {row[5]: int(row[8] or 0) for row in rows}
    shares = (Fraction(amount, backlog[name]) for name, amount in micros.items() if backlog.get(name))
    ours, theirs = (sum(int(row[place]) for row in rows) for place in (6, 7))
    return RuleChange(rule, from_value, to_value, basis, ours, theirs, micros, sum(shares, Fraction(0)))


def _worth_telling(changes: Sequence[RuleChange]) -> list[RuleChange]:
    """Return of each rule the settings that explain most, without those that explain hardly more than a smaller one."""
    kept: dict[str, list[RuleChange]] = {}
    for change in changes:
        former = kept.setdefault(change.rule, [])
        if change.explains and (not former or change.explains >= WORTH_MORE * former[-1].explains):
            former.append(change)
    return [change for former in kept.values() for change in former[-STEPS_A_RULE:]]


def _as_summary(change: RuleChange) -> dict[str, Any]:
    return {
        "rule": change.rule,
        "from": change.from_value,
        "to": change.to_value,
        "basis": change.basis,
        "ours_rows": change.ours_rows,
        "theirs_rows": change.theirs_rows,
        "amounts": {currency: str(from_micros(micros)) for currency, micros in change.micros.items()},
        "explains": round(float(change.explains), 6),
        "what_if": change.what_if,
    }
