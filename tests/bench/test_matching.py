import json

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import matching, matching_sets, measure
from bench.brief import PEOPLE, REMITTANCE
from bench.matching import Answer, Contender, Quality, Result

LIMITS = measure.Limits(timeout_s=60, memory_mb=4_000)
PEOPLE_CSV = """unique_id,first_name,surname,dob,city,email,cluster
0,Ann,Lee,1980-01-02,Hull,ann@x.net,7
1,Bob,Ray,1981-01-02,Hull,bob@x.net,8
2,An,Lee,1980-01-02,,ann@x.net,7
3,A,Lee,1980-01-02,Hull,,7
"""
CASH_JSON = {
    "invoices": [
        {"invoice_id": "I1", "customer_name": "A", "invoice_date": "2026-01-01", "amount": 10.0},
        {"invoice_id": "I2", "customer_name": "B", "invoice_date": "2026-01-02", "amount": 20.0},
    ],
    "payments": [{"payment_id": "P1", "payer_name": "B", "payment_date": "2026-01-09", "amount": 20.0}],
    "remittance_lines": [{"payment_id": "P1", "invoice_ref": "I2", "amount": 20.0}],
    "ground_truth": {"applications": [{"payment_id": "P1", "invoice_id": "I2", "match_type": "simple_1to1"}]},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    made = tmp_path / "made"
    monkeypatch.setattr(matching, "FOLDER", made)
    monkeypatch.setattr(matching_sets, "FOLDER", made)
    return made


@pytest.fixture
def data(tmp_path):
    for name, text in ((matching_sets.PEOPLE_FILE, PEOPLE_CSV), ("cash_application/a.json", json.dumps(CASH_JSON))):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return tmp_path / "data"


def write_rows(path, columns, rows):
    values = ", ".join(str(row) if len(row) > 1 else f"({row[0]})" for row in rows)
    shown = f"select * from (values {values}) as t({columns})" if rows else f"select {_empty(columns)} limit 0"
    duckdb.sql(f"copy ({shown}) to '{path}'")
    return path


def _empty(columns):
    kinds = {"outcome": "''", "score": "0.0::double"}
    return ", ".join(f"{kinds.get(name, '0')} as {name}" for name in columns.split(", "))


def judged(tmp_path, pairs, truth, **options):
    answer = write_rows(tmp_path / "pairs.parquet", "ours_row, theirs_row, outcome, score", pairs)
    return matching.judge(answer, write_rows(tmp_path / "truth.parquet", "ours_row, theirs_row", truth), **options)


def test_accepted_pairs_are_judged_apart_from_those_proposed_for_review(tmp_path):
    pairs = [(1, 1, "auto", 0.9), (2, 3, "auto", 0.8), (3, 2, "review", 0.5)]
    answer = judged(tmp_path, pairs, [(1, 1), (2, 2), (3, 2), (4, 4)])
    assert answer.auto == Quality(found=2, right=1, true=4)
    assert answer.proposed == Quality(found=3, right=2, true=4)
    assert (answer.auto.precision, answer.auto.recall) == (0.5, 0.25)
    assert answer.auto.f1 == pytest.approx(1 / 3)


def test_a_pair_told_twice_counts_once(tmp_path):
    answer = judged(tmp_path, [(1, 1, "auto", 0.9), (1, 1, "review", 0.5)], [(1, 1)])
    assert answer.auto == answer.proposed == Quality(found=1, right=1, true=1)


def test_a_contender_that_finds_nothing_has_no_precision(tmp_path):
    answer = judged(tmp_path, [], [(1, 1)], is_scored=True)
    assert (answer.auto.precision, answer.auto.recall, answer.auto.f1, answer.threshold) == (None, 0.0, 0.0, None)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=12), st.integers(1, 5))
def test_the_threshold_is_the_one_of_the_best_f1(tmp_path_factory, drawn, missed):
    pairs = [(place, place, "auto", score / 4) for place, (score, _) in enumerate(drawn)]
    truth = [(place, place) for place, (_, is_right) in enumerate(drawn) if is_right]
    truth += [(1_000 + place, 0) for place in range(missed)]
    answer = judged(tmp_path_factory.mktemp("judged"), pairs, truth, is_scored=True)

    def f1_from(threshold):
        kept = [is_right for score, is_right in drawn if score / 4 >= threshold]
        return 2 * sum(kept) / (len(kept) + len(truth))

    best = max(f1_from(score / 4) for score in range(5))
    assert answer.auto.f1 == pytest.approx(best) == pytest.approx(f1_from(answer.threshold))


def test_people_are_halved_into_the_first_and_the_second_of_each_cluster(folder, data):
    [found] = matching_sets.people(data)
    assert found.brief.kind == PEOPLE
    assert matching.rows_of(found) == (2, 1)
    assert duckdb.sql(f"select ours_row, theirs_row from '{found.truth}'").fetchall() == [(1, 1)]
    for path, columns in found.brief.sides.values():
        assert {"cluster", "unique_id"}.isdisjoint(duckdb.sql(f"from '{path}'").columns)
        assert set(columns.values()) == set(duckdb.sql(f"from '{path}'").columns)


def test_invoices_and_payments_have_their_applications_as_truth(folder, data):
    [found] = matching_sets.cash_application(data)
    assert found.brief.kind == REMITTANCE
    assert duckdb.sql(f"from '{found.truth}'").fetchall() == [(2, 1, "simple_1to1")]


def test_bank_pairs_hold_neither_truth_nor_ids(folder):
    [found] = matching_sets.bank_pairs()
    for path, columns in found.brief.sides.values():
        assert set(duckdb.sql(f"from '{path}'").columns) == set(columns.values())


def test_what_is_not_at_hand_is_told(folder, data):
    chosen = matching.parse(["--sets", "people", "cash"])
    assert matching.gather(chosen) == (
        [],
        [
            "people, for want of people/fake_1000.csv in the folder of `--data`",
            "cash, for want of cash_application/*.json in the folder of `--data`",
        ],
    )
    found, absent = matching.gather(matching.parse(["--sets", "people", "cash", "--data", str(data)]))
    assert [one.name for one in found] == ["people", "cash application, 2 invoices"]
    assert absent == []


def test_a_run_measures_each_contender_on_each_set_it_takes(folder, data, capsys):
    arguments = ["--data", str(data), "--sets", "cash", "worlds", "--rows", "1000", "--rounds", "2"]
    assert matching.main([*arguments, "--only", "exact", "SQL", "remittance"]) == 0
    record = json.loads((folder / "results-matching.json").read_text())
    ran = {(one["data_set"], one["contender"]): one for one in record["results"]}
    assert set(ran) == {
        ("cash application, 2 invoices", "exact equality"),
        ("cash application, 2 invoices", "ten lines of SQL"),
        ("cash application, 2 invoices", "remittance reference"),
        ("world of 1,000", "exact equality"),
        ("world of 1,000", "ten lines of SQL"),
    }
    assert ran["cash application, 2 invoices", "remittance reference"]["answer"]["auto"]["f1"] == 1.0
    exact = ran["world of 1,000", "exact equality"]
    assert exact["answer"]["auto"]["precision"] > 0.9
    assert exact["answer"]["recall_by_kind"]["exact"] > 0.5 > exact["answer"]["recall_by_kind"]["fee_percent"]
    assert len(exact["wall_s"]) == 2
    assert ran["world of 1,000", "ten lines of SQL"]["pairs_per_s"] > 0
    assert str(data) not in record["command"]
    assert (folder / "results-matching.md").read_text() in capsys.readouterr().out


def test_a_contender_that_fails_or_takes_too_long_stands_in_the_table_with_its_reason(folder):
    [bank] = matching_sets.bank_pairs()
    [missing] = matching.race(bank, (Contender("gone", "match_by_nobody"),), 2, LIMITS)
    assert (missing.answer, missing.note) == (None, "failed with exit code 1")
    hasty = measure.Limits(timeout_s=0.01, memory_mb=4_000)
    [slow] = matching.race(bank, (Contender("slow", "match_exact"),), 2, hasty)
    assert slow.note == "stopped after 0.01 s"
    [row] = matching.render_quality([slow])[2:]
    assert row == "| bank pairs | 40,793 | slow |  |  |  |  |  |  |  |  |  | stopped after 0.01 s |"


def test_seconds_stand_against_size_once_there_are_several_sizes():
    def result(rows, seconds, note=""):
        quality = Quality(1, 1, 1)
        wall = (seconds,) if seconds else ()
        return Result(f"world of {rows:,}", (rows, rows), "tieout", Answer(quality, quality), wall, note=note)

    assert matching.render_scale([result(10, 1.0)]) == []
    lines = matching.render_scale([result(10, 1.0), result(1_000, 2.5), result(5_000, None, "stopped after 9 s")])
    assert lines[-3:] == [
        "| contender | world of 10 | world of 1,000 | world of 5,000 |",
        "|---|---:|---:|---:|",
        "| tieout | 1.0 | 2.5 | stopped after 9 s |",
    ]
