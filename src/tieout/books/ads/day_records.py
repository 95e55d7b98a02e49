"""What a day of this book is sealed with: the rows that its current runs published, as records of the proofs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from sqlglot import exp

from tieout.books.ads.period import Period, period_of_window
from tieout.books.ads.pieces import BOOK, EXPECTED, STATEMENT_LINE, Piece, pieces_of_run, touching, view
from tieout.books.ads.steps import ads_step
from tieout.books.workspace import Workspace
from tieout.engine.steps import Runner
from tieout.store.runs import Run
from tieout.store.trees import call, named, sql_of, string

MATCH = {
    "statement_id": "varchar",
    "request_id": "varchar",
    "unit_id": "varchar",
    "link_confidence": "varchar",
    "keys_used": "varchar",
    "score_e9": "bigint",
    "event_date": "date",
    "network": "varchar",
    "load_id": "varchar",
    "artifact_id": "varchar",
    "row_no": "bigint",
    "usd_micros": "bigint",
    "match_window": "varchar",
}
DELTA = {
    "kind": "varchar",
    "amount_micros": "bigint",
    "currency": "varchar",
    "reason_code": "varchar",
    "window_start_us": "bigint",
    "window_end_us": "bigint",
    "evidence_id": "varchar",
    "confidence": "varchar",
    "timing_micros": "bigint",
    "missing_micros": "bigint",
    "volume_micros": "bigint",
    "rate_micros": "bigint",
    "ivt_micros": "bigint",
    "duplicate_micros": "bigint",
    "unexpected_micros": "bigint",
    "delta_window": "varchar",
}
DELTA_UNIT = {
    "kind": "varchar",
    "unit_id": "varchar",
    "currency": "varchar",
    "part": "varchar",
    "amount_micros": "bigint",
    "impressions": "bigint",
    "event_date": "date",
    "network": "varchar",
    "app_id": "varchar",
    "ad_unit_id": "varchar",
    "country": "varchar",
    "format": "varchar",
    "expected_micros": "bigint",
    "reported_micros": "bigint",
    "delta_window": "varchar",
}
BALANCE = {
    "currency": "varchar",
    "expected_micros": "hugeint",
    "reported_micros": "hugeint",
    "delta_micros": "hugeint",
    "tolerated_micros": "hugeint",
    "review_micros": "hugeint",
    "delta_window": "varchar",
}
STEPS = (
    "day_expected",
    "record_expected",
    "record_reported",
    "record_match",
    "record_delta",
    "record_delta_part",
    "record_kpi",
    "record",
)


@dataclass(frozen=True)
class DayRecords:
    """The runs that tell of a day; `make` makes the relation `record` of their rows."""

    day: date
    runs: tuple[Run, ...]
    pieces: tuple[Piece, ...]

    @property
    def is_judged(self) -> bool:
        """Whether a run has judged the day: before that it is not sealed."""
        return any(run.window.leg == "reconcile" for run in self.runs)

    def make(self, runner: Runner) -> None:
        """Make `record` of the rows of the day."""
        con = runner.con
        con.execute("create or replace table day as select ?::date as day", [self.day])
        view(con, "expected", EXPECTED, self._of("expected"))
        view(con, "statement_line", STATEMENT_LINE, self._of("statement_line"))
        view(con, "match", MATCH, _with_window(self._of("match"), "match_window"))
        begun = [piece for piece in self.pieces if _begins_on(piece, self.day)]
        for name, columns in (("delta", DELTA), ("delta_unit", DELTA_UNIT), ("balance", BALANCE)):
            view(con, name, columns, _with_window((one for one in begun if one.name == name), "delta_window"))
        runner.run_all([ads_step("proofs", name) for name in STEPS])

    def _of(self, name: str) -> list[Piece]:
        return [piece for piece in self.pieces if piece.name == name]


def day_records(workspace: Workspace, day: date) -> DayRecords:
    """Return what the current runs tell of a day."""
    found: list[tuple[Run, tuple[Piece, ...]]] = []
    for leg, names in (
        ("expected", ("expected",)),
        ("match", ("match",)),
        ("reconcile", ("delta", "delta_unit", "balance")),
    ):
        found += [(run, _files(workspace, run, names)) for run in _current(workspace, leg) if _covers(run, day)]
    for run in _current(workspace, "statements"):
        lines = touching(_files(workspace, run, ("statement_line",)), "event_date", day, day + timedelta(days=1))
        if lines:
            found.append((run, lines))
    return DayRecords(day, tuple(run for run, _ in found), tuple(piece for _, pieces in found for piece in pieces))


def judged_days(workspace: Workspace, first: date, end: date) -> tuple[date, ...]:
    """Return the days from `first` and before `end` that some current run has judged."""
    periods = [period_of_window(run.window.window) for run in _current(workspace, "reconcile")]
    days = [first + timedelta(days=count) for count in range((end - first).days)]
    return tuple(day for day in days if any(one is not None and _is_of(one, day) for one in periods))


def _current(workspace: Workspace, leg: str) -> list[Run]:
    return [run for run in workspace.store.runs.list_current(BOOK, leg) if run.files_dropped_at is None]


def _files(workspace: Workspace, run: Run, names: tuple[str, ...]) -> tuple[Piece, ...]:
    return pieces_of_run(workspace.store, run, *names)


def _covers(run: Run, day: date) -> bool:
    period = period_of_window(run.window.window)
    return period is not None and _is_of(period, day)


def _is_of(period: Period, day: date) -> bool:
    return period.start.date() <= day and (period.first_day <= day < period.end_day or period.start.date() == day)


def _begins_on(piece: Piece, day: date) -> bool:
    period = period_of_window(piece.window)
    return period is not None and period.start.date() == day


def _with_window(pieces: Iterable[Piece], column: str) -> list[Piece]:
    return [replace(piece, query=_query(piece, column)) for piece in pieces]


def _query(piece: Piece, column: str) -> str:
    file = call("read_parquet", string(str(piece.path)))
    return sql_of(exp.select(exp.Star(), named(string(piece.window), column)).from_(file))
