"""The part of `tieout demo` that shows the ads book: a small world with planted faults, through every stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console
from rich.rule import Rule
from rich.table import Column, Table
from rich.text import Text

from tieout.books.ads.expected import build_expected
from tieout.books.ads.generate import World, WorldRequest, generate
from tieout.books.ads.ingest import IngestRequest, ingest
from tieout.books.ads.matching import match_ads
from tieout.books.ads.own import OwnRequest, register_own
from tieout.books.ads.own_relation import OwnKind
from tieout.books.ads.period import Period, parse_period
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.tunables import Tunables
from tieout.books.workspace import Workspace
from tieout.core.metrics_folder import leave_out
from tieout.core.money import format_micros
from tieout.store.opening import open_store

SEED = 7
FIRST_DAY = date(2026, 1, 1)
DAYS = 3
NETWORKS = ("admob", "unity")
FAULTS = {"underpay": 1, "missing": 1, "duplicate": 1, "unexpected": 1}
JUDGED_ON = FIRST_DAY + timedelta(days=30)
"""When the days of grace are over, so that what is not there is missing, not late."""
TITLE = "What ad networks report, against our own auctions and events"
STORY = (
    f"A world made from seed {SEED}: three days of 2,000 impressions as our own receipts and events tell them, and the "
    "statements of two networks, one of them in euros. Four faults were planted; the stages are not told of them."
)


@dataclass(frozen=True)
class Day:
    """A day that went through all stages. `lines` are the lines of statements that name it."""

    day: date
    lines: int
    matched: int
    expected_micros: int
    reported_micros: int
    deltas: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class AdsShown:
    """What was planted in a world, and what the stages found in it."""

    planted: tuple[Mapping[str, Any], ...]
    days: tuple[Day, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Return every delta with the fault of its day and kind, if there is one, and every fault not found."""
        left = [dict(fault) for fault in self.planted]
        rows = []
        for day in self.days:
            for delta in day.deltas:
                its = [one for one in left if (str(one["window_from"]), one["kind"]) == (str(day.day), delta["kind"])]
                left = [one for one in left if one not in its[:1]]
                rows.append(_row(day.day, delta["kind"], delta, its[0] if its else None))
        return rows + [_row(one["window_from"], one["kind"], None, one) for one in left]

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"days": [asdict(day) for day in self.days], "deltas": self.rows()}


def run_ads(workspace: Workspace, on_step: Callable[[str], None]) -> AdsShown:
    """Make the world and take it through every stage, beside what the workspace holds; nothing of it stays."""
    scratch = workspace.store.folders.scratch("demo-ads")
    with scratch as folder, _apart(workspace, folder / "data") as apart, _uncounted():
        on_step("generate")
        world = _make_world(workspace, folder)
        own: tuple[OwnKind, ...] = ("events", "receipts")
        for kind in own:
            found = sorted((world.out / "own" / kind).glob("*.parquet"))
            register_own(apart, OwnRequest(kind, kind, tuple(found)), on_step)
        for network in NETWORKS:
            statements = sorted((world.out / "statements" / network).glob("*.csv"))
            ingest(apart, IngestRequest(network, "demo", "daily", tuple(statements)), on_step)
        build_expected(apart, _period(FIRST_DAY, days=DAYS), on_step=on_step)
        days = tuple(_do_day(apart, FIRST_DAY + timedelta(days=number), on_step) for number in range(DAYS))
        return AdsShown(world.truth, days)


def show_ads(shown: AdsShown, console: Console) -> None:
    """Print what each day came to, and what was found beside what was planted."""
    console.print(Rule(Text(TITLE, style="bold")))
    console.print(Text(STORY, style="italic"))
    days = Table("day", *(Column(name, justify="right") for name in ("lines", "matched")))
    for name in ("we expect", "they report", "difference"):
        days.add_column(f"{name}, USD", justify="right")
    for day in shown.days:
        amounts = (day.expected_micros, day.reported_micros, day.expected_micros - day.reported_micros)
        days.add_row(str(day.day), str(day.lines), str(day.matched), *map(_usd, amounts))
    console.print(days)
    found = Table("day", "delta", Column("USD", justify="right"), "reason", "planted", Column("USD", justify="right"))
    for row in shown.rows():
        cells = (row["day"], row["kind"], row["usd"], row["reason"], row["planted"], row["planted_usd"])
        found.add_row(*(Text(cell or "none") for cell in cells))
    console.print(found)


def _row(
    day: object, kind: str, delta: Mapping[str, Any] | None, fault: Mapping[str, Any] | None
) -> dict[str, str | None]:
    """Return a line of what was found; amounts are positive where less was reported, planted ones have no sign."""
    return {
        "day": str(day),
        "kind": kind if delta else None,
        "usd": _usd(delta["amount_micros"]) if delta else None,
        "reason": delta["reason_code"] if delta else None,
        "planted": f"{fault['fault']} by {fault['network']}" if fault else None,
        "planted_usd": _usd(fault["amount_usd_micros"]) if fault else None,
    }


def _usd(micros: int) -> str:
    return format_micros(micros, places=6)


@contextmanager
def _apart(workspace: Workspace, data_dir: Path) -> Iterator[Workspace]:
    """Give a workspace of its own: the records of a demo must not stand among those of a tenant."""
    settings = replace(workspace.settings, data_dir=data_dir, state_url=f"sqlite:///{data_dir.parent / 'state.db'}")
    opened = open_store(settings, now=workspace.now())
    try:
        yield Workspace(settings, opened, workspace.now)
    finally:
        opened.close()


@contextmanager
def _uncounted() -> Iterator[None]:
    """Keep what is counted out of the metrics of the installation."""
    try:
        yield
    finally:
        leave_out()


def _make_world(workspace: Workspace, folder: Path) -> World:
    request = WorldRequest(
        out=folder / "world",
        seed=SEED,
        days=DAYS,
        events_per_day=2000,
        networks=NETWORKS,
        faults=FAULTS,
        first_day=FIRST_DAY,
        ad_units=4,
        countries=3,
    )
    scratch = folder / "scratch"
    scratch.mkdir()
    return generate(workspace.settings, request, scratch)


def _period(first: date, *, days: int) -> Period:
    return parse_period(first.isoformat(), (first + timedelta(days=days)).isoformat())


def _do_day(workspace: Workspace, day: date, on_step: Callable[[str], None]) -> Day:
    period = _period(day, days=1)
    matched = match_ads(workspace, period, on_step=on_step)
    judged = reconcile_ads(workspace, period, Tunables(), as_of=JUDGED_ON, on_step=on_step)
    run = judged.done.run
    deltas = pq.read_table(workspace.store.runs.file_path(run, "delta")).to_pylist() if run else []
    balance = judged.done.summary["balance"]
    return Day(
        day,
        matched.auto + matched.review + matched.unmatched,
        matched.auto,
        sum(int(row["expected_micros"]) for row in balance),
        sum(int(row["reported_micros"]) for row in balance),
        tuple(deltas),
    )
