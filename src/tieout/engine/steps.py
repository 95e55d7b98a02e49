"""SQL steps with a contract: read the header, run the step, assert what it promised."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, get_args

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tieout.core.errors import TieoutError
from tieout.core.money import MAX_MICROS, format_micros
from tieout.core.tracing import span
from tieout.engine.side_by_side import run_side_by_side, thread_count
from tieout.engine.slices import EVERYTHING, Range, slice_path, slice_paths
from tieout.store.digest import digest_file, digest_text
from tieout.store.relations import creation_of, replace_relation
from tieout.store.statements import execute, parse

SPLIT_RANGES = 16
SIDE_BY_SIDE = 3
"""How many steps run at once where they may: a core is free while a step is planned."""
MANY_ROWS = 1_000_000
"""With so many rows sorting the hashes of their keys saves more time than numpy takes to be there."""
SORTED_ROWS = 100_000
"""With so many it saves time where numpy is there already, as in every scored pass."""
MOST_SORTED = 1 << 25
"""With more hashes than that, 256 MiB, they are left to the engine, which spills what does not fit."""

FEW_ROWS = 2_000
"""What reads no relation of more rows is planned as it is written: to improve a plan takes longer than it saves."""

NO_ROWS = "0:0"
"""The digest of a table without rows, which need not be read to know it."""

_FACT_OPTIONS = "format parquet, compression snappy, parquet_version v2, dictionary_size_limit 4096"
"""Of 122,880 values that stand together; a dictionary of more saves no room, and numbers are tried in vain as long."""

StepForm = Literal["table", "view", "scan", "fact", "check", "computed"]
Compute = Callable[[duckdb.DuckDBPyConnection, str], pa.Table]

_HEADER = re.compile(r"^--\s*(step|in|out|grain|form|split|empty|types|why):\s*(.*)$")
_MORE = re.compile(r"^--\s{3,}(\S.*)$")
_SPLIT = re.compile(r"^(\w+) of (\w+)$")
_EMPTY = re.compile(r"^when (\w+(?: and \w+)*|\w+(?: or \w+)*)$")
_OUT = re.compile(r"^(\w+)\(([^)]*)\)$", re.DOTALL)


class StepContractBroken(TieoutError):
    """A step did not yield what its header promises: a fault of ours, never of the input."""

    code = "step_contract_broken"


class StepFailed(TieoutError):
    """The engine could not run a step (out of memory, disk full, a fault of ours)."""

    code = "step_failed"


class AmountsTooLarge(TieoutError):
    """A difference or a sum that a step must state as one amount needs more than 64 bits of micros."""

    code = "amounts_too_large"


@dataclass(frozen=True)
class Step:
    """One SQL file: what it reads, what it yields, its grain and why it exists.

    `form` says what becomes of the query: a `table` in the scratch database, a `view`, a `scan` (a view that is not
    read by itself to be counted, and leaves no record: files too large for that), a `fact` (a Parquet
    file of the run, read back as a view), a `check` (must yield no row), or a table that is `computed` in Python from
    the query's rows, because SQL cannot say it. A table step that says `split` (a column
    of row numbers and the relation it is in) asks for those between `$first` and `$last`, so that a result which does
    not fit in memory at once is made in ranges: what is committed spills to the disk. A fact that says `split` can be
    written in slices, each by a core of its own.

    A table or a check that says `empty` (when some relations, all of them or any one, have no rows) and the `types` of
    its columns is then made without its query: to find nothing takes milliseconds, most of them to plan it. `empty`
    holds the sets of relations of which one whole set must be without rows.

    A step that `is_parallel` is divided among the cores even where DuckDB thinks it too small for that.
    """

    name: str
    reads: tuple[str, ...]
    out: str
    columns: tuple[str, ...]
    grain: tuple[str, ...]
    form: StepForm
    why: str
    sql: str
    split: tuple[str, str] | None = None
    empty: tuple[frozenset[str], ...] = ()
    types: tuple[str, ...] = ()
    is_parallel: bool = False

    @property
    def asks(self) -> frozenset[str]:
        """What it reads, and what decides whether it is run at all."""
        return frozenset(self.reads).union(*self.empty)

    @property
    def columns_alone(self) -> str:
        """Its columns with their types, as a table without a row is declared."""
        return ", ".join(f'"{name}" {kind}' for name, kind in zip(self.columns, self.types, strict=True))


@dataclass(frozen=True)
class StepRecord:
    """What a step did: rows out, seconds, and a digest.

    The digest of a fact is its file's SHA-256 (in slices: that of their digests, a line each), of a table a sum over
    its rows in any order.
    """

    name: str
    rows: int
    seconds: float
    digest: str


@dataclass(frozen=True)
class FactFile:
    """A file of a fact as it was written: its rows and its SHA-256."""

    path: Path
    rows: int
    sha256: str


def parse_step(text: str) -> Step:
    """Read one step file. Raises StepContractBroken when its header is not complete."""
    fields: dict[str, str] = {}
    last = ""
    body: list[str] = []
    for line in text.splitlines():
        if found := _HEADER.match(line):
            last = found[1]
            fields[last] = found[2].strip()
        elif last and not body and (more := _MORE.match(line)):
            fields[last] += " " + more[1].strip()
        elif line.strip():
            body.append(line)
    name = fields.get("step", "")
    form = fields.get("form", "table")
    out = _OUT.match(fields.get("out", ""))
    if not name or not fields.get("why") or out is None or form not in get_args(StepForm):
        raise StepContractBroken(f"The header of step {name or text[:60]!r} lacks step, out, why or has a bad form.")
    split = _SPLIT.match(fields.get("split", ""))
    columns, types = _names(out[2]), _names(fields.get("types", ""))
    if ("empty" in fields or types) and (form not in ("table", "check") or len(types) != len(columns)):
        # Not a fact: which of its columns may be null, and so its bytes, the planner decides from the query.
        raise StepContractBroken(
            f"Step {name} may be empty: so it is a table or a check, and has one type for each column.", subject=name
        )
    return Step(
        name=name,
        split=(split[1], split[2]) if split else None,
        empty=_empty_when(name, fields.get("empty", "")) if types else (),
        types=types,
        reads=_names(fields.get("in", "")),
        out=out[1],
        columns=columns,
        grain=_names(re.sub(r"^one row per|[()]", "", fields.get("grain", ""))),
        form=form,  # type: ignore[arg-type]
        why=fields["why"],
        sql="\n".join(body).rstrip().removesuffix(";"),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _empty_when(name: str, text: str) -> tuple[frozenset[str], ...]:
    found = _EMPTY.match(text)
    if found is None:
        raise StepContractBroken(f"Step {name} does not say when it is empty: {text!r}.", subject=name)
    return tuple(frozenset(every.split(" and ")) for every in found[1].split(" or "))


@cache
def step_files() -> dict[str, Traversable]:
    """Return the files of all steps by name; each folder of `engine/sql` holds those of one pass or one result."""
    folders = [folder for folder in (files("tieout.engine") / "sql").iterdir() if folder.is_dir()]
    return {file.name.removesuffix(".sql"): file for folder in folders for file in folder.iterdir()}


@cache
def load_step(name: str) -> Step:
    """Read the step of that name from its folder under `engine/sql`. Raises KeyError."""
    step = parse_step(step_files()[name].read_text(encoding="utf-8"))
    if step.name != name:
        raise StepContractBroken(f"File {name}.sql calls itself {step.name}.", subject=name)
    return step


def parse_steps(con: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    """Parse the steps of these names ahead of their run, some 40 ms for those of a comparison by reference."""
    for step in map(load_step, names):
        if step.form == "fact":
            parse(con, _writing_of(step))
        else:
            parse(con, creation_of("view" if step.form in ("view", "scan") else "table", step.out, step.sql))


def _declaration_of(step: Step) -> str:
    return f"create or replace table {step.out} ({step.columns_alone})"


class Runner:
    """Runs steps on one connection, asserts their contracts and keeps their records."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        fact_dir: Path,
        on_step: Callable[[str], None] = lambda _: None,
        done: Sequence[StepRecord] = (),
        after_step: Callable[[list[StepRecord]], None] = lambda _: None,
        *,
        is_side_by_side: bool = False,
    ) -> None:
        self.con = con
        self.fact_dir = fact_dir
        self.on_step = on_step
        self.done = tuple(done)
        self.after_step = after_step
        self.is_side_by_side = is_side_by_side
        self.records: list[StepRecord] = []
        self.fact_files: list[FactFile] = []
        self._rows: dict[str, int] = {}
        self._empty: set[str] = set()

    def note_rows(self, relation: str, rows: int) -> None:
        """Note how many rows a table has that no step has made yet."""
        self._rows[relation] = rows
        if not rows:
            self._empty.add(relation)

    def run(self, step: str | Step) -> StepRecord:
        """Run a step, by name or made for a plan, and assert its contract.

        That it reads what its header names is settled before it is shipped.
        """
        return self._run(_step_of(step))

    def run_computed(self, step: str | Step, compute: Compute) -> StepRecord:
        """Run a step whose table `compute` makes, given a connection and the step's query, and assert its contract."""
        return self._run(_step_of(step), compute)

    def run_in_slices(self, step: str | Step, ranges: Sequence[Range]) -> StepRecord:
        """Run a step whose fact is `split` and write a file for each of the ranges, as many at once as threads."""
        return self._run(_step_of(step), ranges=ranges)

    def says(self, question: str) -> bool:
        """Return the answer of a query of one truth value or number over what steps made, to decide what runs next."""
        return bool(execute(self.con, question).fetchall()[0][0])

    def run_all(self, steps: Sequence[str | Step]) -> StepRecord:
        """Run steps, by name or made for a plan, as if in order, and return the record of the last.

        With `is_side_by_side` a step starts as soon as those before it that it depends on have ended.
        """
        every = [_step_of(step) for step in steps]
        # A scan leaves no record by which it could be told that it was made, and is made again at no cost.
        while every and (every[0].form == "scan" or self._is_done(every[0])):
            self._run(every.pop(0))
        if self.is_side_by_side:
            self._run_side_by_side(every)
        else:
            for step in every:
                self._run(step)
        return self.records[-1]

    def _is_done(self, step: Step) -> bool:
        position = len(self.records)
        return position < len(self.done) and self.done[position].name == step.name

    def _run(self, step: Step, compute: Compute | None = None, ranges: Sequence[Range] = ()) -> StepRecord:
        """Run `step`; a step run again in the same run replaces what it made before.

        A step that an earlier, interrupted attempt finished (`done`) is not run again: its tables and facts are there.
        """
        if step.form == "scan":
            return self._make(self.con, step)
        if self._is_done(step):
            done = self.done[len(self.records)]
            self._reuse(step, done)
            self.records.append(done)
        else:
            self.records.append(self._make(self.con, step, compute, ranges))
            self.after_step(self.records)
        return self.records[-1]

    def _run_side_by_side(self, steps: Sequence[Step]) -> None:
        """Run steps on connections of their own; their records stand in the order of `steps`, whichever ends first."""
        made = run_side_by_side(
            self.con,
            {place: partial(self._make, step=step) for place, step in enumerate(steps)},
            after={
                later: [earlier for earlier in range(later) if _must_wait(steps[later], steps[earlier])]
                for later in range(len(steps))
            },
            at_most=SIDE_BY_SIDE,
        )
        if made:
            self.records += [record for place, record in made.items() if steps[place].form != "scan"]
            self.after_step(self.records)

    def _make(
        self,
        con: duckdb.DuckDBPyConnection,
        step: Step,
        compute: Compute | None = None,
        ranges: Sequence[Range] = (),
    ) -> StepRecord:
        self.on_step(step.name)
        started = time.perf_counter()
        with span(f"step {step.name}"), planned_as_written(con, is_so=self._reads_few(step)):
            with _in_parallel(con, is_so=step.is_parallel and self.is_side_by_side):
                made = self._answer(con, step, compute, ranges)
            if step.form != "fact" and not self._is_empty(step):
                _assert_columns(step, con.table(step.out).columns)
            rows, digest = (0, "") if step.form == "scan" else self._measure(con, step, made)
            if step.form == "check" and rows:
                first = con.sql(f"from {step.out} limit 3").fetchall()
                raise StepContractBroken(
                    f"Check {step.name} found {rows} rows that break it: {first}.", subject=step.name
                )
        self._note_rows(step, rows)
        return StepRecord(step.name, rows, time.perf_counter() - started, digest)

    def _answer(
        self, con: duckdb.DuckDBPyConnection, step: Step, compute: Compute | None, ranges: Sequence[Range]
    ) -> int | None:
        """Make what a step yields and return its rows where that is known; an error is told as the step's."""
        try:
            if compute is not None:
                return _materialise_computed(con, step, compute)
            if step.form == "fact":
                return self._write_fact(con, step, ranges or (EVERYTHING,))
            return self._materialise(con, step)
        except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
            raise StepContractBroken(f"Step {step.name} cannot run: {error}\n{step.sql}", subject=step.name) from error
        except (duckdb.Error, OSError) as error:
            raise _failure(step, error) from error

    def _reuse(self, step: Step, done: StepRecord) -> None:
        if step.form == "view":
            self._materialise(self.con, step)
        elif step.form == "fact":
            self._view_of_fact(self.con, step)
        self._note_rows(step, done.rows)

    def _reads_few(self, step: Step) -> bool:
        return all(self._rows.get(relation, FEW_ROWS + 1) <= FEW_ROWS for relation in step.reads)

    def _note_rows(self, step: Step, rows: int) -> None:
        if step.form == "scan":
            rows = max((self._rows.get(relation, FEW_ROWS + 1) for relation in step.reads), default=0)
        self._rows[step.out] = rows
        # What is in a view changes with what it reads.
        (self._empty.discard if rows or step.form in ("view", "scan") else self._empty.add)(step.out)

    def _is_empty(self, step: Step) -> bool:
        """Say whether a step finds nothing, as its contract tells it, because of what has no rows."""
        return any(relations <= self._empty for relations in step.empty)

    def _materialise(self, con: duckdb.DuckDBPyConnection, step: Step) -> int | None:
        """Make what a step yields and return its rows; None of a view, which is not counted by making it."""
        if self._is_empty(step):
            execute(con, _declaration_of(step))
            return 0
        if step.split is not None:
            return _materialise_split(con, step, *step.split)
        if step.form in ("view", "scan"):
            replace_relation(con, "view", step.out, step.sql)
            return None
        return replace_relation(con, "table", step.out, step.sql)

    def _write_fact(self, con: duckdb.DuckDBPyConnection, step: Step, ranges: Sequence[Range]) -> int:
        for path in slice_paths(self.fact_dir, step.out):
            path.unlink()
        if len(ranges) == 1:
            rows = _write_slice(con, step, ranges[0], slice_path(self.fact_dir, step.out, 1))
        else:
            tasks = {
                number: partial(_write_slice, step=step, rows=one, path=slice_path(self.fact_dir, step.out, number))
                for number, one in enumerate(ranges, start=1)
            }
            rows = sum(run_side_by_side(con, tasks, after={}, at_most=min(thread_count(con), len(ranges))).values())
        self._view_of_fact(con, step)
        return rows

    def _view_of_fact(self, con: duckdb.DuckDBPyConnection, step: Step) -> None:
        files = ", ".join(f"'{_quoted(path)}'" for path in slice_paths(self.fact_dir, step.out))
        con.execute(f"create or replace view {step.out} as from read_parquet([{files}])")

    def _measure(self, con: duckdb.DuckDBPyConnection, step: Step, made: int | None) -> tuple[int, str]:
        """Return rows and digest of what a step made, `made` rows where that is known.

        Raises StepContractBroken when its grain is not what it says.
        """
        # As many different hashes as rows prove as many different keys, in two thirds of the time; fewer prove nothing.
        keys = ", ".join(step.grain)
        if step.form == "fact":
            rows, distinct, digest = self._measure_fact(con, step, keys)
        elif made == 0:
            return 0, NO_ROWS
        else:
            has_keys = bool(step.grain) and (made is None or made > 1)
            is_sorted = has_keys and made is not None and _are_sorted(made)
            groups = f"count(distinct hash({keys}))" if has_keys and not is_sorted else "count(*)"
            asked = f"select count(*), {groups}, coalesce(sum(hash(o)::hugeint), 0) from {step.out} o"
            rows, distinct, total = map(int, execute(con, asked).fetchall()[0])
            distinct = _count_distinct(con, keys, step.out, rows) if is_sorted else distinct
            digest = f"{rows}:{total:x}"
        if distinct < rows and (
            repeated := con.sql(
                f"select {keys} from {step.out} group by {keys} having count(*) > 1 order by all limit 1"
            ).fetchall()
        ):
            raise StepContractBroken(
                f"Step {step.name} promised one row per ({keys}) and has several for {repeated[0]}.", subject=step.name
            )
        return rows, digest

    def _measure_fact(self, con: duckdb.DuckDBPyConnection, step: Step, keys: str) -> tuple[int, int, str]:
        """Return the rows of a fact, the different hashes of its keys, and its digest."""
        paths = slice_paths(self.fact_dir, step.out)
        described = [pq.read_metadata(path) for path in paths]
        _assert_columns(step, described[0].schema.to_arrow_schema().names)
        counts = [one.num_rows for one in described]
        rows = sum(counts)
        with ThreadPoolExecutor(1) as pool:
            digests = pool.map(digest_file, paths)
            distinct = _count_distinct(con, keys, step.out, rows) if step.grain and rows > 1 else rows
            files = [FactFile(*told) for told in zip(paths, counts, digests, strict=True)]
        self.fact_files += files
        is_one = len(files) == 1
        digest = files[0].sha256 if is_one else digest_text("".join(f"{file.sha256}\n" for file in files))
        return rows, distinct, digest


@contextmanager
def planned_as_written(con: duckdb.DuckDBPyConnection, *, is_so: bool) -> Iterator[None]:
    """Leave DuckDB's optimiser out of what a connection is asked, if that `is_so`."""
    with _set(con, "disable_optimizer", "enable_optimizer", is_so=is_so):
        yield


@contextmanager
def _in_parallel(con: duckdb.DuckDBPyConnection, *, is_so: bool) -> Iterator[None]:
    """Have DuckDB divide what a connection is asked among the cores, if that `is_so`, however few its rows.

    The pragma is there to test its parallel ways, which it takes by itself with more rows; it changes no result.
    """
    with _set(con, "verify_parallelism", "disable_verify_parallelism", is_so=is_so):
        yield


@contextmanager
def _set(con: duckdb.DuckDBPyConnection, pragma: str, undoing: str, *, is_so: bool) -> Iterator[None]:
    if not is_so:
        yield
        return
    execute(con, f"pragma {pragma}")
    try:
        yield
    finally:
        with suppress(duckdb.Error):  # a connection that failed for good is not asked again
            execute(con, f"pragma {undoing}")


def _step_of(step: str | Step) -> Step:
    return load_step(step) if isinstance(step, str) else step


def _must_wait(later: Step, earlier: Step) -> bool:
    """Say whether a step depends on or replaces what an earlier one makes, or replaces what that one depends on."""
    return earlier.out in later.asks or later.out in earlier.asks or earlier.out == later.out


def _write_slice(con: duckdb.DuckDBPyConnection, step: Step, rows: Range, path: Path) -> int:
    asked = {"first": rows[0], "last": rows[1]} if step.split else {}
    return _made(con, _writing_of(step), {**asked, "path": str(path)})


def _writing_of(step: Step) -> str:
    return f"copy ({step.sql}) to $path ({_FACT_OPTIONS})"


def _are_sorted(rows: int) -> bool:
    """Say whether the hashes of so many rows are counted by sorting them."""
    return (SORTED_ROWS if "numpy" in sys.modules else MANY_ROWS) < rows <= MOST_SORTED


def _count_distinct(con: duckdb.DuckDBPyConnection, keys: str, relation: str, rows: int) -> int:
    if _are_sorted(rows):
        from tieout.engine.hashes import count_distinct  # noqa: PLC0415 - numpy takes 0.2 s

        return count_distinct(con, keys, relation)
    return int(execute(con, f"select count(distinct hash({keys})) from {relation}").fetchall()[0][0])


def _made(con: duckdb.DuckDBPyConnection, statement: str, values: Mapping[str, object] | None = None) -> int:
    """Run a statement that makes rows and return how many it made."""
    return int(execute(con, statement, values).fetchall()[0][0])


def _materialise_computed(con: duckdb.DuckDBPyConnection, step: Step, compute: Compute) -> int:
    made = compute(con, step.sql)
    con.register("computed", made)
    try:
        return _made(con, f"create or replace table {step.out} as from computed")
    finally:
        con.unregister("computed")


def _materialise_split(con: duckdb.DuckDBPyConnection, step: Step, column: str, relation: str) -> int:
    try:
        return replace_relation(con, "table", step.out, step.sql, {"first": 0, "last": 2**62})
    except duckdb.OutOfMemoryException:
        last = con.sql(f"select coalesce(max({column}), 0) from {relation}").fetchall()[0][0]
        width = last // SPLIT_RANGES + 1
        rows = 0
        for first in range(0, last + 1, width):
            between = {"first": first, "last": first + width - 1}
            if first:
                rows += _made(con, f"insert into {step.out} {step.sql}", between)
            else:
                rows += replace_relation(con, "table", step.out, step.sql, between)
        return rows


def _assert_columns(step: Step, columns: Sequence[str]) -> None:
    actual = tuple(columns)
    if step.columns[-1:] == ("…",):
        promised = step.columns[:-1]
        actual = actual[: len(promised)]
    else:
        promised = step.columns
    if actual != promised:
        raise StepContractBroken(
            f"Step {step.name} promised {', '.join(promised)} and gave {', '.join(actual)}.", subject=step.name
        )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _failure(step: Step, error: duckdb.Error | OSError) -> TieoutError:
    is_overflow = isinstance(error, duckdb.ConversionException) and "out of range" in str(error)
    if is_overflow or isinstance(error, duckdb.OutOfRangeException):
        return AmountsTooLarge(
            f"Step {step.name} needs a difference or a sum beyond {format_micros(MAX_MICROS)}, more than an amount can"
            f" hold: {str(error).splitlines()[0]}.",
            subject=step.name,
            remedy="Nothing was published. Look for a wrong amount among the largest of either side; if they are"
            " right, give both sides of the plan a smaller amount_exponent (-3 reads all amounts in thousands).",
        )
    if isinstance(error, (duckdb.OutOfMemoryException, duckdb.IOException, OSError)):
        remedy = "Nothing was published; free disk or memory (TIEOUT_MEMORY_LIMIT) and run it again."
    else:
        remedy = "Nothing was published. This is a fault of ours, not of the files: report it with this message."
    return StepFailed(f"Step {step.name} stopped: {error}.", subject=step.name, remedy=remedy)
