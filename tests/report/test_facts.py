import re
from importlib.resources import files

import pytest

from tests.report.builders import SCHEMAS, Run, a_full_run
from tieout.report.facts import FACT_NAMES, FactUnreadable, RunFolderIncomplete, load_query, open_facts

QUERIES = sorted(path.name.removesuffix(".sql") for path in (files("tieout.report") / "sql").iterdir())
VALUES = {
    "currency": "EUR",
    "as_of": "2026-03-31",
    "points": 100,
    "limit": 10,
    "column": "memo",
    "match_ids": [1, 22],
}


def header(query):
    return dict(re.findall(r"^-- (\w+): +(.*)$", load_query(query), re.MULTILINE))


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_says_its_name_and_why_it_exists(query):
    said = header(query)
    assert said["query"] == query
    assert len(said["why"]) > 20


@pytest.mark.parametrize("query", [query for query in QUERIES if query != "units"])
@pytest.mark.parametrize("make", [a_full_run, Run])
def test_every_query_runs_on_a_full_run_and_on_an_empty_one(query, make, tmp_path):
    make().write(tmp_path)
    wanted = {name: VALUES[name] for name in re.findall(r"\$(\w+)", header(query).get("in", ""))}
    with open_facts(tmp_path) as facts:
        rows = facts.ask(query, **wanted)
        out = re.findall(r"\w+", header(query)["out"].partition(",")[0])
        if rows and header(query)["out"].count(",") and out[0] != "the":
            assert out[0] in rows[0]


def test_the_builder_writes_every_fact_that_the_report_reads():
    assert set(FACT_NAMES) == {*SCHEMAS, "unmatched_ours", "unmatched_theirs"}


@pytest.mark.parametrize("name", FACT_NAMES)
def test_a_missing_fact_is_named(name, tmp_path):
    a_full_run().write(tmp_path)
    (tmp_path / f"{name}.parquet").unlink()
    with pytest.raises(RunFolderIncomplete, match=name), open_facts(tmp_path):
        pass


def test_a_fact_of_another_shape_is_refused(tmp_path):
    a_full_run().write(tmp_path)
    (tmp_path / "daily.parquet").write_bytes((tmp_path / "check.parquet").read_bytes())
    with open_facts(tmp_path) as facts, pytest.raises(FactUnreadable):
        facts.ask("latest_day")


def test_reading_writes_nothing_to_disk(tmp_path):
    a_full_run().write(tmp_path)
    before = sorted(tmp_path.iterdir())
    with open_facts(tmp_path) as facts:
        assert facts.con.sql("select current_setting('temp_directory')").fetchall() == [("",)]
        facts.ask("open_reasons")
    assert sorted(tmp_path.iterdir()) == before
