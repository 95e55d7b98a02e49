"""Runs for the tests of the report: fact files as every run writes them, and the summary that belongs to them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]

PARTS = ("rate", "volume", "fx", "timing", "fee", "duplicate", "missing", "unexpected", "unexplained")
PART_OF_KIND = {"missing": "missing", "unexpected": "unexpected", "duplicate": "duplicate", "timing_lag": "timing"}

_BIG, _TEXT, _SHARE, _DAY = pa.int64(), pa.string(), pa.float64(), pa.date32()
_MONEY, _TOTAL = pa.decimal128(38, 6), pa.decimal128(38, 0)
_PART_FIELDS = [(f"{part}_micros", _BIG) for part in PARTS]

SCHEMAS = {
    "application": pa.schema(
        [
            ("match_id", _BIG),
            ("ours_row", _BIG),
            ("theirs_row", _BIG),
            ("applied_micros", _BIG),
            ("currency", _TEXT),
            ("kind", _TEXT),
            ("verdict", _TEXT),
            ("outcome", _TEXT),
            ("confidence", _SHARE),
            ("reason", _TEXT),
        ]
    ),
    "why_not": pa.schema(
        [
            ("side", _TEXT),
            ("row_no", _BIG),
            ("kind", _TEXT),
            ("from_value", _TEXT),
            ("to_value", _TEXT),
            ("size", _BIG),
            ("partner_row", _BIG),
            ("rival_row", _BIG),
            ("certainty", _TEXT),
            ("searched", _TEXT),
            ("amount_micros", _BIG),
            ("currency", _TEXT),
            ("day", _DAY),
        ]
    ),
    "match": pa.schema(
        [
            ("match_id", _BIG),
            ("ours_row", _BIG),
            ("theirs_row", _BIG),
            ("pass", _TEXT),
            ("outcome", _TEXT),
            ("confidence", _SHARE),
            ("alternatives", pa.int32()),
        ]
    ),
    "delta": pa.schema(
        [
            ("delta_id", _TEXT),
            ("kind", _TEXT),
            ("amount_micros", _BIG),
            ("currency", _TEXT),
            ("match_id", _BIG),
            ("ours_row", _BIG),
            ("theirs_row", _BIG),
            ("reason_code", _TEXT),
            ("confidence", _SHARE),
            ("day", _DAY),
            ("ours_amount_micros", _BIG),
            ("theirs_amount_micros", _BIG),
            *_PART_FIELDS,
        ]
    ),
    "difference": pa.schema(
        [
            ("match_id", _BIG),
            ("ours_row", _BIG),
            ("theirs_row", _BIG),
            ("column", _TEXT),
            ("ours_value", _TEXT),
            ("theirs_value", _TEXT),
            ("difference_micros", _BIG),
        ]
    ),
    "candidate": pa.schema(
        [
            ("ours_row", _BIG),
            ("theirs_row", _BIG),
            ("score", _SHARE),
            ("score_time", _SHARE),
            ("score_amount", _SHARE),
            ("score_unit", _SHARE),
            ("score_text", _SHARE),
            *((f"weight_{name}", _SHARE) for name in ("pair", "time", "amount", "unit", "text")),
            ("rank", pa.int32()),
            ("chosen", pa.bool_()),
        ]
    ),
    "quarantine": pa.schema(
        [
            ("side", _TEXT),
            ("file", _TEXT),
            ("row_no", _BIG),
            ("line", _BIG),
            ("column", _TEXT),
            ("reason_code", _TEXT),
            ("reason", _TEXT),
            ("raw", _TEXT),
        ]
    ),
    "check": pa.schema(
        [
            ("side", _TEXT),
            ("file", _TEXT),
            ("name", _TEXT),
            ("subject", _TEXT),
            ("currency", _TEXT),
            ("stated", _MONEY),
            ("computed", _MONEY),
            ("difference", _MONEY),
            ("ok", pa.bool_()),
            ("message", _TEXT),
        ]
    ),
    "balance": pa.schema(
        [
            ("currency", _TEXT),
            *((f"{name}_micros", _TOTAL) for name in ("expected", "reported", "delta", "tolerated", *PARTS)),
        ]
    ),
    "daily": pa.schema(
        [
            ("day", _DAY),
            ("currency", _TEXT),
            ("expected_micros", _TOTAL),
            ("reported_micros", _TOTAL),
            ("delta_micros", _TOTAL),
            ("ours_rows", _BIG),
            ("theirs_rows", _BIG),
            ("matched_ours_rows", _BIG),
            ("matched_theirs_rows", _BIG),
        ]
    ),
}


def unmatched_schema(side: str, columns: Mapping[str, pa.DataType]) -> pa.Schema:
    return pa.schema(
        [
            (f"{side}_row", _BIG),
            ("reason_code", _TEXT),
            ("searched", _TEXT),
            ("amount_micros", _BIG),
            ("currency", _TEXT),
            ("day", _DAY),
            ("ref", _TEXT),
            ("text", _TEXT),
            *((f"{side}_{name}", kind) for name, kind in columns.items()),
        ]
    )


def micros(amount: str | None) -> int | None:
    return None if amount is None else int(Decimal(amount) * 1_000_000)


def units(micros_: int | Decimal | None) -> str:
    return f"{Decimal(int(micros_ or 0)).scaleb(-6):.6f}"


def match(ours_row: int, theirs_row: int, **more: Any) -> Row:
    row = {"match_id": ours_row, "pass": "reference", "outcome": "auto", "confidence": 1.0, "alternatives": 0}
    return {"ours_row": ours_row, "theirs_row": theirs_row, **row, **more}


def delta(kind: str, amount: str | None, *, parts: Mapping[str, str] | None = None, **more: Any) -> Row:
    """A difference; without `parts` the whole amount is in the part that its kind names."""
    whole = {PART_OF_KIND.get(kind, "unexplained"): amount or "0"}
    row: Row = {
        "kind": kind,
        "amount_micros": micros(amount),
        "currency": "EUR",
        "match_id": None,
        "ours_row": None,
        "theirs_row": None,
        "reason_code": kind,
        "confidence": 1.0,
        "day": date(2026, 3, 31),
        "ours_amount_micros": None,
        "theirs_amount_micros": None,
    }
    row |= {f"{part}_micros": micros((whole if parts is None else parts).get(part, "0")) for part in PARTS}
    if kind in {"missing", "duplicate"} and more.get("theirs_row") is None:
        row["ours_amount_micros"] = micros(amount)
    return {**row, **more}


def difference(ours_row: int, theirs_row: int, column: str, ours: str, theirs: str, **more: Any) -> Row:
    return {
        "match_id": ours_row,
        "ours_row": ours_row,
        "theirs_row": theirs_row,
        "column": column,
        "ours_value": ours,
        "theirs_value": theirs,
        "difference_micros": None,
        **more,
    }


def unmatched(side: str, row_no: int, amount: str | None, reason: str = "missing", **more: Any) -> Row:
    return {
        f"{side}_row": row_no,
        "reason_code": reason,
        "searched": "reference among all 40 rows of theirs",
        "amount_micros": micros(amount),
        "currency": "EUR",
        "day": date(2026, 3, 31),
        "ref": f"R{row_no}",
        "text": "",
        **more,
    }


def check(stated: str, computed: str, **more: Any) -> Row:
    gap = Decimal(stated) - Decimal(computed)
    return {
        "side": "theirs",
        "file": "theirs.csv",
        "name": "closing_balance",
        "subject": "statement 7",
        "currency": "EUR",
        "stated": Decimal(stated),
        "computed": Decimal(computed),
        "difference": gap,
        "ok": gap == 0,
        "message": f"The statement says {stated}, its rows give {computed}.",
        **more,
    }


def quarantined(line: int, **more: Any) -> Row:
    return {
        "side": "theirs",
        "file": "theirs.csv",
        "row_no": line - 1,
        "line": line,
        "column": "date",
        "reason_code": "not_a_date",
        "reason": "2026-02-31 is in no calendar.",
        "raw": "R9,2026-02-31,12.00",
        **more,
    }


def change(side: str, row_no: int, kind: str, before: str, after: str, **more: Any) -> Row:
    """Return what would match an unmatched row."""
    return {
        "side": side,
        "row_no": row_no,
        "kind": kind,
        "from_value": before,
        "to_value": after,
        "size": 1,
        "partner_row": 31,
        "rival_row": None,
        "certainty": "certain",
        "searched": "",
        "amount_micros": micros("4100.55"),
        "currency": "EUR",
        "day": date(2026, 3, 3),
        **more,
    }


def rule_change(rule: str, before: str, after: str, **more: Any) -> Row:
    """Return what another setting of a rule would explain, as the summary says it."""
    return {
        "rule": rule,
        "from": before,
        "to": after,
        "basis": "exact",
        "ours_rows": 2,
        "theirs_rows": 2,
        "amounts": {"EUR": "1234.500000"},
        "explains": 0.5,
        "what_if": f"{rule}={after}",
        **more,
    }


@dataclass
class Run:
    """What a run found, to be written with `write`. `totals` gives expected and tolerated money by currency."""

    matches: Sequence[Row] = ()
    applications: Sequence[Row] = ()
    deltas: Sequence[Row] = ()
    differences: Sequence[Row] = ()
    unmatched_ours: Sequence[Row] = ()
    unmatched_theirs: Sequence[Row] = ()
    candidates: Sequence[Row] = ()
    why_not: Sequence[Row] = ()
    rules: Sequence[Row] = ()
    quarantine: Sequence[Row] = ()
    checks: Sequence[Row] = ()
    totals: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    own_columns: Mapping[str, pa.DataType] = field(default_factory=dict)
    decisions: Sequence[Row] = ()
    ours_name: str = "ours.csv"
    theirs_name: str = "theirs.csv"
    ours_rows: int = 40
    theirs_rows: int = 40

    def write(self, run_dir: Path) -> dict[str, Any]:
        """Write the fact files into `run_dir` and return the summary."""
        run_dir.mkdir(parents=True, exist_ok=True)
        deltas = [{"delta_id": f"1a2b3c4d-{number}", **row} for number, row in enumerate(self.deltas, start=1)]
        facts = {
            "match": self.matches,
            "application": self.applications,
            "delta": deltas,
            "difference": self.differences,
            "candidate": self.candidates,
            "why_not": self.why_not,
            "quarantine": self.quarantine,
            "check": self.checks,
            "balance": self.balance(),
            "daily": self.daily(),
        }
        for name, rows in facts.items():
            pq.write_table(pa.Table.from_pylist(list(rows), schema=SCHEMAS[name]), run_dir / f"{name}.parquet")
        for side, rows in (("ours", self.unmatched_ours), ("theirs", self.unmatched_theirs)):
            schema = unmatched_schema(side, self.own_columns)
            pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), run_dir / f"unmatched_{side}.parquet")
        return self.summary(deltas)

    def _changes(self) -> list[Row]:
        kinds = Counter((row["side"], row["kind"], row["certainty"], row["currency"]) for row in self.why_not)
        names = ("side", "kind", "certainty", "currency")
        return [{**dict(zip(names, key, strict=True)), "rows": number, "amount": "0"} for key, number in kinds.items()]

    def balance(self) -> list[Row]:
        rows = []
        for currency in sorted({*self.totals, *(row["currency"] for row in self.deltas)}):
            expected, tolerated = (micros(amount) for amount in self.totals.get(currency, ("0", "0")))
            mine = [row for row in self.deltas if row["currency"] == currency]
            gap = sum(row["amount_micros"] or 0 for row in mine)
            row = {"currency": currency, "expected_micros": expected, "reported_micros": expected - gap - tolerated}
            row |= {"delta_micros": gap, "tolerated_micros": tolerated}
            row |= {f"{part}_micros": sum(item[f"{part}_micros"] for item in mine) for part in PARTS}
            rows.append({name: value if name == "currency" else Decimal(value) for name, value in row.items()})
        return rows

    def daily(self) -> list[Row]:
        gaps: dict[tuple[date | None, str], int] = defaultdict(int)
        for row in self.deltas:
            gaps[row["day"], row["currency"]] += row["amount_micros"] or 0
        zero = dict.fromkeys(("ours_rows", "theirs_rows", "matched_ours_rows", "matched_theirs_rows"), 0)
        zero |= dict.fromkeys(("expected_micros", "reported_micros"), Decimal(0))
        return [
            {"day": day, "currency": currency, "delta_micros": Decimal(gap), **zero}
            for (day, currency), gap in sorted(gaps.items(), key=lambda item: (str(item[0][0]), item[0][1]))
        ]

    def summary(self, deltas: Sequence[Row]) -> dict[str, Any]:
        kinds = Counter((row["kind"], row["currency"]) for row in deltas)
        amounts: dict[tuple[str, str], int] = defaultdict(int)
        for row in deltas:
            amounts[row["kind"], row["currency"]] += row["amount_micros"] or 0
        reasons = Counter((row["side"], row["reason_code"]) for row in self.quarantine)
        failed = [row for row in self.checks if not row["ok"]]
        by_pass = self._by_pass()
        review = sum(item["matches"] for item in by_pass if item["outcome"] == "review")
        is_clean = not (deltas or reasons or failed or review)
        return {
            "tieout": "0.1.0",
            "run_id": "1a2b3c4d5e6f",
            "book": "compare",
            "why_not": {"rules": list(self.rules), "rows": self._changes()},
            "result": "ties_out" if is_clean else "differences",
            "exit_code": 0 if is_clean else 10,
            "ours": self._side("ours", self.ours_name, self.ours_rows, self.unmatched_ours),
            "theirs": self._side("theirs", self.theirs_name, self.theirs_rows, self.unmatched_theirs),
            "matched": {
                "matches": sum(item["matches"] for item in by_pass),
                "ours_rows": sum(item["ours_rows"] for item in by_pass),
                "theirs_rows": sum(item["theirs_rows"] for item in by_pass),
                "by_pass": by_pass,
            },
            "review": {"matches": review},
            "currencies": [
                {
                    "currency": row["currency"],
                    "expected": units(row["expected_micros"]),
                    "reported": units(row["reported_micros"]),
                    "difference": units(row["expected_micros"] - row["reported_micros"]),
                    "tolerated": units(row["tolerated_micros"]),
                    "parts": {part: units(row[f"{part}_micros"]) for part in PARTS},
                }
                for row in self.balance()
            ],
            "deltas": [
                {"kind": kind, "currency": currency, "count": number, "amount": units(amounts[kind, currency])}
                for (kind, currency), number in sorted(kinds.items())
            ],
            "differences": [
                {"column": column, "count": number}
                for column, number in sorted(Counter(row["column"] for row in self.differences).items())
            ],
            "checks": {
                "total": len(self.checks),
                "failed": len(failed),
                "items": [
                    {**row, **{name: str(row[name]) for name in ("stated", "computed", "difference")}}
                    for row in sorted(self.checks, key=lambda row: row["ok"])
                ],
            },
            "quarantine": {
                **{side: sum(n for (at, _), n in reasons.items() if at == side) for side in ("ours", "theirs")},
                "reasons": [
                    {"side": side, "reason_code": code, "count": number}
                    for (side, code), number in sorted(reasons.items())
                ],
            },
            "plan": {
                "ours": {"key": ["ref"], "amount": ["amount"], "date": "date", "text": ["memo"]},
                "theirs": {"key": ["reference"], "amount": ["value"], "date": "day", "text": ["memo"]},
                "compared": ["memo"],
                "tolerance": "0.000000",
                "window_days": 3,
                "decisions": list(self.decisions),
            },
            "searched": "all 40 rows of theirs",
            "digests": {"match.parquet": "ab" * 32, "delta.parquet": "cd" * 32},
        }

    def _side(self, side: str, name: str, rows: int, lone: Sequence[Row]) -> dict[str, Any]:
        return {
            "name": name,
            "artifact": ("0f" if side == "ours" else "f0") * 32,
            "format": "csv",
            "bytes": rows * 52,
            "rows": rows,
            "quarantined": sum(row["side"] == side for row in self.quarantine),
            "unmatched": len(lone),
            "duplicates": sum(row["reason_code"] == "duplicate" for row in lone),
            "notes": [],
        }

    def _by_pass(self) -> list[Row]:
        groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self.matches:
            groups[row["pass"], row["outcome"]].append(row)
        return [
            {
                "pass": pass_,
                "outcome": outcome,
                "matches": len({row["match_id"] for row in rows}),
                "ours_rows": len({row["ours_row"] for row in rows}),
                "theirs_rows": len({row["theirs_row"] for row in rows}),
            }
            for (pass_, outcome), rows in sorted(groups.items())
        ]


def a_decision(subject: str = "key", **more: Any) -> Row:
    row = {"choice": "ref = reference", "confidence": 0.97, "evidence": "unique on both sides; 95% overlap"}
    return {"subject": subject, **row, "option": "--on ref=reference", **more}


def a_clean_run() -> Run:
    return Run(
        matches=[match(row, row) for row in range(1, 41)],
        totals={"EUR": ("1234.50", "0"), "JPY": ("900000", "0")},
        decisions=[a_decision()],
    )


def a_full_run() -> Run:
    """Something of everything: three passes, review, every kind of difference, two currencies, bad rows."""
    eur = [
        delta("missing", "4100.55", ours_row=12, day=date(2026, 1, 4)),
        delta("missing", "18.20", ours_row=13, day=date(2026, 3, 12)),
        delta("unexpected", "-900.00", theirs_row=31, theirs_amount_micros=micros("900"), day=date(2026, 3, 25)),
        delta(
            "underpay",
            "120.10",
            match_id=3,
            ours_row=3,
            theirs_row=9,
            ours_amount_micros=micros("5120.10"),
            theirs_amount_micros=micros("5000"),
            parts={"fee": "70.10", "rate": "40", "unexplained": "10"},
            day=date(2026, 3, 30),
        ),
        delta(
            "overpay",
            "-300.50",
            match_id=4,
            ours_row=4,
            theirs_row=10,
            ours_amount_micros=micros("100"),
            theirs_amount_micros=micros("400.50"),
            parts={"volume": "-300.50"},
            day=date(2026, 3, 28),
        ),
        delta("duplicate", "-210.00", theirs_row=33, theirs_amount_micros=micros("210"), day=date(2026, 2, 14)),
        delta("timing_lag", "1500.00", ours_row=40, day=date(2026, 3, 31)),
        delta("missing", None, ours_row=14, day=None, reason_code="amount_absent"),
        delta("value_mismatch", "0", match_id=5, ours_row=5, theirs_row=5, reason_code="columns:memo"),
    ]
    usd = [
        delta("currency_mismatch", "88.00", currency="USD", match_id=7, ours_row=7, theirs_row=7, confidence=0.91),
        delta(
            "underpay",
            "12.33",
            currency="USD",
            match_id=8,
            ours_row=8,
            theirs_row=8,
            ours_amount_micros=micros("1000"),
            theirs_amount_micros=micros("987.67"),
            parts={"fx": "12.33"},
        ),
    ]
    return Run(
        matches=[
            *(match(row, row) for row in range(1, 9)),
            *(match(15, theirs, match_id=15, **{"pass": "group"}) for theirs in (15, 16, 17)),
            match(20, 21, **{"pass": "scored"}, confidence=0.86, alternatives=1),
            match(21, 20, **{"pass": "scored"}, confidence=0.93),
            match(22, 25, **{"pass": "scored"}, outcome="review", confidence=0.62, alternatives=2),
            match(23, 24, **{"pass": "scored"}, outcome="review", confidence=0.71),
        ],
        deltas=[*eur, *usd],
        differences=[
            difference(3, 9, "amount", "5120.10", "5000", difference_micros=micros("120.10")),
            difference(5, 5, "memo", "Invoice 5 [red]", "<script>alert('memo')</script>"),
            difference(22, 25, "memo", "ACME Holding Ltd", "Holding ACME"),
        ],
        unmatched_ours=[
            unmatched("ours", 12, "4100.55", text="Müller & Söhne, Köln", ours_memo='=HYPERLINK("x")'),
            unmatched("ours", 13, "18.20", text="[bold]not bold[/bold] \x1b[31mred", ours_memo="+49 30 123"),
            unmatched("ours", 14, None, ours_memo="-12.50"),
            unmatched("ours", 40, "1500.00", "timing_lag", ours_memo="plain"),
        ],
        unmatched_theirs=[
            unmatched("theirs", 31, "900.00", text="<b>Refund</b>", theirs_memo="@SUM(A1)"),
            unmatched("theirs", 33, "210.00", "duplicate", theirs_memo="\tTAB"),
        ],
        candidates=[
            {
                "ours_row": 22,
                "theirs_row": 25,
                "score": 0.62,
                "score_time": 0.5,
                "score_amount": 1.0,
                "score_unit": None,
                "score_text": 0.42,
                "rank": 1,
                "chosen": True,
            }
        ],
        why_not=[
            change("ours", 12, "amount_digits", "4100.55", "4010.55", size=90_000_000),
            change("ours", 13, "text", "[bold]not bold[/bold] \x1b[31mred", "<b>Refund</b>", certainty="likely"),
            change("ours", 14, "nothing_near", "", "", searched="2 unmatched rows of theirs", amount_micros=None),
            change("theirs", 31, "taken", "0.9", "1.0", partner_row=20, rival_row=21, certainty=""),
        ],
        rules=[
            rule_change("window", "3", "7", basis="estimate", amounts={"EUR": "4100.550000", "USD": "1.000000"}),
            rule_change("tolerance", "0", "0.5%", ours_rows=1),
        ],
        quarantine=[
            quarantined(10),
            quarantined(17, raw="=cmd|'/c calc'!A1\x00\x07"),
            quarantined(5, side="ours", file="ours.csv"),
        ],
        checks=[check("1000.00", "1000.00"), check("5400.00", "5310.45", name="control_total", subject="payout 3")],
        totals={"EUR": ("5482913.37", "0.02"), "USD": ("20911.00", "0"), "GBP": ("77.70", "0")},
        own_columns={"memo": pa.string()},
        decisions=[
            a_decision(),
            a_decision(
                "date order", choice="day before month", confidence=0.58, evidence="no day above 12", option="--date"
            ),
            a_decision("amount", choice="amount = value", confidence=0.99, option="--amount amount=value"),
        ],
    )


def write_large_run(run_dir: Path, *, matches: int, deltas: int) -> dict[str, Any]:
    """Write a run with that many matches and differences, for measuring; the summary is that of a small run."""
    summary = a_full_run().write(run_dir)
    con = duckdb.connect(config={"threads": 2})
    con.execute(
        f"""
        copy (
          select
            i::bigint as match_id, i::bigint as ours_row, i * 7 % {matches} + 1 as theirs_row,
            if(i % 100 = 0, 'scored', 'reference') as pass, if(i % 1000 = 0, 'review', 'auto') as outcome,
            if(i % 100 = 0, 0.6 + i // 100 % 37 / 100.0, 1.0)::double as confidence, 0::integer as alternatives
          from range(1, {matches + 1}) t(i)
        ) to '{run_dir}/match.parquet' (compression snappy, parquet_version v2)
        """
    )
    con.execute(
        f"""
        create table delta as
        select
          '1a2b3c4d-' || i as delta_id,
          case i % 4 when 0 then 'underpay' when 1 then 'overpay' when 2 then 'missing' else 'unexpected' end as kind,
          (if(i % 2 = 0, 1, -1) * (hash(i) % 500000000)::bigint) as amount_micros, 'EUR' as currency,
          if(i % 4 < 2, i * 100, null) as match_id,
          if(i % 4 <> 3, i * 100, null) as ours_row, if(i % 4 <> 2, i * 100 + 1, null) as theirs_row,
          kind as reason_code,
          1.0::double as confidence, date '2026-01-01' + (hash(i * 3) % 365)::int as day,
          9000000 + amount_micros as ours_amount_micros, 9000000::bigint as theirs_amount_micros,
          {", ".join(f"0::bigint as {part}_micros" for part in PARTS[:-1])}, amount_micros as unexplained_micros
        from range(1, {deltas + 1}) t(i)
        """
    )
    statements = {
        "delta": "from delta",
        "difference": "select match_id, ours_row, theirs_row, 'amount' as column, '10.00' as ours_value,"
        " '9.00' as theirs_value, amount_micros as difference_micros from delta where match_id is not null",
        **{
            f"unmatched_{side}": f"select {side}_row, kind as reason_code, 'reference among all rows' as searched,"
            f" amount_micros, currency, day, 'R' || i as ref, 'Text of row ' || i as text,"
            f" {', '.join(f'i * {n} || chr(65 + {n}) as {side}_c{n}' for n in range(8))}"
            f" from (select *, rowid as i from delta) where kind = '{kind}'"
            for side, kind in (("ours", "missing"), ("theirs", "unexpected"))
        },
        "daily": "select day, currency, 0::decimal(38, 0) as expected_micros, 0::decimal(38, 0) as reported_micros,"
        " sum(amount_micros)::decimal(38, 0) as delta_micros, 0::bigint as ours_rows, 0::bigint as theirs_rows,"
        " 0::bigint as matched_ours_rows, 0::bigint as matched_theirs_rows from delta group by all order by all",
    }
    for name, statement in statements.items():
        con.execute(f"copy ({statement}) to '{run_dir}/{name}.parquet' (compression snappy, parquet_version v2)")
    con.close()
    return summary
