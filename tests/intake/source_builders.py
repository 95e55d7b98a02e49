"""Valid statements and loads of them; a test names only what matters to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from tests.store.builders import NOW, a_store, settings_for
from tieout.intake.sources.actions import FileLoad, Loading, LoadRequest, load, undo
from tieout.intake.sources.current import resolve_source
from tieout.store.opening import Store

HEADER = "Date,Memo,Amount"
FUTURE = NOW + timedelta(days=10_000)


def statement(*rows: str, header: str = HEADER) -> str:
    """Return a CSV; a row is written `2024-01-01,coffee,3`."""
    return "\n".join([header, *rows]) + "\n"


@dataclass
class Clock:
    """A clock that a test moves; each look at it moves it by a second."""

    instant: datetime = NOW

    def __call__(self) -> datetime:
        self.instant += timedelta(seconds=1)
        return self.instant


@dataclass
class Desk:
    """A tenant who loads files into sources of one data folder."""

    data_dir: Path
    tenant: str = "default"
    clock: Clock = field(default_factory=Clock)
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = a_store(self.data_dir, self.tenant)
        self.settings = settings_for(self.data_dir, self.tenant)

    def file(self, text: str | bytes, name: str | None = None) -> Path:
        """Write a file to load; without a name it is called after its content."""
        content = text.encode() if isinstance(text, str) else text
        path = self.data_dir.parent / "outbox" / (name or f"{hashlib.sha256(content).hexdigest()[:12]}.csv")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    def load(
        self,
        *texts: str | Path,
        source: str = "bank",
        on_step: Callable[[str], None] = lambda _step: None,
        at: Callable[[Any], None] = lambda _point: None,
        **options: Any,
    ) -> tuple[FileLoad, ...]:
        """Load statements (texts of CSV, or paths); `options` are those of a LoadRequest."""
        files = tuple(one if isinstance(one, Path) else self.file(one) for one in texts)
        request = LoadRequest(source, files, **options)
        return load(Loading(self.store, self.settings, request, self.clock, on_step, at))

    def load_one(self, text: str | Path, **options: Any) -> FileLoad:
        """Load one statement and return what that did."""
        [done] = self.load(text, **options)
        return done

    def undo(self, source: str = "bank") -> int | None:
        """Take back the latest load and return its number."""
        undone = undo(self.store, self.settings, source, now=self.clock())
        return None if undone is None else undone.seq

    def table(self, text: str = "@bank") -> tuple[tuple[str, ...], list[tuple[Any, ...]], str]:
        """Return columns, rows and digest of the file that a source stands for."""
        with TemporaryDirectory() as folder:
            found = resolve_source(self.store, self.settings, text, Path(folder), FUTURE)
            assert found is not None
            with duckdb.connect() as con:
                relation = con.sql("from read_parquet($1)", params=[str(found.path)])
                rows = relation.fetchall()
                assert len(rows) == found.rows
                return tuple(relation.columns), rows, hashlib.sha256(found.path.read_bytes()).hexdigest()

    def rows(self, text: str = "@bank") -> list[str]:
        """Return the current rows of a source as lines of CSV, in order."""
        return [",".join("" if cell is None else str(cell) for cell in row) for row in self.table(text)[1]]

    def everything(self) -> dict[str, bytes]:
        """Return every file below the data folder but locks, the database and its journal."""
        return {
            str(path.relative_to(self.data_dir)): path.read_bytes()
            for path in sorted(self.data_dir.rglob("*"))
            if path.is_file() and "locks" not in path.parts and not path.name.startswith("state.db")
        }


def shuffled(rows: Sequence[str], order: Iterable[int]) -> list[str]:
    """Return rows in the order that a list of numbers says."""
    return [row for _, row in sorted(zip(order, rows, strict=True), key=lambda pair: pair[0])]
