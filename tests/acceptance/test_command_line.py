"""The commands as a user types them: real processes, real files, exit codes, bad input."""

import csv
import json
import os
import re
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

OURS = """id,day,amount,currency,memo
A1,2026-01-05,100.00,EUR,first
A2,2026-01-06,50.10,EUR,second
A3,2026-01-07,7.00,EUR,third
A4,2026-01-08,12.00,EUR,=cmd()
A5,2026-01-09,33.33,EUR,fifth
"""
THEIRS = """id,day,amount,currency,memo
A1,2026-01-05,100.00,EUR,first
A2,2026-01-06,50.00,EUR,second
A3,2026-01-07,7.00,EUR,third
A5,2026-01-09,33.33,EUR,fifth
A9,2026-01-10,5.00,EUR,ninth
"""


@pytest.fixture
def run(tmp_path, forks):
    def call(*arguments, code=None, stdin=None):
        environment = {**os.environ, "TIEOUT_DATA_DIR": str(tmp_path / "data"), "COLUMNS": "140", "NO_COLOR": "1"}
        done = forks.run(arguments, env=environment, stdin=stdin or "")
        assert "Traceback" not in done.stderr, done.stderr
        if code is not None:
            assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    return call


@pytest.fixture
def files(tmp_path):
    ours, theirs = tmp_path / "ours.csv", tmp_path / "theirs.csv"
    ours.write_text(OURS, encoding="utf-8")
    theirs.write_text(THEIRS, encoding="utf-8")
    return ours, theirs


def test_two_files_that_differ_exit_10_and_say_why(run, files):
    done = run("compare", *files, "--json", code=10)
    summary = json.loads(done.stdout)
    assert summary["matched"]["matches"] == 4
    assert {(row["kind"], row["count"], row["amount"]) for row in summary["deltas"]} == {
        ("underpay", 1, "0.100000"),
        ("missing", 1, "12.000000"),
        ("unexpected", 1, "-5.000000"),
    }
    money = summary["currencies"][0]
    assert Decimal(money["expected"]) - Decimal(money["reported"]) == sum(map(Decimal, money["parts"].values()))


def test_a_file_against_itself_ties_out_with_exit_0(run, files):
    done = run("compare", files[0], files[0], code=0)
    assert "5" in done.stdout


def test_tolerance_is_strict_and_larger_of_both(run, files):
    at = run("compare", *files, "--tolerance", "0.10", "--json", code=10)
    assert "underpay" not in {row["kind"] for row in json.loads(at.stdout)["deltas"]}
    below = run("compare", *files, "--tolerance", "0.099999", "--json", code=10)
    assert "underpay" in {row["kind"] for row in json.loads(below.stdout)["deltas"]}
    percent = run("compare", *files, "--tolerance", "0.2%", "--json", code=10)
    assert "underpay" not in {row["kind"] for row in json.loads(percent.stdout)["deltas"]}


def test_out_holds_the_named_files_with_the_named_columns(run, files, tmp_path):
    out = tmp_path / "out"
    run("compare", *files, "--out", out, code=10)
    names = {path.name for path in out.iterdir()}
    tables = ("matches", "deltas", "unmatched_ours", "unmatched_theirs", "quarantine")
    assert {"summary.json", "report.html", "plan.toml"} <= names
    assert {f"{table}.{kind}" for table in tables for kind in ("parquet", "csv")} <= names
    assert [name for name in names if name.endswith(".xlsx")]
    matches = pq.read_table(out / "matches.parquet")
    assert matches.column_names == [
        "match_id",
        "ours_row",
        "theirs_row",
        "pass",
        "outcome",
        "confidence",
        "alternatives",
    ]
    assert sorted(zip(matches["ours_row"].to_pylist(), matches["theirs_row"].to_pylist(), strict=True)) == [
        (1, 1),
        (2, 2),
        (3, 3),
        (5, 4),
    ]
    deltas = pq.read_table(out / "deltas.parquet")
    assert deltas.column_names[:9] == [
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
    assert sum(deltas["amount"].to_pylist()) == Decimal("202.43") - Decimal("195.33")
    with (out / "unmatched_ours.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert row["ours_row"] == "4"
    assert row["ours_memo"] == "'=cmd()"
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert not re.search(r"""(src|href)=["']https?:""", page)


def test_inspect_counts_the_rows_of_any_file_and_shows_what_it_refuses(run, files, tmp_path):
    whole = json.loads(run("inspect", files[0], "--json", code=0).stdout)
    assert (whole["format"], whole["rows"], whole["refused"]) == ("csv", 5, [])
    assert whole["preview"][0]["id"] == "A1"
    ragged = tmp_path / "ragged.csv"
    ragged.write_text("".join(["id,amount\n", *(f"A{n},{n}.00\n" for n in range(30_000)), "B,1,2\n", "C,3\n"]))
    told = json.loads(run("inspect", ragged, "--json", code=10).stdout)
    assert (told["rows"], [(row["line"], row["reason_code"]) for row in told["refused"]]) == (
        30_001,
        [(30_002, "ragged_row")],
    )
    assert "30,001 rows" in run("inspect", ragged, code=10).stdout


def test_the_report_can_be_had_alone(run, files, tmp_path):
    page = tmp_path / "pages" / "page.html"
    done = run("compare", *files, "--report", page, code=10)
    assert str(page) in done.stdout.replace("\n", "")
    run_id = json.loads(run("runs", "--json").stdout)[0]["run_id"]
    again = tmp_path / "again.html"
    run("show", run_id, "--report", again, code=0)
    assert page.read_bytes() == again.read_bytes()
    assert "<svg" in page.read_text(encoding="utf-8")
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]
    refused = run("show", run_id, "--report", tmp_path, code=20)
    assert "--report" in refused.stderr


def test_the_same_comparison_writes_the_same_bytes(run, files, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    run("compare", *files, "--out", first, code=10)
    run("compare", *files, "--out", second, "--fresh", code=10)
    for path in sorted(first.iterdir()):
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_a_run_can_be_listed_shown_explained_replayed_and_queried(run, files):
    summary = json.loads(run("compare", *files, "--json", code=10).stdout)
    run_id = summary["run_id"]
    assert run_id in run("runs", "--json", code=0).stdout
    assert "underpay" in run("show", run_id[:10], code=0).stdout
    deltas = json.loads(run("sql", "--json", "select delta_id, kind from recon_deltas order by 1", code=0).stdout)
    missing = next(row["delta_id"] for row in deltas if row["kind"] == "missing")
    explained = json.loads(run("explain", missing, "--json", code=0).stdout)
    assert explained["sources"]["ours"][0]["line"] == 5
    assert "A4" in explained["sources"]["ours"][0]["raw"]
    assert "reference among all 5 rows" in explained["searched"]
    replayed = json.loads(run("replay", run_id[:10], "--json", code=0).stdout)
    assert replayed["same"] is True
    for table, count in (
        ("recon_statements_raw", 5),
        ("recon_statements_norm", 5),
        ("recon_expected", 5),
        ("recon_match", 4),
        ("recon_match_review", 0),
        ("recon_deltas", 3),
    ):
        found = json.loads(run("sql", "--json", f"select count(*) as n from {table}", code=0).stdout)
        assert found == [{"n": count}], table


def test_the_sql_prompt_answers_and_survives_a_mistake(run, files):
    run("compare", *files, code=10)
    done = run("sql", stdin="select nothing;\nselect count(*) as deltas\nfrom recon_deltas;\n", code=0)
    assert "deltas" in done.stdout
    assert "3" in done.stdout
    assert "nothing" in done.stderr


def test_sql_cannot_write_or_read_other_files(run, files, tmp_path):
    run("compare", *files, code=10)
    target = tmp_path / "stolen.csv"
    for query in (
        f"copy (select 1) to '{target}'",
        f"select * from read_csv('{files[0]}')",
        "install httpfs",
        "set enable_external_access = true",
    ):
        done = run("sql", query)
        assert done.returncode == 20, query
    assert not target.exists()


def test_a_plan_is_saved_once_and_used_again(run, files, tmp_path):
    plan = tmp_path / "plan.toml"
    first = json.loads(run("compare", *files, "--plan", plan, "--json", code=10).stdout)
    assert plan.exists()
    again = json.loads(run("compare", *files, "--plan", plan, "--json", code=10).stdout)
    assert again["deltas"] == first["deltas"]
    settled = run("compare", *files, "--plan", plan, "--on", "id")
    assert settled.returncode == 20
    assert "--on" in settled.stderr


def test_a_changed_recorded_file_is_found_by_replay(run, files, tmp_path):
    summary = json.loads(run("compare", *files, "--json", code=10).stdout)
    digest = summary["ours"]["artifact"]
    stored = next(path for path in (tmp_path / "data" / "artifacts").rglob(digest) if path.is_file())
    stored.chmod(0o600)
    stored.write_text(OURS.replace("100.00", "900.00"), encoding="utf-8")
    done = run("replay", summary["run_id"][:10])
    assert done.returncode == 20
    assert digest[:8] in done.stderr or "ours.csv" in done.stderr


BAD = {
    "empty": (b"", "empty"),
    "directory": (None, "folder"),
    "missing": ("missing", "no such|not exist|missing|there is no"),
}


@pytest.mark.parametrize("name", ["empty", "directory", "missing"])
def test_bad_files_give_one_clear_error(run, files, tmp_path, name):
    content, words = BAD[name]
    path = tmp_path / "bad.csv"
    if content is None:
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    done = run("compare", path, files[1], code=20)
    assert len(done.stderr.strip().splitlines()) <= 6
    assert re.search(words, done.stderr, re.IGNORECASE), done.stderr


def test_bad_rows_are_quarantined_with_reason_and_line(run, files, tmp_path):
    bad = tmp_path / "bad.csv"
    lines = OURS.splitlines()
    lines[2] = "A2,2026-02-30,50.10,EUR,second"
    lines.insert(4, "A7,2026-01-07,1.00,EUR,too,many,cells")
    lines.insert(5, "A8,2026-01-07,12..5,EUR,no number")
    bad.write_text("\n".join(lines) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    run("compare", bad, files[1], "--out", out, code=10)
    rows = pq.read_table(out / "quarantine.parquet").to_pylist()
    assert {(row["line"], row["row_no"]) for row in rows} == {(3, 2), (5, 4), (6, 5)}
    assert {row["side"] for row in rows} == {"ours"}
    assert all(row["reason"] and row["raw"] for row in rows)


def test_an_unknown_column_names_the_columns_there_are(run, files):
    done = run("compare", *files, "--on", "nummer", code=20)
    assert "nummer" in done.stderr
    assert "memo" in done.stderr


def test_a_zip_bomb_and_an_entity_bomb_are_refused(run, files, tmp_path):
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 600_000_000)
    assert run("compare", bomb, files[1]).returncode == 20
    entities = tmp_path / "bomb.xml"
    entities.write_text(
        '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02">'
        "<BkToCstmrStmt>&b;</BkToCstmrStmt></Document>",
        encoding="utf-8",
    )
    assert run("compare", entities, files[1]).returncode == 20


def test_help_answers_quickly_with_examples(run):
    for command in ("compare", "inspect", "runs", "show", "explain", "replay", "sql", "sweep", "demo"):
        done = run(command, "--help", code=0)
        assert "Example" in done.stdout, command


def test_tables_from_python_give_the_same_result_as_files(files, tmp_path, monkeypatch):
    import pandas as pd
    import polars as pl

    import tieout

    monkeypatch.setenv("TIEOUT_DATA_DIR", str(tmp_path / "data"))
    from_files = tieout.compare(*files)
    frames = [pd.read_csv(path) for path in files]
    from_pandas = tieout.compare(*frames)
    from_polars = tieout.compare(*[pl.read_csv(path) for path in files])
    from_arrow = tieout.compare(*[pl.read_csv(path).to_arrow() for path in files])
    expected = from_files.deltas.select(["kind", "amount", "ours_row", "theirs_row"]).to_pylist()
    for result in (from_pandas, from_polars, from_arrow):
        assert result.deltas.select(["kind", "amount", "ours_row", "theirs_row"]).to_pylist() == expected
    assert from_files.exit_code == 10
    assert "<svg" in from_files.report.html()
    saved = from_files.report.save(Path(tmp_path / "saved"))
    assert {path.name for path in saved} >= {"report.html", "deltas.parquet"}


INTERRUPT = """
import os, signal, sys
from contextlib import contextmanager
import tieout.cli.comparing as comparing
from tieout.compose import main

wanted = sys.argv.pop(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us with it ignored

@contextmanager
def stepping():
    yield lambda step: os.kill(os.getpid(), signal.SIGINT) if step == wanted else None

comparing.stepping = stepping
main()
"""


@pytest.mark.parametrize("step", ["infer", "load_ours", "join_by_reference", "publish"])
def test_an_interrupt_ends_with_a_word_and_nothing_published_and_a_repeat_finishes(run, files, tmp_path, step):
    stopped = subprocess.run(
        [sys.executable, "-c", INTERRUPT, step, "compare", *map(str, files)],
        env={**os.environ, "TIEOUT_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (stopped.returncode, stopped.stdout) == (130, "")
    assert stopped.stderr.startswith("Interrupted. Nothing was published")
    assert "Traceback" not in stopped.stderr
    assert [row for row in json.loads(run("runs", "--json").stdout) if row["result"]] == []
    run("compare", *files, code=10)


INVOICES = """id,date,amount,memo
I1,2026-01-03,120.00,Alba Foods invoice 811
I2,2026-01-05,80.50,Alba Foods invoice 812
I3,2026-01-05,300.00,Brook Metals 44
I4,2026-01-06,45.10,Corvin Optics 5
I5,2026-01-08,77.00,Delta Print 61
I6,2026-01-09,912.25,Fjord Dental 7
"""
PAYMENTS = """ref,booked,value,text
x91,2026-01-07,200.50,ALBA FOODS payment
x92,2026-01-06,300.00,Brook Metals
x93,2026-01-07,45.10,Corvin Optics
x94,2026-01-09,77.00,Delta Print
x95,2026-01-10,912.25,Fjord Dental
"""


def test_a_row_of_a_sum_is_explained_by_what_was_applied_and_why(run, tmp_path):
    (tmp_path / "ours.csv").write_text(INVOICES)
    (tmp_path / "theirs.csv").write_text(PAYMENTS)
    made = json.loads(run("compare", tmp_path / "ours.csv", tmp_path / "theirs.csv", "--json", code=0).stdout)
    found = json.loads(run("explain", made["run_id"], "--ours", "2", "--json", code=0).stdout)
    applied = [(one["ours_row"], one["theirs_row"], one["applied"], one["kind"]) for one in found["applications"]]
    assert applied == [(1, 1, "120.000000", "sum"), (2, 1, "80.500000", "sum")]
    told = run("explain", made["run_id"], "--ours", "2", code=0).stdout
    assert "applied 80.500000: our row 2, their row 1, sum" in told
    assert "unique: 2 rows of ours that name the same party sum to it" in told
