"""Two made-up files that share a key: one row in a hundred differs, one in a thousand is missing on either side.

Deterministic: row i has the same values wherever and whenever it is made with the same DuckDB.
"""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / ".data"
FORMATS = ("parquet", "csv")
KEY = "id"
VALUES = ("amount", "fee", "quantity", "tax", "net")

# Row i has its own key; both sides see the same rows in different orders. Of the rows divisible by 100, one value
# column each, in turn, is one step higher on their side.
ROWS = """
select
    'TX' || lpad(i::varchar, 9, '0') as id,
    date '2026-01-01' + (hash(i * 7) % 365)::int as day,
    ((hash(i * 11) % 10000000)::bigint + {amount})::decimal(18, 2) * 0.01::decimal(3, 2) as amount,
    ((hash(i * 13) % 1000)::bigint + {fee})::decimal(18, 2) * 0.01::decimal(3, 2) as fee,
    ((hash(i * 17) % 50)::int + {quantity}) as quantity,
    ((hash(i * 19) % 1000000)::bigint + {tax})::decimal(18, 2) * 0.01::decimal(3, 2) as tax,
    ((hash(i * 23) % 1000000)::bigint + {net})::decimal(18, 2) * 0.01::decimal(3, 2) as net
from range({rows}) as t(i)
where i % 1000 <> {absent}
order by hash(i * {order}), i
"""
SIDES = {"ours": {"absent": 5, "order": 31}, "theirs": {"absent": 3, "order": 29}}


@dataclass(frozen=True)
class Truth:
    """What a right comparison of the two files finds."""

    matches: int
    cells: int
    unmatched_ours: int
    unmatched_theirs: int


def truth_of(rows: int) -> Truth:
    return Truth(rows - 2 * (rows // 1000), rows // 100, rows // 1000, rows // 1000)


def paths_of(rows: int, form: str) -> tuple[Path, Path]:
    return FOLDER / f"{rows}_ours.{form}", FOLDER / f"{rows}_theirs.{form}"


def _query(side: str, rows: int) -> str:
    steps = {
        name: f"(i % 100 = 0 and (i // 100) % 5 = {place})::int" if side == "theirs" else "0"
        for place, name in enumerate(VALUES)
    }
    text = ROWS.format(rows=rows, **SIDES[side], **steps)
    decimals = ", ".join(f"{name}::decimal(18, 2) as {name}" for name in VALUES if name != "quantity")
    return f"select * replace ({decimals}) from ({text})"


def make(rows: int) -> None:
    """Make the files of this size unless they are there."""
    import duckdb  # noqa: PLC0415 (contenders read this module where there is none)

    if rows % 1000:
        raise SystemExit(f"--rows {rows}: give a multiple of 1000, so that the expected counts are whole")
    FOLDER.mkdir(exist_ok=True)
    stamp = FOLDER / f"{rows}.made"
    version = duckdb.__version__
    if stamp.is_file() and stamp.read_text() == version:
        return
    with duckdb.connect() as connection:
        connection.execute(f"set temp_directory = '{FOLDER / 'tmp'}'")
        for place, side in enumerate(SIDES):
            parquet, csv = (paths_of(rows, form)[place] for form in FORMATS)
            connection.execute(f"copy ({_query(side, rows)}) to '{parquet}'")
            connection.execute(f"copy (from '{parquet}') to '{csv}'")
    stamp.write_text(version)
