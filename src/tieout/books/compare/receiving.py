"""The inputs of a comparison: received once by their content, and read as the engine takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from tieout.books.compare.request import CompareRequest
from tieout.books.workspace import Workspace
from tieout.engine.increment import SettledPairs, settled_pairs
from tieout.engine.loading import FastReadFailed, Input, SideName, sample_relation
from tieout.engine.plan import Plan, SidePlan
from tieout.engine.plan_file import plan_from_toml
from tieout.intake.csv_careful import locate_rows, read_csv_carefully
from tieout.intake.csv_dialect import CsvHints
from tieout.intake.reading import Direct, ReadOptions, read
from tieout.intake.records import Records
from tieout.intake.sources.current import ResolvedSource, resolve_source
from tieout.intake.tables import is_table, write_table
from tieout.store.artifacts import Artifact
from tieout.store.runs import Run

SETTLED = "settled"
"""Among the inputs of a run, in place of a side: the pairs of the run that it came after."""
DECISIONS = "decisions"
"""The input of a run that holds the decisions of reviewers that count in it."""


@dataclass(frozen=True)
class Received:
    """One side as received: the name it came under, its content, and how the engine reads it.

    `more` are the files that came after it.
    """

    name: str
    artifact: Artifact
    source: Direct | Records
    more: tuple[Received, ...] = ()

    @property
    def parts(self) -> tuple[Received, ...]:
        """The files of the side, in order."""
        return (self, *self.more)

    def as_input(self) -> Input:
        """Return it as the engine takes it."""
        source = self.source

        def locate(row_nos: list[int]) -> dict[int, tuple[int, str]]:
            if isinstance(source, Direct) and source.dialect is not None:
                return locate_rows(source.path, source.dialect, row_nos)
            return {}

        more = tuple(part.as_input() for part in self.more)
        return Input(self.name, self.artifact.artifact_id, self.artifact.byte_count, source, locate, more)


@dataclass(frozen=True)
class KeptPairs:
    """The pairs of the run before, received as a file: its name, its content and what the engine takes of it."""

    name: str
    artifact_id: str
    pairs: SettledPairs


def take(workspace: Workspace, request: CompareRequest, side: SideName, scratch: Path) -> Received:
    """Receive one input and look through it; side by side with the other, for much of it is hashing and copying."""
    given = request.input_of(side)
    name = None
    if is_table(given):
        name = f"{side}.parquet"
        given = write_table(given, scratch / name)
    elif (found := _resolved(workspace, str(given), scratch / f"{side}-source")) is not None:
        given, name = found.path, found.name
    artifact = workspace.store.artifacts.receive(
        Path(given),
        name=name,
        received_by=workspace.settings.actor,
        received_at=workspace.now(),
        max_bytes=request.limits.max_bytes,
        is_settled=False,
    )
    return read_side(artifact, side, request, scratch)


def _resolved(workspace: Workspace, given: str, folder: Path) -> ResolvedSource | None:
    return resolve_source(workspace.store, workspace.settings, given, folder, workspace.now())


def read_side(artifact: Artifact, side: SideName, request: CompareRequest, scratch: Path) -> Received:
    """Look through a received file; what is converted goes below `scratch`."""
    folder = scratch / side
    folder.mkdir(parents=True, exist_ok=True)
    options = request.reading.get(side)
    return Received(
        artifact.name, artifact, read(artifact.path, artifact.name, folder, limits=request.limits, options=options)
    )


def read_carefully(side: Received, folder: Path) -> Received:
    """Return the side read the careful way, for the fast way refused it; of several files those that it refuses."""
    if not side.more:
        return _read_part_carefully(side, folder)
    refused = [not reads_fast(part.source) for part in side.parts]
    # What is refused only among the others is read carefully as well, file by file.
    is_csv = [isinstance(part.source, Direct) and part.source.dialect is not None for part in side.parts]
    parts = [
        _read_part_carefully(part, folder / f"part-{position}") if careful else part
        for position, (part, careful) in enumerate(zip(side.parts, refused if any(refused) else is_csv, strict=True))
    ]
    return replace(parts[0], more=tuple(parts[1:]))


def reads_fast(source: Direct | Records) -> bool:
    """Say whether DuckDB reads a file as it is."""
    con = duckdb.connect()
    try:
        sample_relation(con, "part", source, None)
    except FastReadFailed:
        return False
    finally:
        con.close()
    return True


def _read_part_carefully(side: Received, folder: Path) -> Received:
    source = side.source
    if not isinstance(source, Direct) or source.dialect is None:
        raise TypeError(f"{side.name} has no careful way of reading")
    folder.mkdir(parents=True, exist_ok=True)
    return replace(side, source=read_csv_carefully(source.path, source.dialect, folder))


def open_sides(workspace: Workspace, run: Run, scratch: Path) -> dict[SideName, Received]:
    """Read the inputs of a run again from the files as received; what is converted goes into `scratch`."""
    request = CompareRequest(None, None, reading=reading_of_plan(plan_from_toml(run.config)))
    sides: dict[SideName, Received] = {}
    for position, given in enumerate(run.inputs):
        if given.side in (SETTLED, DECISIONS):
            continue
        side: SideName = "ours" if given.side == "ours" else "theirs" if given.side == "theirs" else "advice"
        artifact = replace(workspace.store.artifacts.get(given.artifact_id), name=given.name)
        part = read_side(artifact, side, request, scratch / f"input-{position}" if side in sides else scratch)
        sides[side] = replace(sides[side], more=(*sides[side].more, part)) if side in sides else part
    return sides


def open_settled(workspace: Workspace, run: Run) -> KeptPairs | None:
    """Return the pairs that a run took over from the run that it came after, or None. Raises ArtifactRemoved."""
    given = next((given for given in run.inputs if given.side == SETTLED), None)
    if given is None:
        return None
    path = workspace.store.artifacts.get(given.artifact_id).path
    return KeptPairs(given.name, given.artifact_id, settled_pairs(path))


def _sides_of(plan: Plan) -> dict[SideName, SidePlan]:
    sides: dict[SideName, SidePlan] = {"ours": plan.ours, "theirs": plan.theirs}
    return sides | ({"advice": plan.advice} if plan.advice else {})


def reading_of_plan(plan: Plan) -> dict[SideName, ReadOptions]:
    """Return how the files of a plan are read."""
    return {
        side: ReadOptions(
            format=given.format,
            sheet=given.sheet or None,
            records=given.records or None,
            csv=CsvHints(given.encoding, given.delimiter, None if given.header_line < 0 else given.header_line),
        )
        for side, given in _sides_of(plan).items()
    }


def with_reading(plan: Plan, reading: Mapping[SideName, ReadOptions]) -> Plan:
    """Return the plan with how its files are read, for that is part of what makes a run."""

    def read_as(side: SidePlan, options: ReadOptions) -> SidePlan:
        line = options.csv.header_line
        return replace(
            side,
            format=options.format,
            sheet=options.sheet or "",
            records=options.records or "",
            encoding=options.csv.encoding,
            delimiter=options.csv.delimiter,
            header_line=-1 if line is None else line,
        )

    read = {side: read_as(given, reading.get(side, ReadOptions())) for side, given in _sides_of(plan).items()}
    settlement = plan.settlement
    if settlement is not None and "advice" in read:
        settlement = replace(settlement, advice=read["advice"])
    return replace(plan, ours=read["ours"], theirs=read["theirs"], settlement=settlement)
