"""`tieout demo`: reconcile the sample data that comes with the package, four real cases, and a made world of ads."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from tieout.books.compare.actions import compare
from tieout.books.compare.infer import InferOptions
from tieout.books.compare.planning import chosen_plan
from tieout.books.compare.request import CompareRequest
from tieout.books.workspace import Workspace
from tieout.cli.app import print_json
from tieout.cli.demo_ads import run_ads, show_ads
from tieout.cli.progress import stepping
from tieout.engine.plan_file import plan_to_toml
from tieout.report.console import render
from tieout.report.exports import write_out


@dataclass(frozen=True)
class Case:
    """One pair of sample files, and the plan where the files alone leave something open."""

    name: str
    title: str
    story: str
    ours: str
    theirs: str
    plan: str = ""


CASES = (
    Case(
        "bank",
        "Bank transactions without a common reference",
        "40,793 transactions as the sender's bank booked them, against what the receiver's bank did 1 to 21 days "
        "later: memos cut short, amounts changed by fees and exchange. Nothing was configured.",
        "bank/ours.parquet",
        "bank/theirs.parquet",
    ),
    Case(
        "payouts",
        "Payouts of a payment provider against the transactions that each holds",
        "Groups: the net amounts of all transactions of a payout must sum to it. The two files are extracts of "
        "different days, so most payouts stand alone.",
        "payouts/balance_transaction_data.csv",
        "payouts/payout_data.csv",
        "payouts/plan.toml",
    ),
    Case(
        "statement",
        "A bank statement whose balances do not tie",
        "CAMT.053 against a second record of the same account. One file contradicts itself: its opening balance and "
        "entries do not reach its closing balance. It is flagged, and its entries are kept.",
        "statements/camt053.v2.multi.statement.xml",
        "statements/camt053.v2.minimal.xml",
    ),
    Case(
        "store",
        "An app store's payout statement in two currencies",
        "Buyer's amount times conversion rate against the merchant's amount, line by line: what is left of a "
        "conversion is a fraction of a cent, and it is explained as exchange rate.",
        "ads/google_play_earnings.csv",
        "ads/google_play_earnings.csv",
        "ads/plan.toml",
    ),
)


def run_demo(workspace: Workspace, out: Path, *, as_json: bool) -> None:
    """Reconcile every case and show each result; its report and full result go to `out`. Then show the ads book."""
    console = Console(quiet=as_json)
    summaries = reconcile_cases(workspace, out, console)
    with stepping() as on_step:
        ads = run_ads(workspace, on_step)
    show_ads(ads, console)
    if as_json:
        print_json({**summaries, "ads": ads.as_dict()})


def reconcile_cases(workspace: Workspace, out: Path, console: Console) -> dict[str, Any]:
    """Reconcile every case, show it and write its report and full result; return the summaries by name."""
    summaries: dict[str, Any] = {}
    with as_file(files("tieout") / "sample") as sample:
        for case in CASES:
            plan = chosen_plan(sample / case.plan, InferOptions()) if case.plan else None
            with stepping() as on_step:
                request = CompareRequest(sample / case.ours, sample / case.theirs, plan=plan)
                done = compare(workspace, request, on_step)
                on_step("report")
                write_out(done.run_dir, dict(done.summary), plan_to_toml(done.plan), out / case.name)
            summaries[case.name] = dict(done.summary)
            console.print(Rule(Text(case.title, style="bold")))
            console.print(Text(case.story, style="italic"))
            render(dict(done.summary), console)
            console.print(Text(f"Report: {out / case.name / 'report.html'}\n", style="bold"))
    return summaries
