"""Where the proofs of a book are made: its log on disk, what the state says of it, and the key that signs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow.parquet as pq
from sqlalchemy import Connection, Row, and_, func, insert, select, update

from tieout.core.errors import TieoutError
from tieout.core.ids import RandomBytes
from tieout.core.sealing import open_sealer
from tieout.core.settings import Settings
from tieout.engine.steps import Runner
from tieout.proofs.keys import SigningKey
from tieout.proofs.leaves import BLINDING_BYTES, Leaf, read_leaf_file
from tieout.proofs.notes import Signer, VerifierKey, parse_checkpoint, verify_note
from tieout.proofs.tiles import LogDamaged, TileLog
from tieout.store.duck import connect
from tieout.store.opening import Store
from tieout.store.runs import Run
from tieout.store.tables import proofs_daily_roots, proofs_log, proofs_monthly_digest, proofs_records_dropped

PROOFS_FOLDER = "proofs"
LEAF_FOLDER = "leaves"
ORIGIN = "tieout.invalid"
"""What the names of logs begin with where the operator names none: a domain that nobody can own."""


class NothingSealed(TieoutError):
    """The book has no log yet: nothing of it was ever sealed."""

    code = "nothing_sealed"
    http_status = 404


class SealedFileDamaged(TieoutError):
    """The file that holds the records of sealed leaves is missing or unreadable."""

    code = "sealed_file_damaged"
    http_status = 500


class SealedRecordsGone(TieoutError):
    """Retention let go of what sealed leaves say; the log still has their hashes."""

    code = "sealed_records_gone"
    http_status = 410


class Keys(Protocol):
    """The keys of a log, by its origin."""

    def signer(self, origin: str) -> Signer:
        """Return the key that signs now; raise where there is none."""

    def verifiers(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return every public key whose signatures hold, the current one first."""

    def list_keys(self) -> tuple[SigningKey, ...]:
        """Return every key there ever was, those revoked too."""


class DayRecords(Protocol):
    """What a book publishes of a day: its runs, and `make`, which makes the relation `record` of their rows."""

    @property
    def day(self) -> date: ...

    @property
    def runs(self) -> tuple[Run, ...]: ...

    @property
    def is_judged(self) -> bool: ...

    def make(self, runner: Runner) -> None: ...


@dataclass(frozen=True)
class SealedDay:
    """A day as it was sealed: leaves [first_leaf, first_leaf + leaf_count), then one that says what they are."""

    day: date
    version: int
    first_leaf: int
    leaf_count: int
    root: bytes
    note: str
    records_sha256: str
    counts: Mapping[str, int]
    published_at: datetime
    records_dropped_at: datetime | None = None
    """When retention let go of what the leaves say; their hashes and the root stay."""

    @property
    def last_leaf(self) -> int:
        return self.first_leaf + self.leaf_count


@dataclass(frozen=True)
class SealedMonth:
    """A month as it was sealed. `coverage_bp` are hundredths of a percent of its days."""

    month: str
    version: int
    leaf: int
    day_leaves: tuple[int, ...]
    digest: bytes
    note: str
    records_sha256: str
    coverage_bp: int
    notes: str
    published_at: datetime


@dataclass(frozen=True)
class LogIdentity:
    """The name of a log, and the secret that its salts come from."""

    origin: str
    blinding: bytes


@dataclass(frozen=True)
class Desk:
    """The proofs of one book of the store's tenant."""

    settings: Settings
    store: Store
    now: Callable[[], datetime]
    book: str
    keys: Keys
    random_bytes: RandomBytes = os.urandom

    @property
    def folder(self) -> Path:
        return self.settings.data_dir / PROOFS_FOLDER / self.store.tenant / self.book

    def leaf_file(self, first_leaf: int) -> Path:
        """Return where the records of the leaves lie that were sealed together, by the place of the first."""
        return self.folder / LEAF_FOLDER / f"{first_leaf:012d}.parquet"

    def find_identity(self) -> LogIdentity | None:
        """Return the identity of the log, None before the first seal."""
        with self.store.state.reading() as connection:
            row = connection.execute(select(proofs_log).where(self._is_own(proofs_log))).one_or_none()
        return None if row is None else self._identity(row)

    def identity(self) -> LogIdentity:
        """Return the identity of the log. Raises NothingSealed."""
        found = self.find_identity()
        if found is None:
            raise NothingSealed(
                f"Nothing of the book {self.book} was sealed yet.",
                subject=self.book,
                remedy="tieout proofs issue --day DAY seals a day.",
            )
        return found

    def origin(self) -> str:
        """Return the name of the log: what it began with, or would begin with now."""
        found = self.find_identity()
        if found is not None:
            return found.origin
        return f"{self.settings.proofs_origin or ORIGIN}/{self.store.tenant}/{self.book}"

    def make_identity(self) -> LogIdentity:
        """Return the identity of the log, made now where there is none."""
        origin = self.origin()
        blinding = self._sealer().seal(self.random_bytes(BLINDING_BYTES), self._context, self.random_bytes)
        key = {"tenant": self.store.tenant, "book": self.book}

        def make(connection: Connection) -> Row[Any]:
            asked = select(proofs_log).where(self._is_own(proofs_log))
            if connection.execute(asked).one_or_none() is None:
                made = {"origin": origin, "blinding": blinding, "made_us": self.now()}
                connection.execute(insert(proofs_log).values(**key, **made))
            return connection.execute(asked).one()

        return self._identity(self.store.state.write(make))

    def log(self) -> TileLog:
        """Open the log for reading. Raises NothingSealed and what TileLog.open raises."""
        return TileLog.open(self.folder, self.identity().origin)

    def find_day(self, day: date) -> SealedDay | None:
        """Return the latest seal of a day."""
        found = self._days(proofs_daily_roots.c.day == day.isoformat())
        return found[-1] if found else None

    def list_seals(self) -> list[SealedDay]:
        """Return every seal of a day, also those that a later one restates, in the order of the log."""
        return self._days()

    def list_days(self, first: date, last: date) -> tuple[SealedDay, ...]:
        """Return the latest seal of each day from `first` to `last`, by date."""
        found = self._days(proofs_daily_roots.c.day.between(first.isoformat(), last.isoformat()))
        return tuple({one.day: one for one in found}[day] for day in sorted({one.day for one in found}))

    def day_of_leaf(self, index: int) -> SealedDay | None:
        """Return the seal that a leaf came with; None for one that came with a month or does not exist."""
        found = [one for one in self._days(proofs_daily_roots.c.first_leaf <= index) if index <= one.last_leaf]
        return found[-1] if found else None

    def find_month(self, month: str) -> SealedMonth | None:
        """Return the latest digest of a month, `YYYY-MM`."""
        table = proofs_monthly_digest
        asked = select(table).where(self._is_own(table), table.c.month == month).order_by(table.c.version.desc())
        with self.store.state.reading() as connection:
            row = connection.execute(asked.limit(1)).one_or_none()
        return None if row is None else _month(row)

    def known_size(self) -> int:
        """Return how many leaves the state knows of."""
        day, month = proofs_daily_roots, proofs_monthly_digest
        with self.store.state.reading() as connection:
            last_day = connection.scalar(select(func.max(day.c.first_leaf + day.c.leaf_count)).where(self._is_own(day)))
            last_month = connection.scalar(select(func.max(month.c.leaf)).where(self._is_own(month)))
        return 1 + max(-1 if last is None else last for last in (last_day, last_month))

    def record_day(self, sealed: SealedDay) -> None:
        """Record a seal of a day; one that is recorded stays as it is."""
        values = {
            "day": sealed.day.isoformat(),
            "version": sealed.version,
            "first_leaf": sealed.first_leaf,
            "leaf_count": sealed.leaf_count,
            "merkle_root": sealed.root.hex(),
            "sig": sealed.note,
            "records_sha256": sealed.records_sha256,
            "counts": dict(sealed.counts),
            "published_at": sealed.published_at,
        }
        self._record(proofs_daily_roots, values)

    def sign_day_anew(self, sealed: SealedDay, note: str) -> None:
        """Let another signature stand below a seal of a day."""
        table = proofs_daily_roots
        self._sign_anew(table, note, table.c.first_leaf == sealed.first_leaf)

    def sign_month_anew(self, sealed: SealedMonth, note: str) -> None:
        """Let another signature stand below a digest of a month."""
        table = proofs_monthly_digest
        self._sign_anew(table, note, (table.c.month == sealed.month) & (table.c.version == sealed.version))

    def record_month(self, sealed: SealedMonth) -> None:
        """Record a digest of a month; one that is recorded stays as it is."""
        values = {
            "month": sealed.month,
            "version": sealed.version,
            "leaf": sealed.leaf,
            "day_leaves": list(sealed.day_leaves),
            "digest": sealed.digest.hex(),
            "sig": sealed.note,
            "records_sha256": sealed.records_sha256,
            "coverage_bp": sealed.coverage_bp,
            "notes": sealed.notes,
            "published_at": sealed.published_at,
        }
        self._record(proofs_monthly_digest, values)

    @contextmanager
    def engine(self) -> Iterator[Runner]:
        """Give an engine for steps, with a folder of its own."""
        with self.store.folders.scratch("proofs") as scratch, closing(connect(self.settings, scratch)) as con:
            facts = scratch / "facts"
            facts.mkdir()
            con.execute("set preserve_insertion_order = false")
            yield Runner(con, facts)

    def read_leaves(self, first_leaf: int, columns: Iterable[str] = ("kind", "key", "record")) -> Any:
        """Return the sealed records that begin at `first_leaf`, as a table in the order of the log."""
        path = self.leaf_file(first_leaf)
        try:
            return read_leaf_file(path, columns)
        except (OSError, ValueError) as error:
            sealed = self.day_of_leaf(first_leaf)
            if sealed is not None and sealed.records_dropped_at is not None:
                raise SealedRecordsGone(
                    f"The sealed records of {sealed.day} were let go on {sealed.records_dropped_at:%Y-%m-%d}.",
                    subject=sealed.day.isoformat(),
                    remedy="Their hashes and the root stay in the log: tieout proofs verify --day holds them against"
                    " it. A backup from before has the records.",
                ) from error
            raise damaged(path, str(error)) from error

    def list_records(self, start: int, end: int) -> list[str] | None:
        """Return the sealed records of the leaves [start, end); None where the file of one is no longer kept."""
        firsts = sorted(int(path.stem) for path in (self.folder / LEAF_FOLDER).glob("*.parquet"))
        found: list[str] = []
        while (at := start + len(found)) < end:
            first = max((one for one in firsts if one <= at), default=None)
            more = [] if first is None else self._records_of(first, at - first, end - first)
            if not more:
                return None
            found += more
        return found

    def _records_of(self, first_leaf: int, start: int, end: int) -> list[str]:
        """Return the records from place `start` to `end` of those that begin at `first_leaf`, as many as there are."""
        path, found, place = self.leaf_file(first_leaf), [], 0
        try:
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    count = file.metadata.row_group(group).num_rows
                    if place < end and start < place + count:
                        column = file.read_row_group(group, columns=["record"]).column("record")
                        found += column.slice(max(start - place, 0), end - max(start, place)).to_pylist()
                    place += count
        except (OSError, ValueError) as error:
            raise damaged(path, str(error)) from error
        return found

    def last_of(self, first_leaf: int) -> Leaf:
        """Return the last of the leaves that were sealed together from `first_leaf`: it says what they are."""
        table = self.read_leaves(first_leaf)
        [row] = table.slice(table.num_rows - 1).to_pylist()
        return Leaf(row["kind"], row["key"], row["record"])

    def _sign_anew(self, table: Any, note: str, is_meant: Any) -> None:
        change = update(table).where(self._is_own(table), is_meant).values(sig=note)
        self.store.state.write(lambda connection: connection.execute(change))

    def _record(self, table: Any, values: Mapping[str, Any]) -> None:
        key = {"tenant": self.store.tenant, "book": self.book}
        names = [column.name for column in table.primary_key if column.name not in key]

        def record(connection: Connection) -> None:
            is_same = [table.c[name] == values[name] for name in names]
            if connection.execute(select(table.c.book).where(self._is_own(table), *is_same)).first() is None:
                connection.execute(insert(table).values(**key, **values))

        self.store.state.write(record)

    def _days(self, *conditions: Any) -> list[SealedDay]:
        table = proofs_daily_roots
        dropped = proofs_records_dropped
        is_of_seal = and_(*(dropped.c[name] == table.c[name] for name in ("tenant", "book", "first_leaf")))
        asked = select(table, dropped.c.dropped_us).outerjoin(dropped, is_of_seal)
        asked = asked.where(self._is_own(table), *conditions).order_by(table.c.first_leaf)
        with self.store.state.reading() as connection:
            return [_day(row) for row in connection.execute(asked)]

    def _is_own(self, table: Any) -> Any:
        return (table.c.tenant == self.store.tenant) & (table.c.book == self.book)

    def _identity(self, row: Row[Any]) -> LogIdentity:
        return LogIdentity(row.origin, self._sealer().open(row.blinding, self._context))

    def _sealer(self) -> Any:
        return open_sealer(self.settings.secret_key, self.settings.data_dir)

    @property
    def _context(self) -> str:
        return f"proofs_log/{self.store.tenant}/{self.book}/blinding"


def content_of(leaf: Leaf) -> dict[str, Any]:
    """Return what a leaf says."""
    content: dict[str, Any] = json.loads(leaf.text)["content"]
    return content


def check_checkpoint(log: TileLog, keys: Iterable[VerifierKey]) -> None:
    """Raise SignatureInvalid, SignatureMissing or LogDamaged where the checkpoint is not that of the log."""
    verify_note(log.note, keys)
    said = parse_checkpoint(log.note)
    if log.root() != said.root:
        raise LogDamaged(
            f"The tiles of the log {log.origin} do not lead to the root of its checkpoint.",
            subject=str(log.folder),
            remedy="Put the folder back from a backup.",
        )


def damaged(path: Path, why: str) -> SealedFileDamaged:
    """Return the error of a file of records that cannot be read."""
    return SealedFileDamaged(
        f"The sealed records {path} cannot be read: {why}.",
        subject=str(path),
        remedy="Put the file back from a backup; the log itself says whether it is the right one.",
    )


def _day(row: Row[Any]) -> SealedDay:
    root = bytes.fromhex(row.merkle_root)
    return SealedDay(
        date.fromisoformat(row.day),
        row.version,
        row.first_leaf,
        row.leaf_count,
        root,
        row.sig,
        row.records_sha256,
        row.counts,
        row.published_at,
        row.dropped_us,
    )


def _month(row: Row[Any]) -> SealedMonth:
    return SealedMonth(
        row.month,
        row.version,
        row.leaf,
        tuple(row.day_leaves),
        bytes.fromhex(row.digest),
        row.sig,
        row.records_sha256,
        row.coverage_bp,
        row.notes,
        row.published_at,
    )
