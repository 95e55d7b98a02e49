"""Day 30 after 29 days, beside all 30 days at once: what `--after` spares, and whether the pairs agree."""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import data, worlds

DAYS = 30
KINDS = ("scored", "keyed")
DAY_COLUMNS = {"scored": ("posted", "date"), "keyed": ("day", "day")}


@dataclass(frozen=True)
class Days:
    """The files of one side: those of the first 29 days, of the last, and of all, in that order."""

    before: Path
    last: Path
    whole: Path


@dataclass(frozen=True)
class Seconds:
    """What one round took each way, as passed and on the processors, and how many pairs only one way has."""

    after: float
    whole: float
    after_cpu: float
    whole_cpu: float
    differing: int


def split(source: Path, day: str, folder: Path) -> Days:
    """Write the rows of a file up to the day that has 29 of 30 rows behind it, the rest, and both in that order."""
    import duckdb  # noqa: PLC0415 (contenders read this package where there is none)

    days = Days(*(folder / f"{source.stem}-{part}.csv" for part in ("before", "last", "whole")))
    with duckdb.connect() as con:
        con.execute(f"create view given as select *, row_number() over () as place from read_csv('{source}')")
        con.execute(f'select quantile_disc("{day}", {1 - 1 / DAYS}) from given')
        edge = con.fetchall()[0][0]
        rows = f"select * exclude (place) from given where \"{day}\" {{}} date '{edge}' order by place"
        con.execute(f"copy ({rows.format('<=')}) to '{days.before}'")
        con.execute(f"copy ({rows.format('>')}) to '{days.last}'")
        whole = f"select * exclude (place) from given order by \"{day}\" > date '{edge}', place"
        con.execute(f"copy ({whole}) to '{days.whole}'")
    return days


def made(kind: str, rows: int, folder: Path) -> tuple[Days, Days]:
    """Make the files of a kind: payments without a reference, or rows that share one."""
    if kind == "scored":
        files = worlds.make(worlds.World(rows), folder, "csv")
        paths = (Path(files.ours), Path(files.theirs))
    else:
        data.make(rows)
        paths = data.paths_of(rows, "csv")
    ours, theirs = (split(path, day, folder) for path, day in zip(paths, DAY_COLUMNS[kind], strict=True))
    return ours, theirs


def measure_round(ours: Days, theirs: Days, home: Path) -> Seconds:
    """Compare 29 days, then the last day after them, and in a folder of its own all at once by the same plan."""
    import duckdb  # noqa: PLC0415

    from tieout.books.compare.actions import compare  # noqa: PLC0415
    from tieout.books.compare.increment import IncrementRequest, compare_after  # noqa: PLC0415
    from tieout.books.compare.request import CompareRequest  # noqa: PLC0415
    from tieout.compose import open_workspace  # noqa: PLC0415
    from tieout.core.settings import Settings  # noqa: PLC0415

    workspace = open_workspace(Settings.from_environment({"TIEOUT_DATA_DIR": str(home)}))
    before = compare(workspace, CompareRequest(ours.before, theirs.before))
    asked = IncrementRequest(ours.last, theirs.last, before.run.run_id)
    after, *after_s = _timed(lambda: compare_after(workspace, asked))
    whole, *whole_s = _timed(lambda: compare(workspace, CompareRequest(ours.whole, theirs.whole, plan=before.plan)))
    workspace.close()
    pairs = [f"select ours_row, theirs_row from '{one.run_dir / 'match.parquet'}'" for one in (after, whole)]
    both = f"({pairs[0]} except {pairs[1]}) union all ({pairs[1]} except {pairs[0]})"
    differing = duckdb.sql(f"select count(*) from ({both})").fetchall()[0][0]
    return Seconds(after_s[0], whole_s[0], after_s[1], whole_s[1], differing)


def _timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what the work returns, the seconds that passed and those of the processors."""
    passed, busy = time.perf_counter(), time.process_time()
    done = work()
    return done, time.perf_counter() - passed, time.process_time() - busy


def main(arguments: list[str] | None = None) -> int:
    """Measure and print one line a kind and size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    print(
        "| rows a side | kind | day 30 after 29 days: s | processor s | all 30 days: s | processor s | ratio"
        " | pairs that differ |\n|---:|---|---:|---:|---:|---:|---:|---:|"
    )
    for kind in chosen.kinds:
        for rows in chosen.rows:
            with tempfile.TemporaryDirectory(prefix="tieout-increments-") as name:
                folder = Path(name)
                ours, theirs = made(kind, rows, folder)
                rounds = [measure_round(ours, theirs, folder / f"home-{turn}") for turn in range(chosen.rounds)]
            names = ("after", "after_cpu", "whole", "whole_cpu")
            medians = [statistics.median(getattr(one, name) for one in rounds) for name in names]
            ratio, differing = medians[2] / medians[0], max(one.differing for one in rounds)
            figures = (f"{rows:,}", kind, *(f"{one:.2f}" for one in medians), f"{ratio:.1f}", f"{differing:,}")
            print("| " + " | ".join(figures) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
