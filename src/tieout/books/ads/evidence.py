"""What a delta, a figure, a match or an entry rests on: units, matches, lines of the network, our entries, totals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from tieout.books.ads.period import period_of_window
from tieout.books.ads.proving import desk_of, verify_day
from tieout.books.ads.steps import sql_text
from tieout.books.workspace import Workspace
from tieout.core.errors import TieoutError
from tieout.intake.csv_careful import locate_rows
from tieout.intake.reading import Direct, read
from tieout.proofs.bundle import Picked, RowNotSealed, make_bundle
from tieout.proofs.desk import Desk, SealedDay, content_of
from tieout.proofs.leaves import DAY, Name
from tieout.proofs.verifying import Verdict

MAX_PARTS = 50
MAX_ROWS = 200
LEGS = {
    "delta": ("match", "reconcile"),
    "delta_part": ("match", "reconcile"),
    "kpi": ("match", "reconcile"),
    "match": ("match",),
    "expected": ("expected",),
}
"""Whose settings say how a record of a kind came to be."""
_DAY_OF_EVIDENCE = re.compile(r"win:(\d{4}-\d{2}-\d{2})T")


class KpiNotNamed(TieoutError):
    """A day has more than one figure of a name, and it was not said which."""

    code = "kpi_not_named"


def bundle_delta(
    workspace: Workspace, evidence_id: str, *, max_parts: int = MAX_PARTS, max_rows: int = MAX_ROWS
) -> str:
    """Return the bundle that proves a delta. Raises RowNotSealed and NoSigningKey."""
    desk = desk_of(workspace)
    day = _sealed_day(desk, evidence_id)
    found = _places_of(desk, day, "delta", evidence_id)
    if not found:
        raise _not_sealed(evidence_id)
    return make_bundle(desk, _pick(workspace, desk, day, found[0], max_parts, max_rows))


def bundle_kpi(
    workspace: Workspace, name: str, day: date, *, max_parts: int = MAX_PARTS, max_rows: int = MAX_ROWS
) -> str:
    """Return the bundle that proves the figures `name` of the window that begins on a day.

    Raises RowNotSealed, KpiNotNamed and NoSigningKey.
    """
    desk = desk_of(workspace)
    sealed = _find_day(desk, day)
    found = _kpis(desk, sealed)
    places = [place for place, one, *_ in found if one == name]
    if not places:
        known = ", ".join(sorted({one for _, one, *_ in found})) or "none"
        raise RowNotSealed(
            f"No figure {name} was sealed with {day}; those that were: {known}.", subject=name, remedy=_listing(day)
        )
    if len(places) > 1:
        named = "; ".join(f"--leaf {sealed.first_leaf + place} is of {' '.join(of)}" for place, _, *of in found)
        raise KpiNotNamed(f"{len(places)} figures {name} were sealed with {day}: {named}.", subject=name)
    return make_bundle(desk, _pick(workspace, desk, sealed, places[0], max_parts, max_rows))


def bundle_leaf(workspace: Workspace, leaf: int, *, max_parts: int = MAX_PARTS, max_rows: int = MAX_ROWS) -> str:
    """Return the bundle that proves what was sealed as this leaf of the log. Raises RowNotSealed and NoSigningKey."""
    desk = desk_of(workspace)
    day = desk.day_of_leaf(leaf)
    if day is None:
        raise RowNotSealed(
            f"No day was sealed with a leaf {leaf}; the log has {desk.log().size:,}, and a month has one of its own.",
            subject=str(leaf),
            remedy="tieout proofs list --day DAY names the leaves of a day.",
        )
    return make_bundle(desk, _pick(workspace, desk, day, leaf - day.first_leaf, max_parts, max_rows))


@dataclass(frozen=True)
class SealedRow:
    """A record of a sealed day by its leaf."""

    leaf: int
    kind: str
    key: str
    record: str


@dataclass(frozen=True)
class Listed:
    """Records of a sealed day; `total` counts those that were not asked to be shown too."""

    day: SealedDay
    rows: tuple[SealedRow, ...]
    total: int


def list_sealed(workspace: Workspace, day: date, *, kind: str | None, find: str | None, limit: int) -> Listed:
    """Return what a day was sealed with: records of a kind, or that say `find` somewhere. Raises RowNotSealed."""
    desk = desk_of(workspace)
    sealed = _find_day(desk, day)
    kinds = {*sealed.counts, DAY}
    if kind is not None and kind not in kinds:
        raise RowNotSealed(f"No {kind} was sealed with {day}; kinds are {', '.join(sorted(kinds))}.", subject=kind)
    with desk.engine() as runner:
        _register(runner.con, desk, sealed)
        chosen = (
            " from sealed_record where ($kind is null or kind = $kind)"
            " and ($find is null or contains(lower(record->>'$.content'), lower($find)))"
        )
        asked = {"kind": kind, "find": find}
        [(total,)] = runner.con.execute(f"select count(*){chosen}", asked).fetchall()
        rows = runner.con.execute(
            f"select place, kind, key, record{chosen} order by place limit $most", asked | {"most": limit}
        ).fetchall()
    found = (SealedRow(sealed.first_leaf + place, one, key, record) for place, one, key, record in rows)
    return Listed(sealed, tuple(found), total)


def _pick(workspace: Workspace, desk: Desk, day: SealedDay, claim: int, max_parts: int, max_rows: int) -> Picked:
    """Return what goes into the bundle of the record at a place of a day.

    Of a delta its largest parts, and the rows of both sides that they are of; of a match its unit; of a figure the
    deltas of its window and the totals; of an entry the total that it is in.
    """
    with desk.engine() as runner:
        con = runner.con
        _register(con, desk, day)
        con.execute("create table asked as select ? as place, ? as max_parts", [claim, max_parts])
        con.execute(f"create table sealed as {sql_text('proofs', 'evidence_sealed')}")
        con.execute("create table claim as select sealed.* from sealed semi join asked using (place)")
        for name in ("part", "evidence"):
            con.execute(f"create table {name} as {sql_text('proofs', f'evidence_{name}')}")
        [(kind, record)] = con.sql("select kind, record from claim").fetchall()
        parts = _column(con, "select place from part where place not in (select place from claim) order by place")
        rows = _column(
            con,
            "select place from evidence where place not in (select place from claim)"
            " order by kind = 'expected', kind, key",
        )
        [(every_part,)] = con.sql(
            "select count(*) from sealed s, claim c where s.kind = 'delta_part' and s.party = c.key"
        ).fetchall()
        shown = rows[:max_rows]
        amounts = _amounts(con, {claim, *parts, *shown})
        lines = _lines(workspace, con, [claim, *shown])
    return Picked(
        day,
        claim,
        [*parts, *shown],
        amounts,
        _rules(workspace, desk, day, kind, json.loads(record)["content"]),
        lines,
        {"parts": every_part and every_part - len(parts), "rows": len(rows) - len(shown)},
    )


def verify_delta(workspace: Workspace, evidence_id: str) -> Verdict:
    """Hold a delta, and the day that it was sealed with, against the log and what is published now."""
    desk = desk_of(workspace)
    try:
        day = _sealed_day(desk, evidence_id)
        if not _places_of(desk, day, "delta", evidence_id):
            raise _not_sealed(evidence_id)
    except RowNotSealed as error:
        return Verdict(evidence_id, "not_found", error.what)
    return replace(verify_day(workspace, day.day), subject=evidence_id)


def _places_of(desk: Desk, day: SealedDay, kind: str, key: str) -> list[int]:
    table = desk.read_leaves(day.first_leaf, ("kind", "key"))
    found = pc.and_(pc.equal(table.column("kind"), kind), pc.equal(table.column("key"), key))
    return list(pc.indices_nonzero(found).to_pylist())


def _kpis(desk: Desk, day: SealedDay) -> list[tuple[int, str, str, str]]:
    """Return place, name, window and currency of each figure of a day."""
    table = desk.read_leaves(day.first_leaf, ("kind", "key"))
    places = pc.indices_nonzero(pc.equal(table.column("kind"), "kpi")).to_pylist()
    return [(place, *json.loads(table.column("key")[place].as_py())) for place in places]


def _find_day(desk: Desk, day: date) -> SealedDay:
    desk.identity()
    sealed = desk.find_day(day)
    if sealed is None:
        raise RowNotSealed(
            f"The day {day} was not sealed.",
            subject=day.isoformat(),
            remedy=f"tieout proofs issue --day {day} seals it.",
        )
    return sealed


def _register(con: DuckDBPyConnection, desk: Desk, day: SealedDay) -> None:
    table = desk.read_leaves(day.first_leaf)
    con.register("sealed_record", table.append_column("place", pa.array(range(table.num_rows), pa.int64())))


def _column(con: DuckDBPyConnection, query: str) -> list[int]:
    return [value for (value,) in con.sql(query).fetchall()]


def _sealed_day(desk: Desk, evidence_id: str) -> SealedDay:
    found = _DAY_OF_EVIDENCE.match(evidence_id)
    try:
        sealed = desk.find_day(date.fromisoformat(found[1])) if found else None
    except ValueError:
        sealed = None
    if sealed is None:
        raise _not_sealed(evidence_id)
    return sealed


def _not_sealed(evidence_id: str) -> RowNotSealed:
    return RowNotSealed(
        f"The delta {evidence_id} is in no sealed day.",
        subject=evidence_id,
        remedy="tieout query or GET /api/v1/recon/deltas has the ids; tieout proofs issue --day seals a day.",
    )


def _listing(day: date) -> str:
    return f"tieout proofs list --day {day} says what was."


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


def _rules(workspace: Workspace, desk: Desk, day: SealedDay, kind: str, content: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings of the runs that made a record, whose digests the seal of the day names."""
    found: dict[str, set[str]] = {}
    for run in content_of(desk.last_of(day.first_leaf))["runs"]:
        if run["leg"] in LEGS.get(kind, ()) and _is_of(run["window"], content):
            found.setdefault(run["leg"], set()).add(workspace.store.runs.get_run(run["run_id"]).config)
    return {leg: config for leg, configs in found.items() for config in configs if len(configs) == 1}


def _is_of(window: str, content: Mapping[str, Any]) -> bool:
    if "evidence_id" in content:
        period = period_of_window(window)
        return period is not None and bool(content["evidence_id"].startswith(f"win:{period.text}:"))
    return bool(content.get("window", window) == window)


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
