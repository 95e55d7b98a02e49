import csv
import json
import os
import subprocess
import sys
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook

from tests.report.builders import PARTS, Run, a_clean_run, a_full_run, delta, match, micros, unmatched, write_large_run
from tieout.report.exports import FILE_NAMES, JSON_ROWS, SHEET_ROWS, TABLES, fact_table, write_out
from tieout.report.facts import FactUnreadable
from tieout.report.saving import ResultNotWritten

PLAN = '[ours]\nkey = ["ref"]\n'
MONEY = pa.decimal128(38, 6)


def exported(run, tmp_path, **more):
    summary = run.write(tmp_path / "run")
    files = write_out(tmp_path / "run", summary, PLAN, tmp_path / "out", **more)
    return tmp_path / "out", summary, files


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    out, summary, files = exported(a_full_run(), folder)
    return out, summary, files, folder / "run"


def csv_rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sheet(out, name):
    return CalamineWorkbook.from_path(str(out / "tieout.xlsx")).get_sheet_by_name(name).to_python()


def test_every_promised_file_is_there_and_nothing_else(full):
    out, _, files, _ = full
    assert [path.name for path in files] == list(FILE_NAMES)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILE_NAMES)
    promised = "summary.json report.html plan.toml matches.parquet deltas.parquet unmatched_ours.parquet"
    promised += (
        " unmatched_theirs.parquet quarantine.parquet differences.parquet checks.parquet tieout.xlsx deltas.json"
    )
    assert set(promised.split()) <= set(FILE_NAMES)


def test_matches_have_the_promised_columns(full):
    out, _, _, run = full
    table = pq.read_table(out / "matches.parquet")
    assert table.column_names == ["match_id", "ours_row", "theirs_row", "pass", "outcome", "confidence", "alternatives"]
    assert table == pq.read_table(run / "match.parquet")


def test_deltas_are_exact_money_in_units_and_their_parts_sum_to_them(full):
    out, _, _, run = full
    table = pq.read_table(out / "deltas.parquet")
    promised = [
        "delta_id",
        "kind",
        "amount",
        "currency",
        "match_id",
        "ours_row",
        "theirs_row",
        "reason_code",
        "confidence",
    ]
    assert table.column_names == [*promised, "day", "ours_amount", "theirs_amount", *PARTS]
    for name in ("amount", "ours_amount", "theirs_amount", *PARTS):
        assert table.schema.field(name).type == MONEY
    facts = {fact["delta_id"]: fact for fact in pq.read_table(run / "delta.parquet").to_pylist()}
    assert len(facts) == table.num_rows
    for row in table.to_pylist():
        fact = facts[row["delta_id"]]
        assert (None if row["amount"] is None else int(row["amount"].scaleb(6))) == fact["amount_micros"]
        assert sum(row[part] for part in PARTS) == (row["amount"] or 0)


def test_deltas_stand_in_file_order(full):
    rows = pq.read_table(full[0] / "deltas.parquet").to_pylist()
    places = [(row["ours_row"] or 10**9, row["theirs_row"] or 10**9) for row in rows]
    assert places == sorted(places)


def test_unmatched_rows_bring_the_files_own_columns_unchanged(full):
    table = pq.read_table(full[0] / "unmatched_ours.parquet")
    head = ["ours_row", "reason_code", "searched", "amount", "currency", "day", "ref", "text", "ours_memo"]
    assert table.column_names == head
    assert table.schema.field("amount").type == MONEY
    assert table.column("ours_memo").to_pylist() == ['=HYPERLINK("x")', "+49 30 123", "-12.50", "plain"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_csv_says_what_parquet_says(table, full):
    out = full[0]
    rows = pq.read_table(out / f"{table.name}.parquet").to_pylist()
    shown = csv_rows(out / f"{table.name}.csv")
    assert len(rows) == len(shown)
    for row, line in zip(rows, shown, strict=True):
        for name, value in row.items():
            said = line[name]
            if isinstance(value, str):
                assert said.removeprefix("'") == value.removeprefix("'")
            elif value is None:
                assert said == ""
            elif isinstance(value, bool):
                assert said == str(value).lower()
            else:
                assert type(value)(said) == value if not isinstance(value, date) else said == str(value)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_json_says_what_parquet_says_and_that_it_is_all(table, full):
    out = full[0]
    rows = pq.read_table(out / f"{table.name}.parquet").to_pylist()
    told = json.loads((out / f"{table.name}.json").read_text(encoding="utf-8"))
    assert (told["table"], told["rows"], told["included"], told["complete"]) == (table.name, len(rows), len(rows), True)
    as_json = [{name: str(v) if isinstance(v, Decimal | date) else v for name, v in row.items()} for row in rows]
    assert told["items"] == as_json


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_sheet_holds_the_rows_of_its_table(table, full):
    out = full[0]
    rows = pq.read_table(out / f"{table.name}.parquet")
    shown = sheet(out, table.sheet)
    assert shown[0] == rows.column_names
    assert len(shown) == rows.num_rows + 1


def test_formulas_are_neutralised_in_csv_and_workbook_and_numbers_are_not(full):
    out = full[0]
    memos = [row["ours_memo"] for row in csv_rows(out / "unmatched_ours.csv")]
    assert memos == ['\'=HYPERLINK("x")', "'+49 30 123", "-12.50", "plain"]
    assert [row["theirs_memo"] for row in csv_rows(out / "unmatched_theirs.csv")] == ["'@SUM(A1)", "'\tTAB"]
    assert csv_rows(out / "quarantine.csv")[2]["raw"].startswith("'=cmd|")
    amounts = [row["amount"] for row in csv_rows(out / "deltas.csv")]
    assert "-300.500000" in amounts
    assert not any(amount.startswith("'") for amount in amounts)
    shown = sheet(out, "Unmatched ours")
    assert {row[-1] for row in shown[1:]} == set(memos)
    deltas = sheet(out, "Differences")
    assert all(isinstance(row[2], float) or row[2] == "" for row in deltas[1:])
    assert -300.5 in [row[2] for row in deltas]
    with zipfile.ZipFile(out / "tieout.xlsx") as book:
        for name in book.namelist():
            assert b"<f>" not in book.read(name)


@pytest.mark.parametrize(
    "payload", ["=1+1", "+1+1", "-1+1", "@A1", "\t=1", "\r=1", "\n=1", ' ="x"', "\uff1d1", "=1\x00"]
)
def test_no_cell_of_any_file_opens_a_formula(payload, tmp_path):
    run = Run(
        unmatched_ours=[unmatched("ours", 1, "-5", ref=payload, text=payload, searched=payload, ours_memo=payload)],
        own_columns={"memo": pa.string()},
        ours_name=payload,
    )
    out, _, _ = exported(run, tmp_path)
    line = csv_rows(out / "unmatched_ours.csv")[0]
    shown = sheet(out, "Unmatched ours")[1]
    for cell in (line["ref"], line["text"], line["searched"], line["ours_memo"], *(shown[n] for n in (2, 6, 7, 8))):
        assert cell.startswith("'")
    assert line["amount"] == "-5.000000"
    assert shown[3] == -5.0


def test_quotes_separators_and_newlines_survive_csv(tmp_path):
    texts = ['say "no"', "a,b", "two\nlines", "", "null", "'", "\\", "é 東京"]
    rows = [unmatched("ours", n, "1", text=text) for n, text in enumerate(texts, start=1)]
    out, _, _ = exported(Run(unmatched_ours=rows), tmp_path)
    assert [row["text"] for row in csv_rows(out / "unmatched_ours.csv")] == texts


def test_own_columns_of_any_type_and_name_are_exported(tmp_path):
    columns = {
        "a b": pa.float64(),
        'q"uote': pa.timestamp("us", "UTC"),
        "=1": pa.list_(pa.int64()),
        "id": pa.uint64(),
        "price": pa.decimal128(20, 2),
        "flag": pa.bool_(),
        "raw": pa.binary(),
    }
    values = {
        "a b": float("inf"),
        "=1": [1, 2],
        "id": 2**64 - 1,
        "price": Decimal("9.90"),
        "flag": True,
        "raw": b"\x00\xff",
    }
    row = unmatched("ours", 1, "1", **{f"ours_{name}": value for name, value in values.items()})
    out, _, _ = exported(Run(unmatched_ours=[row], own_columns=columns), tmp_path)
    item = json.loads((out / "unmatched_ours.json").read_text(encoding="utf-8"))["items"][0]
    assert item["ours_a b"] is None
    assert item["ours_id"] == str(2**64 - 1)
    assert item["ours_price"] == "9.90"
    shown = dict(zip(*sheet(out, "Unmatched ours"), strict=True))
    assert shown["ours_id"] == str(2**64 - 1)
    assert shown["ours_=1"] == "[1, 2]"
    assert shown["ours_price"] == 9.9
    assert shown["ours_flag"] is True
    assert pq.read_table(out / "unmatched_ours.parquet").column('ours_q"uote').to_pylist() == [None]


def test_the_largest_differences_come_first_in_the_sheet(full):
    amounts = [abs(row[2]) for row in sheet(full[0], "Differences")[1:] if row[2] != ""]
    assert amounts == sorted(amounts, reverse=True)


def test_the_first_sheet_says_the_result_and_how_much_of_each_table_is_here(full):
    rows = sheet(full[0], "Summary")
    assert rows[0][0] == "Differences found"
    assert ["EUR", 5482913.37, 5478585.0, 4328.37] in [row[:4] for row in rows]
    assert ["Differences", 11.0, 11.0, "all rows", "deltas.csv, deltas.parquet"] in [row[:5] for row in rows]


def test_summary_plan_and_report_are_written_as_they_are(full):
    out, summary, _, _ = full
    told = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert told == json.loads(json.dumps(summary, default=str))
    assert (out / "plan.toml").read_text(encoding="utf-8") == PLAN
    assert "11 differences found" in (out / "report.html").read_text(encoding="utf-8")


def test_a_file_name_that_is_no_text_does_not_stop_the_export(tmp_path):
    run = a_clean_run()
    run.ours_name = "bad\udcffname.csv"
    out, _, _ = exported(run, tmp_path)
    assert json.loads((out / "summary.json").read_bytes())["ours"]["name"] == "bad\udcffname.csv"


@pytest.mark.parametrize("make", [a_full_run, a_clean_run, Run])
def test_the_same_run_gives_the_same_bytes(make, tmp_path):
    summary = make().write(tmp_path / "run")
    for name in ("one", "two"):
        write_out(tmp_path / "run", summary, PLAN, tmp_path / name, threads=1 if name == "one" else 2)
    for name in FILE_NAMES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_matches_out_of_order_are_put_in_order(tmp_path):
    pairs = [(3, 1), (1, 9), (1, 2), (2, 5)]
    run = Run(matches=[match(ours, theirs, match_id=1, **{"pass": "group"}) for ours, theirs in pairs])
    out, _, _ = exported(run, tmp_path)
    table = pq.read_table(out / "matches.parquet")
    assert list(zip(*(table.column(name).to_pylist() for name in ("ours_row", "theirs_row")), strict=True)) == sorted(
        pairs
    )
    assert [row["ours_row"] for row in csv_rows(out / "matches.csv")] == ["1", "1", "2", "3"]


def test_tables_beyond_a_sheet_or_json_are_cut_there_and_whole_elsewhere(tmp_path):
    total = JSON_ROWS + 5
    summary = write_large_run(tmp_path / "run", matches=total, deltas=40)
    out = tmp_path / "out"
    write_out(tmp_path / "run", summary, PLAN, out)
    assert pq.read_metadata(out / "matches.parquet").num_rows == total
    with (out / "matches.csv").open("rb") as file:
        assert sum(1 for _ in file) == total + 1
    told = json.loads((out / "matches.json").read_text(encoding="utf-8"))
    assert (told["rows"], told["included"], told["complete"]) == (total, JSON_ROWS, False)
    assert len(told["items"]) == JSON_ROWS
    shown = sheet(out, "Matches")
    assert len(shown) == SHEET_ROWS + 1
    outcomes = [row[4] for row in shown[1:]]
    assert outcomes[: total // 1000] == ["review"] * (total // 1000)
    cover = [row[:5] for row in sheet(out, "Summary")]
    assert ["Matches", total, SHEET_ROWS, "the most important rows only", "matches.csv, matches.parquet"] in cover


def test_files_of_others_are_left_alone_and_our_old_ones_are_replaced(tmp_path):
    out = tmp_path / "out"
    (out / "kept").mkdir(parents=True)
    (out / "notes.txt").write_text("mine")
    (out / "deltas.csv").write_text("old")
    exported(a_full_run(), tmp_path)
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "kept").is_dir()
    assert (out / "deltas.csv").read_text().startswith("delta_id,")
    assert sorted(path.name for path in out.iterdir()) == sorted([*FILE_NAMES, "notes.txt", "kept"])


def test_every_file_is_announced(tmp_path):
    announced = []
    exported(a_full_run(), tmp_path, on_file=announced.append)
    assert sorted(announced) == sorted(FILE_NAMES)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ResultNotWritten, match="is a file") as caught:
        exported(a_full_run(), tmp_path)
    assert "--out" in str(caught.value)
    assert (tmp_path / "out").read_text() == "a file"


def test_a_file_on_the_way_to_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("a file")
    summary = a_full_run().write(tmp_path / "run")
    with pytest.raises(ResultNotWritten, match="--out"):
        write_out(tmp_path / "run", summary, PLAN, tmp_path / "file" / "out")


def test_a_folder_in_place_of_a_file_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "out" / "tieout.xlsx").mkdir(parents=True)
    with pytest.raises(ResultNotWritten, match=r"tieout\.xlsx is a folder"):
        exported(a_full_run(), tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tieout.xlsx"]


@pytest.mark.parametrize("limit", [2_000, 150_000])
def test_a_full_disk_leaves_the_old_result_whole(limit, tmp_path):
    run = a_full_run()
    run.deltas = [delta("missing", str(n), ours_row=n) for n in range(1, 3000)]
    summary = run.write(tmp_path / "run")
    out = tmp_path / "out"
    write_out(tmp_path / "run", summary, PLAN, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    program = (
        "import json, resource, sys; from pathlib import Path; from tieout.report.exports import write_out\n"
        "from tieout.core.errors import TieoutError\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "try:\n"
        "    write_out(Path(sys.argv[1]), json.load(sys.stdin), 'new', Path(sys.argv[2]))\n"
        "except TieoutError as error:\n"
        "    print(error.code, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "run", out],
        input=json.dumps(summary, default=str),
        text=True,
        check=True,
        capture_output=True,
    )
    assert done.stdout.startswith("result_not_written")
    assert "could not be written" in done.stdout
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_folder_without_permission_is_refused(tmp_path):
    if os.geteuid() == 0:
        target = Path("/proc/tieout-out")
    else:
        (tmp_path / "locked").mkdir(mode=0o500)
        target = tmp_path / "locked" / "out"
    summary = a_full_run().write(tmp_path / "run")
    with pytest.raises(ResultNotWritten, match="--out"):
        write_out(tmp_path / "run", summary, PLAN, target)


@pytest.mark.parametrize("name", ["delta", "match", "quarantine"])
def test_a_damaged_fact_is_named_as_such(name, tmp_path):
    summary = a_full_run().write(tmp_path / "run")
    (tmp_path / "run" / f"{name}.parquet").write_bytes(b"PAR1 not at all PAR1")
    with pytest.raises(FactUnreadable, match="Run the comparison again"):
        write_out(tmp_path / "run", summary, PLAN, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_fact_as_an_arrow_table_is_the_exported_file(full):
    out, _, _, run = full
    for table in TABLES:
        assert fact_table(run, table.fact).to_pylist() == pq.read_table(out / f"{table.name}.parquet").to_pylist()
    assert fact_table(run, "delta").schema.field("amount").type == MONEY
    assert micros("1.5") == 1_500_000
