import os
import signal
from dataclasses import replace
from threading import Timer

import duckdb
import pytest

from tests.store.builders import settings_for
from tieout.store.digest import digest_file
from tieout.store.duck import FactsUnreadable, connect, connect_read_only_facts, interrupts_told


@pytest.fixture
def settings(tmp_path):
    return replace(settings_for(tmp_path / "data"), threads=2, memory_limit="256MB")


@pytest.fixture
def facts(tmp_path):
    """Two facts of a run, the first in two files, beside a file that is not among them."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name, query in [
        ("match_1", "select range as match_id from range(1, 4)"),
        ("match_2", "select range as match_id from range(4, 6)"),
        ("delta", "select 'd1' as delta_id, 2500000::bigint as amount_micros"),
        ("other_tenant", "select 1 as n"),
    ]:
        duckdb.sql(f"copy ({query}) to '{folder}/{name}.parquet'")
    return folder


@pytest.fixture
def sql(settings, facts, tmp_path):
    connection = connect_read_only_facts(
        settings,
        {"match": [facts / "match_1.parquet", facts / "match_2.parquet"], "delta": facts / "delta.parquet"},
        tmp_path / "work",
    )
    yield lambda query: connection.execute(query).fetchall()
    connection.close()


def setting(connection, name):
    return connection.execute("select current_setting(?)", [name]).fetchone()[0]


def test_the_engine_s_connection_obeys_the_settings(settings, tmp_path):
    with connect(settings, tmp_path / "work") as connection:
        assert setting(connection, "threads") == 2
        assert setting(connection, "memory_limit") == "244.1 MiB"
        assert setting(connection, "temp_directory") == str(tmp_path / "work" / "spill")
        assert setting(connection, "TimeZone") == "UTC"
        assert setting(connection, "preserve_insertion_order") is True
        assert setting(connection, "autoinstall_known_extensions") is False
        assert setting(connection, "autoload_known_extensions") is False


def test_the_engine_s_connection_reads_and_writes_our_files(settings, tmp_path):
    with connect(settings, tmp_path / "work") as connection:
        connection.execute(f"copy (select 7 as n) to '{tmp_path}/n.parquet'").fetchall()
        assert connection.execute(f"from '{tmp_path}/n.parquet'").fetchall() == [(7,)]


def test_more_than_the_memory_holds_spills_below_the_work_folder(settings, tmp_path):
    with connect(replace(settings, memory_limit="64MB"), tmp_path / "work") as connection:
        connection.execute("create table big as select hash(range) as h, range::varchar as n from range(8000000)")
        assert list((tmp_path / "work" / "spill").iterdir())
        assert connection.execute("select count(distinct h) from big where h % 100 = 0").fetchone()[0] > 0


@pytest.mark.parametrize("threads", [1, 2])
def test_a_join_that_spills_finds_every_row(settings, tmp_path, threads):
    """Development builds of DuckDB 2.0 lost rows here, in silence (duckdb/duckdb#25702)."""
    with connect(replace(settings, threads=threads, memory_limit="60MB"), tmp_path / "work") as connection:
        for name in ("probed", "built"):
            connection.execute(f"create table {name} as select range % 25 as k from range(3000000)")
        asked = "select count(*) from probed where k in (select k from built)"
        assert connection.sql(asked).fetchall() == [(3_000_000,)]


def test_a_python_variable_is_not_a_table_of_the_engine(settings, tmp_path):
    secret = duckdb.sql("select 1").to_arrow_table()
    with connect(settings, tmp_path / "work") as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("from secret")
    assert secret.num_rows == 1


def test_facts_are_relations_by_their_names(sql):
    assert sql("select * from match order by match_id") == [(1,), (2,), (3,), (4,), (5,)]
    assert sql("select sum(amount_micros) from delta, match where match_id = 1") == [(2_500_000,)]


def test_a_user_may_make_tables_and_views_of_his_own(sql):
    sql("create table mine as select match_id * 2 as n from match")
    sql("create view seen as select max(n) as n from mine")
    assert sql("from seen") == [(10,)]
    assert sql(
        "with recursive t as (select 1 as n union all select n + 1 from t where n < 9) select max(n) from t"
    ) == [(9,)]


ATTEMPTS = [
    "select * from '{facts}/other_tenant.parquet'",
    "select * from read_parquet('{facts}/*.parquet')",
    "select * from read_parquet('{facts}/match_1.parquet')",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('/proc/self/environ')",
    "select * from sniff_csv('/etc/passwd')",
    "select * from glob('/etc/*')",
    "select * from parquet_metadata('{facts}/other_tenant.parquet')",
    "create table mine as from '/etc/passwd'",
    "copy (select 1) to '{facts}/new.parquet'",
    "copy (select 1 as match_id) to '{facts}/match_1.parquet'",
    "copy (select 1 as match_id) to '{facts}/match_1.parquet' (format parquet, use_tmp_file false)",
    "copy match to '/dev/stdout'",
    "explain analyze copy (select 1) to '{facts}/match_1.parquet' (format parquet, use_tmp_file false)",
    "copy (select 1 as n) to '{facts}' (format parquet, partition_by (n), overwrite)",
    "export database '{facts}/export'",
    "import database '{facts}'",
    "attach '{facts}/new.db'",
    "attach '{facts}/../data/state.db' (type sqlite)",
    "install httpfs",
    "load httpfs",
    "load '{facts}/match_1.parquet'",
    "set enable_external_access = true",
    "reset enable_external_access",
    "set lock_configuration = false",
    "set allowed_directories = ['/']",
    "set memory_limit = '100GB'",
    "set threads = 64",
    "set temp_directory = '{facts}'",
    "pragma enable_profiling = 'json'",
    "pragma profiling_output = '{facts}/profile.json'",
    "call enable_logging(storage = 'file', storage_config = {{'path': '{facts}/log'}})",
    "select getenv('HOME')",
    "insert into match values (6)",
    "delete from match",
    "update delta set amount_micros = 0",
]


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_typed_sql_can_neither_read_another_file_nor_write_any(sql, facts, attempt):
    before = {path.name: digest_file(path) for path in facts.iterdir()}
    with pytest.raises(duckdb.Error):
        sql(attempt.format(facts=facts))
    assert {path.name: digest_file(path) for path in facts.iterdir()} == before
    assert sql("select count(*) from match") == [(5,)]


def test_a_file_that_is_missing_or_no_parquet_is_named(settings, tmp_path):
    (tmp_path / "broken.parquet").write_text("no")
    for path in (tmp_path / "missing.parquet", tmp_path / "broken.parquet"):
        with pytest.raises(FactsUnreadable, match="match"):
            connect_read_only_facts(settings, {"match": path}, tmp_path / "work")


def test_ctrl_c_in_a_query_is_an_interrupt_and_no_fault(settings, tmp_path):
    con = connect(settings, tmp_path / "work")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us with it ignored
    timer = Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt), interrupts_told():
        con.execute("select sum(hash(range)::hugeint) from range(1000000000)").fetchall()
    timer.join()
    signal.signal(signal.SIGINT, before)
    with pytest.raises(RuntimeError, match="another"), interrupts_told():
        raise RuntimeError("another")
