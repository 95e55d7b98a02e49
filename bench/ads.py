"""The stages of the ads book beside bare DuckDB: one day of so many events against some 200,000 statement lines.

The world is made by `tieout generate ads`. Every run is a process of its own; the contenders take turns. Run it as
`python -m bench.ads` from the repository root.
"""

import argparse
import dataclasses
import json
import os
import shutil
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from bench import data, measure
from bench.exact_key import describe_machine, list_versions, publish

HERE = Path(__file__).parent
ROOT = HERE.parent
FOLDER = data.FOLDER / "ads"
STEM = "results-ads"
MARKS = ("<!-- ads results -->", "<!-- end of ads results -->")
YARDSTICK = "bare, quick"
SUMS = ("expected_rows", "expected_micros", "reported_micros")
STAGES = ("ingest", "expected", "match", "reconcile")
UNITS, COUNTRIES = 1250, 32
ENGINE_MEMORY = "6GB"


@dataclass(frozen=True)
class Contender:
    """Who runs, and with which options."""

    name: str
    module: str
    options: tuple[str, ...] = ()


CONTENDERS = (
    Contender("tieout, all stages", "ads_tieout"),
    Contender(YARDSTICK, "ads_bare", ("--first", "quick")),
    Contender("bare, short", "ads_bare", ("--first", "short")),
    Contender("bare, keeps each request", "ads_bare", ("--first", "quick", "--rows")),
)


@dataclass(frozen=True)
class Result:
    """The runs of one contender on one world; `stages` are the median seconds of each stage."""

    events: int
    lines: int
    contender: str
    seconds: tuple[float, ...]
    cpu_s: float | None
    peak_mb: int | None
    stages: dict[str, float]
    ratio: float | None = None
    cpu_ratio: float | None = None
    note: str = ""

    @property
    def median_s(self) -> float | None:
        return statistics.median(self.seconds) if self.seconds else None


def make(events: int, log: Path) -> dict[str, int]:
    """Make the world of so many events unless it is there; return what is known of it."""
    world = FOLDER / str(events)
    if not (world / "ingest.sh").is_file():
        shutil.rmtree(world, ignore_errors=True)
        command = [str(Path(sys.executable).with_name("tieout")), "generate", "ads", "--out", str(world)]
        command += ["--days", "1", "--events-per-day", str(events), "--faults", "none"]
        command += ["--ad-units", str(UNITS), "--countries", str(COUNTRIES)]
        limits = measure.Limits(timeout_s=7200, memory_mb=8000)
        sample = measure.run(command, limits, log, {"TIEOUT_DATA_DIR": str(FOLDER / "tieout")})
        if sample.exit_code:
            raise SystemExit(f"The world of {events:,} events could not be made.\n{measure.tail(log)}")
        told = {"make_s": round(sample.wall_s), "make_peak_mb": sample.peak_mb}
        (world / "made.json").write_text(json.dumps(told))
    made = world / "made.json"
    told = json.loads(made.read_text()) if made.is_file() else {}
    return told | {"lines": json.loads((world / "truth.json").read_text())["lines"]}


def run(one: Contender, world: Path, limits: measure.Limits, log: Path) -> measure.Sample:
    """Run a contender once, on folders of its own."""
    out, home = FOLDER / "out", FOLDER / "tieout"
    for folder in (out, home):
        shutil.rmtree(folder, ignore_errors=True)
    out.mkdir()
    command = [sys.executable, "-m", f"bench.contenders.{one.module}", str(world), str(out), *one.options]
    environment = {"TIEOUT_DATA_DIR": str(home), "TIEOUT_MEMORY_LIMIT": ENGINE_MEMORY}
    sample = measure.run(command, limits, log, environment)
    for folder in (out, home):
        shutil.rmtree(folder, ignore_errors=True)
    return sample


def _fault(sample: measure.Sample, right: dict[str, int]) -> str:
    if sample.stopped or sample.exit_code:
        return sample.stopped or f"failed with exit code {sample.exit_code}"
    sums = {name: sample.found.get(name, 0) for name in SUMS}
    right.update({name: value for name, value in sums.items() if name not in right})
    return "" if sums == right else f"wrong: found {sums}, others {right}"


def race(events: int, contenders: tuple[Contender, ...], rounds: int, limits: measure.Limits) -> list[Result]:
    """Run every contender `rounds` times by turns on one world.

    One that is stopped or finds other sums runs no more.
    """
    log = FOLDER / "run.log"
    made = make(events, log)
    world = FOLDER / str(events)
    for path in sorted(world.glob("*/*/*")):
        with path.open("rb") as file:  # so that the first contender does not pay for a cold disk
            while file.read(1 << 20):
                pass
    samples: dict[str, list[measure.Sample]] = {one.name: [] for one in contenders}
    faults: dict[str, str] = {}
    right: dict[str, int] = {}
    for turn in range(rounds):
        for one in contenders[turn % len(contenders) :] + contenders[: turn % len(contenders)]:
            if one.name in faults:
                continue
            sample = run(one, world, limits, log)
            if fault := _fault(sample, right):
                faults[one.name] = fault
                print(f"  {one.name}: {fault}\n{measure.tail(log)}", file=sys.stderr)
                continue
            samples[one.name].append(sample)
            told = f"{sample.seconds:8.2f} s, CPU {sample.found['cpu_ms'] / 1000:.1f} s"
            print(f"  {events:>11,} round {turn + 1} {one.name:26} {told}", file=sys.stderr)
    return with_ratios(
        [_summarise(one.name, events, made["lines"], samples[one.name], faults.get(one.name, "")) for one in contenders]
    )


def _summarise(name: str, events: int, lines: int, samples: list[measure.Sample], note: str) -> Result:
    def median(figure: str) -> float:
        return round(statistics.median(sample.found[figure] for sample in samples) / 1000, 2)

    stages = {stage: median(f"{stage}_ms") for stage in STAGES if samples and f"{stage}_ms" in samples[0].found}
    return Result(
        events=events,
        lines=lines,
        contender=name,
        seconds=tuple(round(sample.seconds or 0.0, 2) for sample in samples),
        cpu_s=median("cpu_ms") if samples else None,
        peak_mb=max((sample.peak_mb for sample in samples), default=None),
        stages=stages,
        note=note,
    )


def with_ratios(results: list[Result]) -> list[Result]:
    """Add how many times as long as the yardstick each took, by medians: as passed and on the processors."""
    base = next((one for one in results if one.contender == YARDSTICK), None)
    if base is None or not base.median_s or not base.cpu_s:
        return results
    return [
        dataclasses.replace(
            one,
            ratio=round(one.median_s / base.median_s, 2) if one.median_s else None,
            cpu_ratio=round(one.cpu_s / base.cpu_s, 2) if one.cpu_s else None,
        )
        for one in results
    ]


def _text(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def render(results: list[Result], machine: dict[str, str], versions: dict[str, str], command: str) -> str:
    """Return the tables as Markdown, with what they depend on above them."""
    lines = [
        "Machine: " + "; ".join(machine.values()) + ".",
        "Versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()) + ".",
        f"Command: `{command}`. Ratios are of medians, to `{YARDSTICK}`.",
        "",
        "| events | lines | contender | runs | median s | min to max s | ratio | processor s | ratio | peak MiB | |",
        "|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for one in results:
        span = f"{min(one.seconds):.1f} to {max(one.seconds):.1f}" if one.seconds else ""
        cells = [
            f"{one.events:,}",
            f"{one.lines:,}",
            one.contender,
            str(len(one.seconds)),
            _text(one.median_s, ".1f"),
            span,
            _text(one.ratio, ".2f"),
            _text(one.cpu_s, ".1f"),
            _text(one.cpu_ratio, ".2f"),
            _text(one.peak_mb, ",d"),
            one.note,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "Our stages, median seconds, and processor time of all of them for a million events:", ""]
    lines += [f"| events | {' | '.join(STAGES)} | processor s a million |", "|---:" * (len(STAGES) + 2) + "|"]
    for one in results:
        if one.stages and one.cpu_s:
            told = " | ".join(f"{one.stages[stage]:.1f}" for stage in STAGES)
            lines.append(f"| {one.events:,} | {told} | {one.cpu_s * 1_000_000 / one.events:.2f} |")
    return "\n".join(lines) + "\n"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, nargs="+", default=[1_000_000, 3_000_000, 10_000_000, 30_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="contenders whose name contains one of these")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds that one run may take")
    parser.add_argument("--memory", type=int, default=8192, help="MiB that one run may hold")
    parser.add_argument("--publish", action="store_true", help="put the tables into bench/README.md, though narrowed")
    parser.add_argument("--add", action="store_true", help="keep the results of other sizes that are in the record")
    return parser.parse_args(arguments)


def _former(sizes: list[int]) -> tuple[list[Result], str]:
    """Return what the record says of other sizes, and the commands that it is of."""
    record = HERE / f"{STEM}.json"
    told = json.loads(record.read_text()) if record.is_file() else {"results": [], "command": ""}
    names = {field.name for field in dataclasses.fields(Result)}
    rows = [Result(**{name: value for name, value in one.items() if name in names}) for one in told["results"]]
    return [one for one in rows if one.events not in sizes], told["command"]


def main(arguments: list[str] | None = None) -> int:
    chosen = parse(arguments)
    given = list(sys.argv[1:] if arguments is None else arguments)
    os.chdir(ROOT)
    FOLDER.mkdir(parents=True, exist_ok=True)
    contenders = tuple(one for one in CONTENDERS if not chosen.only or any(part in one.name for part in chosen.only))
    limits = measure.Limits(timeout_s=chosen.timeout, memory_mb=chosen.memory)
    results, before = _former(chosen.events) if chosen.add else ([], "")
    for events in chosen.events:
        results += race(events, contenders, chosen.rounds, limits)
    results.sort(key=lambda one: one.events)
    machine = describe_machine()
    versions = {name: number for name, number in list_versions().items() if name in {"tieout", "duckdb", "pyarrow"}}
    command = "; ".join([*([before] if before else []), " ".join(["python -m bench.ads", *given])])
    record = {
        "command": command,
        "machine": machine,
        "versions": versions,
        "results": [dataclasses.asdict(one) | {"median_s": one.median_s} for one in results],
    }
    text = render(results, machine, versions, command)
    # A narrowed run is for the eye, unless it is asked for; the table names its command.
    publish(text, record, HERE if chosen.publish or not given else data.FOLDER, STEM, MARKS)
    print(text)
    return 1 if any(one.note for one in results) else 0


if __name__ == "__main__":
    sys.exit(main())
