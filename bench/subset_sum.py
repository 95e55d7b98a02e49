"""Which invoices does a payment settle, side by side: our search and dpss, for the first answer and for all of them.

Every run is a process of its own, in which the one call is timed; the contenders take turns; figures are medians.
Run it as `python -m bench.subset_sum` from the repository root.
"""

import argparse
import dataclasses
import json
import os
import random
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from bench import data, exact_key, measure, peers

HERE = Path(__file__).parent
PEER = "dpss"
MICROS = 1_000_000
MAX_SIZE = 6
NUMBERS = (20, 40, 60)
STEPS = {"0.01": MICROS // 100, "1.00": MICROS, "10.00": 10 * MICROS}


@dataclass(frozen=True)
class Question:
    """Invoices from 10.00 to 50,000.00 in steps of so much, all different, and a payment that settles some of them."""

    number: int
    step: str
    members: int

    @property
    def name(self) -> str:
        return f"{self.number} amounts in steps of {self.step}, {self.members} paid"

    def make(self) -> dict:
        chance = random.Random(self.name)
        step = STEPS[self.step]
        steps = range(10 * MICROS // step, 50_000 * MICROS // step + 1)
        amounts = [step * many for many in chance.sample(steps, self.number)]
        planted = sorted(chance.sample(range(self.number), self.members))
        return {
            "amounts": amounts,
            "target": sum(amounts[place] for place in planted),
            "planted": planted,
            "max_size": MAX_SIZE,
        }


def list_questions(numbers: list[int]) -> list[Question]:
    in_cents = [Question(number, "0.01", members) for number in numbers for members in (4, 5, 6)]
    return in_cents + [Question(number, step, 5) for number in numbers for step in ("1.00", "10.00")]


def count_all(question: dict) -> int:
    """Count the sets the plain way: try all but the last member, which then is known."""
    amounts, target = question["amounts"], question["target"]
    place_of = {amount: place for place, amount in enumerate(amounts)}
    return sum(
        place_of.get(target - sum(amounts[place] for place in chosen), -1) > chosen[-1]
        for size in range(2, question["max_size"] + 1)
        for chosen in combinations(range(len(amounts)), size - 1)
    )


@dataclass(frozen=True)
class Contender:
    name: str
    what: str
    module: str
    options: tuple[str, ...]
    is_peer: bool = False
    lists_all: bool = False

    def command(self, path: Path) -> list[str]:
        python = peers.python_of(PEER) if self.is_peer else sys.executable
        return [python, "-m", f"bench.contenders.{self.module}", str(path), *self.options]


def _dpss(name: str, what: str, *options: str) -> Contender:
    return Contender(name, what, "subset_sum_dpss", options, is_peer=True, lists_all="all" in options)


CONTENDERS = (
    Contender("tieout, first", f"up to {MAX_SIZE} members, ends with two sets", "subset_sum_tieout", ("first",)),
    Contender("tieout, all", f"every set of up to {MAX_SIZE}", "subset_sum_tieout", ("all",), lists_all=True),
    Contender("tieout, default", "up to 12 members, 10 sets, 200,000 nodes", "subset_sum_tieout", ("default",)),
    _dpss("dpss, first", f"`sequence_matcher` for one answer, up to {MAX_SIZE} members", "first", "ascending"),
    _dpss("dpss, all", f"`find_subset`, up to {MAX_SIZE} members, ascending", "all", "ascending"),
    _dpss("dpss, all, descending", "the same, descending", "all", "descending"),
)


@dataclass(frozen=True)
class Result:
    """The runs of one contender on one question; the `count` of the `right` sets that it found each time."""

    number: int
    step: str
    members: int
    contender: str
    seconds: tuple[float, ...]
    peak_mb: int | None
    count: int | None
    right: int
    note: str

    @property
    def median_s(self) -> float | None:
        return statistics.median(self.seconds) if self.seconds else None


def _note(one: Contender, sample: measure.Sample, right: int) -> str:
    if sample.stopped:
        return sample.stopped
    if sample.exit_code:
        return f"failed with exit code {sample.exit_code}"
    if one.lists_all and sample.found["count"] != right:
        return f"finds {sample.found['count']} of {right} sets"
    if not sample.found["count"]:
        return "finds none"
    if sample.found.get("is_complete") == 0 and sample.found["count"] == 1:
        return "says that it has not looked at all sizes"
    return ""


def _is_wrong(one: Contender, note: str) -> bool:
    return not one.is_peer and not note.startswith("says")


def race(
    question: Question, contenders: tuple[Contender, ...], rounds: int, limits: measure.Limits
) -> Iterator[tuple[Result, bool]]:
    """Run the contenders by turns, and yield what each did and whether that was right; a peer's fault is only noted."""
    made = question.make()
    right = count_all(made)
    path = data.FOLDER / "question.json"
    path.write_text(json.dumps(made))
    samples: dict[str, list[measure.Sample]] = {one.name: [] for one in contenders}
    notes: dict[str, str] = {one.name: "" for one in contenders}
    for turn in range(rounds):
        for one in contenders[turn % len(contenders) :] + contenders[: turn % len(contenders)]:
            if notes[one.name].startswith(("stopped", "failed")):
                continue
            sample = measure.run(one.command(path), limits, data.FOLDER / "run.log")
            notes[one.name] = notes[one.name] or _note(one, sample, right)
            if sample.seconds is not None and not sample.stopped:
                samples[one.name].append(sample)
            took = f"{sample.seconds or sample.wall_s:9.4f} s"
            print(f"  {question.name}, round {turn + 1} {one.name:22} {took} {notes[one.name]}", file=sys.stderr)
    for one in contenders:
        runs = samples[one.name]
        result = Result(
            **dataclasses.asdict(question),
            contender=one.name,
            seconds=tuple(round(sample.seconds or 0.0, 5) for sample in runs),
            peak_mb=max((sample.peak_mb for sample in runs), default=None),
            count=min((sample.found["count"] for sample in runs), default=None),
            right=right,
            note=notes[one.name],
        )
        yield result, not (notes[one.name] and _is_wrong(one, notes[one.name]))


def list_versions() -> dict[str, str]:
    versions = {name: number for name, number in exact_key.list_versions().items() if name == "tieout"}
    return versions | {PEER: peers.versions_of(PEER)[PEER]}


def render(results: list[Result], machine: dict[str, str], versions: dict[str, str], command: str) -> str:
    lines = [
        "Machine: " + "; ".join(machine.values()) + ".",
        "Versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()) + ".",
        f"Command: `{command}`. Sets: those of up to {MAX_SIZE} members, counted by trying all.",
        "",
        *(f"- {one.name}: {one.what}." for one in CONTENDERS),
        "",
        "| amounts | in steps of | paid | sets | contender | runs | median s | min to max s | found | peak MiB | |",
        "|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|---|",
    ]
    for one in results:
        figures = ["", "", "", ""]
        if one.seconds:
            span = f"{min(one.seconds):.4f} to {max(one.seconds):.4f}"
            figures = [f"{one.median_s:.4f}", span, f"{one.count:,}", f"{one.peak_mb:,}"]
        cells = [str(one.number), one.step, str(one.members), str(one.right), one.contender, str(len(one.seconds))]
        lines.append("| " + " | ".join([*cells, *figures, one.note]) + " |")
    return "\n".join(lines) + "\n"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--numbers", type=int, nargs="+", default=list(NUMBERS), help="how many amounts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="contenders whose name contains one of these")
    parser.add_argument("--timeout", type=float, default=10, help="seconds that one run may take")
    parser.add_argument("--memory", type=int, default=4_000, help="MiB that one run may hold")
    parser.add_argument("--publish", action="store_true", help="write beside bench/README.md, though narrowed")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    chosen = parse(arguments)
    given = list(sys.argv[1:] if arguments is None else arguments)
    os.chdir(exact_key.ROOT)
    data.FOLDER.mkdir(exist_ok=True)
    contenders = tuple(one for one in CONTENDERS if not chosen.only or any(part in one.name for part in chosen.only))
    if any(one.is_peer for one in contenders):
        peers.make(PEER)
    limits = measure.Limits(timeout_s=chosen.timeout, memory_mb=chosen.memory)
    raced = [
        one for question in list_questions(chosen.numbers) for one in race(question, contenders, chosen.rounds, limits)
    ]
    results = [result for result, _ in raced]
    command = " ".join(["python -m bench.subset_sum", *given])
    machine, versions = exact_key.describe_machine(), list_versions()
    record = {
        "command": command,
        "machine": machine,
        "versions": versions,
        "results": [dataclasses.asdict(one) | {"median_s": one.median_s} for one in results],
    }
    text = render(results, machine, versions, command)
    folder = HERE if chosen.publish or not given else data.FOLDER
    (folder / "results-subset-sum.json").write_text(json.dumps(record, indent=1) + "\n")
    (folder / "results-subset-sum.md").write_text(text)
    print(text)
    return 0 if all(is_right for _, is_right in raced) else 1


if __name__ == "__main__":
    sys.exit(main())
