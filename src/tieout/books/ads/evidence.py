"""What a delta rests on: the units it comes from, their matches, the lines of the network and our own entries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from tieout.books.ads.period import period_of_window
from tieout.books.ads.proving import desk_of, verify_day
from tieout.books.ads.stage import Workspace
from tieout.books.ads.steps import sql_text
from tieout.core.errors import TieoutError
from tieout.intake.csv_careful import locate_rows
from tieout.intake.reading import Direct, read
from tieout.proofs.bundle import Picked, RowNotSealed, make_bundle
from tieout.proofs.desk import Desk, SealedDay, content_of
from tieout.proofs.leaves import Name
from tieout.proofs.verifying import Verdict

MAX_PARTS = 50
MAX_ROWS = 200
_DAY_OF_EVIDENCE = re.compile(r"win:(\d{4}-\d{2}-\d{2})T")


def pick_delta(
    workspace: Workspace, desk: Desk, evidence_id: str, *, max_parts: int = MAX_PARTS, max_rows: int = MAX_ROWS
) -> Picked:
    """Return what goes into the bundle of a delta: its largest parts, and the rows of both sides that they are of.

    Raises RowNotSealed.
    """
    day = _sealed_day(desk, evidence_id)
    table = desk.read_leaves(day.first_leaf)
    with desk.engine() as runner:
        con = runner.con
        con.register("sealed_record", table.append_column("place", _places(table.num_rows)))
        con.execute("create table asked as select ? as evidence_id, ? as max_parts", [evidence_id, max_parts])
        for name in ("sealed", "part", "evidence"):
            con.execute(f"create table {name} as {sql_text('proofs', f'evidence_{name}')}")
        claim = con.sql("select place from sealed, asked where kind = 'delta' and key = evidence_id").fetchall()
        if not claim:
            raise _not_sealed(evidence_id)
        parts = [place for (place,) in con.sql("select place from part order by place").fetchall()]
        rows = [
            place for (place,) in con.sql("select place from evidence order by kind = 'expected', kind, key").fetchall()
        ]
        [(every_part,)] = con.sql(
            "select count(*) from sealed, asked where kind = 'delta_part' and party = evidence_id"
        ).fetchall()
        shown = rows[:max_rows]
        amounts = _amounts(con, {*parts, *shown})
        lines = _lines(workspace, con, shown)
    return Picked(
        day,
        claim[0][0],
        [*parts, *shown],
        amounts,
        _rules(workspace, desk, day, evidence_id),
        lines,
        {"parts": every_part - len(parts), "rows": len(rows) - len(shown)},
    )


def bundle_delta(
    workspace: Workspace, evidence_id: str, *, max_parts: int = MAX_PARTS, max_rows: int = MAX_ROWS
) -> str:
    """Return the bundle that proves a delta. Raises RowNotSealed and NoSigningKey."""
    desk = desk_of(workspace)
    return make_bundle(desk, pick_delta(workspace, desk, evidence_id, max_parts=max_parts, max_rows=max_rows))


def verify_delta(workspace: Workspace, evidence_id: str) -> Verdict:
    """Hold a delta, and the day that it was sealed with, against the log and what is published now."""
    desk = desk_of(workspace)
    try:
        day = _sealed_day(desk, evidence_id)
        if not _holds(desk, day, evidence_id):
            raise _not_sealed(evidence_id)
    except RowNotSealed as error:
        return Verdict(evidence_id, "not_found", error.what)
    return replace(verify_day(workspace, day.day), subject=evidence_id)


def _holds(desk: Desk, day: SealedDay, evidence_id: str) -> bool:
    table = desk.read_leaves(day.first_leaf, ("kind", "key"))
    found = pc.and_(pc.equal(table.column("kind"), "delta"), pc.equal(table.column("key"), evidence_id))
    return bool(pc.any(found).as_py())


def _sealed_day(desk: Desk, evidence_id: str) -> SealedDay:
    found = _DAY_OF_EVIDENCE.match(evidence_id)
    sealed = desk.find_day(date.fromisoformat(found[1])) if found else None
    if sealed is None:
        raise _not_sealed(evidence_id)
    return sealed


def _not_sealed(evidence_id: str) -> RowNotSealed:
    return RowNotSealed(
        f"The delta {evidence_id} is in no sealed day.",
        subject=evidence_id,
        remedy="tieout query or GET /api/v1/recon/deltas has the ids; tieout proofs issue --day seals a day.",
    )


def _places(count: int) -> Any:
    return pa.array(range(count), pa.int64())


def _amounts(con: DuckDBPyConnection, shown: Iterable[int]) -> dict[Name, tuple[list[int], list[int]]]:
    """Return every row of each sum that a shown row is in."""
    con.execute("create table shown as select unnest(?::bigint[]) as place", [sorted(shown)])
    found = con.sql(
        "with named as (select distinct side, party, currency from sealed semi join shown using (place)"
        " where side is not null)"
        " select side, party, currency, list(place order by place), list(amount order by place)"
        " from sealed join named using (side, party, currency) group by all order by all"
    ).fetchall()
    return {Name(side, party, currency): (places, amounts) for side, party, currency, places, amounts in found}


def _rules(workspace: Workspace, desk: Desk, day: SealedDay, evidence_id: str) -> dict[str, str]:
    """Return the settings of the runs that judged the delta, whose digests the seal of the day names."""
    rules: dict[str, str] = {}
    for run in content_of(desk.last_of(day.first_leaf))["runs"]:
        if run["leg"] in ("match", "reconcile") and _is_of(run["window"], evidence_id):
            rules[run["leg"]] = workspace.store.runs.get_run(run["run_id"]).config
    return rules


def _is_of(window: str, evidence_id: str) -> bool:
    period = period_of_window(window)
    return period is not None and evidence_id.startswith(f"win:{period.text}:")


def _lines(workspace: Workspace, con: DuckDBPyConnection, shown: list[int]) -> list[Mapping[str, Any]]:
    """Return the lines of the received files that shown rows of theirs are, where those files are kept."""
    found = con.execute(
        "select record->>'$.content.artifact_id', (record->>'$.content.row_no')::bigint from sealed"
        " where kind = 'reported' and place in (select unnest(?::bigint[])) order by all",
        [shown],
    ).fetchall()
    lines: list[Mapping[str, Any]] = []
    for artifact_id in dict.fromkeys(one for one, _ in found):
        row_nos = [row_no for one, row_no in found if one == artifact_id]
        name, located = _located(workspace, artifact_id, row_nos)
        lines += [
            {"artifact_id": artifact_id, "file": name, "row_no": row_no, "line": line, "text": text}
            for row_no, (line, text) in sorted(located.items())
        ]
    return lines


def _located(workspace: Workspace, artifact_id: str, row_nos: list[int]) -> tuple[str, dict[int, tuple[int, str]]]:
    """Return the name of a received file and the lines of its rows; none where it is gone or no text."""
    try:
        artifact = workspace.store.artifacts.get(artifact_id)
        with workspace.store.folders.scratch("lines") as folder:
            source = read(artifact.path, artifact.name, Path(folder) / "read")
            if isinstance(source, Direct) and source.dialect is not None:
                return artifact.name, locate_rows(source.path, source.dialect, row_nos)
    except TieoutError:
        return "", {}
    return artifact.name, {}
