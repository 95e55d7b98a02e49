"""A finished comparison as Python sees it: the summary, the facts as Arrow tables, and the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from tieout.report.exports import fact_table, write_out
from tieout.report.html import write_report


class Report:
    """The report of a comparison: as HTML text, or saved with the full result."""

    def __init__(self, run_dir: Path, summary: Mapping[str, Any], plan_toml: str) -> None:
        self._run_dir = run_dir
        self._summary = summary
        self._plan_toml = plan_toml

    def html(self) -> str:
        """Return the self-contained HTML page."""
        with TemporaryDirectory() as folder:
            page = Path(folder) / "report.html"
            write_report(self._run_dir, dict(self._summary), page, as_of=None)
            return page.read_text(encoding="utf-8")

    def save(self, out_dir: str | Path) -> list[Path]:
        """Write report, plan and full result (Parquet, CSV, XLSX, JSON) into `out_dir` and return the files."""
        return write_out(self._run_dir, dict(self._summary), self._plan_toml, Path(out_dir))


class Comparison:
    """A finished comparison: the summary, the facts as Arrow tables, and the report.

    `exit_code` is 0 where the two tie out and 10 where they differ. Tables have the columns of the files of
    `tieout compare --out`; money is DECIMAL(38, 6) in units of the currency beside it.
    """

    def __init__(
        self, run_id: str, summary: Mapping[str, Any], report: Report, run_dir: Path, timings: Mapping[str, float]
    ) -> None:
        self.run_id = run_id
        self.summary = summary
        self.report = report
        self.timings = timings
        self._run_dir = run_dir

    @property
    def exit_code(self) -> int:
        return int(self.summary["exit_code"])

    @property
    def ties_out(self) -> bool:
        return bool(self.summary["result"] == "ties_out")

    @property
    def matches(self) -> pa.Table:
        """One row a pair of members: match_id, ours_row, theirs_row, pass, outcome, confidence, alternatives."""
        return self._table("match")

    @property
    def applications(self) -> pa.Table:
        """One row for each payment applied to an invoice: how much, as what, how sure, and why."""
        return self._table("application")

    @property
    def deltas(self) -> pa.Table:
        """One row a difference, with the parts that sum to its amount."""
        return self._table("delta")

    @property
    def differences(self) -> pa.Table:
        """One row for each compared column in which a pair differs."""
        return self._table("difference")

    @property
    def unmatched_ours(self) -> pa.Table:
        """Our rows without a partner, with the file's own columns."""
        return self._table("unmatched_ours")

    @property
    def unmatched_theirs(self) -> pa.Table:
        """Their rows without a partner, with the file's own columns."""
        return self._table("unmatched_theirs")

    @property
    def why_not(self) -> pa.Table:
        """One row for each unmatched row of weight: the smallest change that would match it, and with which row."""
        return self._table("why_not")

    @property
    def quarantine(self) -> pa.Table:
        """Rows that were refused, with reason, file and line."""
        return self._table("quarantine")

    @property
    def checks(self) -> pa.Table:
        """What the files claim about themselves (balances, control totals), held against their rows."""
        return self._table("check")

    def _table(self, fact: str) -> pa.Table:
        return fact_table(self._run_dir, fact)

    def __repr__(self) -> str:
        return f"<Comparison {self.run_id[:12]} {self.summary['result']}>"
