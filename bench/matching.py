"""Matching without a common key, side by side: how much each contender finds, how much of it is right, how fast.

Every run is a process of its own; the contenders take turns. Run it as `python -m bench.matching` from the repository
root; `--data DIR` adds the sets that are not in the package.
"""

import argparse
import dataclasses
import os
import shutil
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from bench import matching_sets, measure, peers, worlds
from bench.brief import PAYMENTS, PEOPLE, REGISTER, REMITTANCE, answer_of
from bench.exact_key import describe_machine, list_versions, publish
from bench.matching_sets import FOLDER, DataSet

HERE = Path(__file__).parent
ROOT = HERE.parent
STEM = "results-matching"
MARKS = ("<!-- matching results -->", "<!-- end of matching results -->")
DATA_FILES = f"{matching_sets.PEOPLE_FILE} and {matching_sets.CASH_FILES}"
ALL_KINDS = (PAYMENTS, PEOPLE, REGISTER, REMITTANCE)


@dataclass(frozen=True)
class Contender:
    """Who runs, from which peer's environment, on which kinds of data.

    The bench chooses the threshold of one that `is_scored`: the one of the best F1, in the contender's favour.
    """

    name: str
    module: str
    peer: str = ""
    kinds: tuple[str, ...] = ALL_KINDS
    is_scored: bool = False

    def command(self, brief: Path, out: Path) -> list[str]:
        python = peers.python_of(self.peer) if self.peer else sys.executable
        return [python, "-m", f"bench.contenders.{self.module}", str(brief), str(out)]


CONTENDERS = (
    Contender("tieout", "match_tieout"),
    Contender("exact equality", "match_exact"),
    Contender("ten lines of SQL", "match_sql", is_scored=True),
    Contender("remittance reference", "match_remittance", kinds=(REMITTANCE,)),
    Contender("splink 5", "match_splink", "splink", (PAYMENTS, PEOPLE, REGISTER), is_scored=True),
    Contender("recordlinkage", "match_recordlinkage", "recordlinkage", (PAYMENTS, PEOPLE, REGISTER), is_scored=True),
)


@dataclass(frozen=True)
class Quality:
    """How many pairs were found, how many of them are right, and how many there are."""

    found: int
    right: int
    true: int

    @property
    def precision(self) -> float | None:
        return self.right / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        return self.right / self.true if self.true else None

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.found + self.true) if self.found + self.true else 0.0


@dataclass(frozen=True)
class Answer:
    """What a contender's pairs are worth: those it accepts, those with the ones it proposes, and the share of each kind
    of true pairs among the accepted."""

    auto: Quality
    proposed: Quality
    threshold: float | None = None
    recall_by_kind: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """The runs of one contender on one data set. `inside_s` is what it measured itself: files to pairs."""

    data_set: str
    rows: tuple[int, int]
    contender: str
    answer: Answer | None
    wall_s: tuple[float, ...] = ()
    inside_s: float | None = None
    peak_mb: int | None = None
    pairs_scored: int | None = None
    note: str = ""

    @property
    def median_s(self) -> float | None:
        return statistics.median(self.wall_s) if self.wall_s else None

    @property
    def pairs_per_s(self) -> float | None:
        return self.pairs_scored / self.inside_s if self.pairs_scored is not None and self.inside_s else None


JUDGED = """
    create or replace temp table judged as
    select p.ours_row, p.theirs_row, p.score, p.outcome = 'auto' as is_auto, t.ours_row is not null as is_right
    from (
        select ours_row, theirs_row, min(outcome) as outcome, max(score) as score
        from '{pairs}' where ours_row is not null and theirs_row is not null group by all
    ) p
    left join truth t using (ours_row, theirs_row)
"""
BEST_THRESHOLD = """
    select score
    from (
        select score, sum(sum(is_right::int)) over above as hits, sum(count(*)) over above as found
        from judged group by score window above as (order by score desc)
    )
    order by 2 * hits / (found + {true}) desc, score desc limit 1
"""


def judge(pairs: Path, truth: Path, *, is_scored: bool = False) -> Answer:
    """Return what the pairs of a contender are worth; with `is_scored` from the threshold of the best F1 on."""
    with duckdb.connect() as connection:
        connection.execute(f"create temp table truth as from '{truth}'")
        connection.execute(JUDGED.format(pairs=pairs))
        [(true,)] = connection.sql("select count(*) from truth").fetchall()
        threshold = None
        if is_scored:
            best = connection.sql(BEST_THRESHOLD.format(true=true)).fetchall()
            threshold = best[0][0] if best else None
            connection.execute("delete from judged where score < ?", [threshold])
        counts = "select count(*), count(*) filter (is_right) from judged where {which}"
        auto, proposed = (
            Quality(*connection.sql(counts.format(which=which)).fetchall()[0], true) for which in ("is_auto", "true")
        )
        return Answer(auto, proposed, threshold, _recall_by_kind(connection))


def _recall_by_kind(connection) -> dict[str, float]:
    columns = {row[0] for row in connection.sql("describe truth").fetchall()}
    if "kind" not in columns:
        return {}
    query = """
        select kind, avg((j.ours_row is not null)::int)
        from truth t left join (from judged where is_auto) j using (ours_row, theirs_row) group by kind order by kind
    """
    return {kind: round(share, 4) for kind, share in connection.sql(query).fetchall()}


def rows_of(data_set: DataSet) -> tuple[int, int]:
    counts = (duckdb.sql(f"select count(*) from '{path}'").fetchall() for path, _ in data_set.brief.sides.values())
    return tuple(found[0][0] for found in counts)


def _fault(sample: measure.Sample, out: Path) -> str:
    """Return why a run does not count, or an empty text."""
    if sample.stopped:
        return sample.stopped
    if sample.exit_code:
        return f"failed with exit code {sample.exit_code}"
    return "" if answer_of(out).is_file() else "gave no answer"


def race(data_set: DataSet, contenders: tuple[Contender, ...], rounds: int, limits: measure.Limits) -> list[Result]:
    """Run every contender `rounds` times by turns on a data set; one that is stopped or fails does not run again."""
    runners = tuple(one for one in contenders if data_set.brief.kind in one.kinds)
    FOLDER.mkdir(parents=True, exist_ok=True)
    brief = FOLDER / "brief.json"
    data_set.brief.save(brief)
    for path, _ in data_set.brief.sides.values():
        with Path(path).open("rb") as file:  # so that the first contender does not pay for a cold disk
            while file.read(1 << 20):
                pass
    samples: dict[str, list[measure.Sample]] = {one.name: [] for one in runners}
    answers: dict[str, Answer] = {}
    faults: dict[str, str] = {}
    for turn in range(rounds):
        for one in runners[turn % len(runners) :] + runners[: turn % len(runners)]:
            if one.name in faults:
                continue
            sample, fault = _run(one, brief, limits)
            if fault:
                faults[one.name] = fault
                print(f"  {data_set.name}: {one.name}: {fault}", file=sys.stderr)
                continue
            samples[one.name].append(sample)
            if one.name not in answers:
                answers[one.name] = judge(answer_of(FOLDER / "out"), data_set.truth, is_scored=one.is_scored)
            f1 = answers[one.name].auto.f1
            print(f"  {data_set.name:24} {one.name:20} {sample.wall_s:8.2f} s  F1 {f1:.4f}", file=sys.stderr)
    rows = rows_of(data_set)
    return [
        _summarise(data_set, rows, one, samples[one.name], answers.get(one.name), faults.get(one.name, ""))
        for one in runners
    ]


def _run(one: Contender, brief: Path, limits: measure.Limits) -> tuple[measure.Sample, str]:
    out, log, state = FOLDER / "out", FOLDER / "run.log", FOLDER / "tieout"
    # An own, empty data folder each time: a run that is known already would only be looked up.
    for folder in (out, state):
        shutil.rmtree(folder, ignore_errors=True)
    out.mkdir(parents=True)
    sample = measure.run(one.command(brief, out), limits, log, {"TIEOUT_DATA_DIR": str(state)})
    fault = _fault(sample, out)
    if fault and not sample.stopped:
        print(measure.tail(log), file=sys.stderr)
    return sample, fault


def _summarise(
    data_set: DataSet,
    rows: tuple[int, int],
    one: Contender,
    samples: list[measure.Sample],
    answer: Answer | None,
    note: str,
) -> Result:
    inside = [sample.seconds for sample in samples if sample.seconds is not None]
    return Result(
        data_set=data_set.name,
        rows=rows,
        contender=one.name,
        answer=answer,
        wall_s=tuple(round(sample.wall_s, 3) for sample in samples),
        inside_s=round(statistics.median(inside), 3) if inside else None,
        peak_mb=max((sample.peak_mb for sample in samples), default=None),
        pairs_scored=samples[0].found.get("pairs_scored") if samples else None,
        note=note,
    )


def _text(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _quality_cells(quality: Quality | None) -> list[str]:
    if quality is None:
        return ["", "", ""]
    return [_text(value, ".4f") for value in (quality.precision, quality.recall, quality.f1)]


def render_quality(results: list[Result]) -> list[str]:
    """Return the table of quality and speed. Of contenders that propose nothing for review, review adds nothing."""
    heads = ("data", "rows a side", "contender", "precision", "recall", "F1", "with review: precision", "recall", "F1")
    lines = [
        "| " + " | ".join([*heads, "pairs scored a s", "wall s", "peak MiB", ""]) + " |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for one in results:
        ours, theirs = one.rows
        answer = one.answer
        has_review = answer is not None and answer.proposed != answer.auto
        cells = [
            one.data_set,
            f"{ours:,}" if ours == theirs else f"{ours:,} and {theirs:,}",
            one.contender,
            *_quality_cells(answer.auto if answer else None),
            *_quality_cells(answer.proposed if answer and has_review else None),
            _text(one.pairs_per_s, ",.0f"),
            _text(one.median_s, ".2f"),
            _text(one.peak_mb, ",d"),
            one.note,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def render_scale(results: list[Result]) -> list[str]:
    """Return the table of seconds against size, if worlds of several sizes were run."""
    sized = [one for one in results if one.data_set.startswith("world of ")]
    names = list(dict.fromkeys(one.data_set for one in sized))
    if len(names) < 2:
        return []
    seconds = {(one.contender, one.data_set): _text(one.median_s, ".1f") or one.note for one in sized}
    contenders = list(dict.fromkeys(one.contender for one in sized))
    return [
        "",
        "Wall seconds by size:",
        "",
        "| contender | " + " | ".join(names) + " |",
        "|---|" + "---:|" * len(names),
        *(
            f"| {contender} | " + " | ".join(seconds.get((contender, name), "") for name in names) + " |"
            for contender in contenders
        ),
    ]


def render(
    results: list[Result], absent: list[str], machine: dict[str, str], versions: dict[str, str], command: str
) -> str:
    """Return the tables as Markdown, with what they depend on above them."""
    lines = [
        "Machine: " + "; ".join(machine.values()) + ".",
        "Versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()) + ".",
        f"Command: `{command}`.",
        *(f"Absent: {one}." for one in absent),
        "",
        *render_quality(results),
        *render_scale(results),
    ]
    return "\n".join(lines) + "\n"


def _quality_record(quality: Quality) -> dict:
    rounded = {name: getattr(quality, name) for name in ("precision", "recall", "f1")}
    return dataclasses.asdict(quality) | {
        name: None if value is None else round(value, 6) for name, value in rounded.items()
    }


def record_of(one: Result) -> dict:
    """Return a result as it stands in the JSON."""
    record = dataclasses.asdict(one) | {"median_s": one.median_s, "pairs_per_s": one.pairs_per_s}
    if one.answer is not None:
        record["answer"] |= {
            "auto": _quality_record(one.answer.auto),
            "proposed": _quality_record(one.answer.proposed),
        }
    return record


def versions_of(contenders: tuple[Contender, ...]) -> dict[str, str]:
    """Return what ran, each peer from its own lock; its DuckDB beside ours where it needs another."""
    found = {name: number for name, number in list_versions().items() if name in {"tieout", "duckdb", "pyarrow"}}
    for peer in dict.fromkeys(one.peer for one in contenders if one.peer):
        pinned = peers.versions_of(peer)
        found[peer] = pinned[peer]
        if "duckdb" in pinned:
            found[peer] += f" on duckdb {pinned['duckdb']}"
        if "pandas" in pinned:
            found[peer] += f" on pandas {pinned['pandas']}"
    return found


def gather(chosen: argparse.Namespace) -> tuple[list[DataSet], list[str]]:
    """Return the data sets asked for, and of those that are not at hand what is missing."""
    found: list[DataSet] = []
    absent: list[str] = []
    if "bank" in chosen.sets:
        found += matching_sets.bank_pairs()
    if "register" in chosen.sets:
        found += matching_sets.register()
    for name, load, files in (
        ("people", matching_sets.people, matching_sets.PEOPLE_FILE),
        ("cash", matching_sets.cash_application, matching_sets.CASH_FILES),
    ):
        if name in chosen.sets:
            loaded = load(chosen.data) if chosen.data else []
            found += loaded
            if not loaded:
                absent.append(f"{name}, for want of {files} in the folder of `--data`")
    if "worlds" in chosen.sets:
        for rows in chosen.rows:
            print(f"making a world of {rows:,}", file=sys.stderr)
            days = max(1, rows // chosen.rows_a_day) if chosen.rows_a_day else worlds.World.days
            found.append(matching_sets.world(rows, days=days))
    return found, absent


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sets = ("bank", "register", "people", "cash", "worlds")
    parser.add_argument("--sets", nargs="+", choices=sets, default=list(sets))
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000], help="sizes of the worlds")
    parser.add_argument(
        "--rows-a-day", type=int, metavar="N", help="worlds of as many days as this asks for, not all of 120"
    )
    parser.add_argument(
        "--data", type=Path, help=f"folder with {matching_sets.PEOPLE_FILE}, {matching_sets.CASH_FILES}"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="contenders whose name contains one of these")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one run may take")
    parser.add_argument("--memory", type=int, default=18_000, help="MiB that one run may hold")
    parser.add_argument("--publish", action="store_true", help="put the tables into bench/README.md")
    return parser.parse_args(arguments)


def named(arguments: list[str]) -> str:
    """Return the command as it is published: without the folder of this machine."""
    told = list(arguments)
    if "--data" in told:
        told[told.index("--data") + 1] = "DIR"
    return " ".join(["python -m bench.matching", *told])


def main(arguments: list[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    chosen = parse(given)
    os.chdir(ROOT)
    contenders = tuple(one for one in CONTENDERS if not chosen.only or any(part in one.name for part in chosen.only))
    data_sets, absent = gather(chosen)
    for one in absent:
        print(f"absent: {one}", file=sys.stderr)
    for peer in dict.fromkeys(one.peer for one in contenders if one.peer):
        peers.make(peer)
    limits = measure.Limits(timeout_s=chosen.timeout, memory_mb=chosen.memory)
    results = [result for data_set in data_sets for result in race(data_set, contenders, chosen.rounds, limits)]
    machine, versions, command = describe_machine(), versions_of(contenders), named(given)
    record = {
        "command": command,
        "machine": machine,
        "versions": versions,
        "absent": absent,
        "results": [record_of(one) for one in results],
    }
    text = render(results, absent, machine, versions, command)
    FOLDER.mkdir(parents=True, exist_ok=True)
    publish(text, record, HERE if chosen.publish else FOLDER, STEM, MARKS)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
