"""How each network names the columns of its statements, declared in `layouts/*.toml`, and how a file's header fits."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, Literal

CELLS = (
    "event_date",
    "app_id",
    "ad_unit_id",
    "country",
    "format",
    "currency",
    "impressions",
    "clicks",
    "paid",
    "ivt_adjustments",
    "viewable_pct",
    "request_id",
)
"""The columns of a canonical statement; their names hold in every layout."""
REQUIRED = ("event_date", "app_id", "ad_unit_id", "country", "format", "currency", "impressions", "paid")
AMOUNTS = frozenset({"impressions", "clicks", "paid", "ivt_adjustments", "viewable_pct"})
"""Columns that only one header may name: two that could both be the amount are not chosen between."""

Form = Literal["table", "json"]


@dataclass(frozen=True)
class Layout:
    """One kind of file of one network. `headers` gives for each cell the names that stand for it, the first wins.

    `ignored` are names (with * for any text) that are known and not read, `needs` those that tell this kind of file
    from others; `constants` hold for every row, and `document` are columns whose one value in the file does. Rows with
    a column that begins with one of `around` are no records; `row_count` is the column in which the file counts them.
    Amounts of `micros` are in micros.
    """

    name: str
    network: str
    title: str
    form: Form
    headers: Mapping[str, tuple[str, ...]]
    ignored: tuple[str, ...]
    needs: tuple[str, ...]
    constants: Mapping[str, str]
    document: Mapping[str, str]
    formats: Mapping[str, str]
    shares_formats: bool
    around: tuple[str, ...]
    row_count: str
    micros: frozenset[str]

    def names_of(self, cell: str) -> tuple[str, ...]:
        """Return the names of a cell, its own first."""
        return tuple(dict.fromkeys((cell, *self.headers.get(cell, ()))))

    @property
    def is_canonical(self) -> bool:
        return not self.network


@dataclass(frozen=True)
class Fit:
    """How the columns of a file fit a layout: the file's column for each cell, and what stands in the way.

    `missing` are required cells that nothing gives, `unknown` columns that the layout does not know, and `doubtful`
    cells that several columns claim, each with these.
    """

    layout: Layout
    columns: Mapping[str, str]
    document: Mapping[str, str]
    constants: Mapping[str, str]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    doubtful: Mapping[str, tuple[str, ...]]

    @property
    def is_drifted(self) -> bool:
        return bool(self.missing or self.unknown or self.doubtful)

    @property
    def distance(self) -> int:
        """How far the file is from the layout."""
        return len(self.missing) + len(self.unknown) + len(self.doubtful)


@cache
def list_layouts() -> tuple[Layout, ...]:
    """Return every layout, by name."""
    folder = files("tieout.books.ads") / "layouts"
    found = [file for file in folder.iterdir() if file.name.endswith(".toml")]
    return tuple(_parse(file.name[:-5], tomllib.loads(file.read_text("utf-8"))) for file in sorted(found, key=str))


def layouts_of(network: str) -> tuple[Layout, ...]:
    """Return the layouts of a network, whatever its case; of one that has none, the canonical."""
    known = [layout for layout in list_layouts() if layout.network == network.strip().lower()]
    return tuple(known) or tuple(layout for layout in list_layouts() if layout.is_canonical)


def fit(layout: Layout, columns: Sequence[str], given: Mapping[str, str]) -> Fit:
    """Hold the columns of a file against a layout; `given` are cells that the user said for all rows."""
    names = {plain(column): column for column in reversed(columns)}
    claims = {cell: [names[name] for name in layout.names_of(cell) if name in names] for cell in CELLS}
    taken = {cell: found[0] for cell, found in claims.items() if found and cell not in given}
    document = {cell: names[name] for cell, name in layout.document.items() if name in names and cell not in taken}
    constants = {**{cell: said for cell, said in layout.constants.items() if cell not in taken}, **given}
    missing = [cell for cell in REQUIRED if cell not in taken and cell not in document and cell not in constants]
    missing += [name for name in (*layout.needs, layout.row_count) if name and name not in names]
    claimed = {column for found in claims.values() for column in found}
    unknown = [column for column in columns if column not in claimed and not _is_ignored(layout, plain(column))]
    doubtful = {cell: tuple(found) for cell, found in claims.items() if cell in AMOUNTS and len(found) > 1}
    return Fit(layout, taken, document, constants, tuple(missing), tuple(unknown), doubtful)


def best_fit(network: str, columns: Sequence[str], given: Mapping[str, str]) -> Fit:
    """Return the fit of the network's layout that is nearest to the file; of equals the first by name."""
    fits = [fit(layout, columns, given) for layout in layouts_of(network)]
    return min(fits, key=lambda found: (found.distance, -len(found.columns)))


def plain(header: str) -> str:
    """Return a header as layouts spell it: in lower case, with single blanks."""
    return " ".join(header.lower().split())


def _is_ignored(layout: Layout, header: str) -> bool:
    return any(fnmatchcase(header, pattern) for pattern in layout.ignored)


def _parse(name: str, told: Mapping[str, Any]) -> Layout:
    return Layout(
        name=name,
        network=told["network"],
        title=told["title"],
        form=told.get("form", "table"),
        headers={cell: tuple(names) for cell, names in told["headers"].items()},
        ignored=tuple(told["ignored"]),
        needs=tuple(told.get("needs", ())),
        constants=told.get("constants", {}),
        document=told.get("document", {}),
        formats=told.get("formats", {}),
        shares_formats=not told.get("unshared_formats", False),
        around=tuple(told.get("around", ())),
        row_count=told.get("row_count", ""),
        micros=frozenset(told.get("micros", ())),
    )
