"""Leaves of the log: one canonical record (RFC 8785) for each row that was published, made and hashed by the engine.

A record is `{"book","content","day","kind","salt","tenant"}`; `content` is what the row says, every value a text, a
truth or null, for numbers of JSON keep no more than 53 bits. The salt is derived from a secret of the log: the hash of
a leaf stands in the proofs of its neighbours, and without a salt whoever sees it could try records until one fits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tieout.engine.steps import Runner, Step, StepContractBroken, parse_step
from tieout.proofs import merkle
from tieout.proofs.bulk import PIECE, hash_leaves
from tieout.proofs.merkle import HASH_BYTES
from tieout.proofs.sums import SumTree, sum_tree

BLINDING_BYTES = 32
HASH = np.dtype(f"S{HASH_BYTES}")
"""Orders hashes as bytes: the zeros at their end, which it leaves out, come before all else."""
SUM, DAY = "sum", "day"
"""Kinds of leaves that sealing adds itself: totals of a side and party, and what a day was made of."""
RECORD = ("kind", "key", "content", "sum_side", "sum_party", "currency", "amount_micros")
"""Columns of the relation `record` that a book makes: which row, what it says as JSON, of which sum its amount is."""


@dataclass(frozen=True)
class DayOf:
    """Whose day is sealed, with the secret that its salts are made from."""

    tenant: str
    book: str
    day: date
    blinding: bytes = field(repr=False)


@dataclass(frozen=True)
class Leaf:
    """One leaf: `kind` and `key` name the row, `text` is its canonical record."""

    kind: str
    key: str
    text: str

    @property
    def hash(self) -> bytes:
        return leaf_hash(self.text)


@dataclass(frozen=True)
class Leaves:
    """The leaves of a day in their order: those of rows in the relation `leaf` of the engine, then the totals."""

    row_hashes: bytes
    sums: tuple[Leaf, ...]
    counts: Mapping[str, int]

    @property
    def count(self) -> int:
        return len(self.row_hashes) // HASH_BYTES + len(self.sums)

    @property
    def hashes(self) -> bytes:
        return self.row_hashes + b"".join(one.hash for one in self.sums)


def leaf_hash(text: str) -> bytes:
    """Return the hash of a leaf as RFC 9162 2.1.1 makes it."""
    return merkle.hash_leaf(text.encode())


def salt_of(blinding: bytes, kind: str, key: str) -> str:
    """Return the salt of a leaf; the engine makes the same (`sql/macros.sql`)."""
    inner = hashlib.sha256(blinding + f"{kind}\n{key}".encode()).digest()
    return hashlib.sha256(blinding + inner).hexdigest()[:32]


def read_leaf_file(path: Path, columns: Iterable[str]) -> pa.Table:
    """Return columns of a file of sealed records, each a text in every row.

    Raises OSError or ValueError where a byte was changed so that they no longer are; one that leaves another text is
    for the hashes to find.
    """
    names = list(columns)
    table = pq.read_table(path, columns=names).cast(pa.schema([(name, pa.string()) for name in names]))
    table.validate(full=True)
    if any(table.column(name).null_count for name in names):
        raise ValueError("a record has no text")
    return table


def make_leaf(of: DayOf, kind: str, key: str, content: Mapping[str, Any]) -> Leaf:
    """Return a leaf that is no row of the engine."""
    import rfc8785  # noqa: PLC0415 - the engine writes the rows

    told: dict[str, Any] = {
        "book": of.book,
        "content": dict(content),
        "day": of.day.isoformat(),
        "kind": kind,
        "salt": salt_of(of.blinding, kind, key),
        "tenant": of.tenant,
    }
    return Leaf(kind, key, rfc8785.dumps(told).decode())


def make_leaves(runner: Runner, of: DayOf) -> Leaves:
    """Make `leaf` of the relation `record` (columns RECORD), and the totals of each side and party."""
    con = runner.con
    con.execute(sql_text("macros"))
    con.execute(
        "create or replace table seal as select ?::varchar as tenant, ?::varchar as book, ?::varchar as day,"
        " ?::blob as blinding",
        [of.tenant, of.book, of.day.isoformat(), of.blinding],
    )
    runner.run(proofs_step("leaf"))
    rows = con.sql("select record from leaf order by position").to_arrow_reader(PIECE)
    hashes = hash_leaves(batch.column(0) for batch in rows)
    counts = dict(con.sql("select kind, count(*) from leaf group by kind order by kind").fetchall())
    sums = tuple(_sum_leaf(of, name, tree) for name, tree in sum_trees(con, hashes).items())
    return Leaves(hashes, sums, counts | ({SUM: len(sums)} if sums else {}))


def sum_trees(con: duckdb.DuckDBPyConnection, hashes: bytes) -> dict[Name, SumTree]:
    """Return the tree of each sum in `leaf`, by side, party and currency; its rows in the order of their hashes.

    `hashes` are those of the leaves by position.
    That order tells nothing, for the hashes are salted: a proof shows the amount of a neighbour and not who it is.
    """
    names = con.execute(
        "select distinct sum_side, sum_party, currency from leaf where sum_side is not null order by all"
    ).fetchall()
    return {Name(*name): _sum_tree(con, name, np.frombuffer(hashes, HASH)) for name in names}


@dataclass(frozen=True, order=True)
class Name:
    """What a sum is of: which side says so, about whom, in which currency."""

    side: str
    party: str
    currency: str

    @property
    def key(self) -> str:
        return f"{self.side}\n{self.party}\n{self.currency}"


def write_leaves(con: duckdb.DuckDBPyConnection, leaves: Leaves, last: Leaf, path: Path) -> None:
    """Write the leaves of a day with `last`, what it was made of, to a file that tells which leaf is at which place."""
    rows = con.sql("select kind, key, record from leaf order by position").to_arrow_table()
    more = [*leaves.sums, last]
    added = pa.table(
        {
            "kind": pa.array([one.kind for one in more], pa.string()),
            "key": pa.array([one.key for one in more], pa.string()),
            "record": pa.array([one.text for one in more], pa.string()),
        }
    )
    table = pa.concat_tables([rows.cast(added.schema), added])
    pq.write_table(table, path, compression="zstd", row_group_size=100_000)


def proofs_step(name: str) -> Step:
    """Read a step of this room. Raises StepContractBroken."""
    step = _parsed(name)
    if step.name != name:
        raise StepContractBroken(f"File proofs/{name}.sql calls itself {step.name}.", subject=name)
    return step


@cache
def _parsed(name: str) -> Step:
    return parse_step(sql_text(name))


def sql_text(name: str) -> str:
    """Return the text of one file of `sql`."""
    return (files("tieout.proofs") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def _sum_leaf(of: DayOf, name: Name, tree: SumTree) -> Leaf:
    total = tree.root
    return make_leaf(
        of,
        SUM,
        name.key,
        {
            "credit_micros": str(total.credit),
            "currency": name.currency,
            "debit_micros": str(total.debit),
            "party": name.party,
            "root": total.hash.hex(),
            "rows": str(tree.rows),
            "side": name.side,
        },
    )


def _sum_tree(con: duckdb.DuckDBPyConnection, name: Sequence[str], hashes: npt.NDArray[np.bytes_]) -> SumTree:
    rows = con.sql(
        "select position, amount_micros from leaf where sum_side = ? and sum_party = ? and currency = ?",
        params=list(name),
    ).to_arrow_table()
    records = hashes[rows.column("position").to_numpy()]
    order = np.argsort(records, kind="stable")
    return sum_tree(records[order].tobytes(), rows.column("amount_micros").to_numpy()[order])
