"""What a run came to, as one document: counts, money by currency, differences, checks, quarantine, plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import duckdb

from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK
from tieout.core.money import from_micros
from tieout.engine.loading import SIDES, Input, Loaded, SideName
from tieout.engine.plan import Plan
from tieout.engine.side_by_side import run_side_by_side
from tieout.engine.steps import FEW_ROWS, planned_as_written
from tieout.engine.why_not import summarise_why_not
from tieout.store.statements import execute

PARTS = ("rate", "volume", "fx", "timing", "fee", "duplicate", "missing", "unexpected", "unexplained")
MAX_CHECKS_LISTED = 100


def summarise(
    con: duckdb.DuckDBPyConnection,
    plan: Plan,
    run_id: str,
    book: str,
    sides: Sequence[tuple[Input, Loaded]],
    advice: Sequence[tuple[Input, Loaded]] = (),
    *,
    by_reference: int | None = None,
    at_once: int = 1,
) -> dict[str, Any]:
    """Return the summary of a run whose steps have all ended; amounts are text in units of their currency.

    `advice` is the third input, if there is one. What was applied is told where payments were to be applied. Where all
    pairs were found by reference, `by_reference` says how many. So many of its questions are asked `at_once`: of few
    rows they take longer to plan than to answer.
    """
    asked = {**_QUESTIONS, **({"applications": _APPLICATIONS} if plan.settlement else {})}
    if by_reference is None:
        asked |= _BY_PASS
    tasks: dict[str, Callable[[duckdb.DuckDBPyConnection], Any]] = {
        name: partial(_rows, question=question) for name, question in asked.items()
    }
    tasks["why_not"] = summarise_why_not
    are_few = sum(loaded.taken for _, loaded in sides) <= FEW_ROWS
    planned = {name: partial(_asked, ask=ask, are_few=are_few) for name, ask in tasks.items()}
    told = run_side_by_side(con, planned, after={}, at_most=at_once)
    deltas, checks, quarantine = (told[name] for name in ("deltas", "checks", "quarantine"))
    by_pass = told["by_pass"] if by_reference is None else []
    if reference := told["reference"][0]["pairs"] if by_reference is None else by_reference:
        entry = {"matches": reference, "ours_rows": reference, "theirs_rows": reference}
        by_pass.insert(0, {"pass": "reference", "outcome": "auto", **entry})
    lone = {side: {row["reason_code"]: row["count"] for row in told[f"lone_{side}"]} for side in SIDES}
    review = sum(item["matches"] for item in by_pass if item["outcome"] == "review")
    refused: dict[SideName, int] = {
        side: sum(item["count"] for item in quarantine if item["side"] == side)
        for side in (*SIDES, *(loaded.side for _, loaded in advice))
    }
    failed = sum(not check["ok"] for check in checks)
    has_amounts = bool(plan.ours.amount or plan.theirs.amount)
    is_clean = not deltas and not review and not any(refused.values()) and not failed
    return {
        "tieout": _version(),
        "run_id": run_id,
        "book": book,
        "result": "ties_out" if is_clean else "differences",
        "exit_code": EXIT_OK if is_clean else EXIT_DIFFERENCES,
        **{loaded.side: _side_summary(given, loaded, lone[loaded.side], refused) for given, loaded in sides},
        **{loaded.side: _advice_summary(given, loaded, refused) for given, loaded in advice},
        **({"applications": _applications(told["applications"])} if plan.settlement else {}),
        "matched": {
            "matches": sum(item["matches"] for item in by_pass),
            "ours_rows": sum(item["ours_rows"] for item in by_pass),
            "theirs_rows": sum(item["theirs_rows"] for item in by_pass),
            "by_pass": by_pass,
        },
        "review": {"matches": review, "accepted": 0, "rejected": 0, "left_aside": 0},
        "currencies": [_currency_summary(item) for item in told["currencies"]] if has_amounts else [],
        "deltas": [{**item, "amount": _delta_amount(item) if has_amounts else None} for item in deltas],
        "differences": told["differences"],
        "why_not": told["why_not"],
        "checks": {
            "total": len(checks),
            "failed": failed,
            "items": [
                {**item, **{name: str(item[name]) for name in ("stated", "computed", "difference")}}
                for item in checks[:MAX_CHECKS_LISTED]
            ],
        },
        "quarantine": {**refused, "reasons": quarantine},
        "plan": _plan_summary(plan),
    }


def _delta_amount(item: Mapping[str, Any]) -> str | None:
    return None if item["amount"] is None else _units(item["amount"])


def _asked(con: duckdb.DuckDBPyConnection, ask: Callable[[duckdb.DuckDBPyConnection], Any], *, are_few: bool) -> Any:
    with planned_as_written(con, is_so=are_few):
        return ask(con)


def _rows(con: duckdb.DuckDBPyConnection, question: str) -> list[dict[str, Any]]:
    result = execute(con, question)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _version() -> str:
    from tieout import __version__  # noqa: PLC0415 - the package imports this room lazily

    return __version__


_BY_PASS = {
    "by_pass": """
        select
          pass, outcome, count(distinct match_id) as matches, count(distinct ours_row) as ours_rows,
          count(distinct theirs_row) as theirs_rows
        from match
        where pass <> 'reference'
        group by all
        order by all
    """,
    "reference": """
        select count(*) as pairs
        from reference_join
        where ours_row is not null and theirs_row is not null
    """,
}

_QUESTIONS = {
    "deltas": """
        select kind, currency, count(*) as count, sum(amount_micros) as amount
        from delta
        group by all
        order by abs(sum(amount_micros)) desc nulls last, kind, currency
    """,
    "checks": 'from "check" order by ok, side, file, name, subject',
    "quarantine": "select side, reason_code, count(*) as count from quarantine group by all order by all",
    "lone_ours": "select reason_code, count(*) as count from lone_expected group by all",
    "lone_theirs": "select reason_code, count(*) as count from lone_reported group by all",
    "currencies": """
        select b.*, coalesce(d.disputed_micros, 0) as disputed_micros
        from balance b
        left join (
          select currency, sum(micros) as disputed_micros
          from (
            select currency, ours_amount_micros as micros
            from delta
            where kind <> 'value_mismatch' and reason_code not like 'group\\_%' escape '\\'
            union all
            select currency, expected_micros from group_delta where is_delta
          )
          group by currency
        ) d using (currency)
        order by b.currency
    """,
    "differences": 'select "column", count(*) as count from difference group by all order by count desc, "column"',
}

_APPLICATIONS = """
    select kind, outcome, currency, count(*) as count, sum(applied_micros) as applied
    from application group by all order by all
"""


def _applications(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**item, "applied": _units(item["applied"])} for item in found]


def _advice_summary(given: Input, loaded: Loaded, refused: dict[SideName, int]) -> dict[str, Any]:
    return {
        "name": given.name,
        "artifact": given.artifact_id,
        "format": given.source.format,
        "bytes": given.byte_count,
        "rows": loaded.row_count,
        "quarantined": refused[loaded.side],
        "notes": list(given.source.notes),
    }


def _side_summary(given: Input, loaded: Loaded, lone: dict[str, int], refused: dict[SideName, int]) -> dict[str, Any]:
    return {
        "name": given.called,
        "artifact": given.artifact_id,
        "format": given.source.format,
        "bytes": sum(part.byte_count for part in given.parts),
        **({"parts": [_part_summary(part) for part in given.parts]} if given.more else {}),
        "rows": loaded.row_count,
        "quarantined": refused[loaded.side],
        "unmatched": sum(lone.values()),
        "duplicates": lone.get("duplicate", 0),
        "notes": [note for part in given.parts for note in part.source.notes],
    }


def _part_summary(part: Input) -> dict[str, Any]:
    return {
        "name": part.name,
        "artifact": part.artifact_id,
        "format": part.source.format,
        "bytes": part.byte_count,
    }


def _currency_summary(item: dict[str, Any]) -> dict[str, Any]:
    expected, reported = int(item["expected_micros"]), int(item["reported_micros"])
    return {
        "currency": item["currency"],
        "expected": _units(expected),
        "reported": _units(reported),
        "difference": _units(expected - reported),
        "agreed": _units(expected - int(item["disputed_micros"])),
        "tolerated": _units(item["tolerated_micros"]),
        "parts": {part: _units(item[f"{part}_micros"]) for part in PARTS},
    }


def _plan_summary(plan: Plan) -> dict[str, Any]:
    rules = plan.rules

    def side(which: SideName) -> dict[str, Any]:
        chosen = plan.ours if which == "ours" else plan.theirs
        return {
            "key": list(chosen.key),
            "group": list(chosen.group),
            "amount": [("-" if signed.sign < 0 else "") + signed.column for signed in chosen.amount],
            "direction": chosen.direction.column if chosen.direction else None,
            "currency": chosen.currency or chosen.currency_constant,
            "date": chosen.date,
            "text": list(chosen.text),
        }

    return {
        "ours": side("ours"),
        "theirs": side("theirs"),
        "compared": [item.name for item in plan.compared],
        "tolerance": _units(rules.tolerance_micros),
        "tolerance_pct": str(Decimal(rules.tolerance_ppm).scaleb(-4)),
        "window_days": rules.window_days,
        "auto_threshold": rules.auto_threshold,
        "review_threshold": rules.review_threshold,
        "decisions": [
            {
                "subject": decision.subject,
                "choice": decision.choice,
                "confidence": decision.confidence,
                "evidence": decision.evidence,
                "option": decision.option,
            }
            for decision in plan.decisions
        ],
    }


def _units(micros: Decimal | int | None) -> str:
    return str(from_micros(int(micros or 0)))
