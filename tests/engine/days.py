"""Worlds cut into days: the same rows received file by file, and the chain of runs over them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.engine.builders import RUN_ID, Result, Side, connection, written
from tieout.engine.increment import SettledPairs, settled_pairs, write_settled
from tieout.engine.loading import Input
from tieout.engine.plan import Plan
from tieout.engine.run import FACTS, execute

Day = tuple[Side, Side]


def cut(side: Side, of: Sequence[int], days: int) -> list[Side]:
    """Return the side's rows day by day; `of` says for each row on which day it arrives."""
    return [
        replace(side, rows=tuple(row for row, own in zip(side.rows, of, strict=True) if own == day))
        for day in range(days)
    ]


def by_date(ours: Side, theirs: Side, days: int) -> list[Day]:
    """Cut a world as it would arrive: each row on its own date."""
    dates = sorted(row.day for side in (ours, theirs) for row in side.rows if row.day)
    edges = [dates[len(dates) * part // days] for part in range(1, days)]
    cuts = [cut(side, [sum(row.day >= edge for edge in edges) for row in side.rows], days) for side in (ours, theirs)]
    return list(zip(*cuts, strict=True))


def joined(sides: Sequence[Side]) -> Side:
    """Return the rows of several days as those of one file."""
    return replace(sides[0], rows=tuple(row for side in sides for row in side.rows))


def run_days(days: Sequence[Day], plan: Plan, *, settled: SettledPairs | None = None, as_text: bool = False) -> Result:
    """Run the leg on files of several days, one after another."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "facts").mkdir()
        outcome = execute(
            connection("text" if as_text else "typed"),
            _input("ours", [ours for ours, _ in days], folder, as_text=as_text),
            _input("theirs", [theirs for _, theirs in days], folder, as_text=as_text),
            plan,
            run_id=RUN_ID,
            fact_dir=folder / "facts",
            settled=settled,
        )
        contents = {fact: (folder / "facts" / f"{fact}.parquet").read_bytes() for fact in FACTS}
    found = {fact: pq.read_table(pa.BufferReader(data)).to_pylist() for fact, data in contents.items()}
    return Result(found, contents, outcome)


def _input(side: str, parts: Sequence[Side], folder: Path, *, as_text: bool) -> Input:
    first, *more = [
        Input(f"{side}-{day}", f"{side}-{day}", 1, written(part, folder / f"{side}-{day}.parquet", as_text=as_text))
        for day, part in enumerate(parts)
    ]
    return replace(first, more=tuple(more))


def run_chain(days: Sequence[Day], plan: Plan, *, as_text: bool = False) -> Result:
    """Run the first day, then each day after the run before it, and return the last run."""
    result = run_days(days[:1], plan, as_text=as_text)
    for count in range(2, len(days) + 1):
        with tempfile.TemporaryDirectory() as name:
            settled = left_by(result, days[: count - 1], Path(name))
            result = run_days(days[:count], plan, settled=settled, as_text=as_text)
    return result


def left_by(result: Result, days: Sequence[Day], folder: Path) -> SettledPairs:
    """Return what a run over these days left for the run after it."""
    paths = {}
    for fact in ("match", "candidate", "unmatched_ours", "unmatched_theirs"):
        paths[fact] = folder / f"{fact}.parquet"
        paths[fact].write_bytes(result.contents[fact])
    rows = tuple(sum(len(day[side].rows) for day in days) for side in (0, 1))
    alone = (paths["unmatched_ours"], paths["unmatched_theirs"])
    write_settled(paths["match"], paths["candidate"], alone, (rows[0], rows[1]), folder / "settled.parquet")
    return settled_pairs(folder / "settled.parquet")
