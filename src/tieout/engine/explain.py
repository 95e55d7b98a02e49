"""Why a delta is what it is: the rule that met, the parts, what was compared, who else was considered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from tieout.core.errors import TieoutError
from tieout.core.money import from_micros
from tieout.engine.loading import SideName
from tieout.engine.reviewed import FACT as REVIEW_FACT

PARTS = ("rate", "volume", "fx", "timing", "fee", "duplicate", "missing", "unexpected", "unexplained")

LEARNED = "learned"
RULES = {
    "reference": "both rows carry the same reference",
    "group": "both sides carry the same group reference, or a repeated reference that ties in sum",
    "settlement": "payments applied to invoices: by advice, or because the open amounts of one party sum to them",
    "reviewed": "a reviewer accepted the pair",
    "sum": "rows that name the party of a row of the other side and sum to it, which chance hardly explains",
    "scored": "the most alike pair left in its block: each row prefers the other to every free row",
    LEARNED: "a pair of the one-to-one pairing that the evidence of all candidates together speaks for most",
    None: "no pass found a partner",
}

MEANINGS = {
    "underpay": "reported less than expected, beyond the tolerance",
    "overpay": "reported more than expected, beyond the tolerance",
    "missing": "ours has it, theirs does not",
    "unexpected": "theirs has it, ours does not",
    "duplicate": "another row of the same side says the same and stands for it",
    "timing_lag": "so close to the edge of what the other side covers that its partner may lie beyond it",
    "currency_mismatch": "the pair is in two currencies, so each side stands in its own",
    "value_mismatch": "the amounts agree and another compared column does not",
}


class DeltaUnknown(TieoutError):
    """No delta of that name is in the run."""

    code = "delta_unknown"
    http_status = 404


class RowUnknown(TieoutError):
    """A run has no such row: it was refused, or the file is shorter."""

    code = "row_unknown"
    http_status = 404


@dataclass(frozen=True)
class _Facts:
    """The facts of a run as rows of dictionaries."""

    run_dir: Path
    con: duckdb.DuckDBPyConnection

    def has(self, fact: str) -> bool:
        return (self.run_dir / f"{fact}.parquet").exists()

    def rows(self, fact: str, where: str, *values: object) -> list[dict[str, Any]]:
        path = str(self.run_dir / f"{fact}.parquet").replace("'", "''")
        relation = self.con.execute(f"select * from read_parquet('{path}') where {where}", list(values))
        names = [column[0] for column in relation.description]
        return [dict(zip(names, row, strict=True)) for row in relation.fetchall()]


def _facts_of(run_dir: Path) -> _Facts:
    con = duckdb.connect(":memory:")
    con.execute("set TimeZone = 'UTC'")
    return _Facts(run_dir, con)


def explain_row(run_dir: Path, side: SideName, row_no: int) -> dict[str, Any]:
    """Return what became of one row, by its number in the file: its match or why it has none.

    Keys: side, row, pass, rule, match, members, applications (of a sum or a settlement), candidates (the
    chosen first, then the likeliest), why_not, change (the smallest that would match it, where the run told
    it), deltas and searched; decisions are those of reviewers.
    Raises RowUnknown.
    """
    facts = _facts_of(run_dir)
    matched = facts.rows("match", f"{side}_row = ? order by ours_row, theirs_row", row_no)
    lone = [] if matched else facts.rows(f"unmatched_{side}", f"{side}_row = ?", row_no)
    if not matched and not lone:
        raise RowUnknown(
            f"Run {run_dir.name} has no row {row_no} of {side}.",
            subject=str(row_no),
            remedy="Rows are numbered from 1 in file order, the header apart; refused rows stand in quarantine.csv.",
        )
    other = "theirs" if side == "ours" else "ours"
    considered = facts.rows("candidate", f"{side}_row = ? order by chosen desc, score desc, {other}_row", row_no)
    rule = matched[0]["pass"] if matched else None
    deltas = facts.rows("delta", f"{side}_row = ? order by delta_id", row_no)
    return {
        "side": side,
        "row": row_no,
        "pass": rule,
        "rule": RULES[LEARNED if rule == "scored" and _is_learned(considered) else rule],
        "match": matched[0] if matched else None,
        "members": [{"ours_row": row["ours_row"], "theirs_row": row["theirs_row"]} for row in matched],
        "applications": _applications(facts, matched),
        "candidates": considered,
        "why_not": None if matched else _why_not(considered),
        "change": next(iter(facts.rows("why_not", "side = ? and row_no = ?", side, row_no)), None),
        "deltas": [in_units(delta) for delta in deltas],
        "searched": lone[0]["searched"] if lone else "",
        "decisions": _decisions(facts, f"{side}_row = ?", row_no),
    }


def _decisions(facts: _Facts, where: str, *values: object) -> list[dict[str, Any]]:
    """Return the decisions of reviewers that count in the run, where it has some."""
    if not facts.has(REVIEW_FACT):
        return []
    return facts.rows(REVIEW_FACT, f"{where} order by ruling, ours_row, theirs_row", *values)


def _applications(facts: _Facts, matched: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was applied to what in the match: kind, amount, verdict of the search, and why."""
    if not matched or not facts.has("application"):
        return []
    found = facts.rows("application", "match_id = ? order by ours_row, theirs_row", matched[0]["match_id"])
    return [in_units(row) for row in found]


def _why_not(candidates: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the likeliest candidate that was not taken and what speaks most against it; None without a candidate."""
    if not candidates:
        return None
    best = candidates[0]
    told = {name: best[f"weight_{name}"] for name in ("amount", "time", "text", "unit")}
    against = {name: weight for name, weight in told.items() if weight is not None and weight < 0}
    return {
        "ours_row": best["ours_row"],
        "theirs_row": best["theirs_row"],
        "chance": best["score"],
        "against": min(against, key=lambda name: against[name]) if against else None,
    }


def explain(run_dir: Path, delta_id: str) -> dict[str, Any]:
    """Return everything that the facts of a run say about one delta.

    Keys: delta, meaning, rule, parts (name to amount, those that are not zero), differences, candidates, members
    (rows of a group), applications (of a sum or a settlement), searched and decisions (of reviewers about its rows).
    Amounts are Decimals. Raises DeltaUnknown.
    """
    facts = _facts_of(run_dir)
    rows = facts.rows
    found = rows("delta", "delta_id = ?", delta_id)
    if not found:
        raise DeltaUnknown(
            f"Run {run_dir.name} has no delta {delta_id}.",
            subject=delta_id,
            remedy="`tieout show RUN` lists the largest; deltas.csv of --out lists all.",
        )
    delta = found[0]
    match_id, ours, theirs = delta["match_id"], delta["ours_row"], delta["theirs_row"]
    matched = rows("match", "match_id = ?", match_id) if match_id is not None else []
    rule = matched[0]["pass"] if matched else None
    considered = rows(
        "candidate", "ours_row = ? or theirs_row = ? order by score desc, ours_row, theirs_row", ours, theirs
    )
    lone = []
    if match_id is None:
        side = "ours" if ours is not None else "theirs"
        lone = rows(f"unmatched_{side}", f"{side}_row = ?", ours if ours is not None else theirs)
    return {
        "delta": in_units(delta),
        "meaning": MEANINGS[delta["kind"]],
        "pass": rule,
        "rule": RULES[LEARNED if rule == "scored" and _is_learned(considered) else rule],
        "parts": {part: from_micros(delta[f"{part}_micros"]) for part in PARTS if delta[f"{part}_micros"]},
        "differences": [in_units(row) for row in rows("difference", "match_id = ?", match_id)] if matched else [],
        "candidates": considered,
        "members": [{"ours_row": row["ours_row"], "theirs_row": row["theirs_row"]} for row in matched],
        "applications": _applications(facts, matched),
        "match": matched[0] if matched else None,
        "searched": lone[0]["searched"] if lone else "",
        "decisions": _decisions(facts, "ours_row = ? or theirs_row = ?", ours, theirs),
    }


def _is_learned(candidates: list[dict[str, Any]]) -> bool:
    return any(row["weight_pair"] is not None for row in candidates)


def in_units(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a fact with its amounts (`…_micros`) as Decimals in units, named without `_micros`."""
    shown: dict[str, Any] = {}
    for name, value in row.items():
        if name.endswith("_micros"):
            shown[name.removesuffix("_micros")] = None if value is None else from_micros(value)
        else:
            shown[name] = value
    return shown
