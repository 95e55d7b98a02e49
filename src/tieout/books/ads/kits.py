"""Kits of evidence for disputes: the deltas, and the statement lines that they come from, by file and line."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from tieout import __version__
from tieout.books.ads.delta_csv import amount_text, csv_of, sanitised
from tieout.books.ads.ingest import LEG, SEPARATORS
from tieout.books.ads.period import instant_text
from tieout.books.ads.pieces import BOOK
from tieout.books.ads.reads import Delta, query_text
from tieout.books.ads.stage import PIECES
from tieout.books.ads.staging import read_statement
from tieout.core.errors import TieoutError
from tieout.core.formulas import neutralise
from tieout.core.redaction import redact_text
from tieout.intake.csv_careful import locate_rows
from tieout.intake.csv_dialect import CsvHints
from tieout.intake.reading import Direct, ReadOptions
from tieout.store.opening import Store
from tieout.store.runs import Run, RunFilesGone

MAX_LINES = 100_000
TTL_S = 3600
LINE_FACTS = ("match", "match_review", "unmatched_line")
LINEAGE = (
    "evidence_id",
    "unit",
    "unit_amount",
    "unit_currency",
    "network",
    "load_id",
    "file",
    "file_sha256",
    "row",
    "line",
    "event_date",
    "paid",
    "currency",
)


@dataclass(frozen=True)
class KitRequest:
    """What a kit is about."""

    kit_id: str
    dispute_id: str
    network: str
    deltas: tuple[Delta, ...]
    at: datetime


@dataclass(frozen=True)
class Kit:
    """A kit as it is stored; `network_micros` is how much of the deltas is of lines and requests of the network."""

    content: bytes
    network_micros: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class _Line:
    """A statement line behind a delta, or a unit of ours without one (`load_id` is empty)."""

    evidence_id: str
    unit_id: str
    unit_micros: int
    unit_currency: str
    load_id: str = ""
    artifact_id: str = ""
    row_no: int = 0
    event_date: str = ""
    paid_micros: int = 0
    paid_currency: str = ""
    file: str = ""
    line: int | None = None


def build_kit(store: Store, request: KitRequest) -> Kit:
    """Return the kit: the same deltas of the same runs give the same lines. Raises RunFilesGone."""
    lines, total, network_micros = _lines_behind(store, request)
    placed = _placed(store, request.network, lines)
    evidence, lineage = csv_of(request.deltas), _lineage_csv(request.network, placed)
    files = {"evidence.csv": evidence, "lineage.csv": lineage}
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    metadata = {
        "kit_id": request.kit_id,
        "dispute_id": request.dispute_id,
        "generated_at": instant_text(request.at),
        "generated_by": f"tieout {__version__}",
        "network": redact_text(request.network),
        "deltas_count": len(request.deltas),
        "network_amount": amount_text(network_micros),
        "notes": _notes(total, len(lines)),
        "checksum_sha256": sums["evidence.csv"],
        "checksums_sha256": sums,
        "ttl_sec": TTL_S,
        "runs": sorted({one.run_id for one in request.deltas}),
        "lineage_rows": len(lines),
        "lineage_is_complete": len(lines) == total,
        "statements": [
            {"load_id": load_id, "file": redact_text(file), "sha256": artifact_id}
            for load_id, file, artifact_id in sorted(
                {(one.load_id, one.file, one.artifact_id) for one in placed if one.load_id}
            )
        ],
    }
    bundle = {"metadata": metadata, "files": files}
    text = json.dumps(bundle, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
    return Kit(text.encode("utf-8", "replace"), network_micros)


def _notes(total: int, given: int) -> str:
    text = "Amounts are positive where the network reported less than we expect."
    return text if given == total else f"{text} The lineage has the {given:,} largest of {total:,} lines."


def _lines_behind(store: Store, request: KitRequest) -> tuple[list[_Line], int, int]:
    """Return the lines behind the deltas, how many there are, and the money of the network's units in them."""
    found: list[_Line] = []
    total = network_micros = 0
    for run_id in sorted({one.run_id for one in request.deltas}):
        deltas = [one for one in request.deltas if one.run_id == run_id]
        lines, many, micros = _lines_of_run(store, store.runs.get_run(run_id), request.network, deltas)
        found += lines
        total, network_micros = total + many, network_micros + micros
    found.sort(key=lambda one: -abs(one.unit_micros))  # stable: the order of runs and lines decides between equals
    return found[:MAX_LINES], total, network_micros


def _lines_of_run(store: Store, run: Run, network: str, deltas: Sequence[Delta]) -> tuple[list[_Line], int, int]:
    ids = {f"{one.kind} {one.currency}": one.evidence_id for one in deltas}
    asked: dict[str, Any] = {
        "units": str(store.runs.file_path(run, "delta_unit")),
        "network": network.lower(),
        "kinds": list(ids),
        "lines": [str(place) for place in _line_facts(store, run)],
        "at_most": MAX_LINES,
    }
    con = duckdb.connect()
    try:
        money = con.execute(
            "select coalesce(sum(amount_micros), 0) from read_parquet($units)"
            " where lower(network) = $network and list_contains($kinds, kind || ' ' || currency)",
            {name: asked[name] for name in ("units", "network", "kinds")},
        ).fetchall()
        query = query_text("lineage").replace("/* lines */", query_text("lineage_lines"))
        rows = con.execute(query, asked).fetchall()
    finally:
        con.close()
    lines = [
        _Line(ids[f"{kind} {currency}"], unit_id, micros, currency, *(_or_empty(load_id, artifact_id, row_no, *paid)))
        for kind, currency, unit_id, micros, load_id, artifact_id, row_no, *paid, _ in rows
    ]
    return lines, rows[0][-1] if rows else 0, int(money[0][0])


def _or_empty(load_id: str | None, *rest: Any) -> tuple[Any, ...]:
    return () if load_id is None else (load_id, *rest)


def _line_facts(store: Store, run: Run) -> list[Path]:
    """Return the facts of the matching that a run judged: they say which line is in which unit."""
    [listed] = [given.artifact_id for given in run.inputs if given.name == PIECES]
    pieces = [json.loads(line) for line in store.artifacts.get(listed).path.read_text(encoding="utf-8").splitlines()]
    places = []
    for run_id in sorted({piece["run"] for piece in pieces if (piece["leg"], piece["name"]) == ("match", "unit")}):
        matching = store.runs.get_run(run_id)
        names = {file.name for file in matching.files}
        places += [store.runs.file_path(matching, name) for name in LINE_FACTS if name in names]
    if not places:
        raise RunFilesGone(f"What run {run.run_id} judged is not kept.", subject=run.run_id)
    return places


def _placed(store: Store, network: str, lines: Sequence[_Line]) -> list[_Line]:
    """Return the lines with the name of the file that was received, and the line in it."""
    wanted: dict[tuple[str, str], list[int]] = {}
    for one in lines:
        if one.load_id:
            wanted.setdefault((one.load_id, one.artifact_id), []).append(one.row_no)
    loads = {run.window.window.lower(): run for run in store.runs.list_current(BOOK, LEG)} if wanted else {}
    places = {
        (load_id, artifact_id): _places_in(store, loads.get(f"{network}/{load_id}".lower()), artifact_id, row_nos)
        for (load_id, artifact_id), row_nos in sorted(wanted.items())
    }
    placed = []
    for one in lines:
        if one.load_id:
            name, found = places[one.load_id, one.artifact_id]
            placed.append(replace(one, file=name, line=found.get(one.row_no)))
        else:
            placed.append(one)
    return placed


def _places_in(store: Store, load: Run | None, artifact_id: str, row_nos: Iterable[int]) -> tuple[str, dict[int, int]]:
    """Return the name of a received file, and the physical line of each row where the file has lines."""
    try:
        artifact = store.artifacts.get(artifact_id)
    except TieoutError:  # retention let go of it; its digest stays
        return "", {}
    names = [given.name for given in load.inputs if given.artifact_id == artifact_id] if load else []
    if load is None or not names:  # it was loaded anew from another file since
        return artifact.name, {}
    artifact, config = replace(artifact, name=names[0]), tomllib.loads(load.config)
    options = ReadOptions(csv=CsvHints(delimiter=SEPARATORS[config["separator"]]))
    try:
        with store.folders.scratch("kit") as scratch:
            source = read_statement(artifact, config["network"], config["given"], scratch, options).source
            if isinstance(source, Direct) and source.dialect is not None:
                found = locate_rows(source.path, source.dialect, list(row_nos))
                return artifact.name, {row_no: line for row_no, (line, _) in found.items()}
    except TieoutError:  # the row number tells the place as well
        pass
    return artifact.name, {}


def _lineage_csv(network: str, lines: Iterable[_Line]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(LINEAGE)
    for one in lines:
        has_line = bool(one.load_id)
        writer.writerow(
            (
                sanitised(one.evidence_id),
                _cell(one.unit_id),
                amount_text(one.unit_micros),
                one.unit_currency,
                _cell(network),
                _cell(one.load_id),
                _cell(one.file),
                one.artifact_id,
                one.row_no if has_line else "",
                "" if one.line is None else one.line,
                one.event_date,
                amount_text(one.paid_micros) if has_line else "",
                one.paid_currency,
            )
        )
    return text.getvalue()


def _cell(text: str) -> str:
    """Return a text of others for a cell that a person may open in a spreadsheet."""
    return neutralise(redact_text(text))
