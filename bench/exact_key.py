"""Exact-key comparison, side by side: our engine, DuckDB written by hand, datacompy on Polars and on pandas.

Every run is a process of its own; the contenders take turns, so that a busy minute hits them all; figures are medians.
Run it as `python -m bench.exact_key` (or `make bench`) from the repository root.
"""

import argparse
import dataclasses
import json
import os
import platform
import shutil
import statistics
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench import data, measure, peers

HERE = Path(__file__).parent
ROOT = HERE.parent
PEER = "datacompy"
MARKS = ("<!-- results -->", "<!-- end of results -->")
DIFFERENCES_FOUND = 10
YARDSTICK = "hand-written"


@dataclass(frozen=True)
class Contender:
    """Who runs, how, and what is timed: `wall` takes the life of the process, else what it reports itself."""

    name: str
    what: str
    command: tuple[str, ...]
    is_peer: bool = False
    is_wall: bool = False
    exit_code: int = 0
    counts_all: bool = True


def _module(name: str, *, peer: bool = False) -> tuple[str, ...]:
    python = peers.python_of(PEER) if peer else sys.executable
    return (python, "-m", f"bench.contenders.{name}", "{ours}", "{theirs}", "{out}")


def _command(name: str, what: str, *options: str) -> Contender:
    command = (str(Path(sys.executable).with_name("tieout")), "compare", "{ours}", "{theirs}", *options)
    return Contender(name, what, command, is_wall=True, exit_code=DIFFERENCES_FOUND, counts_all=False)


CONTENDERS = (
    Contender("tieout engine", "files to result tables, inside `tieout.compare`", _module("tieout_engine")),
    Contender(YARDSTICK, "DuckDB full outer join, same result tables", _module("hand_written")),
    Contender(
        "hand-written, light",
        "the same join, only differing rows written",
        (*_module("hand_written"), "--light"),
        counts_all=False,
    ),
    Contender("datacompy polars", "load and compare", _module("datacompy_polars", peer=True), is_peer=True),
    Contender("datacompy pandas", "load and compare", _module("datacompy_pandas", peer=True), is_peer=True),
    _command("tieout command", "`tieout compare --report`: start, inference, report", "--report", "{out}/a.html"),
    _command("tieout command, all files", "`--out`: every row as CSV and Parquet too, XLSX, JSON", "--out", "{out}"),
)


@dataclass(frozen=True)
class Result:
    """The runs of one contender on one pair of files."""

    rows: int
    form: str
    contender: str
    what: str
    seconds: tuple[float, ...]
    cpu_s: float | None
    peak_mb: int | None
    ratio: float | None = None
    note: str = ""

    @property
    def median_s(self) -> float | None:
        return statistics.median(self.seconds) if self.seconds else None


def _fault(contender: Contender, sample: measure.Sample, truth: data.Truth) -> str:
    """Return why a run does not count, or an empty text."""
    if sample.stopped:
        return sample.stopped
    if sample.exit_code != contender.exit_code:
        return f"failed with exit code {sample.exit_code}"
    if contender.counts_all and sample.found != dataclasses.asdict(truth):
        return f"wrong: found {sample.found}, right is {dataclasses.asdict(truth)}"
    if not contender.is_wall and sample.seconds is None:
        return "reported no time"
    return ""


def race(
    rows: int, form: str, contenders: tuple[Contender, ...], rounds: int, limits: measure.Limits
) -> tuple[list[Result], bool]:
    """Run every contender `rounds` times by turns on the files of one size and format.

    A contender that is stopped, fails or finds something else does not run again. The second value says whether
    everything that should hold did: a peer may run out of time or memory, but nobody may be wrong.
    """
    ours, theirs = data.paths_of(rows, form)
    truth = data.truth_of(rows)
    for path in (ours, theirs):
        with path.open("rb") as file:  # so that the first contender does not pay for a cold disk
            while file.read(1 << 20):
                pass
    samples: dict[str, list[measure.Sample]] = {one.name: [] for one in contenders}
    faults: dict[str, str] = {}
    is_sound = True
    for turn in range(rounds):
        for one in contenders[turn % len(contenders) :] + contenders[: turn % len(contenders)]:
            if one.name in faults:
                continue
            out = data.FOLDER / "out"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            log = data.FOLDER / "run.log"
            command = [part.format(ours=ours, theirs=theirs, out=out) for part in one.command]
            # An own, empty data folder each time: a run that is known already would only be looked up.
            shutil.rmtree(data.FOLDER / "tieout", ignore_errors=True)
            sample = measure.run(command, limits, log, {"TIEOUT_DATA_DIR": str(data.FOLDER / "tieout")})
            fault = _fault(one, sample, truth)
            if fault:
                faults[one.name] = fault
                is_sound = is_sound and one.is_peer and bool(sample.stopped)
                print(f"  {one.name}: {fault}\n{measure.tail(log)}", file=sys.stderr)
                continue
            samples[one.name].append(sample)
            timed = sample.wall_s if one.is_wall else sample.seconds
            print(f"  {rows:>10,} {form:8} round {turn + 1} {one.name:20} {timed:8.2f} s", file=sys.stderr)
    return [_summarise(one, rows, form, samples[one.name], faults.get(one.name, "")) for one in contenders], is_sound


def _summarise(one: Contender, rows: int, form: str, samples: list[measure.Sample], note: str) -> Result:
    return Result(
        rows=rows,
        form=form,
        contender=one.name,
        what=one.what,
        seconds=tuple(round(sample.wall_s if one.is_wall else sample.seconds or 0.0, 3) for sample in samples),
        cpu_s=round(statistics.median(sample.cpu_s for sample in samples), 2) if samples else None,
        peak_mb=max((sample.peak_mb for sample in samples), default=None),
        note=note,
    )


def with_ratios(results: list[Result]) -> list[Result]:
    """Add how many times as long as the hand-written join each took, by medians."""
    base = next((one.median_s for one in results if one.contender == YARDSTICK), None)
    return [
        dataclasses.replace(one, ratio=round(one.median_s / base, 2) if base and one.median_s else None)
        for one in results
    ]


def describe_machine() -> dict[str, str]:
    """Return what the figures depend on."""
    cpu = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": f"{cpu}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": f"Python {platform.python_version()}",
    }


def list_versions() -> dict[str, str]:
    """Return the versions that ran, those of the peers from their own lock."""
    found: dict[str, str] = {}
    for name in ("tieout", "duckdb", "pyarrow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    pinned = peers.versions_of(PEER)
    return found | {name: pinned[name] for name in ("datacompy", "pandas", "polars")}


def _text(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def render(results: list[Result], machine: dict[str, str], versions: dict[str, str], command: str) -> str:
    """Return the one table as Markdown, with what it depends on above it."""
    lines = [
        "Machine: " + "; ".join(machine.values()) + ".",
        "Versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()) + ".",
        f"Command: `{command}`. The ratio is of medians, to the hand-written join.",
        "",
        "| rows a side | from | contender | runs | median s | min to max s | ratio | processor s | peak MiB | |",
        "|---:|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for one in results:
        span = f"{min(one.seconds):.2f} to {max(one.seconds):.2f}" if one.seconds else ""
        cells = [
            f"{one.rows:,}",
            one.form,
            one.contender,
            str(len(one.seconds)),
            _text(one.median_s, ".2f"),
            span,
            _text(one.ratio, ".2f"),
            _text(one.cpu_s, ".1f"),
            _text(one.peak_mb, ",d"),
            one.note,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def publish(text: str, record: dict, folder: Path, stem: str = "results", marks: tuple[str, str] = MARKS) -> None:
    """Write the table and its data; in bench/ itself also into the README between its marks."""
    (folder / f"{stem}.json").write_text(json.dumps(record, indent=1) + "\n")
    (folder / f"{stem}.md").write_text(text)
    readme = folder / "README.md"
    if folder == HERE and readme.is_file():
        before, _, rest = readme.read_text().partition(marks[0])
        _, _, after = rest.partition(marks[1])
        readme.write_text(f"{before}{marks[0]}\n{text}{marks[1]}{after}")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--format", nargs="+", choices=data.FORMATS, default=list(data.FORMATS), dest="forms")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="contenders whose name contains one of these")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one run may take")
    parser.add_argument("--memory", type=int, default=18_000, help="MiB that one run may hold")
    parser.add_argument("--publish", action="store_true", help="put the table into bench/README.md, though narrowed")
    parser.add_argument("--generate-only", action="store_true", help="make the files and stop")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    chosen = parse(arguments)
    given = list(sys.argv[1:] if arguments is None else arguments)
    os.chdir(ROOT)
    contenders = tuple(one for one in CONTENDERS if not chosen.only or any(part in one.name for part in chosen.only))
    for rows in chosen.rows:
        print(f"making {rows:,} rows a side", file=sys.stderr)
        data.make(rows)
    if chosen.generate_only:
        return 0
    if any(one.is_peer for one in contenders):
        peers.make(PEER)
    results: list[Result] = []
    is_sound = True
    limits = measure.Limits(timeout_s=chosen.timeout, memory_mb=chosen.memory)
    for rows in chosen.rows:
        for form in chosen.forms:
            raced, held = race(rows, form, contenders, chosen.rounds, limits)
            results += with_ratios(raced)
            is_sound = is_sound and held
    machine, versions = describe_machine(), list_versions()
    command = " ".join(["python -m bench.exact_key", *given])
    record = {
        "command": command,
        "machine": machine,
        "versions": versions,
        "results": [dataclasses.asdict(one) | {"median_s": one.median_s} for one in results],
    }
    text = render(results, machine, versions, command)
    # A narrowed run is for the eye, unless it is asked for; the table names its command.
    publish(text, record, HERE if chosen.publish or not given else data.FOLDER)
    print(text)
    return 0 if is_sound else 1


if __name__ == "__main__":
    sys.exit(main())
